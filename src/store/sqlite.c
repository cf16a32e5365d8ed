/* sqlite: connecting, the tables, and writing to them. */
#include "store/sqlite.h"

#include <stdio.h>

#include "base/check.h"

/* docs/on-disk-format.md describes these for people. Rows are keyed by the execution number, so that moving a shard
 * rewrites nothing. The columns of visibility_records are what filters of list and count may name. */
static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE node_values(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE VIEW namespaces AS SELECT substr(name, 11) AS namespace_id, value FROM node_values"
    " WHERE name >= 'namespace/' AND name < 'namespace0';"
    "CREATE TABLE workflow_executions(execution INTEGER PRIMARY KEY, hash INTEGER NOT NULL, version INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, namespace_id BLOB NOT NULL, workflow_id TEXT NOT NULL, run_id BLOB NOT NULL,"
    " open INTEGER NOT NULL, next_at INTEGER NOT NULL, has_tasks INTEGER NOT NULL, state BLOB NOT NULL);"
    "CREATE INDEX workflow_executions_hash ON workflow_executions(hash);"
    "CREATE INDEX workflow_executions_next_at ON workflow_executions(next_at, hash) WHERE next_at > 0;"
    "CREATE INDEX workflow_executions_tasks ON workflow_executions(execution) WHERE has_tasks;"
    "CREATE TABLE history_events(execution INTEGER NOT NULL, first_event_id INTEGER NOT NULL,"
    " last_event_id INTEGER NOT NULL, batches BLOB NOT NULL, events BLOB NOT NULL,"
    " PRIMARY KEY(execution, first_event_id)) WITHOUT ROWID;"
    "CREATE TABLE visibility_records(execution INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
    " namespace_id BLOB NOT NULL, workflow_id TEXT NOT NULL, run_id BLOB NOT NULL, workflow_type TEXT NOT NULL,"
    " task_queue TEXT NOT NULL, parent_workflow_id TEXT NOT NULL, root_workflow_id TEXT NOT NULL,"
    " status INTEGER NOT NULL, start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL,"
    " close_time INTEGER NOT NULL, history_length INTEGER NOT NULL, history_size INTEGER NOT NULL,"
    " state_transitions INTEGER NOT NULL, memo BLOB NOT NULL, search_attributes BLOB NOT NULL,"
    " search_attributes_json TEXT NOT NULL, sort_key INTEGER NOT NULL);"
    "CREATE INDEX visibility_records_newest ON visibility_records(namespace_id, sort_key, execution);"
    "CREATE INDEX visibility_records_id ON visibility_records(namespace_id, workflow_id);"
    "CREATE INDEX visibility_records_type ON visibility_records(namespace_id, workflow_type, sort_key);";

/* An older version never replaces a newer one: what a loop hands over may cross with what another does. */
static const char *const texts[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?",
    [SQL_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?, ?)",
    [SQL_NODE_SET] = "INSERT OR REPLACE INTO node_values VALUES(?, ?)",
    [SQL_NODE_DELETE] = "DELETE FROM node_values WHERE name = ?",
    [SQL_IMAGE_PUT] = ("INSERT INTO workflow_executions VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"
        " ON CONFLICT(execution) DO UPDATE SET hash=?2, version=?3, kind=?4, namespace_id=?5, workflow_id=?6, run_id=?7, open=?8, next_at=?9, has_tasks=?10,"
        " state=?11 WHERE excluded.version >= version"),
    [SQL_HISTORY_PUT] = "INSERT OR REPLACE INTO history_events VALUES(?,?,?,?,?)",
    [SQL_VISIBILITY_PUT] = ("INSERT INTO visibility_records"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)"
        " ON CONFLICT(execution) DO UPDATE SET version=?2, namespace_id=?3, workflow_id=?4, run_id=?5, workflow_type=?6,"
        " task_queue=?7, parent_workflow_id=?8, root_workflow_id=?9, status=?10, start_time=?11, execution_time=?12,"
        " close_time=?13, history_length=?14, history_size=?15, state_transitions=?16, memo=?17, search_attributes=?18,"
        " search_attributes_json=?19, sort_key=?20 WHERE excluded.version > version"),
    [SQL_IMAGE_DELETE] = "DELETE FROM workflow_executions WHERE execution = ?",
    [SQL_HISTORY_DELETE] = "DELETE FROM history_events WHERE execution = ?",
    [SQL_VISIBILITY_DELETE] = "DELETE FROM visibility_records WHERE execution = ?",
#define IMAGE_COLUMNS "execution,hash,version,kind,namespace_id,workflow_id,run_id,open,next_at,has_tasks,state"
    [SQL_LOAD_NUMBER] = ("SELECT " IMAGE_COLUMNS " FROM workflow_executions WHERE execution = ?"),
    [SQL_LOAD_RUN] = ("SELECT " IMAGE_COLUMNS " FROM workflow_executions"
                     " WHERE hash = ? AND +namespace_id = ? AND +workflow_id = ? AND run_id = ?"),
    [SQL_LOAD_NEWEST] = ("SELECT " IMAGE_COLUMNS " FROM workflow_executions"
                        " WHERE hash = ? AND +namespace_id = ? AND +workflow_id = ? ORDER BY execution DESC LIMIT 1"),
    [SQL_LOAD_HISTORY] = ("SELECT first_event_id, batches, events FROM history_events"
        " WHERE execution = ? ORDER BY first_event_id"),
#define VISIBILITY_COLUMNS                                                                                     \
    "execution,run_id,workflow_id,workflow_type,task_queue,parent_workflow_id,root_workflow_id,status,start_time," \
    "execution_time,close_time,history_length,history_size,state_transitions,memo,search_attributes,"          \
    "search_attributes_json"
    [SQL_LOAD_VISIBILITY] = ("SELECT " VISIBILITY_COLUMNS " FROM visibility_records WHERE execution = ?"),
    [SQL_NODE_VALUES] = "SELECT name, value FROM node_values ORDER BY name",
    [SQL_HASHES] = "SELECT hash FROM workflow_executions",
    [SQL_IDLE] = ("SELECT execution, hash, next_at FROM workflow_executions WHERE next_at > 0"
                 " ORDER BY next_at, hash"),
    [SQL_WITH_TASKS] = "SELECT execution FROM workflow_executions WHERE has_tasks ORDER BY execution",
};

