/* directory: which executions are in memory, and how the others come: by number, by run id, and by namespace and
 * workflow id (whose newest run is meant when no run id is given).
 *
 * What the store's tables lack is always resident, so the answer is the union of both. A deleted execution stays as a
 * tombstone until its rows are gone. */
#ifndef NORN_SHARD_DIRECTORY_H
#define NORN_SHARD_DIRECTORY_H

#include "shard/core.h"

enum found { FOUND, FOUND_NONE, FOUND_LATER };

/* A read of the store under way, and what runs again when it has ended. */
struct parked {
    struct list link;
    struct engine *engine;
    struct call *call;
    void *waiter;                      /* the call's, before: a poll's place in its queue */
    engine_call_fn *again;             /* a request; NULL: engine_start_task with the rest */
    struct queue_name name;            /* name.name.data is `text` */
    struct queue_task task;
    char text[];
};
struct load {
    struct list link;                  /* engine.loads */
    struct list wait_link;             /* engine.loads_waiting, until it begins */
    struct engine *engine;
    struct list parked;
    struct list held;                  /* tasks that go back to their queues before it is tried again (load_failed.h) */
    struct wait again;                 /* until it is tried again */
    struct store_key key;              /* its workflow_id is `workflow_id` */
    bool due;                          /* a deadline waits for it */
    unsigned failures;                 /* in a row */
    bool stale;                        /* a run that it may bring left memory since: what was read may be older */
    uint64_t successor;                /* the execution that is in doubt until this has ended; 0: none */
    char workflow_id[];
};

/* Looks up a run by id, or (run_id all zero) the one that took the workflow id last; when that was deleted there is
 * none, whatever older runs there are (info.superseded). FOUND_LATER: *load is where to park. */
enum found directory_find(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN], const char *workflow_id,
                          const uint8_t run_id[RUN_ID_LEN], struct exec **exec, struct load **load);
enum found directory_find_number(struct engine *engine, uint64_t number, uint64_t hash, struct exec **exec,
                                 struct load **load);
/* The same for an execution that is due but not in memory, whose hash is not known: loads it. */
void directory_load_idle(struct engine *engine, uint64_t number);
/* Holds all that asks for `exec` back until its predecessor was read, and then tells recover_settle. */
void directory_doubt(struct engine *engine, struct exec *exec);
void directory_park(struct load *load, struct call *call, engine_call_fn *again);
void directory_park_task(struct load *load, struct call *poll, const struct queue_name *name,
                         const struct queue_task *task);

/* The call is as it was before it was parked. */
struct call *directory_unpark(struct parked *parked);
/* Asks the store; memory_load says when. */
void directory_begin_load(struct load *load);

/* In memory, a tombstone too; NULL when not. */
struct exec *directory_any(struct engine *engine, uint64_t number);
/* A new run, with its ids and nothing else; it is the newest of its workflow id. */
struct exec *directory_new(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN], const char *workflow_id,
                           const uint8_t run_id[RUN_ID_LEN], uint64_t hash);
/* Puts a recovered or loaded execution, whose Start is known, into the tables. */
void directory_insert(struct engine *engine, struct exec *exec);
/* From an image of the store. NULL when it is malformed. */
struct exec *directory_from_image(struct engine *engine, const struct store_image *image);
/* After each record: counts its memory, puts it among the changed. */
void directory_changed(struct engine *engine, struct exec *exec);
void directory_used(struct engine *engine, struct exec *exec);
/* Out of the tables and freed. */
void directory_drop(struct engine *engine, struct exec *exec);
/* May leave memory: the store has its last change, and nobody holds it. */
bool directory_evictable(struct engine *engine, const struct exec *exec);
/* Ends every parked call with UNAVAILABLE. */
void directory_stop(struct engine *engine);

#endif
