/* tls_library: the table of functions that libnorn_tls.so exports as its one symbol.
 *
 * The shared object is linked to BoringSSL and the C library only, so nothing of ours but plain C types passes here,
 * and its memory and entropy are BoringSSL's own. Its time is ours. */
#ifndef NORN_NET_TLS_LIBRARY_H
#define NORN_NET_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_LIBRARY_FILE "libnorn_tls.so"
#define TLS_LIBRARY_SYMBOL "norn_tls_library"
enum { TLS_LIBRARY_VERSION = 1, TLS_ERROR_MAX = 512 };

struct tls_pem {
    const char *what;                    /* for errors: a path, or "the certificate" */
    const void *data;
    size_t len;
};

struct tls_setup {
    bool server;
    struct tls_pem certificate, key, ca; /* len 0: none */
    const char *server_name;
    int64_t (*wall)(void *ctx);          /* ns since 1970 */
    void *wall_ctx;
};

struct tls_library {
    unsigned version;
    /* NULL, and a text in error[TLS_ERROR_MAX], when something is wrong. */
    void *(*context_create)(const struct tls_setup *setup, char *error);
    void (*context_destroy)(void *context);      /* sessions that use it go on */
    int64_t (*context_not_after)(const void *context);

    void *(*session_create)(void *context);
    void (*session_destroy)(void *session);
    /* Borrowed until the next call of handshake or read gives 0 or less. */
    void (*session_feed)(void *session, const void *data, size_t len);
    /* Results as in tls_session.h. */
    int64_t (*session_handshake)(void *session);
    int64_t (*session_read)(void *session, void *data, size_t len);
    bool (*session_write)(void *session, const void *data, size_t len);
    void (*session_close_notify)(void *session);
    /* What must go to the peer; the caller copies it, then calls session_output_taken. */
    size_t (*session_output)(void *session, const void **data);
    void (*session_output_taken)(void *session);
    bool (*session_is_h2)(const void *session);
    /* Of the peer's certificate; NULL without one. Names are "DNS:a, URI:b". */
    const char *(*session_peer_subject)(const void *session);
    const char *(*session_peer_names)(const void *session);
    const char *(*session_error)(const void *session);
};

#endif
