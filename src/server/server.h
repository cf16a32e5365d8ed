/* server: what one `norn server` process is made of, its start, and its end. */
#ifndef NORN_SERVER_SERVER_H
#define NORN_SERVER_SERVER_H

#include "config/config.h"
#include "frontend/frontend.h"
#include "net/server.h"
#include "net/tls.h"
#include "telemetry/metrics.h"

struct server;

/* One loop's part of the server. */
struct server_loop {
    struct server *server;
    struct io *io;
    struct frontend *frontend;
    struct engine *engine;
    struct queues *queues;
    struct store_loop *store;
    struct net_server *net;
    struct metrics_collector collector;
    struct list scrapers;                   /* requests that wait for the page of the scrape under way */
    bool is_scraping;
};

/* Runs a server until SIGTERM or SIGINT has drained it, or its start has failed; on a large fiber of loop 0, with a
 * configuration that config_finish has passed. Prints where it listens to standard output, what is wrong to standard
 * error. Gives the exit code. */
int server_main(struct io *io, const struct config *config);

/* For metrics: the loops of a serving server, and what belongs to the node. */
unsigned server_loop_count(const struct server *server);
const struct server_loop *server_loop_at(const struct server *server, unsigned index);
struct store *server_store(const struct server *server);
const struct tls_config *server_tls(const struct server *server);

#endif
