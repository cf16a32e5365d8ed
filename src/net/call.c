/* call: the life of a call: its beginning, its service, its end. request.c gathers what it asks. */
#include "net/call.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/pbpack.h"
#include "base/plant.h"
#include "net/gzip.h"
#include "net/tls_session.h"

static const int64_t linger_ns = INT64_C(2000000000);

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

static void release(struct net_call *call) {
    if (call->connection || call->with_service) return;
    struct net_server *server = call->server;
    buf_free(&call->body);
    buf_free(&call->queue);
    struct arena arena = call->rpc.arena;
    arena_free(&arena);                  /* the call is in it */
    server->stats.calls_open--;
    server_call_freed(server);
}

static void cancel(struct net_call *call) {
    if (!call->with_service || call->rpc.cancelled) return;
    call->rpc.cancelled = true;
    if (call->rpc.on_cancel) call->rpc.on_cancel(call->server->io, &call->rpc);
}

void net_call_uncharge(struct net_call *call) {
    call->server->request_bytes -= call->charged;
    if (call->connection) call->connection->request_bytes -= call->charged;
    call->charged = 0;
}

void net_call_stream_closed(struct net_call *call) {
    struct connection *c = call->connection;
    net_call_uncharge(call);
    c->reply_bytes -= call->reply.len;
    deadline_clear(&call->server->deadlines, &call->deadline);
    list_remove(&call->link);
    if (--c->call_count == 0) c->idle_at = io_now(call->server->io);
    cancel(call);                        /* the service may end it at once, and must not free it then */
    call->connection = NULL;
    release(call);
}

void net_call_reset(struct net_call *call, uint32_t code) {
    nghttp2_submit_rst_stream(call->connection->h2, NGHTTP2_FLAG_NONE, call->stream_id, code);
    connection_touch(call->connection);
}

void net_call_linger(struct net_call *call) {
    call->lingers = true;
    deadline_set(&call->server->deadlines, &call->deadline, io_now(call->server->io) + linger_ns);
}

static const struct status too_late = {STATUS_DEADLINE_EXCEEDED, "context deadline exceeded"};
static const struct status too_slow = {STATUS_DEADLINE_EXCEEDED, "the request did not arrive in time"};
static const struct status cut_short = {STATUS_INTERNAL, "grpc: the request ended before its message: unexpected EOF"};

static void deadline_passed(struct deadline *deadline) {
    struct net_call *call = CONTAINER_OF(deadline, struct net_call, deadline);
    bool whole = call->with_service || call->on_message;
    if (call->lingers) {
        net_call_reset(call, NGHTTP2_NO_ERROR);
    } else if (call->rpc.deadline > io_now(call->server->io)) {
        if (!whole) net_call_refuse(call, 200, too_slow);
    } else if (!call->replied || call->reply_open) {
        cancel(call);
        net_call_refuse(call, 200, too_late);
    } else {                             /* its reply is under way, and nobody waits for it */
        net_call_reset(call, NGHTTP2_CANCEL);
    }
}

static void note_peer(struct net_call *call, const struct tls_session *tls) {
    struct arena *arena = &call->rpc.arena;
    call->rpc.peer = (struct rpc_peer){.addr = call->connection->peer, .tls = tls != NULL};
    if (!tls) return;
    call->rpc.peer.certificate_subject = arena_strdup(arena, tls_session_peer_subject(tls));
    call->rpc.peer.certificate_names = arena_strdup(arena, tls_session_peer_names(tls));
}

struct net_call *net_call_create(struct connection *c, int32_t stream_id) {
    struct arena arena;
    arena_begin_pooled(&arena, &c->server->arenas);
    struct net_call *call = ARENA_NEW(&arena, struct net_call);
    call->rpc.arena = arena;
    call->server = c->server;
    call->connection = c;
    call->stream_id = stream_id;
    call->timeout_ns = INT64_MAX;
    call->deadline.passed = deadline_passed;
    call->rpc.loop = io_loop_index(c->server->io);
    call->rpc.received_at = io_now(c->server->io);
    call->rpc.deadline = INT64_MAX;
    note_peer(call, c->wire.tls);
    call->method = call->rpc.path = "";
    list_push_back(&c->calls, &call->link);
    c->call_count++;
    c->server->stats.calls_open++;
    c->server->stats.calls_total++;
    return call;
}

/* ---- dispatch -------------------------------------------------------------------------------------------------- */

static void dispatch_rpc(struct net_call *call) {
    if (call->rpc.deadline <= io_now(call->server->io)) {
        net_call_refuse(call, 200, too_late);
        return;
    }
    deadline_set(&call->server->deadlines, &call->deadline, call->rpc.deadline);
    if (net_call_is_internal(call)) {
        net_call_internal(call);
        return;
    }
    call->with_service = true;
    call->server->handlers.rpc(call->server->io, call->server->handlers.ctx, &call->rpc);
}

void net_call_request_ended(struct net_call *call) {
    call->request_ended = true;
    if (call->replied && !call->reply_open) return;
    net_call_uncharge(call);
    if (call->is_plain) net_call_plain(call);
    else if (call->on_message && call->prefix_len == 0) net_call_stream_end(call, STATUS_GOOD);
    else if (!call->has_message || call->prefix_len) net_call_refuse(call, 200, cut_short);
    else dispatch_rpc(call);
}

