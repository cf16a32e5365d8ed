/* store_toy: a small engine on the store, and a model of what it must find again. For the store's tests.
 *
 * An execution of the toy is a chain: each record holds random bytes, and the state after it is a hash of the state
 * before and those bytes. The model keeps the chain of every version and the order of all appends, outside of the
 * simulated node. After each start the toy compares: everything acknowledged is there, and what is there is a prefix of
 * what was appended. */
#ifndef NORN_TESTS_STORE_TOY_H
#define NORN_TESTS_STORE_TOY_H

#include "fiber/fiber.h"
#include "prng.h"
#include "store/store.h"

enum { TOY_EXECUTIONS_MAX = 4096, TOY_VERSIONS_MAX = 64, TOY_NODES = 8 };

struct toy_version {
    uint64_t chain;
    uint64_t order;                   /* of its append, over all executions */
    uint32_t len;                     /* of its payload */
    bool deletes;
    uint32_t partner, partner_version;    /* appended in the same callback just after it; 0: none */
};

/* What was appended and acknowledged; outlives the node. */
struct toy_model {
    struct toy_version *versions[TOY_EXECUTIONS_MAX];    /* by execution number and version */
    uint64_t appended[TOY_EXECUTIONS_MAX];               /* the newest version */
    bool ghost[TOY_EXECUTIONS_MAX];                      /* deleted, and perhaps never there at all */
    uint64_t node_order[TOY_NODES];                      /* of the last append; it is also the value */
    uint64_t executions;
    uint64_t order, order_acknowledged;
    uint64_t epoch;
    uint64_t starts, records, checks, loads, lists, refused, reloads;
    unsigned index;                   /* of the toy that it belongs to */
    struct prng prng;                 /* decides what the toy does */
};
void toy_model_init(struct toy_model *model, uint64_t seed, unsigned index);
void toy_model_free(struct toy_model *model);

struct toy_execution {
    uint64_t version, chain;          /* version 0: none */
    uint64_t imaged;                  /* version in SQLite as far as known */
    uint64_t shown;                   /* version of the last visibility row */
    bool resident, dirty, deleted, delete_pending;
    struct buf events;                /* batches that no image has: their bytes one after another */
    struct buf batches;               /* struct store_history_batch with offsets in `events` */
    int64_t event_id;                 /* of the last event */
};

/* Inside the node. */
struct toy {
    struct io *io;
    struct toy_model *model;
    struct store *store;
    struct store_loop *loop;
    struct toy_execution *executions; /* by number */
    uint64_t first_order;             /* a record's order is this plus its number on the loop */
    uint64_t next_to_image, last_sequence, idle_given;
    uint64_t node_found[TOY_NODES];
    int64_t payload_max;
    struct fiber *waiter;
    bool answered, load_answered, found;
    bool failed;                      /* a commit failed: the store is to be opened again */
};

/* Several toys may share a store, one on each loop; each has its range of execution numbers. Opens and recovers; on a
 * fiber of loop 0. Then toy_attach on each toy's loop. */
struct status toys_open(struct toy *toys, unsigned count, struct io *io, struct toy_model *models,
                        const struct store_options *options, struct arena *arena, struct store **store);
/* Attaches, and compares what recovery gave with the model, which then forgets what was lost. On a fiber. */
void toy_attach(struct toy *toy, struct store *store, struct io *io);
void toy_free(struct toy *toy);
/* All of it for one toy. */
struct status toy_open(struct toy *toy, struct io *io, struct toy_model *model, const struct store_options *options,
                       struct arena *arena);
void toy_close(struct toy *toy, bool checkpoint);
/* One random thing: start, change, delete, evict, load and compare, list and compare, node value, checkpoint. */
void toy_step(struct toy *toy);
/* Appends to an execution (0: a new one), with a payload of `len` bytes; its number. */
uint64_t toy_append(struct toy *toy, uint64_t execution, size_t len);
void toy_delete(struct toy *toy, uint64_t execution);
/* After a failed commit: forgets everything, takes what is there, and compares. */
void toy_reload(struct toy *toy);
/* Waits until all that was appended is durable; when a commit failed, reloads. */
void toy_settle(struct toy *toy);
void toy_checkpoint(struct toy *toy);
/* Loads an execution and compares it with the model; it must have been imaged. */
void toy_load(struct toy *toy, uint64_t execution);
/* False: SQLite does not have it. Else what is there is taken into memory. */
bool toy_find(struct toy *toy, uint64_t execution);
/* Lists everything, page by page, and compares. */
void toy_list(struct toy *toy);

/* The store's number of the toy's execution `local`, and its hash. */
static inline uint64_t toy_number(const struct toy *toy, uint64_t local) {
    return (uint64_t)toy->model->index * TOY_EXECUTIONS_MAX + local;
}
uint64_t toy_hash(uint64_t number);

#endif
