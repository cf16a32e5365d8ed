/* recovery: what store_open gives to the engine: SQLite's state, then the journal's records after it.
 *
 *  1 The journal is read once, whole: every checksum, where it ends, which executions it touches, node values. What it
 *    ends with may be in the page cache only, from a process that was killed: it is synced now.
 *  2 Rows of executions that the journal deletes are removed: their records below the deletion may be gone already, so
 *    they are not given to the engine at all.
 *  3 Node values; images of the executions that the journal touches, and of those with tasks.
 *  4 The journal is read again: records above the images' versions.
 *  5 Open executions with a deadline that were not given as images. */
#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "store/embedded.h"
#include "store/journal_scan.h"

struct touched {                      /* an execution that is given whole */
    struct map_node node;
    struct list link;
    uint64_t execution, version;      /* version: of its image */
    bool deleted;
};

struct node_value {
    struct map_node node;
    struct list link;
    struct bytes name, value;
};

struct recovery {
    struct embedded *store;
    const struct store_recovery *out;
    struct journal_scan scan;
    struct map touched, names;
    struct list touched_order, name_order;
    struct arena arena;               /* of both */
};

/* ---- work on the helper ---------------------------------------------------------------------------------------- */

enum { ROWS_A_RUN = 4096, IMAGES_A_RUN = 64 };

/* One run of a helper: `fn` does it and sets result. */
struct task {
    struct recovery *recovery;
    struct database *db;
    struct arena arena;
    enum database_result result;
    const char *error;
    bool (*fn)(struct task *task);    /* false: `result` and `error` say why, or else SQLite does */
    const struct store_image *images[IMAGES_A_RUN];
    uint64_t executions[IMAGES_A_RUN];
    unsigned count;
    struct buf rows;                  /* of uint64_t */
    bool more;
};

static void run_task(struct io_helper *helper, void *arg) {
    struct task *task = arg;
    task->db->vfs.helper = helper;
    task->result = DATABASE_OK;
    if (task->fn(task)) task->result = DATABASE_OK;
    else if (task->result == DATABASE_OK) task->result = database_failed(task->db, &task->arena, &task->error);
}

/* Runs it; false, with a status, when it failed. */
static bool help(struct recovery *recovery, struct task *task, bool (*fn)(struct task *task), struct status *status,
                 struct arena *arena) {
    struct embedded *store = recovery->store;
    task->recovery = recovery;
    task->db = &store->writer;
    task->fn = fn;
    do {
        task->error = NULL;
        fiber_help(store->io, store->write_helper, run_task, task);
    } while (task->result == DATABASE_FULL && embedded_give_reserve(store));
    if (task->result == DATABASE_OK) return true;
    if (task->result == DATABASE_FULL) {
        *status = status_make(arena, STATUS_RESOURCE_EXHAUSTED, "the disk is full: there is no room to open %s",
                              store->database_path);
        return false;
    }
    if (task->result == DATABASE_UNREAD) {
        *status = status_make(arena, STATUS_UNAVAILABLE, "cannot read %s: %s", store->database_path, task->error);
        return false;
    }
    *status = status_make(arena, STATUS_DATA_LOSS, "cannot read %s: %s. Restore a backup with `norn restore`",
                          store->database_path, task->error ? task->error : "crashed");
    return false;
}

static void task_free(struct task *task) {
    arena_free(&task->arena);
    buf_free(&task->rows);
}

/* ---- what the journal touches ---------------------------------------------------------------------------------- */

static bool same_execution(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct touched, node)->execution == *(const uint64_t *)key;
}

static struct touched *find_touched(struct recovery *recovery, uint64_t execution) {
    struct map_node *node = map_find(&recovery->touched, execution * 0x9e3779b97f4a7c15u, same_execution, &execution);
    return node ? CONTAINER_OF(node, struct touched, node) : NULL;
}

static struct touched *touch(struct recovery *recovery, uint64_t execution) {
    struct touched *touched = find_touched(recovery, execution);
    if (touched) return touched;
    touched = ARENA_NEW(&recovery->arena, struct touched);
    touched->execution = execution;
    map_insert(&recovery->touched, &touched->node, execution * 0x9e3779b97f4a7c15u);
    list_push_back(&recovery->touched_order, &touched->link);
    return touched;
}

static bool same_name(const struct map_node *node, const void *key) {
    return bytes_equal(CONTAINER_OF(node, struct node_value, node)->name, *(const struct bytes *)key);
}

