/* call: gathers a request, hands it to its service, and ends it. */
#include "net/call.h"

#include <stdio.h>

#include "base/mem.h"
#include "net/gzip.h"
#include "net/tls_session.h"

enum {
    HEADERS_MAX = 256,
    REQUEST_RESERVE_BYTES = 64 * 1024,   /* taken on a peer's word; more only as bytes arrive */
    CONNECTION_REQUEST_BYTES_MAX = 32 * 1024 * 1024,
    SERVER_REQUEST_BYTES_MAX = 256 * 1024 * 1024,
};
static const int64_t request_ns_max = INT64_C(60000000000);   /* for a request to arrive whole */

static bool bytes_are(struct bytes bytes, const char *text) { return bytes_equal(bytes, bytes_str(text)); }

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

static void release(struct call *call) {
    if (call->connection || call->with_service) return;
    struct net_server *server = call->server;
    buf_free(&call->body);
    buf_free(&call->queue);
    struct arena arena = call->rpc.arena;
    arena_free(&arena);                  /* the call is in it */
    server->stats.calls_open--;
    server_call_freed(server);
}

static void cancel(struct call *call) {
    if (!call->with_service || call->rpc.cancelled) return;
    call->rpc.cancelled = true;
    if (call->rpc.on_cancel) call->rpc.on_cancel(call->server->io, &call->rpc);
}

static void uncharge(struct call *call) {
    call->server->request_bytes -= call->charged;
    if (call->connection) call->connection->request_bytes -= call->charged;
    call->charged = 0;
}

void call_stream_closed(struct call *call) {
    struct connection *c = call->connection;
    uncharge(call);
    c->reply_bytes -= call->reply.len;
    deadline_clear(&call->server->deadlines, &call->deadline);
    list_remove(&call->link);
    if (--c->call_count == 0) c->idle_at = io_now(call->server->io);
    cancel(call);                        /* the service may end it at once, and must not free it then */
    call->connection = NULL;
    release(call);
}

