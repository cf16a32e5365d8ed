/* fiber: scheduling of fibers on one loop, and the waiting forms of the io ops. */
#include "fiber/fiber.h"

#include "base/check.h"
#include "base/mem.h"
#include "fiber/internal.h"

static void dispatch(struct io *io, struct io_op *op);

struct fibers *fibers_of(struct io *io) {
    struct fibers *fibers = io_slot(io, IO_SLOT_FIBERS);
    if (fibers) return fibers;
    fibers = MEM_NEW(struct fibers);
    fibers->io = io;
    list_init(&fibers->runnable);
    list_init(&fibers->all);
    fibers->dispatch.done = dispatch;
    fibers->dispatch.ctx = fibers;
    io_set_slot(io, IO_SLOT_FIBERS, fibers);
    return fibers;
}

static void make_runnable(struct fibers *fibers, struct fiber *fiber) {
    list_push_back(&fibers->runnable, &fiber->link);
    if (!fibers->dispatch.busy) io_defer(fibers->io, &fibers->dispatch);
}

static void *take_stack(struct fibers *fibers, size_t size) {
    if (size == FIBER_STACK_SIZE && fibers->pooled_count) return fibers->pooled[--fibers->pooled_count];
    return io_stack_alloc(fibers->io, size);
}

static void free_stack(struct fibers *fibers, struct fiber *fiber) {
    if (fiber->stack_size == FIBER_STACK_SIZE && fibers->pooled_count < STACKS_POOLED_MAX)
        fibers->pooled[fibers->pooled_count++] = fiber->stack;
    else
        io_stack_free(fibers->io, fiber->stack, fiber->stack_size);
}

static void reap(struct fibers *fibers) {
    struct fiber *fiber = fibers->ended;
    if (!fiber) return;
    fibers->ended = NULL;
    list_remove(&fiber->all_link);
    free_stack(fibers, fiber);
    mem_free(fiber);
    fibers->count--;
}

static void run(struct fibers *fibers, struct fiber *fiber) {
    CHECK(!fibers->current);
    fibers->current = fiber;
    context_switch(&fibers->loop, &fiber->context);
    fibers->current = NULL;
    reap(fibers);
}

/* Runs those that are runnable now; one that becomes runnable meanwhile waits for the next batch, so that fibers
 * cannot starve the loop. */
static void dispatch(struct io *io, struct io_op *op) {
    (void)io;
    struct fibers *fibers = op->ctx;
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &fibers->runnable);
    for (struct list *node; (node = list_pop_front(&batch));) run(fibers, LIST_ENTRY(node, struct fiber, link));
}

static void fiber_main(void *arg) {
    struct fiber *fiber = arg;
    struct fibers *fibers = fibers_of(fiber->io);
    fiber->fn(fiber->arg);
    fibers->ended = fiber;
    context_exit_to(&fiber->context, &fibers->loop);
}

struct fiber *fiber_start(struct io *io, const char *name, fiber_fn *fn, void *arg, size_t stack_size) {
    struct fibers *fibers = fibers_of(io);
    if (fibers->count >= FIBERS_PER_LOOP_MAX) return NULL;
    stack_size = stack_size ? stack_size : FIBER_STACK_SIZE;
    void *stack = take_stack(fibers, stack_size);
    if (!stack) return NULL;
    struct fiber *fiber = MEM_NEW(struct fiber);
    fiber->io = io;
    fiber->name = name;
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->stack = stack;
    fiber->stack_size = stack_size;
    context_make(&fiber->context, fiber->stack, fiber->stack_size, fiber_main, fiber);
    fibers->count++;
    list_push_back(&fibers->all, &fiber->all_link);
    make_runnable(fibers, fiber);
    return fiber;
}

struct fiber *fiber_current(struct io *io) {
    struct fibers *fibers = io_slot(io, IO_SLOT_FIBERS);
    return fibers ? fibers->current : NULL;
}

const char *fiber_name(const struct fiber *fiber) { return fiber->name; }

unsigned fiber_count(struct io *io) {
    struct fibers *fibers = io_slot(io, IO_SLOT_FIBERS);
    return fibers ? fibers->count : 0;
}

void fiber_shutdown(struct io *io) {
    struct fibers *fibers = io_slot(io, IO_SLOT_FIBERS);
    if (!fibers) return;
    CHECK(fibers->count == 0 && !fibers->dispatch.busy);
    while (fibers->pooled_count) io_stack_free(io, fibers->pooled[--fibers->pooled_count], FIBER_STACK_SIZE);
    alarms_shutdown(io, fibers->alarms);
    mem_free(fibers);
    io_set_slot(io, IO_SLOT_FIBERS, NULL);
}

static void switch_to_loop(struct fibers *fibers, struct fiber *fiber) {
    context_switch(&fiber->context, &fibers->loop);
}

void fiber_park(struct io *io) {
    struct fibers *fibers = fibers_of(io);
    struct fiber *fiber = fibers->current;
    CHECK(fiber);
    if (fiber->woken) {
        fiber->woken = false;
        return;
    }
    fiber->parked = true;
    switch_to_loop(fibers, fiber);
}

void fiber_wake(struct io *io, struct fiber *fiber) {
    struct fibers *fibers = fibers_of(io);
    CHECK(fiber->io == io);
    if (!fiber->parked) {
        fiber->woken = true;
        return;
    }
    fiber->parked = false;
    make_runnable(fibers, fiber);
}