static struct bytes keep(struct recovery *recovery, struct bytes bytes) {
    return bytes_of(arena_copy(&recovery->arena, bytes.data, bytes.len), bytes.len);
}

static void set_value(struct recovery *recovery, struct bytes name, struct bytes value) {
    uint64_t hash = hash64(name.data, name.len);
    struct map_node *node = map_find(&recovery->names, hash, same_name, &name);
    struct node_value *found = node ? CONTAINER_OF(node, struct node_value, node) : NULL;
    if (!found) {
        found = ARENA_NEW(&recovery->arena, struct node_value);
        found->name = keep(recovery, name);
        map_insert(&recovery->names, &found->node, hash);
        list_push_back(&recovery->name_order, &found->link);
    }
    found->value = keep(recovery, value);
}

static void keep_for_checkpoint(struct recovery *recovery, const struct store_record *record) {
    size_t len = record_size(record);
    uint8_t *copy = mem_alloc(len);
    record_encode(record, copy);
    checkpoint_node(recovery->store, bytes_of(copy, len), record->sequence);
    mem_free(copy);
}

static void first_pass(void *ctx, const struct store_record *record) {
    struct recovery *recovery = ctx;
    struct embedded *store = recovery->store;
    switch ((unsigned)record->kind) {
    case STORE_RECORD_EXECUTION:
    case STORE_RECORD_DELETE: {
        struct touched *touched = touch(recovery, record->execution);
        if (record->kind == STORE_RECORD_DELETE) touched->deleted = true;
        if (record->execution > store->execution_max) store->execution_max = record->execution;
        return;
    }
    case STORE_RECORD_NODE:
        mark(MARK_VALUE_RECOVERED);
        set_value(recovery, record->name, record->payload);
        if (!PLANT(recovery->store->io, RECOVERED_VALUE_LOST)) keep_for_checkpoint(recovery, record);
        return;
    case RECORD_EPOCH:
        if (record->version > store->epoch) store->epoch = record->version;
        return;
    default: return;
    }
}

static void second_pass(void *ctx, const struct store_record *record) {
    struct recovery *recovery = ctx;
    if (record->kind != STORE_RECORD_EXECUTION) return;
    struct touched *touched = find_touched(recovery, record->execution);
    CHECK(touched);
    if (PLANT(recovery->store->io, RECOVERY_LOSES_LAST) && record->sequence == recovery->scan.end_sequence) return;
    if (!touched->deleted && record->version > touched->version) recovery->out->record(recovery->out->ctx, record);
}

/* ---- 2: deleted executions ------------------------------------------------------------------------------------- */

static bool remove_deleted(struct task *task) {
    struct put *first = NULL, **last = &first;
    LIST_EACH(it, &task->recovery->touched_order) {
        struct touched *touched = LIST_ENTRY(it, struct touched, link);
        if (!touched->deleted) continue;
        struct put *put = ARENA_NEW(&task->arena, struct put);
        put->kind = PUT_DELETE;
        put->image.execution = touched->execution;
        *last = put;
        last = &put->next;
    }
    if (!first) return true;
    uint64_t durable = task->recovery->scan.end_sequence;
    task->result = database_apply(task->db, first, NULL, durable, &task->arena, &task->error);
    return task->result == DATABASE_OK;
}

/* ---- 3: node values and images --------------------------------------------------------------------------------- */

static bool read_values(struct task *task) {
    sqlite3_stmt *s = database_statement(task->db, SQL_NODE_VALUES);
    if (!s) return false;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        set_value(task->recovery, column_bytes(s, 0, &task->arena), column_bytes(s, 1, &task->arena));
    sqlite3_reset(s);
    return code == SQLITE_DONE;
}

static bool read_with_tasks(struct task *task) {
    sqlite3_stmt *s = database_statement(task->db, SQL_WITH_TASKS);
    if (!s) return false;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) touch(task->recovery, (uint64_t)sqlite3_column_int64(s, 0));
    sqlite3_reset(s);
    return code == SQLITE_DONE;
}

static bool read_images(struct task *task) {
    for (unsigned i = 0; i < task->count; i++) {
        struct store_key key = {.execution = task->executions[i]};
        task->result = database_load(task->db, &key, &task->arena, &task->images[i], &task->error);
        if (task->result != DATABASE_OK) return false;
    }
    return true;
}

