/* uring_process: a process as a node: its start, its loops as threads, its end. */
#include <errno.h>
#include <execinfo.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/uring_internal.h"

/* Nodes that ended, so that memory which the application keeps to the end (in slots, on fibers) is not lost to leak
 * checkers. */
static struct io_node *ended_nodes;

static struct io *loop_new(struct io_node *node, unsigned index, io_start_fn *start, void *arg) {
    struct io *io = MEM_NEW(struct io);
    io->node = node;
    io->index = index;
    io->start = start;
    io->start_arg = arg;
    io->trace = node->trace;
    io->sock_free = io->file_free = UINT32_MAX;
    list_init(&io->ready);
    list_init(&io->backlog);
    list_init(&io->hooks);
    list_init(&io->file_ops);
    mailbox_open(io);
    return io;
}

/* The ring belongs to the thread that opens it. */
static bool loop_main(struct io *io) {
    uring_set_thread_loop(io);
    bool opened = uring_ring_open(io);
    if (opened) {
        uring_loop_run(io);
        uring_ring_close(io);
        socks_close_all(io);
        files_close_all(io);
    }
    uring_set_thread_loop(NULL);
    return opened;
}

static void *loop_thread(void *arg) {
    struct io *io = arg;
    CHECKF(loop_main(io), "loop %u could not be started", io->index);
    return NULL;
}

unsigned io_loop_start(struct io *io, io_start_fn *start, void *arg) {
    struct io_node *node = io->node;
    tape_drop_pending(&node->recording);
    TAPE_EFFECT(io, loop_start, 0, 0, 0);
    pthread_mutex_lock(&node->mutex);
    unsigned index = atomic_load(&node->loop_count);
    CHECKF(index < IO_LOOPS_MAX, "more than %d loops", IO_LOOPS_MAX);
    struct io *loop = loop_new(node, index, start, arg);
    char name[16];
    snprintf(name, sizeof name, "norn-loop-%u", index);
    atomic_store(&node->loops[index], loop);
    atomic_store(&node->loop_count, index + 1);
    int error = uring_thread_start(&loop->thread, name, loop_thread, loop);
    CHECKF(!error, "a thread could not be started: %s", strerror(error));
    pthread_mutex_unlock(&node->mutex);
    tape_value(io->log, TAPE_INPUT_loop_index, index);
    return index;
}

unsigned io_loop_count(const struct io *io) { return atomic_load(&io->node->loop_count); }

void io_exit(struct io *io, int code) {
    struct io_node *node = io->node;
    TAPE_EFFECT(io, exit, (uint64_t)code, 0, 0);
    pthread_mutex_lock(&node->mutex);
    if (!atomic_load(&node->exiting)) {
        node->exit_code = code;
        atomic_store(&node->exiting, true);
    }
    pthread_mutex_unlock(&node->mutex);
    for (unsigned i = 0; i < atomic_load(&node->loop_count); i++) {
        struct io *loop = atomic_load(&node->loops[i]);
        if (loop != io) mailbox_ring(NULL, loop);
    }
}

/* A server's connections are files; the soft limit is there for programs that use select. */
static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void node_init(struct io_node *node, int argc, char **argv) {
    node->argc = argc;
    node->argv = argv;
    node->signal_fd = -1;
    node->stacks_max = uring_stacks_max();
    pthread_mutex_init(&node->mutex, NULL);
    pthread_mutex_init(&node->recording.turns, NULL);
    if (gethostname(node->hostname, sizeof node->hostname - 1) != 0) strcpy(node->hostname, "localhost");
    const char *trace = getenv("NORN_IO_TRACE");
    if (trace && *trace) node->trace = trace_open(trace);
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);       /* a closed stream is an error of the write, not the end of the process */
    signal(SIGXFSZ, SIG_IGN);       /* likewise a file at its size limit */
}

/* A loop may be started by a loop that another joined already, so the count is read anew each time. */
static void join_loops(struct io_node *node) {
    for (unsigned i = 1;; i++) {
        pthread_mutex_lock(&node->mutex);
        struct io *loop = i < atomic_load(&node->loop_count) ? atomic_load(&node->loops[i]) : NULL;
        pthread_mutex_unlock(&node->mutex);
        if (!loop) return;
        pthread_join(loop->thread, NULL);
    }
}

static void loops_free_what_is_ours(struct io_node *node) {
    for (unsigned i = 0; i < atomic_load(&node->loop_count); i++) {
        struct io *io = atomic_load(&node->loops[i]);
        mailbox_close(io);
        mem_free(io->timers);
        mem_free(io->cancels);
        io->timers = NULL;
        io->cancels = NULL;
    }
}

int io_main(int argc, char **argv, io_start_fn *start, void *arg) {
    struct io_node *node = MEM_NEW(struct io_node);
    node_init(node, argc, argv);
    node->previous = ended_nodes;
    ended_nodes = node;
    if (!uring_without_read(node)) return 1;
    struct io *io = loop_new(node, 0, start, arg);
    io->thread = pthread_self();
    atomic_store(&node->loops[0], io);
    atomic_store(&node->loop_count, 1);
    if (!loop_main(io)) return 1;
    join_loops(node);
    bool quiet = helpers_stop(node);
    signals_stop(node);
    if (quiet) loops_free_what_is_ours(node);
    return node->exit_code;
}

int io_argc(struct io *io) { return (int)tape_value(io->log, TAPE_INPUT_argc, (uint64_t)io->node->argc); }
const char *io_arg(struct io *io, int index) {
    CHECK(index >= 0 && index < io->node->argc);
    return tape_text(io->log, TAPE_INPUT_arg, io->node->argv[index]);
}
const char *io_env(struct io *io, const char *name) {
    return tape_text(io->log, TAPE_INPUT_env, getenv(name));
}
static const char *env_at(const char *prefix, unsigned index) {
    size_t len = strlen(prefix);
    for (char **at = environ; at && *at; at++)
        if (strncmp(*at, prefix, len) == 0 && index-- == 0) return *at;
    return NULL;
}
const char *io_env_at(struct io *io, const char *prefix, unsigned index) {
    return tape_text(io->log, TAPE_INPUT_env_at, env_at(prefix, index));
}
const char *io_hostname(struct io *io) { return tape_text(io->log, TAPE_INPUT_hostname, io->node->hostname); }
uint64_t io_pid(struct io *io) {
    return tape_value(io->log, TAPE_INPUT_pid, (uint64_t)getpid());
}

static unsigned cpu_count(void) {
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return (unsigned)CPU_COUNT(&cpus);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

unsigned io_cpu_count(struct io *io) { return (unsigned)tape_value(io->log, TAPE_INPUT_cpu_count, cpu_count()); }

void io_die(const char *file, int line, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "norn: fatal: %s:%d: %s\n", file, line, text);
    void *frames[32];
    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
    abort();
}
