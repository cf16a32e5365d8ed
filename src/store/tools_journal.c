/* tools_journal: dumping and verifying. */
#include "base/check.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/embedded.h"
#include "store/journal_scan.h"
#include "store/tools.h"

/* ---- dump ------------------------------------------------------------------------------------------------------ */

struct dumping {
    const struct store_dump *dump;
    uint64_t segment, offset;
    int64_t wall;
    uint64_t given;                   /* the last sequence; a second try goes on after it */
};

static void dump_flight(void *ctx, const struct scan_segment *segment, uint64_t offset,
                        const struct flight_header *header) {
    struct dumping *dumping = ctx;
    dumping->segment = segment->number;
    dumping->offset = offset;
    dumping->wall = header->wall;
}

static const char *kind_name(unsigned kind) {
    switch (kind) {
    case STORE_RECORD_EXECUTION: return "execution";
    case STORE_RECORD_DELETE: return "delete";
    case STORE_RECORD_NODE: return "node";
    case RECORD_EPOCH: return "start";
    default: return "stop";
    }
}

static void dump_record(void *ctx, const struct store_record *record) {
    struct dumping *dumping = ctx;
    const struct store_dump *dump = dumping->dump;
    if (record->sequence <= dumping->given || record->sequence < dump->from) return;
    if (dump->to && record->sequence > dump->to) return;
    dumping->given = record->sequence;
    struct store_dump_record out = {
        .record = record, .segment = dumping->segment, .offset = dumping->offset, .wall = dumping->wall,
        .kind = kind_name(record->kind), 
        .epoch = (unsigned)record->kind == RECORD_EPOCH ? record->version : 0};
    dump->record(dump->ctx, &out);
}

struct status store_journal_dump(struct io *io, const char *dir, const struct store_dump *dump, struct arena *arena) {
    /* A serving store writes while this reads: what looks like damage then may be a flight that was just under way. */
    enum { TRIES = 3, PAUSE_NS = 20 * 1000 * 1000 };
    struct dumping dumping = {.dump = dump};
    struct status status = STATUS_GOOD;
    for (int i = 0; i < TRIES; i++) {
        struct journal_scan scan = {.io = io, .folder.dir = dir, .flight = dump_flight, .record = dump_record,
                                    .ctx = &dumping};
        status = journal_scan_list(&scan, arena);
        journal_scan_from_oldest(&scan);
        if (status_ok(status)) status = journal_scan_run(&scan, arena);
        journal_scan_free(&scan);
        if (status_ok(status)) break;
        fiber_sleep_until(io, io_now(io) + PAUSE_NS);
    }
    return status;
}

static void print_uuid(struct buf *out, const uint8_t id[NAMESPACE_ID_LEN]) {
    char text[UUID_TEXT_SIZE];
    uuid_text(id, text);
    buf_append_str(out, text);
}

void store_dump_line(const struct store_dump_record *from, struct buf *out) {
    const struct store_record *record = from->record;
    buf_printf(out, "%llu %016llx@%llu %lld %s", (unsigned long long)record->sequence, (unsigned long long)from->segment,
               (unsigned long long)from->offset, (long long)from->wall, from->kind);
    switch ((unsigned)record->kind) {
    case STORE_RECORD_EXECUTION:
    case STORE_RECORD_DELETE:
        buf_printf(out, " execution=%llu version=%llu hash=%016llx namespace=", (unsigned long long)record->execution,
                   (unsigned long long)record->version, (unsigned long long)record->hash);
        print_uuid(out, record->namespace_id);
        break;
    case STORE_RECORD_NODE: buf_printf(out, " name=%.*s", (int)record->name.len, (const char *)record->name.data); break;
    case RECORD_EPOCH: buf_printf(out, " epoch=%llu\n", (unsigned long long)from->epoch); return;
    default: buf_append_str(out, "\n"); return;
    }
    if (record->key_id) buf_printf(out, " key=%u", record->key_id);
    if (record->codec) buf_printf(out, " codec=%u", record->codec);
    buf_printf(out, " payload=%zu\n", record->payload.len);
}

