/* sqlite_read: loading executions, listing and counting. */
#include "base/check.h"
#include "store/sqlite.h"

struct bytes column_bytes(sqlite3_stmt *statement, int column, struct arena *arena) {
    const void *data = sqlite3_column_blob(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    return len ? bytes_of(arena_copy(arena, data, len), len) : (struct bytes){0};
}

static void column_id(sqlite3_stmt *statement, int column, uint8_t id[16]) {
    if (sqlite3_column_bytes(statement, column) == 16) memcpy(id, sqlite3_column_blob(statement, column), 16);
}

/* Splits one row of history_events into its batches. False: the row does not add up. */
static bool split_batches(int64_t next, struct bytes index, struct bytes events, struct buf *out) {
    struct reader reader = reader_of(index), body = reader_of(events);
    while (reader.left.len && !reader.bad) {
        uint64_t count = read_varint(&reader), len = read_varint(&reader);
        struct store_history_batch batch = {next, next + (int64_t)count - 1, read_bytes(&body, len)};
        next += (int64_t)count;
        if (reader.bad || body.bad || !count) return false;
        buf_append(out, &batch, sizeof batch);
    }
    return !reader.bad && body.left.len == 0;
}

static bool load_history(struct database *db, struct store_image *image, struct arena *arena, bool *sound) {
    sqlite3_stmt *s = database_statement(db, SQL_LOAD_HISTORY);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)image->execution);
    struct buf batches = {0};
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && *sound)
        *sound = split_batches(sqlite3_column_int64(s, 0), column_bytes(s, 1, arena), column_bytes(s, 2, arena),
                               &batches);
    sqlite3_reset(s);
    image->batch_count = batches.len / sizeof(struct store_history_batch);
    image->batches = arena_copy(arena, batches.data, batches.len);
    buf_free(&batches);
    return code == SQLITE_DONE || !*sound;
}

/* The columns are VISIBILITY_COLUMNS of sqlite.c. */
static void read_visibility(sqlite3_stmt *s, struct store_visibility *v, struct arena *arena) {
    v->workflow_type = column_bytes(s, 3, arena);
    v->task_queue = column_bytes(s, 4, arena);
    v->parent_workflow_id = column_bytes(s, 5, arena);
    v->root_workflow_id = column_bytes(s, 6, arena);
    v->status = sqlite3_column_int(s, 7);
    v->start_time = sqlite3_column_int64(s, 8);
    v->execution_time = sqlite3_column_int64(s, 9);
    v->close_time = sqlite3_column_int64(s, 10);
    v->history_length = sqlite3_column_int64(s, 11);
    v->history_size = sqlite3_column_int64(s, 12);
    v->state_transitions = sqlite3_column_int64(s, 13);
    v->memo = column_bytes(s, 14, arena);
    v->search_attributes = column_bytes(s, 15, arena);
    v->search_attributes_json = column_bytes(s, 16, arena);
}

static bool load_visibility(struct database *db, struct store_image *image, struct arena *arena) {
    sqlite3_stmt *s = database_statement(db, SQL_LOAD_VISIBILITY);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)image->execution);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) read_visibility(s, &image->visibility, arena);
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static sqlite3_stmt *find(struct database *db, const struct store_key *key) {
    static const uint8_t none[RUN_ID_LEN];
    bool by_run = memcmp(key->run_id, none, RUN_ID_LEN) != 0;
    enum database_statement which = key->execution ? SQL_LOAD_NUMBER : by_run ? SQL_LOAD_RUN : SQL_LOAD_NEWEST;
    sqlite3_stmt *s = database_statement(db, which);
    if (!s) return NULL;
    if (key->execution) {
        sqlite3_bind_int64(s, 1, (sqlite3_int64)key->execution);
        return s;
    }
    sqlite3_bind_int64(s, 1, (sqlite3_int64)key->hash);
    sqlite3_bind_blob(s, 2, key->namespace_id, NAMESPACE_ID_LEN, SQLITE_TRANSIENT);
    sqlite3_bind_text(s, 3, key->workflow_id, -1, SQLITE_TRANSIENT);
    if (by_run) sqlite3_bind_blob(s, 4, key->run_id, RUN_ID_LEN, SQLITE_TRANSIENT);
    return s;
}

