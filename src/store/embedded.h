/* embedded: the store on one machine: a journal for the node, and SQLite behind it.
 *
 * Everything of the node lives on loop 0: the journal, the order of the work for SQLite, the checkpoint, the rounds that
 * bring visibility up to date. Each loop has a side of its own (embedded_loop) that gathers records and puts, hands them
 * to loop 0 in messages, and gets durable numbers and answers back in messages.
 *
 *   records    loop -> journal (loop 0) -> durable number -> loop
 *   images     loop -> held until durable -> writer helper -> `imaged` on the loop
 *   lists      loop -> round: every loop's visibility -> durable -> writer helper -> list helper -> loop
 *   loads      loop -> load helper -> loop */
#ifndef NORN_STORE_EMBEDDED_H
#define NORN_STORE_EMBEDDED_H

#include "store/engine_side.h"
#include "store/journal.h"
#include "store/presence.h"
#include "store/puts.h"
#include "store/sqlite.h"

struct embedded;
struct embedded_loop;

/* Encoded records on their way to loop 0, and back with the number that is durable. */
struct record_batch {
    struct io_msg msg;
    struct embedded_loop *loop;
    struct record_batch *next;        /* waiting for the same flight; or spare */
    struct buf data;
    uint32_t count;
    uint64_t last_number;
    uint64_t execution_max;
};

/* A piece of work for the writer helper: a transaction, or moving the WAL. Without room on the disk it is tried again
 * until there is some. */
struct writer_job {
    struct writer_job *next;
    struct io_op op, retry;
    struct embedded *store;
    const struct put *puts;
    const struct database_meta *meta; /* with the puts; NULL: not written */
    uint64_t durable;                 /* of the journal when the job began */
    bool syncs;                       /* instead of a transaction */
    bool whole;                       /* out: all of the WAL was moved */
    unsigned tries;
    struct arena arena;
    enum database_result result;
    const char *error;
    void (*done)(struct embedded *store, struct writer_job *job);
    void *ctx;
};

/* Puts of one loop on their way to the writer, and back. */
struct put_batch {
    struct io_msg msg;
    struct embedded_loop *loop;
    struct put_batch *next;           /* in a queue of loop 0 */
    struct put_list puts;
    bool begins, ends;                /* the loop's first or last answer to a checkpoint */
    uint64_t sequence;                /* all that it holds is in records up to this one */
    uint64_t after_round;             /* what its loop gave to this round is older, and is written first */
    struct writer_job job;
};

struct embedded_loop {
    struct store_loop base;
    struct embedded *store;
    struct io *io;
    struct store_engine engine;
    unsigned index;
    uint64_t appended, durable;
    struct record_batch *gathering;   /* loops other than 0 */
    struct record_batch *spare;
    struct io_hook hook;
    /* loop 0's: */
    uint64_t flight_number[2];        /* the last number of this loop in each flight */
    struct record_batch *flight_batches[2];
    bool in_round;                    /* has given its rows to the round that runs */
};

enum checkpoint_phase {
    CHECKPOINT_IDLE,
    CHECKPOINT_IMAGES,                /* loops give images, the writer writes them */
    CHECKPOINT_META,                  /* node values and the applied position */
    CHECKPOINT_SYNC,                  /* the WAL into the file, and the file to the disk */
};

struct checkpoint {
    enum checkpoint_phase phase;
    bool again;                       /* asked for while one runs */
    bool whole;                       /* the last one ended with all of the WAL in the synced file */
    bool given_up;                    /* the store closes, and the disk is full */
    unsigned waits_for;               /* loops whose last batch is not written yet */
    uint64_t position;                /* what will be applied: the least of the loops' beginnings */
    struct buf nodes;                 /* NODE records that SQLite lacks: for each its sequence, then its bytes */
    struct arena node_arena;
    struct database_meta meta;
    struct checkpoint_waiter *waiters, *waiters_next;
    struct put_batch *held;           /* batches whose records are not durable yet */
    bool writes_meta;
    struct writer_job job;            /* for the meta and the sync */
    unsigned sync_tries;
    int64_t started_at;
    int64_t oldest_at;                /* io_now of the oldest change that SQLite lacks; 0: none */
    uint64_t bytes_before;            /* journal bytes when the last one began */
    struct io_op timer, sync_timer;
};

struct checkpoint_waiter {
    struct io_msg msg;
    struct checkpoint_waiter *next;
    struct embedded_loop *loop;
    void (*done)(void *ctx);
    void *ctx;
};

/* A list or a count on its way. */
struct query {
    struct io_msg msg;
    struct query *next;
    struct embedded_loop *loop;
    struct arena arena;
    struct store_list list;           /* copied into the arena */
    bool counts;
    void (*rows_done)(void *ctx, const struct store_rows *rows);
    void (*count_done)(void *ctx, struct status status, const struct store_count *counts, size_t count);
    void *ctx;
    struct store_rows rows;
    const struct store_count *groups;
    size_t group_count;
    enum database_result result;
    const char *error;
};

