/* tools_backup: copying a serving store, and bringing a copy back.
 *
 * After a checkpoint that ended whole, and while no other begins, norn.db itself does not change: what comes later is in
 * SQLite's WAL and in the journal. So norn.db as a plain copy, and the journal's segments up to what is durable, are a
 * consistent cut. BACKUP lists the files with sizes and checksums; it is written last: a copy without it is not whole. */
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/embedded.h"
#include "store/journal_scan.h"
#include "store/tools.h"

enum { CHUNK = 1 << 20, LIST_MAX = 16 << 20, CHECKPOINT_TRIES = 20 };

struct copying {
    struct io *io;
    const char *from, *to;            /* folders */
    struct arena *arena;
    struct buf list;                  /* of BACKUP */
    struct store_backup *out;
    bool made_parent;                 /* the folder that `to` is in */
    uint64_t hash;                    /* of the file that was copied last */
};

static struct status cannot(struct copying *copying, const char *what, const char *path, int64_t result) {
    return status_make(copying->arena, result == -IO_ENOSPC ? STATUS_RESOURCE_EXHAUSTED : STATUS_FAILED_PRECONDITION,
                       "cannot %s %s: %s", what, path, io_error_text(result));
}

/* The checksum of a file: of its chunks, one seeding the next. */
static int64_t copy_chunks(struct copying *copying, struct io_file from, struct io_file to, uint64_t len) {
    uint8_t *chunk = mem_alloc(CHUNK);
    int64_t result = 0;
    copying->hash = 0;
    for (uint64_t at = 0; at < len && result >= 0; at += CHUNK) {
        size_t part = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
        result = fiber_read(copying->io, from, chunk, part, at);
        if (result >= 0 && result < (int64_t)part) result = -IO_EIO;
        if (result < 0) break;
        copying->hash = hash64_seed(chunk, part, copying->hash);
        result = fiber_write(copying->io, to, chunk, part, at);
    }
    mem_free(chunk);
    return result < 0 ? result : fiber_datasync(copying->io, to);
}

/* The first `len` bytes of a file (UINT64_MAX: all of it). */
static struct status copy_file(struct copying *copying, const char *name, uint64_t len) {
    const char *from_path = arena_printf(copying->arena, "%s/%s", copying->from, name);
    const char *to_path = arena_printf(copying->arena, "%s/%s", copying->to, name);
    struct io_file from, to;
    int64_t result = fiber_open(copying->io, from_path, IO_OPEN_READ, &from);
    if (result < 0) return cannot(copying, "open", from_path, result);
    if (len == UINT64_MAX) {
        result = fiber_size(copying->io, from);
        len = result < 0 ? 0 : (uint64_t)result;
    }
    if (result >= 0)
        result = fiber_open(copying->io, to_path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_EXCLUSIVE, &to);
    if (result >= 0) {
        result = copy_chunks(copying, from, to, len);
        fiber_close(copying->io, to);
    }
    fiber_close(copying->io, from);
    if (result < 0) return cannot(copying, "copy to", to_path, result);
    buf_printf(&copying->list, "file %s %llu %016llx\n", name, (unsigned long long)len,
               (unsigned long long)copying->hash);
    copying->out->files++;
    copying->out->bytes += len;
    return STATUS_GOOD;
}

/* ---- the folder that is copied to ------------------------------------------------------------------------------ */

static const char *parent_of(struct copying *copying, const char *path) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') len--;
    while (len && path[len - 1] != '/') len--;
    while (len > 1 && path[len - 1] == '/') len--;
    return len ? arena_text(copying->arena, bytes_of(path, len)) : ".";
}

/* The folder that it is in is made as well. */
static struct status make_target(struct copying *copying) {
    struct buf names = {0};
    const char *journal = arena_printf(copying->arena, "%s/journal", copying->to);
    const char *parent = parent_of(copying, copying->to);
    int64_t result = fiber_mkdir(copying->io, parent);
    copying->made_parent = result >= 0;
    result = fiber_mkdir(copying->io, copying->to);
    if (result == -IO_EEXIST) result = fiber_dir_list(copying->io, copying->to, &names);
    buf_free(&names);
    if (result > 0)
        return status_make(copying->arena, STATUS_FAILED_PRECONDITION, "%s is not empty: choose another folder",
                           copying->to);
    if (result >= 0) result = fiber_mkdir(copying->io, journal);
    return result < 0 ? cannot(copying, "make", copying->to, result) : STATUS_GOOD;
}

static int64_t sync_folders(struct copying *copying) {
    const char *journal = arena_printf(copying->arena, "%s/journal", copying->to);
    const char *parent = parent_of(copying, copying->to);
    int64_t result = fiber_dir_sync(copying->io, journal);
    if (result >= 0) result = fiber_dir_sync(copying->io, copying->to);
    if (result >= 0) result = fiber_dir_sync(copying->io, parent);
    if (result >= 0 && copying->made_parent) result = fiber_dir_sync(copying->io, parent_of(copying, parent));
    return result;
}

/* Last of all: BACKUP makes the copy whole. */
static struct status write_list(struct copying *copying) {
    const char *path = arena_printf(copying->arena, "%s/BACKUP", copying->to);
    struct io_file file;
    int64_t result = sync_folders(copying);
    if (result >= 0) result = fiber_open(copying->io, path, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &file);
    if (result < 0) return cannot(copying, "write", path, result);
    buf_printf(&copying->list, "end %016llx\n", (unsigned long long)hash64(copying->list.data, copying->list.len));
    result = fiber_write(copying->io, file, copying->list.data, copying->list.len, 0);
    if (result >= 0) result = fiber_datasync(copying->io, file);
    fiber_close(copying->io, file);
    if (result >= 0) result = fiber_dir_sync(copying->io, copying->to);
    return result < 0 ? cannot(copying, "write", path, result) : STATUS_GOOD;
}

