/* store: where durable state lives. One interface; implementations: embedded (journal + SQLite), an in-memory one that
 * answers 'unknown' under seeds, and later PostgreSQL.
 *
 * The engine changes state in memory at once and appends a record of the results; the outcome comes later, in order,
 * and only then may any effect of the change be seen. Behind the journal the engine gives immutable images of the
 * executions that changed; once those are in SQLite an execution may leave memory and be loaded back.
 *
 * Rules:
 *  S1 Records of one loop become durable in the order of store_append; the journal has one sequence for the node, so
 *     that any prefix is a consistent cut.
 *  S2 When a commit fails, every later one of the loop fails too, until store_resume.
 *  S3 An image is written only after the last record that it contains is durable.
 *  S4 Recovery gives, for each execution that the journal touches: its image (when there is one), then its records above
 *     that image's version, in order. A deleted execution is not given at all: the store removes what is left of it.
 *  S5 Records that one callback appends are durable together or not at all.
 */
#ifndef NORN_STORE_STORE_H
#define NORN_STORE_STORE_H

#include "base/status.h"
#include "io/io.h"

enum { NAMESPACE_ID_LEN = 16, RUN_ID_LEN = 16 };      /* UUIDs, raw */

#define STORE_TELL_NS (INT64_C(10) * 1000 * 1000 * 1000)

/* In a data folder; who has it locked owns the folder. */
#define STORE_LOCK_FILE "LOCK"

/* ---- records ----------------------------------------------------------------------------------------------------- */

enum store_record_kind {
    STORE_RECORD_EXECUTION = 1,       /* a change of an execution: payload is the engine's (state patches, history) */
    STORE_RECORD_DELETE = 2,          /* an execution is gone: its rows and history are removed */
    STORE_RECORD_NODE = 3,            /* a value of the whole node (a namespace, a setting): replaces the one before */
};

/* The envelope is the store's, the payload the engine's. namespace, key and codec are in the envelope so that keys per
 * namespace and compression need no new format. */
struct store_record {
    enum store_record_kind kind;
    uint64_t execution;               /* EXECUTION, DELETE: the execution number */
    uint64_t hash;                    /* EXECUTION, DELETE: the shard hash of (namespace, kind, id) */
    uint64_t version;                 /* EXECUTION, DELETE: 1 for its first record, then one more each */
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    uint32_t key_id;                  /* 0: not encrypted */
    uint8_t codec;                    /* 0: not compressed */
    struct bytes name;                /* NODE: "namespace/<uuid>" and so on */
    struct bytes payload;             /* NODE: empty removes the name */
    uint64_t sequence;                /* recovery only: the node's sequence number */
};

/* ---- images -------------------------------------------------------------------------------------------------------- */

struct store_history_batch {
    int64_t first_event_id, last_event_id;
    struct bytes events;              /* a run of encoded History.events fields */
};

/* What list and count show of an execution; table visibility_records. */
struct store_visibility {
    struct bytes workflow_type, task_queue, parent_workflow_id, root_workflow_id;   /* as text */
    int32_t status;                   /* temporal.api.enums.v1.WorkflowExecutionStatus */
    int64_t start_time, execution_time, close_time;      /* ns since 1970; 0: none */
    int64_t history_length, history_size, state_transitions;
    struct bytes memo;                /* encoded temporal.api.common.v1.Memo */
    struct bytes search_attributes;   /* encoded temporal.api.common.v1.SearchAttributes */
    struct bytes search_attributes_json;   /* {"name": value}, for filters */
};

