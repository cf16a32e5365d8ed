/* result: pipelines of steps that can fail: then, recover, ensure, finally.
 *
 * A pipeline runs on a fiber, step by step, as it is written; its steps may wait. It holds a value, or the error that a
 * step gave. Once it has an error, `then` and `ensure` are passed over, until `recover` makes it good again:
 *
 *     struct pipeline p = pipeline_begin(io, ctx, order);
 *     pipeline_then(&p, charge_card, NULL);
 *     pipeline_ensure(&p, is_paid, NULL, -IO_EINVAL);
 *     pipeline_then(&p, ship, NULL);
 *     pipeline_recover(&p, refund, order);            // runs only after an error
 *     pipeline_finally(&p, release_stock, order);     // always runs
 *     struct result result = pipeline_end(&p);
 *
 * The end of the context is an error like others, found before the next `then` or `ensure`. A step of recover or finally
 * never gets an ended context but NULL, so that it can still wait; after a recover an ended context counts no more. */
#ifndef NORN_FIBER_RESULT_H
#define NORN_FIBER_RESULT_H

#include "fiber/ctx.h"

/* A value, when error is 0; otherwise an error < 0, of io or of the caller's own numbering. */
struct result {
    int64_t error;
    void *value;
};
static inline struct result result_ok(void *value) { return (struct result){0, value}; }
static inline struct result result_error(int64_t error) { return (struct result){error, NULL}; }
static inline bool result_is_ok(struct result result) { return result.error == 0; }

struct pipeline {
    struct io *io;
    struct ctx *ctx;
    struct result result;
};

typedef struct result pipeline_then_fn(struct io *io, struct ctx *ctx, void *value, void *arg);
typedef struct result pipeline_recover_fn(struct io *io, struct ctx *ctx, int64_t error, void *arg);
typedef bool pipeline_ensure_fn(const void *value, void *arg);
typedef void pipeline_finally_fn(struct io *io, struct ctx *ctx, struct result result, void *arg);

struct pipeline pipeline_begin(struct io *io, struct ctx *ctx, void *value);
/* Gives the value to fn and goes on with what that gives. */
void pipeline_then(struct pipeline *pipeline, pipeline_then_fn *fn, void *arg);
/* After an error: goes on with what fn gives, good or bad. */
void pipeline_recover(struct pipeline *pipeline, pipeline_recover_fn *fn, void *arg);
/* Goes on when fn says that the value holds, with `error` otherwise. */
void pipeline_ensure(struct pipeline *pipeline, pipeline_ensure_fn *fn, void *arg, int64_t error);
/* Runs fn in either case, and goes on with what was. */
void pipeline_finally(struct pipeline *pipeline, pipeline_finally_fn *fn, void *arg);
struct result pipeline_end(const struct pipeline *pipeline);

#endif
