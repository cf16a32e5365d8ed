/* connection: one accepted connection, and what the server's files share about it.
 *
 * Who does what: server.c listens and drains; connection.c finds out the protocol, keeps the connection's times and
 * closes it; h2_server.c turns HTTP/2 frames into calls, request.c gathers what a call asks, call.c has its life and
 * reply.c its answer; internal.c has the services of our own; plain.c has the requests that are not gRPC; http1.c speaks
 * HTTP/1.1.
 *
 * Life of a connection: DETECT (TLS and the first bytes) -> H2 or HTTP1 -> OVER (our last bytes leave, then our end of
 * the stream, then the peer's end or a short while) -> closed and freed. Its calls are cut loose when it closes; those
 * that a service still has live on until the service ends them. */
#ifndef NORN_NET_CONNECTION_H
#define NORN_NET_CONNECTION_H

#include <nghttp2/nghttp2.h>

#include "net/deadline.h"
#include "net/h2_guard.h"
#include "net/server.h"
#include "net/wire.h"

struct gzip;
struct h2_memory;
struct http1;

struct net_server {
    struct io *io;
    struct net_limits limits;
    struct net_handlers handlers;
    struct list listeners, connections, dirty;
    struct io_hook hook;                 /* sends what a batch of callbacks wrote */
    struct deadlines deadlines;
    struct wire_pool pool;
    struct arena_pool arenas;            /* of calls */
    struct gzip *gzip;
    nghttp2_session_callbacks *h2_callbacks;
    nghttp2_option *h2_option;
    struct h2_memory *h2_memory;
    struct net_stats stats;
    size_t request_bytes;                /* of all requests that are not whole yet */
    bool draining, stopped;
    struct deadline drain;
    void (*drained)(struct io *io, void *ctx);
    void *drained_ctx;
};

enum connection_state { CONNECTION_DETECT, CONNECTION_H2, CONNECTION_HTTP1, CONNECTION_OVER };

struct connection {
    struct wire wire;
    struct net_server *server;
    struct list link, dirty;             /* in server->connections, server->dirty */
    struct list calls;
    struct deadline deadline;            /* looks at all the times below */
    nghttp2_session *h2;
    struct h2_guard guard;
    struct http1 *http1;
    struct io_addr peer;
    uint8_t state;                       /* enum connection_state */
    bool settled;                        /* the first request or settings came */
    bool goaway_begun, goaway_done, ping_waits;
    uint8_t preface_len;
    uint8_t preface[24];
    unsigned call_count;
    int64_t opened_at, frame_at, ping_at, headers_at, idle_at, goaway_at, over_at;
    int64_t budget_at;
    int32_t budget;                      /* for frames that ask for work and bring none */
    size_t request_bytes;                /* of requests that are not whole yet */
    size_t reply_bytes;                  /* replies not yet given to the wire */
    int64_t reply_at;                    /* when some last were */
};

/* ---- connection.c ---- */
void connection_open(struct net_server *server, struct io_sock sock, const struct io_addr *peer,
                     struct tls_session *session);
/* Something was written: the hook sends it. */
void connection_touch(struct connection *connection);
void connection_flush(struct connection *connection);
/* No more requests; closes when the open ones have ended. */
void connection_goaway(struct connection *connection);
/* Sends what is written, then ends. */
void connection_finish(struct connection *connection);
/* Ends now. */
void connection_close(struct connection *connection);

/* ---- h2_server.c ---- */
void h2_server_init(struct net_server *server);
void h2_server_open(struct connection *connection);
void h2_server_received(struct connection *connection, struct bytes data);

/* ---- http1.c ---- */
void http1_open(struct connection *connection);
void http1_received(struct connection *connection, struct bytes data);
/* Whether a request waits for its answer. */
bool http1_waits(const struct connection *connection);
/* Nobody waits for an answer any more. */
void http1_cut(struct connection *connection);
void http1_free(struct connection *connection);

/* ---- server.c ---- */
void server_connection_closed(struct net_server *server);
void server_call_freed(struct net_server *server);

#endif
