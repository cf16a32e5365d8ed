/* http: the plain HTTP pages: /health and /metrics.
 *
 * A page of metrics visits all loops. One scrape is under way for a loop; who asks meanwhile gets its page as well. */
#include <string.h>

#include "server/internal.h"
#include "telemetry/metrics.h"

static void text(struct io *io, struct http_request *request, unsigned status, const char *content) {
    http_reply(io, request, &(struct http_response){status, "text/plain; charset=utf-8", bytes_str(content)});
}

static void scraped(struct io *io, void *ctx, struct metrics_page *page) {
    struct server_loop *loop = ctx;
    struct buf text = {0};
    metrics_render(page, &text);
    metrics_page_destroy(page);
    loop->is_scraping = false;
    struct http_response response = {200, METRICS_CONTENT_TYPE, buf_bytes(&text)};
    for (struct list *node; (node = list_pop_front(&loop->scrapers));)
        http_reply(io, LIST_ENTRY(node, struct http_request, link), &response);
    buf_free(&text);
}

static void metrics(struct io *io, struct server_loop *loop, struct http_request *request) {
    list_push_back(&loop->scrapers, &request->link);
    if (loop->is_scraping) return;
    loop->is_scraping = true;
    metrics_scrape(io, scraped, loop);
}

void server_http(struct io *io, void *ctx, struct http_request *request) {
    struct server_loop *loop = ctx;
    bool known = strcmp(request->path, "/health") == 0 || strcmp(request->path, "/metrics") == 0;
    if (!known) text(io, request, 404, "not found; here are /health and /metrics\n");
    else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        text(io, request, 405, "method not allowed; use GET\n");
    else if (strcmp(request->path, "/metrics") == 0) metrics(io, loop, request);
    else if (loop->frontend->stopping) text(io, request, 503, "draining\n");
    else text(io, request, 200, "serving\n");
}
