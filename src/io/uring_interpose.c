/* uring_interpose: the executable's own clock functions, so that libraries which read a clock (nghttp2 for its rate
 * limits, SQLite for its defaults, BoringSSL for certificates) get io's: on a loop's thread the time of the running
 * batch, elsewhere the kernel's. The simulated backend defines the same symbols.
 *
 * A definition in the executable comes before the C library's, for archives linked into it and for shared objects. */
#include <sys/time.h>
#include <time.h>

#include "io/uring_internal.h"

#define EXPORTED __attribute__((visibility("default"), used))

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
    default: return uring_clock_real(clock, out);
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
