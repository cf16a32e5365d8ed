/* checkpoint: brings what changed into SQLite, then frees the journal's segments.
 *
 *  1 Each loop is asked for images, a batch at a time. What was appended on a loop before its first batch is, once its
 *    last batch is written, in SQLite; the least of these positions over the loops is the checkpoint's.
 *  2 A batch is written, in one unsynced transaction, only when all records that it may show are durable.
 *  3 Then one transaction writes the node's values and the applied position.
 *  4 The WAL is moved into the database file and synced. Segments up to the position are free then, not before.
 *
 * A crash anywhere leaves images of some later versions than the applied position tells; recovery goes by versions. */
#include "base/check.h"
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "store/embedded.h"

enum {
    BATCH_BUDGET = 1 << 20,
    SYNC_TRIES_MAX = 40,
    SYNC_RETRY_NS = 50 * 1000 * 1000,
};

static void start(struct embedded *store);

/* ---- when ------------------------------------------------------------------------------------------------------ */

static uint64_t bytes_behind(const struct embedded *store) {
    const struct journal *journal = &store->journal;
    return journal->bytes + journal->flights[journal->gathering].len - store->checkpoint.bytes_before;
}

static void arm_timer(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->timer.busy || store->closing) return;
    io_timer(store->io, &checkpoint->timer, checkpoint->oldest_at + store->options.checkpoint_ns);
}

void checkpoint_changed(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (!checkpoint->oldest_at) {
        checkpoint->oldest_at = io_now(store->io);
        arm_timer(store);
    }
    if (checkpoint->phase != CHECKPOINT_IDLE) return;
    bool grown = bytes_behind(store) >= store->options.checkpoint_bytes;
    if (grown) mark(MARK_CHECKPOINT_BY_BYTES);
    if (grown || nudge(NUDGE_CHECKPOINT_NOW)) start(store);
}

static void on_timer(struct io *io, struct io_op *op) {
    struct embedded *store = op->ctx;
    struct checkpoint *checkpoint = &store->checkpoint;
    if (op->result < 0 || store->closing || !checkpoint->oldest_at) return;
    if (io_now(io) < checkpoint->oldest_at + store->options.checkpoint_ns) arm_timer(store);
    else if (checkpoint->phase == CHECKPOINT_IDLE) start(store);
}

void checkpoint_ask(struct embedded *store, struct checkpoint_waiter *waiter) {
    struct checkpoint *checkpoint = &store->checkpoint;
    waiter->next = checkpoint->waiters_next;
    checkpoint->waiters_next = waiter;
    if (checkpoint->phase == CHECKPOINT_IDLE) start(store);
    else checkpoint->again = true;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static void waiter_done(struct io *io, struct io_msg *msg) {
    (void)io;
    struct checkpoint_waiter *waiter = CONTAINER_OF(msg, struct checkpoint_waiter, msg);
    if (waiter->done) waiter->done(waiter->ctx);
    mem_free(waiter);
}

static void finish(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    struct checkpoint_waiter *waiters = checkpoint->waiters;
    checkpoint->phase = CHECKPOINT_IDLE;
    checkpoint->waiters = NULL;
    store->checkpoints++;
    mark(MARK_CHECKPOINT);
    store->checkpoint_ns_last = io_now(store->io) - checkpoint->started_at;
    /* What came meanwhile is as old as this checkpoint's beginning, at most. */
    checkpoint->oldest_at = store->journal.assigned > checkpoint->position ? checkpoint->started_at : 0;
    if (checkpoint->oldest_at) arm_timer(store);
    bool again = checkpoint->again;
    checkpoint->again = false;
    for (struct checkpoint_waiter *next; waiters; waiters = next) {
        next = waiters->next;
        waiters->msg.receive = waiter_done;
        embedded_post(store->io, waiters->loop ? waiters->loop->index : 0, &waiters->msg);
    }
    if (store->leaving || store->pinned) return;
    if (again || bytes_behind(store) >= store->options.checkpoint_bytes) start(store);
}

/* ---- 4: the WAL into the file, the file to the disk ------------------------------------------------------------ */

static void synced(struct embedded *store, struct writer_job *job) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (!job->whole && !store->closing && ++checkpoint->sync_tries < SYNC_TRIES_MAX) {
        /* A long read still needs the WAL. */
        io_timer(store->io, &checkpoint->sync_timer, io_now(store->io) + SYNC_RETRY_NS);
        return;
    }
    checkpoint->whole = job->whole;
    if (job->whole) journal_free_up_to(&store->journal, checkpoint->position);
    finish(store);
}

static void sync(struct embedded *store) {
    struct writer_job *job = &store->checkpoint.job;
    *job = (struct writer_job){.syncs = true, .done = synced};
    writer_run(store, job);
}

static void on_sync_timer(struct io *io, struct io_op *op) {
    (void)io;
    sync(op->ctx);
}

/* ---- 3: node values and the position --------------------------------------------------------------------------- */

