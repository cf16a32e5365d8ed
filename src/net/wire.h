/* wire: the bytes of one connected socket, in clear text or through TLS. The server's and the client's connections
 * stand on it.
 *
 * Life:
 *  1. wire_open, with a connected socket. `ready` runs once bytes can be written: at once for clear text, after the
 *     handshake for TLS.
 *  2. `received` runs for what arrives. To write: append to wire_out and call wire_flush, at most once for each batch
 *     of callbacks. One send is in flight at a time; `drained` runs when it has left, and is the time to write more.
 *  3. `ended` runs once when nothing more will arrive: the peer's end, an error, a broken handshake.
 *  4. wire_close, by the owner only and from anywhere; `closed` runs once, later; then the wire may be freed. */
#ifndef NORN_NET_WIRE_H
#define NORN_NET_WIRE_H

#include "io/io.h"
#include "net/tls.h"

enum {
    WIRE_OUT_HIGH = 128 * 1024,          /* writers stop here until `drained` */
    WIRE_POOL_BUFS = 16,                 /* spare buffers of a loop */
    WIRE_POOL_BUF_BYTES = 64 * 1024,     /* larger ones are not kept */
};

/* Output buffers are lent to wires that have something to send, so that an idle connection holds none. */
struct wire_pool {
    struct buf bufs[WIRE_POOL_BUFS];
    unsigned count;
    uint64_t bytes_in, bytes_out;        /* of all wires */
};
void wire_pool_free(struct wire_pool *pool);

struct wire;
struct wire_events {
    void (*ready)(struct wire *wire);
    void (*received)(struct wire *wire, struct bytes data);
    void (*drained)(struct wire *wire);
    void (*ended)(struct wire *wire, int64_t result);    /* 0, or a negated enum io_err */
    void (*closed)(struct wire *wire);
};

struct wire {
    struct io *io;
    const struct wire_events *events;
    struct wire_pool *pool;
    struct tls_session *tls;             /* NULL: clear text */
    struct io_sock sock;
    struct buf out;                      /* clear text that waits */
    struct buf sending;                  /* what io_send has */
    size_t sent;
    struct iovec piece;
    bool has_failed;                     /* the handshake; an alert that tells why waits to be sent */
    bool is_ready, is_ended, is_closing, shut_after_send, is_shut;
    int64_t progress_at;                 /* when the peer last took bytes; for the detection of those who do not */
    struct io_op receive, send, close;
};

/* `wire` is zeroed. `session` (may be NULL) is taken. */
void wire_open(struct wire *wire, struct io *io, struct io_sock sock, struct tls_session *session,
               const struct wire_events *events, struct wire_pool *pool);
/* Where to append; borrowed until wire_flush. */
struct buf *wire_out(struct wire *wire);
static inline bool wire_full(const struct wire *wire) { return wire->out.len >= WIRE_OUT_HIGH; }
/* Whether something is not yet with the kernel. */
static inline bool wire_unsent(const struct wire *wire) { return wire->send.busy || wire->out.len; }
void wire_flush(struct wire *wire);
/* Sends what is written, then our end of the stream. What still arrives is received. */
void wire_shutdown(struct wire *wire);
void wire_close(struct wire *wire);

#endif
