/* process: reading /proc/PID/{stat,io,statm}. */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROC_BYTES_MAX = 4096, PAGE_BYTES = 4096, TICK_NS = 10000000 };

static bool read_proc(struct io *io, const char *pid, const char *name, char text[PROC_BYTES_MAX]) {
    char path[64];
    struct io_file file;
    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    if (fiber_open(io, path, IO_OPEN_READ, &file) < 0) return false;
    int64_t len = fiber_read(io, file, text, PROC_BYTES_MAX - 1, 0);
    fiber_close(io, file);
    text[len > 0 ? len : 0] = 0;
    return len > 0;
}

/* Fields 14 and 15, utime and stime; the name before them may hold blanks. */
static int64_t cpu_ns(const char *stat) {
    const char *after = strrchr(stat, ')');
    unsigned long user = 0, system = 0;
    if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return -1;
    return (int64_t)(user + system) * TICK_NS;
}

struct process_sample process_sample(struct io *io, const char *pid) {
    struct process_sample sample = {.at = io_now(io), .cpu_ns = -1, .write_bytes = -1, .resident_bytes = -1};
    char text[PROC_BYTES_MAX];
    if (!pid) return sample;
    if (read_proc(io, pid, "stat", text)) sample.cpu_ns = cpu_ns(text);
    if (read_proc(io, pid, "io", text)) {
        const char *line = strstr(text, "\nwrite_bytes:");
        if (line) sample.write_bytes = strtoll(line + strlen("\nwrite_bytes:"), NULL, 10);
    }
    long pages = 0;
    if (read_proc(io, pid, "statm", text) && sscanf(text, "%*d %ld", &pages) == 1)
        sample.resident_bytes = (int64_t)pages * PAGE_BYTES;
    return sample;
}
