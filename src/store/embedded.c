/* embedded: opening and closing the store, the loops' sides of it, and the way of records to the journal and back. */
#include "store/embedded.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mark.h"
#include "base/mem.h"

static const struct store_ops embedded_ops;

static struct embedded_loop *loop_of(const struct store_loop *base) { return (struct embedded_loop *)(uintptr_t)base; }
static struct embedded *store_of(const struct store *base) { return (struct embedded *)(uintptr_t)base; }

void embedded_post(struct io *from, unsigned to, struct io_msg *msg) {
    if (io_loop_index(from) == to) msg->receive(from, msg);
    else io_post(from, to, msg);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

void embedded_append_own(struct embedded *store, const struct store_record *record) {
    record_encode(record, journal_put(&store->journal, record_size(record), 1));
}

static void batch_of_records_came(struct io *io, struct io_msg *msg) {
    (void)io;
    struct record_batch *batch = CONTAINER_OF(msg, struct record_batch, msg);
    struct embedded_loop *loop = batch->loop;
    struct journal *journal = &loop->store->journal;
    memcpy(journal_put(journal, batch->data.len, batch->count), batch->data.data, batch->data.len);
    unsigned flight = journal->gathering;
    loop->flight_number[flight] = batch->last_number;
    if (batch->execution_max > loop->store->execution_max) loop->store->execution_max = batch->execution_max;
    batch->next = loop->flight_batches[flight];
    loop->flight_batches[flight] = batch;
    checkpoint_changed(loop->store);
}

void loop_flush(struct embedded_loop *loop) {
    struct record_batch *batch = loop->gathering;
    if (!batch) return;
    loop->gathering = NULL;
    batch->last_number = loop->appended;
    batch->msg.receive = batch_of_records_came;
    io_post(loop->io, 0, &batch->msg);
}

static void on_batch_end(struct io *io, struct io_hook *hook) {
    (void)io;
    loop_flush(CONTAINER_OF(hook, struct embedded_loop, hook));
}

static struct record_batch *take_batch(struct embedded_loop *loop) {
    struct record_batch *batch = loop->spare;
    if (batch) {
        loop->spare = batch->next;
    } else {
        batch = MEM_NEW(struct record_batch);
        batch->loop = loop;
    }
    if (batch->data.cap > BUF_KEPT && batch->data.len < batch->data.cap / 4) buf_free(&batch->data);
    buf_clear(&batch->data);
    batch->count = 0;
    batch->execution_max = 0;
    return batch;
}

static void append_here(struct embedded_loop *loop, const struct store_record *record) {
    struct embedded *store = loop->store;
    size_t size = record_size(record);
    uint8_t *at = journal_put(&store->journal, size, 1);
    record_encode(record, at);
    loop->flight_number[store->journal.gathering] = loop->appended;
    if (record->kind == STORE_RECORD_NODE) checkpoint_node(store, bytes_of(at, size), store->journal.assigned);
    else if (record->execution > store->execution_max) store->execution_max = record->execution;
    checkpoint_changed(store);
}

static void append_there(struct embedded_loop *loop, const struct store_record *record) {
    CHECKF(record->kind != STORE_RECORD_NODE, "node values are written on loop 0");
    if (!loop->gathering) {
        loop->gathering = take_batch(loop);
        io_hook_arm(loop->io, &loop->hook);
    }
    struct record_batch *batch = loop->gathering;
    size_t size = record_size(record);
    buf_reserve(&batch->data, size);
    record_encode(record, batch->data.data + batch->data.len);
    batch->data.len += size;
    batch->count++;
    if (record->execution > batch->execution_max) batch->execution_max = record->execution;
}

static uint64_t append(struct store_loop *base, const struct store_record *record) {
    struct embedded_loop *loop = loop_of(base);
    bool of_execution = record->kind == STORE_RECORD_EXECUTION || record->kind == STORE_RECORD_DELETE;
    CHECK(of_execution ? record->execution && record->version : record->kind == STORE_RECORD_NODE && record->name.len);
    loop->appended++;
    if (loop->index == 0) append_here(loop, record);
    else append_there(loop, record);
    return loop->appended;
}

/* ---- durable numbers ------------------------------------------------------------------------------------------- */

static void tell_engine(struct embedded_loop *loop, uint64_t number) {
    CHECK(number > loop->durable && number <= loop->appended);
    loop->durable = number;
    loop->engine.durable(loop->engine.ctx, number);
}

/* The batches of a flight come back to their loop, the newest first. */
static void batches_returned(struct io *io, struct io_msg *msg) {
    (void)io;
    struct record_batch *newest = CONTAINER_OF(msg, struct record_batch, msg);
    struct embedded_loop *loop = newest->loop;
    uint64_t number = newest->last_number;
    for (struct record_batch *batch = newest, *next; batch; batch = next) {
        next = batch->next;
        batch->next = loop->spare;
        loop->spare = batch;
    }
    tell_engine(loop, number);
}

static void committed(void *ctx, unsigned flight) {
    struct embedded *store = ctx;
    for (unsigned i = 0; i < store->loop_count; i++) {
        struct embedded_loop *loop = store->loops[i];
        uint64_t number = loop->flight_number[flight];
        if (!number) continue;
        loop->flight_number[flight] = 0;
        struct record_batch *batches = loop->flight_batches[flight];
        loop->flight_batches[flight] = NULL;
        if (batches) {
            batches->msg.receive = batches_returned;
            io_post(store->io, loop->index, &batches->msg);
        } else {
            tell_engine(loop, number);
        }
    }
    checkpoint_durable(store);
    round_durable(store);
    if (store->opener) fiber_wake(store->io, store->opener);
}

static uint64_t appended(const struct store_loop *base) { return loop_of(base)->appended; }
static uint64_t durable(const struct store_loop *base) { return loop_of(base)->durable; }
static void reload(struct store_loop *base, const struct store_recovery *recovery) {
    (void)base, (void)recovery;
    UNREACHABLE("commits of the embedded store do not fail");
}
static void resume(struct store_loop *base) { (void)base; }

struct put_batch *put_batch_make(struct embedded_loop *loop) {
    struct put_batch *batch = MEM_NEW(struct put_batch);
    batch->loop = loop;
    put_list_init(&batch->puts);
    return batch;
}

void put_batch_free(struct put_batch *batch) {
    put_list_free(&batch->puts);
    mem_free(batch);
}

/* ---- room ------------------------------------------------------------------------------------------------------ */

static struct status admit(struct store_loop *base, enum store_class class, size_t bytes, struct arena *arena) {
    struct journal *journal = &loop_of(base)->store->journal;
    _Atomic int64_t *room = class == STORE_NORMAL ? &journal->room_normal : &journal->room_reserved;
    int64_t left = (int64_t)io_shared(loop_of(base)->io, (uint64_t)atomic_load_explicit(room, memory_order_relaxed));
    if ((int64_t)bytes <= left) return STATUS_GOOD;
    mark(MARK_FULL_REFUSED);
    return status_make(arena, STATUS_RESOURCE_EXHAUSTED, "the disk is full: %lld bytes are left for this in %s, %zu are"
                       " needed. Running workflows are kept; free some space", (long long)(left < 0 ? 0 : left),
                       journal->folder.dir, bytes);
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

struct joining {
    struct io_msg msg;
    struct embedded_loop *loop;
};

static void join(struct embedded_loop *loop) {
    struct embedded *store = loop->store;
    CHECK(store->loop_count < IO_LOOPS_MAX);
    store->loops[store->loop_count++] = loop;
    checkpoint_joined(store);
    round_joined(store);
}

static void joins(struct io *io, struct io_msg *msg) {
    (void)io;
    struct joining *joining = CONTAINER_OF(msg, struct joining, msg);
    join(joining->loop);
    mem_free(joining);
}

static struct store_loop *attach(struct store *base, struct io *io, const struct store_engine *engine) {
    struct embedded_loop *loop = MEM_NEW(struct embedded_loop);
    *loop = (struct embedded_loop){
        .base.ops = &embedded_ops,
        .store = store_of(base),
        .io = io,
        .engine = *engine,
        .index = io_loop_index(io),
        .hook.run = on_batch_end,
    };
    if (loop->index == 0) {
        join(loop);
        return &loop->base;
    }
    struct joining *joining = MEM_NEW(struct joining);
    *joining = (struct joining){.msg.receive = joins, .loop = loop};
    io_post(io, 0, &joining->msg);
    return &loop->base;
}

static void free_loop(struct embedded_loop *loop) {
    CHECK(!loop->gathering && !loop->base.putting && loop->durable == loop->appended);
    for (struct record_batch *batch = loop->spare, *next; batch; batch = next) {
        next = batch->next;
        buf_free(&batch->data);
        mem_free(batch);
    }
    mem_free(loop);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

enum { MIB = 1 << 20, CACHE_USUAL = 12 * MIB };

static void fill_options(struct embedded *store, const struct store_options *options) {
    store->options = *options;
    struct store_options *o = &store->options;
    if (!o->loops) o->loops = 1;
    if (!o->segment_bytes) o->segment_bytes = 64 * MIB;
    if (!o->reserve_bytes) o->reserve_bytes = 64 * MIB;
    if (!o->checkpoint_bytes) o->checkpoint_bytes = 64 * MIB;
    if (!o->checkpoint_ns) o->checkpoint_ns = INT64_C(60) * 1000 * 1000 * 1000;
    if (!o->cache_bytes || o->cache_bytes > CACHE_USUAL) o->cache_bytes = CACHE_USUAL;
    o->segment_bytes = block_up(o->segment_bytes);
    CHECK(o->segment_bytes >= 4 * JOURNAL_BLOCK);
    o->dir = store->dir;
}

static char *path_in(const char *dir, const char *name) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", dir, name);
    char *text = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return text;
}

static int64_t sync_parent(struct io *io, const char *dir) {
    char parent[IO_PATH_MAX];
    snprintf(parent, sizeof parent, "%s", dir);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/') parent[--len] = 0;
    char *slash = strrchr(parent, '/');
    if (!slash) return fiber_dir_sync(io, ".");
    slash[slash == parent] = 0;
    return fiber_dir_sync(io, parent);
}

static struct status make_folders(struct embedded *store, struct arena *arena) {
    /* Names that are there may yet be lost: the process that made them may have ended before it synced them. */
    char *journal = path_in(store->dir, "journal");
    int64_t result = fiber_mkdir(store->io, store->dir);
    if (result >= 0 || result == -IO_EEXIST) result = fiber_mkdir(store->io, journal);
    if (result >= 0 || result == -IO_EEXIST) result = fiber_dir_sync(store->io, store->dir);
    if (result >= 0) result = sync_parent(store->io, store->dir);
    if (result == -IO_EACCESS && fiber_dir_sync(store->io, store->dir) >= 0) result = 0;   /* it is another's */
    mem_free(journal);
    if (result >= 0) return STATUS_GOOD;
    return status_make(arena, result == -IO_EACCESS ? STATUS_PERMISSION_DENIED : STATUS_FAILED_PRECONDITION,
                       "cannot use the data folder %s: %s", store->dir, io_error_text(result));
}

/* A process that was killed holds its lock for a moment yet, so this tries for a while. */
static struct status lock_folder(struct embedded *store, struct arena *arena) {
    enum { TRIES = 40, PAUSE_NS = 50 * 1000 * 1000 };
    char *path = path_in(store->dir, STORE_LOCK_FILE);
    int64_t result = fiber_open(store->io, path, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &store->lock);
    mem_free(path);
    store->locked = result >= 0;
    for (int i = 0; i < TRIES && store->locked; i++) {
        result = fiber_lock(store->io, store->lock);
        if (result != -IO_ELOCKED) break;
        mark(MARK_FOLDER_LOCK_WAITED);
        fiber_sleep_until(store->io, io_now(store->io) + PAUSE_NS);
    }
    if (result >= 0) return STATUS_GOOD;
    if (result == -IO_ELOCKED)
        return status_make(arena, STATUS_FAILED_PRECONDITION, "the data folder %s is in use by another process. Stop it,"
                           " or choose another folder with --data", store->dir);
    return status_make(arena, STATUS_FAILED_PRECONDITION, "cannot lock %s/LOCK: %s", store->dir, io_error_text(result));
}

struct open_work {
    struct embedded *store;
    struct arena arena;
    enum database_result result;
    const char *error;
};

static void close_one(struct io_helper *helper, void *arg) {
    struct database *db = arg;
    db->vfs.helper = helper;
    database_close(db);
}

static void open_writer(struct io_helper *helper, void *arg) {
    struct open_work *work = arg;
    struct embedded *store = work->store;
    work->result = database_open(&store->writer, DATABASE_WRITES, &store->shared, helper, store->database_path,
                                 &work->arena, &work->error);
    if (work->result == DATABASE_OK) database_limit_cache(&store->writer, store->options.cache_bytes / 3 * 2);
    if (work->result == DATABASE_OK)
        work->result = database_meta_read(&store->writer, &store->meta, &work->arena, &work->error);
}

static void open_loader(struct io_helper *helper, void *arg) {
    struct open_work *work = arg;
    struct embedded *store = work->store;
    work->result = database_open(&store->loader, DATABASE_READS, &store->shared, helper, store->database_path,
                                 &work->arena, &work->error);
    if (work->result == DATABASE_OK) database_limit_cache(&store->loader, store->options.cache_bytes / 6);
}

static void open_lister(struct io_helper *helper, void *arg) {
    struct open_work *work = arg;
    struct embedded *store = work->store;
    work->result = database_open(&store->lister, DATABASE_READS, &store->shared, helper, store->database_path,
                                 &work->arena, &work->error);
    if (work->result == DATABASE_OK) database_limit_cache(&store->lister, store->options.cache_bytes / 6);
}

static struct status open_failed(struct embedded *store, const struct open_work *work, struct arena *arena) {
    const char *path = store->database_path;
    switch (work->result) {
    case DATABASE_LOCKED:
        return status_make(arena, STATUS_FAILED_PRECONDITION, "%s is open in another program (sqlite3?). Close it there",
                           path);
    case DATABASE_NEWER:
        return status_make(arena, STATUS_FAILED_PRECONDITION, "%s was written by a newer build (%s; this build knows"
                           " formats up to %d). Use that build", path, work->error, DATABASE_FORMAT);
    case DATABASE_FULL:
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED, "the disk is full: there is no room to open %s", path);
    default:
        return status_make(arena, STATUS_DATA_LOSS, "cannot open %s: %s. Restore a backup with `norn restore`", path,
                           work->error ? work->error : "crashed");
    }
}

bool embedded_give_reserve(struct embedded *store) {
    char *path = path_in(store->dir, "reserve");
    int64_t result = fiber_unlink(store->io, path);
    mem_free(path);
    return result >= 0;
}

static struct status open_one(struct embedded *store, struct database *db, struct io_helper *helper, io_helper_fn *fn,
                              struct arena *arena) {
    enum { TRIES = 20, PAUSE_NS = 50 * 1000 * 1000 };
    struct open_work work = {.store = store};
    for (int i = 0; i < TRIES; i++) {
        fiber_help(store->io, helper, fn, &work);
        bool again = work.result == DATABASE_LOCKED || (work.result == DATABASE_FULL && embedded_give_reserve(store));
        if (!again || i == TRIES - 1) break;
        if (db->sql) fiber_help(store->io, helper, close_one, db);
        if (work.result == DATABASE_LOCKED) fiber_sleep_until(store->io, io_now(store->io) + PAUSE_NS);
    }
    struct status status = work.result == DATABASE_OK ? STATUS_GOOD : open_failed(store, &work, arena);
    arena_free(&work.arena);
    return status;
}

static struct status open_database(struct embedded *store, struct arena *arena) {
    uint8_t seed[VFS_SEED_LEN];
    io_random(store->io, seed, sizeof seed);
    vfs_setup(seed);
    store->write_helper = io_helper_start(store->io, "store write");
    store->load_helper = io_helper_start(store->io, "store load");
    store->list_helper = io_helper_start(store->io, "store list");
    struct status status = open_one(store, &store->writer, store->write_helper, open_writer, arena);
    if (status_ok(status)) status = open_one(store, &store->loader, store->load_helper, open_loader, arena);
    if (status_ok(status)) status = open_one(store, &store->lister, store->list_helper, open_lister, arena);
    if (status_ok(status) && store->meta.format > DATABASE_FORMAT)
        status = status_make(arena, STATUS_FAILED_PRECONDITION, "%s is of format %u, this build knows formats up to %d:"
                             " use the newer build that wrote it", store->database_path, store->meta.format,
                             DATABASE_FORMAT);
    return status;
}

static void meta_written(struct embedded *store, struct writer_job *job) {
    mem_free(job);
    store->opening_writes = false;
    fiber_wake(store->io, store->opener);
}

/* The epoch's record is the first of this start; once it is durable, so is all that recovery found. */
static void begin_epoch(struct embedded *store) {
    store->epoch++;
    struct store_record record = {.kind = (enum store_record_kind)RECORD_EPOCH, .version = store->epoch};
    embedded_append_own(store, &record);
    uint64_t sequence = store->journal.assigned;
    while (store->journal.durable < sequence) fiber_park(store->io);
    if (store->meta.present) return;
    memcpy(store->meta.store_id, store->journal.folder.store_id, STORE_ID_LEN);
    store->meta.format = DATABASE_FORMAT;
    struct writer_job *job = MEM_NEW(struct writer_job);
    *job = (struct writer_job){.meta = &store->meta, .done = meta_written};
    store->opening_writes = true;
    writer_run(store, job);
    while (store->opening_writes) fiber_park(store->io);
    store->meta.present = true;
}

static struct status start_journal(struct embedded *store, struct arena *arena) {
    store->journal.committed = committed;
    store->journal.ctx = store;
    store->opener = fiber_current(store->io);
    int64_t result = journal_start(&store->journal);
    if (result < 0)
        return status_make(arena, result == -IO_ENOSPC ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                           "cannot make the journal in %s: %s", store->dir, io_error_text(result));
    store->journal_runs = true;
    begin_epoch(store);
    store->opener = NULL;
    return STATUS_GOOD;
}

static void init_journal(struct embedded *store) {
    struct journal *journal = &store->journal;
    journal->io = store->io;
    journal->folder.dir = store->dir;
    memcpy(journal->folder.store_id, store->meta.store_id, STORE_ID_LEN);
    journal->segment_bytes = store->options.segment_bytes;
    journal->reserve_bytes = store->options.reserve_bytes;
    journal->no_datasync = store->options.no_datasync;
}

static void tear_down(struct embedded *store);

struct status embedded_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                            struct arena *arena, struct store **out) {
    CHECK(io_loop_index(io) == 0 && fiber_current(io));
    struct embedded *store = MEM_NEW(struct embedded);
    store->base.ops = &embedded_ops;
    store->io = io;
    store->dir = mem_strdup(options->dir);
    store->database_path = path_in(options->dir, "norn.db");
    fill_options(store, options);
    struct status status = make_folders(store, arena);
    if (status_ok(status)) status = lock_folder(store, arena);
    if (status_ok(status)) status = open_database(store, arena);
    if (status_ok(status)) {
        init_journal(store);
        checkpoint_init(store);
        status = embedded_recover(store, recovery, arena);
    }
    if (status_ok(status)) {
        round_init(store);
        load_init(store);
        status = start_journal(store, arena);
    }
    if (status_ok(status)) *out = &store->base;
    else tear_down(store);
    return status;
}

