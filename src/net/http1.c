/* http1: a strict HTTP/1.1 server for plain HTTP requests; parsed by http_parser (github.com/nodejs/http-parser).
 *
 * One request is answered at a time: the parser stops behind each, and what a peer sends ahead waits in `ahead`, up to a
 * limit, until the answer is written. A request (struct http1_request) has two holders, its connection and its handler, and
 * is freed when both have let go. */
#include <http_parser.h>

#include "base/mem.h"
#include "net/connection.h"

enum {
    HTTP1_BODY_BYTES_MAX = 1024 * 1024,
    HTTP1_AHEAD_BYTES_MAX = 64 * 1024,   /* beyond it, the answer under way is the connection's last */
};

struct http1 {
    http_parser parser;
    struct connection *connection;
    struct http1_request *request;       /* that waits for its answer; NULL: none */
    struct buf url, body;                /* of the request that is arriving */
    struct buf ahead;                    /* what came while a request waits */
    size_t header_bytes;
    bool is_parsing;
    bool last;                           /* no request is taken after the one that waits */
    bool over;                           /* answered for good; the rest is not read */
};

struct http1_request {
    struct http_request http;
    struct arena arena;                  /* it lives in it */
    struct net_server *server;
    struct http1 *http1;                 /* NULL: nobody waits for the answer */
    struct deadline deadline;
    struct buf body;
    bool with_handler, keep;
};

static const http_parser_settings settings;

void http1_open(struct connection *c) {
    c->http1 = MEM_NEW(struct http1);
    c->http1->connection = c;
    http_parser_init(&c->http1->parser, HTTP_REQUEST);
    c->http1->parser.data = c->http1;
}

