/* What store.h promises, on every implementation: the same scenarios and the same random life on the embedded store and
 * on the one in memory; the latter also with commits that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "unit/store_toy.h"
#include "world.h"

struct suite {
    void (*scenario)(struct toy *toy);
    struct store_options options;
    struct toy_model *model;
    struct io *io;
    bool ended;
};

static void end(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void run_scenario(void *arg) {
    struct suite *suite = arg;
    struct io *io = suite->io;
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, io, suite->model, &suite->options, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    suite->scenario(&toy);
    if (toy.failed) toy_reload(&toy);
    toy_close(&toy, false);
    arena_free(&arena);
    suite->ended = true;
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = end;
    io_timer(io, op, io_now(io) + SIM_SECOND);
}

static void start(struct io *io, void *arg) {
    ((struct suite *)arg)->io = io;
    fiber_start(io, "scenario", run_scenario, arg, FIBER_STACK_LARGE);
}

static uint64_t run(uint64_t seed, const struct store_options *options, void (*scenario)(struct toy *toy)) {
    struct world *world = world_create(&(struct world_options){.seed = seed, .print = true});
    struct toy_model *model = world_alloc(sizeof *model);
    toy_model_init(model, seed, 0);
    struct suite suite = {.scenario = scenario, .options = *options, .model = model};
    unsigned node = world_add_node(world, &(struct world_node){.name = "store", .start = start, .arg = &suite});
    world_check_leaks(world, true);
    world_start(world, node, 0);
    while (!suite.ended || world_node_state(world, node) == NODE_RUNNING)
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do");
    uint64_t reloads = model->reloads;
    toy_model_free(model);
    world_free(model);
    world_destroy(world);
    return reloads;
}

static void on_both(uint64_t seed, void (*scenario)(struct toy *toy)) {
    struct store_options embedded = {.dir = "/data", .segment_bytes = 128 << 10, .reserve_bytes = 256 << 10,
                                     .checkpoint_bytes = 256 << 10, .checkpoint_ns = SIM_SECOND};
    struct store_options memory = {.memory = true, .memory_seed = seed};
    run(seed, &embedded, scenario);
    run(seed, &memory, scenario);
}

/* ---- scenarios ------------------------------------------------------------------------------------------------- */

static void live(struct toy *toy) {
    for (int i = 0; i < 1500; i++) toy_step(toy);
    if (toy->failed) toy_reload(toy);
    toy_settle(toy);
    if (!toy->failed) toy_list(toy);
}

static void a_random_life(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) on_both(seed, live);
}

static void commits_that_fail(void **state) {
    (void)state;
    uint64_t reloads = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct store_options options = {.memory = true, .memory_seed = seed, .memory_refused = seed % 3 ? 20000 : 0,
                                        .memory_unknown = seed % 3 == 1 ? 0 : 20000};
        reloads += run(seed, &options, live);
    }
    assert_true(reloads > 30);
}

static void append_and_wait(struct toy *toy) {
    assert_int_equal(store_appended(toy->loop), 0);
    for (int i = 0; i < 10; i++) toy_append(toy, 0, 100);
    assert_int_equal(store_appended(toy->loop), 10);
    assert_int_equal(store_durable(toy->loop), 0);
    toy_settle(toy);
    assert_int_equal(store_durable(toy->loop), 10);
}

static void nothing_is_durable_at_once(void **state) {
    (void)state;
    on_both(1, append_and_wait);
}

static void append_image_load(struct toy *toy) {
    assert_false(store_may_have(toy->loop, toy_hash(1)));
    for (int i = 0; i < 5; i++) toy_append(toy, i ? 1 : 0, 200);
    toy_append(toy, 0, 10);
    toy_checkpoint(toy);
    toy_load(toy, 1);
    toy_load(toy, 2);
    for (int i = 0; i < 3; i++) toy_append(toy, 1, 30);
    toy_checkpoint(toy);
    toy_load(toy, 1);
    toy_delete(toy, 1);
    toy_list(toy);
    toy_checkpoint(toy);
    assert_false(toy_find(toy, 1));
    assert_true(toy_find(toy, 2));
    assert_false(toy_find(toy, 77));
}

