/* connection: protocol, times and end of an accepted connection. */
#include "net/connection.h"

#include "base/mark.h"
#include "base/mem.h"
#include "net/call.h"
#include "net/h2.h"
#include "net/tls_session.h"

static const char h2_preface[] = NGHTTP2_CLIENT_MAGIC;

enum {
    LINGER_NS = 1000000000,              /* after our end, for the peer to read it */
    GOAWAY_ANSWER_NS = 1000000000,
};
static const int64_t stall_ns = INT64_C(30000000000);   /* a peer that takes no byte so long is not there */

static const struct wire_events events;

/* ---- times ----------------------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* Whether the peer's time is up, and when to look again. Frames move no deadline: a look that comes too early costs
 * less than moving one for each frame. */
static bool is_late(struct connection *c, int64_t now, int64_t *next) {
    const struct net_limits *limits = &c->server->limits;
    int64_t at = INT64_MAX;
    if (c->state == CONNECTION_OVER && !wire_unsent(&c->wire)) at = c->over_at + LINGER_NS;
    if (c->state != CONNECTION_OVER && !c->settled) at = c->opened_at + limits->handshake_ns_max;
    if (c->headers_at) at = earlier(at, c->headers_at + limits->handshake_ns_max);
    if (c->ping_waits) at = earlier(at, c->ping_at + limits->keepalive_answer_ns);
    if (wire_unsent(&c->wire) && c->wire.progress_at) at = earlier(at, c->wire.progress_at + stall_ns);
    if (c->reply_bytes && c->reply_at) at = earlier(at, c->reply_at + 2 * stall_ns);
    *next = at;
    return at <= now;
}

static void keep_alive(struct connection *c, int64_t now, int64_t *next) {
    const struct net_limits *limits = &c->server->limits;
    if (c->goaway_begun && !c->goaway_done) {
        int64_t at = c->goaway_at + GOAWAY_ANSWER_NS;
        if (at <= now) connection_goaway(c);
        else *next = earlier(*next, at);
    }
    if (limits->idle_ns_max && c->call_count == 0 && !c->goaway_begun) {
        int64_t at = c->idle_at + limits->idle_ns_max;
        if (at <= now) connection_goaway(c);
        else *next = earlier(*next, at);
    }
    if (c->ping_waits) return;
    int64_t at = c->frame_at + limits->keepalive_ns;
    if (at <= now) {
        nghttp2_submit_ping(c->h2, NGHTTP2_FLAG_NONE, NULL);
        c->ping_waits = true;
        c->ping_at = now;
        at = now + limits->keepalive_answer_ns;
        connection_touch(c);
    }
    *next = earlier(*next, at);
}

static void look_at(struct connection *c, int64_t at) {
    if (!c->deadline.place || at < c->deadline.at) deadline_set(&c->server->deadlines, &c->deadline, at);
}