sqlite3_stmt *database_statement(struct database *db, enum database_statement which) {
    sqlite3_stmt **statement = &db->statements[which];
    if (*statement) sqlite3_reset(*statement);
    else sqlite3_prepare_v3(db->sql, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    return *statement;
}

enum database_result database_failed(struct database *db, struct arena *arena, const char **error) {
    if (db->vfs.crashed) return DATABASE_CRASHED;
    int code = db->sql ? sqlite3_extended_errcode(db->sql) : SQLITE_CANTOPEN;
    const char *text = db->sql ? sqlite3_errmsg(db->sql) : "cannot open";
    bool io = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    *error = arena_printf(arena, "SQLite: %s (code %d)%s%s", text, code, io && db->vfs.error ? ": " : "",
                          io && db->vfs.error ? io_error_text(db->vfs.error) : "");
    switch (code & 0xff) {
    case SQLITE_FULL: return DATABASE_FULL;
    case SQLITE_ERROR: return DATABASE_REFUSED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DATABASE_DAMAGED;
    default: return code == SQLITE_IOERR_READ && !db->vfs.write_failed ? DATABASE_UNREAD : DATABASE_FAILED;
    }
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static bool execute(struct database *db, const char *text) {
    return sqlite3_exec(db->sql, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* The settings of every connection. */
static bool configure(struct database *db, enum database_role role) {
    sqlite3_busy_timeout(db->sql, 60 * 1000);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    bool good = execute(db, "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA secure_delete=FAST;"
                            "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=NORMAL;");
    if (role == DATABASE_CHECKS) sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (role != DATABASE_WRITES) return good && execute(db, "PRAGMA query_only=ON;");
    return good && execute(db, "PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864;");
}

void database_limit_cache(struct database *db, uint64_t bytes) {
    char text[64];
    snprintf(text, sizeof text, "PRAGMA cache_size=-%llu", (unsigned long long)(bytes / 1024));
    CHECK(execute(db, text));
}

static bool read_number(struct database *db, const char *text, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(db->sql, text, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good) *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

/* PRAGMA user_version is 0 until the tables are there, and they come in one transaction with it. */
static enum database_result make_tables(struct database *db, struct arena *arena, const char **error) {
    int64_t version;
    if (!read_number(db, "PRAGMA user_version", &version)) return database_failed(db, arena, error);
    if (version > DATABASE_FORMAT) {
        *error = arena_printf(arena, "its tables are of format %lld", (long long)version);
        return DATABASE_NEWER;
    }
    if (version) return DATABASE_OK;
    bool good = execute(db, "BEGIN IMMEDIATE") && execute(db, schema) && execute(db, "PRAGMA user_version=1") &&
                execute(db, "COMMIT");
    return good ? DATABASE_OK : database_failed(db, arena, error);
}

enum database_result database_open(struct database *db, enum database_role role, struct vfs_shared *shared,
                                   struct io_helper *helper, const char *path, struct arena *arena,
                                   const char **error) {
    *db = (struct database){0};
    int flags = SQLITE_OPEN_READWRITE | (role == DATABASE_WRITES ? SQLITE_OPEN_CREATE : 0);
    int code = vfs_connect(&db->vfs, shared, helper, role != DATABASE_READS, path, flags, &db->sql);
    if (db->vfs.error == -IO_ELOCKED) return DATABASE_LOCKED;
    if (code != SQLITE_OK || !configure(db, role)) return database_failed(db, arena, error);
    return role == DATABASE_WRITES ? make_tables(db, arena, error) : DATABASE_OK;
}

void database_close(struct database *db) {
    for (int i = 0; i < SQL_STATEMENTS; i++) sqlite3_finalize(db->statements[i]);
    int code = sqlite3_close(db->sql);
    CHECKF(code == SQLITE_OK || db->vfs.crashed, "closing SQLite: code %d", code);
    db->sql = NULL;
}

/* ---- meta ------------------------------------------------------------------------------------------------------ */

static bool meta_integer(struct database *db, const char *key, uint64_t *out) {
    sqlite3_stmt *statement = database_statement(db, SQL_META_GET);
    if (!statement) return false;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    *out = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

enum database_result database_meta_read(struct database *db, struct database_meta *out, struct arena *arena,
                                        const char **error) {
    *out = (struct database_meta){0};
    sqlite3_stmt *statement = database_statement(db, SQL_META_GET);
    if (!statement) return database_failed(db, arena, error);
    sqlite3_bind_text(statement, 1, "store_id", -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == STORE_ID_LEN) {
        memcpy(out->store_id, sqlite3_column_blob(statement, 0), STORE_ID_LEN);
        out->present = true;
    }
    sqlite3_reset(statement);
    uint64_t format = 0;
    bool good = (code == SQLITE_ROW || code == SQLITE_DONE) && meta_integer(db, "format", &format) &&
                meta_integer(db, "applied_sequence", &out->applied) &&
                meta_integer(db, "execution_max", &out->execution_max) && meta_integer(db, "epoch", &out->epoch) &&
                meta_integer(db, "needed_segment", &out->needed.segment) &&
                meta_integer(db, "needed_offset", &out->needed.offset) &&
                meta_integer(db, "needed_sequence", &out->needed.first_sequence) &&
                meta_integer(db, "durable_sequence", &out->durable);
    out->format = (uint32_t)format;
    return good ? DATABASE_OK : database_failed(db, arena, error);
}

static bool meta_set(struct database *db, const char *key, uint64_t value) {
    sqlite3_stmt *statement = database_statement(db, SQL_META_SET);
    if (!statement) return false;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)value);
    return sqlite3_step(statement) == SQLITE_DONE;
}

static bool meta_write(struct database *db, const struct database_meta *meta) {
    sqlite3_stmt *statement = database_statement(db, SQL_META_SET);
    if (!statement) return false;
    sqlite3_bind_text(statement, 1, "store_id", -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, meta->store_id, STORE_ID_LEN, SQLITE_STATIC);
    return sqlite3_step(statement) == SQLITE_DONE && meta_set(db, "format", DATABASE_FORMAT) &&
           meta_set(db, "applied_sequence", meta->applied) && meta_set(db, "execution_max", meta->execution_max) &&
           meta_set(db, "epoch", meta->epoch) && meta_set(db, "needed_segment", meta->needed.segment) &&
           meta_set(db, "needed_offset", meta->needed.offset) &&
           meta_set(db, "needed_sequence", meta->needed.first_sequence);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *statement, int at, struct bytes text) {
    sqlite3_bind_text(statement, at, text.len ? (const char *)text.data : "", (int)text.len, SQLITE_STATIC);
}
static void bind_blob(sqlite3_stmt *statement, int at, struct bytes blob) {
    sqlite3_bind_blob(statement, at, blob.len ? (const void *)blob.data : "", (int)blob.len, SQLITE_STATIC);
}

static bool put_state(struct database *db, const struct store_image *image) {
    sqlite3_stmt *s = database_statement(db, SQL_IMAGE_PUT);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)image->execution);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)image->hash);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)image->version);
    sqlite3_bind_int64(s, 4, image->kind);
    sqlite3_bind_blob(s, 5, image->namespace_id, NAMESPACE_ID_LEN, SQLITE_STATIC);
    bind_text(s, 6, image->workflow_id);
    sqlite3_bind_blob(s, 7, image->run_id, RUN_ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 8, image->open);
    sqlite3_bind_int64(s, 9, image->next_at);
    sqlite3_bind_int64(s, 10, image->has_tasks);
    bind_blob(s, 11, image->state);
    return sqlite3_step(s) == SQLITE_DONE;
}

