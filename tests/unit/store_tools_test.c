/* Backup of a serving store and its restoring; verify and dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/tools.h"
#include "unit/store_toy.h"
#include "world.h"

struct bench {
    struct world *world;
    struct toy_model *model;
    struct io *io;
    bool ended;
    void (*fn)(struct bench *bench);
    struct toy toy;
    struct fiber *main;
    bool copied;
    struct store_backup backup;
    uint64_t dumped, payload_bytes;
    const char *secret;
    struct buf text;
};

static struct store_options options = {
    .dir = "/data", .segment_bytes = 128 << 10, .reserve_bytes = 64 << 10, .checkpoint_bytes = 256 << 10,
    .checkpoint_ns = SIM_SECOND};

static void end(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void run_fiber(void *arg) {
    struct bench *bench = arg;
    bench->main = fiber_current(bench->io);
    bench->fn(bench);
    bench->ended = true;
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = end;
    io_timer(bench->io, op, io_now(bench->io) + SIM_SECOND);
}

static void start(struct io *io, void *arg) {
    ((struct bench *)arg)->io = io;
    fiber_start(io, "scenario", run_fiber, arg, FIBER_STACK_LARGE);
}

static void run(uint64_t seed, void (*fn)(struct bench *bench)) {
    struct bench *bench = world_alloc(sizeof *bench);
    bench->world = world_create(&(struct world_options){.seed = seed, .print = true});
    bench->model = world_alloc(sizeof *bench->model);
    bench->fn = fn;
    toy_model_init(bench->model, seed, 0);
    world_add_node(bench->world, &(struct world_node){.name = "store", .start = start, .arg = bench});
    world_check_leaks(bench->world, true);
    world_start(bench->world, 0, 0);
    while (!bench->ended || world_node_state(bench->world, 0) == NODE_RUNNING)
        if (!world_step(bench->world)) world_fail(bench->world, WORLD_STUCK, "nothing is left to do");
    toy_model_free(bench->model);
    world_free(bench->model);
    world_destroy(bench->world);
    world_free(bench);
}

/* ---- backup and restore ---------------------------------------------------------------------------------------- */

static void copy(void *arg) {
    struct bench *bench = arg;
    struct arena arena = {0};
    fiber_sleep_until(bench->io, io_now(bench->io) + 100 * SIM_MS);
    struct status status = store_backup(bench->toy.store, "/backup", &bench->backup, &arena);
    CHECKF(status_ok(status), "backup: %s", status.message);
    struct store_backup second;
    status = store_backup(bench->toy.store, "/backup", &second, &arena);
    CHECK(status.code == STATUS_FAILED_PRECONDITION);         /* not empty */
    arena_free(&arena);
    bench->copied = true;
    fiber_wake(bench->io, bench->main);
}

static void back_up_and_restore(struct bench *bench) {
    struct arena arena = {0};
    CHECK(status_ok(toy_open(&bench->toy, bench->io, bench->model, &options, &arena)));
    for (int i = 0; i < 500; i++) toy_step(&bench->toy);
    toy_settle(&bench->toy);
    uint64_t acknowledged = bench->model->order_acknowledged;
    CHECK(fiber_start(bench->io, "backup", copy, bench, FIBER_STACK_LARGE));
    for (int i = 0; i < 500 || !bench->copied; i++) toy_step(&bench->toy);
    toy_close(&bench->toy, false);
    struct store_backup restored;
    struct status status = store_restore(bench->io, "/backup", "/restored", &restored, &arena);
    CHECKF(status_ok(status), "restore: %s", status.message);
    CHECK(restored.files == bench->backup.files && restored.bytes == bench->backup.bytes);
    CHECK(restored.last_sequence == bench->backup.last_sequence);
    bench->model->order_acknowledged = acknowledged;
    struct store_options there = options;
    there.dir = "/restored";
    CHECK(status_ok(toy_open(&bench->toy, bench->io, bench->model, &there, &arena)));
    for (int i = 0; i < 300; i++) toy_step(&bench->toy);
    toy_list(&bench->toy);
    toy_close(&bench->toy, true);
    arena_free(&arena);
}

