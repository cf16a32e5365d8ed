/* net_peer: a server to be tried, and those who try it. */
#include "net_peer.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/mem.h"

void nap(struct io *io, int64_t ms) { fiber_sleep_until(io, io_now(io) + ms * MILLISECOND); }

/* ---- the server ------------------------------------------------------------------------------------------------ */

static void hang_cancelled(struct io *io, struct rpc_call *call) {
    struct bench *bench = call->service;
    bench->cancels++;
    if (bench->hanging == call) bench->hanging = NULL;
    rpc_fail(io, call, (struct status){STATUS_CANCELLED, "never seen"});
}

struct slow {
    struct io_op op;
    struct rpc_call *call;
};

static void slow_done(struct io *io, struct io_op *op) {
    struct slow *slow = op->ctx;
    rpc_reply_bytes(io, slow->call, slow->call->request);
    mem_free(slow);
}

static void reply_slowly(struct io *io, struct rpc_call *call) {
    struct slow *slow = MEM_NEW(struct slow);
    slow->call = call;
    slow->op = (struct io_op){.done = slow_done, .ctx = slow};
    io_timer(io, &slow->op, io_now(io) + 1000 * MILLISECOND);
}

static void reply_big(struct io *io, struct rpc_call *call) {
    size_t len = (size_t)atoi(arena_text(&call->arena, call->request)) << 20;
    rpc_reply_bytes(io, call, bytes_of(arena_alloc(&call->arena, len), len));
}

static void on_rpc(struct io *io, void *ctx, struct rpc_call *call) {
    struct bench *bench = ctx;
    bench->calls++;
    call->service = bench;
    struct bytes metadata = rpc_metadata(call, "x-bin");
    if (metadata.len) bench->last_metadata = bytes_of("yes", bytes_equal(metadata, bytes_str("binary")) ? 3 : 0);
    if (strcmp(call->path, "/test/Echo") == 0) rpc_reply_bytes(io, call, call->request);
    else if (strcmp(call->path, "/test/Big") == 0) reply_big(io, call);
    else if (strcmp(call->path, "/test/Slow") == 0) reply_slowly(io, call);
    else if (strcmp(call->path, "/test/Hang") == 0) {
        call->on_cancel = hang_cancelled;
        bench->hanging = call;
    } else if (strcmp(call->path, "/test/Fail") == 0) {
        rpc_add_header(call, "X-Cause", "test");
        struct bytes detail = bytes_str("\x01\x02");
        rpc_fail(io, call, (struct status){STATUS_NOT_FOUND, "no 100% \xc3\xa9\n", "a.b.Detail", detail});
    } else rpc_fail(io, call, status_make(&call->arena, STATUS_UNIMPLEMENTED, "unknown %s", call->path));
}

static void http_answer(struct io *io, struct http_request *request) {
    const char *text = arena_printf(request->arena, "%s %s %zu\n", request->method, request->query, request->body.len);
    http_reply(io, request, &(struct http_response){200, "text/plain", bytes_str(text)});
}

static void http_cancelled(struct io *io, struct http_request *request) {
    struct bench *bench = request->service;
    bench->cancels++;
    CHECK(request->cancelled);
    if (strcmp(request->path, "/hang") == 0) http_answer(io, request);
}

static void http_later(struct io *io, struct io_op *op) {
    http_answer(io, op->ctx);
    mem_free(op);
}

static void on_http(struct io *io, void *ctx, struct http_request *request) {
    request->service = ctx;
    request->on_cancel = http_cancelled;
    if (strcmp(request->path, "/health") == 0) {
        http_answer(io, request);
    } else if (strcmp(request->path, "/later") == 0) {
        struct io_op *op = MEM_NEW(struct io_op);
        *op = (struct io_op){.done = http_later, .ctx = request};
        io_timer(io, op, io_now(io) + 1000 * MILLISECOND);
    } else if (strcmp(request->path, "/hang") != 0) {
        http_reply(io, request, &(struct http_response){.status = 404});
    }
}

static bool on_healthy(struct io *io, void *ctx, const char *name, bool *known) {
    *known = name[0] == 0 || strcmp(name, "test") == 0;
    return true;
}

void bench_open(struct bench *bench, struct io *io, const struct net_limits *limits) {
    *bench = (struct bench){.io = io};
    struct net_handlers handlers = {on_rpc, on_http, on_healthy, bench};
    struct io_addr any;
    CHECK(io_addr_parse("127.0.0.1:0", &any));
    bench->server = net_server_create(io, limits, &handlers);
    CHECK(net_server_listen(bench->server, &any, false, NULL, &bench->addr) == 0);
}

static void drained(struct io *io, void *ctx) {
    struct bench *bench = ctx;
    bench->drained = true;
    fiber_wake(io, bench->fiber);
}

void bench_close(struct bench *bench) {
    bench->fiber = fiber_current(bench->io);
    net_server_drain(bench->server, drained, bench);
    while (!bench->drained) fiber_park(bench->io);
    struct net_stats stats = net_server_stats(bench->server);
    CHECK(stats.connections_open == 0 && stats.calls_open == 0);
    net_server_destroy(bench->server);
}

enum status_code bench_call(struct bench *bench, const char *path, struct bytes request, struct buf *reply) {
    struct io *io = bench->io;
    struct grpc_client *client = grpc_client_create(io, &bench->addr, NULL);
    struct outcome outcome = {0};
    grpc_call(client, path, request, io_now(io) + 60000 * (int64_t)MILLISECOND, outcome_take, &outcome);
    outcome_wait(io, &outcome);
    enum status_code code = outcome.status.code;
    if (reply) buf_append_bytes(reply, buf_bytes(&outcome.message));
    outcome_free(&outcome);
    client_close_wait(io, client);
    return code;
}