/* ---- the service's side ---------------------------------------------------------------------------------------- */

void rpc_add_header(struct rpc_call *rpc, const char *name, const char *value) {
    struct net_call *call = (struct net_call *)rpc;
    struct header *header = ARENA_NEW(&rpc->arena, struct header);
    char *lower = arena_strdup(&rpc->arena, name), *clean = arena_strdup(&rpc->arena, value);
    for (char *c = lower; *c; c++) if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 0x20);
    for (char *c = clean; *c; c++) if (*c < 0x20 || *c > 0x7e) *c = '?';
    header->name = bytes_str(lower);
    header->value = bytes_str(clean);
    header->next = call->reply_headers;
    call->reply_headers = header;
}

bool net_call_take_back(struct io *io, struct net_call *call) {
    CHECK(call->with_service);
    CHECK(io_loop_index(io) == call->rpc.loop);
    call->with_service = false;
    if (PLANT(io, REPLY_LOST_WHEN_BUSY) && call->connection && call->connection->wire.send.busy) return false;
    if (call->connection && !call->replied && !call->rpc.cancelled) return true;
    release(call);
    return false;
}

static bool worth_gzip(const struct net_call *call, size_t len) {
    return call->gzip_request && call->gzip_accepted && len >= call->server->limits.gzip_reply_bytes_min;
}

/* `framed` has room for the prefix before the message. */
static void send_message(struct net_call *call, uint8_t *framed, size_t message_len) {
    struct bytes packed;
    bool compressed = worth_gzip(call, message_len) &&
                      gzip_deflate(call->server->gzip, &call->rpc.arena,
                                   bytes_of(framed + GRPC_PREFIX_LEN, message_len), GRPC_PREFIX_LEN, &packed);
    if (!compressed) packed = bytes_of(framed, GRPC_PREFIX_LEN + message_len);
    grpc_prefix_store((uint8_t *)packed.data, compressed, (uint32_t)(packed.len - GRPC_PREFIX_LEN));
    reply_message(call, packed, compressed);
}

void rpc_reply(struct io *io, struct rpc_call *rpc, const ProtobufCMessage *message) {
    struct net_call *call = (struct net_call *)rpc;
    if (!net_call_take_back(io, call)) return;
    struct bytes framed = pbpack_behind(&rpc->arena, GRPC_PREFIX_LEN, message);
    send_message(call, (uint8_t *)(uintptr_t)framed.data, framed.len - GRPC_PREFIX_LEN);
}

void rpc_reply_bytes(struct io *io, struct rpc_call *rpc, struct bytes message) {
    struct net_call *call = (struct net_call *)rpc;
    if (!net_call_take_back(io, call)) return;
    uint8_t *framed = arena_alloc(&rpc->arena, GRPC_PREFIX_LEN + message.len);
    if (message.len) memcpy(framed + GRPC_PREFIX_LEN, message.data, message.len);
    send_message(call, framed, message.len);
}

void rpc_fail(struct io *io, struct rpc_call *rpc, struct status status) {
    struct net_call *call = (struct net_call *)rpc;
    if (!net_call_take_back(io, call)) return;
    if (status_ok(status)) status = (struct status){STATUS_INTERNAL, "a failure without a code"};
    reply_status(call, 200, status);
}

void net_call_refuse(struct net_call *call, unsigned http_status, struct status status) {
    if (call->replied && !call->reply_open) return;
    net_call_uncharge(call);
    deadline_clear(&call->server->deadlines, &call->deadline);
    if (!call->with_service) buf_free(&call->body);   /* a cancelled service may still read its request */
    if (call->on_message && call->reply_open) net_call_stream_end(call, status);
    else if (call->is_plain) net_call_plain_refuse(call, http_status, status);
    else reply_status(call, http_status, status);
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

static void stream_refresh(struct net_call *call) {
    if (!call->replied) {
        call->reply_open = true;
        reply_message(call, buf_bytes(&call->queue), false);
    } else {
        nghttp2_session_resume_data(call->connection->h2, call->stream_id);
    }
    connection_touch(call->connection);
}

void net_call_stream_send(struct net_call *call, const ProtobufCMessage *message) {
    if (!call->connection || (call->replied && !call->reply_open)) return;
    uint8_t prefix[GRPC_PREFIX_LEN] = {0};
    buf_consume(&call->queue, call->queue.len - call->reply.len);
    buf_append(&call->queue, prefix, sizeof prefix);
    size_t begin = call->queue.len;
    pbpack_append(&call->queue, message);
    grpc_prefix_store(call->queue.data + begin - sizeof prefix, false, (uint32_t)(call->queue.len - begin));
    if (call->replied) {
        call->connection->reply_bytes += call->queue.len - call->reply.len;
        call->reply = buf_bytes(&call->queue);
    }
    stream_refresh(call);
}

void net_call_stream_end(struct net_call *call, struct status status) {
    if (!call->connection || (call->replied && !call->reply_open)) return;
    if (!call->replied) {
        reply_status(call, 200, status);
        return;
    }
    call->reply_open = false;
    call->status = status;
    stream_refresh(call);
}
