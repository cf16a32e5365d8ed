/* h2: what the server's and the client's HTTP/2 sessions have in common. The protocol itself is nghttp2's
 * (github.com/nghttp2/nghttp2), which sees memory only. */
#ifndef NORN_NET_H2_H
#define NORN_NET_H2_H

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "net/wire.h"

enum {
    H2_STREAM_WINDOW = 1024 * 1024,      /* what a peer may send on a stream before we have taken it */
    H2_CONNECTION_WINDOW = 4 * 1024 * 1024,
};

/* Memory of the sessions of one loop.
 *
 * A session has a buffer of 16 KiB for the frame that it is sending, which would be most of an idle connection. h2_pump
 * takes every frame out at once, so all sessions of a loop share one such buffer. */
struct h2_memory {
    nghttp2_mem hooks;
    bool opening;                        /* a session is being made */
    uint8_t frame[20 * 1024];
};
struct h2_memory *h2_memory_create(void);
void h2_memory_destroy(struct h2_memory *memory);

nghttp2_session *h2_open(struct h2_memory *memory, bool server, const nghttp2_session_callbacks *callbacks,
                         const nghttp2_option *option, void *ctx);
nghttp2_option *h2_options(void);
nghttp2_session_callbacks *h2_callbacks(void);

/* Moves frames to the wire until it is full or none are left; false when the session is broken. */
bool h2_pump(nghttp2_session *session, struct wire *wire);
/* Widens the connection's window, after the settings were submitted. */
void h2_widen(nghttp2_session *session);

/* A header whose name and value outlive the frame. */
nghttp2_nv h2_header(const char *name, struct bytes value);

#endif
