/* internal: what the files of this folder share about a loop's fibers. */
#ifndef NORN_FIBER_INTERNAL_H
#define NORN_FIBER_INTERNAL_H

#include "base/heap.h"
#include "fiber/context.h"
#include "fiber/fiber.h"

enum { STACKS_POOLED_MAX = 64 };

struct fiber {
    struct context context;
    struct list link;              /* in fibers.runnable; unlinked while it waits or runs */
    struct list all_link;          /* in fibers.all */
    struct io *io;
    const char *name;
    fiber_fn *fn;
    void *arg;
    void *stack;
    size_t stack_size;
    bool parked;
    bool woken;                    /* a wake that came before the wait */
};

/* Alarms of a loop; they outlive fiber_shutdown while io owns the timer. */
struct alarms {
    struct heap heap;
    struct io_op timer;
    int64_t armed;                 /* the timer's deadline while it is busy */
    uint64_t settings;
    bool orphaned;                 /* freed by the timer's end */
};

/* All fibers of a loop. tools/gdb/norn.py reads these fields by name. */
struct fibers {
    struct io *io;
    struct context loop;           /* where the loop itself runs */
    struct fiber *current;
    struct fiber *ended;           /* its stack is freed once the loop runs again */
    struct list runnable;
    struct list all;               /* every fiber, oldest first: for debuggers */
    struct io_op dispatch;         /* busy while a batch of runnable fibers is due */
    struct alarms *alarms;         /* made when first needed */
    void *pooled[STACKS_POOLED_MAX];
    unsigned pooled_count;
    unsigned count;
};

struct fibers *fibers_of(struct io *io);
void alarms_shutdown(struct io *io, struct alarms *alarms);

#endif
