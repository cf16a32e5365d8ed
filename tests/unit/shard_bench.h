/* shard_bench: a server in small, for tests of the engine: one loop, the embedded store on the simulated disk, real
 * queues, one namespace. Tests run on a fiber and call the engine as the frontend does. */
#ifndef NORN_TESTS_SHARD_BENCH_H
#define NORN_TESTS_SHARD_BENCH_H

#include "fiber/fiber.h"
#include "queue/queue.h"
#include "shard/api.h"
#include "shard/core.h"

struct bench {
    struct io *io;
    struct store *store;
    struct store_loop *loop;
    struct engine *engine;
    struct queues *queues;
    struct namespace_info ns;
    struct arena arena;                /* of the whole test */
    bool sticky_dead;                  /* what host.sticky_alive says */
    struct engine_limits limits;
    uint64_t failing_seed;             /* not 0: the store in memory, where commits fail */
    bool in_memory, unreadable;        /* the store in memory; its reads fail now */
    uint64_t lost;                     /* recovery tells nothing of this execution: it is idle in the store's tables */
};

/* Runs `test` in a world of its own, with an open bench. */
int bench_run(void (*test)(struct bench *bench));
/* The same on a store whose commits may be refused, or have an unknown outcome, under a seed. */
int bench_run_failing(void (*test)(struct bench *bench), uint64_t seed);
/* The same on a store whose reads fail while bench->unreadable is set. */
int bench_run_unreadable(void (*test)(struct bench *bench));

/* Stops the engine, closes the store (with a last checkpoint or without), opens both again. */
void bench_restart(struct bench *bench, bool checkpoint);
/* A checkpoint now, to its end. */
void bench_checkpoint(struct bench *bench);
void bench_wait(struct bench *bench, int64_t ns);

/* A call that may wait. */
struct bench_call {
    struct call call;
    struct fiber *waiter;
    bool ended;
};
struct bench_call *bench_begin(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request);
struct bench_call *bench_poll_begin(struct bench *bench, const char *queue, const char *identity);
struct bench_call *bench_poll_activity_begin(struct bench *bench, const char *queue);
void bench_end(struct bench *bench, struct bench_call *call);          /* waits for its end */
void *bench_response(struct bench *bench, struct bench_call *call, const ProtobufCMessageDescriptor *type);
/* Begins and waits; the status. */
struct status bench_do(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request);
void *bench_ok(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response);

/* Short cuts. Everything is on task queue "queue" with workflow type "type". */
const char *bench_start(struct bench *bench, const char *workflow_id);                        /* its run id */
void bench_signal(struct bench *bench, const char *workflow_id, const char *name);
PollWorkflowTaskQueueResponse *bench_poll(struct bench *bench, const char *queue);
PollActivityTaskQueueResponse *bench_poll_activity(struct bench *bench, const char *queue);
struct status bench_complete(struct bench *bench, const PollWorkflowTaskQueueResponse *task, Command **commands, size_t count);
struct status bench_complete_sticky(struct bench *bench, const PollWorkflowTaskQueueResponse *task, const char *sticky);
struct status bench_fail_task(struct bench *bench, const PollWorkflowTaskQueueResponse *task);
struct status bench_terminate(struct bench *bench, const char *workflow_id);
struct exec *bench_exec(struct bench *bench, const char *workflow_id);

/* The event types of a history in short: "Started S St C ActivityTaskScheduled" (S, St, C, F, T: workflow tasks). */
const char *bench_events(struct bench *bench, const History *history);
const char *bench_history(struct bench *bench, const char *workflow_id, const char *run_id);

#endif