/* The new batches of an image go into one row: `batches` has, for each, how many events and how many bytes. */
static bool put_history(struct database *db, const struct store_image *image) {
    if (!image->batch_count) return true;
    struct buf index = {0}, joined = {0};
    for (size_t i = 0; i < image->batch_count; i++) {
        const struct store_history_batch *batch = &image->batches[i];
        CHECK(batch->last_event_id >= batch->first_event_id);
        CHECK(i == 0 || batch->first_event_id == batch[-1].last_event_id + 1);
        buf_append_varint(&index, (uint64_t)(batch->last_event_id - batch->first_event_id + 1));
        buf_append_varint(&index, batch->events.len);
        if (image->batch_count > 1) buf_append_bytes(&joined, batch->events);
    }
    sqlite3_stmt *s = database_statement(db, SQL_HISTORY_PUT);
    bool good = s != NULL;
    if (good) {
        sqlite3_bind_int64(s, 1, (sqlite3_int64)image->execution);
        sqlite3_bind_int64(s, 2, image->batches[0].first_event_id);
        sqlite3_bind_int64(s, 3, image->batches[image->batch_count - 1].last_event_id);
        bind_blob(s, 4, buf_bytes(&index));
        bind_blob(s, 5, image->batch_count > 1 ? buf_bytes(&joined) : image->batches[0].events);
        good = sqlite3_step(s) == SQLITE_DONE;
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    buf_free(&index);
    buf_free(&joined);
    return good;
}

/* Newest first: open executions by start time, then closed ones by close time. One number, so that one index serves. */
static int64_t sort_key(const struct store_visibility *v) {
    enum { TIME_BITS = 62 };
    int64_t at = v->close_time ? v->close_time : v->start_time;
    if (at < 0) at = 0;
    if (at >> TIME_BITS) at = ((int64_t)1 << TIME_BITS) - 1;
    return v->close_time ? at : at | (int64_t)1 << TIME_BITS;
}

static bool put_visibility(struct database *db, const struct store_image *image) {
    const struct store_visibility *v = &image->visibility;
    sqlite3_stmt *s = database_statement(db, SQL_VISIBILITY_PUT);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)image->execution);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)image->version);
    sqlite3_bind_blob(s, 3, image->namespace_id, NAMESPACE_ID_LEN, SQLITE_STATIC);
    bind_text(s, 4, image->workflow_id);
    sqlite3_bind_blob(s, 5, image->run_id, RUN_ID_LEN, SQLITE_STATIC);
    bind_text(s, 6, v->workflow_type);
    bind_text(s, 7, v->task_queue);
    bind_text(s, 8, v->parent_workflow_id);
    bind_text(s, 9, v->root_workflow_id);
    sqlite3_bind_int64(s, 10, v->status);
    sqlite3_bind_int64(s, 11, v->start_time);
    sqlite3_bind_int64(s, 12, v->execution_time);
    sqlite3_bind_int64(s, 13, v->close_time);
    sqlite3_bind_int64(s, 14, v->history_length);
    sqlite3_bind_int64(s, 15, v->history_size);
    sqlite3_bind_int64(s, 16, v->state_transitions);
    bind_blob(s, 17, v->memo);
    bind_blob(s, 18, v->search_attributes);
    bind_text(s, 19, v->search_attributes_json);
    sqlite3_bind_int64(s, 20, sort_key(v));
    return sqlite3_step(s) == SQLITE_DONE;
}

