/* ctx: the tree of contexts, and how an end goes down it. */
#include "fiber/ctx.h"

#include "base/check.h"

static void alarm_fired(struct io *io, struct alarm *alarm);

static void attach(struct io *io, struct ctx *ctx, struct ctx *parent) {
    *ctx = (struct ctx){.io = io, .parent = parent, .deadline = FOREVER, .alarm.fire = alarm_fired};
    list_init(&ctx->children);
    list_init(&ctx->watches);
    if (!parent) return;
    CHECKF(parent->io == io, "a context and its parent are of one loop");
    list_push_back(&parent->children, &ctx->link);
    ctx->deadline = parent->deadline;
    ctx->error = parent->error;
    ctx->cause = parent->cause;
}

void ctx_init(struct io *io, struct ctx *ctx, struct ctx *parent) { attach(io, ctx, parent); }

void ctx_init_deadline(struct io *io, struct ctx *ctx, struct ctx *parent, int64_t deadline) {
    attach(io, ctx, parent);
    if (deadline >= ctx->deadline) return;
    ctx->deadline = deadline;
    if (ctx->error) return;
    if (deadline <= io_now(io))
        ctx->error = -IO_ETIMEDOUT;
    else
        alarm_set(io, &ctx->alarm, deadline);
}

void ctx_init_value(struct io *io, struct ctx *ctx, struct ctx *parent, const void *key, void *value) {
    attach(io, ctx, parent);
    ctx->key = key;
    ctx->value = value;
}

static void end_one(struct ctx *ctx, int64_t error, int64_t cause) {
    ctx->error = error;
    ctx->cause = cause;
    alarm_clear(ctx->io, &ctx->alarm);
    for (struct list *node; (node = list_pop_front(&ctx->watches));) {
        struct ctx_watch *watch = LIST_ENTRY(node, struct ctx_watch, link);
        watch->ended(watch, ctx);
    }
}

/* The next context of a walk through the tree under `root`, parents first; without recursion, as its depth is not ours. */
static struct ctx *walk_next(struct ctx *ctx, const struct ctx *root, bool below) {
    if (below && !list_empty(&ctx->children)) return LIST_ENTRY(ctx->children.next, struct ctx, link);
    while (ctx != root) {
        if (ctx->link.next != &ctx->parent->children) return LIST_ENTRY(ctx->link.next, struct ctx, link);
        ctx = ctx->parent;
    }
    return NULL;
}

/* Below a context that had ended before, all have ended too. */
static void end_tree(struct ctx *root, int64_t error, int64_t cause) {
    for (struct ctx *ctx = root; ctx;) {
        bool going_on = !ctx->error;
        if (going_on) end_one(ctx, error, cause);
        ctx = walk_next(ctx, root, going_on);
    }
}

static void alarm_fired(struct io *io, struct alarm *alarm) {
    (void)io;
    end_tree(CONTAINER_OF(alarm, struct ctx, alarm), -IO_ETIMEDOUT, 0);
}

void ctx_cancel(struct ctx *ctx) { ctx_cancel_cause(ctx, 0); }

void ctx_cancel_cause(struct ctx *ctx, int64_t cause) {
    if (!ctx->error) end_tree(ctx, -IO_ECANCELED, cause);
}

void ctx_close(struct ctx *ctx) {
    ctx_cancel(ctx);
    CHECKF(list_empty(&ctx->children), "a context was closed before its children");
    list_remove(&ctx->link);
}

int64_t ctx_error(const struct ctx *ctx) { return ctx ? ctx->error : 0; }
int64_t ctx_cause(const struct ctx *ctx) { return ctx && ctx->cause ? ctx->cause : ctx_error(ctx); }
int64_t ctx_deadline(const struct ctx *ctx) { return ctx ? ctx->deadline : FOREVER; }

void *ctx_value(const struct ctx *ctx, const void *key) {
    while (ctx && ctx->key != key) ctx = ctx->parent;
    return ctx ? ctx->value : NULL;
}

void ctx_watch(struct ctx *ctx, struct ctx_watch *watch) {
    if (!ctx) return;
    if (ctx->error)
        watch->ended(watch, ctx);
    else
        list_push_back(&ctx->watches, &watch->link);
}

void ctx_unwatch(struct ctx_watch *watch) { list_remove(&watch->link); }