static void deadline_passed(struct deadline *deadline) {
    struct call *call = CONTAINER_OF(deadline, struct call, deadline);
    bool whole = call->with_service || call->on_message;
    if (call->rpc.deadline > io_now(call->server->io)) {
        if (!whole) call_refuse(call, 200, (struct status){STATUS_DEADLINE_EXCEEDED, "the request did not arrive in time"});
    } else if (!call->replied || call->reply_open) {
        cancel(call);
        call_refuse(call, 200, (struct status){STATUS_DEADLINE_EXCEEDED, "context deadline exceeded"});
    } else {                             /* its reply is under way, and nobody waits for it */
        nghttp2_submit_rst_stream(call->connection->h2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    }
    connection_touch(call->connection);
}

static void note_peer(struct call *call, const struct tls_session *tls) {
    struct arena *arena = &call->rpc.arena;
    call->rpc.peer = (struct rpc_peer){.addr = call->connection->peer, .tls = tls != NULL};
    if (!tls) return;
    call->rpc.peer.certificate_subject = arena_strdup(arena, tls_session_peer_subject(tls));
    call->rpc.peer.certificate_names = arena_strdup(arena, tls_session_peer_names(tls));
}

struct call *call_create(struct connection *c, int32_t stream_id) {
    struct arena arena = {0};
    struct call *call = ARENA_NEW(&arena, struct call);
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

/* ---- headers --------------------------------------------------------------------------------------------------- */

static void pseudo_header(struct call *call, struct bytes name, struct bytes value) {
    if (bytes_are(name, ":path")) {
        call->rpc.path = arena_text(&call->rpc.arena, value);
    } else if (bytes_are(name, ":method")) {
        call->is_post = bytes_are(value, "POST");
        call->method = call->is_post ? "POST" : arena_text(&call->rpc.arena, value);
    }
}

static bool list_has(struct bytes list, const char *word) {
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= list.len; i++) {
        bool begins = i == 0 || list.data[i - 1] == ',' || list.data[i - 1] == ' ';
        bool ends = i + len == list.len || strchr(", ;", list.data[i + len]);
        if (begins && ends && memcmp(list.data + i, word, len) == 0) return true;
    }
    return false;
}

static void transport_header(struct call *call, struct bytes name, struct bytes value) {
    if (bytes_are(name, "content-type")) {
        call->is_grpc = grpc_content_type(value);
        call->content_type = value;
    } else if (bytes_are(name, "grpc-timeout")) {
        call->timeout_ns = grpc_timeout_parse(value);
        call->timeout_malformed = call->timeout_ns < 0;
    } else if (bytes_are(name, "grpc-encoding")) {
        call->encoding = value;
        call->gzip_request = bytes_are(value, "gzip");
        call->encoding_unknown = !call->gzip_request && !bytes_are(value, "identity");
    } else if (bytes_are(name, "grpc-accept-encoding")) {
        call->gzip_accepted = list_has(value, "gzip");
    }
}

void call_header(struct call *call, struct bytes name, struct bytes value) {
    call->header_bytes += (uint32_t)(name.len + value.len + 32);
    call->header_count++;
    if (call->header_bytes > call->server->limits.header_bytes_max || call->header_count > HEADERS_MAX)
        call->headers_too_large = true;
    if (call->headers_too_large) return;
    if (name.len && name.data[0] == ':') {
        pseudo_header(call, name, value);
        return;
    }
    struct arena *arena = &call->rpc.arena;
    struct header *header = arena_alloc(arena, sizeof *header + name.len + value.len);
    uint8_t *text = (uint8_t *)(header + 1);
    memcpy(text, name.data, name.len);
    if (value.len) memcpy(text + name.len, value.data, value.len);
    header->name = bytes_of(text, name.len);
    bool binary = name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
    if (!binary || !grpc_base64_decode(arena, value, &header->value))
        header->value = bytes_of(text + name.len, value.len);
    if (call->headers_last) call->headers_last->next = header;
    else call->headers = header;
    call->headers_last = header;
    transport_header(call, header->name, header->value);
}

struct bytes rpc_metadata(const struct rpc_call *rpc, const char *name) {
    const struct call *call = (const struct call *)rpc;
    for (const struct header *header = call->headers; header; header = header->next)
        if (bytes_are(header->name, name)) return header->value;
    return (struct bytes){0};
}

/* ---- checks, in the order and words of grpc-go ----------------------------------------------------------------- */

static bool path_is_method(const char *path) {
    return path[0] == '/' && strchr(path + 1, '/') != NULL;
}

/* Answers and gives true when the headers alone tell that this cannot be served. */
static bool refuse_by_headers(struct call *call) {
    struct arena *arena = &call->rpc.arena;
    if (call->headers_too_large) {
        call_refuse(call, 200, status_make(arena, STATUS_RESOURCE_EXHAUSTED, "request headers are larger than %u bytes "
                                           "or more than %d", call->server->limits.header_bytes_max, HEADERS_MAX));
    } else if (call->is_plain) {
        return false;
    } else if (!call->is_grpc) {
        call_refuse(call, 415, status_make(arena, STATUS_INVALID_ARGUMENT, "invalid gRPC request content-type \"%.*s\"",
                                           (int)call->content_type.len, (const char *)call->content_type.data));
    } else if (call->timeout_malformed) {
        call_refuse(call, 400, status_make(arena, STATUS_INTERNAL, "malformed grpc-timeout"));
    } else if (!call->is_post) {
        call_refuse(call, 405, status_make(arena, STATUS_INTERNAL, "the :method is %s, which should be POST",
                                           call->method));
    } else if (!path_is_method(call->rpc.path)) {
        call_refuse(call, 200, status_make(arena, STATUS_UNIMPLEMENTED, "malformed method name: \"%s\"", call->rpc.path));
    } else if (call->encoding_unknown) {
        rpc_add_header(&call->rpc, "grpc-accept-encoding", "gzip");
        call_refuse(call, 200, status_make(arena, STATUS_UNIMPLEMENTED, "grpc: Decompressor is not installed for "
                                           "grpc-encoding \"%.*s\"", (int)call->encoding.len, call->encoding.data));
    } else {
        return false;
    }
    return true;
}

void call_begin(struct call *call) {
    call->is_plain = !call->is_grpc && call->server->handlers.http;
    if (refuse_by_headers(call)) return;
    int64_t now = call->rpc.received_at;
    if (call->timeout_ns < INT64_MAX - now) call->rpc.deadline = now + call->timeout_ns;
    if (!call->is_plain) call_is_internal(call);
    int64_t arrival = call->on_message ? INT64_MAX : now + request_ns_max;
    deadline_set(&call->server->deadlines, &call->deadline, arrival < call->rpc.deadline ? arrival : call->rpc.deadline);
}

/* ---- the request's bytes --------------------------------------------------------------------------------------- */

/* Counts memory for requests that are not whole, which a peer could ask for without end. */
static bool charge(struct call *call, size_t count) {
    call->charged += count;
    call->connection->request_bytes += count;
    call->server->request_bytes += count;
    if (call->connection->request_bytes <= CONNECTION_REQUEST_BYTES_MAX &&
        call->server->request_bytes <= SERVER_REQUEST_BYTES_MAX) return true;
    call_refuse(call, 200, (struct status){STATUS_RESOURCE_EXHAUSTED, "too many requests are arriving at once"});
    return false;
}

static bool check_prefix(struct call *call) {
    struct arena *arena = &call->rpc.arena;
    uint32_t most = call->server->limits.request_bytes_max;
    call->message_len = grpc_prefix_len(call->prefix);
    if (call->has_message && !call->on_message) {
        call_refuse(call, 200, (struct status){STATUS_INTERNAL, "grpc: more than one request message in a unary call"});
    } else if (call->prefix[0] > 1) {
        call_refuse(call, 200, status_make(arena, STATUS_INTERNAL, "grpc: received unexpected payload format %u",
                                           call->prefix[0]));
    } else if (call->prefix[0] == 1 && !call->gzip_request) {
        call_refuse(call, 200, (struct status){STATUS_INTERNAL,
                                               "grpc: compressed flag set with identity or empty encoding"});
    } else if (call->message_len > most) {
        call_refuse(call, 200, status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                                           "grpc: received message larger than max (%u vs. %u)", call->message_len, most));
    } else {
        size_t reserve = call->message_len < REQUEST_RESERVE_BYTES ? call->message_len : REQUEST_RESERVE_BYTES;
        buf_clear(&call->body);
        buf_reserve(&call->body, reserve);
        return charge(call, reserve);
    }
    return false;
}

