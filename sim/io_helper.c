/* io_helper: helpers as stacks of their own that the world resumes.
 *
 * A blocking call is a boundary (the node can crash at it), then a wait of virtual time in which all else runs, then
 * its effect. After a crash every call gives IO_ECRASHED at once, without a wait, so that the work unwinds to its
 * end. */
#include <stdlib.h>

#include "io_sim.h"

enum { HELPER_STACK = 1 << 20 };

static void helper_resume(struct world *world, struct event *event);

/* ---- the stack that runs the pieces of work ---- */

static void switch_out(struct io_helper *helper) { context_switch(&helper->context, &helper->outside); }

static void helper_main(void *arg) {
    struct io_helper *helper = arg;
    for (;;) {
        struct io_op *op = helper->current;
        io_helper_fn *fn = (io_helper_fn *)(uintptr_t)op->args[1];
        fn(helper, OP_PTR(op, 2));
        helper->idle = true;
        switch_out(helper);
    }
}

static void next_work(struct io_helper *helper) {
    if (!helper->idle || !helper->queue_count || helper->current) return;
    struct world *world = helper->node->world;
    helper->current = helper->queue[0];
    helper->queue_count--;
    memmove(helper->queue, helper->queue + 1, helper->queue_count * sizeof *helper->queue);
    helper->loop = OP_PTR(helper->current, 5);
    int64_t late = prng_range(&world->streams[PRNG_HELPER], SIM_US, 30 * SIM_US);
    event_schedule(world, &helper->event, world->now + late);
}

/* Runs the helper until it waits or its work ends. */
static void run(struct io_helper *helper) {
    sim_enter(helper->node, helper->loop, helper);
    context_switch(&helper->outside, &helper->context);
    sim_leave();
}

static void helper_resume(struct world *world, struct event *event) {
    struct io_helper *helper = CONTAINER_OF(event, struct io_helper, event);
    struct io_node *node = helper->node;
    if (node->paused_until > world->now) {
        event_schedule(world, event, node->paused_until);
        return;
    }
    helper->idle = false;
    run(helper);
    if (node->crashed) {
        node_settle(node);
        return;
    }
    if (!helper->idle) return;
    struct io_op *op = helper->current;
    helper->current = NULL;
    op_complete(OP_PTR(op, 5), op, 0);
    next_work(helper);
}

struct io_helper *io_helper_start(struct io *io, const char *name) {
    struct io_node *node = io->node;
    struct io_helper *helper = world_alloc(sizeof *helper);
    helper->node = node;
    helper->loop = io;
    helper->name = name;
    helper->index = node->helper_count;
    helper->idle = true;
    helper->event = (struct event){helper_resume, EVENT_IDLE};
    helper->stack = stack_take(node->world, HELPER_STACK);
    context_make(&helper->context, helper->stack, HELPER_STACK, helper_main, helper);
    node->helpers = world_realloc(node->helpers, (node->helper_count + 1) * sizeof(struct io_helper *));
    node->helpers[node->helper_count++] = helper;
    return helper;
}

void io_helper_run(struct io *io, struct io_op *op, struct io_helper *helper, io_helper_fn *fn, void *arg) {
    OP_SET_PTR(op, 0, helper);
    op->args[1] = (uint64_t)(uintptr_t)fn;
    OP_SET_PTR(op, 2, arg);
    if (!op_submit(io, op, SIM_helper_run, helper->index)) return;
    if (helper->queue_count == helper->queue_cap) {
        helper->queue_cap = helper->queue_cap ? helper->queue_cap * 2 : 16;
        helper->queue = world_realloc(helper->queue, helper->queue_cap * sizeof *helper->queue);
    }
    helper->queue[helper->queue_count++] = op;
    next_work(helper);
}

/* Work that has not begun can be taken back. */
void helper_cancel(struct io *io, struct io_op *op) {
    struct io_helper *helper = OP_PTR(op, 0);
    if (OP_STATE(op) != OP_WAITING || fault_strikes(io->node->world, FAULT_CANCEL_LOST, PRNG_CANCEL, 400000)) return;
    for (uint32_t i = 0; i < helper->queue_count; i++) {
        if (helper->queue[i] != op) continue;
        helper->queue_count--;
        memmove(helper->queue + i, helper->queue + i + 1, (helper->queue_count - i) * sizeof *helper->queue);
        op_complete(io, op, -IO_ECANCELED);
        return;
    }
}