/* ---- backup ---------------------------------------------------------------------------------------------------- */

struct waiting {
    struct io *io;
    struct fiber *fiber;
    bool done;
};

static void checkpoint_done(void *ctx) {
    struct waiting *waiting = ctx;
    waiting->done = true;
    fiber_wake(waiting->io, waiting->fiber);
}

/* Checkpoints until one ends whole, and pins the store at that. */
static bool pin(struct embedded *store) {
    for (int i = 0; i < CHECKPOINT_TRIES; i++) {
        struct waiting waiting = {.io = store->io, .fiber = fiber_current(store->io)};
        struct checkpoint_waiter *waiter = MEM_NEW(struct checkpoint_waiter);
        *waiter = (struct checkpoint_waiter){.done = checkpoint_done, .ctx = &waiting};
        checkpoint_ask(store, waiter);
        while (!waiting.done) fiber_park(store->io);
        if (store->checkpoint.phase != CHECKPOINT_IDLE || !store->checkpoint.whole) continue;
        store->pinned = true;
        return true;
    }
    return false;
}

/* The segments as they are now; what is appended later is not copied. */
static struct status copy_journal(struct copying *copying, const struct embedded *store) {
    const struct journal *journal = &store->journal;
    struct buf segments = {0};
    buf_append_bytes(&segments, buf_bytes(&journal->sealed));
    buf_append(&segments, &journal->active, sizeof journal->active);
    copying->out->last_sequence = journal->durable;
    const struct segment *at = (const void *)segments.data;
    size_t count = segments.len / sizeof *at;
    struct status status = STATUS_GOOD;
    for (size_t i = 0; i < count && status_ok(status); i++) {
        bool is_active = i + 1 == count;
        if (!is_active && at[i].last_sequence <= store->meta.applied) continue;
        const char *name = arena_printf(copying->arena, "journal/%016llx.log", (unsigned long long)at[i].number);
        status = copy_file(copying, name, is_active ? at[i].offset : UINT64_MAX);
    }
    buf_free(&segments);
    return status;
}

struct status store_backup(struct store *base, const char *to, struct store_backup *out, struct arena *arena) {
    struct embedded *store = (struct embedded *)base;
    *out = (struct store_backup){0};
    struct copying copying = {.io = store->io, .from = store->dir, .to = to, .arena = arena, .out = out};
    if (!embedded_is(base)) return status_make(arena, STATUS_UNIMPLEMENTED, "this store cannot be backed up");
    if (store->pinned) return status_make(arena, STATUS_FAILED_PRECONDITION, "a backup is running already");
    struct status status = make_target(&copying);
    if (!status_ok(status)) return status;
    if (!pin(store))
        return status_make(arena, STATUS_ABORTED, "no checkpoint came to its end: long lists are running; try again");
    buf_printf(&copying.list, "norn backup 1\n");
    status = copy_file(&copying, "norn.db", UINT64_MAX);
    if (status_ok(status)) status = copy_journal(&copying, store);
    checkpoint_unpin(store);
    if (status_ok(status)) status = write_list(&copying);
    buf_free(&copying.list);
    return status;
}

/* ---- restore --------------------------------------------------------------------------------------------------- */

static struct status not_whole(struct copying *copying, const char *what) {
    return status_make(copying->arena, STATUS_DATA_LOSS, "the backup in %s is not whole: %s", copying->from, what);
}

static struct status restore_file(struct copying *copying, const char *line) {
    char name[64];
    unsigned long long len, hash;
    if (sscanf(line, "file %63s %llu %llx", name, &len, &hash) != 3 || strstr(name, ".."))
        return not_whole(copying, "its list BACKUP makes no sense");
    struct status status = copy_file(copying, name, UINT64_MAX);
    if (!status_ok(status) || copying->hash == hash) return status;
    return not_whole(copying, arena_printf(copying->arena, "%s is not what was written", name));
}

static struct status restore_files(struct copying *copying, char *list) {
    char *end = strstr(list, "\nend ");
    unsigned long long hash = 0;
    if (strncmp(list, "norn backup 1\n", 14) != 0 || !end || sscanf(end, "\nend %llx", &hash) != 1 ||
        hash != hash64(list, (size_t)(end + 1 - list)))
        return not_whole(copying, "its list BACKUP is cut or of another format");
    struct status status = STATUS_GOOD;
    for (char *line = list + 14; line <= end && status_ok(status); line = strchr(line, '\n') + 1)
        status = restore_file(copying, line);
    if (!status_ok(status)) return status;
    int64_t result = sync_folders(copying);
    return result < 0 ? cannot(copying, "sync", copying->to, result) : STATUS_GOOD;
}

struct status store_restore(struct io *io, const char *from, const char *to, struct store_backup *out,
                            struct arena *arena) {
    *out = (struct store_backup){0};
    struct copying copying = {.io = io, .from = from, .to = to, .arena = arena, .out = out};
    struct buf list = {0};
    const char *path = arena_printf(arena, "%s/BACKUP", from);
    int64_t result = fiber_read_file(io, path, LIST_MAX, &list);
    struct status status = result < 0 ? cannot(&copying, "read", path, result) : make_target(&copying);
    if (status_ok(status)) {
        buf_cstr(&list);
        status = restore_files(&copying, (char *)list.data);
    }
    buf_free(&list);
    buf_free(&copying.list);
    if (!status_ok(status)) return status;
    struct store_verify verified;
    status = store_verify(io, to, &verified, arena);
    out->last_sequence = verified.last_sequence;
    return status;
}
