/* fiber_run: runs a test's body on a fiber of a node of its own. cmocka's assertions jump, which fibers do not survive:
 * bodies use CHECK. */
#ifndef NORN_TESTS_UNIT_FIBER_RUN_H
#define NORN_TESTS_UNIT_FIBER_RUN_H

#include "base/check.h"
#include "fiber/fiber.h"
#include "io/io.h"

typedef void fiber_test_fn(struct io *io);

/* The body runs as the first fiber; all that it started has ended when it returns. */
void fiber_run(fiber_test_fn *body);

/* Starts a fiber that must start. */
void fiber_go(struct io *io, const char *name, fiber_fn *fn, void *arg);

enum { MILLISECOND = 1000000 };

#endif
