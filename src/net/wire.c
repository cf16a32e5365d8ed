/* wire: bytes of one socket, through TLS where there is one. */
#include "net/wire.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/plant.h"
#include "net/tls_session.h"

/* ---- buffers --------------------------------------------------------------------------------------------------- */

static void pool_take(struct wire_pool *pool, struct buf *buf) {
    if (!buf->data && pool->count) *buf = pool->bufs[--pool->count];
}

static void pool_give(struct wire_pool *pool, struct buf *buf) {
    if (!buf->data) return;
    buf_clear(buf);
    if (pool->count == WIRE_POOL_BUFS || buf->cap > WIRE_POOL_BUF_BYTES) {
        buf_free(buf);
    } else {
        pool->bufs[pool->count++] = *buf;
        *buf = (struct buf){0};
    }
}

void wire_pool_free(struct wire_pool *pool) {
    while (pool->count) buf_free(&pool->bufs[--pool->count]);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static void end(struct wire *wire, int64_t result) {
    if (wire->is_ended || wire->is_closing) return;
    wire->is_ended = true;
    wire->events->ended(wire, result);
}

static void closed(struct io *io, struct io_op *op) {
    struct wire *wire = op->ctx;
    pool_give(wire->pool, &wire->out);
    pool_give(wire->pool, &wire->sending);
    if (wire->tls) tls_session_free(wire->tls);
    wire->tls = NULL;
    wire->events->closed(wire);
}

void wire_close(struct wire *wire) {
    if (wire->is_closing) return;
    wire->is_closing = true;
    io_sock_close(wire->io, &wire->close, wire->sock);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static void send_rest(struct wire *wire) {
    wire->piece = (struct iovec){wire->sending.data + wire->sent, wire->sending.len - wire->sent};
    io_send(wire->io, &wire->send, wire->sock, &wire->piece, 1);
}

/* Moves what waits to `sending`: by exchange in clear text, by encryption with TLS. */
static void gather(struct wire *wire) {
    if (!wire->tls) {
        struct buf taken = wire->sending;
        wire->sending = wire->out;
        wire->out = taken;
        return;
    }
    pool_take(wire->pool, &wire->sending);
    if (wire->is_ready && wire->out.len) {
        if (!tls_session_write(wire->tls, buf_bytes(&wire->out))) end(wire, -IO_EPIPE);
        pool_give(wire->pool, &wire->out);
    }
    if (wire->is_ready && wire->shut_after_send) tls_session_close_notify(wire->tls);
    tls_session_output(wire->tls, &wire->sending);
}

void wire_flush(struct wire *wire) {
    if (wire->send.busy || wire->is_closing || wire->is_shut) return;
    gather(wire);
    if (wire->sending.len) {
        if (wire->progress_at == 0) wire->progress_at = io_now(wire->io);
        send_rest(wire);
        return;
    }
    pool_give(wire->pool, &wire->sending);
    pool_give(wire->pool, &wire->out);
    wire->progress_at = 0;
    if (wire->shut_after_send) {
        wire->is_shut = true;
        io_shutdown(wire->io, wire->sock);
    }
}

static void sent(struct io *io, struct io_op *op) {
    struct wire *wire = op->ctx;
    if (wire->is_closing) return;
    if (op->result < 0) {
        end(wire, op->result);
        return;
    }
    wire->progress_at = io_now(io);
    wire->pool->bytes_out += (uint64_t)op->result;
    wire->sent += (size_t)op->result;
    if (wire->sent < wire->sending.len) {
        send_rest(wire);
        return;
    }
    wire->sent = 0;
    buf_clear(&wire->sending);
    wire->events->drained(wire);
    wire_flush(wire);
}

struct buf *wire_out(struct wire *wire) {
    pool_take(wire->pool, &wire->out);
    return &wire->out;
}

void wire_shutdown(struct wire *wire) {
    if (wire->shut_after_send) return;
    wire->shut_after_send = true;
    wire_flush(wire);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

static void receive_clear_text(struct wire *wire) {
    uint8_t data[16 * 1024];
    int64_t count = 0;
    while (!wire->is_closing && (count = tls_session_read(wire->tls, data, sizeof data)) > 0)
        wire->events->received(wire, bytes_of(data, (size_t)count));
    if (wire->is_closing) return;
    if (count == TLS_CLOSED) end(wire, 0);
    else if (count < 0) end(wire, -IO_ERESET);
}

static void receive_tls(struct wire *wire, struct bytes data) {
    tls_session_feed(wire->tls, data);
    if (!wire->is_ready) {
        int64_t step = tls_session_handshake(wire->tls);
        if (step == TLS_FAILED) {
            wire->has_failed = true;
            end(wire, -IO_ERESET);
            return;
        }
        if (step == TLS_DONE) {
            wire->is_ready = true;
            wire->events->ready(wire);
        }
    }
    if (wire->is_ready && !wire->is_closing) receive_clear_text(wire);
    if (!wire->is_closing) wire_flush(wire);
}

static void received(struct io *io, struct io_op *op) {
    struct wire *wire = op->ctx;
    if (op->result <= 0) {
        end(wire, op->result);
        return;
    }
    struct io_buf lent = op->buf;
    wire->pool->bytes_in += (uint64_t)op->result;
    if (!wire->is_closing && !wire->is_ended) {
        struct bytes data = bytes_of(lent.data, (size_t)op->result);
        if (wire->tls) receive_tls(wire, data);
        else wire->events->received(wire, data);
    }
    if (!wire->is_closing || !PLANT(io, BUFFER_NOT_GIVEN_BACK)) io_buf_done(io, lent);
}

void wire_open(struct wire *wire, struct io *io, struct io_sock sock, struct tls_session *session,
               const struct wire_events *events, struct wire_pool *pool) {
    wire->io = io;
    wire->sock = sock;
    wire->tls = session;
    wire->events = events;
    wire->pool = pool;
    wire->receive = (struct io_op){.done = received, .ctx = wire};
    wire->send = (struct io_op){.done = sent, .ctx = wire};
    wire->close = (struct io_op){.done = closed, .ctx = wire};
    io_recv(io, &wire->receive, sock);
    if (!session) {
        wire->is_ready = true;
        events->ready(wire);
        return;
    }
    tls_session_handshake(session);      /* a client speaks first */
    wire_flush(wire);
}