void checkpoint_node(struct embedded *store, struct bytes record, uint64_t sequence) {
    struct buf *nodes = &store->checkpoint.nodes;
    buf_append_u64(nodes, sequence);
    buf_append_u64(nodes, record.len);
    buf_append_bytes(nodes, record);
}

/* The node records up to the position, as puts; they leave the buffer. */
static struct put *take_nodes(struct checkpoint *checkpoint) {
    struct put *first = NULL, **last = &first;
    struct reader reader = reader_of(buf_bytes(&checkpoint->nodes));
    size_t taken = 0;
    while (reader.left.len) {
        if (read_u64(&reader) > checkpoint->position) break;
        uint64_t len = read_u64(&reader);
        struct reader one = reader_of(read_bytes(&reader, len));
        struct store_record record;
        CHECK(record_decode(&one, &record) && !reader.bad);
        struct put *put = ARENA_NEW(&checkpoint->node_arena, struct put);
        put->kind = PUT_NODE;
        put->name = bytes_of(arena_copy(&checkpoint->node_arena, record.name.data, record.name.len), record.name.len);
        put->value = bytes_of(arena_copy(&checkpoint->node_arena, record.payload.data, record.payload.len),
                              record.payload.len);
        *last = put;
        last = &put->next;
        taken += 16 + len;
    }
    buf_consume(&checkpoint->nodes, taken);
    return first;
}

static void meta_written(struct embedded *store, struct writer_job *job) {
    struct checkpoint *checkpoint = &store->checkpoint;
    arena_free(&checkpoint->node_arena);
    checkpoint->writes_meta = false;
    if (job->result != DATABASE_OK) {
        finish(store);
        return;
    }
    store->meta = checkpoint->meta;
    if (PLANT(store->io, SEGMENT_FREED_EARLY)) journal_free_up_to(&store->journal, checkpoint->position);
    checkpoint->phase = CHECKPOINT_SYNC;
    checkpoint->sync_tries = 0;
    sync(store);
}

static void write_meta(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    checkpoint->phase = CHECKPOINT_META;
    if (checkpoint->given_up) {
        finish(store);
        return;
    }
    /* A deletion may have been given to a round instead of to us: what is applied must not pass it. */
    if (store->round.running) return;
    CHECK(checkpoint->position <= store->journal.durable);
    CHECK(checkpoint->position >= store->meta.applied);
    checkpoint->writes_meta = true;
    checkpoint->meta = store->meta;
    bool ahead = PLANT(store->io, CHECKPOINT_AHEAD) && store->journal.assigned > checkpoint->position;
    checkpoint->meta.applied = checkpoint->position + ahead;
    struct flight_place needed = journal_landmark(&store->journal, checkpoint->position + 1);
    if (needed.segment) checkpoint->meta.needed = needed;
    checkpoint->meta.execution_max = store->execution_max;
    checkpoint->meta.epoch = store->epoch;
    struct writer_job *job = &checkpoint->job;
    *job = (struct writer_job){.puts = take_nodes(checkpoint), .meta = &checkpoint->meta, .done = meta_written};
    writer_run(store, job);
}

void checkpoint_round_ended(struct embedded *store) {
    checkpoint_durable(store);
    if (store->checkpoint.phase == CHECKPOINT_META && !store->checkpoint.writes_meta) write_meta(store);
}

/* ---- 1 and 2: images ------------------------------------------------------------------------------------------- */

static void batch_came(struct io *io, struct io_msg *msg);

/* On the batch's loop: the engine fills it. */
static void fill(struct io *io, struct put_batch *batch) {
    struct embedded_loop *loop = batch->loop;
    loop_flush(loop);
    batch->ends = put_list_ask_images(&batch->puts, &loop->base, &loop->engine, batch->begins, BATCH_BUDGET);
    batch->msg.receive = batch_came;
    embedded_post(io, 0, &batch->msg);
}

static void fill_first(struct io *io, struct io_msg *msg) { fill(io, CONTAINER_OF(msg, struct put_batch, msg)); }

/* Back on the loop, written: executions may leave memory; then the next batch. */
static void batch_returned(struct io *io, struct io_msg *msg) {
    struct put_batch *batch = CONTAINER_OF(msg, struct put_batch, msg);
    struct embedded_loop *loop = batch->loop;
    for (struct put *put = batch->puts.first; put; put = put->next) {
        if (put->kind == PUT_IMAGE) loop->engine.imaged(loop->engine.ctx, put->image.execution, put->image.version);
    }
    if (batch->ends) {
        put_batch_free(batch);
        return;
    }
    put_list_free(&batch->puts);
    batch->begins = false;
    fill(io, batch);
}

static void batch_written(struct embedded *store, struct put_batch *batch) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->given_up) {
        put_batch_free(batch);
        if (--checkpoint->waits_for == 0) write_meta(store);
        return;
    }
    for (struct put *put = batch->puts.first; put; put = put->next) {
        if (put->kind != PUT_IMAGE) continue;
        presence_add(&store->presence, put->image.hash);
        store->images++;
    }
    bool ends = batch->ends;
    batch->msg.receive = batch_returned;
    io_post(store->io, batch->loop->index, &batch->msg);
    if (ends && --checkpoint->waits_for == 0) write_meta(store);
}

