/* core: the inside of the engine, for files of src/shard.
 *
 * How a request runs (all in one callback, nothing waits):
 *
 *     void engine_signal_workflow_execution(struct engine *engine, struct call *call) {
 *         const Request *request = (const void *)call->request;
 *         struct exec *exec = engine_find(engine, call, engine_signal_workflow_execution, workflow_id, run_id);
 *         if (!exec) return;                    // parked until loaded, or refused: either way not ours any more
 *         if (...) { engine_fail(engine, exec, call, status_invalid(call->arena, ...)); return; }   // all checks first
 *         struct txn txn;
 *         txn_begin(&txn, engine, exec);
 *         ... txn_add_event, exec_touch, workflow_task_wake ...
 *         txn_reply(&txn, call, &response.base);
 *         txn_commit(&txn);
 *     }
 */
#ifndef NORN_SHARD_CORE_H
#define NORN_SHARD_CORE_H

#include "base/uuid.h"
#include "io/io.h"
#include "shard/engine.h"
#include "shard/exec.h"
#include "shard/txn.h"
#include "shard/waits.h"

enum { SECOND_NS = 1000000000 };
#define SECONDS(n) ((int64_t)(n) * SECOND_NS)

struct heap_entry {                    /* of the deadline heap; also for executions that are not in memory */
    int64_t at;
    uint64_t number;
};

/* All runs of one workflow id that are in memory. */
struct exec_id {
    struct map_node node;              /* engine.ids, by the shard hash */
    struct list runs;                  /* exec.id_link, newest first */
    uint64_t newest;                   /* number of the newest run, in memory or not; 0: not known */
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    char workflow_id[];
};

struct engine {
    struct io *io;
    struct store_loop *store;
    struct engine_host host;
    struct engine_limits limits;
    int64_t clock_wall, clock_now;     /* engine_wall's last reading, and io_now then */
    uint64_t epoch;                    /* of dispatch nonces: one a start of the store */
    uint64_t dispatches;               /* counter of dispatch nonces */
    uint64_t next_number, number_step;
    uint64_t last_query;               /* query numbers */
    bool started, stopped;

    struct map by_number, by_run, ids;
    struct list lru;                   /* resident executions, oldest use first */
    struct list dirty, visibility;
    struct list checkpoint;            /* dirty ones that the running checkpoint still wants */
    struct list loads;                 /* struct load: reads of the store under way, with parked calls */
    struct list loads_waiting;         /* of these, those that there is no room for yet (memory.h) */
    uint64_t loads_begun, load_room;   /* load_room: bytes that one is expected to need */
    bool relieving, relieved;          /* a checkpoint that makes room runs; one has ended, and no load has begun since */
    uint64_t forced_at;                /* what was in use when the last load began for which there was no room */
    int64_t walk_at;                   /* when to look through `lru` again */
    uint64_t freed_bytes;              /* since memory was given back to the system */
    const struct load *absent;         /* while parked calls run again after a load that found nothing */

    struct list waiting_calls;         /* effects in order of their commit number */
    struct list waiting_tasks;
    uint64_t durable;                  /* last durable number */

    struct heap_entry *heap;           /* by (at, number) */
    size_t heap_count, heap_cap, heap_stale;
    struct io_op timer;
    int64_t timer_at;                  /* wall time that the timer is set for; 0: not set */
    struct io_hook hook;               /* evicts after a batch */

    struct heap waits;                 /* struct wait: what waits here, by deadline */
    uint64_t wait_count;
    struct io_op wait_timer;
    int64_t wait_timer_at;

    struct buf record;                 /* the next record is packed here */
    struct history_tail *spare_tail;

    struct engine_stats stats;
};

/* ---- finding ---- */

/* The execution of a request: by run id, or the newest run when that is empty. NULL: the call was parked (`again` runs
 * when it is loaded) or has failed with NOT_FOUND or INVALID_ARGUMENT. */
struct exec *engine_find(struct engine *engine, struct call *call, engine_call_fn *again, const char *workflow_id,
                         const char *run_id);
/* The same for a task token. */
struct exec *engine_find_token(struct engine *engine, struct call *call, engine_call_fn *again, const TaskToken *token);
/* In memory only; NULL when not. */
struct exec *engine_resident(struct engine *engine, uint64_t number);

/* ---- ending calls ---- */

/* Reads and refusals leave when the state that they saw is durable. `exec` NULL: everything so far. */
void engine_reply(struct engine *engine, struct exec *exec, struct call *call, const ProtobufCMessage *response);
void engine_reply_bytes(struct engine *engine, struct exec *exec, struct call *call, struct bytes response);
void engine_fail(struct engine *engine, struct exec *exec, struct call *call, struct status status);
/* Sends a call that has its result (call_set_*) when commit `gate` is durable; at once when it is already. */
void engine_send_gated(struct engine *engine, struct call *call, uint64_t gate);
void engine_poll_again(struct engine *engine, const struct queue_name *name, struct call *poll);

/* ---- odds and ends ---- */

/* A new run id, raw. */
void engine_new_run_id(struct engine *engine, uint8_t run_id[RUN_ID_LEN]);
/* The queue of a workflow's tasks. */
struct queue_name engine_queue(const struct exec *exec, enum queue_type type, const char *name);
/* The name of the namespace (it is not in the state: names are the registry's); "" when it is gone. */
const char *engine_namespace_name(struct engine *engine, const struct exec *exec);
/* Limits with their defaults. */
static inline uint64_t limit_or(uint64_t limit, uint64_t otherwise) { return limit ? limit : otherwise; }

/* Time of day in ns since 1970, which never goes back. All times of executions are of this clock. */
int64_t engine_wall(struct engine *engine);

#endif