static bool give_images(struct recovery *recovery, struct status *status, struct arena *arena) {
    struct list *at = recovery->touched_order.next;
    while (at != &recovery->touched_order) {
        struct task task = {0};
        for (; at != &recovery->touched_order && task.count < IMAGES_A_RUN; at = at->next) {
            struct touched *touched = LIST_ENTRY(at, struct touched, link);
            if (!touched->deleted) task.executions[task.count++] = touched->execution;
        }
        bool good = help(recovery, &task, read_images, status, arena);
        for (unsigned i = 0; i < task.count && good; i++) {
            if (!task.images[i]) continue;
            find_touched(recovery, task.executions[i])->version = task.images[i]->version;
            recovery->out->image(recovery->out->ctx, task.images[i]);
        }
        task_free(&task);
        if (!good) return false;
    }
    return true;
}

static void give_values(struct recovery *recovery) {
    LIST_EACH(it, &recovery->name_order) {
        const struct node_value *value = LIST_ENTRY(it, struct node_value, link);
        if (value->value.len) recovery->out->node_value(recovery->out->ctx, value->name, value->value);
    }
}

/* ---- 5: idle executions, and the filter ------------------------------------------------------------------------ */

/* The statement stays open from run to run. */
static bool read_idle(struct task *task) {
    sqlite3_stmt **statement = &task->db->statements[SQL_IDLE];
    sqlite3_stmt *s = task->more ? *statement : database_statement(task->db, SQL_IDLE);
    if (!s) return false;
    buf_clear(&task->rows);
    int code = SQLITE_ROW;
    for (int i = 0; i < ROWS_A_RUN && (code = sqlite3_step(s)) == SQLITE_ROW; i++) {
        for (int column = 0; column < 3; column++) {
            uint64_t value = (uint64_t)sqlite3_column_int64(s, column);
            buf_append(&task->rows, &value, sizeof value);
        }
    }
    task->more = code == SQLITE_ROW;
    if (!task->more) sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool give_idle(struct recovery *recovery, struct status *status, struct arena *arena) {
    struct task task = {0};
    bool good;
    do {
        good = help(recovery, &task, read_idle, status, arena);
        const uint64_t *rows = (const void *)task.rows.data;
        for (size_t i = 0; good && i < task.rows.len / sizeof *rows; i += 3) {
            if (find_touched(recovery, rows[i])) continue;
            mark(MARK_IDLE_RECOVERED);
            recovery->out->idle(recovery->out->ctx, rows[i], rows[i + 1], (int64_t)rows[i + 2]);
        }
    } while (good && task.more);
    task_free(&task);
    return good;
}

static bool read_hashes(struct task *task) {
    struct presence *presence = &task->recovery->store->presence;
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(task->db->sql, "SELECT count(*) FROM workflow_executions", -1, &s, NULL);
    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        uint64_t count = (uint64_t)sqlite3_column_int64(s, 0);
        presence_reserve(presence, count + count / 2);
    }
    sqlite3_finalize(s);
    s = database_statement(task->db, SQL_HASHES);
    if (!s) return false;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) presence_add(presence, (uint64_t)sqlite3_column_int64(s, 0));
    sqlite3_reset(s);
    return code == SQLITE_DONE;
}

/* ---- the journal, ready to go on ------------------------------------------------------------------------------- */

static struct status cannot(struct embedded *store, const char *what, int64_t result, struct arena *arena) {
    return status_make(arena, result == -IO_ENOSPC ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                       "cannot %s the journal in %s: %s", what, store->dir,
                       io_error_text(result));
}

/* Opens the segment that goes on. What the last process wrote may still be in the page cache only: sync it. */
static int64_t open_active(struct embedded *store, const struct scan_segment *from, struct segment *active) {
    char path[SEGMENT_PATH_MAX];
    struct journal *journal = &store->journal;
    *active = (struct segment){.number = from->number, .size = from->size};
    if (from->state != SEGMENT_HEADER_GOOD) {
        if (active->size < journal->segment_bytes) active->size = journal->segment_bytes;
        return segment_prepare(store->io, &journal->folder, 0, active);
    }
    active->offset = from->end;
    active->last_sequence = from->last_sequence;
    active->seed = segment_seed(journal->folder.store_id, from->number);
    segment_path(&journal->folder, from->number, path);
    int64_t result = fiber_open(store->io, path, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_DIRECT, &active->file);
    if (result < 0) return result;
    result = fiber_datasync(store->io, active->file);
    if (result >= 0) result = fiber_dir_sync(store->io, segment_folder_path(&journal->folder, path));
    if (result < 0) fiber_close(store->io, active->file);
    return result;
}