void fiber_yield(struct io *io) {
    struct fibers *fibers = fibers_of(io);
    struct fiber *fiber = fibers->current;
    CHECK(fiber);
    make_runnable(fibers, fiber);
    switch_to_loop(fibers, fiber);
}

static void op_done(struct io *io, struct io_op *op) { fiber_wake(io, op->ctx); }

void fiber_op_init(struct io *io, struct io_op *op) {
    struct fiber *fiber = fiber_current(io);
    CHECK(fiber);
    *op = (struct io_op){.done = op_done, .ctx = fiber};
}

int64_t fiber_await(struct io *io, struct io_op *op) {
    while (op->busy) fiber_park(io);
    return op->result;
}

void fiber_sleep_until(struct io *io, int64_t deadline) {
    struct io_op op;
    fiber_op_init(io, &op);
    io_timer(io, &op, deadline);
    fiber_await(io, &op);
}

/* Defines int64_t fiber_NAME(params) as: prepare an op, submit it, wait, give the result. */
#define WAITING(name, params, submit)                                                                          \
    int64_t name params {                                                                                      \
        struct io_op op;                                                                                       \
        fiber_op_init(io, &op);                                                                                \
        submit;                                                                                                \
        return fiber_await(io, &op);                                                                           \
    }

WAITING(fiber_close, (struct io *io, struct io_file file), io_close(io, &op, file))
WAITING(fiber_read, (struct io *io, struct io_file file, void *data, size_t len, uint64_t offset),
        io_read(io, &op, file, data, len, offset))
WAITING(fiber_write, (struct io *io, struct io_file file, const void *data, size_t len, uint64_t offset),
        io_write(io, &op, file, data, len, offset))
WAITING(fiber_datasync, (struct io *io, struct io_file file), io_datasync(io, &op, file))
WAITING(fiber_allocate, (struct io *io, struct io_file file, uint64_t offset, uint64_t len),
        io_allocate(io, &op, file, offset, len))
WAITING(fiber_truncate, (struct io *io, struct io_file file, uint64_t size), io_truncate(io, &op, file, size))
WAITING(fiber_size, (struct io *io, struct io_file file), io_size(io, &op, file))
WAITING(fiber_unlink, (struct io *io, const char *path), io_unlink(io, &op, path))
WAITING(fiber_rename, (struct io *io, const char *from, const char *to), io_rename(io, &op, from, to))
WAITING(fiber_mkdir, (struct io *io, const char *path), io_mkdir(io, &op, path))
WAITING(fiber_rmdir, (struct io *io, const char *path), io_rmdir(io, &op, path))
WAITING(fiber_dir_sync, (struct io *io, const char *path), io_dir_sync(io, &op, path))
WAITING(fiber_dir_list, (struct io *io, const char *path, struct buf *out), io_dir_list(io, &op, path, out))
WAITING(fiber_disk_free, (struct io *io, const char *path), io_disk_free(io, &op, path))
WAITING(fiber_lock, (struct io *io, struct io_file file), io_lock(io, &op, file))
WAITING(fiber_sock_close, (struct io *io, struct io_sock sock), io_sock_close(io, &op, sock))
WAITING(fiber_help, (struct io *io, struct io_helper *helper, io_helper_fn *fn, void *arg),
        io_helper_run(io, &op, helper, fn, arg))

int64_t fiber_open(struct io *io, const char *path, unsigned flags, struct io_file *out) {
    struct io_op op;
    fiber_op_init(io, &op);
    io_open(io, &op, path, flags);
    int64_t result = fiber_await(io, &op);
    if (result >= 0) *out = op.file;
    return result;
}

int64_t fiber_connect(struct io *io, const struct io_addr *addr, struct io_sock *out) {
    struct io_op op;
    fiber_op_init(io, &op);
    io_connect(io, &op, addr);
    int64_t result = fiber_await(io, &op);
    if (result >= 0) *out = op.sock;
    return result;
}

int64_t fiber_resolve(struct io *io, const char *host, uint16_t port, struct io_addr *out) {
    struct io_op op;
    fiber_op_init(io, &op);
    io_resolve(io, &op, host, port);
    int64_t result = fiber_await(io, &op);
    if (result >= 0) *out = op.addr;
    return result;
}

int64_t fiber_send_all(struct io *io, struct io_sock sock, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len) {
        struct iovec iov = {(void *)(uintptr_t)at, len};
        struct io_op op;
        fiber_op_init(io, &op);
        io_send(io, &op, sock, &iov, 1);
        int64_t sent = fiber_await(io, &op);
        if (sent < 0) return sent;
        at += sent;
        len -= (size_t)sent;
    }
    return 0;
}

int64_t fiber_read_file(struct io *io, const char *path, size_t limit, struct buf *out) {
    struct io_file file;
    int64_t result = fiber_open(io, path, IO_OPEN_READ, &file);
    if (result < 0) return result;
    int64_t size = fiber_size(io, file);
    if (size > (int64_t)limit) size = -IO_EINVAL;
    if (size > 0) {
        buf_reserve(out, (size_t)size);
        size = fiber_read(io, file, out->data + out->len, (size_t)size, 0);
        if (size > 0) out->len += (size_t)size;
    }
    int64_t closed = fiber_close(io, file);
    return size < 0 ? size : closed;
}
