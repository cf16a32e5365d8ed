/* plain: plain HTTP requests on HTTP/2 (http.h). One is a call, whose service is the handler of such requests. */
#include "net/call.h"

struct plain {
    struct http_request http;
    struct net_call *call;
};

void http_reply(struct io *io, struct http_request *request, const struct http_response *response) {
    CHECK(io_loop_index(io) == request->loop);
    request->reply(io, request, response);
}

static void cancelled(struct io *io, struct rpc_call *rpc) {
    struct plain *plain = rpc->service;
    plain->http.cancelled = true;
    if (plain->http.on_cancel) plain->http.on_cancel(io, &plain->http);
}

static void reply(struct io *io, struct http_request *request, const struct http_response *response) {
    struct net_call *call = CONTAINER_OF(request, struct plain, http)->call;
    if (!net_call_take_back(io, call)) return;
    deadline_clear(&call->server->deadlines, &call->deadline);
    if (response->status == 404 && call->is_post) {   /* more likely a gRPC client with a wrong content type */
        call->is_plain = false;
        net_call_refuse_by_headers(call);
    } else {
        reply_http(call, response);
    }
}

void net_call_plain(struct net_call *call) {
    struct net_server *server = call->server;
    struct arena *arena = &call->rpc.arena;
    struct plain *plain = ARENA_NEW(arena, struct plain);
    char *path = arena_strdup(arena, call->rpc.path), *query = strchr(path, '?');
    if (query) *query++ = 0;
    plain->call = call;
    plain->http = (struct http_request){.loop = call->rpc.loop, .reply = reply, .method = call->method, .path = path,
                                        .query = query ? query : "", .body = buf_bytes(&call->body), .arena = arena};
    int64_t until = io_now(server->io) + server->limits.http_reply_ns_max;
    if (until < call->rpc.deadline) call->rpc.deadline = until;
    deadline_set(&server->deadlines, &call->deadline, call->rpc.deadline);
    call->rpc.service = plain;
    call->rpc.on_cancel = cancelled;
    call->with_service = true;
    server->handlers.http(server->io, server->handlers.ctx, &plain->http);
}

/* The HTTP status of what net refuses by itself. */
static unsigned http_status_of(const struct net_call *call, enum status_code code) {
    switch (code) {
    case STATUS_DEADLINE_EXCEEDED: return call->request_ended ? 504 : 408;
    case STATUS_RESOURCE_EXHAUSTED: return call->headers_too_large ? 431 : 503;
    default: return 500;
    }
}

void net_call_plain_refuse(struct net_call *call, unsigned http_status, struct status status) {
    if (http_status == 200) http_status = http_status_of(call, status.code);
    struct bytes body = bytes_str(arena_printf(&call->rpc.arena, "%s\n", status.message));
    reply_http(call, &(struct http_response){http_status, "text/plain; charset=utf-8", body});
}
