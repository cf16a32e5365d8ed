/* exec: the state of one workflow execution (a run) in memory.
 *
 * It is made of sub-objects, each a message of proto/norn/state.proto: singles (Start, Info, ...) and sets of items
 * (activities, timers, ...). They belong to the heap (mem.h) by exec_allocator. Whoever changes one marks it
 * (exec_touch, exec_touch_item); txn_commit packs what was marked into the record. Nothing else persists.
 *
 * Which sub-objects an event touches stands in apply.h. */
#ifndef NORN_SHARD_EXEC_H
#define NORN_SHARD_EXEC_H

#include "base/list.h"
#include "base/map.h"
#include "shard/api.h"
#include "shard/history.h"
#include "store/store.h"

struct engine;
struct exec_id;      /* directory.h: all runs of a workflow id */

/* Numbers as in Patch.kind. */
enum state_kind {
    STATE_START = 1,
    STATE_INFO = 2,
    STATE_WORKFLOW_TASK = 3,
    STATE_MEMO = 4,
    STATE_SEARCH_ATTRIBUTES = 5,
    STATE_WORKERS = 6,
    STATE_ACTIVITY = 8,                /* key: scheduled event id; text: activity id */
    STATE_TIMER = 9,                   /* key: started event id; text: timer id */
    STATE_BUFFERED = 10,               /* key: sequence */
    STATE_REQUEST = 11,                /* key: sequence; text: request id */
    STATE_SIGNAL_REQUEST = 12,         /* key: sequence; text: request id */
    STATE_KIND_COUNT,
};
static inline bool state_is_set(enum state_kind kind) { return kind >= STATE_ACTIVITY; }

/* One member of a set. */
struct item {
    struct list link;                  /* items.order */
    struct map_node by_key, by_text;
    int64_t key;
    enum state_kind kind;
    bool fresh;                        /* no record has it yet */
    bool marked;
    struct list marked_link;           /* exec.marked or exec.removed */
    union {
        ProtobufCMessage *value;
        StateActivity *activity;
        StateTimer *timer;
        StateBuffered *buffered;
        StateRequest *request;
        StateSignalRequest *signal_request;
    };
};
struct items {
    struct list order;                 /* by arrival (or key, which is the same) */
    struct map by_key, by_text;
    unsigned count;
};

struct exec {
    struct engine *engine;
    uint64_t number, hash;
    uint64_t version;                  /* of the last record; 0: none yet */
    uint64_t commit;                   /* store_append's number of the last record; 0: from the store */
    uint64_t imaged;                   /* version in the store's tables, as far as is known */
    uint64_t image_given;              /* version of the last image that was given */
    uint8_t run_id[RUN_ID_LEN];

    StateStart *start;
    StateInfo *info;
    StateWorkflowTask *task;           /* NULL: none pending */
    Memo *memo;                        /* NULL: none */
    SearchAttributes *search_attributes;       /* those of events; attributes_shown adds the server's own */
    StateWorkers *workers;             /* NULL: none that names a build */
    struct items sets[STATE_KIND_COUNT - STATE_ACTIVITY];
    struct history history;

    /* Changes since the last record. */
    uint32_t marked_singles;           /* 1 << kind */
    struct list marked, removed;       /* items */
    bool visibility_changed;           /* of the present transaction, see txn_commit */

    /* Memory only. */
    struct list queries;               /* query.c: struct waiting queries of this run */
    unsigned query_count;
    struct list history_waiters;       /* history_calls.c: long polls */
    int64_t queued_at;                 /* earliest entry of the deadline heap for it; 0: none */
    unsigned pins;                     /* held in memory by someone (queries, loading partners) */
    bool in_txn;
    bool deleted;                      /* a tombstone: its delete record was appended */
    bool never_was;                    /* a tombstone of a successor whose commit was cut (recover.c) */
    struct load *doubt;                /* whether its commit was cut is not known before this has ended; or NULL */
    bool visibility_due;               /* its row must be given to the store */

