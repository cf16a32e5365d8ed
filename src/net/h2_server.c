/* h2_server: frames of an accepted HTTP/2 connection, and its defence against peers that ask for work and bring
 * none. */
#include "base/mark.h"
#include "base/plant.h"
#include "net/call.h"
#include "net/h2.h"

enum { PREFACE_LEN = sizeof NGHTTP2_CLIENT_MAGIC - 1 };

enum {
    BUDGET_MAX = 10000,
    BUDGET_START = 1000,
    BUDGET_PER_SECOND = 100,             /* what time gives back */
    BUDGET_PER_EXCHANGE = 4,             /* what a request or a frame of a reply gives back */
};

/* ---- the budget ------------------------------------------------------------------------------------------------ */

/* PING, SETTINGS, RST_STREAM, PRIORITY, WINDOW_UPDATE, tiny DATA cost the peer little and us more. A connection that
 * carries calls may send many (gRPC clients measure round trips with PING); one that does not may not. */

static void budget_earn(struct connection *c, int32_t amount) {
    c->budget = c->budget + amount < BUDGET_MAX ? c->budget + amount : BUDGET_MAX;
}

static void budget_spend(struct connection *c, int32_t amount) {
    int64_t now = io_now(c->server->io), earned = (now - c->budget_at) / (1000000000 / BUDGET_PER_SECOND);
    if (earned > 0) {
        budget_earn(c, earned < BUDGET_START ? (int32_t)earned : BUDGET_START);
        c->budget_at = now;
    }
    c->budget -= amount;
    if (c->budget >= 0) return;
    mark(MARK_CALM_DOWN);
    nghttp2_session_terminate_session(c->h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- callbacks ------------------------------------------------------------------------------------------------- */

static struct net_call *call_of(nghttp2_session *session, int32_t stream_id) {
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct connection *c = ctx;
    c->headers_at = io_now(c->server->io);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct net_call *call = net_call_create(c, frame->hd.stream_id);
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *ctx) {
    struct net_call *call = call_of(session, frame->hd.stream_id);
    if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        net_call_header(call, bytes_of(name, name_len), bytes_of(value, value_len));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t len,
                   void *ctx) {
    struct net_call *call = call_of(session, stream_id);
    if (call) net_call_data(call, bytes_of(data, len));
    return 0;
}

static void on_ping(struct connection *c, const nghttp2_frame *frame) {
    if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) return;
    if (memcmp(frame->ping.opaque_data, "goodbye.", 8) == 0) connection_goaway(c);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct connection *c = ctx;
    c->frame_at = io_now(c->server->io);
    c->ping_waits = false;
    c->headers_at = 0;
    c->settled = true;
    if (frame->hd.type == NGHTTP2_PING) on_ping(c, frame);
    if (frame->hd.type == NGHTTP2_RST_STREAM) mark(MARK_REQUEST_RESET);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    struct net_call *call = call_of(session, frame->hd.stream_id);
    if (!call) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) net_call_begin(call);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) net_call_request_ended(call);
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct connection *c = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    budget_earn(c, BUDGET_PER_EXCHANGE);
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct net_call *call = call_of(session, frame->hd.stream_id);
    if (call && !call->request_ended) net_call_linger(call);
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t stream_id, uint32_t code, void *ctx) {
    struct net_call *call = call_of(session, stream_id);
    if (call) net_call_stream_closed(call);
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    return 0;
}

/* ---- sessions -------------------------------------------------------------------------------------------------- */

void h2_server_init(struct net_server *server) {
    nghttp2_session_callbacks *callbacks = h2_callbacks();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, reply_send);
    server->h2_callbacks = callbacks;
    server->h2_option = h2_options();
    if (PLANT(server->io, WINDOW_NOT_GIVEN_BACK)) nghttp2_option_set_no_auto_window_update(server->h2_option, 1);
    server->h2_memory = h2_memory_create();
}

void h2_server_open(struct connection *c) {
    struct net_server *server = c->server;
    c->h2 = h2_open(server->h2_memory, true, server->h2_callbacks, server->h2_option, c);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server->limits.streams_per_connection_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, server->limits.header_bytes_max},
    };
    CHECK(nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0);
    if (!PLANT(server->io, WINDOW_NOT_GIVEN_BACK)) h2_widen(c->h2);
    c->guard.payload_left = PREFACE_LEN;
    c->budget = BUDGET_START;
    c->budget_at = io_now(server->io);
    connection_touch(c);
}

static void session_error(struct connection *c, uint32_t code) {
    mark(MARK_FRAME_REFUSED);
    nghttp2_session_terminate_session(c->h2, code);
}

/* Gives bytes to nghttp2; false when it takes no more. */
static bool take(struct connection *c, struct bytes data) {
    if (nghttp2_session_mem_recv(c->h2, data.data, data.len) >= 0) return true;
    mark(MARK_FRAME_REFUSED);
    connection_flush(c);                 /* what explains it, if the peer still reads */
    connection_finish(c);
    return false;
}

void h2_server_received(struct connection *c, struct bytes data) {
    while (data.len && c->state == CONNECTION_H2) {
        size_t taken;
        int32_t cost = 0;
        uint32_t stream;
        enum h2_verdict verdict = h2_guard_scan(&c->guard, data, &taken, &cost, &stream);
        if (cost) budget_spend(c, cost);
        if (verdict == H2_STREAM_CLOSED) {
            session_error(c, NGHTTP2_STREAM_CLOSED);
            return;
        }
        /* The head goes in after the check, which needs all that came before it. */
        size_t before = verdict == H2_CHECK && taken > 9 ? taken - 9 : verdict == H2_CHECK ? 0 : taken;
        if (before && !take(c, bytes_of(data.data, before))) return;
        if (verdict == H2_CHECK && !call_of(c->h2, (int32_t)stream)) {
            session_error(c, NGHTTP2_PROTOCOL_ERROR);
            return;
        }
        if (taken > before && !take(c, bytes_of(data.data + before, taken - before))) return;
        data.data += taken;
        data.len -= taken;
    }
}