/* The visibility of all loops, brought into SQLite for the queries that wait. */
struct round {
    uint64_t number;                  /* of the one that runs, or the last */
    bool running, writing;
    unsigned waits_for;               /* loops that have not answered */
    uint64_t begun_at;                /* journal sequence when it began: all of that will be in */
    uint64_t needs;                   /* what must be durable before it is written */
    uint64_t applied;                 /* begun_at of the last finished round */
    struct put_batch *batches;
    struct query *now, *next, **next_last;     /* of this round, of the next */
    struct writer_job job;
};

struct load_request {
    struct io_msg msg;
    struct load_request *next;
    struct embedded_loop *loop;
    struct arena arena;
    struct store_key key;
    store_loaded_fn *loaded;
    void *ctx;
    const struct store_image *image;
    enum database_result result;
    const char *error;
};

/* Work of one reading helper: all that waits goes in one run. */
struct reader_work {
    struct io_op op;
    struct embedded *store;
    struct load_request *loads, **loads_last, *loads_running;
    struct query *queries, **queries_last, *queries_running;
};

struct embedded {
    struct store base;
    struct io *io;
    struct store_options options;     /* with the defaults filled in */
    char *dir, *database_path;
    struct io_file lock;
    struct journal journal;
    struct vfs_shared shared;
    struct io_helper *write_helper, *load_helper, *list_helper;
    struct database writer, loader, lister;
    struct writer_job *writer_jobs, **writer_jobs_last;      /* the first is at work */
    unsigned writer_refused;          /* how often in a row it changed nothing, */
    enum database_result writer_refusal;      /* and why: DATABASE_FULL, DATABASE_UNREAD */
    struct presence presence;
    struct embedded_loop *loops[IO_LOOPS_MAX];
    unsigned loop_count;
    uint64_t execution_max, epoch;
    struct database_meta meta;        /* as in SQLite now */
    struct checkpoint checkpoint;
    struct round round;
    struct reader_work load_work, list_work;
    bool locked, journal_runs, leaving, closing;   /* leaving: store_close was called; closing: past its checkpoint */
    bool pinned;                      /* a backup runs: no checkpoint begins */
    struct fiber *opener;             /* that opens or closes, while it waits */
    bool opening_writes, closing_waits;
    unsigned farewells;
    uint64_t checkpoints, images, loads;
    uint64_t read_errors, read_errors_told;
    int64_t tell_at;                  /* io_now: not before */
    int64_t checkpoint_ns_last;
};

/* What was recovered for a loop is in its engine's hands only once it has attached. */
static inline bool embedded_is_complete(const struct embedded *store) {
    return store->loop_count >= store->options.loops;
}

/* embedded.c */
bool embedded_is(const struct store *store);
void embedded_append_own(struct embedded *store, const struct store_record *record);   /* the store's own records */
void loop_flush(struct embedded_loop *loop);          /* hands gathered records to loop 0 */
struct put_batch *put_batch_make(struct embedded_loop *loop);
void put_batch_free(struct put_batch *batch);
bool embedded_give_reserve(struct embedded *store);   /* frees the reserve's room, at open; false: there was none */
/* Runs msg->receive on loop `to`; at once when that is where it is called. */
void embedded_post(struct io *from, unsigned to, struct io_msg *msg);

/* checkpoint.c */
void checkpoint_init(struct embedded *store);
void checkpoint_changed(struct embedded *store);      /* records were appended: is one due? */
void checkpoint_durable(struct embedded *store);      /* more is durable, or a round ended: held batches may go */
void checkpoint_round_ended(struct embedded *store);
void checkpoint_node(struct embedded *store, struct bytes record, uint64_t sequence);
void checkpoint_joined(struct embedded *store);       /* a loop was attached */
void checkpoint_ask(struct embedded *store, struct checkpoint_waiter *waiter);
void checkpoint_unpin(struct embedded *store);
void checkpoint_free(struct embedded *store);
void embedded_checkpoint(struct store_loop *base, void (*done)(void *ctx), void *ctx);

/* writer.c */
void writer_run(struct embedded *store, struct writer_job *job);

/* list.c */
void round_init(struct embedded *store);
void round_joined(struct embedded *store);            /* a loop was attached */
void round_durable(struct embedded *store);           /* more is durable: the round may be written */
void round_refuse(struct embedded *store);            /* the writer cannot go on: whoever waits gets an error */
void embedded_list(struct store_loop *base, const struct store_list *list,
                   void (*done)(void *ctx, const struct store_rows *rows), void *ctx);
void embedded_count(struct store_loop *base, const struct store_list *list,
                    void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count),
                    void *ctx);

/* load.c */
void load_init(struct embedded *store);
void embedded_load(struct store_loop *base, const struct store_key *key, store_loaded_fn *done, void *ctx);
/* On loop 0: a read failed. Counts it, and tells options.reads_fail when it is time. */
void embedded_read_failed(struct embedded *store, const char *error);

/* recovery.c: on the opening fiber, with the writer connected and `meta` read. */
struct status embedded_recover(struct embedded *store, const struct store_recovery *recovery, struct arena *arena);

#endif
