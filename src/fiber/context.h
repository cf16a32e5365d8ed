/* context: the switch between two stacks, the one piece that is written per processor (context_*.S).
 *
 * Shared by fibers and by the simulator's helpers. */
#ifndef NORN_FIBER_CONTEXT_H
#define NORN_FIBER_CONTEXT_H

#include <stddef.h>

typedef void context_fn(void *arg);

struct context {
    void *sp;                  /* saved stack pointer; all other registers are on that stack */
    void *stack;               /* lowest address and size, for the sanitizers; NULL for a thread's own stack */
    size_t stack_size;
    void *fake_stack;          /* AddressSanitizer's handle while switched out */
    struct context *resumer;   /* who switched here last; the sanitizer tells its stack's bounds then */
};

/* Prepares `context` so that the first switch to it runs fn(arg) on the given stack. fn must not return: its last act
 * is a switch with context_exit_to. */
void context_make(struct context *context, void *stack, size_t stack_size, context_fn *fn, void *arg);
/* Saves the running context in *from and continues *to. Returns when something switches back to *from. */
void context_switch(struct context *from, struct context *to);
/* As context_switch, for a context that ends and is never continued. */
_Noreturn void context_exit_to(struct context *from, struct context *to);

#endif