struct store_image {
    uint64_t execution, hash, version;
    uint32_t kind;                    /* 1 workflow */
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    struct bytes workflow_id;         /* text */
    uint8_t run_id[RUN_ID_LEN];
    bool open;
    int64_t next_at;                  /* wall ns of its earliest deadline; 0: none */
    bool has_tasks;                   /* unstarted tasks: recovery loads it */
    struct bytes state;               /* the engine's */
    const struct store_history_batch *batches;    /* those not in an earlier image; when loaded: all, in order */
    size_t batch_count;
    struct store_visibility visibility;
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

struct store_options {
    const char *dir;                  /* data folder; made when absent (0700, files 0600) */
    unsigned loops;                   /* how many loops will attach; 0: 1. No checkpoint and no list before they have */
    uint64_t segment_bytes;           /* 0: 64 MiB */
    uint64_t reserve_bytes;           /* 0: 64 MiB, kept for delete, terminate, retention and checkpoints */
    uint64_t checkpoint_bytes;        /* 0: 64 MiB of journal begin a checkpoint */
    int64_t checkpoint_ns;            /* 0: 60 s after the oldest change that SQLite lacks; idle: none */
    uint64_t cache_bytes;             /* page caches of all connections to SQLite; 0, or more than it: 12 MiB */
    bool no_datasync;                 /* tests only: proves that the trace check sees a missing sync */
    /* Told on loop 0 that reads of the database fail, while the store goes on: at most once in STORE_TELL_NS, with the
     * last error and how many failed since it was told before. NULL: nobody is. */
    void (*reads_fail)(void *ctx, const char *error, uint64_t count);
    void *reads_fail_ctx;
    /* Tests: nothing is kept on a disk, and commits fail as they may with a database elsewhere. One thread. */
    bool memory;
    uint64_t memory_seed;
    uint32_t memory_refused, memory_unknown;     /* commits that fail so, per million */
    const bool *memory_unreadable;    /* not NULL: reads fail while it points to true */
};

/* What recovery tells; called on loop 0, on the opening fiber, in this order: node values, then images and records
 * mixed (S4; of executions that the journal touches, and of all that have tasks), then `idle` for every execution with
 * a deadline (open ones' timers, closed ones' deletion) that was not given as an image. Everything is borrowed. */
struct store_recovery {
    void (*node_value)(void *ctx, struct bytes name, struct bytes payload);
    void (*image)(void *ctx, const struct store_image *image);
    void (*record)(void *ctx, const struct store_record *record);
    void (*idle)(void *ctx, uint64_t execution, uint64_t hash, int64_t next_at);
    void *ctx;
};

struct store;           /* the node's */
struct store_loop;      /* one loop's side of it */

/* What the store asks of the engine on each loop. */
struct store_engine {
    /* Records up to `number` (this loop's) are durable. */
    void (*durable)(void *ctx, uint64_t number);
    /* From `number` on, commits failed (refused) or may have failed (unknown): the engine drops its memory, reloads,
     * and calls store_resume (S2). Never with the embedded store. */
    void (*failed)(void *ctx, uint64_t number, bool unknown);
    /* A checkpoint wants images of every execution that changed since its last image: the engine gives some, at most
     * about `budget` bytes, by store_image_put, and returns true when there are none left that changed before this
     * checkpoint began (`first` is true on the checkpoint's first call). Called again in a later batch until then. */
    bool (*images)(void *ctx, struct store_loop *loop, bool first, size_t budget);
    /* The image of this version is in SQLite: up to it, the execution may leave memory. */
    void (*imaged)(void *ctx, uint64_t execution, uint64_t version);
    /* Visibility rows of executions that changed since they were last given: store_visibility_put each. */
    void (*visibility)(void *ctx, struct store_loop *loop);
    void *ctx;
};

/* Opens or makes the data folder and recovers; on a fiber of loop 0. Errors name what is wrong and what to do: locked
 * by another process, newer format, damage (segment and offset), no access. */
struct status store_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                         struct arena *arena, struct store **out);
/* The highest execution number ever seen, after recovery. */
uint64_t store_execution_max(const struct store *store);
/* The number of starts of this store so far, this one included: the epoch of dispatch nonces. Durable before open
 * returns. */
uint64_t store_epoch(const struct store *store);
/* Attaches the calling loop. Before its first append. */
struct store_loop *store_attach(struct store *store, struct io *io, const struct store_engine *engine);
/* Writes what is pending, a last checkpoint when `checkpoint`, and closes; on a fiber of loop 0, when no loop appends. */
void store_close(struct store *store, bool checkpoint);

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

enum store_class {
    STORE_NORMAL,                     /* refused when the disk is full */
    STORE_RESERVED,                   /* delete, terminate, retention, checkpoints: may use the reserve */
};
/* Asked before state moves: OK, or RESOURCE_EXHAUSTED that says how much room there is and is needed. */
struct status store_admit(struct store_loop *loop, enum store_class class, size_t bytes, struct arena *arena);
/* Hands a record over (copied at once); gives its number on this loop: 1, 2, 3, ... Gathered and written together
 * when the batch of callbacks ends. */
