/* http1: a strict HTTP/1.1 server for /health and /metrics; parsed by http_parser (github.com/nodejs/http-parser).
 *
 * Each request is answered at once, so pipelined ones keep their order. */
#include <http_parser.h>

#include "base/mem.h"
#include "net/connection.h"

enum { HTTP1_BODY_BYTES_MAX = 1024 * 1024 };

struct http1 {
    http_parser parser;
    struct connection *connection;
    struct arena arena;                  /* of the present request */
    struct buf url, body;
    size_t header_bytes;
    bool over;                           /* answered for good; the rest is not read */
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
    arena_free(&c->http1->arena);
    buf_free(&c->http1->url);
    buf_free(&c->http1->body);
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
    if (with_body) buf_append_bytes(out, buf_bytes(&response->body));
    if (!keep) http->over = true;
}

static void refuse(struct http1 *http, unsigned status, const char *text) {
    if (http->over) return;
    struct http_response response = {.status = status, .content_type = "text/plain; charset=utf-8"};
    buf_printf(&response.body, "%s\n", text);
    answer(http, &response, false, true);
    buf_free(&response.body);
}

static int on_whole(http_parser *parser) {
    struct http1 *http = parser->data;
    struct connection *c = http->connection;
    struct net_server *server = c->server;
    if (http->over) return 0;
    c->settled = true;
    c->headers_at = 0;
    c->frame_at = io_now(server->io);
    char *path = arena_text(&http->arena, buf_bytes(&http->url)), *query = strchr(path, '?');
    if (query) *query++ = 0;
    struct http_request request = {.method = http_method_str(parser->method), .path = path, .query = query ? query : "",
                                   .body = buf_bytes(&http->body), .arena = &http->arena};
    struct http_response response = {.status = 404};
    if (server->handlers.http) server->handlers.http(server->io, server->handlers.ctx, &request, &response);
    bool keep = http_should_keep_alive(parser) && !server->draining && !wire_full(&c->wire);
    answer(http, &response, keep, parser->method != HTTP_HEAD);
    buf_free(&response.body);
    return 0;
}

/* ---- the request ----------------------------------------------------------------------------------------------- */

static int on_begin(http_parser *parser) {
    struct http1 *http = parser->data;
    arena_free(&http->arena);
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
    refuse(http, 431, "The request's headers are too large.");
    return 1;
}

static int on_url(http_parser *parser, const char *at, size_t len) {
    struct http1 *http = parser->data;
    if (count_header(parser, at, len)) return 1;
    buf_append(&http->url, at, len);
    return 0;
}

static int on_headers(http_parser *parser) {
    if (parser->http_major == 1 && parser->http_minor <= 1) return 0;
    refuse(parser->data, 505, "Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here.");
    return 2;                            /* no body, and no more requests */
}

static int on_body(http_parser *parser, const char *at, size_t len) {
    struct http1 *http = parser->data;
    if (http->body.len + len > HTTP1_BODY_BYTES_MAX) {
        refuse(http, 413, "The request's body is too large.");
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

void http1_received(struct connection *c, struct bytes data) {
    struct http1 *http = c->http1;
    if (http->over) return;
    size_t taken = http_parser_execute(&http->parser, &settings, (const char *)data.data, data.len);
    bool broken = taken < data.len || http->parser.upgrade;
    if (broken && !http->over && HTTP_PARSER_ERRNO(&http->parser) != HPE_INVALID_METHOD)
        refuse(http, 400, "This is neither HTTP/1.1 nor HTTP/2.");
    if (broken || http->over) connection_finish(c);   /* what does not even begin as HTTP gets no answer */
}