static void job_done(struct embedded *store, struct writer_job *job) {
    if (job->result != DATABASE_OK) store->checkpoint.given_up = true;
    batch_written(store, job->ctx);
}

static void write_batch(struct embedded *store, struct put_batch *batch) {
    if (!batch->puts.first || store->checkpoint.given_up) {
        batch_written(store, batch);
        return;
    }
    batch->job = (struct writer_job){.puts = batch->puts.first, .done = job_done, .ctx = batch};
    writer_run(store, &batch->job);
}

/* Durable; and behind older rows of its loop, or a deletion here could be undone by a row there. (Newer rows wait for
 * what is durable later, so they cannot overtake.) */
static bool may_write(const struct embedded *store, const struct put_batch *batch) {
    bool after_round = batch->after_round < store->round.number || !store->round.running;
    return batch->sequence <= store->journal.durable && after_round;
}

/* On loop 0. Messages of one loop keep their order, so all its records before the batch are in the journal's count. */
static void batch_came(struct io *io, struct io_msg *msg) {
    (void)io;
    struct put_batch *batch = CONTAINER_OF(msg, struct put_batch, msg);
    struct embedded *store = batch->loop->store;
    struct checkpoint *checkpoint = &store->checkpoint;
    batch->sequence = store->journal.assigned;
    if (batch->begins && batch->sequence < checkpoint->position) checkpoint->position = batch->sequence;
    batch->after_round = batch->loop->in_round ? store->round.number : 0;
    if (may_write(store, batch)) {
        write_batch(store, batch);
        return;
    }
    mark(MARK_CHECKPOINT_HELD);
    batch->next = checkpoint->held;
    checkpoint->held = batch;
}

void checkpoint_durable(struct embedded *store) {
    struct put_batch **link = &store->checkpoint.held;
    while (*link) {
        struct put_batch *batch = *link;
        if (!may_write(store, batch)) {
            link = &batch->next;
            continue;
        }
        *link = batch->next;
        batch->next = NULL;
        write_batch(store, batch);
    }
}

static void start(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    CHECK(checkpoint->phase == CHECKPOINT_IDLE && !checkpoint->held);
    checkpoint->again = store->pinned || !embedded_is_complete(store);
    if (checkpoint->again) return;
    checkpoint->whole = false;
    checkpoint->phase = CHECKPOINT_IMAGES;
    checkpoint->started_at = io_now(store->io);
    checkpoint->bytes_before = store->journal.bytes;
    checkpoint->waiters = checkpoint->waiters_next;
    checkpoint->waiters_next = NULL;
    checkpoint->waits_for = store->loop_count;
    checkpoint->position = store->loop_count ? UINT64_MAX : store->journal.durable;
    if (store->loop_count == 0) write_meta(store);
    unsigned count = store->loop_count;
    for (unsigned i = 0; i < count; i++) {
        struct put_batch *batch = put_batch_make(store->loops[i]);
        batch->begins = true;
        batch->msg.receive = fill_first;
        io_post(store->io, store->loops[i]->index, &batch->msg);
    }
}

/* While a backup copies the database file and the journal, neither may change but by appending. */
void checkpoint_unpin(struct embedded *store) {
    CHECK(store->pinned);
    store->pinned = false;
    if (store->checkpoint.phase == CHECKPOINT_IDLE && store->checkpoint.again) start(store);
}

/* A loop that joins while images are gathered is not asked: what it appends stays above the position. */
void checkpoint_joined(struct embedded *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->phase == CHECKPOINT_IDLE && checkpoint->again) start(store);
    if (checkpoint->phase == CHECKPOINT_IMAGES && store->journal.assigned < checkpoint->position)
        checkpoint->position = store->journal.assigned;
}

/* ---- asking, making, ending ------------------------------------------------------------------------------------ */

static void asked(struct io *io, struct io_msg *msg) {
    (void)io;
    struct checkpoint_waiter *waiter = CONTAINER_OF(msg, struct checkpoint_waiter, msg);
    checkpoint_ask(waiter->loop->store, waiter);
}

void embedded_checkpoint(struct store_loop *base, void (*done)(void *ctx), void *ctx) {
    struct embedded_loop *loop = (struct embedded_loop *)base;
    struct checkpoint_waiter *waiter = MEM_NEW(struct checkpoint_waiter);
    *waiter = (struct checkpoint_waiter){.msg.receive = asked, .loop = loop, .done = done, .ctx = ctx};
    io_post(loop->io, 0, &waiter->msg);
}

void checkpoint_init(struct embedded *store) {
    store->checkpoint.timer = (struct io_op){.done = on_timer, .ctx = store};
    store->checkpoint.sync_timer = (struct io_op){.done = on_sync_timer, .ctx = store};
}

void checkpoint_free(struct embedded *store) {
    CHECK(store->checkpoint.phase == CHECKPOINT_IDLE);
    buf_free(&store->checkpoint.nodes);
    arena_free(&store->checkpoint.node_arena);
}
