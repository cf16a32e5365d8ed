/* tls_session: one TLS connection over memory: encrypted bytes in by feed and out by output, clear text by read and
 * write. For src/net/wire.c; the implementation is behind net/tls.h's boundary. */
#ifndef NORN_NET_TLS_SESSION_H
#define NORN_NET_TLS_SESSION_H

#include "net/tls.h"

enum { TLS_AGAIN = 0, TLS_DONE = 1, TLS_CLOSED = -1, TLS_FAILED = -2 };

/* A session with the certificates of now; as server or client by the configuration. */
struct tls_session *tls_session_create(struct tls_config *config);
void tls_session_free(struct tls_session *session);
/* Bytes from the peer. */
void tls_session_feed(struct tls_session *session, struct bytes data);
/* TLS_AGAIN: more bytes are needed; TLS_DONE; TLS_FAILED: tls_session_error says why. */
int64_t tls_session_handshake(struct tls_session *session);
/* A count of bytes, TLS_AGAIN, TLS_CLOSED (the peer ended properly) or TLS_FAILED. */
int64_t tls_session_read(struct tls_session *session, void *data, size_t len);
bool tls_session_write(struct tls_session *session, struct bytes data);
void tls_session_close_notify(struct tls_session *session);
/* Appends what must go to the peer. */
void tls_session_output(struct tls_session *session, struct buf *out);
/* After the handshake: whether ALPN chose "h2"; "http/1.1" or none otherwise. */
bool tls_session_is_h2(const struct tls_session *session);
/* Of the peer's certificate, "CN=worker-1,O=Acme" and "DNS:a.acme, URI:spiffe:.."; the session's, NULL without one. */
const char *tls_session_peer_subject(const struct tls_session *session);
const char *tls_session_peer_names(const struct tls_session *session);
/* The text of the last failure (the session's). */
const char *tls_session_error(const struct tls_session *session);

#endif
