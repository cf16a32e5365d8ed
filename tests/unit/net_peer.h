/* net_peer: a server to be tried, and a peer that sends it any bytes. All on fibers of one simulated node, so that
 * hours of waiting cost nothing. */
#ifndef NORN_TESTS_UNIT_NET_PEER_H
#define NORN_TESTS_UNIT_NET_PEER_H

#include "fiber_run.h"
#include "net/client.h"
#include "net/server.h"

/* ---- the server ---- */

/* Methods: /test/Echo answers with the request, /test/Big with as many MiB as the request's text says, /test/Hang when
 * it is cancelled, /test/Fail with a status and a detail, /test/Slow after a second. Others: UNIMPLEMENTED.
 * Plain HTTP: /health answers with the method, the query and the length of the body, /later the same after a second,
 * /hang when it is cancelled. Others: 404. */
struct bench {
    struct io *io;
    struct net_server *server;
    struct io_addr addr;
    unsigned calls, cancels;
    struct bytes last_metadata;          /* "x-bin" of the last call */
    struct rpc_call *hanging;            /* the last call of Hang */
    bool drained;
    struct fiber *fiber;
};

void bench_open(struct bench *bench, struct io *io, const struct net_limits *limits);
/* Drains; nothing may be left. */
void bench_close(struct bench *bench);
/* The server still serves: a new connection and a call. */
void bench_check(struct bench *bench);
/* One call on a connection of its own; the message in *reply, when OK. */
enum status_code bench_call(struct bench *bench, const char *path, struct bytes request, struct buf *reply);

void nap(struct io *io, int64_t ms);

/* ---- a client, on fibers ---- */

struct outcome {                         /* of a grpc_call */
    bool done;
    struct status status;
    struct buf message;
    struct arena arena;
    struct fiber *waiter;
};
void outcome_take(struct io *io, void *outcome, struct grpc_result *result);
void outcome_wait(struct io *io, struct outcome *outcome);
void outcome_free(struct outcome *outcome);
void client_closed(struct io *io, void *fiber);
void client_close_wait(struct io *io, struct grpc_client *client);

/* ---- a peer of raw bytes ---- */

struct peer {
    struct io *io;
    struct io_sock sock;
    struct io_op receive;
    struct buf in;
    bool ended;                          /* by the server */
    bool deaf;                           /* reads nothing */
    struct fiber *waiter;
};

void peer_open(struct peer *peer, struct bench *bench);
/* False when the server has closed. */
bool peer_send(struct peer *peer, const void *data, size_t len);
bool peer_text(struct peer *peer, const char *text);
/* The preface and empty settings. */
void peer_greet(struct peer *peer);
bool peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len);
/* HEADERS of a gRPC request, END_HEADERS set; `more` is HPACK after them. */
bool peer_request(struct peer *peer, uint32_t stream, const char *path, struct bytes more, bool end);
/* A literal header, appended to *block. */
void hpack_literal(struct buf *block, const char *name, const char *value);
/* Waits up to `ms` for the server to end the connection. */
bool peer_wait_end(struct peer *peer, int64_t ms);
void peer_close(struct peer *peer);

/* Looks through what arrived for a frame of this type on this stream; its payload in *payload. `skip` passes over that
 * many. */
bool peer_find(const struct peer *peer, uint8_t type, uint32_t stream, unsigned skip, struct bytes *payload);
/* The error code of the GOAWAY that arrived; -1 when none did. */
int64_t peer_goaway(const struct peer *peer);
bool peer_has(const struct peer *peer, const char *text);

#endif
