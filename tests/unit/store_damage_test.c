/* Damage to a stopped store: reported with its place and what to do, never skipped; and nothing is changed, so that what
 * was damaged can be put back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/journal_scan.h"
#include "unit/store_toy.h"
#include "world.h"

enum { SEGMENT = 64 << 10 };

struct place {
    uint64_t segment, offset, len;
};

/* One simulated process after another works on one disk: each scenario is a list of those. */
struct bench {
    struct world *world;
    struct toy_model *model;
    struct io *io;
    bool ended;
    void (*fn)(struct bench *bench);
    struct buf places;                /* of struct place; on the simulator's heap */
    enum status_code code;
    char message[1024];
    char path[64];
    uint64_t offset;
    uint8_t mask;
    struct reach reach;
    struct prng prng;
};

static const struct store_options options = {
    .dir = "/data", .segment_bytes = SEGMENT, .reserve_bytes = 64 << 10, .checkpoint_bytes = 64 << 20,
    .checkpoint_ns = 3600 * SIM_SECOND};

static void end(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void run_fiber(void *arg) {
    struct bench *bench = arg;
    struct io *io = bench->io;
    bench->fn(bench);
    bench->ended = true;
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = end;
    io_timer(io, op, io_now(io) + SIM_SECOND);
}

static void start(struct io *io, void *arg) {
    struct bench *bench = arg;
    bench->io = io;
    fiber_start(io, "scenario", run_fiber, bench, FIBER_STACK_LARGE);
}

static void in_process(struct bench *bench, void (*fn)(struct bench *bench)) {
    bench->fn = fn;
    bench->ended = false;
    world_start(bench->world, 0, 0);
    while (!bench->ended || world_node_state(bench->world, 0) == NODE_RUNNING)
        if (!world_step(bench->world)) world_fail(bench->world, WORLD_STUCK, "nothing is left to do");
    assert_int_equal(world_exit_code(bench->world, 0), 0);
}

/* ---- what the processes do ------------------------------------------------------------------------------------- */

static void live(struct bench *bench) {
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, bench->io, bench->model, &options, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    for (int i = 0; i < 400; i++) {
        uint64_t number = bench->model->executions ? 1 + prng_below(&bench->prng, bench->model->executions) : 0;
        bool fits = number && toy.executions[number].resident && toy.executions[number].version < 20;
        toy_append(&toy, fits ? number : 0, 8 + (size_t)prng_below(&bench->prng, 2000));
        if (prng_chance(&bench->prng, 300000)) toy_settle(&toy);
    }
    toy_close(&toy, false);
    arena_free(&arena);
}

static void live_and_checkpoint(struct bench *bench) {
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, bench->io, bench->model, &options, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    for (int i = 0; i < 200; i++) toy_append(&toy, 0, 1500);
    toy_checkpoint(&toy);
    for (int i = 0; i < 20; i++) toy_append(&toy, 0, 1500);
    toy_close(&toy, false);
    arena_free(&arena);
}

/* In one segment; the tables name a flight in its middle. */
static void live_checkpoint_and_go_on(struct bench *bench) {
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, bench->io, bench->model, &options, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    for (int i = 0; i < 10; i++) {
        toy_append(&toy, 0, 100);
        toy_settle(&toy);
        if (i == 5) toy_checkpoint(&toy);
    }
    toy_close(&toy, false);
    arena_free(&arena);
}

/* Opens; keeps how it went. When it went well the toy has compared everything. */
static void try(struct bench *bench) {
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, bench->io, bench->model, &options, &arena);
    bench->code = status.code;
    snprintf(bench->message, sizeof bench->message, "%s", status.message ? status.message : "");
    if (status_ok(status)) toy_close(&toy, false);
    arena_free(&arena);
}

static void on_flight(void *ctx, const struct scan_segment *segment, uint64_t offset, const struct flight_header *header) {
    struct bench *bench = ctx;
    struct place place = {segment->number, offset, FLIGHT_HEADER_LEN + header->body_len};
    bench->places.data = world_realloc(bench->places.data, bench->places.len + sizeof place);
    memcpy(bench->places.data + bench->places.len, &place, sizeof place);
    bench->places.len += sizeof place;
}

