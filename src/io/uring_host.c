/* uring_host: what a process asks of its machine: entropy, the terminal, stacks, libraries, its own size. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/uring_internal.h"

/* ---- entropy ----------------------------------------------------------------------------------------------------------- */

void uring_entropy(void *buf, size_t len) {
    for (size_t got = 0; got < len;) {
        ssize_t part = getrandom((uint8_t *)buf + got, len - got, 0);
        CHECKF(part >= 0 || errno == EINTR, "getrandom: error %d", errno);
        if (part > 0) got += (size_t)part;
    }
}

/* Drawn in larger pieces; what was given out is wiped. */
static void draw(struct io *io, void *buf, size_t len) {
    if (len > URING_ENTROPY_SIZE / 4) {
        uring_entropy(buf, len);
        return;
    }
    if (io->entropy_left < len) {
        uring_entropy(io->entropy, sizeof io->entropy);
        io->entropy_left = sizeof io->entropy;
    }
    uint8_t *from = io->entropy + (io->entropy_left -= len);
    memcpy(buf, from, len);
    memset(from, 0, len);
}

void io_random(struct io *io, void *buf, size_t len) {
    draw(io, buf, len);
    tape_bytes(io->log, TAPE_INPUT_random, buf, len);
}

/* ---- the terminal -------------------------------------------------------------------------------------------------------- */

void io_print(struct io *io, enum io_stream stream, const void *data, size_t len) {
    TAPE_EFFECT(io, print, stream, hash64(data, len), len);
    const uint8_t *at = data;
    while (len) {
        ssize_t part = write((int)stream, at, len);
        if (part < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = (int)stream, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (part < 0 && errno != EINTR) {
            return;
        } else if (part > 0) {
            at += part;
            len -= (size_t)part;
        }
    }
}

bool io_is_terminal(struct io *io, enum io_stream stream) {
    return tape_value(io->log, TAPE_INPUT_terminal, (uint64_t)isatty((int)stream));
}

unsigned io_terminal_width(struct io *io) {
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size.ws_col = 80;
    return (unsigned)tape_value(io->log, TAPE_INPUT_width, size.ws_col);
}

/* ---- stacks ------------------------------------------------------------------------------------------------------------- */

enum { GUARD_SIZE = 4096, MAPS_PER_STACK = 2, MAPS_DEFAULT = 65530 };

static long read_number(const char *path, long otherwise) {
    FILE *file = fopen(path, "re");
    if (!file) return otherwise;
    long value;
    if (fscanf(file, "%ld", &value) != 1) value = otherwise;
    fclose(file);
    return value;
}

/* A quarter of the process's maps is left to all else. */
long uring_stacks_max(void) { return read_number("/proc/sys/vm/max_map_count", MAPS_DEFAULT) / MAPS_PER_STACK / 4 * 3; }

#ifdef __SANITIZE_ADDRESS__
#define STACK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_ASAN 1
#endif
#endif
#ifdef STACK_ASAN
#include <sanitizer/lsan_interface.h>
/* What only a waiting fiber points to is not lost. */
#define STACK_TAKEN(stack, size) __lsan_register_root_region(stack, size)
#define STACK_GIVEN(stack, size) __lsan_unregister_root_region(stack, size)
#else
#define STACK_TAKEN(stack, size) ((void)0)
#define STACK_GIVEN(stack, size) ((void)0)
#endif

static void *map_stack(struct io_node *node, size_t size) {
    if (atomic_fetch_add(&node->stacks, 1) >= node->stacks_max) {
        atomic_fetch_sub(&node->stacks, 1);
        return NULL;
    }
    uint8_t *low = mmap(NULL, size + GUARD_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (low == MAP_FAILED || mprotect(low, GUARD_SIZE, PROT_NONE) != 0) {
        if (low != MAP_FAILED) munmap(low, size + GUARD_SIZE);
        atomic_fetch_sub(&node->stacks, 1);
        return NULL;
    }
    STACK_TAKEN(low + GUARD_SIZE, size);
    return low + GUARD_SIZE;
}

void *io_stack_alloc(struct io *io, size_t size) {
    CHECK(size && size % 4096 == 0);
    void *stack = map_stack(io->node, size);
    tape_value(io->log, TAPE_INPUT_stack, stack != NULL);
    return stack;
}

void io_stack_free(struct io *io, void *stack, size_t size) {
    STACK_GIVEN(stack, size);
    munmap((uint8_t *)stack - GUARD_SIZE, size + GUARD_SIZE);
    atomic_fetch_sub(&io->node->stacks, 1);
}

/* ---- the process ---------------------------------------------------------------------------------------------------------- */

static uint64_t resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    unsigned long total = 0, resident = 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t io_resident_bytes(struct io *io) { return tape_value(io->log, TAPE_INPUT_resident, resident_bytes()); }

int64_t io_cpu_ns(struct io *io) {
    struct timespec used = {0};
    uring_clock_real(CLOCK_PROCESS_CPUTIME_ID, &used);      /* zeros when it is not known */
    uint64_t ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
    return (int64_t)tape_value(io->log, TAPE_INPUT_cpu_ns, ns);
}

uint64_t io_shared(struct io *io, uint64_t value) { return tape_value(io->log, TAPE_INPUT_shared, value); }

static bool library_path(const char *name, char out[PATH_MAX]) {
    char executable[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (len <= 0) return false;
    executable[len] = 0;
    char *slash = strrchr(executable, '/');
    if (!slash) return false;
    *slash = 0;
    return snprintf(out, PATH_MAX, "%s/../lib/norn/%s", executable, name) < PATH_MAX;
}

void *io_library(struct io *io, const char *name, const char *symbol, const char **error) {
    (void)io;
    char path[PATH_MAX];
    *error = "the path of the executable is not known";
    if (!library_path(name, path)) return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *found = library ? dlsym(library, symbol) : NULL;
    if (!found) *error = dlerror();
    return found;
}
