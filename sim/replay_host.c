/* replay_host: what a node asks of its machine: memory and stacks, which are real, and the rest, from the log. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mark.h"
#include "base/mem.h"
#include "replay.h"

struct io_node *replay_node;

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void *mem_alloc(size_t size) {
    void *pointer = calloc(1, size ? size : 1);
    CHECKF(pointer, "out of memory (%zu bytes)", size);
    return pointer;
}

void *mem_realloc(void *pointer, size_t size) {
    void *moved = realloc(pointer, size ? size : 1);
    CHECKF(moved, "out of memory (%zu bytes)", size);
    return moved;
}

void mem_free(void *pointer) { free(pointer); }

/* What it was is in the log (io_shared). */
uint64_t mem_used(void) { return 0; }
uint64_t mem_salt(void) { return 0; }
void mem_keep_tight(void) {}
void mem_give_back(void) {}

enum { GUARD = 4096 };

void *replay_stack(size_t size) {
    uint8_t *mapped = mmap(NULL, size + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECKF(mapped != MAP_FAILED && mprotect(mapped, GUARD, PROT_NONE) == 0, "no memory for a stack");
    return mapped + GUARD;
}

void replay_stack_free(void *stack, size_t size) { munmap((uint8_t *)stack - GUARD, size + GUARD); }

void *io_stack_alloc(struct io *io, size_t size) {
    return reel_value(&io->reel, TAPE_INPUT_stack) ? replay_stack(size) : NULL;
}
void io_stack_free(struct io *io, void *stack, size_t size) {
    (void)io;
    replay_stack_free(stack, size);
}

/* ---- inputs of a loop ----------------------------------------------------------------------------------------------- */

int io_argc(struct io *io) { return (int)reel_value(&io->reel, TAPE_INPUT_argc); }
const char *io_arg(struct io *io, int index) {
    (void)index;
    return reel_text(&io->reel, TAPE_INPUT_arg);
}
const char *io_env(struct io *io, const char *name) {
    (void)name;
    return reel_text(&io->reel, TAPE_INPUT_env);
}
unsigned io_cpu_count(struct io *io) { return (unsigned)reel_value(&io->reel, TAPE_INPUT_cpu_count); }
const char *io_env_at(struct io *io, const char *prefix, unsigned index) {
    (void)prefix, (void)index;
    return reel_text(&io->reel, TAPE_INPUT_env_at);
}
const char *io_hostname(struct io *io) { return reel_text(&io->reel, TAPE_INPUT_hostname); }
uint64_t io_pid(struct io *io) { return reel_value(&io->reel, TAPE_INPUT_pid); }
bool io_is_terminal(struct io *io, enum io_stream stream) {
    (void)stream;
    return reel_value(&io->reel, TAPE_INPUT_terminal);
}
unsigned io_terminal_width(struct io *io) { return (unsigned)reel_value(&io->reel, TAPE_INPUT_width); }
uint64_t io_resident_bytes(struct io *io) { return reel_value(&io->reel, TAPE_INPUT_resident); }
int64_t io_cpu_ns(struct io *io) { return (int64_t)reel_value(&io->reel, TAPE_INPUT_cpu_ns); }
uint64_t io_shared(struct io *io, uint64_t value) {
    (void)value;
    return reel_value(&io->reel, TAPE_INPUT_shared);
}
int64_t io_record(struct io *io, const struct io_record *record) {
    (void)record;
    return (int64_t)reel_value(&io->reel, TAPE_INPUT_recording);
}

void io_random(struct io *io, void *buf, size_t len) {
    struct bytes given = reel_bytes(&io->reel, TAPE_INPUT_random);
    if (given.len != len) reel_differs(&io->reel, "the code draws %zu random bytes", len);
    memcpy(buf, given.data, len);
}

const struct io_stats *io_stats(const struct io *loop) {
    struct io *io = (struct io *)(uintptr_t)loop;
    struct bytes given = reel_bytes(&io->reel, TAPE_INPUT_stats);
    if (given.len != sizeof io->stats) reel_differs(&io->reel, "the counters are others");
    memcpy(&io->stats, given.data, sizeof io->stats);
    return &io->stats;
}

void *io_library(struct io *io, const char *name, const char *symbol, const char **error) {
    (void)io, (void)name, (void)symbol;
    *error = "a recording has no TLS";
    return NULL;
}

void io_print(struct io *io, enum io_stream stream, const void *data, size_t len) {
    reel_effect(&io->reel, TAPE_CALL_print, stream, hash64(data, len), len);
    if (io->node->print) fwrite(data, 1, len, stream == IO_STDERR ? stderr : stdout);
}

/* As in production. */
void mark(enum mark mark) { (void)mark; }
bool nudge(enum nudge nudge) { return (void)nudge, false; }
bool observing(void) { return false; }
void observe(enum observed what, uint64_t number, const void *state, size_t len) {
    (void)what, (void)number, (void)state, (void)len;
}

/* ---- clocks of libraries ------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *out);
time_t time(time_t *out);

static bool is_loop(const struct reel *reel) { return strncmp(reel->name, "loop-", 5) == 0; }

int clock_gettime(clockid_t clock, struct timespec *out) {
    struct reel *reel = replay_node ? replay_node->current : NULL;
    if (!reel) return (int)syscall(SYS_clock_gettime, clock, out);
    bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    const struct io *io = (const struct io *)reel;
    int64_t ns = !is_loop(reel) ? (int64_t)reel_value(reel, TAPE_INPUT_clock) : real ? io->wall : io->now;
    *out = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
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
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */

void io_die(const char *file, int line, const char *format, ...) {
    const struct reel *reel = replay_node ? replay_node->current : NULL;
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "norn-replay: the node stops itself in %s after entry %llu: %s:%d: ", reel ? reel->name : "no loop",
            reel ? (unsigned long long)reel->taken : 0, file, line);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}
