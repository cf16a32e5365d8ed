/* Stores of earlier formats open: the folders in tests/fixtures/format-N. Each has the store's files as they were left
 * on the simulated disk and `expected`, which says what must be found.
 *
 * To make folders for a new format: STORE_MAKE_FIXTURES=tests/fixtures/format-N store_format_test */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/record.h"
#include "unit/store_toy.h"
#include "world.h"

enum { FILES_MAX = 32, EXECUTIONS_MAX = 512, FILE_MAX = 8 << 20 };

struct host_file {
    char name[64];                    /* below the store's folder */
    uint8_t *data;
    size_t len;
};

struct found {
    uint64_t version, chain;
};

struct bench {
    struct world *world;
    struct io *io;
    void (*fn)(struct bench *bench);
    bool ended;
    struct toy_model *model;
    struct host_file files[FILES_MAX];
    unsigned file_count;
    struct found found[EXECUTIONS_MAX];
    uint64_t node_value;
    /* while loading: */
    struct fiber *fiber;
    bool answered;
};

static const struct store_options options = {
    .dir = "/data", .segment_bytes = 64 << 10, .reserve_bytes = 16 << 10, .checkpoint_bytes = 48 << 10,
    .checkpoint_ns = 3600 * SIM_SECOND};

static void end(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void run_fiber(void *arg) {
    struct bench *bench = arg;
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

static struct bench *make(uint64_t seed) {
    struct bench *bench = world_alloc(sizeof *bench);
    bench->world = world_create(&(struct world_options){.seed = seed, .print = true});
    bench->model = world_alloc(sizeof *bench->model);
    toy_model_init(bench->model, seed, 0);
    world_add_node(bench->world, &(struct world_node){.name = "store", .start = start, .arg = bench});
    return bench;
}

static void unmake(struct bench *bench) {
    for (unsigned i = 0; i < bench->file_count; i++) world_free(bench->files[i].data);
    toy_model_free(bench->model);
    world_free(bench->model);
    world_destroy(bench->world);
    world_free(bench);
}

static void begin(struct bench *bench, void (*fn)(struct bench *bench)) {
    bench->fn = fn;
    bench->ended = false;
    world_start(bench->world, 0, 0);
    do {
        if (!world_step(bench->world)) world_fail(bench->world, WORLD_STUCK, "nothing is left to do");
    } while (world_node_state(bench->world, 0) != NODE_RUNNING);
}

static void finish(struct bench *bench) {
    while (world_node_state(bench->world, 0) == NODE_RUNNING)
        if (!world_step(bench->world)) world_fail(bench->world, WORLD_STUCK, "nothing is left to do");
}

/* ---- reading a fixture ----------------------------------------------------------------------------------------- */

static bool host_read(const char *dir, const char *name, struct host_file *out) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    snprintf(out->name, sizeof out->name, "%s", name);
    out->data = world_alloc(FILE_MAX);
    out->len = fread(out->data, 1, FILE_MAX, file);
    fclose(file);
    return true;
}

static void put_files(struct bench *bench) {
    CHECK(fiber_mkdir(bench->io, "/data") >= 0 && fiber_mkdir(bench->io, "/data/journal") >= 0);
    for (unsigned i = 0; i < bench->file_count; i++) {
        char path[128];
        struct io_file file;
        snprintf(path, sizeof path, "/data/%s", bench->files[i].name);
        CHECK(fiber_open(bench->io, path, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &file) >= 0);
        CHECK(fiber_write(bench->io, file, bench->files[i].data, bench->files[i].len, 0) >= 0);
        fiber_close(bench->io, file);
    }
}

static void on_node_value(void *ctx, struct bytes name, struct bytes payload) {
    struct bench *bench = ctx;
    CHECK(bytes_equal(name, bytes_str("namespace/1")) && payload.len == 8);
    bench->node_value = load_u64(payload.data);
}

static void on_image(void *ctx, const struct store_image *image) {
    struct bench *bench = ctx;
    struct found *found = &bench->found[image->execution];
    *found = (struct found){.version = image->version};
    for (size_t i = 0; i < image->batch_count; i++)
        found->chain = hash64_seed(image->batches[i].events.data, image->batches[i].events.len, found->chain);
    CHECK(image->batch_count == image->version && load_u64(image->state.data) == found->chain);
}

static void on_record(void *ctx, const struct store_record *record) {
    struct found *found = &((struct bench *)ctx)->found[record->execution];
    CHECK(record->version == found->version + 1);
    found->version++;
    found->chain = hash64_seed(record->payload.data, record->payload.len, found->chain);
}

static void on_idle(void *ctx, uint64_t execution, uint64_t hash, int64_t next_at) {
    (void)ctx, (void)execution, (void)hash, (void)next_at;
}

static void on_durable(void *ctx, uint64_t number) { (void)ctx, (void)number; }
static bool on_images(void *ctx, struct store_loop *loop, bool first, size_t budget) {
    (void)ctx, (void)loop, (void)first, (void)budget;
    return true;
}
static void on_imaged(void *ctx, uint64_t execution, uint64_t version) { (void)ctx, (void)execution, (void)version; }
static void on_visibility(void *ctx, struct store_loop *loop) { (void)ctx, (void)loop; }

static void on_found(void *ctx, struct status status, const struct store_image *image) {
    struct bench *bench = ctx;
    assert_true(status_ok(status));
    if (image) on_image(bench, image);
    bench->answered = true;
    fiber_wake(bench->io, bench->fiber);
}

static void open_and_look(struct bench *bench) {
    struct arena arena = {0};
    struct store *store;
    put_files(bench);
    struct store_recovery recovery = {on_node_value, on_image, on_record, on_idle, bench};
    struct status status = store_open(bench->io, &options, &recovery, &arena, &store);
    CHECKF(status_ok(status), "open: %s", status.message);
    struct store_engine engine = {.durable = on_durable, .images = on_images, .imaged = on_imaged,
                                  .visibility = on_visibility};
    struct store_loop *loop = store_attach(store, bench->io, &engine);
    bench->fiber = fiber_current(bench->io);
    for (uint64_t i = 1; i < EXECUTIONS_MAX; i++) {
        if (bench->found[i].version) continue;
        bench->answered = false;
        store_load(loop, &(struct store_key){.execution = i}, on_found, bench);
        while (!bench->answered) fiber_park(bench->io);
    }
    store_close(store, false);
    arena_free(&arena);
}

static void compare(const struct bench *bench, const struct host_file *expected) {
    const char *at = (const char *)expected->data;
    unsigned long long number, version, chain;
    struct found wanted[EXECUTIONS_MAX] = {0};
    int used;
    assert_int_equal(sscanf(at, "node %llu\n%n", &number, &used), 1);
    assert_int_equal(bench->node_value, number);
    for (at += used; sscanf(at, "%llu %llu %llx\n%n", &number, &version, &chain, &used) == 3; at += used)
        wanted[number] = (struct found){version, chain};
    for (uint64_t i = 1; i < EXECUTIONS_MAX; i++) {
        assert_int_equal(bench->found[i].version, wanted[i].version);
        assert_true(bench->found[i].chain == wanted[i].chain);
    }
}

static void check_folder(const char *dir) {
    static const char *const names[] = {"norn.db", "norn.db-wal", "journal/0000000000000001.log",
                                        "journal/0000000000000002.log", "journal/0000000000000003.log",
                                        "journal/0000000000000004.log", "journal/0000000000000005.log"};
    struct bench *bench = make(1);
    struct host_file expected = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (host_read(dir, names[i], &bench->files[bench->file_count])) bench->file_count++;
    assert_true(bench->file_count >= 2);
    assert_true(host_read(dir, "expected", &expected));
    begin(bench, open_and_look);
    finish(bench);
    assert_true(bench->ended);
    compare(bench, &expected);
    world_free(expected.data);
    unmake(bench);
}

static void format_1_clean(void **state) {
    (void)state;
    check_folder("tests/fixtures/format-1/clean");
}
static void format_1_crashed(void **state) {
    (void)state;
    check_folder("tests/fixtures/format-1/crashed");
}

/* ---- making fixtures ------------------------------------------------------------------------------------------- */

static void append_node_value(struct toy *toy) {
    uint8_t value[8];
    store_u64(value, 4711);
    struct store_record record = {.kind = STORE_RECORD_NODE, .name = bytes_str("namespace/1"),
                                  .payload = bytes_of(value, 8)};
    store_append(toy->loop, &record);
    toy->model->order++;
    toy_settle(toy);
}

static void live(struct bench *bench, bool crashes) {
    struct toy toy;
    struct arena arena = {0};
    CHECK(status_ok(toy_open(&toy, bench->io, bench->model, &options, &arena)));
    append_node_value(&toy);
    for (int i = 0; i < 60; i++) toy_append(&toy, i % 3 == 2 ? (uint64_t)i / 3 : 0, 300);
    toy_checkpoint(&toy);
    toy_delete(&toy, 2);
    for (int i = 0; i < 60; i++) toy_append(&toy, i % 3 == 2 ? (uint64_t)i / 3 + 3 : 0, 300);
    toy_list(&toy);
    toy_checkpoint(&toy);
    for (int i = 0; i < 30; i++) toy_append(&toy, i % 3 == 2 ? (uint64_t)i / 3 + 10 : 0, 300);
    toy_delete(&toy, 5);
    toy_settle(&toy);
    for (int i = 0; i < 40; i++) toy_append(&toy, i % 3 == 2 ? (uint64_t)i / 3 + 20 : 0, 300);
    toy_settle(&toy);
    bench->ended = crashes;
    while (crashes) fiber_sleep_until(bench->io, io_now(bench->io) + SIM_SECOND);
    toy_close(&toy, false);
    arena_free(&arena);
}

static void live_well(struct bench *bench) { live(bench, false); }
static void live_and_crash(struct bench *bench) { live(bench, true); }

static void host_write(const char *dir, const char *name, const void *data, size_t len) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void save_folder(struct bench *bench, const char *dir, const char *from, const char *below) {
    struct buf names = {0};
    int64_t count = world_disk_list(bench->world, 0, from, &names);
    const char *name = (const char *)names.data;
    for (int64_t i = 0; i < count; i++, name += strlen(name) + 1) {
        struct buf data = {0};
        char path[256], to[128];
        snprintf(path, sizeof path, "%s/%s", from, name);
        snprintf(to, sizeof to, "%s%s", below, name);
        if (strcmp(name, "reserve") && strcmp(name, "LOCK") && world_disk_read(bench->world, 0, path, &data) >= 0)
            host_write(dir, to, data.data, data.len);
        buf_free(&data);
    }
    buf_free(&names);
}

static void save_expected(struct bench *bench, const char *dir) {
    struct buf text = {0};
    buf_printf(&text, "node 4711\n");
    for (uint64_t i = 1; i < EXECUTIONS_MAX; i++) {
        uint64_t version = bench->model->appended[i];
        while (version && bench->model->versions[i][version].order > bench->model->order_acknowledged) version--;
        if (!version || bench->model->versions[i][version].deletes) continue;
        buf_printf(&text, "%llu %llu %016llx\n", (unsigned long long)i, (unsigned long long)version,
                   (unsigned long long)bench->model->versions[i][version].chain);
    }
    host_write(dir, "expected", text.data, text.len);
    buf_free(&text);
}

/* A flight of three blocks of which the second never came to the disk, after the last good one. */
static void tear(const char *journal) {
    enum { BODY = 2 * JOURNAL_BLOCK + 1000, SEGMENT = 64 << 10 };
    struct host_file file = {0};
    struct segment_header segment;
    struct flight_header flight;
    uint64_t end = JOURNAL_BLOCK, next = 0;
    assert_true(host_read(journal, "0000000000000002.log", &file) && file.len == SEGMENT);
    assert_int_equal(segment_header_decode(file.data, &segment), SEGMENT_HEADER_GOOD);
    uint64_t seed = segment_seed(segment.store_id, segment.number);
    while (flight_header_decode(file.data + end, seed, end, &flight)) {
        next = flight.first_sequence + flight.count;
        end += block_up(FLIGHT_HEADER_LEN + flight.body_len);
    }
    assert_true(next && end + BODY + JOURNAL_BLOCK < SEGMENT);
    uint8_t *to = file.data + end;
    memset(to + FLIGHT_HEADER_LEN, 0x5a, BODY);
    flight = (struct flight_header){.body_len = BODY, .count = 20, .first_sequence = next, .wall = flight.wall};
    flight.body_hash = flight_body_hash(to + FLIGHT_HEADER_LEN, BODY, seed, end);
    flight_header_encode(&flight, seed, end, to);
    memset(to + JOURNAL_BLOCK, 0, JOURNAL_BLOCK);
    host_write(journal, "0000000000000002.log", file.data, file.len);
    world_free(file.data);
}

static void make_folder(const char *base, const char *name, bool crashes) {
    char dir[200], journal[256];
    snprintf(dir, sizeof dir, "%s/%s", base, name);
    snprintf(journal, sizeof journal, "%s/journal", dir);
    mkdir(base, 0777);
    mkdir(dir, 0777);
    mkdir(journal, 0777);
    struct bench *bench = make(7);
    begin(bench, crashes ? live_and_crash : live_well);
    while (crashes && !bench->ended) world_step(bench->world);
    if (crashes) world_crash(bench->world, 0, CRASH_POWER);
    else finish(bench);
    save_folder(bench, dir, "/data", "");
    save_folder(bench, journal, "/data/journal", "");
    if (crashes) tear(journal);
    save_expected(bench, dir);
    unmake(bench);
}

int main(void) {
    const char *base = getenv("STORE_MAKE_FIXTURES");
    if (base) {
        make_folder(base, "clean", false);
        make_folder(base, "crashed", true);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_1_clean),
        cmocka_unit_test(format_1_crashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
