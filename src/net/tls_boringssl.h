/* tls_boringssl: what the files of libnorn_tls.so share. */
#ifndef NORN_NET_TLS_BORINGSSL_H
#define NORN_NET_TLS_BORINGSSL_H

#include <openssl/ssl.h>

#include "net/tls_library.h"

struct boring_context {
    SSL_CTX *ssl;
    int references;                      /* one of the configuration, one of each session; all on one loop */
    bool server;
    char *server_name;
    int64_t not_after;                   /* ns since 1970; 0: no certificate of ours */
    int64_t (*wall)(void *ctx);
    void *wall_ctx;
};

struct boring_session {
    struct boring_context *context;
    SSL *ssl;
    BIO_METHOD *method;
    const uint8_t *in;                   /* fed and not yet read */
    size_t in_len;
    uint8_t *out;
    size_t out_len, out_cap;
    char *peer_subject, *peer_names;
    char error[TLS_ERROR_MAX];
};

/* Called before BoringSSL may ask for the time: it passes no context to its clock callback. */
void boring_enter(const struct boring_context *context);
void *boring_context_create(const struct tls_setup *setup, char *error);
void boring_context_release(void *context);
/* The reason of BoringSSL's oldest error, which is cleared; "unknown" when there is none. */
const char *boring_reason(void);

void boring_fill_sessions(struct tls_library *library);
/* Texts of a certificate, to be freed with free(). */
char *boring_subject(X509 *certificate);
char *boring_names(X509 *certificate);

#endif
