/* store_memory: the store's interface without a disk, for tests of the engine: it answers late, refuses, and loses the
 * acknowledgement of commits, under a seed.
 *
 * Records that are committed stay in a list; images are rows of an SQLite database in memory, so that lists and loads
 * are those of the embedded store. A commit takes a random time and holds what was appended until then. When it fails,
 * with all behind it, a part of its records may be there nevertheless: that is what 'unknown' means.
 *
 * All loops run in one thread (the simulator, or one loop). */
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "fiber/fiber.h"
#include "store/presence.h"
#include "store/puts.h"
#include "store/record.h"

enum { COMMIT_NS_MAX = 2 * 1000 * 1000, IMAGE_BUDGET = 1 << 20, CHECKPOINT_RECORDS = 256 };

/* A record with its place in `bytes`. */
struct entry {
    enum store_record_kind kind;
    uint64_t sequence, execution, version;
    uint64_t group;                   /* those that one batch of callbacks appended share one (S5) */
    size_t at, len;
};

struct memory_loop {
    struct store_loop base;
    struct memory *store;
    struct io *io;
    struct store_engine engine;
    struct memory_loop *next;
    uint64_t appended, durable;
    uint64_t group;
    uint64_t committing;              /* the last number of the commit that is under way; 0: none */
    bool failed;                      /* until store_resume */
    uint64_t failures;                /* so that what was gathered before one is told from what came after */
    struct buf pending;               /* of struct entry: not committed yet; places in pending_bytes */
    struct buf pending_bytes;
    struct put_list puts;             /* what the running job gathered */
    struct io_hook hook;
    struct io_op commit;
};

enum job_kind { JOB_CHECKPOINT, JOB_LOAD, JOB_LIST, JOB_COUNT };

/* Something that waits: for a later batch, and some for all that was appended before. */
struct job {
    struct job *next;
    enum job_kind kind;
    struct memory_loop *loop;
    struct arena arena;
    struct store_key key;
    struct store_list list;
    void *ctx;
    void (*done)(void *ctx);
    store_loaded_fn *loaded;
    void (*rows)(void *ctx, const struct store_rows *rows);
    void (*counts)(void *ctx, struct status status, const struct store_count *counts, size_t count);
};

struct memory {
    struct store base;
    struct io *io;
    struct vfs_shared shared;
    struct database db;
    struct presence presence;
    struct memory_loop *loops;
    uint64_t random;
    uint32_t refused, unknown;
    const bool *unreadable;
    uint64_t sequence, execution_max;
    struct buf entries, bytes;        /* committed records: struct entry, and their bytes */
    size_t since_checkpoint;
    struct job *jobs, **jobs_last;
    struct io_op worker;
    bool gathered;                    /* for the first job */
    uint64_t failures;                /* as they were then */
    struct store_stats stats;
};

static const struct store_ops memory_ops;
static struct memory_loop *loop_of(const struct store_loop *base) { return (struct memory_loop *)(uintptr_t)base; }
static struct memory *store_of(const struct store *base) { return (struct memory *)(uintptr_t)base; }

static uint64_t draw(struct memory *store, uint64_t bound) {
    store->random = hash64_seed(&store->random, sizeof store->random, 1);
    return (uint64_t)(((unsigned __int128)store->random * bound) >> 64);
}

static void wake_worker(struct memory *store) {
    if (store->jobs && !store->worker.busy)
        io_timer(store->io, &store->worker, io_now(store->io) + (int64_t)draw(store, COMMIT_NS_MAX / 8));
}

/* ---- commits --------------------------------------------------------------------------------------------------- */

static void keep(struct memory *store, const struct memory_loop *loop, const struct entry *entry) {
    struct entry kept = *entry;
    kept.sequence = ++store->sequence;
    kept.at = store->bytes.len;
    buf_append(&store->bytes, loop->pending_bytes.data + entry->at, entry->len);
    buf_append(&store->entries, &kept, sizeof kept);
    store->since_checkpoint++;
}

/* The first `count` pending records are there; they leave the list. */
static void commit_first(struct memory_loop *loop, size_t count) {
    const struct entry *entries = (const void *)loop->pending.data;
    for (size_t i = 0; i < count; i++) keep(loop->store, loop, &entries[i]);
    buf_consume(&loop->pending, count * sizeof *entries);
    if (loop->pending.len == 0) buf_clear(&loop->pending_bytes);
}

static void succeed(struct memory_loop *loop, size_t count) {
    if (count == 0) return;
    commit_first(loop, count);
    loop->durable += count;
    loop->engine.durable(loop->engine.ctx, loop->durable);
}