/* ---- closing --------------------------------------------------------------------------------------------------- */

static void await_op(struct io *io, struct io_op *op) {
    while (op->busy) {
        io_cancel(io, op);
        fiber_yield(io);
    }
}

static void tear_down(struct embedded *store) {
    struct io *io = store->io;
    if (store->journal_runs) journal_stop(&store->journal);
    else if (store->journal.active.number) fiber_close(io, store->journal.active.file);
    buf_free(&store->journal.sealed);
    await_op(io, &store->checkpoint.timer);
    await_op(io, &store->checkpoint.sync_timer);
    if (store->lister.sql) fiber_help(io, store->list_helper, close_one, &store->lister);
    if (store->loader.sql) fiber_help(io, store->load_helper, close_one, &store->loader);
    if (store->writer.sql) fiber_help(io, store->write_helper, close_one, &store->writer);
    vfs_shared_free(&store->shared);
    checkpoint_free(store);
    presence_free(&store->presence);
    for (unsigned i = 0; i < store->loop_count; i++) free_loop(store->loops[i]);
    if (store->locked) fiber_close(io, store->lock);
    mem_free(store->database_path);
    mem_free(store->dir);
    mem_free(store);
}

/* Messages to other loops may be under way: each loop answers behind them. */
struct farewell {
    struct io_msg msg;
    struct embedded *store;
};