/* ---- the end of the node ---- */

void helper_unwind(struct io_helper *helper) {
    struct io_node *node = helper->node;
    event_cancel(node->world, &helper->event);
    if (helper->idle || helper->died || !helper->current) return;    /* not begun, between two pieces of work, gone */
    if (helper->inflight.data && node->crashed &&
        fault_strikes(node->world, FAULT_INFLIGHT_WRITE, PRNG_CRASH, 500000))
        disk_write(node->disk, helper->inflight.inode, helper->inflight.data, helper->inflight.len,
                   helper->inflight.offset, NULL);
    helper->inflight.data = NULL;
    helper->unwinding = true;
    while (!helper->idle) run(helper);
}

void helper_drop(struct io_helper *helper) {
    stack_give(helper->node->world, helper->stack, HELPER_STACK);
    world_free(helper->queue);
    world_free(helper);
}

/* ---- blocking calls ---- */

/* The boundary and the wait: false when the node has crashed. */
static bool block(struct io_helper *helper, enum sim_kind kind, int64_t latency, uint64_t hash) {
    struct io_node *node = helper->node;
    struct world *world = node->world;
    CHECKF(sim_current.helper == helper, "a blocking call outside of its helper");
    if (helper->unwinding || node_boundary(node)) return false;
    if (fault_strikes(world, FAULT_SLOW_HELPER, PRNG_HELPER, 1000))
        latency += prng_skewed(&world->streams[PRNG_HELPER], 0, 20 * SIM_MS);
    trace_event(node, 1000 + helper->index, kind, false, world->events, latency, hash);
    event_schedule(world, &helper->event, world->now + latency);
    switch_out(helper);
    return !helper->unwinding && !node->crashed;
}

static int64_t latency_of(struct io_helper *helper, enum sim_kind kind, size_t len) {
    return disk_latency(helper->node->world, kind, len);
}

static int64_t told(struct io_helper *helper, enum sim_kind kind, int64_t result, uint64_t hash) {
    trace_event(helper->node, 1000 + helper->index, kind, true, 0, result, hash);
    return result;
}

static bool block_path(struct io_helper *helper, enum sim_kind kind, const char *path) {
    return block(helper, kind, latency_of(helper, kind, 0), sim_hash(path, strlen(path)));
}

int64_t io_help_open(struct io_helper *helper, const char *path, unsigned flags, struct io_file *out) {
    struct io_node *node = helper->node;
    if (!block_path(helper, SIM_help_open, path)) return -IO_ECRASHED;
    struct inode *inode;
    int64_t result = disk_open(node->disk, path, flags, &inode);
    if (result == 0) result = file_handle(node, helper, inode, flags, out);
    return told(helper, SIM_help_open, result, 0);
}

int64_t io_help_close(struct io_helper *helper, struct io_file file) {
    if (!block(helper, SIM_help_close, latency_of(helper, SIM_help_close, 0), file.slot)) return -IO_ECRASHED;
    file_put(helper->node, helper, file);
    return told(helper, SIM_help_close, 0, 0);
}

int64_t io_help_read(struct io_helper *helper, struct io_file file, void *data, size_t len, uint64_t offset) {
    if (!block(helper, SIM_help_read, latency_of(helper, SIM_help_read, len), offset)) return -IO_ECRASHED;
    struct file_slot *slot = file_get(helper->node, helper, file);
    direct_check(slot, data, len, offset);
    if (!slot->read) return told(helper, SIM_help_read, -IO_EINVAL, 0);
    if (disk_error_strikes(helper->node, FAULT_READ_ERROR))
        return told(helper, SIM_help_read, -IO_EIO, 0);
    int64_t count = disk_read(slot->inode, data, len, offset);
    return told(helper, SIM_help_read, count, sim_hash(data, count > 0 ? (size_t)count : 0));
}

