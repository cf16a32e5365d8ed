/* request: a call's headers and messages, checked in the order and words of grpc-go. */
#include "base/mem.h"
#include "net/call.h"
#include "net/gzip.h"

enum {
    HEADERS_MAX = 256,
    REQUEST_RESERVE_BYTES = 64 * 1024,   /* taken on a peer's word; more only as bytes arrive */
    CONNECTION_REQUEST_BYTES_MAX = 32 * 1024 * 1024,
    SERVER_REQUEST_BYTES_MAX = 256 * 1024 * 1024,
};
static const int64_t request_ns_max = INT64_C(60000000000);   /* for a request to arrive whole */

static bool bytes_are(struct bytes bytes, const char *text) { return bytes_equal(bytes, bytes_str(text)); }

/* ---- headers --------------------------------------------------------------------------------------------------- */

static void pseudo_header(struct net_call *call, struct bytes name, struct bytes value) {
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

static void transport_header(struct net_call *call, struct bytes name, struct bytes value) {
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

/* These two come with every call and are of no use to a service; a call that waits keeps what it holds for long. */
static bool is_metadata(struct bytes name) { return !bytes_are(name, "te") && !bytes_are(name, "grpc-timeout"); }

void net_call_header(struct net_call *call, struct bytes name, struct bytes value) {
    call->header_bytes += (uint32_t)(name.len + value.len + 32);
    call->header_count++;
    if (call->header_bytes > call->server->limits.header_bytes_max || call->header_count > HEADERS_MAX)
        call->headers_too_large = true;
    if (call->headers_too_large) return;
    if (name.len && name.data[0] == ':') {
        pseudo_header(call, name, value);
        return;
    }
    if (!is_metadata(name)) {
        transport_header(call, name, value);
        return;
    }
    struct arena *arena = &call->rpc.arena;
    struct header *header = arena_alloc(arena, sizeof *header + name.len + value.len + 1);
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
    const struct net_call *call = (const struct net_call *)rpc;
    for (const struct header *header = call->headers; header; header = header->next)
        if (bytes_are(header->name, name)) return header->value;
    return (struct bytes){0};
}

/* ---- checks, in the order and words of grpc-go ----------------------------------------------------------------- */

static bool path_is_method(const char *path) {
    return path[0] == '/' && strchr(path + 1, '/') != NULL;
}

__attribute__((format(printf, 4, 5)))
static void refuse(struct net_call *call, unsigned http_status, enum status_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(&call->rpc.arena, format, args);
    va_end(args);
    net_call_refuse(call, http_status, (struct status){.code = code, .message = text});
}

bool net_call_refuse_by_headers(struct net_call *call) {
    struct bytes type = call->content_type, encoding = call->encoding;
    if (call->headers_too_large) {
        refuse(call, 200, STATUS_RESOURCE_EXHAUSTED, "request headers are larger than %u bytes or more than %d",
               call->server->limits.header_bytes_max, HEADERS_MAX);
    } else if (call->is_plain) {
        return false;
    } else if (!call->is_grpc) {
        refuse(call, 415, STATUS_INVALID_ARGUMENT, "invalid gRPC request content-type \"%.*s\"", (int)type.len,
               (const char *)type.data);
    } else if (call->timeout_malformed) {
        refuse(call, 400, STATUS_INTERNAL, "malformed grpc-timeout");
    } else if (!call->is_post) {
        refuse(call, 405, STATUS_INTERNAL, "the :method is %s, which should be POST", call->method);
    } else if (!path_is_method(call->rpc.path)) {
        refuse(call, 200, STATUS_UNIMPLEMENTED, "malformed method name: \"%s\"", call->rpc.path);
    } else if (call->encoding_unknown) {
        rpc_add_header(&call->rpc, "grpc-accept-encoding", "gzip");
        refuse(call, 200, STATUS_UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding \"%.*s\"",
               (int)encoding.len, (const char *)encoding.data);
    } else {
        return false;
    }
    return true;
}

void net_call_begin(struct net_call *call) {
    call->is_plain = !call->is_grpc && call->server->handlers.http;
    if (net_call_refuse_by_headers(call)) return;
    int64_t now = call->rpc.received_at;
    if (call->timeout_ns < INT64_MAX - now) call->rpc.deadline = now + call->timeout_ns;
    if (!call->is_plain) net_call_is_internal(call);
    int64_t until = call->on_message ? INT64_MAX : now + request_ns_max;
    if (call->rpc.deadline < until) until = call->rpc.deadline;
    deadline_set(&call->server->deadlines, &call->deadline, until);
}

/* ---- the request's bytes --------------------------------------------------------------------------------------- */

/* Counts memory for requests that are not whole, which a peer could ask for without end. */
static bool charge(struct net_call *call, size_t count) {
    call->charged += count;
    call->connection->request_bytes += count;
    call->server->request_bytes += count;
    if (call->connection->request_bytes <= CONNECTION_REQUEST_BYTES_MAX &&
        call->server->request_bytes <= SERVER_REQUEST_BYTES_MAX) return true;
    refuse(call, 200, STATUS_RESOURCE_EXHAUSTED, "too many requests are arriving at once");
    return false;
}

static bool check_prefix(struct net_call *call) {
    uint32_t most = call->server->limits.request_bytes_max;
    call->message_len = grpc_prefix_len(call->prefix);
    if (call->has_message && !call->on_message) {
        refuse(call, 200, STATUS_INTERNAL, "grpc: more than one request message in a unary call");
    } else if (call->prefix[0] > 1) {
        refuse(call, 200, STATUS_INTERNAL, "grpc: received unexpected payload format %u", call->prefix[0]);
    } else if (call->prefix[0] == 1 && !call->gzip_request) {
        refuse(call, 200, STATUS_INTERNAL, "grpc: compressed flag set with identity or empty encoding");
    } else if (call->message_len > most) {
        refuse(call, 200, STATUS_RESOURCE_EXHAUSTED, "grpc: received message larger than max (%u vs. %u)",
               call->message_len, most);
    } else {
        size_t reserve = call->message_len < REQUEST_RESERVE_BYTES ? call->message_len : REQUEST_RESERVE_BYTES;
        buf_clear(&call->body);
        buf_reserve(&call->body, reserve);
        return charge(call, reserve);
    }
    return false;
}

static bool inflate_message(struct net_call *call, struct bytes *message) {
    uint32_t most = call->server->limits.request_bytes_max;
    if (call->prefix[0] == 0) return true;
    switch (gzip_inflate(call->server->gzip, &call->rpc.arena, *message, most, message)) {
    case GZIP_OK: return true;
    case GZIP_TOO_LARGE:
        refuse(call, 200, STATUS_RESOURCE_EXHAUSTED, "grpc: received message larger than max after decompression (%u)",
               most);
        return false;
    case GZIP_MALFORMED: break;
    }
    refuse(call, 200, STATUS_INTERNAL, "grpc: failed to decompress the received message");
    return false;
}

static void message_arrived(struct net_call *call) {
    struct bytes message = buf_bytes(&call->body);
    call->prefix_len = 0;
    call->has_message = true;
    if (!inflate_message(call, &message)) return;
    if (call->on_message) call->on_message(call, message);
    else call->rpc.request = message;
    if (call->on_message || call->prefix[0]) {
        net_call_uncharge(call);
        buf_free(&call->body);
    }
}

/* Takes what it can of `data` for the present message; false when the call was refused. */
static bool take(struct net_call *call, struct bytes *data) {
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

static void take_plain(struct net_call *call, struct bytes data) {
    if (call->body.len + data.len > call->server->limits.request_bytes_max) {
        refuse(call, 413, STATUS_RESOURCE_EXHAUSTED, "the request body is too large");
    } else if (charge(call, data.len)) {
        buf_append_bytes(&call->body, data);
    }
}

static void drop(struct net_call *call, size_t len) {
    call->dropped += len;
    if (!call->lingers || call->dropped <= 2 * (size_t)call->server->limits.request_bytes_max) return;
    call->lingers = false;
    net_call_reset(call, NGHTTP2_NO_ERROR);
}

void net_call_data(struct net_call *call, struct bytes data) {
    if (call->replied && !call->reply_open) {
        drop(call, data.len);
        return;
    }
    if (call->is_plain) take_plain(call, data);
    else while (data.len && take(call, &data)) {}
}
