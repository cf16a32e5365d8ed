/* h2_guard: looks at the head of each frame before nghttp2 does.
 *
 * nghttp2 answers frames on closed streams properly only if it keeps closed streams in memory, up to the limit of open
 * ones. It is told to keep none; the guard remembers the few last streams that the peer ended, which is enough to tell
 * a peer that breaks the protocol from one whose frames crossed our reset. It also counts frames that ask for work and
 * bring none, whatever nghttp2 makes of them. */
#ifndef NORN_NET_H2_GUARD_H
#define NORN_NET_H2_GUARD_H

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"

enum { H2_GUARD_ENDED = 16 };

struct h2_guard {
    uint8_t head[9];
    uint8_t head_len;
    uint8_t next;                        /* in `ended` */
    uint32_t payload_left;
    uint32_t last_stream;
    uint32_t ended[H2_GUARD_ENDED];      /* streams that the peer ended or reset */
};

enum h2_verdict {
    H2_PASS,                             /* all of the bytes */
    H2_CHECK,                            /* a frame for a stream that must be open begins at *taken */
    H2_STREAM_CLOSED,                    /* a frame for a stream that the peer has ended begins there */
};

/* Scans until the end or a frame to look at; *cost is added up for the frames that were passed, and *stream is the
 * stream of the one to look at. Scanning goes on with the rest. */
enum h2_verdict h2_guard_scan(struct h2_guard *guard, struct bytes data, size_t *taken, int32_t *cost,
                              uint32_t *stream);

#endif
