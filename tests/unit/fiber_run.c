/* fiber_run: a node for one test. */
#include "fiber_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct run {
    struct io *io;
    fiber_test_fn *body;
};

static void body(void *arg) {
    struct run *run = arg;
    run->body(run->io);
    CHECKF(fiber_count(run->io) == 1, "a test left fibers behind");
    io_exit(run->io, 0);
}

static void start(struct io *io, void *arg) {
    struct run *run = arg;
    run->io = io;
    fiber_go(io, "test", body, run);
}

void fiber_run(fiber_test_fn *fn) {
    struct run run = {.body = fn};
    char name[] = "test", *argv[] = {name, NULL};
    assert_int_equal(io_main(1, argv, start, &run), 0);
}

void fiber_go(struct io *io, const char *name, fiber_fn *fn, void *arg) {
    CHECKF(fiber_start(io, name, fn, arg, 0), "a fiber could not be started");
}