static void a_serving_store_is_copied_and_brought_back(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) run(seed, back_up_and_restore);
}

static void spoil(struct bench *bench, const char *path) {
    struct io_file file;
    uint8_t byte;
    CHECK(fiber_open(bench->io, path, IO_OPEN_READ | IO_OPEN_WRITE, &file) >= 0);
    CHECK(fiber_read(bench->io, file, &byte, 1, 100) == 1);
    byte ^= 1;
    CHECK(fiber_write(bench->io, file, &byte, 1, 100) >= 0);
    fiber_close(bench->io, file);
}

static void restore_a_spoiled_one(struct bench *bench) {
    struct arena arena = {0};
    CHECK(status_ok(toy_open(&bench->toy, bench->io, bench->model, &options, &arena)));
    for (int i = 0; i < 100; i++) toy_append(&bench->toy, 0, 100);
    CHECK(status_ok(store_backup(bench->toy.store, "/backup", &bench->backup, &arena)));
    toy_close(&bench->toy, false);
    struct store_backup restored;
    spoil(bench, "/backup/norn.db");
    struct status status = store_restore(bench->io, "/backup", "/one", &restored, &arena);
    CHECK(status.code == STATUS_DATA_LOSS && strstr(status.message, "norn.db is not what was written"));
    spoil(bench, "/backup/norn.db");
    spoil(bench, "/backup/BACKUP");
    status = store_restore(bench->io, "/backup", "/two", &restored, &arena);
    CHECK(status.code == STATUS_DATA_LOSS && strstr(status.message, "BACKUP is cut"));
    arena_free(&arena);
}

static void a_spoiled_backup_is_refused(void **state) {
    (void)state;
    run(20, restore_a_spoiled_one);
}

/* ---- verify and dump ------------------------------------------------------------------------------------------- */

static void on_record(void *ctx, const struct store_dump_record *record) {
    struct bench *bench = ctx;
    bench->dumped++;
    CHECK(record->record->sequence == bench->dumped);
    bench->payload_bytes += record->record->payload.len;
    store_dump_line(record, &bench->text);
}

static void verify_and_dump(struct bench *bench) {
    struct arena arena = {0};
    CHECK(status_ok(toy_open(&bench->toy, bench->io, bench->model, &options, &arena)));
    for (int i = 0; i < 50; i++) toy_append(&bench->toy, 0, 100);
    struct store_verify verified;
    struct status status = store_verify(bench->io, "/data", &verified, &arena);
    CHECKF(status.code == STATUS_FAILED_PRECONDITION, "verify of a serving store: %s", status.message);
    toy_checkpoint(&bench->toy);
    for (int i = 0; i < 50; i++) toy_append(&bench->toy, 0, 100);
    toy_close(&bench->toy, false);
    status = store_verify(bench->io, "/data", &verified, &arena);
    CHECKF(status_ok(status), "verify: %s", status.message);
    CHECK(verified.executions == 50 && verified.epoch == 1 && verified.last_sequence == 102 && verified.applied >= 51);
    struct store_dump dump = {.record = on_record, .ctx = bench};
    status = store_journal_dump(bench->io, "/data", &dump, &arena);
    CHECKF(status_ok(status), "dump: %s", status.message);
    CHECK(bench->dumped == 102 && bench->payload_bytes == 100 * 100);
    CHECK(strstr(buf_cstr(&bench->text), " execution execution=100 version=1 "));
    CHECK(strstr(buf_cstr(&bench->text), " payload=100\n"));
    buf_free(&bench->text);
    arena_free(&arena);
}

static void a_stopped_store_is_verified_and_dumped(void **state) {
    (void)state;
    run(30, verify_and_dump);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serving_store_is_copied_and_brought_back),
        cmocka_unit_test(a_spoiled_backup_is_refused),
        cmocka_unit_test(a_stopped_store_is_verified_and_dumped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