static bool inflate_message(struct call *call, struct bytes *message) {
    struct arena *arena = &call->rpc.arena;
    uint32_t most = call->server->limits.request_bytes_max;
    if (call->prefix[0] == 0) return true;
    switch (gzip_inflate(call->server->gzip, arena, *message, most, message)) {
    case GZIP_OK: return true;
    case GZIP_TOO_LARGE:
        call_refuse(call, 200, status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                                           "grpc: received message larger than max after decompression (%u)", most));
        return false;
    case GZIP_MALFORMED: break;
    }
    call_refuse(call, 200, (struct status){STATUS_INTERNAL, "grpc: failed to decompress the received message"});
    return false;
}

static void message_arrived(struct call *call) {
    struct bytes message = buf_bytes(&call->body);
    call->prefix_len = 0;
    call->has_message = true;
    if (!inflate_message(call, &message)) return;
    if (call->on_message) call->on_message(call, message);
    else call->rpc.request = message;
    if (call->on_message || call->prefix[0]) {
        uncharge(call);
        buf_free(&call->body);
    }
}

/* Takes what it can of `data` for the present message; false when the call was refused. */
static bool take(struct call *call, struct bytes *data) {
    while (call->prefix_len < GRPC_PREFIX_LEN && data->len) {
        call->prefix[call->prefix_len++] = *data->data++;
        data->len--;
        if (call->prefix_len == GRPC_PREFIX_LEN && !check_prefix(call)) return false;
    }
    if (call->prefix_len < GRPC_PREFIX_LEN) return true;
    size_t missing = call->message_len - call->body.len, count = data->len < missing ? data->len : missing;
    size_t before = call->body.cap;
    buf_append(&call->body, data->data, count);
    if (call->body.cap > before && before && !charge(call, call->body.cap - before)) return false;
    data->data += count;
    data->len -= count;
    if (count == missing) message_arrived(call);
    return !call->replied || call->reply_open;
}