/* Before anything is done because of what the journal says: nothing else may be durable before it is. */
static struct status secure(struct recovery *recovery, struct arena *arena) {
    struct embedded *store = recovery->store;
    struct journal *journal = &store->journal;
    const struct scan_segment *segments = scan_segments(&recovery->scan);
    journal->assigned = journal->durable = recovery->scan.end_sequence;
    journal->reach = recovery->scan.reach;
    if (scan_count(&recovery->scan) == 0) return STATUS_GOOD;
    int64_t result = open_active(store, &segments[recovery->scan.last], &journal->active);
    if (result < 0) journal->active = (struct segment){0};     /* its file is closed again */
    if (result >= 0) return STATUS_GOOD;
    journal->active = (struct segment){0};
    return cannot(store, "open", result, arena);
}

static struct status adopt(struct recovery *recovery, struct arena *arena) {
    struct embedded *store = recovery->store;
    struct journal *journal = &store->journal;
    const struct scan_segment *segments = scan_segments(&recovery->scan);
    size_t count = scan_count(&recovery->scan);
    if (count == 0) return STATUS_GOOD;
    for (size_t i = recovery->scan.last + 1; i < count; i++) {      /* prepared ahead, never written to */
        int64_t result = segment_remove(store->io, &journal->folder, segments[i].number);
        if (result < 0) return cannot(store, "clear", result, arena);
    }
    for (size_t i = 0; i < recovery->scan.last; i++) {
        struct segment sealed = {.number = segments[i].number, .size = segments[i].size,
                                 .last_sequence = i < recovery->scan.first ? 0 : segments[i].last_sequence};
        buf_append(&journal->sealed, &sealed, sizeof sealed);
    }
    return STATUS_GOOD;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static struct status give_all(struct recovery *recovery, struct arena *arena) {
    struct status status = STATUS_GOOD;
    struct task task = {0};
    bool good = help(recovery, &task, read_values, &status, arena);
    if (good) {
        recovery->scan.record = first_pass;
        status = journal_scan_run(&recovery->scan, arena);
        if (status_ok(status)) status = secure(recovery, arena);
        good = status_ok(status);
    }
    good = good && help(recovery, &task, remove_deleted, &status, arena) &&
           help(recovery, &task, read_with_tasks, &status, arena) &&
           help(recovery, &task, read_hashes, &status, arena);
    task_free(&task);
    if (!good) return status;
    give_values(recovery);
    if (!give_images(recovery, &status, arena)) return status;
    recovery->scan.record = second_pass;
    recovery->scan.checked = true;
    status = journal_scan_run(&recovery->scan, arena);
    if (status_ok(status)) give_idle(recovery, &status, arena);
    return status;
}

struct status embedded_recover(struct embedded *store, const struct store_recovery *out, struct arena *arena) {
    struct recovery recovery = {
        .store = store,
        .out = out,
        .scan = {
            .io = store->io,
            .folder = store->journal.folder,
            .store_id_known = store->meta.present,
            .applied = store->meta.applied,
            .needed = store->meta.needed,
            .durable = store->meta.durable > store->meta.applied ? store->meta.durable : store->meta.applied,
        },
    };
    recovery.scan.ctx = &recovery;
    list_init(&recovery.touched_order);
    list_init(&recovery.name_order);
    store->execution_max = store->meta.execution_max;
    store->epoch = store->meta.epoch;
    struct status status = journal_scan_list(&recovery.scan, arena);
    if (status_ok(status)) {
        if (!recovery.scan.store_id_known) io_random(store->io, recovery.scan.folder.store_id, STORE_ID_LEN);
        memcpy(store->journal.folder.store_id, recovery.scan.folder.store_id, STORE_ID_LEN);
        reach_read(store->io, &store->journal.folder, &recovery.scan.reach);
        status = give_all(&recovery, arena);
    }
    if (status_ok(status)) status = adopt(&recovery, arena);
    journal_scan_free(&recovery.scan);
    map_free(&recovery.touched);
    map_free(&recovery.names);
    arena_free(&recovery.arena);
    return status;
}
