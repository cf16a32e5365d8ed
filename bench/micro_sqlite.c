/* micro_sqlite: what a checkpoint costs for each closed workflow: its image and history into SQLite, without the sync. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "micro.h"
#include "store/puts.h"
#include "store/sqlite.h"

enum { IMAGES = 2000, STATE_BYTES = 700, EVENTS_BYTES = 1100 };

struct writing {
    struct micro *micro;
    struct vfs_shared shared;
    struct database db;
    struct io_helper *helper;
    char dir[64], path[80];
    struct arena arena;
    uint64_t number;
    bool closes;
};

static void check(struct writing *writing, enum database_result result, const char *error) {
    CHECKF(result == DATABASE_OK, "%s: %s", writing->path, error ? error : "crashed");
}

static void open_it(struct io_helper *helper, void *arg) {
    struct writing *writing = arg;
    const char *error = NULL;
    check(writing, database_open(&writing->db, DATABASE_WRITES, &writing->shared, helper, writing->path, &writing->arena,
                                 &error), error);
}

static struct put *make_puts(struct writing *writing, struct arena *arena) {
    struct put *first = NULL, **last = &first;
    uint8_t *bytes = arena_alloc(arena, EVENTS_BYTES);
    memset(bytes, 'x', EVENTS_BYTES);
    for (unsigned i = 0; i < IMAGES; i++) {
        struct put *put = ARENA_NEW(arena, struct put);
        struct store_history_batch *batch = ARENA_NEW(arena, struct store_history_batch);
        *batch = (struct store_history_batch){1, 11, bytes_of(bytes, EVENTS_BYTES)};
        uint64_t number = ++writing->number;
        put->kind = PUT_IMAGE;
        put->image = (struct store_image){
            .execution = number, .hash = number * UINT64_C(0x9e3779b97f4a7c15), .version = 7, .kind = 1,
            .workflow_id = bytes_str(arena_printf(arena, "bench-%llu", (unsigned long long)number)),
            .state = bytes_of(bytes, STATE_BYTES), .batches = batch, .batch_count = 1,
            .visibility = {.workflow_type = bytes_str("bench"), .task_queue = bytes_str("queue"), .status = 2,
                           .start_time = (int64_t)number, .execution_time = (int64_t)number,
                           .close_time = (int64_t)number + 1, .history_length = 11, .history_size = EVENTS_BYTES}};
        memcpy(put->image.run_id, &number, sizeof number);
        *last = put;
        last = &put->next;
    }
    return first;
}

/* On the helper, where the store writes as well. */
static void write_it(struct io_helper *helper, void *arg) {
    struct writing *writing = arg;
    struct arena arena = {0};
    const char *error = NULL;
    struct put *puts = make_puts(writing, &arena);
    writing->db.vfs.helper = helper;
    micro_begin(writing->micro);
    enum database_result result = database_apply(&writing->db, puts, NULL, 0, &arena, &error);
    micro_end(writing->micro, IMAGES);
    check(writing, result, error);
    arena_free(&arena);
}

static void close_it(struct io_helper *helper, void *arg) {
    struct writing *writing = arg;
    writing->db.vfs.helper = helper;
    database_close(&writing->db);
}

static void *create(struct micro *micro) {
    struct writing *writing = MEM_NEW(struct writing);
    struct io *io = micro->io;
    uint8_t seed[VFS_SEED_LEN];
    writing->micro = micro;
    io_random(io, seed, sizeof seed);
    vfs_setup(seed);
    snprintf(writing->dir, sizeof writing->dir, "norn-bench-%llu", (unsigned long long)io_pid(io));
    snprintf(writing->path, sizeof writing->path, "%s/norn.db", writing->dir);
    CHECK(fiber_mkdir(io, writing->dir) >= 0);
    writing->helper = io_helper_start(io, "store write");
    fiber_help(io, writing->helper, open_it, writing);
    return writing;
}

static void round_(struct micro *micro, void *state) {
    struct writing *writing = state;
    fiber_help(micro->io, writing->helper, write_it, writing);
}

static void destroy(struct micro *micro, void *state) {
    struct writing *writing = state;
    struct io *io = micro->io;
    struct buf names = {0};
    fiber_help(io, writing->helper, close_it, writing);
    vfs_shared_free(&writing->shared);
    CHECK(fiber_dir_list(io, writing->dir, &names) >= 0);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.data + at) + 1) {
        char path[IO_PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", writing->dir, (char *)names.data + at);
        fiber_unlink(io, path);
    }
    fiber_rmdir(io, writing->dir);
    buf_free(&names);
    arena_free(&writing->arena);
    mem_free(writing);
}

const struct micro_case micro_sqlite = {"sqlite", "images",
                                        "images of closed workflows into SQLite, in a folder of the present one", create,
                                        round_, destroy};
