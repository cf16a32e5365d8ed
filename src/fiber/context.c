/* context: building a stack's first frame, and telling AddressSanitizer of each switch. */
#include "fiber/context.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONTEXT_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CONTEXT_ASAN 1
#endif

#ifdef CONTEXT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

void norn_context_swap(void **save_sp, void *load_sp);
void norn_context_entry(void);

struct start {
    context_fn *fn;
    void *arg;
    struct context *context;
};

/* Tells the sanitizer that `context` runs now. A thread's own stack has no bounds until it is first left: the sanitizer
 * gives those of the stack that was left, and they are noted in its context. */
static void arrived(struct context *context, void *fake_stack) {
#ifdef CONTEXT_ASAN
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size);
    if (context->resumer && !context->resumer->stack) {
        context->resumer->stack = (void *)(uintptr_t)bottom;
        context->resumer->stack_size = size;
    }
#else
    (void)context, (void)fake_stack;
#endif
}

static void leaving(void **fake_stack, struct context *from, struct context *to) {
    to->resumer = from;
#ifdef CONTEXT_ASAN
    __sanitizer_start_switch_fiber(fake_stack, to->stack, to->stack_size);
#else
    (void)fake_stack;
#endif
}

/* Runs first on a new stack, with the function and its argument at the top of that stack. */
static void begin(void *top) {
    struct start *start = top;
    arrived(start->context, NULL);
    start->fn(start->arg);
    UNREACHABLE("a context's function returned");
}

void context_make(struct context *context, void *stack, size_t stack_size, context_fn *fn, void *arg) {
#ifdef CONTEXT_ASAN
    /* The frames that ended on a stack that is used again were never left one by one. */
    __asan_unpoison_memory_region(stack, stack_size);
#endif
    uintptr_t top = ((uintptr_t)stack + stack_size - sizeof(struct start)) & ~(uintptr_t)15;
    *(struct start *)top = (struct start){fn, arg, context};
    *context = (struct context){.stack = stack, .stack_size = stack_size};
#if defined(__x86_64__)
    /* Layout as norn_context_swap pops it: control words, r15 r14 r13 r12 rbx rbp, return address. At the entry the
     * stack is 16-aligned, so that the call in it pushes to the ABI's alignment. */
    uint64_t *frame = (uint64_t *)top - 8;
    memset(frame, 0, 8 * sizeof *frame);
    uint32_t words[2] = {0x1f80, 0x037f};
    memcpy(&frame[0], words, sizeof words);
    frame[3] = (uint64_t)(uintptr_t)begin;
    frame[4] = top;
    frame[7] = (uint64_t)(uintptr_t)norn_context_entry;
    context->sp = frame;
#elif defined(__aarch64__)
    uint64_t *frame = (uint64_t *)top - 20;
    memset(frame, 0, 20 * sizeof *frame);
    frame[0] = top;
    frame[1] = (uint64_t)(uintptr_t)begin;
    frame[11] = (uint64_t)(uintptr_t)norn_context_entry;
    context->sp = frame;
#else
#error "no stack switch for this processor"
#endif
}

void context_switch(struct context *from, struct context *to) {
    leaving(&from->fake_stack, from, to);
    norn_context_swap(&from->sp, to->sp);
    arrived(from, from->fake_stack);
}

_Noreturn void context_exit_to(struct context *from, struct context *to) {
    leaving(NULL, from, to);
    norn_context_swap(&from->sp, to->sp);
    UNREACHABLE("an ended context was continued");
}
