/* rpc: a unary gRPC call, as it passes between the wire (src/net) and the services (src/frontend).
 *
 * Life of a call:
 *  1. net has the whole request message (decompressed, within the limits) and calls the server's handler on the
 *     connection's loop.
 *  2. The service keeps the call as long as it needs, on any loop (it travels by io_post inside other messages), and
 *     ends it once, on the connection's loop, with rpc_reply or rpc_fail. Then the call is net's again and is freed.
 *  3. If the client cancels, the connection breaks or the deadline passes before, `cancelled` becomes true and
 *     on_cancel runs once, on the connection's loop. The service must still end the call; nothing is sent then.
 */
#ifndef NORN_NET_RPC_H
#define NORN_NET_RPC_H

#include "base/arena.h"
#include "base/status.h"
#include "io/io.h"

struct rpc_call;
typedef void rpc_cancel_fn(struct io *io, struct rpc_call *call);

/* Who calls: what is known of the peer. The texts live as long as the call. */
struct rpc_peer {
    struct io_addr addr;
    bool tls;
    const char *certificate_subject;     /* with mutual TLS, "CN=worker-1,O=Acme"; NULL otherwise */
    const char *certificate_names;       /* its subject alternative names, "DNS:a.acme, URI:spiffe://x"; NULL if none */
};

struct rpc_call {
    unsigned loop;                       /* the connection's loop, where the call must end */
    const char *path;                    /* "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution" */
    struct bytes request;                /* the message's bytes; in the arena */
    int64_t received_at;                 /* io_now */
    int64_t deadline;                    /* io_now; INT64_MAX when the client gave none */
    struct rpc_peer peer;
    struct arena arena;                  /* freed with the call; the services use it too */
    bool cancelled;
    rpc_cancel_fn *on_cancel;            /* set by the service, or NULL */
    void *service;                       /* the service's own */
    struct list link;                    /* the service's own, while it has the call */
};

/* The first metadata value with this (lower-case) name; {NULL, 0} when absent. "-bin" values are decoded.
 * A NUL follows the value. */
struct bytes rpc_metadata(const struct rpc_call *call, const char *name);
/* Adds a response header (not a trailer); before the call ends. ASCII name and value. */
void rpc_add_header(struct rpc_call *call, const char *name, const char *value);

/* Ends the call with OK and this message, which is packed (rpc_reply) or copied (rpc_reply_bytes) at once. */
void rpc_reply(struct io *io, struct rpc_call *call, const ProtobufCMessage *message);
void rpc_reply_bytes(struct io *io, struct rpc_call *call, struct bytes message);
/* Ends the call with a status that is not OK. The texts are copied at once. */
void rpc_fail(struct io *io, struct rpc_call *call, struct status status);

#endif