    struct exec_id *id;
    struct list id_link;               /* exec_id.runs, newest first */
    struct map_node by_number, by_run;
    struct list lru;                   /* engine's list of resident executions, oldest use first */
    struct list dirty_link;            /* engine's list: changed since the last image that was given */
    struct list visibility_link;
    size_t memory;                     /* rough bytes, as counted in the engine */
};

/* Memory of state messages. */
extern const ProtobufCAllocator exec_allocator;
static inline ProtobufCAllocator *exec_pb(void) { return (ProtobufCAllocator *)(uintptr_t)&exec_allocator; }

struct exec *exec_create(struct engine *engine, uint64_t number, uint64_t hash);
void exec_free(struct exec *exec);

/* ---- reading ---- */

static inline struct items *exec_set(struct exec *exec, enum state_kind kind) { return &exec->sets[kind - STATE_ACTIVITY]; }
static inline const struct items *exec_set_const(const struct exec *exec, enum state_kind kind) {
    return &exec->sets[kind - STATE_ACTIVITY];
}
/* Walks a set in order; safe against removal of `it`:  ITEMS_EACH(item, exec, STATE_TIMER) { item->timer ... } */
#define ITEMS_EACH(item_, exec_, kind_)                                                                        \
    for (struct item *item_ = (struct item *)(void *)exec_set_const((exec_), (kind_))->order.next,             \
                     *item_##_next = (struct item *)(void *)item_->link.next;                                  \
         &item_->link != &exec_set_const((exec_), (kind_))->order;                                             \
         item_ = item_##_next, item_##_next = (struct item *)(void *)item_->link.next)

struct item *exec_find(const struct exec *exec, enum state_kind kind, int64_t key);              /* or NULL */
struct item *exec_find_text(const struct exec *exec, enum state_kind kind, const char *text);    /* or NULL */

bool exec_open(const struct exec *exec);                       /* running: no close event yet */
static inline const char *exec_workflow_id(const struct exec *exec) { return exec->start->workflow_id; }
static inline const char *exec_run_id(const struct exec *exec) { return exec->start->run_id; }
static inline int64_t exec_next_event_id(const struct exec *exec) { return exec->info->next_event_id; }
/* A workflow task is started and not ended: most events are held back (2.3). */
static inline bool exec_task_started(const struct exec *exec) { return exec->task && exec->task->started_event_id; }

/* ---- changing ---- */

/* Sets a text field of a state message: frees the old one, copies the new one. */
void state_set_text(char **field, const char *text);
/* Sets a message field to a heap copy (unknown fields kept); NULL clears. */
void state_set_message(ProtobufCMessage **field, const ProtobufCMessage *message);
#define STATE_SET_MESSAGE(field, message)                                                                      \
    state_set_message((ProtobufCMessage **)(void *)(field), (const ProtobufCMessage *)(message))
/* A new, initialised message on the state's heap:  StateTimer *timer = state_new(&norn__state__timer__descriptor); */
void *state_new(const ProtobufCMessageDescriptor *type);
const ProtobufCMessageDescriptor *state_type(enum state_kind kind);

/* Marks a single that was changed in place. */
void exec_touch(struct exec *exec, enum state_kind kind);
/* Replaces a single (taken); NULL removes it. */
void exec_set_single(struct exec *exec, enum state_kind kind, ProtobufCMessage *value);
/* Adds a member (value is taken). Its text, when the kind has one, is read from the value and must not change. */
struct item *exec_add(struct exec *exec, enum state_kind kind, int64_t key, ProtobufCMessage *value);
/* Marks a member that was changed in place. */
void exec_touch_item(struct exec *exec, struct item *item);
void exec_remove(struct exec *exec, struct item *item);
/* Removes all members of a set. */
void exec_clear(struct exec *exec, enum state_kind kind);
/* The next key for sets that are keyed by sequence; the next dispatch stamp. */
int64_t exec_next_sequence(struct exec *exec);
uint64_t exec_next_stamp(struct exec *exec);

#endif