/* ---- verify ---------------------------------------------------------------------------------------------------- */

struct verifying {
    struct io *io;
    const char *path;
    struct vfs_shared shared;
    struct database db;
    struct database_meta meta;
    struct arena arena;
    enum database_result result;
    const char *problems, *error;
    struct store_verify *out;
};

static uint64_t count_rows(struct database *db) {
    sqlite3_stmt *s = NULL;
    uint64_t count = 0;
    if (sqlite3_prepare_v2(db->sql, "SELECT count(*) FROM workflow_executions", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return count;
}

static void verify_database(struct io_helper *helper, void *arg) {
    struct verifying *v = arg;
    v->result = database_open(&v->db, DATABASE_CHECKS, &v->shared, helper, v->path, &v->arena, &v->error);
    if (v->result == DATABASE_OK) v->result = database_meta_read(&v->db, &v->meta, &v->arena, &v->error);
    if (v->result == DATABASE_OK) v->result = database_verify(&v->db, &v->arena, &v->problems, &v->error);
    if (v->result == DATABASE_OK) v->out->executions = count_rows(&v->db);
    if (v->db.sql) database_close(&v->db);
}

static struct status verify_tables(struct verifying *v, struct arena *arena) {
    uint8_t seed[VFS_SEED_LEN];
    io_random(v->io, seed, sizeof seed);
    vfs_setup(seed);
    fiber_help(v->io, io_helper_start(v->io, "store verify"), verify_database, v);
    if (v->result == DATABASE_LOCKED)
        return status_make(arena, STATUS_FAILED_PRECONDITION, "%s is in use: stop the server first, or verify a backup",
                           v->path);
    if (v->result != DATABASE_OK)
        return status_make(arena, STATUS_DATA_LOSS, "cannot read %s: %s", v->path, v->error ? v->error : "crashed");
    if (v->problems[0]) return status_make(arena, STATUS_DATA_LOSS, "%s is damaged: %s", v->path, v->problems);
    return STATUS_GOOD;
}

static void count_flight(void *ctx, const struct scan_segment *segment, uint64_t offset,
                         const struct flight_header *header) {
    (void)segment, (void)offset;
    struct store_verify *out = ctx;
    if (!out->first_sequence) out->first_sequence = header->first_sequence;
    out->flights++;
    out->records += header->count;
    out->bytes += block_up(FLIGHT_HEADER_LEN + header->body_len);
}

static void see_record(void *ctx, const struct store_record *record) {
    struct store_verify *out = ctx;
    if ((unsigned)record->kind == RECORD_EPOCH && record->version > out->epoch) out->epoch = record->version;
}

static struct status verify_journal(struct io *io, const char *dir, const struct database_meta *meta,
                                    struct store_verify *out, struct arena *arena) {
    struct journal_scan scan = {
        .io = io, .folder.dir = dir, .store_id_known = meta->present, .applied = meta->applied,
        .durable = meta->durable > meta->applied ? meta->durable : meta->applied,
        .flight = count_flight, .record = see_record, .ctx = out};
    memcpy(scan.folder.store_id, meta->store_id, STORE_ID_LEN);
    struct status status = journal_scan_list(&scan, arena);
    if (status_ok(status)) status = journal_scan_run(&scan, arena);
    out->segments = scan_count(&scan);
    out->last_sequence = scan.end_sequence;
    memcpy(out->store_id, scan.folder.store_id, STORE_ID_LEN);
    journal_scan_free(&scan);
    return status;
}

struct status store_verify(struct io *io, const char *dir, struct store_verify *out, struct arena *arena) {
    struct verifying *v = MEM_NEW(struct verifying);
    *out = (struct store_verify){0};
    v->io = io;
    v->out = out;
    v->path = arena_printf(arena, "%s/norn.db", dir);
    struct status status = verify_tables(v, arena);
    if (status_ok(status)) {
        out->applied = v->meta.applied;
        out->epoch = v->meta.epoch;
        status = verify_journal(io, dir, &v->meta, out, arena);
    }
    vfs_shared_free(&v->shared);
    arena_free(&v->arena);
    mem_free(v);
    return status;
}