static void farewell_answered(struct io *io, struct io_msg *msg) {
    (void)io;
    CONTAINER_OF(msg, struct farewell, msg)->store->farewells--;
    mem_free(CONTAINER_OF(msg, struct farewell, msg));
}

static void farewell_came(struct io *io, struct io_msg *msg) {
    msg->receive = farewell_answered;
    io_post(io, 0, msg);
}

static void part_from_loops(struct embedded *store) {
    for (unsigned i = 0; i < store->loop_count; i++) {
        struct farewell *farewell = MEM_NEW(struct farewell);
        *farewell = (struct farewell){.msg.receive = farewell_came, .store = store};
        store->farewells++;
        io_post(store->io, store->loops[i]->index, &farewell->msg);
    }
    while (store->farewells) fiber_sleep_until(store->io, io_now(store->io) + 100 * 1000);
}

static void last_checkpoint_done(void *ctx) {
    struct embedded *store = ctx;
    store->closing_waits = false;
    fiber_wake(store->io, store->opener);
}

static void await_still(struct embedded *store) {
    struct io *io = store->io;
    while (store->journal.durable < store->journal.assigned || store->checkpoint.phase != CHECKPOINT_IDLE ||
           store->round.running || store->list_work.op.busy || store->load_work.op.busy)
        fiber_sleep_until(io, io_now(io) + 1000 * 1000);
}