static bool put_image(struct database *db, const struct store_image *image) {
    if (!put_state(db, image)) return false;
    if (sqlite3_changes(db->sql) == 0) return true;      /* what is there is newer, its history too */
    return put_history(db, image) && put_visibility(db, image);
}

static bool delete_rows(struct database *db, uint64_t execution) {
    for (int which = SQL_IMAGE_DELETE; which <= SQL_VISIBILITY_DELETE; which++) {
        sqlite3_stmt *s = database_statement(db, (enum database_statement)which);
        if (!s) return false;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)execution);
        if (sqlite3_step(s) != SQLITE_DONE) return false;
    }
    return true;
}

static bool put_node(struct database *db, const struct put *put) {
    sqlite3_stmt *s = database_statement(db, put->value.len ? SQL_NODE_SET : SQL_NODE_DELETE);
    if (!s) return false;
    bind_text(s, 1, put->name);
    if (put->value.len) bind_blob(s, 2, put->value);
    return sqlite3_step(s) == SQLITE_DONE;
}

static bool apply_put(struct database *db, const struct put *put) {
    switch (put->kind) {
    case PUT_IMAGE: return put_image(db, &put->image);
    case PUT_DELETE: return delete_rows(db, put->image.execution);
    case PUT_VISIBILITY: return put_visibility(db, &put->image);
    case PUT_NODE: return put_node(db, put);
    }
    UNREACHABLE("put %d", put->kind);
}