static void take_plain(struct call *call, struct bytes data) {
    if (call->body.len + data.len > call->server->limits.request_bytes_max) {
        call_refuse(call, 413, (struct status){STATUS_RESOURCE_EXHAUSTED, "the request body is too large"});
    } else if (charge(call, data.len)) {
        buf_append_bytes(&call->body, data);
    }
}

void call_data(struct call *call, struct bytes data) {
    if (call->replied && !call->reply_open) return;
    if (call->is_plain) take_plain(call, data);
    else while (data.len && take(call, &data)) {}
}

/* ---- dispatch -------------------------------------------------------------------------------------------------- */

static void dispatch_plain(struct call *call) {
    struct http_request request = {.method = call->method, .query = "", .body = buf_bytes(&call->body),
                                   .arena = &call->rpc.arena};
    char *path = arena_strdup(&call->rpc.arena, call->rpc.path), *query = strchr(path, '?');
    if (query) {
        *query = 0;
        request.query = query + 1;
    }
    request.path = path;
    struct http_response response = {.status = 404};
    call->server->handlers.http(call->server->io, call->server->handlers.ctx, &request, &response);
    if (response.status == 404 && call->is_post) {   /* more likely a gRPC client with a wrong content type */
        call->is_plain = false;
        refuse_by_headers(call);
    } else {
        reply_http(call, &response);
    }
    buf_free(&response.body);
}

static void dispatch_rpc(struct call *call) {
    deadline_set(&call->server->deadlines, &call->deadline, call->rpc.deadline);
    if (call->rpc.deadline <= io_now(call->server->io)) {
        call_refuse(call, 200, (struct status){STATUS_DEADLINE_EXCEEDED, "context deadline exceeded"});
        return;
    }
    if (call_is_internal(call)) {
        call_internal(call);
        return;
    }
    call->with_service = true;
    call->server->handlers.rpc(call->server->io, call->server->handlers.ctx, &call->rpc);
}

void call_request_ended(struct call *call) {
    call->request_ended = true;
    if (call->replied && !call->reply_open) return;
    uncharge(call);
    if (call->is_plain) dispatch_plain(call);
    else if (call->on_message && call->prefix_len == 0) call_stream_end(call, STATUS_GOOD);
    else if (!call->has_message || call->prefix_len)
        call_refuse(call, 200, (struct status){STATUS_INTERNAL, "grpc: the request ended before its message: unexpected EOF"});
    else dispatch_rpc(call);
}

/* ---- the service's side ---------------------------------------------------------------------------------------- */

void rpc_add_header(struct rpc_call *rpc, const char *name, const char *value) {
    struct call *call = (struct call *)rpc;
    struct header *header = ARENA_NEW(&rpc->arena, struct header);
    char *lower = arena_strdup(&rpc->arena, name), *clean = arena_strdup(&rpc->arena, value);
    for (char *c = lower; *c; c++) if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 0x20);
    for (char *c = clean; *c; c++) if (*c < 0x20 || *c > 0x7e) *c = '?';
    header->name = bytes_str(lower);
    header->value = bytes_str(clean);
    header->next = call->reply_headers;
    call->reply_headers = header;
}