void http1_free(struct connection *c) {
    if (!c->http1) return;
    CHECK(!c->http1->request);
    buf_free(&c->http1->url);
    buf_free(&c->http1->body);
    buf_free(&c->http1->ahead);
    mem_free(c->http1);
    c->http1 = NULL;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static const char *reason(unsigned status) {
    switch (status) {
#define X(number, name, text)                                                                                  \
    case number: return #text;
        HTTP_STATUS_MAP(X)
#undef X
    default: return "Unknown";
    }
}

static void answer(struct http1 *http, const struct http_response *response, bool keep, bool with_body) {
    struct buf *out = wire_out(&http->connection->wire);
    buf_printf(out, "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n", response->status, reason(response->status),
               response->body.len);
    if (response->content_type) buf_printf(out, "Content-Type: %s\r\n", response->content_type);
    if (!keep) buf_append_str(out, "Connection: close\r\n");
    buf_append_str(out, "\r\n");
    if (with_body) buf_append_bytes(out, response->body);
    if (!keep) http->over = true;
}

static void refuse(struct http1 *http, unsigned status, const char *text) {
    if (http->over) return;
    struct http_response response = {status, "text/plain; charset=utf-8", bytes_str(text)};
    answer(http, &response, false, true);
}

/* ---- the request that waits --------------------------------------------------------------------------------------- */

static void release(struct http1_request *request) {
    if (request->http1 || request->with_handler) return;
    struct net_server *server = request->server;
    buf_free(&request->body);
    struct arena arena = request->arena;
    arena_free(&arena);                  /* the request is in it */
    server->stats.calls_open--;
    server_call_freed(server);
}

/* Takes the request from its connection. */
static void detach(struct http1_request *request) {
    deadline_clear(&request->server->deadlines, &request->deadline);
    request->http1->request = NULL;
    request->http1 = NULL;
}

static void cancel(struct http1_request *request) {
    request->http.cancelled = true;
    if (request->http.on_cancel) request->http.on_cancel(request->server->io, &request->http);
}

void http1_cut(struct connection *c) {
    struct http1_request *request = c->http1 ? c->http1->request : NULL;
    if (!request) return;
    cancel(request);                     /* the handler may end it at once, and must not free it then */
    detach(request);
    release(request);
}

bool http1_waits(const struct connection *c) { return c->http1 && c->http1->request; }

static void deadline_passed(struct deadline *deadline) {
    struct http1_request *request = CONTAINER_OF(deadline, struct http1_request, deadline);
    struct http1 *http = request->http1;
    refuse(http, 504, "The server did not answer in time.\n");
    connection_finish(http->connection); /* cuts the request */
}

static void resume(struct http1 *http);

static void reply(struct io *io, struct http_request *base, const struct http_response *response) {
    struct http1_request *request = CONTAINER_OF(base, struct http1_request, http);
    struct http1 *http = request->http1;
    CHECK(request->with_handler);
    request->with_handler = false;
    if (http && !base->cancelled) {
        struct connection *c = http->connection;
        bool more = !http->last && (!c->wire.is_ended || http->ahead.len);
        bool keep = request->keep && more && !request->server->draining && !wire_full(&c->wire);
        answer(http, response, keep, strcmp(base->method, "HEAD") != 0);
        detach(request);
        c->frame_at = io_now(io);
        connection_touch(c);
        if (!http->is_parsing) resume(http);
    }
    release(request);
}

/* ---- the request ----------------------------------------------------------------------------------------------- */

static struct http1_request *request_create(struct http1 *http) {
    struct arena arena = {0};
    struct http1_request *request = ARENA_NEW(&arena, struct http1_request);
    struct net_server *server = http->connection->server;
    *request = (struct http1_request){.arena = arena, .server = server, .http1 = http, .body = http->body,
                                      .with_handler = true, .keep = http_should_keep_alive(&http->parser),
                                      .deadline.passed = deadline_passed};
    http->body = (struct buf){0};
    char *path = arena_text(&request->arena, buf_bytes(&http->url)), *query = strchr(path, '?');
    if (query) *query++ = 0;
    request->http = (struct http_request){.loop = io_loop_index(server->io), .reply = reply, .path = path,
                                          .method = http_method_str(http->parser.method), .query = query ? query : "",
                                          .body = buf_bytes(&request->body), .arena = &request->arena};
    server->stats.calls_open++;
    server->stats.calls_total++;
    return request;
}

static int on_whole(http_parser *parser) {
    struct http1 *http = parser->data;
    struct connection *c = http->connection;
    struct net_server *server = c->server;
    if (http->over) return 0;
    http_parser_pause(parser, 1);
    c->settled = true;
    c->headers_at = 0;
    c->frame_at = io_now(server->io);
    if (!server->handlers.http) {
        refuse(http, 404, "");
        return 0;
    }
    http->request = request_create(http);
    deadline_set(&server->deadlines, &http->request->deadline, c->frame_at + server->limits.http_reply_ns_max);
    server->handlers.http(server->io, server->handlers.ctx, &http->request->http);
    return 0;
}

static int on_begin(http_parser *parser) {
    struct http1 *http = parser->data;
    buf_clear(&http->url);
    buf_clear(&http->body);
    http->header_bytes = 0;
    http->connection->headers_at = io_now(http->connection->server->io);
    return 0;
}

static int count_header(http_parser *parser, const char *at, size_t len) {
    struct http1 *http = parser->data;
    http->header_bytes += len;
    if (http->header_bytes <= http->connection->server->limits.header_bytes_max) return 0;
    refuse(http, 431, "The request's headers are too large.\n");
    return 1;
}

static int on_url(http_parser *parser, const char *at, size_t len) {
    struct http1 *http = parser->data;
    if (count_header(parser, at, len)) return 1;
    buf_append(&http->url, at, len);
    return 0;
}

static int on_headers(http_parser *parser) {
    bool known = parser->http_major == 1 && parser->http_minor <= 1;
    if (!known) refuse(parser->data, 505, "Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here.\n");
    else if (parser->method == HTTP_CONNECT) refuse(parser->data, 405, "This is no proxy.\n");
    else parser->upgrade = 0;            /* an offer to upgrade (curl --http2) may be ignored */
    return parser->upgrade || !known ? 2 : 0;   /* 2: no body, and no more requests */
}

static int on_body(http_parser *parser, const char *at, size_t len) {
    struct http1 *http = parser->data;
    if (http->body.len + len > HTTP1_BODY_BYTES_MAX) {
        refuse(http, 413, "The request's body is too large.\n");
        return 1;
    }
    buf_append(&http->body, at, len);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = count_header,
    .on_header_value = count_header,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_whole,
};

/* ---- the bytes ------------------------------------------------------------------------------------------------- */

/* Parses up to the end of one request; gives what is behind it. */
static struct bytes parse_one(struct http1 *http, struct bytes data) {
    http_parser *parser = &http->parser;
    http->is_parsing = true;
    size_t taken = http_parser_execute(parser, &settings, (const char *)data.data, data.len);
    http->is_parsing = false;
    if (HTTP_PARSER_ERRNO(parser) == HPE_PAUSED) {
        http_parser_pause(parser, 0);
    } else if (taken < data.len || parser->upgrade) {
        bool is_http = HTTP_PARSER_ERRNO(parser) != HPE_INVALID_METHOD;
        if (is_http) refuse(http, 400, "This is neither HTTP/1.1 nor HTTP/2.\n");
        http->over = true;               /* what does not even begin as HTTP gets no answer */
    }
    return bytes_of(data.data + taken, data.len - taken);
}

static void put_aside(struct http1 *http, struct bytes data) {
    http->last |= http->ahead.len + data.len > HTTP1_AHEAD_BYTES_MAX;
    if (http->last) buf_free(&http->ahead);
    else buf_append_bytes(&http->ahead, data);
}

static void take(struct http1 *http, struct bytes data) {
    while (data.len && !http->over && !http->request) data = parse_one(http, data);
    if (http->over) connection_finish(http->connection);
    else if (data.len) put_aside(http, data);
}

void http1_received(struct connection *c, struct bytes data) {
    struct http1 *http = c->http1;
    if (http->request) put_aside(http, data);
    else take(http, data);
}

/* After an answer that came later: what the peer sent meanwhile. */
static void resume(struct http1 *http) {
    struct buf ahead = http->ahead;
    http->ahead = (struct buf){0};
    take(http, buf_bytes(&ahead));
    buf_free(&ahead);
    if (http->connection->wire.is_ended && !http->request) connection_finish(http->connection);
}
