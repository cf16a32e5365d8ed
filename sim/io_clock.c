/* io_clock: the clock and entropy calls of libraries, answered from the node that runs.
 *
 * nghttp2, SQLite, protobuf-c and the C library's users import these symbols; the definitions here come first when
 * norn-sim and the tests are linked, so such a call inside of a node reads virtual time and the node's own entropy, and
 * is counted. Outside of any node (a test's own timing) the kernel is asked. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "io_sim.h"

/* As the libraries import them. */
int clock_gettime(clockid_t clock, struct timespec *out);
time_t time(time_t *out);
ssize_t getrandom(void *buf, size_t len, unsigned flags);
int getentropy(void *buf, size_t len);

static int64_t node_clock(struct io_node *node, clockid_t clock) {
    node->interposed++;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return node_wall(node);
    default:
        return sim_current.io && !sim_current.helper ? sim_current.io->now : node_mono(node);
    }
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (!sim_current.node) return (int)syscall(SYS_clock_gettime, clock, out);
    int64_t ns = node_clock(sim_current.node, clock);
    *out = (struct timespec){ns / SIM_SECOND, ns % SIM_SECOND};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

ssize_t getrandom(void *buf, size_t len, unsigned flags) {
    struct io_node *node = sim_current.node;
    if (!node) return syscall(SYS_getrandom, buf, len, flags);
    node->interposed++;
    prng_fill(&node->entropy, buf, len);
    return (ssize_t)len;
}

int getentropy(void *buf, size_t len) {
    if (len > 256) {
        errno = EIO;
        return -1;
    }
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

/* Only helpers may sleep. */
int nanosleep(const struct timespec *wanted, struct timespec *left) {
    if (!sim_current.node) return (int)syscall(SYS_nanosleep, wanted, left);
    CHECKF(sim_current.helper, "code on a loop slept");
    sim_current.node->interposed++;
    io_help_sleep(sim_current.helper, wanted->tv_sec * SIM_SECOND + wanted->tv_nsec);
    return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
    if (!sim_current.node) return (int)syscall(SYS_clock_nanosleep, clock, flags, wanted, left);
    if (!(flags & TIMER_ABSTIME)) return nanosleep(wanted, left);
    int64_t until = wanted->tv_sec * SIM_SECOND + wanted->tv_nsec, now = node_clock(sim_current.node, clock);
    int64_t ns = until > now ? until - now : 0;
    struct timespec span = {ns / SIM_SECOND, ns % SIM_SECOND};
    return nanosleep(&span, left);
}

int usleep(useconds_t us) {
    struct timespec span = {us / 1000000, (long)(us % 1000000) * 1000};
    return nanosleep(&span, NULL);
}

unsigned sleep(unsigned seconds) {
    struct timespec span = {seconds, 0};
    nanosleep(&span, NULL);
    return 0;
}

int64_t world_host_ns(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * SIM_SECOND + now.tv_nsec;
}
