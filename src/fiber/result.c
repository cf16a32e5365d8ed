/* result: the steps of a pipeline. */
#include "fiber/result.h"

#include "base/check.h"

struct pipeline pipeline_begin(struct io *io, struct ctx *ctx, void *value) {
    return (struct pipeline){io, ctx, result_ok(value)};
}

static bool goes_on(struct pipeline *pipeline) {
    if (!pipeline->result.error && ctx_error(pipeline->ctx)) pipeline->result = result_error(ctx_error(pipeline->ctx));
    return !pipeline->result.error;
}

static void take(struct pipeline *pipeline, struct result result) {
    CHECKF(result.error <= 0, "an error is a negative number");
    pipeline->result = result;
}

void pipeline_then(struct pipeline *pipeline, pipeline_then_fn *fn, void *arg) {
    if (goes_on(pipeline)) take(pipeline, fn(pipeline->io, pipeline->ctx, pipeline->result.value, arg));
}

void pipeline_ensure(struct pipeline *pipeline, pipeline_ensure_fn *fn, void *arg, int64_t error) {
    CHECK(error < 0);
    if (goes_on(pipeline) && !fn(pipeline->result.value, arg)) pipeline->result = result_error(error);
}

static struct ctx *live_ctx(const struct pipeline *pipeline) {
    return ctx_error(pipeline->ctx) ? NULL : pipeline->ctx;
}

/* From here on an ended context counts no more: what recovers must be able to finish. */
void pipeline_recover(struct pipeline *pipeline, pipeline_recover_fn *fn, void *arg) {
    if (goes_on(pipeline)) return;
    pipeline->ctx = live_ctx(pipeline);
    take(pipeline, fn(pipeline->io, pipeline->ctx, pipeline->result.error, arg));
}

void pipeline_finally(struct pipeline *pipeline, pipeline_finally_fn *fn, void *arg) {
    goes_on(pipeline);
    fn(pipeline->io, live_ctx(pipeline), pipeline->result, arg);
}

struct result pipeline_end(const struct pipeline *pipeline) { return pipeline->result; }
