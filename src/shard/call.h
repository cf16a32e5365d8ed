/* call: one API request on its way through the engine, the queues and back.
 *
 * The frontend makes it from a gRPC call: decoded, authorized, validated as far as that needs no state, and brought to
 * the loop that owns what it is about. There it is ended once, by call_reply or call_fail, perhaps after it waited as a
 * record (a poller, a long poll, a query): a waiting call holds no fiber. Its end travels back to the connection's loop.
 *
 * Reads and refusals are effects too: each ends `gated` by the commit number of the newest state that it saw, and
 * leaves when that is durable (design: the engine). */
#ifndef NORN_SHARD_CALL_H
#define NORN_SHARD_CALL_H

#include "base/arena.h"
#include "base/list.h"
#include "base/status.h"
#include "store/store.h"

struct call;
struct engine;

/* A namespace as requests need it: an immutable snapshot, replaced when it changes, counted by its registry. */
struct namespace_info {
    uint8_t id[NAMESPACE_ID_LEN];
    char id_text[37];
    const char *name;
    int32_t state;                      /* temporal.api.enums.v1.NamespaceState */
    int64_t retention_ns;
    unsigned references;
};

typedef void call_end_fn(struct call *call);

struct call {
    /* Set by the frontend. */
    struct io *io;                      /* of the loop where the call is now */
    struct arena *arena;                /* lives until the call's end has been sent */
    const ProtobufCMessage *request;    /* decoded, in the arena; unknown fields kept */
    struct bytes request_bytes;
    const struct namespace_info *ns;    /* NULL for calls without one */
    const char *method;                 /* "StartWorkflowExecution" */
    const char *client_name, *client_version;   /* metadata; "" when absent */
    const char *supported_features;     /* metadata: a list with commas; "" or NULL when absent */
    int64_t deadline;                   /* io_now; INT64_MAX: none */
    call_end_fn *end;

    /* While it waits. */
    struct list link;                   /* whoever has it */
    void (*on_cancel)(struct call *call);   /* runs on this loop when the client went away; must end the call */
    void *waiter;                       /* whoever has it */
    bool cancelled;

    /* The result, filled by call_reply or call_fail. */
    struct status status;
    struct bytes response;              /* encoded; in the arena */
    struct list effect_link;            /* the engine's, while it waits for the commit */
    uint64_t effect_number;
};

/* Ends the call now (queues, node values: nothing to wait for). */
void call_reply(struct call *call, const ProtobufCMessage *response);
void call_reply_bytes(struct call *call, struct bytes response);
void call_fail(struct call *call, enum status_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void call_fail_status(struct call *call, struct status status);

/* Fills in the result without sending it: the engine sends it (call_send) when its commit number is durable. */
void call_set_reply(struct call *call, const ProtobufCMessage *response);
void call_set_reply_bytes(struct call *call, struct bytes response);
void call_set_fail(struct call *call, struct status status);
void call_send(struct call *call);

#endif
