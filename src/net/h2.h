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

/* nghttp2 with memory from mem. */
nghttp2_mem *h2_memory(void);
nghttp2_option *h2_options(void);
nghttp2_session_callbacks *h2_callbacks(void);

/* Moves frames to the wire until it is full or none are left; false when the session is broken. */
bool h2_pump(nghttp2_session *session, struct wire *wire);
/* Widens the connection's window, after the settings were submitted. */
void h2_widen(nghttp2_session *session);

/* A header whose name and value outlive the frame. */
nghttp2_nv h2_header(const char *name, struct bytes value);

#endif