uint64_t store_append(struct store_loop *loop, const struct store_record *record);
/* The last number given, and the last that is durable. */
uint64_t store_appended(const struct store_loop *loop);
uint64_t store_durable(const struct store_loop *loop);
/* After `failed`: gives again what is durable, as store_open did, at once; of all loops, the engine takes what is its
 * own. Then store_resume: later appends may be committed again; those between `failed` and it are lost. */
void store_reload(struct store_loop *loop, const struct store_recovery *recovery);
void store_resume(struct store_loop *loop);

/* Inside store_engine.images and .visibility. Copied at once. */
void store_image_put(struct store_loop *loop, const struct store_image *image);
/* The execution was deleted: rows and history go. Comes instead of an image, once, in .images or .visibility. */
void store_image_delete(struct store_loop *loop, uint64_t execution);
void store_visibility_put(struct store_loop *loop, const struct store_image *image);     /* state and batches unused */

/* Asks for a checkpoint now (memory is short, or an operator asked); done(ctx) runs on this loop when it ended. */
void store_checkpoint(struct store_loop *loop, void (*done)(void *ctx), void *ctx);

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* False: no execution with this hash of (namespace, kind, id) is in SQLite. True: perhaps. No IO. */
bool store_may_have(const struct store_loop *loop, uint64_t hash);

/* Names an execution: by number, or by namespace and id with a run id, or (run_id all zero) the newest run. */
struct store_key {
    uint64_t execution;               /* 0: by the rest */
    uint64_t hash;
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    const char *workflow_id;
    uint8_t run_id[RUN_ID_LEN];
};
/* Loads an execution from SQLite, with all its history, and calls done(ctx, status, image) on this loop. The image is NULL
 * when there is none, and when the status is UNAVAILABLE: the read failed, says the message; it may be asked for again. */
typedef void store_loaded_fn(void *ctx, struct status status, const struct store_image *image);
void store_load(struct store_loop *loop, const struct store_key *key, store_loaded_fn *done, void *ctx);

/* A listing. `where` is SQL over visibility_records' documented columns with ?-parameters, made by src/visibility from
 * the user's filter, never from user text. Before reading, the visibility of everything acknowledged up to the call is
 * applied. Rows come newest first: open ones by start time, then closed ones by close time. */
struct store_list {
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    const char *where;                /* "" is all */
    const struct store_param *params;
    unsigned param_count;
    struct bytes after;               /* page token of the row before; empty: from the start */
    uint32_t limit;
    const char *group_by;             /* count only: a column, or NULL */
};
struct store_param {
    enum { STORE_PARAM_TEXT, STORE_PARAM_INT, STORE_PARAM_DOUBLE, STORE_PARAM_NULL } type;
    struct bytes text;
    int64_t integer;
    double real;
};
struct store_row {
    uint64_t execution;
    uint8_t run_id[RUN_ID_LEN];
    struct bytes workflow_id;
    struct store_visibility visibility;
};
struct store_rows {
    struct status status;             /* not OK: the filter failed in SQL, or the read failed (UNAVAILABLE) */
    const struct store_row *rows;
    size_t count;
    struct bytes next;                /* page token; empty when the page is not full */
};
void store_list(struct store_loop *loop, const struct store_list *list, void (*done)(void *ctx, const struct store_rows *),
                void *ctx);
struct store_count {
    struct bytes group;               /* text of the group; empty without group_by */
    int64_t count;
};
void store_count(struct store_loop *loop, const struct store_list *list,
                 void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count), void *ctx);

/* ---- node values ---------------------------------------------------------------------------------------------------- */
/* Written by store_append with STORE_RECORD_NODE from loop 0 only; kept by their owner in memory, read at recovery. */

struct store_stats {
    uint64_t records, journal_bytes, journal_segments, commits, datasyncs, checkpoints, images, loads, disk_free;
    uint64_t read_errors;             /* loads, lists and transactions that failed as the database could not be read */
    int64_t commit_ns_last, datasync_ns_last, checkpoint_ns_last, checkpoint_lag_ns;
    uint64_t bytes_since_checkpoint;
    bool full;                        /* writes of STORE_NORMAL are refused now */
};
struct store_stats store_stats(const struct store *store);

#endif
