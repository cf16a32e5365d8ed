/* client_internal: what the client's files share. client.c has the calls and their ends; client_link.c a connection and
 * its HTTP/2 frames.
 *
 * A client has at most one current link. A link that got GOAWAY is no longer current, and ends with its last call. */
#ifndef NORN_NET_CLIENT_INTERNAL_H
#define NORN_NET_CLIENT_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "base/map.h"
#include "net/client.h"
#include "net/deadline.h"
#include "net/grpc.h"
#include "net/wire.h"

struct link {
    struct wire wire;
    struct grpc_client *client;
    struct list link;                    /* client->links */
    struct list calls;                   /* submitted, or waiting for `ready` */
    struct io_op connect;
    struct io_hook hook;
    struct deadline deadline;
    nghttp2_session *h2;
    bool connected, ready, ping_waits, over;
    int64_t frame_at, ping_at;
    const char *why;                     /* it ended */
};

struct grpc_client {
    struct io *io;
    struct io_addr addr;
    struct arena arena;                  /* of the options' texts */
    struct grpc_client_options options;
    struct deadlines deadlines;
    struct wire_pool pool;
    struct gzip *gzip;
    struct link *current;
    struct list links, ended;            /* ended: calls whose `done` is due */
    struct list waiting;                 /* for connect_streams_max */
    unsigned submitted;
    struct map calls;                    /* by number */
    uint64_t next_number;
    struct io_op report;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct h2_memory *memory;
    bool closing;
    void (*closed)(struct io *io, void *ctx);
    void *closed_ctx;
};

struct client_call {
    struct grpc_client *client;
    struct link *carrier;                /* NULL: not on a link */
    struct list link;                    /* carrier->calls, client->waiting or client->ended */
    struct map_node node;
    uint64_t number;
    int32_t stream_id;                   /* 0: not submitted */
    bool refused_once, has_status, over;
    const char *path;
    struct bytes request;                /* with its prefix */
    size_t sent;
    struct deadline deadline;
    int64_t deadline_at;
    grpc_done_fn *done;
    void *ctx;

    unsigned http_status;
    bool is_grpc, is_gzip;
    uint8_t prefix[GRPC_PREFIX_LEN], prefix_len;
    uint32_t message_len;
    struct buf body;
    bool has_message;
    struct grpc_result result;           /* its arena holds the call */
};

/* ---- client.c ---- */
/* The call has its status; `done` runs in a later batch. */
void client_call_end(struct client_call *call, struct status status);
void client_call_data(struct client_call *call, struct bytes data);
/* Its stream ended: by trailers, or with this HTTP/2 code. */
void client_call_stream_closed(struct client_call *call, uint32_t code);
/* Finds a link for it, or waits. */
void client_call_route(struct client_call *call);
void client_link_gone(struct grpc_client *client);

/* ---- client_link.c ---- */
void client_link_init(struct grpc_client *client);
struct link *client_link_open(struct grpc_client *client);
void client_link_submit(struct link *link, struct client_call *call);
void client_link_reset(struct link *link, struct client_call *call);
/* Ends now: its calls end with UNAVAILABLE and this reason. */
void client_link_close(struct link *link, const char *why);

#endif