static bool step(struct database *db, enum database_statement which) {
    sqlite3_stmt *statement = database_statement(db, which);
    if (!statement) return false;
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

/* Statements keep pointers to what was bound last. */
static void forget_bindings(struct database *db) {
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        if (!db->statements[i]) continue;
        sqlite3_reset(db->statements[i]);
        sqlite3_clear_bindings(db->statements[i]);
    }
}

enum database_result database_apply(struct database *db, const struct put *puts, const struct database_meta *meta,
                                    uint64_t durable, struct arena *arena, const char **error) {
    bool good = step(db, SQL_BEGIN);
    for (const struct put *put = puts; put && good; put = put->next) good = apply_put(db, put);
    if (good && meta) good = meta_write(db, meta);
    if (good) good = meta_set(db, "durable_sequence", durable);
    if (good) good = step(db, SQL_COMMIT);
    enum database_result result = good ? DATABASE_OK : database_failed(db, arena, error);
    forget_bindings(db);
    if (!good && result != DATABASE_CRASHED && !sqlite3_get_autocommit(db->sql)) step(db, SQL_ROLLBACK);
    return result;
}

enum database_result database_sync(struct database *db, bool *whole, struct arena *arena, const char **error) {
    int frames = 0, moved = 0;
    int code = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    *whole = code == SQLITE_OK && frames == moved;
    if (*whole) sqlite3_db_release_memory(db->sql);      /* the cache was of use for the checkpoint only */
    if (code == SQLITE_OK || code == SQLITE_BUSY) return DATABASE_OK;
    return database_failed(db, arena, error);
}