static void images_are_loaded_with_their_history(void **state) {
    (void)state;
    on_both(2, append_image_load);
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

struct seen {
    struct toy *toy;
    struct fiber *fiber;
    bool done;
    enum status_code code;
    size_t count;
    uint64_t first, last;
    int64_t groups[4];
};

static void on_rows(void *ctx, const struct store_rows *rows) {
    struct seen *seen = ctx;
    seen->code = rows->status.code;
    seen->count = rows->count;
    if (rows->count) {
        seen->first = rows->rows[0].execution;
        seen->last = rows->rows[rows->count - 1].execution;
    }
    seen->done = true;
    fiber_wake(seen->toy->io, seen->fiber);
}

static void on_counts(void *ctx, struct status status, const struct store_count *counts, size_t count) {
    struct seen *seen = ctx;
    seen->code = status.code;
    seen->count = count;
    for (size_t i = 0; i < count && i < 4; i++) seen->groups[i] = counts[i].count;
    seen->done = true;
    fiber_wake(seen->toy->io, seen->fiber);
}

static struct seen ask(struct toy *toy, struct store_list *list, bool counts) {
    struct seen seen = {.toy = toy, .fiber = fiber_current(toy->io)};
    memcpy(list->namespace_id, "toy namespace id", NAMESPACE_ID_LEN);
    list->namespace_id[0] = 0;
    if (counts) store_count(toy->loop, list, on_counts, &seen);
    else store_list(toy->loop, list, on_rows, &seen);
    while (!seen.done) fiber_park(toy->io);
    return seen;
}

static void filters(struct toy *toy) {
    for (int i = 0; i < 20; i++) toy_append(toy, 0, 50);           /* 1..20, open */
    for (int i = 0; i < 11; i++) toy_append(toy, 3, 20);           /* 3 is closed by its 12th version */
    toy_settle(toy);
    struct store_param odd = {.type = STORE_PARAM_TEXT, .text = bytes_str("odd")};
    struct seen all = ask(toy, &(struct store_list){.limit = 100}, false);
    assert_int_equal(all.count, 20);
    assert_int_equal(all.first, 20);
    assert_int_equal(all.last, 3);                                 /* closed ones come after the open ones */
    struct seen some = ask(toy, &(struct store_list){.where = "workflow_type = ?", .params = &odd, .param_count = 1,
                                                     .limit = 3}, false);
    assert_int_equal(some.count, 3);
    assert_int_equal(some.first, 19);
    struct seen bad = ask(toy, &(struct store_list){.where = "no_such_column = 1", .limit = 3}, false);
    assert_int_equal(bad.code, STATUS_INVALID_ARGUMENT);
    struct seen token = ask(toy, &(struct store_list){.limit = 3, .after = bytes_str("x")}, false);
    assert_int_equal(token.code, STATUS_INVALID_ARGUMENT);
    struct seen count = ask(toy, &(struct store_list){.where = "status = 1"}, true);
    assert_int_equal(count.count, 1);
    assert_int_equal(count.groups[0], 19);
    struct seen groups = ask(toy, &(struct store_list){.group_by = "workflow_type"}, true);
    assert_int_equal(groups.count, 2);
    assert_int_equal(groups.groups[0], 10);
    assert_int_equal(groups.groups[1], 10);
}

static void lists_filter_and_count(void **state) {
    (void)state;
    on_both(3, filters);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_durable_at_once),
        cmocka_unit_test(images_are_loaded_with_their_history),
        cmocka_unit_test(lists_filter_and_count),
        cmocka_unit_test(a_random_life),
        cmocka_unit_test(commits_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
