/* engine: the history service of one loop: its executions, their state machines, timers, and effects.
 *
 * Everything here runs in callbacks of the loop and never waits. A request that needs an execution which is not in
 * memory is kept until the store has loaded it, and then runs from its start again.
 *
 * Order of things in one change (a transaction, txn.h): state moves in memory, a record of the results is appended, and
 * its effects (replies, tasks for queues, deadlines) leave when the record is durable. */
#ifndef NORN_SHARD_ENGINE_H
#define NORN_SHARD_ENGINE_H

#include "cluster/route.h"
#include "queue/queue.h"
#include "shard/call.h"
#include "store/store.h"

/* What an engine needs of the rest of the server. All calls are on the engine's loop. */
struct engine_host {
    /* Brings a task to the queue that owns it, on whatever loop. */
    void (*add_task)(void *ctx, const struct queue_name *name, const struct queue_task *task);
    void (*remove_task)(void *ctx, const struct queue_name *name, const struct queue_task *task);
    /* A poll whose task was stale goes back to its queue. */
    void (*poll_again)(void *ctx, const struct queue_name *name, struct call *poll);
    /* Whether a sticky queue had a poller in the last 10 s, as far as is known on this loop (true when unknown). */
    bool (*sticky_alive)(void *ctx, const struct queue_name *name);
    /* The namespace's snapshot; NULL when it is gone. Borrowed for the callback. */
    const struct namespace_info *(*namespace_by_id)(void *ctx, const uint8_t id[NAMESPACE_ID_LEN]);
    /* The declared type of a custom search attribute (temporal.api.enums.v1.IndexedValueType); 0: not defined. */
    int32_t (*search_attribute_type)(void *ctx, const uint8_t namespace_id[NAMESPACE_ID_LEN], const char *name);
    void *ctx;
};

/* Limits have the names of Temporal's dynamic configuration; zero takes the default there. */
struct engine_limits {
    uint64_t memory_bytes;                       /* of the node's whole heap (memory.h); 0: none */
    uint32_t blob_size_limit_error;              /* 2 MiB */
    uint32_t memo_size_limit_error;              /* 2 MiB */
    uint32_t id_length_max;                      /* maxIDLength 1000 */
    uint32_t pending_activities_max;             /* 2000 */
    uint32_t pending_signals_max;                /* 2000 */
    uint32_t signals_per_execution_max;          /* 10000 */
    uint32_t history_count_max;                  /* 51200: terminated beyond */
    uint64_t history_size_max;                   /* 50 MiB */
    uint32_t buffered_events_max;                /* 100 */
    uint32_t buffered_events_bytes_max;          /* 2 MiB */
    uint64_t heartbeat_timeout_ns;               /* 30 minutes, in which a task may be heartbeated on */
    uint32_t buffered_queries_max;               /* 1 */
    uint32_t task_problems_min;                  /* 5 failed workflow tasks in a row set TemporalReportedProblems */
};

struct engine;

/* Made before the store is open, for recovery goes through it. */
struct engine *engine_create(struct io *io, const struct engine_host *host, const struct engine_limits *limits);
/* The store is open; after recovery, before engine_start. `epoch` is store_epoch: it tells this start's dispatch nonces
 * from those of earlier ones. */
void engine_attach(struct engine *engine, struct store_loop *store, uint64_t epoch);
void engine_destroy(struct engine *engine);
/* Hooks for store_attach. */
struct store_engine engine_store_hooks(struct engine *engine);
/* New executions of this engine get first, first + step, ... */
void engine_set_numbers(struct engine *engine, uint64_t first, uint64_t step);

/* Recovery, before engine_start: what belongs to this loop, in the store's order. */
void engine_recover_image(struct engine *engine, const struct store_image *image);
void engine_recover_record(struct engine *engine, const struct store_record *record);
void engine_recover_idle(struct engine *engine, uint64_t execution, uint64_t hash, int64_t next_at);
/* Serves from here on: unstarted tasks are sent to their queues, deadlines run. */
void engine_start(struct engine *engine);
/* Stops deadlines and ends every waiting call with UNAVAILABLE. */
void engine_stop(struct engine *engine);

/* Requests about workflow executions, one function for each RPC: name and types as in
 * temporal.api.workflowservice.v1, the request in call->request. Each ends the call, now or later. The caller has
 * checked that the loop owns the execution. Task-token calls: the token was decoded by shard/token.h to route. */
typedef void engine_call_fn(struct engine *engine, struct call *call);
#define ENGINE_CALLS(X)                                                                                        \
    X(start_workflow_execution)                                                                                \
    X(signal_with_start_workflow_execution)                                                                    \
    X(signal_workflow_execution)                                                                               \
    X(request_cancel_workflow_execution)                                                                       \
    X(terminate_workflow_execution)                                                                            \
    X(delete_workflow_execution)                                                                               \
    X(describe_workflow_execution)                                                                             \
    X(get_workflow_execution_history)                                                                          \
    X(get_workflow_execution_history_reverse)                                                                  \
    X(query_workflow)                                                                                          \
    X(respond_workflow_task_completed)                                                                         \
    X(respond_workflow_task_failed)                                                                            \
    X(respond_query_task_completed)                                                                            \
    X(reset_sticky_task_queue)                                                                                 \
    X(respond_activity_task_completed)                                                                         \
    X(respond_activity_task_failed)                                                                            \
    X(respond_activity_task_canceled)                                                                          \
    X(record_activity_task_heartbeat)                                                                          \
    X(respond_activity_task_completed_by_id)                                                                   \
    X(respond_activity_task_failed_by_id)                                                                      \
    X(respond_activity_task_canceled_by_id)                                                                    \
    X(record_activity_task_heartbeat_by_id)
#define X(name) void engine_##name(struct engine *engine, struct call *call);
ENGINE_CALLS(X)
#undef X

/* A queue has matched a task with a poll (PollWorkflowTaskQueue or PollActivityTaskQueue, in poll->request): starts
 * the task and answers, or gives the poll back by host.poll_again. */
void engine_start_task(struct engine *engine, const struct queue_name *name, const struct queue_task *task,
                       struct call *poll);

/* Explain of norn.admin.v1: what a run waits for, and since when. */
void engine_explain(struct engine *engine, struct call *call);

struct engine_stats {
    uint64_t resident, resident_bytes, open, transitions, workflows_started, workflows_closed, loads, evictions;
    uint64_t deadlines, loads_waiting, loads_failed;
};
struct engine_stats engine_stats(const struct engine *engine);

/* For the simulator's checkers and for tests: rebuilds every resident execution from its history and compares with the
 * live state; stops the process on a difference. */
void engine_verify(struct engine *engine);

#endif