/* So that the next start knows where the journal must end, even if its end is cut off. */
static void note_durable(struct embedded *store) {
    struct writer_job *job = MEM_NEW(struct writer_job);
    *job = (struct writer_job){.done = meta_written};
    store->opening_writes = true;
    writer_run(store, job);
    while (store->opening_writes) fiber_park(store->io);
}

static void close_store(struct store *base, bool checkpoint) {
    struct embedded *store = store_of(base);
    struct io *io = store->io;
    store->opener = fiber_current(io);
    store->leaving = true;
    await_still(store);
    if (checkpoint && embedded_is_complete(store)) {
        struct checkpoint_waiter *waiter = MEM_NEW(struct checkpoint_waiter);
        *waiter = (struct checkpoint_waiter){.done = last_checkpoint_done, .ctx = store};
        store->closing_waits = true;
        checkpoint_ask(store, waiter);
        while (store->closing_waits) fiber_park(io);
    }
    store->closing = true;
    struct store_record record = {.kind = (enum store_record_kind)RECORD_CLOSED};
    embedded_append_own(store, &record);
    await_still(store);
    note_durable(store);
    part_from_loops(store);
    store->opener = NULL;
    tear_down(store);
}

/* ---- figures --------------------------------------------------------------------------------------------------- */

static uint64_t execution_max(const struct store *base) { return store_of(base)->execution_max; }
static uint64_t epoch(const struct store *base) { return store_of(base)->epoch; }
static bool may_have(const struct store_loop *base, uint64_t hash) {
    const struct embedded_loop *loop = loop_of(base);
    return io_shared(loop->io, presence_may_have(&loop->store->presence, hash));
}

