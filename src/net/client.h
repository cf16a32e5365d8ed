/* client: a gRPC client connection, for the command line, the simulator's workers, the benchmark and node to node. */
#ifndef NORN_NET_CLIENT_H
#define NORN_NET_CLIENT_H

#include "base/arena.h"
#include "base/status.h"
#include "io/io.h"

struct grpc_client;
struct tls_config;

struct grpc_client_options {
    const char *authority;                /* ":authority"; NULL takes the address */
    struct tls_config *tls;               /* NULL is clear text; borrowed */
    const char *client_name, *client_version;   /* metadata client-name, client-version; NULL leaves them out */
    const char *const *metadata;          /* more of it: name, value, ..., NULL; lower-case names; or NULL */
    uint32_t response_bytes_max;          /* 0: 128 MiB */
    uint32_t connect_streams_max;         /* calls on the way at once, the others wait; 0: as the server allows */
};

/* One response. Lives during the callback, or until grpc_result_free for the waiting form. */
struct grpc_result {
    struct status status;
    struct bytes message;                 /* when status is OK */
    struct arena arena;                   /* what both point to */
};

typedef void grpc_done_fn(struct io *io, void *ctx, struct grpc_result *result);

/* Begins to connect, and connects again when the connection was lost and a call comes. */
struct grpc_client *grpc_client_create(struct io *io, const struct io_addr *addr,
                                       const struct grpc_client_options *options);
/* Sends one unary call; done runs once: with the response, or a status (UNAVAILABLE when the connection fails,
 * DEADLINE_EXCEEDED at `deadline` (io_now)). `request` is copied. The number names the call for grpc_cancel. */
uint64_t grpc_call(struct grpc_client *client, const char *path, struct bytes request, int64_t deadline,
                   grpc_done_fn *done, void *ctx);
/* Resets the stream; done runs with CANCELLED. Unknown numbers are ignored. */
void grpc_cancel(struct grpc_client *client, uint64_t call);
/* On a fiber: waits for the answer. `request` and `response` types by protobuf-c; NULL in *response unless OK, and it
 * lives in result->arena. */
void grpc_call_wait(struct grpc_client *client, const char *path, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type, int64_t deadline, struct grpc_result *result,
                    ProtobufCMessage **response);
void grpc_result_free(struct grpc_result *result);
/* Breaks the connection at once; open calls end with UNAVAILABLE. */
void grpc_client_break(struct grpc_client *client);
/* Closes; open calls end with CANCELLED before `closed` runs and the client is freed. */
void grpc_client_close(struct grpc_client *client, void (*closed)(struct io *io, void *ctx), void *ctx);

#endif