/* At most `count` of the pending records, so that no group is cut. */
static size_t whole_groups(const struct memory_loop *loop, size_t count) {
    const struct entry *entries = (const void *)loop->pending.data;
    size_t pending = loop->pending.len / sizeof *entries;
    while (count > 0 && count < pending && entries[count - 1].group == entries[count].group) count--;
    return count;
}

/* A part is committed as usual; of the rest, when the outcome is unknown, a part is there too. */
static void fail(struct memory_loop *loop, size_t count, bool unknown) {
    struct memory *store = loop->store;
    size_t good = whole_groups(loop, (size_t)draw(store, count));
    succeed(loop, good);
    if (unknown) commit_first(loop, whole_groups(loop, (size_t)draw(store, count - good + 1)));
    loop->failed = true;
    loop->failures++;
    buf_clear(&loop->pending);
    buf_clear(&loop->pending_bytes);
    loop->engine.failed(loop->engine.ctx, loop->durable + 1, unknown);
}

static void start_commit(struct memory_loop *loop) {
    if (loop->commit.busy || loop->failed || loop->pending.len == 0) return;
    loop->committing = loop->pending.len / sizeof(struct entry);
    io_timer(loop->io, &loop->commit, io_now(loop->io) + (int64_t)draw(loop->store, COMMIT_NS_MAX));
}

static void on_commit(struct io *io, struct io_op *op) {
    (void)io;
    struct memory_loop *loop = op->ctx;
    struct memory *store = loop->store;
    size_t count = loop->committing;
    if (op->result < 0) return;
    store->stats.commits++;
    uint64_t dice = draw(store, 1000000);
    if (dice < store->refused) fail(loop, count, false);
    else if (dice < store->refused + store->unknown) fail(loop, count, true);
    else succeed(loop, count);
    start_commit(loop);
    wake_worker(store);
}

static void on_batch_end(struct io *io, struct io_hook *hook) {
    (void)io;
    struct memory_loop *loop = CONTAINER_OF(hook, struct memory_loop, hook);
    loop->group++;
    start_commit(loop);
}

static void ask_checkpoint(struct memory *store, struct memory_loop *loop, void (*done)(void *ctx), void *ctx);

static uint64_t append(struct store_loop *base, const struct store_record *record) {
    struct memory_loop *loop = loop_of(base);
    struct memory *store = loop->store;
    loop->appended++;
    if (loop->failed) return loop->appended;
    struct entry entry = {.kind = record->kind, .execution = record->execution, .version = record->version,
                          .group = loop->group, .at = loop->pending_bytes.len,
                          .len = record_size(record)};
    buf_reserve(&loop->pending_bytes, entry.len);
    record_encode(record, loop->pending_bytes.data + loop->pending_bytes.len);
    loop->pending_bytes.len += entry.len;
    buf_append(&loop->pending, &entry, sizeof entry);
    if (record->execution > store->execution_max) store->execution_max = record->execution;
    store->stats.records++;
    io_hook_arm(loop->io, &loop->hook);
    if (store->since_checkpoint >= CHECKPOINT_RECORDS) {
        store->since_checkpoint = 0;
        ask_checkpoint(store, loop, NULL, NULL);
    }
    return loop->appended;
}

static uint64_t appended(const struct store_loop *base) { return loop_of(base)->appended; }
static uint64_t durable(const struct store_loop *base) { return loop_of(base)->durable; }

static void resume(struct store_loop *base) {
    struct memory_loop *loop = loop_of(base);
    CHECK(loop->failed);
    loop->failed = false;
    loop->durable = loop->appended;
    wake_worker(loop->store);
}

static struct status admit(struct store_loop *base, enum store_class class, size_t bytes, struct arena *arena) {
    (void)base, (void)class, (void)bytes, (void)arena;
    return STATUS_GOOD;
}

/* ---- what is there, again -------------------------------------------------------------------------------------- */

static struct store_record record_at(const struct memory *store, const struct entry *entry) {
    struct reader reader = reader_of(bytes_of(store->bytes.data + entry->at, entry->len));
    struct store_record record;
    CHECK(record_decode(&reader, &record));
    record.sequence = entry->sequence;
    return record;
}

static bool is_deleted(const struct memory *store, uint64_t execution) {
    const struct entry *entries = (const void *)store->entries.data;
    for (size_t i = 0; i < store->entries.len / sizeof *entries; i++) {
        if (entries[i].execution == execution && entries[i].kind == STORE_RECORD_DELETE) return true;
    }
    return false;
}

