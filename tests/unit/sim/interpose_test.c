/* Clock and entropy calls of libraries land in the node that runs them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "fiber/fiber.h"
#include "world.h"

struct seen {
    struct timespec wall[2], mono[2];
    time_t seconds;
    struct timeval day;
    int64_t io_wall, io_now, slept;
    char sqlite_time[64];
    uint8_t random[16];
};

ssize_t getrandom(void *buf, size_t len, unsigned flags);

static int keep_text(void *out, int count, char **values, char **names) {
    (void)count, (void)names;
    strncpy(out, values[0], 63);
    return 0;
}

static void nap(struct io_helper *helper, void *arg) {
    struct seen *seen = arg;
    int64_t before = io_help_wall(helper);
    nanosleep(&(struct timespec){3, 0}, NULL);
    seen->slept = io_help_wall(helper) - before;
}

static void watch(void *arg) {
    struct io *io = arg;
    struct seen *seen = io_slot(io, IO_SLOT_TEST);
    clock_gettime(CLOCK_REALTIME, &seen->wall[0]);
    clock_gettime(CLOCK_MONOTONIC, &seen->mono[0]);
    seen->io_wall = io_wall(io);
    seen->io_now = io_now(io);
    time(&seen->seconds);
    gettimeofday(&seen->day, NULL);
    assert_int_equal(getrandom(seen->random, sizeof seen->random, 0), sizeof seen->random);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    sqlite3_exec(db, "select strftime('%s', 'now')", keep_text, seen->sqlite_time, NULL);
    sqlite3_close(db);
    fiber_help(io, io_helper_start(io, "nap"), nap, seen);
    fiber_sleep_until(io, io_now(io) + 3600 * SIM_SECOND);
    clock_gettime(CLOCK_REALTIME, &seen->wall[1]);
    clock_gettime(CLOCK_MONOTONIC, &seen->mono[1]);
    io_exit(io, 0);
}

static void start(struct io *io, void *arg) {
    io_set_slot(io, IO_SLOT_TEST, arg);
    fiber_start(io, "watch", watch, io, FIBER_STACK_LARGE);
}

static void run(uint64_t seed, struct seen *seen) {
    struct world *world = world_create(&(struct world_options){.seed = seed});
    unsigned node = world_add_node(world, &(struct world_node){.name = "one", .start = start, .arg = seen});
    world_start(world, node, 0);
    while (world_node_state(world, node) != NODE_EXITED) assert_true(world_step(world));
    world_destroy(world);
}

static int64_t ns(const struct timespec *at) { return at->tv_sec * SIM_SECOND + at->tv_nsec; }

static void clocks_are_virtual(void **state) {
    (void)state;
    struct seen seen = {0};
    run(7, &seen);
    assert_int_equal(ns(&seen.wall[0]), seen.io_wall);
    assert_int_equal(ns(&seen.mono[0]), seen.io_now);
    assert_int_equal(seen.seconds, seen.io_wall / SIM_SECOND);
    assert_int_equal(seen.day.tv_sec, seen.seconds);
    assert_true(ns(&seen.mono[1]) - ns(&seen.mono[0]) >= 3600 * SIM_SECOND);
    assert_true(ns(&seen.wall[1]) - ns(&seen.wall[0]) >= 3599 * SIM_SECOND);
    assert_true(seen.slept >= 3 * SIM_SECOND);
}

static void libraries_read_the_same_clock(void **state) {
    (void)state;
    struct seen seen = {0};
    run(8, &seen);
    assert_int_equal(strtoll(seen.sqlite_time, NULL, 10), seen.seconds);
}

static void a_seed_gives_the_same_again(void **state) {
    (void)state;
    struct seen first = {0}, again = {0}, other = {0};
    run(9, &first);
    run(9, &again);
    run(10, &other);
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_not_equal(first.random, other.random, sizeof first.random);
    assert_int_not_equal(first.io_wall, other.io_wall);
}

static void outside_of_nodes_time_is_real(void **state) {
    (void)state;
    assert_true(time(NULL) > 1700000000);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(ns(&after) > ns(&before));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_virtual),
        cmocka_unit_test(libraries_read_the_same_clock),
        cmocka_unit_test(a_seed_gives_the_same_again),
        cmocka_unit_test(outside_of_nodes_time_is_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
