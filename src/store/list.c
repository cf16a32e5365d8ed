/* list: listing and counting executions. A query first waits for a round, which brings the visibility of everything
 * acknowledged so far into SQLite: each loop is asked for the rows that changed, and one unsynced transaction writes
 * them. All queries that come while a round runs share the next one; when nothing became durable since the last round
 * there is none. */
#include "base/check.h"
#include "base/mem.h"
#include "store/embedded.h"

static void begin_round(struct embedded *store);

/* ---- running the queries, on the helper that lists ------------------------------------------------------------- */

static void run_one(struct database *db, struct query *query) {
    if (query->counts)
        query->result = database_count(db, &query->list, &query->arena, &query->groups, &query->group_count,
                                       &query->error);
    else
        query->result = database_list(db, &query->list, &query->arena, &query->rows, &query->error);
}

static void run_queries(struct io_helper *helper, void *arg) {
    struct reader_work *work = arg;
    struct embedded *store = work->store;
    store->lister.vfs.helper = helper;
    for (struct query *query = work->queries_running; query; query = query->next) run_one(&store->lister, query);
}

static struct status status_of(struct query *query) {
    switch (query->result) {
    case DATABASE_OK: return STATUS_GOOD;
    case DATABASE_REFUSED: return status_make(&query->arena, STATUS_INVALID_ARGUMENT, "%s", query->error);
    case DATABASE_FULL:
        return status_make(&query->arena, STATUS_RESOURCE_EXHAUSTED, "the disk is full: lists cannot be brought up to date"
                           " until there is room");
    case DATABASE_UNREAD:
        return status_make(&query->arena, STATUS_UNAVAILABLE, "the list could not be read: %s", query->error);
    default: return status_make(&query->arena, STATUS_INTERNAL, "%s", query->error);
    }
}

static void answer(struct io *io, struct io_msg *msg) {
    (void)io;
    struct query *query = CONTAINER_OF(msg, struct query, msg);
    struct status status = status_of(query);
    query->rows.status = status;
    if (query->counts) query->count_done(query->ctx, status, query->groups, query->group_count);
    else query->rows_done(query->ctx, &query->rows);
    arena_free(&query->arena);
    mem_free(query);
}

static void start_running(struct reader_work *work) {
    if (work->op.busy || !work->queries) return;
    work->queries_running = work->queries;
    work->queries = NULL;
    work->queries_last = &work->queries;
    io_helper_run(work->store->io, &work->op, work->store->list_helper, run_queries, work);
}

static void on_run(struct io *io, struct io_op *op) {
    struct reader_work *work = op->ctx;
    struct query *query = work->queries_running;
    if (work->store->lister.vfs.crashed) return;
    work->queries_running = NULL;
    for (struct query *next; query; query = next) {
        next = query->next;
        if (query->result == DATABASE_UNREAD) embedded_read_failed(work->store, query->error);
        query->msg.receive = answer;
        io_post(io, query->loop->index, &query->msg);
    }
    start_running(work);
}

static void hand_to_reader(struct embedded *store, struct query *first) {
    struct reader_work *work = &store->list_work;
    if (!first) return;
    *work->queries_last = first;
    while (*work->queries_last) work->queries_last = &(*work->queries_last)->next;
    start_running(work);
}

/* ---- the round ------------------------------------------------------------------------------------------------- */

static void end_round(struct embedded *store) {
    struct round *round = &store->round;
    for (struct put_batch *batch = round->batches, *next; batch; batch = next) {
        next = batch->next;
        batch->loop->in_round = false;
        put_batch_free(batch);
    }
    struct query *queries = round->now;
    round->batches = NULL;
    round->now = NULL;
    round->applied = round->begun_at;
    round->running = false;
    hand_to_reader(store, queries);
    checkpoint_round_ended(store);
    if (round->next) begin_round(store);
}

static void round_written(struct embedded *store, struct writer_job *job) {
    (void)job;
    end_round(store);
}

/* Chains the puts of all loops into one transaction. */
static struct put *join(struct put_batch *batches) {
    struct put *first = NULL, **last = &first;
    for (struct put_batch *batch = batches; batch; batch = batch->next) {
        if (!batch->puts.first) continue;
        *last = batch->puts.first;
        last = batch->puts.last;
    }
    return first;
}