static struct store_image *read_image(sqlite3_stmt *s, struct arena *arena) {
    struct store_image *image = ARENA_NEW(arena, struct store_image);
    image->execution = (uint64_t)sqlite3_column_int64(s, 0);
    image->hash = (uint64_t)sqlite3_column_int64(s, 1);
    image->version = (uint64_t)sqlite3_column_int64(s, 2);
    image->kind = (uint32_t)sqlite3_column_int64(s, 3);
    column_id(s, 4, image->namespace_id);
    image->workflow_id = column_bytes(s, 5, arena);
    column_id(s, 6, image->run_id);
    image->open = sqlite3_column_int(s, 7);
    image->next_at = sqlite3_column_int64(s, 8);
    image->has_tasks = sqlite3_column_int(s, 9);
    image->state = column_bytes(s, 10, arena);
    return image;
}

/* State, history and visibility are read in one transaction, so that they belong together. */
static bool load(struct database *db, const struct store_key *key, struct arena *arena, struct store_image **image,
                 bool *sound) {
    sqlite3_stmt *s = find(db, key);
    if (!s) return false;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) *image = read_image(s, arena);
    sqlite3_reset(s);
    if (code == SQLITE_DONE) return true;
    return code == SQLITE_ROW && load_history(db, *image, arena, sound) && load_visibility(db, *image, arena);
}

enum database_result database_load(struct database *db, const struct store_key *key, struct arena *arena,
                                   const struct store_image **out, const char **error) {
    struct store_image *image = NULL;
    bool sound = true;
    bool good = sqlite3_exec(db->sql, "BEGIN", NULL, NULL, NULL) == SQLITE_OK && load(db, key, arena, &image, &sound);
    enum database_result result = good ? DATABASE_OK : database_failed(db, arena, error);
    if (result != DATABASE_CRASHED && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL);
    if (good && !sound) {
        *error = arena_printf(arena, "history_events of execution %llu does not add up: the database is damaged",
                              (unsigned long long)image->execution);
        return DATABASE_DAMAGED;
    }
    *out = good ? image : NULL;
    return result;
}

/* ---- list and count -------------------------------------------------------------------------------------------- */

static void bind_param(sqlite3_stmt *s, int at, const struct store_param *param) {
    switch (param->type) {
    case STORE_PARAM_TEXT:
        sqlite3_bind_text(s, at, param->text.len ? (const char *)param->text.data : "", (int)param->text.len,
                          SQLITE_STATIC);
        return;
    case STORE_PARAM_INT: sqlite3_bind_int64(s, at, param->integer); return;
    case STORE_PARAM_DOUBLE: sqlite3_bind_double(s, at, param->real); return;
    case STORE_PARAM_NULL: sqlite3_bind_null(s, at); return;
    }
}

/* Prepares TEXT with the namespace as ?1 and the list's parameters after `own` others. */
static sqlite3_stmt *prepare(struct database *db, const struct store_list *list, const char *text, int own) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->sql, text, -1, &s, NULL) != SQLITE_OK) return NULL;
    sqlite3_bind_blob(s, 1, list->namespace_id, NAMESPACE_ID_LEN, SQLITE_STATIC);
    for (unsigned i = 0; i < list->param_count; i++) bind_param(s, own + 1 + (int)i, &list->params[i]);
    return s;
}

enum { PAGE_TOKEN_LEN = 16 };

static struct bytes make_token(int64_t sort_key, uint64_t execution, struct arena *arena) {
    uint8_t *token = arena_alloc(arena, PAGE_TOKEN_LEN);
    store_u64(token, (uint64_t)sort_key);
    store_u64(token + 8, execution);
    return bytes_of(token, PAGE_TOKEN_LEN);
}