static void find_flights(struct bench *bench) {
    struct journal_scan scan = {.io = bench->io, .folder.dir = "/data", .flight = on_flight, .ctx = bench};
    struct arena arena = {0};
    bench->places.len = 0;
    CHECK(status_ok(journal_scan_list(&scan, &arena)));
    CHECK(status_ok(journal_scan_run(&scan, &arena)));
    journal_scan_free(&scan);
    arena_free(&arena);
}

static void flip(struct bench *bench) {
    struct io_file file;
    uint8_t byte;
    CHECK(fiber_open(bench->io, bench->path, IO_OPEN_READ | IO_OPEN_WRITE, &file) >= 0);
    CHECK(fiber_read(bench->io, file, &byte, 1, bench->offset) == 1);
    byte ^= bench->mask;
    CHECK(fiber_write(bench->io, file, &byte, 1, bench->offset) >= 0);
    CHECK(fiber_datasync(bench->io, file) >= 0);
    fiber_close(bench->io, file);
}

static void hide(struct bench *bench) {
    CHECK(fiber_rename(bench->io, bench->path, "/hidden") >= 0);
}
static void put_back(struct bench *bench) { CHECK(fiber_rename(bench->io, "/hidden", bench->path) >= 0); }

static void cut(struct bench *bench) {
    struct io_file file;
    CHECK(fiber_open(bench->io, bench->path, IO_OPEN_READ | IO_OPEN_WRITE, &file) >= 0);
    CHECK(fiber_truncate(bench->io, file, bench->offset) >= 0);
    fiber_close(bench->io, file);
}

static void write_newer_header(struct bench *bench) {
    uint8_t block[SEGMENT_HEADER_LEN];
    struct io_file file;
    struct segment_header header;
    CHECK(fiber_open(bench->io, bench->path, IO_OPEN_READ | IO_OPEN_WRITE, &file) >= 0);
    CHECK(fiber_read(bench->io, file, block, sizeof block, 0) == sizeof block);
    CHECK(segment_header_decode(block, &header) == SEGMENT_HEADER_GOOD);
    header.format = JOURNAL_FORMAT + 1;
    segment_header_encode(&header, block);
    CHECK(fiber_write(bench->io, file, block, sizeof block, 0) >= 0);
    fiber_close(bench->io, file);
}

static void open_twice(struct bench *bench) {
    struct toy toy;
    struct arena arena = {0};
    CHECK(status_ok(toy_open(&toy, bench->io, bench->model, &options, &arena)));
    struct store_recovery recovery = {0};
    struct store *second = NULL;
    struct status status = store_open(bench->io, &options, &recovery, &arena, &second);
    bench->code = status.code;
    snprintf(bench->message, sizeof bench->message, "%s", status.message ? status.message : "");
    toy_close(&toy, false);
    arena_free(&arena);
}

/* ---- scenarios ------------------------------------------------------------------------------------------------- */

static struct bench *make(uint64_t seed, void (*first)(struct bench *bench)) {
    struct bench *bench = world_alloc(sizeof *bench);
    bench->world = world_create(&(struct world_options){.seed = seed, .print = true});
    bench->model = world_alloc(sizeof *bench->model);
    bench->prng = prng_fork(seed, "damage", 0);
    toy_model_init(bench->model, seed, 0);
    world_add_node(bench->world, &(struct world_node){.name = "store", .start = start, .arg = bench});
    world_check_leaks(bench->world, true);
    in_process(bench, first);
    return bench;
}

static void unmake(struct bench *bench) {
    toy_model_free(bench->model);
    world_free(bench->places.data);
    world_free(bench->model);
    world_destroy(bench->world);
    world_free(bench);
}

static void name_segment(struct bench *bench, uint64_t number) {
    snprintf(bench->path, sizeof bench->path, "/data/journal/%016llx.log", (unsigned long long)number);
}

static void expect(struct bench *bench, enum status_code code, const char *text) {
    in_process(bench, try);
    if (bench->code != code || !strstr(bench->message, text))
        fail_msg("expected %s with \"%s\", got %s: %s", status_code_name(code), text, status_code_name(bench->code),
                 bench->message);
}

static size_t place_count(const struct bench *bench) { return bench->places.len / sizeof(struct place); }
static struct place place_at(const struct bench *bench, size_t index) {
    return ((const struct place *)(const void *)bench->places.data)[index];
}