static void try_write(struct embedded *store) {
    struct round *round = &store->round;
    if (!round->running || round->waits_for || round->writing || store->journal.durable < round->needs) return;
    struct put *puts = join(round->batches);
    if (!puts && !store->writer_jobs) {      /* a checkpoint's batch under way may hold what the list must show */
        end_round(store);
        return;
    }
    round->writing = true;
    round->job = (struct writer_job){.puts = puts, .done = round_written};
    writer_run(store, &round->job);
}

void round_durable(struct embedded *store) { try_write(store); }

static void rows_came(struct io *io, struct io_msg *msg) {
    (void)io;
    struct put_batch *batch = CONTAINER_OF(msg, struct put_batch, msg);
    struct embedded *store = batch->loop->store;
    struct round *round = &store->round;
    batch->loop->in_round = true;
    batch->next = round->batches;
    round->batches = batch;
    if (store->journal.assigned > round->needs) round->needs = store->journal.assigned;
    round->waits_for--;
    try_write(store);
}

static void give_rows(struct io *io, struct io_msg *msg) {
    struct put_batch *batch = CONTAINER_OF(msg, struct put_batch, msg);
    struct embedded_loop *loop = batch->loop;
    loop_flush(loop);
    put_list_ask_visibility(&batch->puts, &loop->base, &loop->engine);
    batch->msg.receive = rows_came;
    embedded_post(io, 0, &batch->msg);
}

static void begin_round(struct embedded *store) {
    struct round *round = &store->round;
    CHECK(!round->running && !round->batches);
    round->number++;
    round->running = true;
    round->writing = false;
    round->now = round->next;
    round->next = NULL;
    round->next_last = &round->next;
    round->begun_at = round->needs = store->journal.assigned;
    round->waits_for = store->loop_count;
    for (unsigned i = 0; i < store->loop_count; i++) {
        struct put_batch *batch = put_batch_make(store->loops[i]);
        batch->msg.receive = give_rows;
        io_post(store->io, store->loops[i]->index, &batch->msg);
    }
}

void round_init(struct embedded *store) {
    store->round.next_last = &store->round.next;
    store->list_work = (struct reader_work){.store = store, .op = {.done = on_run, .ctx = &store->list_work}};
    store->list_work.queries_last = &store->list_work.queries;
    store->round.applied = store->meta.applied;
}

static void refuse(struct embedded *store, struct query *query) {
    for (struct query *next; query; query = next) {
        next = query->next;
        query->result = store->writer_refusal;
        query->error = "it cannot be brought up to date while reads of the database fail";
        query->msg.receive = answer;
        io_post(store->io, query->loop->index, &query->msg);
    }
}

void round_refuse(struct embedded *store) {
    struct round *round = &store->round;
    refuse(store, round->now);
    refuse(store, round->next);
    round->now = round->next = NULL;
    round->next_last = &round->next;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static void query_came(struct io *io, struct io_msg *msg) {
    (void)io;
    struct query *query = CONTAINER_OF(msg, struct query, msg);
    struct embedded *store = query->loop->store;
    struct round *round = &store->round;
    query->next = NULL;
    if (store->journal.durable <= round->applied) {
        hand_to_reader(store, query);
        return;
    }
    if (store->writer_refused > 1) {
        refuse(store, query);
        return;
    }
    *round->next_last = query;
    round->next_last = &query->next;
    if (!round->running && embedded_is_complete(store)) begin_round(store);
}

void round_joined(struct embedded *store) {
    if (!store->round.running && store->round.next && embedded_is_complete(store)) begin_round(store);
}

static struct query *make_query(struct store_loop *base, const struct store_list *list, void *ctx) {
    struct query *query = MEM_NEW(struct query);
    struct arena *arena = &query->arena;
    query->loop = (struct embedded_loop *)base;
    query->ctx = ctx;
    store_list_copy(&query->list, list, arena);
    query->msg.receive = query_came;
    return query;
}

void embedded_list(struct store_loop *base, const struct store_list *list,
                   void (*done)(void *ctx, const struct store_rows *rows), void *ctx) {
    struct query *query = make_query(base, list, ctx);
    query->rows_done = done;
    io_post(query->loop->io, 0, &query->msg);
}

void embedded_count(struct store_loop *base, const struct store_list *list,
                    void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count),
                    void *ctx) {
    struct query *query = make_query(base, list, ctx);
    query->counts = true;
    query->count_done = done;
    io_post(query->loop->io, 0, &query->msg);
}
