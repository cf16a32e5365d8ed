/* client_link: one connection of a client, and its HTTP/2 frames. */
#include <stdio.h>

#include "base/mem.h"
#include "net/client_internal.h"
#include "net/h2.h"
#include "net/tls_session.h"

enum { REQUEST_HEADERS_MAX = 32 };
static const int64_t connect_ns_max = INT64_C(20000000000);
static const int64_t keepalive_ns = INT64_C(30000000000), keepalive_answer_ns = INT64_C(15000000000);

static void touch(struct link *link) { io_hook_arm(link->client->io, &link->hook); }

/* ---- frames in ------------------------------------------------------------------------------------------------- */

static struct client_call *call_of(nghttp2_session *session, int32_t stream_id) {
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static unsigned small_number(struct bytes text) {
    unsigned number = 0;
    for (size_t i = 0; i < text.len && i < 4; i++) number = number * 10 + (unsigned)(text.data[i] - '0');
    return number;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value_data, size_t value_len, uint8_t flags, void *ctx) {
    struct client_call *call = call_of(session, frame->hd.stream_id);
    if (!call) return 0;
    struct bytes value = bytes_of(value_data, value_len);
    struct arena *arena = &call->result.arena;
    struct bytes detail;
    if (strcmp((const char *)name, ":status") == 0) {
        call->http_status = small_number(value);
    } else if (strcmp((const char *)name, "content-type") == 0) {
        call->is_grpc = grpc_content_type(value);
    } else if (strcmp((const char *)name, "grpc-encoding") == 0) {
        call->is_gzip = bytes_equal(value, bytes_str("gzip"));
    } else if (strcmp((const char *)name, "grpc-status") == 0) {
        unsigned code = small_number(value);
        call->has_status = true;
        call->result.status.code = code <= STATUS_UNAUTHENTICATED ? (enum status_code)code : STATUS_UNKNOWN;
    } else if (strcmp((const char *)name, "grpc-message") == 0) {
        call->result.status.message = grpc_percent_decode(arena, value);
    } else if (strcmp((const char *)name, "grpc-status-details-bin") == 0) {
        if (grpc_base64_decode(arena, value, &detail)) grpc_status_unpack(arena, detail, &call->result.status);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t len,
                   void *ctx) {
    struct client_call *call = call_of(session, stream_id);
    if (call) client_call_data(call, bytes_of(data, len));
    return 0;
}

/* The server wants no new calls here: the next one opens another link. */
static void on_goaway(struct link *link) {
    if (link->client->current == link) link->client->current = NULL;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct link *link = ctx;
    link->frame_at = io_now(link->client->io);
    link->ping_waits = false;
    if (frame->hd.type == NGHTTP2_GOAWAY) on_goaway(link);
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t stream_id, uint32_t code, void *ctx) {
    struct client_call *call = call_of(session, stream_id);
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    if (call) client_call_stream_closed(call, code);
    return 0;
}

/* ---- frames out ------------------------------------------------------------------------------------------------ */

static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length, uint32_t *flags,
                            nghttp2_data_source *source, void *ctx) {
    struct client_call *call = source->ptr;
    size_t left = call->request.len - call->sent, count = left < length ? left : length;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (count == left) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static int send_request(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
                        nghttp2_data_source *source, void *ctx) {
    struct link *link = ctx;
    struct client_call *call = source->ptr;
    struct buf *out = wire_out(&link->wire);
    buf_append(out, head, 9);
    buf_append(out, call->request.data + call->sent, length);
    call->sent += length;
    return 0;
}

static void put(nghttp2_nv *list, size_t *count, const char *name, const char *value) {
    if (value && *count < REQUEST_HEADERS_MAX) list[(*count)++] = h2_header(name, bytes_str(value));
}

static void submit(struct link *link, struct client_call *call) {
    const struct grpc_client_options *options = &link->client->options;
    nghttp2_nv list[REQUEST_HEADERS_MAX];
    size_t count = 0;
    char timeout[16];
    put(list, &count, ":method", "POST");
    put(list, &count, ":scheme", options->tls ? "https" : "http");
    put(list, &count, ":path", call->path);
    put(list, &count, ":authority", options->authority);
    put(list, &count, "content-type", "application/grpc");
    put(list, &count, "te", "trailers");
    put(list, &count, "user-agent", "norn/" NORN_VERSION);
    put(list, &count, "grpc-accept-encoding", "identity, gzip");
    put(list, &count, "client-name", options->client_name);
    put(list, &count, "client-version", options->client_version);
    for (const char *const *more = options->metadata; more && more[0]; more += 2) put(list, &count, more[0], more[1]);
    if (call->deadline_at != INT64_MAX) {
        grpc_timeout_format(call->deadline_at - io_now(link->client->io), timeout);
        put(list, &count, "grpc-timeout", arena_strdup(&call->result.arena, timeout));
    }
    nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = read_request};
    call->stream_id = nghttp2_submit_request(link->h2, NULL, list, count, &provider, call);
    if (call->stream_id < 0) {
        call->stream_id = 0;
        client_call_end(call, (struct status){STATUS_UNAVAILABLE, "no more streams on this connection"});
    }
    touch(link);
}

void client_link_submit(struct link *link, struct client_call *call) {
    call->carrier = link;
    list_push_back(&link->calls, &call->link);
    if (link->ready) submit(link, call);
}

void client_link_reset(struct link *link, struct client_call *call) {
    if (!call->stream_id || !link->h2) return;
    nghttp2_session_set_stream_user_data(link->h2, call->stream_id, NULL);
    nghttp2_submit_rst_stream(link->h2, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    touch(link);
}

static void flush(struct io *io, struct io_hook *hook) {
    struct link *link = CONTAINER_OF(hook, struct link, hook);
    if (link->wire.is_closing || !link->h2) return;
    bool good = h2_pump(link->h2, &link->wire);
    bool idle = list_empty(&link->calls) && link->client->current != link;
    if (!good || (!nghttp2_session_want_read(link->h2) && !nghttp2_session_want_write(link->h2)) || idle) {
        wire_flush(&link->wire);
        client_link_close(link, "the server closed the connection");
        return;
    }
    wire_flush(&link->wire);
}

/* ---- the wire -------------------------------------------------------------------------------------------------- */

static void ready(struct wire *wire) {
    struct link *link = CONTAINER_OF(wire, struct link, wire);
    struct grpc_client *client = link->client;
    if (link->over) return;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 64 * 1024},
    };
    link->h2 = h2_open(client->memory, false, client->callbacks, client->option, link);
    CHECK(nghttp2_submit_settings(link->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0);
    h2_widen(link->h2);
    link->ready = true;
    link->frame_at = io_now(client->io);
    deadline_set(&client->deadlines, &link->deadline, link->frame_at + keepalive_ns);
    LIST_EACH(node, &link->calls) submit(link, LIST_ENTRY(node, struct client_call, link));
    touch(link);
}

static void received(struct wire *wire, struct bytes data) {
    struct link *link = CONTAINER_OF(wire, struct link, wire);
    if (!link->h2) return;
    if (nghttp2_session_mem_recv(link->h2, data.data, data.len) < 0) client_link_close(link, "the server broke HTTP/2");
    else touch(link);
}

static void drained(struct wire *wire) {
    struct link *link = CONTAINER_OF(wire, struct link, wire);
    if (link->h2) h2_pump(link->h2, wire);
}

static const char *end_text(struct link *link, int64_t result) {
    if (result < 0 && link->wire.tls && !link->ready) return tls_session_error(link->wire.tls);
    return result < 0 ? io_error_text(result) : "the server closed the connection";
}

static void ended(struct wire *wire, int64_t result) {
    struct link *link = CONTAINER_OF(wire, struct link, wire);
    client_link_close(link, end_text(link, result));
}

static void freed(struct link *link) {
    struct grpc_client *client = link->client;
    if (link->h2) nghttp2_session_del(link->h2);
    list_remove(&link->link);
    list_remove(&link->hook.link);       /* a call may have ended in this very batch */
    mem_free(link);
    client_link_gone(client);
}

static void closed(struct wire *wire) { freed(CONTAINER_OF(wire, struct link, wire)); }

static const struct wire_events events = {ready, received, drained, ended, closed};

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

void client_link_close(struct link *link, const char *why) {
    if (link->over) return;
    link->over = true;
    struct grpc_client *client = link->client;
    if (client->current == link) client->current = NULL;
    deadline_clear(&client->deadlines, &link->deadline);
    while (!list_empty(&link->calls)) {
        struct client_call *call = LIST_ENTRY(link->calls.next, struct client_call, link);
        client_call_end(call, status_make(&call->result.arena, STATUS_UNAVAILABLE, "%s", why));
    }
    if (link->connected) wire_close(&link->wire);
    else io_cancel(client->io, &link->connect);
}

static void connected(struct io *io, struct io_op *op) {
    struct link *link = op->ctx;
    if (op->result >= 0) {
        link->connected = true;
        struct tls_config *tls = link->client->options.tls;
        wire_open(&link->wire, io, op->sock, tls ? tls_session_create(tls) : NULL, &events, &link->client->pool);
        if (link->over) wire_close(&link->wire);
        return;
    }
    client_link_close(link, io_error_text(op->result));
    freed(link);
}

static void time_passed(struct deadline *deadline) {
    struct link *link = CONTAINER_OF(deadline, struct link, deadline);
    struct deadlines *deadlines = &link->client->deadlines;
    int64_t now = io_now(link->client->io);
    if (!link->ready || (link->ping_waits && now >= link->ping_at + keepalive_answer_ns)) {
        client_link_close(link, link->ready ? "the server does not answer pings" : "connecting took too long");
    } else if (list_empty(&link->calls)) {
        deadline_set(deadlines, deadline, now + keepalive_ns);
    } else if (now < link->frame_at + keepalive_ns) {
        deadline_set(deadlines, deadline, link->frame_at + keepalive_ns);
    } else {
        nghttp2_submit_ping(link->h2, NGHTTP2_FLAG_NONE, NULL);
        link->ping_waits = true;
        link->ping_at = now;
        deadline_set(deadlines, deadline, now + keepalive_answer_ns);
        touch(link);
    }
}

void client_link_init(struct grpc_client *client) {
    nghttp2_session_callbacks *callbacks = h2_callbacks();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_request);
    client->callbacks = callbacks;
    client->option = h2_options();
    client->memory = h2_memory_create();
}

struct link *client_link_open(struct grpc_client *client) {
    struct link *link = MEM_NEW(struct link);
    link->client = client;
    list_init(&link->calls);
    link->hook.run = flush;
    link->deadline.passed = time_passed;
    list_push_back(&client->links, &link->link);
    link->connect = (struct io_op){.done = connected, .ctx = link};
    deadline_set(&client->deadlines, &link->deadline, io_now(client->io) + connect_ns_max);
    io_connect(client->io, &link->connect, &client->addr);
    return link;
}
