/* server: listeners of one loop, and all connections on them: TLS, HTTP/2 with gRPC, and HTTP/1.1.
 *
 * Each loop that serves has a net_server of its own; with io_listen's sharing the kernel spreads the connections. */
#ifndef NORN_NET_SERVER_H
#define NORN_NET_SERVER_H

#include "net/http.h"

struct net_server;
struct tls_config;                        /* net/tls.h */

/* Every limit of the wire, in one place. Zero takes the default beside it. */
struct net_limits {
    uint32_t connections_max;             /* 20,000 a loop */
    uint32_t streams_per_connection_max;  /* 1,000 */
    uint32_t header_bytes_max;            /* 32 KiB, of one request */
    uint32_t request_bytes_max;           /* 4 MiB + 64 KiB; larger: RESOURCE_EXHAUSTED in grpc-go's words */
    uint32_t send_buffer_bytes_max;       /* 16 MiB a connection; a peer that does not read is closed */
    uint32_t gzip_reply_bytes_min;        /* 8 KiB: smaller replies are not worth the CPU; only to gzip requests */
    int64_t handshake_ns_max;             /* 10 s for TLS and the first request */
    int64_t idle_ns_max;                  /* 0: never; an idle connection gets GOAWAY */
    int64_t keepalive_ns;                 /* 60 s without a frame: PING; 20 s without its answer: closed */
    int64_t keepalive_answer_ns;
    int64_t http_reply_ns_max;            /* 75 s for the answer to a plain HTTP request; a long poll takes up to 60 */
    int64_t drain_ns_max;                 /* 10 s */
};

struct net_handlers {
    /* Every gRPC call but those that net answers itself (health, reflection). */
    void (*rpc)(struct io *io, void *ctx, struct rpc_call *call);
    /* Every plain HTTP request. NULL: there are none. */
    void (*http)(struct io *io, void *ctx, struct http_request *request);
    /* Whether service `name` ("" is the server as a whole) is known, and serving (grpc.health.v1). */
    bool (*healthy)(struct io *io, void *ctx, const char *name, bool *known);
    void *ctx;
};

struct net_server *net_server_create(struct io *io, const struct net_limits *limits,
                                     const struct net_handlers *handlers);
/* Listens on addr; both HTTP/2 (prior knowledge, or ALPN h2) and HTTP/1.1 are spoken on it, told apart by the first
 * bytes. `tls` NULL is clear text; else it is borrowed and may be reloaded meanwhile. *bound tells the port taken.
 * 0 or a negated enum io_err. */
int64_t net_server_listen(struct net_server *server, const struct io_addr *addr, bool shared, struct tls_config *tls,
                          struct io_addr *bound);
/* Stops accepting, sends GOAWAY, lets calls end until drain_ns_max, closes, then calls done(io, ctx). */
void net_server_drain(struct net_server *server, void (*done)(struct io *io, void *ctx), void *ctx);
/* After the drain has ended. */
void net_server_destroy(struct net_server *server);

struct net_stats {
    uint64_t connections_open, connections_total, calls_open, calls_total, bytes_in, bytes_out, refused;
};
struct net_stats net_server_stats(const struct net_server *server);

#endif
