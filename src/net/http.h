/* http: a plain HTTP request, as it passes between the wire (src/net) and the server's pages: HTTP/1.1, or HTTP/2 without a
 * gRPC content type.
 *
 * Life of a request, the like of a call's (rpc.h):
 *  1. net has the whole request, within the limits, and calls the server's handler on the connection's loop.
 *  2. The handler answers at once, or keeps the request, on any loop (it travels by io_post inside other messages), and
 *     ends it once, on the connection's loop, with http_reply. Then the request is net's again and is freed.
 *  3. If the connection breaks, or net's http_reply_ns_max passes (the client is told 504), `cancelled` becomes true and
 *     on_cancel runs once, on the connection's loop. The request must still be ended; nothing is sent then.
 *
 * An HTTP/1.1 connection has one request at a time: what it sends ahead waits, so that answers keep their order. */
#ifndef NORN_NET_HTTP_H
#define NORN_NET_HTTP_H

#include "net/rpc.h"

struct http_request;
typedef void http_cancel_fn(struct io *io, struct http_request *request);

struct http_response {
    unsigned status;
    const char *content_type;            /* NULL: none */
    struct bytes body;
};

struct http_request {
    unsigned loop;                       /* the connection's loop, where the request must end */
    const char *method, *path;           /* path without the query */
    const char *query;                   /* "" when none */
    struct bytes body;
    struct arena *arena;                 /* freed with the request; the handler uses it too */
    bool cancelled;
    http_cancel_fn *on_cancel;           /* set by the handler, or NULL */
    void *service;                       /* the handler's own */
    struct list link;                    /* the handler's own, while it has the request */
    /* net's own: the protocol's way to answer, and to free the request. */
    void (*reply)(struct io *io, struct http_request *request, const struct http_response *response);
};

/* Ends the request. The response is copied at once. */
void http_reply(struct io *io, struct http_request *request, const struct http_response *response);

#endif