static uint64_t image_version(struct memory *store, uint64_t execution) {
    sqlite3_stmt *s = NULL;
    const char *text = "SELECT version FROM workflow_executions WHERE execution = ?";
    CHECK(sqlite3_prepare_v2(store->db.sql, text, -1, &s, NULL) == SQLITE_OK);
    sqlite3_bind_int64(s, 1, (sqlite3_int64)execution);
    uint64_t version = sqlite3_step(s) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return version;
}

/* The newest value of each name; an older one of the same name is passed over. */
static void give_values(struct memory *store, const struct store_recovery *out) {
    const struct entry *entries = (const void *)store->entries.data;
    size_t count = store->entries.len / sizeof *entries;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].kind != STORE_RECORD_NODE) continue;
        struct store_record record = record_at(store, &entries[i]);
        bool newest = record.payload.len > 0;
        for (size_t k = i + 1; k < count && newest; k++)
            newest = entries[k].kind != STORE_RECORD_NODE ||
                     !bytes_equal(record_at(store, &entries[k]).name, record.name);
        if (newest) out->node_value(out->ctx, record.name, record.payload);
    }
}

/* Every execution is given whole; that is within S4, and spares the bookkeeping. */
static void give_images(struct memory *store, const struct store_recovery *out) {
    struct arena arena = {0};
    sqlite3_stmt *s = NULL;
    CHECK(sqlite3_prepare_v2(store->db.sql, "SELECT execution FROM workflow_executions ORDER BY execution", -1, &s, NULL)
          == SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct store_key key = {.execution = (uint64_t)sqlite3_column_int64(s, 0)};
        const struct store_image *image = NULL;
        const char *error;
        CHECK(database_load(&store->db, &key, &arena, &image, &error) == DATABASE_OK && image);
        out->image(out->ctx, image);
    }
    sqlite3_finalize(s);
    arena_free(&arena);
}

static void remove_deleted(struct memory *store) {
    struct put_list puts;
    put_list_init(&puts);
    const struct entry *entries = (const void *)store->entries.data;
    for (size_t i = 0; i < store->entries.len / sizeof *entries; i++) {
        if (entries[i].kind == STORE_RECORD_DELETE) put_list_add(&puts, PUT_DELETE)->image.execution = entries[i].execution;
    }
    const char *error = NULL;
    CHECK(database_apply(&store->db, puts.first, NULL, 0, &puts.arena, &error) == DATABASE_OK);
    put_list_free(&puts);
}

