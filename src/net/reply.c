/* reply: a call's answer as HTTP/2 headers, data and trailers. */
#include <stdio.h>

#include "net/call.h"
#include "net/h2.h"

enum { REPLY_HEADERS_MAX = 24 };

struct reply_head {
    nghttp2_nv list[REPLY_HEADERS_MAX];
    size_t count;
};

static void put(struct reply_head *head, const char *name, struct bytes value) {
    if (head->count < REPLY_HEADERS_MAX) head->list[head->count++] = h2_header(name, value);
}

static struct bytes number_text(struct net_call *call, unsigned number) {
    static const char *const codes[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
                                        "15", "16"};
    if (number == 200) return bytes_str("200");
    if (number < ARRAY_LEN(codes)) return bytes_str(codes[number]);
    return bytes_str(arena_printf(&call->rpc.arena, "%u", number));
}

static void begin_head(struct reply_head *head, struct net_call *call, unsigned http_status, const char *content_type) {
    head->count = 0;
    put(head, ":status", number_text(call, http_status));
    if (content_type) put(head, "content-type", bytes_str(content_type));
    for (const struct header *header = call->reply_headers; header; header = header->next)
        if (head->count < REPLY_HEADERS_MAX - 6) put(head, (const char *)header->name.data, header->value);
}

/* A peer may bound the headers that it takes; a detail that does not fit would cost it the whole answer. */
static bool detail_fits(struct net_call *call, size_t detail_len, size_t message_len) {
    uint32_t most = nghttp2_session_get_remote_settings(call->connection->h2, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
    return detail_len + message_len + 512 < most && detail_len + message_len < 48 * 1024;
}

static void put_status(struct reply_head *head, struct net_call *call, struct status status) {
    struct arena *arena = &call->rpc.arena;
    put(head, "grpc-status", number_text(call, status.code));
    if (status_ok(status)) return;
    struct bytes message = grpc_percent_encode(arena, status.message ? status.message : "");
    put(head, "grpc-message", message);
    if (!status.detail_type) return;
    struct bytes detail = grpc_base64_encode(arena, grpc_status_pack(arena, status));
    if (detail_fits(call, detail.len, message.len)) put(head, "grpc-status-details-bin", detail);
}

static void submit(struct net_call *call, struct reply_head *head, bool with_body) {
    nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = reply_read};
    call->replied = true;
    nghttp2_submit_response(call->connection->h2, call->stream_id, head->list, head->count,
                            with_body ? &provider : NULL);
    connection_touch(call->connection);
}

void reply_status(struct net_call *call, unsigned http_status, struct status status) {
    struct reply_head head;
    begin_head(&head, call, http_status, "application/grpc");
    put_status(&head, call, status);
    submit(call, &head, false);
}

static void take_body(struct net_call *call, struct bytes body) {
    struct connection *c = call->connection;
    call->reply = body;
    if (c->reply_bytes == 0) c->reply_at = io_now(call->server->io);
    c->reply_bytes += body.len;
}

void reply_message(struct net_call *call, struct bytes body, bool compressed) {
    struct connection *c = call->connection;
    if (c->reply_bytes && c->reply_bytes + body.len > call->server->limits.send_buffer_bytes_max) {
        reply_status(call, 200, (struct status){STATUS_RESOURCE_EXHAUSTED,
                                                "too many replies wait for this connection's peer to read"});
        return;
    }
    struct reply_head head;
    begin_head(&head, call, 200, "application/grpc");
    if (compressed) put(&head, "grpc-encoding", bytes_str("gzip"));
    take_body(call, body);
    submit(call, &head, true);
}

void reply_http(struct net_call *call, const struct http_response *response) {
    struct reply_head head;
    struct arena *arena = &call->rpc.arena;
    size_t len = response->body.len;
    bool with_body = len > 0 && strcmp(call->method, "HEAD") != 0;
    begin_head(&head, call, response->status, response->content_type);
    put(&head, "content-length", bytes_str(arena_printf(arena, "%zu", len)));
    if (with_body) take_body(call, bytes_of(arena_copy(arena, response->body.data, len), len));
    submit(call, &head, with_body);
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

static void end_data(struct net_call *call, uint32_t *flags) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!call->is_grpc) return;
    struct reply_head head = {.count = 0};
    put_status(&head, call, call->status);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(call->connection->h2, call->stream_id, head.list, head.count);
}

ssize_t reply_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length, uint32_t *flags,
                   nghttp2_data_source *source, void *ctx) {
    struct net_call *call = source->ptr;
    if (call->reply.len == 0 && call->reply_open) return NGHTTP2_ERR_DEFERRED;
    size_t count = call->reply.len < length ? call->reply.len : length;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (count == call->reply.len && !call->reply_open) end_data(call, flags);
    return (ssize_t)count;
}

int reply_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
               nghttp2_data_source *source, void *ctx) {
    struct net_call *call = source->ptr;
    struct connection *c = call->connection;
    CHECK(length <= call->reply.len);
    struct buf *out = wire_out(&c->wire);
    buf_append(out, head, 9);
    buf_append(out, call->reply.data, length);
    call->reply.data += length;
    call->reply.len -= length;
    c->reply_bytes -= length;
    c->reply_at = io_now(call->server->io);
    return 0;
}