void bench_check(struct bench *bench) {
    struct buf reply = {0};
    CHECK(bench_call(bench, "/test/Echo", bytes_str("alive"), &reply) == STATUS_OK);
    CHECK(bytes_equal(buf_bytes(&reply), bytes_str("alive")));
    buf_free(&reply);
}

/* ---- a client -------------------------------------------------------------------------------------------------- */

void outcome_take(struct io *io, void *ctx, struct grpc_result *result) {
    struct outcome *outcome = ctx;
    CHECK(!outcome->done);
    outcome->done = true;
    outcome->status = result->status;
    outcome->status.message = arena_strdup(&outcome->arena, result->status.message);
    outcome->status.detail_type = arena_strdup(&outcome->arena, result->status.detail_type);
    struct bytes detail = result->status.detail;
    outcome->status.detail = bytes_of(arena_copy(&outcome->arena, detail.data, detail.len), detail.len);
    buf_append_bytes(&outcome->message, result->message);
    if (outcome->waiter) fiber_wake(io, outcome->waiter);
}

void outcome_wait(struct io *io, struct outcome *outcome) {
    outcome->waiter = fiber_current(io);
    while (!outcome->done) fiber_park(io);
}

void outcome_free(struct outcome *outcome) {
    buf_free(&outcome->message);
    arena_free(&outcome->arena);
}

struct closing {
    struct fiber *fiber;
    bool done;
};

void client_closed(struct io *io, void *ctx) {
    struct closing *closing = ctx;
    closing->done = true;
    fiber_wake(io, closing->fiber);
}

void client_close_wait(struct io *io, struct grpc_client *client) {
    struct closing closing = {fiber_current(io), false};
    grpc_client_close(client, client_closed, &closing);
    while (!closing.done) fiber_park(io);
}

/* ---- a peer ---------------------------------------------------------------------------------------------------- */

static void peer_received(struct io *io, struct io_op *op) {
    struct peer *peer = op->ctx;
    if (op->result > 0) {
        buf_append(&peer->in, op->buf.data, (size_t)op->result);
        io_buf_done(io, op->buf);
    } else {
        peer->ended = true;
        if (peer->waiter) fiber_wake(io, peer->waiter);
    }
}

void peer_open(struct peer *peer, struct bench *bench) {
    bool deaf = peer->deaf;
    *peer = (struct peer){.io = bench->io, .deaf = deaf};
    CHECK(fiber_connect(bench->io, &bench->addr, &peer->sock) == 0);
    peer->receive = (struct io_op){.done = peer_received, .ctx = peer};
    if (!deaf) io_recv(bench->io, &peer->receive, peer->sock);
}

bool peer_send(struct peer *peer, const void *data, size_t len) {
    return !peer->ended && fiber_send_all(peer->io, peer->sock, data, len) == 0;
}

bool peer_text(struct peer *peer, const char *text) { return peer_send(peer, text, strlen(text)); }

bool peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len) {
    struct buf frame = {0};
    uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags, (uint8_t)(stream >> 24),
                       (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    buf_append(&frame, head, sizeof head);
    buf_append(&frame, payload, len);
    bool sent = peer_send(peer, frame.data, frame.len);
    buf_free(&frame);
    return sent;
}

void peer_greet(struct peer *peer) {
    peer_text(peer, NGHTTP2_CLIENT_MAGIC);
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* Lengths below 127 only. */
void hpack_literal(struct buf *block, const char *name, const char *value) {
    buf_append_u8(block, 0);
    buf_append_u8(block, (uint8_t)strlen(name));
    buf_append_str(block, name);
    buf_append_u8(block, (uint8_t)strlen(value));
    buf_append_str(block, value);
}

bool peer_request(struct peer *peer, uint32_t stream, const char *path, struct bytes more, bool end) {
    struct buf block = {0};
    hpack_literal(&block, ":method", "POST");
    hpack_literal(&block, ":scheme", "http");
    hpack_literal(&block, ":path", path);
    hpack_literal(&block, ":authority", "test");
    hpack_literal(&block, "content-type", "application/grpc");
    buf_append_bytes(&block, more);
    uint8_t flags = NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0);
    bool sent = peer_frame(peer, NGHTTP2_HEADERS, flags, stream, block.data, block.len);
    buf_free(&block);
    return sent;
}

bool peer_wait_end(struct peer *peer, int64_t ms) {
    int64_t until = io_now(peer->io) + ms * MILLISECOND;
    while (!peer->ended && io_now(peer->io) < until) nap(peer->io, 10);
    return peer->ended;
}

void peer_close(struct peer *peer) {
    fiber_sock_close(peer->io, peer->sock);
    buf_free(&peer->in);
}

static uint32_t big_endian(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

bool peer_find(const struct peer *peer, uint8_t type, uint32_t stream, unsigned skip, struct bytes *payload) {
    struct bytes left = buf_bytes(&peer->in);
    while (left.len >= 9) {
        size_t len = big_endian(left.data) >> 8;
        uint32_t on = big_endian(left.data + 5);
        if (left.len < 9 + len) return false;
        if (left.data[3] == type && on == stream && skip-- == 0) {
            *payload = bytes_of(left.data + 9, len);
            return true;
        }
        left = bytes_of(left.data + 9 + len, left.len - 9 - len);
    }
    return false;
}

int64_t peer_goaway(const struct peer *peer) {
    struct bytes payload;
    if (!peer_find(peer, NGHTTP2_GOAWAY, 0, 0, &payload) || payload.len < 8) return -1;
    return big_endian(payload.data + 4);
}

bool peer_has(const struct peer *peer, const char *text) {
    return !text[0] || (peer->in.len && memmem(peer->in.data, peer->in.len, text, strlen(text)) != NULL);
}