static void a_flipped_bit_is_found(void **state) {
    (void)state;
    struct bench *bench = make(1, live);
    in_process(bench, find_flights);
    assert_true(place_count(bench) > 60);
    for (int i = 0; i < 60; i++) {
        in_process(bench, find_flights);
        size_t index = (size_t)prng_below(&bench->prng, place_count(bench) - 1);
        struct place place = place_at(bench, index);
        char where[64];
        name_segment(bench, place.segment);
        bench->offset = place.offset + prng_below(&bench->prng, place.len);
        bench->mask = (uint8_t)(1u << prng_below(&bench->prng, 8));
        in_process(bench, flip);
        snprintf(where, sizeof where, "%016llx.log at offset %llu", (unsigned long long)place.segment,
                 (unsigned long long)place.offset);
        expect(bench, STATUS_DATA_LOSS, where);
        in_process(bench, flip);
        if (i % 10 == 9) expect(bench, STATUS_OK, "");
    }
    unmake(bench);
}

static void remove_reach(struct bench *bench) {
    CHECK(fiber_unlink(bench->io, "/data/journal/reach") >= 0);
}
static void keep_reach(struct bench *bench) { CHECK(fiber_rename(bench->io, "/data/journal/reach", "/reach") >= 0); }
static void put_reach_back(struct bench *bench) { CHECK(fiber_rename(bench->io, "/reach", "/data/journal/reach") >= 0); }

/* Flips a bit in the flight before the last one, which only reading on can tell from a torn tail. */
static void expect_flip_is_found(struct bench *bench) {
    in_process(bench, find_flights);
    struct place place = place_at(bench, place_count(bench) - 2);
    char where[64];
    name_segment(bench, place.segment);
    bench->offset = place.offset + prng_below(&bench->prng, FLIGHT_HEADER_LEN);
    bench->mask = 1;
    in_process(bench, flip);
    snprintf(where, sizeof where, "%016llx.log at offset %llu", (unsigned long long)place.segment,
             (unsigned long long)place.offset);
    expect(bench, STATUS_DATA_LOSS, where);
    in_process(bench, flip);
}

/* What reach says is believed only while it can be true; without it everything is read. */
static void damage_is_found_whatever_became_of_reach(void **state) {
    (void)state;
    struct bench *bench = make(7, live);
    expect_flip_is_found(bench);
    in_process(bench, remove_reach);
    expect_flip_is_found(bench);
    expect(bench, STATUS_OK, "");                    /* makes it again */
    snprintf(bench->path, sizeof bench->path, "/data/journal/reach");
    for (bench->offset = 8; bench->offset <= JOURNAL_BLOCK + 8; bench->offset += JOURNAL_BLOCK) {
        bench->mask = 0x40;
        in_process(bench, flip);
    }
    expect_flip_is_found(bench);                     /* neither block validates */
    expect(bench, STATUS_OK, "");
    in_process(bench, keep_reach);
    for (int i = 0; i < 3; i++) in_process(bench, live);
    in_process(bench, remove_reach);
    in_process(bench, put_reach_back);               /* of long ago, as an older build would leave it */
    expect_flip_is_found(bench);
    expect(bench, STATUS_OK, "");
    unmake(bench);
}