int64_t io_help_write(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    struct io_node *node = helper->node;
    if (helper->unwinding || node->crashed) return -IO_ECRASHED;
    struct file_slot *slot = file_get(node, helper, file);
    direct_check(slot, data, len, offset);
    helper->inflight.inode = slot->inode;
    helper->inflight.data = len ? data : NULL;
    helper->inflight.len = len;
    helper->inflight.offset = offset;
    bool there = block(helper, SIM_help_write, latency_of(helper, SIM_help_write, len), sim_hash(data, len));
    helper->inflight.data = NULL;
    if (!there) return -IO_ECRASHED;
    if (disk_error_strikes(node, FAULT_WRITE_ERROR))
        return told(helper, SIM_help_write, -IO_EIO, 0);
    if (len && disk_error_strikes(node, FAULT_DISK_FULL))
        return told(helper, SIM_help_write, -IO_ENOSPC, 0);
    slot = file_get(node, helper, file);
    if (!slot->write) return told(helper, SIM_help_write, -IO_EINVAL, 0);
    return told(helper, SIM_help_write, disk_write(node->disk, slot->inode, data, len, offset, NULL), 0);
}

int64_t io_help_sync(struct io_helper *helper, struct io_file file) {
    struct io_node *node = helper->node;
    if (helper->unwinding || node->crashed) return -IO_ECRASHED;
    uint64_t mark = disk_sync_mark(file_get(node, helper, file)->inode);
    if (!block(helper, SIM_help_sync, latency_of(helper, SIM_help_sync, 0), file.slot)) return -IO_ECRASHED;
    if (disk_error_strikes(node, FAULT_SYNC_ERROR)) return told(helper, SIM_help_sync, -IO_EIO, 0);
    if (fault_strikes(node->world, FAULT_LYING_SYNC, PRNG_DISK, 1000000)) return told(helper, SIM_help_sync, 0, 0);
    disk_sync(node->disk, file_get(node, helper, file)->inode, mark);
    return told(helper, SIM_help_sync, 0, 0);
}

int64_t io_help_truncate(struct io_helper *helper, struct io_file file, uint64_t size) {
    if (!block(helper, SIM_help_truncate, latency_of(helper, SIM_help_truncate, 0), size)) return -IO_ECRASHED;
    struct io_node *node = helper->node;
    const struct file_slot *slot = file_get(node, helper, file);
    if (!slot->write) return told(helper, SIM_help_truncate, -IO_EINVAL, 0);
    return told(helper, SIM_help_truncate, disk_truncate(node->disk, slot->inode, size), 0);
}

int64_t io_help_size(struct io_helper *helper, struct io_file file) {
    if (!block(helper, SIM_help_size, SIM_US, file.slot)) return -IO_ECRASHED;
    return told(helper, SIM_help_size, disk_size(file_get(helper->node, helper, file)->inode), 0);
}

int64_t io_help_unlink(struct io_helper *helper, const char *path) {
    if (!block_path(helper, SIM_help_unlink, path)) return -IO_ECRASHED;
    return told(helper, SIM_help_unlink, disk_unlink(helper->node->disk, path), 0);
}

int64_t io_help_exists(struct io_helper *helper, const char *path) {
    if (!block_path(helper, SIM_help_exists, path)) return -IO_ECRASHED;
    return told(helper, SIM_help_exists, disk_exists(helper->node->disk, path), 0);
}

int64_t io_help_dir_sync(struct io_helper *helper, const char *path) {
    if (!block_path(helper, SIM_help_dir_sync, path)) return -IO_ECRASHED;
    return told(helper, SIM_help_dir_sync, disk_dir_sync(helper->node->disk, path), 0);
}

int64_t io_help_range_lock(struct io_helper *helper, struct io_file file, enum io_range_lock kind, uint64_t offset,
                           uint64_t len) {
    if (!block(helper, SIM_help_range_lock, SIM_US, offset)) return -IO_ECRASHED;
    struct io_node *node = helper->node;
    const struct file_slot *slot = file_get(node, helper, file);
    bool allowed = kind == IO_RANGE_UNLOCK || (kind == IO_RANGE_SHARED ? slot->read : slot->write);
    if (!allowed) return told(helper, SIM_help_range_lock, -IO_EINVAL, 0);
    int64_t result = disk_range_lock(slot->inode, file_lock_owner(node, file), kind, offset, len);
    return told(helper, SIM_help_range_lock, result, 0);
}

int64_t io_help_wall(struct io_helper *helper) { return node_wall(helper->node); }

void io_help_random(struct io_helper *helper, void *buf, size_t len) {
    prng_fill(&helper->node->entropy, buf, len);
    trace_event(helper->node, 1000 + helper->index, SIM_help_random, false, 0, (int64_t)len, sim_hash(buf, len));
}

void io_help_sleep(struct io_helper *helper, int64_t ns) { block(helper, SIM_help_sleep, ns < 0 ? 0 : ns, 0); }