static void reload(struct store_loop *base, const struct store_recovery *out) {
    struct memory *store = loop_of(base)->store;
    remove_deleted(store);
    give_values(store, out);
    give_images(store, out);
    const struct entry *entries = (const void *)store->entries.data;
    for (size_t i = 0; i < store->entries.len / sizeof *entries; i++) {
        struct store_record record = record_at(store, &entries[i]);
        if (record.kind != STORE_RECORD_EXECUTION || is_deleted(store, record.execution)) continue;
        if (record.version > image_version(store, record.execution)) out->record(out->ctx, &record);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------------------------ */

static void add_job(struct job *job) {
    struct memory *store = job->loop->store;
    *store->jobs_last = job;
    store->jobs_last = &job->next;
    wake_worker(store);
}

static struct job *make_job(struct store_loop *base, enum job_kind kind, void *ctx) {
    struct job *job = MEM_NEW(struct job);
    job->kind = kind;
    job->loop = loop_of(base);
    job->ctx = ctx;
    return job;
}

/* False: some loop has a commit under way, or has failed and did not resume. */
static bool all_still(const struct memory *store) {
    for (const struct memory_loop *loop = store->loops; loop; loop = loop->next) {
        if (loop->failed || loop->durable < loop->appended) return false;
    }
    return true;
}

static uint64_t failures(const struct memory *store) {
    uint64_t sum = 0;
    for (const struct memory_loop *loop = store->loops; loop; loop = loop->next) sum += loop->failures;
    return sum;
}

static void gather(struct memory *store, enum job_kind kind) {
    for (struct memory_loop *loop = store->loops; loop; loop = loop->next) {
        bool ends = kind != JOB_CHECKPOINT;
        if (ends) put_list_ask_visibility(&loop->puts, &loop->base, &loop->engine);
        for (bool first = true; !ends; first = false)
            ends = put_list_ask_images(&loop->puts, &loop->base, &loop->engine, first, IMAGE_BUDGET);
    }
    store->gathered = true;
    store->failures = failures(store);
}

static void write_gathered(struct memory *store, struct memory_loop *loop) {
    struct arena arena = {0};
    const char *error = NULL;
    enum database_result result = database_apply(&store->db, loop->puts.first, NULL, 0, &arena, &error);
    CHECKF(result == DATABASE_OK, "%s", error);
    for (struct put *put = loop->puts.first; put; put = put->next) {
        if (put->kind != PUT_IMAGE) continue;
        presence_add(&store->presence, put->image.hash);
        store->stats.images++;
        loop->engine.imaged(loop->engine.ctx, put->image.execution, put->image.version);
    }
    arena_free(&arena);
}

static void forget_gathered(struct memory *store) {
    for (struct memory_loop *loop = store->loops; loop; loop = loop->next) put_list_free(&loop->puts);
    store->gathered = false;
}

static bool some_failed(const struct memory *store) {
    for (const struct memory_loop *loop = store->loops; loop; loop = loop->next)
        if (loop->failed) return true;
    return false;
}

/* Brings what the engine gives into the tables, once it is all durable; false: not yet. What was gathered before a
 * failure may show what was lost: it is gathered again. */
static bool settled(struct memory *store, const struct job *job) {
    if (job->kind == JOB_LOAD) return true;
    if (store->gathered && store->failures != failures(store)) forget_gathered(store);
    if (some_failed(store)) return false;
    if (!store->gathered) gather(store, job->kind);
    if (!all_still(store)) return false;
    for (struct memory_loop *loop = store->loops; loop; loop = loop->next) write_gathered(store, loop);
    forget_gathered(store);
    return true;
}

static const struct status unread = {.code = STATUS_UNAVAILABLE, .message = "reads fail"};

static bool unreadable(struct memory *store) {
    bool fails = store->unreadable && *store->unreadable;
    if (fails) store->stats.read_errors++;
    return fails;
}

static void run_load(struct memory *store, struct job *job) {
    const struct store_image *image = NULL;
    const char *error = NULL;
    store->stats.loads++;
    if (unreadable(store)) {
        job->loaded(job->ctx, unread, NULL);
        return;
    }
    enum database_result result = database_load(&store->db, &job->key, &job->arena, &image, &error);
    CHECKF(result == DATABASE_OK, "%s", error);
    job->loaded(job->ctx, STATUS_GOOD, image);
}

static struct status status_of(enum database_result result, const char *error, struct arena *arena) {
    if (result == DATABASE_OK) return STATUS_GOOD;
    return status_make(arena, result == DATABASE_REFUSED ? STATUS_INVALID_ARGUMENT : STATUS_INTERNAL, "%s", error);
}

static void run_list(struct memory *store, struct job *job) {
    struct store_rows rows = {0};
    const char *error = NULL;
    enum database_result result = database_list(&store->db, &job->list, &job->arena, &rows, &error);
    rows.status = unreadable(store) ? unread : status_of(result, error, &job->arena);
    job->rows(job->ctx, &rows);
}

static void run_count(struct memory *store, struct job *job) {
    const struct store_count *counts = NULL;
    size_t count = 0;
    const char *error = NULL;
    enum database_result result = database_count(&store->db, &job->list, &job->arena, &counts, &count, &error);
    struct status status = unreadable(store) ? unread : status_of(result, error, &job->arena);
    job->counts(job->ctx, status, counts, count);
}

static void run(struct memory *store, struct job *job) {
    switch (job->kind) {
    case JOB_CHECKPOINT:
        store->stats.checkpoints++;
        if (job->done) job->done(job->ctx);
        return;
    case JOB_LOAD: run_load(store, job); return;
    case JOB_LIST: run_list(store, job); return;
    case JOB_COUNT: run_count(store, job); return;
    }
}

/* Takes the first job out that can run: a load waits for nothing. */
static struct job *take_job(struct memory *store) {
    struct job **link = &store->jobs;
    while (*link && (*link)->kind != JOB_LOAD) link = &(*link)->next;
    if (!*link) link = &store->jobs;
    struct job *job = *link;
    if (!job || !settled(store, job)) return NULL;
    *link = job->next;
    if (store->jobs_last == &job->next) store->jobs_last = link;
    return job;
}

static void on_work(struct io *io, struct io_op *op) {
    (void)io;
    struct memory *store = op->ctx;
    struct job *job = op->result < 0 ? NULL : take_job(store);
    if (!job) return;
    run(store, job);
    arena_free(&job->arena);
    mem_free(job);
    wake_worker(store);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static void ask_checkpoint(struct memory *store, struct memory_loop *loop, void (*done)(void *ctx), void *ctx) {
    (void)store;
    struct job *job = make_job(&loop->base, JOB_CHECKPOINT, ctx);
    job->done = done;
    add_job(job);
}

static void checkpoint(struct store_loop *base, void (*done)(void *ctx), void *ctx) {
    ask_checkpoint(loop_of(base)->store, loop_of(base), done, ctx);
}

static void load(struct store_loop *base, const struct store_key *key, store_loaded_fn *done, void *ctx) {
    struct job *job = make_job(base, JOB_LOAD, ctx);
    job->key = *key;
    job->key.workflow_id = arena_strdup(&job->arena, key->workflow_id);
    job->loaded = done;
    add_job(job);
}

static void list(struct store_loop *base, const struct store_list *from,
                 void (*done)(void *ctx, const struct store_rows *rows), void *ctx) {
    struct job *job = make_job(base, JOB_LIST, ctx);
    store_list_copy(&job->list, from, &job->arena);
    job->rows = done;
    add_job(job);
}

static void count(struct store_loop *base, const struct store_list *from,
                  void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count),
                  void *ctx) {
    struct job *job = make_job(base, JOB_COUNT, ctx);
    store_list_copy(&job->list, from, &job->arena);
    job->counts = done;
    add_job(job);
}

static bool may_have(const struct store_loop *base, uint64_t hash) {
    return presence_may_have(&loop_of(base)->store->presence, hash);
}

/* ---- opening and closing --------------------------------------------------------------------------------------- */

static struct store_loop *attach(struct store *base, struct io *io, const struct store_engine *engine) {
    struct memory_loop *loop = MEM_NEW(struct memory_loop);
    loop->base.ops = &memory_ops;
    loop->store = store_of(base);
    loop->io = io;
    loop->engine = *engine;
    loop->hook.run = on_batch_end;
    put_list_init(&loop->puts);
    loop->commit = (struct io_op){.done = on_commit, .ctx = loop};
    struct memory_loop **last = &loop->store->loops;
    while (*last) last = &(*last)->next;
    *last = loop;
    return &loop->base;
}

struct status memory_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                          struct arena *arena, struct store **out) {
    (void)recovery;
    struct memory *store = MEM_NEW(struct memory);
    uint8_t seed[VFS_SEED_LEN];
    io_random(io, seed, sizeof seed);
    vfs_setup(seed);
    store->base.ops = &memory_ops;
    store->io = io;
    store->random = options->memory_seed;
    store->refused = options->memory_refused;
    store->unknown = options->memory_unknown;
    store->unreadable = options->memory_unreadable;
    store->jobs_last = &store->jobs;
    store->worker = (struct io_op){.done = on_work, .ctx = store};
    const char *error = NULL;
    enum database_result result = database_open(&store->db, DATABASE_WRITES, &store->shared, NULL, ":memory:", arena,
                                                &error);
    CHECKF(result == DATABASE_OK, "%s", error);
    *out = &store->base;
    return STATUS_GOOD;
}

static void await_op(struct io *io, struct io_op *op) {
    while (op->busy) {
        io_cancel(io, op);
        fiber_yield(io);
    }
}

static void close_store(struct store *base, bool with_checkpoint) {
    (void)with_checkpoint;
    struct memory *store = store_of(base);
    await_op(store->io, &store->worker);
    for (struct memory_loop *loop = store->loops, *next; loop; loop = next) {
        next = loop->next;
        await_op(store->io, &loop->commit);
        put_list_free(&loop->puts);
        buf_free(&loop->pending);
        buf_free(&loop->pending_bytes);
        mem_free(loop);
    }
    for (struct job *job = store->jobs, *next; job; job = next) {
        next = job->next;
        arena_free(&job->arena);
        mem_free(job);
    }
    database_close(&store->db);
    presence_free(&store->presence);
    buf_free(&store->entries);
    buf_free(&store->bytes);
    mem_free(store);
}

static uint64_t execution_max(const struct store *base) { return store_of(base)->execution_max; }
static uint64_t epoch(const struct store *base) { return (void)base, 1; }
static struct store_stats stats(const struct store *base) { return store_of(base)->stats; }

static const struct store_ops memory_ops = {
    .execution_max = execution_max, .epoch = epoch, .attach = attach, .close = close_store, .stats = stats,
    .admit = admit, .append = append, .appended = appended, .durable = durable, .reload = reload, .resume = resume,
    .checkpoint = checkpoint, .may_have = may_have, .load = load, .list = list, .count = count,
};
