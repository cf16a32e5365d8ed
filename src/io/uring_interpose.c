/* uring_interpose: the executable's own clock functions, so that libraries which read a clock (nghttp2 for its rate
 * limits, SQLite for its defaults, BoringSSL for certificates) get io's: on a loop's thread the time of the running
 * batch, elsewhere the kernel's. The simulated backend defines the same symbols.
 *
 * A definition in the executable comes before the C library's, for archives linked into it and for shared objects. */
#include <sys/time.h>
#include <time.h>

#include "io/uring_internal.h"

#define EXPORTED __attribute__((visibility("default"), used))

/* On other threads; what a helper reads is an input of what it runs. */
static int read_kernel(clockid_t clock, struct timespec *out) {
    int result = uring_clock_real(clock, out);
    const struct io_helper *helper = uring_thread_helper();
    if (helper) tape_value(helper->log, TAPE_INPUT_clock, (uint64_t)out->tv_sec * 1000000000 + (uint64_t)out->tv_nsec);
    return result;
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *out) {
    const struct io *io = uring_thread_loop();
    int64_t ns;
    switch (io ? clock : -1) {
    case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_RAW: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
        ns = io_now(io);
        break;
    case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE:
        ns = io_wall(io);
        break;
    default: return read_kernel(clock, out);
    }
    *out = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

EXPORTED time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

EXPORTED int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
