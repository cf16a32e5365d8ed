/* process: what another process has used so far, from /proc. */
#ifndef NORN_BENCH_PROCESS_H
#define NORN_BENCH_PROCESS_H

#include "fiber/fiber.h"

struct process_sample {
    int64_t at;                       /* io_now */
    int64_t cpu_ns;                   /* user and system, all threads, those that have ended too */
    int64_t write_bytes;              /* to disks */
    int64_t resident_bytes;
};

/* On a fiber. `pid` NULL: only the time. Values that cannot be read are -1. */
struct process_sample process_sample(struct io *io, const char *pid);

#endif