static int read_rows(sqlite3_stmt *s, const struct store_list *list, struct arena *arena, struct store_rows *out) {
    struct store_row *rows = arena_alloc(arena, list->limit * sizeof *rows);
    int code;
    int64_t last_key = 0;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        struct store_row *row = &rows[out->count++];
        row->execution = (uint64_t)sqlite3_column_int64(s, 0);
        column_id(s, 1, row->run_id);
        row->workflow_id = column_bytes(s, 2, arena);
        read_visibility(s, &row->visibility, arena);
        last_key = sqlite3_column_int64(s, 17);
    }
    if (out->count == list->limit) out->next = make_token(last_key, rows[out->count - 1].execution, arena);
    out->rows = rows;
    return code;
}

enum database_result database_list(struct database *db, const struct store_list *list, struct arena *arena,
                                   struct store_rows *out, const char **error) {
    enum { OWN = 3 };        /* a bare ? of the filter takes the number after the highest before it */
    CHECK(list->limit > 0);
    if (list->after.len && list->after.len != PAGE_TOKEN_LEN) {
        *error = "invalid page token";
        return DATABASE_REFUSED;
    }
    const char *where = list->where && *list->where ? list->where : "1";
    const char *text = arena_printf(arena,
        "SELECT execution,run_id,workflow_id,workflow_type,task_queue,parent_workflow_id,root_workflow_id,status,"
        "start_time,execution_time,close_time,history_length,history_size,state_transitions,memo,search_attributes,"
        "search_attributes_json,sort_key FROM visibility_records WHERE namespace_id = ?1 AND"
        " (sort_key, execution) < (?2, ?3) AND (%s) ORDER BY sort_key DESC, execution DESC LIMIT %llu",
        where, (unsigned long long)list->limit);
    sqlite3_stmt *s = prepare(db, list, text, OWN);
    if (!s) return database_failed(db, arena, error);
    bool first = list->after.len == 0;
    sqlite3_bind_int64(s, 2, first ? INT64_MAX : (int64_t)load_u64(list->after.data));
    sqlite3_bind_int64(s, 3, first ? INT64_MAX : (int64_t)load_u64(list->after.data + 8));
    int code = read_rows(s, list, arena, out);
    enum database_result result = code == SQLITE_DONE ? DATABASE_OK : database_failed(db, arena, error);
    sqlite3_finalize(s);
    return result;
}

enum database_result database_count(struct database *db, const struct store_list *list, struct arena *arena,
                                    const struct store_count **counts, size_t *count, const char **error) {
    const char *where = list->where && *list->where ? list->where : "1";
    const char *group = list->group_by;
    const char *text = arena_printf(arena,
        "SELECT %s, count(*) FROM visibility_records WHERE namespace_id = ?1 AND (%s)%s%s ORDER BY 1",
        group ? group : "''", where, group ? " GROUP BY " : "", group ? group : "");
    sqlite3_stmt *s = prepare(db, list, text, 1);
    if (!s) return database_failed(db, arena, error);
    struct buf found = {0};
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        struct store_count row = {.count = sqlite3_column_int64(s, 1)};
        if (group && sqlite3_column_text(s, 0)) row.group = column_bytes(s, 0, arena);
        buf_append(&found, &row, sizeof row);
    }
    enum database_result result = code == SQLITE_DONE ? DATABASE_OK : database_failed(db, arena, error);
    sqlite3_finalize(s);
    *count = found.len / sizeof(struct store_count);
    *counts = arena_copy(arena, found.data, found.len);
    buf_free(&found);
    return result;
}

enum database_result database_verify(struct database *db, struct arena *arena, const char **problems,
                                     const char **error) {
    struct buf text = {0};
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sql, "PRAGMA integrity_check", -1, &s, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(s);
        const char *line = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
        if (line && strcmp(line, "ok") != 0) buf_printf(&text, "%s%s", text.len ? "; " : "", line);
    }
    enum database_result result = code == SQLITE_DONE ? DATABASE_OK : database_failed(db, arena, error);
    sqlite3_finalize(s);
    *problems = arena_text(arena, buf_bytes(&text));
    buf_free(&text);
    return result;
}
