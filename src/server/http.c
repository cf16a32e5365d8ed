/* http: the plain HTTP pages: /health and /metrics. */
#include <string.h>

#include "server/internal.h"
#include "telemetry/metrics.h"

static void text(struct http_response *response, unsigned status, const char *content) {
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    buf_append_str(&response->body, content);
}

static void metrics(struct io *io, struct http_response *response) {
    struct metrics_page *page = metrics_page_create();
    metrics_collect(io, page);
    metrics_render(page, &response->body);
    metrics_page_destroy(page);
    response->status = 200;
    response->content_type = METRICS_CONTENT_TYPE;
}

void server_http(struct io *io, void *ctx, const struct http_request *request, struct http_response *response) {
    const struct server_loop *loop = ctx;
    bool known = strcmp(request->path, "/health") == 0 || strcmp(request->path, "/metrics") == 0;
    if (!known) text(response, 404, "not found; here are /health and /metrics\n");
    else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
        text(response, 405, "method not allowed; use GET\n");
    else if (strcmp(request->path, "/metrics") == 0) metrics(io, response);
    else if (loop->frontend->stopping) text(response, 503, "draining\n");
    else text(response, 200, "serving\n");
}
