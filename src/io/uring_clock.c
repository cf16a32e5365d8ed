/* uring_clock: the kernel's clocks, and which loop a thread runs. */
#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "io/uring_internal.h"

typedef int clock_fn(clockid_t clock, struct timespec *out);

static _Thread_local struct io *thread_loop;
static _Thread_local struct io_helper *thread_helper;

struct io *uring_thread_loop(void) { return thread_loop; }
void uring_set_thread_loop(struct io *io) { thread_loop = io; }
struct io_helper *uring_thread_helper(void) { return thread_helper; }
void uring_set_thread_helper(struct io_helper *helper) { thread_helper = helper; }

static int by_system_call(clockid_t clock, struct timespec *out) {
    return (int)syscall(SYS_clock_gettime, clock, out);
}

/* The C library's function (which needs no system call) stands behind the executable's own (uring_interpose.c). */
static clock_fn *find(void) {
    clock_fn *next = (clock_fn *)dlsym(RTLD_NEXT, "clock_gettime");
    return next ? next : by_system_call;
}

int uring_clock_real(int clock, void *out) {
    static _Atomic(clock_fn *) found;
    clock_fn *fn = atomic_load_explicit(&found, memory_order_acquire);
    if (!fn) {
        fn = find();
        atomic_store_explicit(&found, fn, memory_order_release);
    }
    return fn(clock, out);
}

static int64_t nanoseconds(clockid_t clock) {
    struct timespec value;
    CHECK(uring_clock_real(clock, &value) == 0);
    return (int64_t)value.tv_sec * 1000000000 + value.tv_nsec;
}

int64_t uring_clock_monotonic(void) { return nanoseconds(CLOCK_MONOTONIC); }
int64_t uring_clock_wall(void) { return nanoseconds(CLOCK_REALTIME); }