static struct store_stats stats(const struct store *base) {
    const struct embedded *store = store_of(base);
    const struct journal *journal = &store->journal;
    const struct checkpoint *checkpoint = &store->checkpoint;
    return (struct store_stats){
        .records = journal->records,
        .journal_bytes = journal->bytes,
        .journal_segments = journal_segment_count(journal),
        .commits = journal->commits,
        .datasyncs = journal->datasyncs,
        .checkpoints = store->checkpoints,
        .images = store->images,
        .loads = store->loads,
        .read_errors = store->read_errors,
        .disk_free = (uint64_t)journal->disk_free,
        .commit_ns_last = journal->commit_ns_last,
        .datasync_ns_last = journal->datasync_ns_last,
        .checkpoint_ns_last = store->checkpoint_ns_last,
        .checkpoint_lag_ns = checkpoint->oldest_at ? io_now(store->io) - checkpoint->oldest_at : 0,
        .bytes_since_checkpoint = journal->bytes - checkpoint->bytes_before,
        .full = atomic_load_explicit(&journal->full, memory_order_relaxed),
    };
}

static const struct store_ops embedded_ops = {
    .execution_max = execution_max, .epoch = epoch, .attach = attach, .close = close_store, .stats = stats,
    .admit = admit, .append = append, .appended = appended, .durable = durable, .resume = resume,
    .reload = reload, .checkpoint = embedded_checkpoint, .may_have = may_have,
    .load = embedded_load, .list = embedded_list, .count = embedded_count,
};

bool embedded_is(const struct store *store) { return store->ops == &embedded_ops; }
