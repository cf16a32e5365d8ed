/* ctx: contexts, as in Go: a tree along which cancellation, deadlines and values go down.
 *
 * A context is memory of its owner (often the stack of the fiber that made it) and belongs to one loop.
 *  1. ctx_init* puts it under its parent; NULL is a parent that never ends.
 *  2. It ends once: by ctx_cancel, by its deadline, or with its parent. From then on ctx_error tells why.
 *  3. ctx_close takes it out of the tree, ending it first. Its children are closed before it.
 * Functions that wait take a context, NULL for none, and give its error when it ends first. */
#ifndef NORN_FIBER_CTX_H
#define NORN_FIBER_CTX_H

#include "fiber/alarm.h"

struct ctx {
    struct io *io;
    struct ctx *parent;
    struct list children, link;
    struct list watches;
    int64_t error;                  /* 0 while it goes on */
    int64_t cause;
    int64_t deadline;               /* its own or an ancestor's, whichever is first; FOREVER: none */
    struct alarm alarm;
    const void *key;
    void *value;
};

void ctx_init(struct io *io, struct ctx *ctx, struct ctx *parent);
/* Ends at the deadline with IO_ETIMEDOUT. */
void ctx_init_deadline(struct io *io, struct ctx *ctx, struct ctx *parent, int64_t deadline);
/* Carries a value; keys are compared by address. `value` is borrowed. */
void ctx_init_value(struct io *io, struct ctx *ctx, struct ctx *parent, const void *key, void *value);

/* Ends it with IO_ECANCELED; no effect when it has ended. */
void ctx_cancel(struct ctx *ctx);
/* Likewise, and ctx_cause gives `cause` (an error < 0) here and below. */
void ctx_cancel_cause(struct ctx *ctx, int64_t cause);
void ctx_close(struct ctx *ctx);

/* 0 while it goes on (and for NULL), then -IO_ECANCELED or -IO_ETIMEDOUT. */
int64_t ctx_error(const struct ctx *ctx);
/* The cause given when it or its ancestor was canceled; ctx_error's value when none was. */
int64_t ctx_cause(const struct ctx *ctx);
/* FOREVER when it has none. */
int64_t ctx_deadline(const struct ctx *ctx);
/* The nearest value with this key, here or above; NULL when none. */
void *ctx_value(const struct ctx *ctx, const void *key);

/* Called once when the context ends, before those of its children; at once when it has ended already. The callback wakes
 * or cancels, and closes no context. On NULL, nothing is watched. */
struct ctx_watch {
    struct list link;
    void (*ended)(struct ctx_watch *watch, struct ctx *ctx);
};
void ctx_watch(struct ctx *ctx, struct ctx_watch *watch);
void ctx_unwatch(struct ctx_watch *watch);

#endif
