/* server: listeners, limits and the drain. */
#include "net/server.h"

#include "base/mark.h"
#include "base/mem.h"
#include "net/connection.h"
#include "net/gzip.h"
#include "net/h2.h"
#include "net/tls_session.h"

static const int64_t accept_pause_ns = 100000000;       /* after accept failed: most likely no descriptors are left */

struct listener {
    struct net_server *server;
    struct list link;
    struct io_sock sock;
    struct tls_config *tls;
    struct io_op accept, close;
    struct deadline pause;
};

/* ---- beginning ------------------------------------------------------------------------------------------------- */

static struct net_limits with_defaults(struct net_limits given) {
    const int64_t second = INT64_C(1000000000);
#define DEFAULT(field, value) if (!given.field) given.field = (value)
    DEFAULT(connections_max, 20000);
    DEFAULT(streams_per_connection_max, 1000);
    DEFAULT(header_bytes_max, 32 * 1024);
    DEFAULT(request_bytes_max, 4 * 1024 * 1024 + 64 * 1024);
    DEFAULT(send_buffer_bytes_max, 16 * 1024 * 1024);
    DEFAULT(gzip_reply_bytes_min, 8 * 1024);
    DEFAULT(handshake_ns_max, 10 * second);
    DEFAULT(keepalive_ns, 60 * second);
    DEFAULT(keepalive_answer_ns, 20 * second);
    DEFAULT(http_reply_ns_max, 75 * second);
    DEFAULT(drain_ns_max, 10 * second);
#undef DEFAULT
    return given;
}

/* Sends what the batch of callbacks wrote, once for each connection. */
static void send_all(struct io *io, struct io_hook *hook) {
    struct net_server *server = CONTAINER_OF(hook, struct net_server, hook);
    for (struct list *node; (node = list_pop_front(&server->dirty));)
        connection_flush(LIST_ENTRY(node, struct connection, dirty));
}

static void drain_passed(struct deadline *deadline) {
    mark(MARK_DRAIN_CUT);
    struct net_server *server = CONTAINER_OF(deadline, struct net_server, drain);
    LIST_EACH(node, &server->connections) connection_close(LIST_ENTRY(node, struct connection, link));
}

struct net_server *net_server_create(struct io *io, const struct net_limits *limits,
                                     const struct net_handlers *handlers) {
    struct net_server *server = MEM_NEW(struct net_server);
    server->io = io;
    server->limits = with_defaults(limits ? *limits : (struct net_limits){0});
    server->handlers = *handlers;
    server->hook.run = send_all;
    server->drain.passed = drain_passed;
    list_init(&server->listeners);
    list_init(&server->connections);
    list_init(&server->dirty);
    deadlines_init(&server->deadlines, io);
    server->gzip = gzip_create();
    h2_server_init(server);
    return server;
}

struct net_stats net_server_stats(const struct net_server *server) {
    struct net_stats stats = server->stats;
    stats.bytes_in = server->pool.bytes_in;
    stats.bytes_out = server->pool.bytes_out;
    return stats;
}

/* ---- accepting ------------------------------------------------------------------------------------------------- */

static void refused_closed(struct io *io, struct io_op *op) {
    struct net_server *server = op->ctx;
    mem_free(op);
    server->stats.connections_open--;
    server_connection_closed(server);
}

static void refuse(struct net_server *server, struct io_sock sock) {
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = refused_closed;
    op->ctx = server;
    server->stats.refused++;
    server->stats.connections_open++;
    io_sock_close(server->io, op, sock);
}

static void accept_again(struct deadline *pause) {
    struct listener *listener = CONTAINER_OF(pause, struct listener, pause);
    io_accept(listener->server->io, &listener->accept, listener->sock);
}

static void accepted(struct io *io, struct io_op *op) {
    struct listener *listener = op->ctx;
    struct net_server *server = listener->server;
    if (op->result >= 0) {
        struct io_sock sock = op->sock;
        struct io_addr peer = op->peer;
        bool full = server->stats.connections_open >= server->limits.connections_max;
        struct tls_session *session = full || !listener->tls ? NULL : tls_session_create(listener->tls);
        if (full || server->draining || (listener->tls && !session)) refuse(server, sock);
        else connection_open(server, sock, &peer, session);
    }
    if (op->result < 0 && !server->draining) mark(MARK_ACCEPT_FAILED);
    if (!op->more && !server->draining)
        deadline_set(&server->deadlines, &listener->pause, io_now(io) + (op->result < 0 ? accept_pause_ns : 0));
}

int64_t net_server_listen(struct net_server *server, const struct io_addr *addr, bool shared, struct tls_config *tls,
                          struct io_addr *bound) {
    struct io_sock sock;
    int64_t result = io_listen(server->io, addr, shared, &sock, bound);
    if (result < 0) return result;
    struct listener *listener = MEM_NEW(struct listener);
    listener->server = server;
    listener->sock = sock;
    listener->tls = tls;
    listener->accept = (struct io_op){.done = accepted, .ctx = listener};
    listener->pause.passed = accept_again;
    list_push_back(&server->listeners, &listener->link);
    io_accept(server->io, &listener->accept, sock);
    return 0;
}

/* ---- the drain ------------------------------------------------------------------------------------------------- */

static void deadlines_stopped(struct deadlines *deadlines) {
    struct net_server *server = CONTAINER_OF(deadlines, struct net_server, deadlines);
    server->drained(server->io, server->drained_ctx);
}

/* When nothing is left: no listener, connection or call. */
static void drain_step(struct net_server *server) {
    if (!server->draining || server->stopped) return;
    if (!list_empty(&server->listeners) || server->stats.connections_open || server->stats.calls_open) return;
    server->stopped = true;
    mark(MARK_DRAINED);
    deadline_clear(&server->deadlines, &server->drain);
    deadlines_stop(&server->deadlines, deadlines_stopped);
}

void server_connection_closed(struct net_server *server) { drain_step(server); }
void server_call_freed(struct net_server *server) { drain_step(server); }

static void listener_closed(struct io *io, struct io_op *op) {
    struct listener *listener = op->ctx;
    struct net_server *server = listener->server;
    list_remove(&listener->link);
    mem_free(listener);
    drain_step(server);
}

void net_server_drain(struct net_server *server, void (*done)(struct io *io, void *ctx), void *ctx) {
    CHECK(!server->draining);
    server->draining = true;
    server->drained = done;
    server->drained_ctx = ctx;
    LIST_EACH(node, &server->listeners) {
        struct listener *listener = LIST_ENTRY(node, struct listener, link);
        deadline_clear(&server->deadlines, &listener->pause);
        listener->close = (struct io_op){.done = listener_closed, .ctx = listener};
        io_sock_close(server->io, &listener->close, listener->sock);
    }
    LIST_EACH(node, &server->connections) connection_goaway(LIST_ENTRY(node, struct connection, link));
    deadline_set(&server->deadlines, &server->drain, io_now(server->io) + server->limits.drain_ns_max);
    drain_step(server);
}

void net_server_destroy(struct net_server *server) {
    CHECK(server->stopped);
    wire_pool_free(&server->pool);
    arena_pool_free(&server->arenas);
    gzip_destroy(server->gzip);
    nghttp2_session_callbacks_del(server->h2_callbacks);
    nghttp2_option_del(server->h2_option);
    h2_memory_destroy(server->h2_memory);
    list_remove(&server->hook.link);
    mem_free(server);
}