static void live_with(struct bench *bench, uint64_t segment_bytes) {
    struct store_options changed = options;
    struct toy toy;
    struct arena arena = {0};
    changed.segment_bytes = segment_bytes;
    struct status status = toy_open(&toy, bench->io, bench->model, &changed, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    for (int i = 0; i < 30; i++) {
        toy_append(&toy, 0, 4000);
        toy_settle(&toy);
    }
    toy_close(&toy, false);
    arena_free(&arena);
}
static void live_with_large_segments(struct bench *bench) { live_with(bench, 1 << 20); }
static void live_with_small_segments(struct bench *bench) { live_with(bench, SEGMENT); }

static void read_reach(struct bench *bench) {
    struct journal_scan scan = {.io = bench->io, .folder.dir = "/data"};
    struct arena arena = {0};
    CHECK(status_ok(journal_scan_list(&scan, &arena)));
    reach_read(bench->io, &scan.folder, &bench->reach);
    journal_scan_free(&scan);
    arena_free(&arena);
}

/* What may have been written under an earlier one stays covered, whatever the segments' size became. */
static void reach_takes_nothing_back(void **state) {
    (void)state;
    struct bench *bench = make(11, live_with_large_segments);
    in_process(bench, read_reach);
    struct reach before = bench->reach;
    in_process(bench, live_with_small_segments);
    in_process(bench, read_reach);
    assert_int_equal(bench->reach.number, before.number);
    assert_true(bench->reach.counter > before.counter);
    assert_true(bench->reach.limit > before.limit);
    assert_true(bench->reach.first >= before.first);
    unmake(bench);
}

static void flip_segment_header(struct bench *bench, uint64_t offset) {
    bench->offset = offset;
    bench->mask = 1;
    in_process(bench, flip);
}

/* What the tables have already is not read; but a segment that goes on is written to, so its header must be sound. */
static void damage_before_the_needed_flight(void **state) {
    (void)state;
    struct bench *bench = make(10, live_checkpoint_and_go_on);
    name_segment(bench, 1);
    flip_segment_header(bench, JOURNAL_BLOCK + 8);
    expect(bench, STATUS_OK, "");                    /* only the first flight: it is in the tables */
    flip_segment_header(bench, 8);
    expect(bench, STATUS_DATA_LOSS, "0000000000000001.log");
    flip_segment_header(bench, 8);
    expect(bench, STATUS_OK, "");
    unmake(bench);
}

static void a_missing_segment_is_found(void **state) {
    (void)state;
    struct bench *bench = make(2, live);
    in_process(bench, find_flights);
    uint64_t last = place_at(bench, place_count(bench) - 1).segment;
    assert_true(last >= 3);
    for (uint64_t number = 1; number <= last; number++) {
        name_segment(bench, number);
        in_process(bench, hide);
        expect(bench, STATUS_DATA_LOSS, "journal");
        in_process(bench, put_back);
    }
    expect(bench, STATUS_OK, "");
    unmake(bench);
}

static void a_cut_tail_is_found_after_a_clean_stop(void **state) {
    (void)state;
    for (uint64_t seed = 3; seed < 6; seed++) {
        struct bench *bench = make(seed, live);
        in_process(bench, find_flights);
        struct place place = place_at(bench, place_count(bench) - 1 - (size_t)(seed - 3) * 3);
        name_segment(bench, place.segment);
        bench->offset = place.offset;
        in_process(bench, cut);
        expect(bench, STATUS_DATA_LOSS, "the journal is damaged");
        unmake(bench);
    }
}

static void newer_formats_are_refused(void **state) {
    (void)state;
    struct bench *bench = make(7, live);
    snprintf(bench->path, sizeof bench->path, "/data/norn.db");
    bench->offset = 63;               /* the low byte of user_version in SQLite's header */
    bench->mask = 0x40;
    in_process(bench, flip);
    expect(bench, STATUS_FAILED_PRECONDITION, "written by a newer build");
    in_process(bench, flip);
    expect(bench, STATUS_OK, "");
    name_segment(bench, 2);
    in_process(bench, write_newer_header);
    expect(bench, STATUS_FAILED_PRECONDITION, "is of format 2");
    unmake(bench);
}

static void a_lost_database_is_found(void **state) {
    (void)state;
    struct bench *bench = make(8, live_and_checkpoint);
    snprintf(bench->path, sizeof bench->path, "/data/norn.db");
    in_process(bench, hide);
    expect(bench, STATUS_DATA_LOSS, "segments are missing");
    unmake(bench);
}

static void a_second_process_is_refused(void **state) {
    (void)state;
    struct bench *bench = make(9, live);
    in_process(bench, open_twice);
    assert_int_equal(bench->code, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(bench->message, "in use by another process"));
    unmake(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(damage_is_found_whatever_became_of_reach),
        cmocka_unit_test(reach_takes_nothing_back),
        cmocka_unit_test(damage_before_the_needed_flight),
        cmocka_unit_test(a_missing_segment_is_found),
        cmocka_unit_test(a_cut_tail_is_found_after_a_clean_stop),
        cmocka_unit_test(newer_formats_are_refused),
        cmocka_unit_test(a_lost_database_is_found),
        cmocka_unit_test(a_second_process_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