static void time_passed(struct deadline *deadline) {
    struct connection *c = CONTAINER_OF(deadline, struct connection, deadline);
    int64_t now = io_now(c->server->io), next;
    if (is_late(c, now, &next)) {
        if (c->ping_waits) mark(MARK_KEEPALIVE_LOST);
        connection_close(c);
        return;
    }
    if (c->state == CONNECTION_H2) keep_alive(c, now, &next);
    int64_t idle_at = (http1_waits(c) ? now : c->frame_at) + c->server->limits.keepalive_ns;
    if (c->state == CONNECTION_HTTP1) next = earlier(next, idle_at);
    if (c->state == CONNECTION_HTTP1 && idle_at <= now) connection_finish(c);
    else if (!c->wire.is_closing) look_at(c, next);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

void connection_touch(struct connection *c) {
    if (list_linked(&c->dirty) || c->wire.is_closing) return;
    list_push_back(&c->server->dirty, &c->dirty);
    io_hook_arm(c->server->io, &c->server->hook);
}

void connection_flush(struct connection *c) {
    if (c->wire.is_closing) return;
    if (c->h2 && c->state == CONNECTION_H2) {
        if (!h2_pump(c->h2, &c->wire)) {
            connection_close(c);
            return;
        }
        bool over = !nghttp2_session_want_read(c->h2) && !nghttp2_session_want_write(c->h2);
        if (over) connection_finish(c);
    }
    wire_flush(&c->wire);
    if (c->wire.progress_at && c->wire.send.busy) look_at(c, c->wire.progress_at + stall_ns);
}

/* ---- protocol -------------------------------------------------------------------------------------------------- */

static void use_h2(struct connection *c) {
    c->state = CONNECTION_H2;
    h2_server_open(c);
}

static void use_http1(struct connection *c) {
    c->state = CONNECTION_HTTP1;
    http1_open(c);
}

static void dispatch(struct connection *c, struct bytes data) {
    if (c->state == CONNECTION_H2) h2_server_received(c, data);
    else if (c->state == CONNECTION_HTTP1) http1_received(c, data);
}

/* HTTP/2 begins with a preface that no HTTP/1.1 request can have. */
static void detect(struct connection *c, struct bytes data) {
    size_t whole = sizeof h2_preface - 1, taken = 0;
    while (taken < data.len && c->preface_len < whole && data.data[taken] == (uint8_t)h2_preface[c->preface_len])
        c->preface[c->preface_len++] = data.data[taken++];
    if (c->preface_len == whole) use_h2(c);
    else if (taken == data.len) return;  /* undecided */
    else use_http1(c);
    dispatch(c, bytes_of(c->preface, c->preface_len));
    if (taken < data.len) dispatch(c, bytes_of(data.data + taken, data.len - taken));
}

static void ready(struct wire *wire) {
    struct connection *c = CONTAINER_OF(wire, struct connection, wire);
    if (wire->tls && tls_session_is_h2(wire->tls)) use_h2(c);
}

static void received(struct wire *wire, struct bytes data) {
    struct connection *c = CONTAINER_OF(wire, struct connection, wire);
    if (c->state == CONNECTION_DETECT) detect(c, data);
    else dispatch(c, data);
    connection_touch(c);
}

static void drained(struct wire *wire) {
    struct connection *c = CONTAINER_OF(wire, struct connection, wire);
    if (c->state != CONNECTION_OVER) connection_flush(c);
}

/* ---- beginning and end ----------------------------------------------------------------------------------------- */

void connection_open(struct net_server *server, struct io_sock sock, const struct io_addr *peer,
                     struct tls_session *session) {
    struct connection *c = MEM_NEW(struct connection);
    c->server = server;
    c->peer = *peer;
    c->opened_at = c->frame_at = c->idle_at = io_now(server->io);
    c->deadline.passed = time_passed;
    list_init(&c->calls);
    list_push_back(&server->connections, &c->link);
    server->stats.connections_open++;
    server->stats.connections_total++;
    look_at(c, c->opened_at + server->limits.handshake_ns_max);
    wire_open(&c->wire, server->io, sock, session, &events, &server->pool);
}

void connection_goaway(struct connection *c) {
    if (c->state == CONNECTION_DETECT) connection_close(c);
    if (c->state == CONNECTION_HTTP1 && !http1_waits(c)) connection_finish(c);
    if (c->state != CONNECTION_H2 || c->goaway_done) return;
    if (!c->goaway_begun) {              /* first a warning, so that requests now under way are not lost */
        c->goaway_begun = true;
        c->goaway_at = io_now(c->server->io);
        nghttp2_submit_shutdown_notice(c->h2);
        nghttp2_submit_ping(c->h2, NGHTTP2_FLAG_NONE, (const uint8_t *)"goodbye.");
        look_at(c, c->goaway_at + GOAWAY_ANSWER_NS);
    } else {
        c->goaway_done = true;
        nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c->h2),
                              NGHTTP2_NO_ERROR, NULL, 0);
    }
    connection_touch(c);
}

static void cut_calls(struct connection *c) {
    while (!list_empty(&c->calls)) net_call_stream_closed(LIST_ENTRY(c->calls.next, struct net_call, link));
    http1_cut(c);
}

void connection_finish(struct connection *c) {
    if (c->state == CONNECTION_OVER) return;
    c->state = CONNECTION_OVER;
    c->over_at = io_now(c->server->io);
    cut_calls(c);
    look_at(c, c->over_at + LINGER_NS);
    wire_shutdown(&c->wire);
}

void connection_close(struct connection *c) {
    if (c->wire.is_closing) return;
    c->state = CONNECTION_OVER;
    list_remove(&c->dirty);
    deadline_clear(&c->server->deadlines, &c->deadline);
    wire_close(&c->wire);
    cut_calls(c);
}

static void ended(struct wire *wire, int64_t result) {
    struct connection *c = CONTAINER_OF(wire, struct connection, wire);
    bool unsent = result == 0 && wire_unsent(wire);
    if (result == 0 && c->state == CONNECTION_HTTP1 && http1_waits(c)) return;
    if (wire->has_failed) connection_finish(c);
    else if (unsent && c->state == CONNECTION_HTTP1) connection_finish(c);   /* it may end its side before our answer */
    else if (!unsent || c->state != CONNECTION_OVER) connection_close(c);
}

static void closed(struct wire *wire) {
    struct connection *c = CONTAINER_OF(wire, struct connection, wire);
    struct net_server *server = c->server;
    if (c->h2) nghttp2_session_del(c->h2);
    http1_free(c);
    list_remove(&c->link);
    mem_free(c);
    server->stats.connections_open--;
    server_connection_closed(server);
}

static const struct wire_events events = {ready, received, drained, ended, closed};
