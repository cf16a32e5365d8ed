/* net_fuzz: bytes of the fuzzer on a simulated connection: a world with one node for each input, in which everything
 * must have ended, and all memory is back, when the node ends. */
#ifndef NORN_FUZZ_NET_FUZZ_H
#define NORN_FUZZ_NET_FUZZ_H

#include <signal.h>
#include <sys/time.h>
#include <world.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/server.h"

static inline void fuzz_too_long(int number) { __builtin_trap(); }

/* libFuzzer looks at the clock when its alarm rings, and would see the node's; so we keep it out, and have our own. */
static inline void fuzz_watch(bool on) {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &alarm, NULL);
    if (on) signal(SIGVTALRM, fuzz_too_long);
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value.tv_sec = on ? 10 : 0}, NULL);
}

/* The world of one input; its one node runs `start`. */
static inline void fuzz_world(io_start_fn *start, void *arg, uint64_t seed) {
    fuzz_watch(true);
    struct world *world = world_create(&(struct world_options){.seed = seed});
    world_check_leaks(world, true);
    struct world_node spec = {.name = "fuzz", .start = start, .arg = arg, .mute = true};
    unsigned node = world_add_node(world, &spec);
    world_start(world, node, 0);
    while (world_node_state(world, node) != NODE_EXITED)
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do");
    CHECK(world_exit_code(world, node) == 0);
    world_destroy(world);
    fuzz_watch(false);
}

/* Sends bytes in pieces, and throws away what comes. */
struct feeder {
    struct io_sock sock;
    struct io_op receive, send, close, later;
    struct bytes data;
    struct iovec piece;
    size_t piece_max;
    bool open, over;
    void (*closed)(struct io *io, struct feeder *feeder);
    void *ctx;
};

static inline void feeder_closed(struct io *io, struct io_op *op) {
    struct feeder *feeder = op->ctx;
    if (feeder->closed) feeder->closed(io, feeder);
}

static inline void feeder_close(struct io *io, struct feeder *feeder) {
    if (feeder->over) return;
    feeder->over = true;
    feeder->close = (struct io_op){.done = feeder_closed, .ctx = feeder};
    io_sock_close(io, &feeder->close, feeder->sock);
}

static inline void feeder_received(struct io *io, struct io_op *op) {
    if (op->result > 0) io_buf_done(io, op->buf);
    else feeder_close(io, op->ctx);
}

static inline void feeder_next(struct io *io, struct feeder *feeder) {
    if (feeder->over) return;
    if (feeder->data.len == 0) {
        io_shutdown(io, feeder->sock);
        return;
    }
    size_t len = feeder->data.len < feeder->piece_max ? feeder->data.len : feeder->piece_max;
    feeder->piece = (struct iovec){(void *)feeder->data.data, len};
    io_send(io, &feeder->send, feeder->sock, &feeder->piece, 1);
}

static inline void feeder_sent(struct io *io, struct io_op *op) {
    struct feeder *feeder = op->ctx;
    if (op->result < 0) return;          /* the receive ends too */
    feeder->data.data += op->result;
    feeder->data.len -= (size_t)op->result;
    feeder_next(io, feeder);
}

static inline void feeder_start(struct io *io, struct feeder *feeder, struct io_sock sock) {
    feeder->sock = sock;
    feeder->receive = (struct io_op){.done = feeder_received, .ctx = feeder};
    feeder->send = (struct io_op){.done = feeder_sent, .ctx = feeder};
    io_recv(io, &feeder->receive, sock);
    feeder_next(io, feeder);
}

/* ---- a server that is fed ---- */

struct fuzz_server {
    struct net_server *server;
    struct feeder feeder;
    struct io_op connect;
    struct buf input;
};

static inline void fuzz_cancelled(struct io *io, struct rpc_call *call) {
    rpc_fail(io, call, (struct status){STATUS_CANCELLED, "cancelled"});
}

/* By the length of the request: an echo, a failure with a detail, or an answer that only a cancel brings. */
static inline void fuzz_rpc(struct io *io, void *ctx, struct rpc_call *call) {
    switch (call->request.len % 3) {
    case 0: rpc_reply_bytes(io, call, call->request); break;
    case 1: rpc_fail(io, call, (struct status){STATUS_ABORTED, "f\xc3\xa4il", "a.B", bytes_str("detail")}); break;
    default: call->on_cancel = fuzz_cancelled;
    }
}

static inline void fuzz_http_reply(struct io *io, struct http_request *request) {
    char text[64];
    int len = snprintf(text, sizeof text, "%.10s %.30s %zu", request->method, request->query, request->body.len);
    http_reply(io, request, &(struct http_response){request->path[0] == '/' ? 200 : 404, NULL, bytes_of(text, (size_t)len)});
}

static inline void fuzz_http_timer(struct io *io, struct io_op *op) {
    fuzz_http_reply(io, op->ctx);
    mem_free(op);
}

/* By the length of the path: at once, a second later, or when it is cancelled. */
static inline void fuzz_http(struct io *io, void *ctx, struct http_request *request) {
    switch (strlen(request->path) % 4) {
    case 0: request->on_cancel = fuzz_http_reply; break;
    case 1: {
        struct io_op *op = MEM_NEW(struct io_op);
        *op = (struct io_op){.done = fuzz_http_timer, .ctx = request};
        io_timer(io, op, io_now(io) + 1000000000);
        break;
    }
    default: fuzz_http_reply(io, request);
    }
}

static inline bool fuzz_healthy(struct io *io, void *ctx, const char *name, bool *known) {
    *known = name[0] == 0;
    return true;
}

static inline void fuzz_drained(struct io *io, void *ctx) {
    struct fuzz_server *fuzz = ctx;
    net_server_destroy(fuzz->server);
    buf_free(&fuzz->input);
    io_exit(io, 0);
}

static inline void fuzz_closed(struct io *io, struct feeder *feeder) {
    struct fuzz_server *fuzz = feeder->ctx;
    net_server_drain(fuzz->server, fuzz_drained, fuzz);
}

static inline void fuzz_connected(struct io *io, struct io_op *op) {
    struct fuzz_server *fuzz = op->ctx;
    CHECK(op->result >= 0);
    feeder_start(io, &fuzz->feeder, op->sock);
}

/* A server, and a connection to it that sends `input`, which is copied. */
static inline void fuzz_serve(struct io *io, struct fuzz_server *fuzz, struct bytes head, struct bytes input,
                              size_t piece_max) {
    struct net_handlers handlers = {fuzz_rpc, fuzz_http, fuzz_healthy, fuzz};
    struct io_addr addr;
    CHECK(io_addr_parse("127.0.0.1:0", &addr));
    fuzz->server = net_server_create(io, NULL, &handlers);
    CHECK(net_server_listen(fuzz->server, &addr, false, NULL, &addr) == 0);
    buf_append_bytes(&fuzz->input, head);
    buf_append_bytes(&fuzz->input, input);
    struct bytes all = buf_bytes(&fuzz->input);
    fuzz->feeder = (struct feeder){.data = all, .piece_max = piece_max, .closed = fuzz_closed, .ctx = fuzz};
    fuzz->connect = (struct io_op){.done = fuzz_connected, .ctx = fuzz};
    io_connect(io, &fuzz->connect, &addr);
}

#endif
