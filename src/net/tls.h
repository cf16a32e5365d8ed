/* tls: the boundary to BoringSSL, which is in a shared object of its own (libnorn_tls.so), opened only when TLS is
 * configured, so that its symbols never meet OpenSSL's (design: libpq brings those). Bytes pass through memory; the
 * library does no IO. */
#ifndef NORN_NET_TLS_H
#define NORN_NET_TLS_H

#include "base/status.h"
#include "io/io.h"

struct tls_config;      /* certificates and rules; reloadable */
struct tls_session;     /* one connection */

struct tls_options {
    struct bytes certificate_pem, key_pem;     /* ours; may be empty for a client */
    struct bytes ca_pem;                       /* whom to trust; on a server, non-empty demands client certificates;
                                                * a client must have some */
    const char *certificate_name, *key_name, *ca_name;   /* for error texts: the files' paths; or NULL */
    const char *server_name;                   /* client: SNI and the name that is checked; NULL checks none */
    bool server;
};

/* Makes a configuration (TLS 1.2 and 1.3, ALPN h2 and http/1.1); on failure NULL and a status that names what is wrong
 * with which file's content. */
struct tls_config *tls_config_create(struct io *io, const struct tls_options *options, struct arena *arena,
                                     struct status *status);
/* New sessions use the new certificates; if they are not good, the old ones stay and the status says why. */
struct status tls_config_reload(struct tls_config *config, const struct tls_options *options, struct arena *arena);
void tls_config_destroy(struct tls_config *config);
/* When our certificate ends, ns since 1970; for metrics and warnings. 0 when there is none. */
int64_t tls_config_not_after(const struct tls_config *config);

#endif
