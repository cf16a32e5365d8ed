/* internal: the server's parts, as its own files see them. */
#ifndef NORN_SERVER_INTERNAL_H
#define NORN_SERVER_INTERNAL_H

#include "fiber/fiber.h"
#include "frontend/node_changes.h"
#include "server/server.h"

struct server {
    struct io *io;                          /* of loop 0 */
    const struct config *config;
    struct frontend_shared shared;
    struct route *route;
    unsigned loop_count;
    struct server_loop *loops;
    struct store *store;
    struct node_changes *changes;
    struct tls_config *tls;
    struct io_addr grpc, http, metrics;     /* as bound */
    struct fiber *fiber;                    /* server_main's */
    unsigned awaited;                       /* answers that it waits for */
    int64_t started_at;                     /* io_now */
    bool stop_asked;
    struct io_op signals;
};

/* The node value with the installation's id (norn.node.Cluster). */
#define SERVER_CLUSTER "cluster"

typedef void server_step_fn(struct server_loop *loop);

/* Runs step on every loop, and waits until each has returned. */
void server_each(struct server *server, server_step_fn *step);
/* Inside a step that ends later: the step's answer waits for server_step_done (once for each call). */
void server_step_hold(struct server_loop *loop);
void server_step_done(struct server_loop *loop);

/* The recovery that hands everything to the loop that owns it; ctx is the server. */
struct store_recovery server_recovery(struct server *server);
/* Reads certificates as configured. No TLS: server->tls stays NULL. */
struct status server_load_tls(struct server *server, struct arena *arena);
/* The same files again; the old ones stay when they are not good. */
void server_reload_tls(struct server *server);
/* net_handlers.http: /health and /metrics; ctx is the server's loop. */
void server_http(struct io *io, void *ctx, struct http_request *request);

/* Registers the loop's metrics. */
void server_collect(struct server_loop *loop);

#endif