/* Takes the call back from its service; false when nobody waits for the reply. */
static bool take_back(struct io *io, struct call *call) {
    CHECK(call->with_service);
    CHECK(io_loop_index(io) == call->rpc.loop);
    call->with_service = false;
    if (call->connection && !call->replied && !call->rpc.cancelled) return true;
    release(call);
    return false;
}

static bool worth_gzip(const struct call *call, size_t len) {
    return call->gzip_request && call->gzip_accepted && len >= call->server->limits.gzip_reply_bytes_min;
}

/* `framed` has room for the prefix before the message. */
static void send_message(struct call *call, uint8_t *framed, size_t message_len) {
    struct bytes packed;
    bool compressed = worth_gzip(call, message_len) &&
                      gzip_deflate(call->server->gzip, &call->rpc.arena,
                                   bytes_of(framed + GRPC_PREFIX_LEN, message_len), GRPC_PREFIX_LEN, &packed);
    if (!compressed) packed = bytes_of(framed, GRPC_PREFIX_LEN + message_len);
    grpc_prefix_store((uint8_t *)packed.data, compressed, (uint32_t)(packed.len - GRPC_PREFIX_LEN));
    reply_message(call, packed, compressed);
}

void rpc_reply(struct io *io, struct rpc_call *rpc, const ProtobufCMessage *message) {
    struct call *call = (struct call *)rpc;
    if (!take_back(io, call)) return;
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *framed = arena_alloc(&rpc->arena, GRPC_PREFIX_LEN + len);
    protobuf_c_message_pack(message, framed + GRPC_PREFIX_LEN);
    send_message(call, framed, len);
}

void rpc_reply_bytes(struct io *io, struct rpc_call *rpc, struct bytes message) {
    struct call *call = (struct call *)rpc;
    if (!take_back(io, call)) return;
    uint8_t *framed = arena_alloc(&rpc->arena, GRPC_PREFIX_LEN + message.len);
    if (message.len) memcpy(framed + GRPC_PREFIX_LEN, message.data, message.len);
    send_message(call, framed, message.len);
}

void rpc_fail(struct io *io, struct rpc_call *rpc, struct status status) {
    struct call *call = (struct call *)rpc;
    if (!take_back(io, call)) return;
    if (status_ok(status)) status = (struct status){STATUS_INTERNAL, "a failure without a code"};
    reply_status(call, 200, status);
}

void call_refuse(struct call *call, unsigned http_status, struct status status) {
    if (call->replied && !call->reply_open) return;
    uncharge(call);
    if (!call->with_service) buf_free(&call->body);   /* a cancelled service may still read its request */
    if (call->on_message && call->reply_open) call_stream_end(call, status);
    else reply_status(call, http_status, status);
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

static void stream_refresh(struct call *call) {
    if (!call->replied) {
        call->reply_open = true;
        reply_message(call, buf_bytes(&call->queue), false);
    } else {
        nghttp2_session_resume_data(call->connection->h2, call->stream_id);
    }
    connection_touch(call->connection);
}

void call_stream_send(struct call *call, const ProtobufCMessage *message) {
    if (!call->connection || (call->replied && !call->reply_open)) return;
    uint8_t prefix[GRPC_PREFIX_LEN];
    size_t len = protobuf_c_message_get_packed_size(message), sent = call->queue.len - call->reply.len;
    grpc_prefix_store(prefix, false, (uint32_t)len);
    buf_consume(&call->queue, sent);
    buf_append(&call->queue, prefix, sizeof prefix);
    buf_reserve(&call->queue, len);
    protobuf_c_message_pack(message, call->queue.data + call->queue.len);
    call->queue.len += len;
    if (call->replied) {
        call->connection->reply_bytes += call->queue.len - call->reply.len;
        call->reply = buf_bytes(&call->queue);
    }
    stream_refresh(call);
}

void call_stream_end(struct call *call, struct status status) {
    if (!call->connection || (call->replied && !call->reply_open)) return;
    if (!call->replied) {
        reply_status(call, 200, status);
        return;
    }
    call->reply_open = false;
    call->status = status;
    stream_refresh(call);
}
