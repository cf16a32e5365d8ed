/* io_file: the file ops of io.h on the simulated disk.
 *
 * An op takes effect at one moment between its submission and its completion, later than the former and earlier than
 * the latter, so two ops in flight may take effect in any order. The bytes of a write belong to io until it is done:
 * they are hashed at submission and must not have changed when the write takes effect. A write in flight at a crash may
 * have reached the disk or not. */
#include <stdlib.h>

#include "io_sim.h"

/* args: 0 slot and generation, 1 data, 2 length, 3 offset or flags, 4 path(s), extent or mark. */

int64_t disk_latency(struct world *world, enum sim_kind kind, size_t len) {
    struct prng *prng = &world->streams[PRNG_DISK];
    if (fault_strikes(world, FAULT_DISK_STALL, PRNG_DISK, 20)) return prng_range(prng, SIM_SECOND, 8 * SIM_SECOND);
    if (fault_strikes(world, FAULT_SLOW_DISK, PRNG_DISK, 5000)) return prng_skewed(prng, SIM_MS, 200 * SIM_MS);
    bool sync = kind == SIM_datasync || kind == SIM_help_sync || kind == SIM_dir_sync || kind == SIM_help_dir_sync;
    int64_t base = sync ? prng_range(prng, 80 * SIM_US, 600 * SIM_US) : prng_range(prng, 4 * SIM_US, 60 * SIM_US);
    return base + (int64_t)(len / 2);                   /* 2 GB/s */
}

/* ---- open files of a node ---- */

struct file_slot *file_get(struct io_node *node, const void *owner, struct io_file file) {
    CHECKF(file.slot && file.slot <= node->file_count, "no such file handle");
    struct file_slot *slot = &node->files[file.slot - 1];
    CHECKF(slot->inode && slot->generation == file.generation, "a closed file was used");
    CHECKF(slot->owner == owner, "a file was used by another loop or helper than the one that opened it");
    return slot;
}

int64_t file_handle(struct io_node *node, const void *owner, struct inode *inode, unsigned flags, struct io_file *out) {
    uint32_t index = node->file_free;
    if (index) {
        node->file_free = node->files[index - 1].next_free;
    } else {
        index = ++node->file_count;
        node->files = world_realloc(node->files, node->file_count * sizeof *node->files);
        node->files[index - 1] = (struct file_slot){.generation = 1};
    }
    struct file_slot *slot = &node->files[index - 1];
    slot->inode = inode;
    slot->owner = owner;
    slot->direct = flags & IO_OPEN_DIRECT;
    slot->read = flags & IO_OPEN_READ;
    slot->write = flags & IO_OPEN_WRITE;
    slot->ops = 0;
    slot->closing = NULL;
    node->files_open++;
    *out = (struct io_file){index, slot->generation};
    return 0;
}

uint64_t file_lock_owner(const struct io_node *node, struct io_file file) {
    return (uint64_t)node->incarnation << 32 | file.slot;
}

void file_put(struct io_node *node, const void *owner, struct io_file file) {
    struct file_slot *slot = file_get(node, owner, file);
    disk_unlock_all(slot->inode, file_lock_owner(node, file));
    inode_release(node->disk, slot->inode);
    slot->inode = NULL;
    slot->generation++;
    slot->next_free = node->file_free;
    node->file_free = file.slot;
    node->files_open--;
}

void files_drop(struct io_node *node) {
    for (uint32_t i = 0; i < node->file_count; i++)
        if (node->files[i].inode) inode_release(node->disk, node->files[i].inode);
    world_free(node->files);
    node->files = NULL;
    node->file_count = node->file_free = node->files_open = 0;
}

void direct_check(const struct file_slot *slot, const void *data, size_t len, uint64_t offset) {
    if (!slot->direct) return;
    CHECKF(len % IO_DIRECT_ALIGN == 0 && offset % IO_DIRECT_ALIGN == 0 &&
           (uintptr_t)data % IO_DIRECT_ALIGN == 0, "direct io of %zu bytes at %llu, address %p: not aligned", len,
           (unsigned long long)offset, data);
}

/* ---- submission ---- */

static void schedule(struct io *io, struct io_op *op, size_t len) {
    struct world *world = io->node->world;
    op_schedule(world, op, world->now + disk_latency(world, (enum sim_kind)op->kind, len));
}

static bool submit_path(struct io *io, struct io_op *op, enum sim_kind kind, const char *path, const char *second) {
    size_t len = strlen(path) + 1, more = second ? strlen(second) + 1 : 0;
    OP_SET_PTR(op, 4, NULL);
    if (!op_submit(io, op, kind, sim_hash(path, len) ^ (second ? sim_hash(second, more) * 3 : 0))) return false;
    char *copy = world_alloc(len + more);
    memcpy(copy, path, len);
    if (second) memcpy(copy + len, second, more);
    OP_SET_PTR(op, 4, copy);
    schedule(io, op, 0);
    return true;
}

static struct io_file handle_of(const struct io_op *op) {
    return (struct io_file){(uint32_t)op->args[0], (uint32_t)(op->args[0] >> 32)};
}

static bool submit_file(struct io *io, struct io_op *op, enum sim_kind kind, struct io_file file, uint64_t hash) {
    op->args[0] = (uint64_t)file.generation << 32 | file.slot;
    if (!op_submit(io, op, kind, hash ^ file.slot)) return false;
    struct file_slot *slot = file_get(io->node, io, file);
    CHECKF(!slot->closing, "a file was used after io_close");
    slot->ops++;
    return true;
}

void io_open(struct io *io, struct io_op *op, const char *path, unsigned flags) {
    op->args[3] = flags;
    submit_path(io, op, SIM_open, path, NULL);
}
void io_unlink(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, SIM_unlink, path, NULL); }
void io_rename(struct io *io, struct io_op *op, const char *from, const char *to) {
    submit_path(io, op, SIM_rename, from, to);
}
void io_mkdir(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, SIM_mkdir, path, NULL); }
void io_rmdir(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, SIM_rmdir, path, NULL); }
void io_dir_sync(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, SIM_dir_sync, path, NULL); }
void io_disk_free(struct io *io, struct io_op *op, const char *path) {
    submit_path(io, op, SIM_disk_free, path, NULL);
}
void io_dir_list(struct io *io, struct io_op *op, const char *path, struct buf *out) {
    OP_SET_PTR(op, 1, out);
    submit_path(io, op, SIM_dir_list, path, NULL);
}

static void submit_bytes(struct io *io, struct io_op *op, enum sim_kind kind, struct io_file file, const void *data,
                         size_t len, uint64_t offset) {
    if (!io->node->crashed) direct_check(file_get(io->node, io, file), data, len, offset);
    OP_SET_PTR(op, 1, data);
    op->args[2] = len;
    op->args[3] = offset;
    op->args[4] = 0;
    if (!submit_file(io, op, kind, file, kind == SIM_write ? sim_hash(data, len) : len)) return;
    schedule(io, op, len);
}

void io_read(struct io *io, struct io_op *op, struct io_file file, void *data, size_t len, uint64_t offset) {
    submit_bytes(io, op, SIM_read, file, data, len, offset);
}
void io_write(struct io *io, struct io_op *op, struct io_file file, const void *data, size_t len, uint64_t offset) {
    submit_bytes(io, op, SIM_write, file, data, len, offset);
}

static void submit_plain(struct io *io, struct io_op *op, enum sim_kind kind, struct io_file file, uint64_t offset,
                         uint64_t len) {
    op->args[2] = len;
    op->args[3] = offset;
    op->args[4] = 0;
    if (!submit_file(io, op, kind, file, offset ^ len << 1)) return;
    if (kind == SIM_datasync) {
        op->args[4] = disk_sync_mark(file_get(io->node, io, file)->inode);
        io->stats.datasyncs++;
    }
    schedule(io, op, 0);
}

void io_datasync(struct io *io, struct io_op *op, struct io_file file) {
    submit_plain(io, op, SIM_datasync, file, 0, 0);
}
void io_size(struct io *io, struct io_op *op, struct io_file file) { submit_plain(io, op, SIM_size, file, 0, 0); }
void io_lock(struct io *io, struct io_op *op, struct io_file file) { submit_plain(io, op, SIM_lock, file, 0, 0); }
void io_truncate(struct io *io, struct io_op *op, struct io_file file, uint64_t size) {
    submit_plain(io, op, SIM_truncate, file, 0, size);
}
void io_allocate(struct io *io, struct io_op *op, struct io_file file, uint64_t offset, uint64_t len) {
    submit_plain(io, op, SIM_allocate, file, offset, len);
}

/* Completes when the file's other ops have: they are asked to be cancelled. */
void io_close(struct io *io, struct io_op *op, struct io_file file) {
    if (!submit_file(io, op, SIM_close, file, 0)) return;
    struct file_slot *slot = file_get(io->node, io, file);
    slot->ops--;
    slot->closing = op;
    if (!slot->ops) {
        schedule(io, op, 0);
        return;
    }
    for (unsigned i = 0; i < io->node->loop_count; i++)
        LIST_EACH(it, &io->node->loops[i]->busy) {
            struct io_op *other = LIST_ENTRY(it, struct io_op, link);
            if (other != op && other->kind >= SIM_read && other->kind <= SIM_lock && other->args[0] == op->args[0] &&
                OP_PTR(other, 5) == io)
                io_cancel(io, other);
        }
}

/* ---- effect ---- */

static int64_t write_now(struct io *io, struct io_op *op, struct inode *inode) {
    size_t len = op->args[2];
    CHECKF((sim_hash(OP_PTR(op, 1), len) ^ (uint32_t)op->args[0]) == OP_HASH(op),
           "the bytes of a write were changed while io owned them");
    if (disk_error_strikes(io->node, FAULT_WRITE_ERROR)) return -IO_EIO;
    if (len && disk_error_strikes(io->node, FAULT_DISK_FULL)) return -IO_ENOSPC;
    int64_t result = disk_write(io->node->disk, inode, OP_PTR(op, 1), len, op->args[3], &op->args[4]);
    if (result > 0) io->stats.bytes_written += (uint64_t)result;
    return result;
}

static int64_t sync_now(struct io *io, struct io_op *op, struct inode *inode) {
    if (disk_error_strikes(io->node, FAULT_SYNC_ERROR)) return -IO_EIO;
    if (fault_strikes(io->node->world, FAULT_LYING_SYNC, PRNG_DISK, 1000000)) return 0;
    disk_sync(io->node->disk, inode, op->args[4]);
    return 0;
}

/* What a descriptor that was opened without the right answers; a lock is taken as a writer. */
static bool file_allows(const struct file_slot *slot, uint32_t kind) {
    if (kind == SIM_read) return slot->read;
    if (kind == SIM_write || kind == SIM_allocate || kind == SIM_truncate || kind == SIM_lock) return slot->write;
    return true;
}

static int64_t on_file(struct io *io, struct io_op *op) {
    struct io_node *node = io->node;
    const struct file_slot *slot = file_get(node, io, handle_of(op));
    struct inode *inode = slot->inode;
    if (!file_allows(slot, op->kind)) return -IO_EINVAL;
    switch (op->kind) {
    case SIM_read: {
        if (disk_error_strikes(node, FAULT_READ_ERROR)) return -IO_EIO;
        int64_t count = disk_read(inode, OP_PTR(op, 1), op->args[2], op->args[3]);
        trace_event(node, io->index, SIM_read, true, op->sequence, count, sim_hash(OP_PTR(op, 1), count > 0 ? (size_t)count : 0));
        return count;
    }
    case SIM_write: return write_now(io, op, inode);
    case SIM_datasync: return sync_now(io, op, inode);
    case SIM_allocate:
        if (!op->args[2]) return -IO_EINVAL;
        return disk_allocate(node->disk, inode, op->args[3], op->args[2]);
    case SIM_truncate: return disk_truncate(node->disk, inode, op->args[2]);
    case SIM_size: return disk_size(inode);
    case SIM_lock: return disk_lock(node->disk, inode, file_lock_owner(node, handle_of(op)));
    default: UNREACHABLE("file op %u", op->kind);
    }
}

static int64_t list_dir(struct io *io, struct io_op *op) {
    sim_enter(io->node, io, NULL);                      /* the buffer is the node's memory */
    struct buf *out = OP_PTR(op, 1);
    size_t before = out->len;
    int64_t result = disk_dir_list(io->node->disk, OP_PTR(op, 4), out);
    trace_event(io->node, io->index, SIM_dir_list, true, op->sequence, result,
                sim_hash(out->data + before, out->len - before));
    sim_leave();
    return result;
}

static int64_t open_now(struct io *io, struct io_op *op) {
    struct inode *inode;
    int64_t result = disk_open(io->node->disk, OP_PTR(op, 4), (unsigned)op->args[3], &inode);
    if (result < 0) return result;
    return file_handle(io->node, io, inode, (unsigned)op->args[3], &op->file);
}

static int64_t on_path(struct io *io, struct io_op *op) {
    struct disk *disk = io->node->disk;
    const char *path = OP_PTR(op, 4);
    switch (op->kind) {
    case SIM_open: return open_now(io, op);
    case SIM_unlink: return disk_unlink(disk, path);
    case SIM_rename: return disk_rename(disk, path, path + strlen(path) + 1);
    case SIM_mkdir: return disk_mkdir(disk, path);
    case SIM_rmdir: return disk_rmdir(disk, path);
    case SIM_dir_sync: return disk_dir_sync(disk, path);
    case SIM_dir_list: return list_dir(io, op);
    case SIM_disk_free: return disk_exists(disk, path) ? disk_free_bytes(disk) : -IO_ENOENT;
    default: UNREACHABLE("path op %u", op->kind);
    }
}

static bool has_path(uint32_t kind) {
    return kind == SIM_open || (kind >= SIM_unlink && kind <= SIM_disk_free);
}

void file_op_fire(struct io *io, struct io_op *op) {
    if (op->kind == SIM_close) {
        file_put(io->node, io, handle_of(op));
        op_complete(io, op, 0);
    } else if (has_path(op->kind)) {
        int64_t result = on_path(io, op);
        world_free(OP_PTR(op, 4));
        OP_SET_PTR(op, 4, NULL);
        op_complete(io, op, result);
    } else {
        op_complete(io, op, on_file(io, op));
    }
}

/* Its done runs now. */
void file_op_finished(struct io *io, struct io_op *op) {
    if (op->kind == SIM_close || has_path(op->kind)) return;
    struct file_slot *slot = file_get(io->node, io, handle_of(op));
    if (op->kind == SIM_write && op->result > 0) disk_done(slot->inode, op->args[4]);
    if (--slot->ops == 0 && slot->closing) schedule(io, slot->closing, 0);
}

/* It never takes effect: cancelled, or its node is gone. A write may then have reached the disk all the same. */
void file_op_abandon(struct io *io, struct io_op *op) {
    if (has_path(op->kind) || op->kind == SIM_resolve) {
        world_free(OP_PTR(op, 4));
        OP_SET_PTR(op, 4, NULL);
        return;
    }
    bool in_flight = op->kind == SIM_write && io->node->crashed && OP_STATE(op) != OP_READY && op->args[2];
    if (in_flight && fault_strikes(io->node->world, FAULT_INFLIGHT_WRITE, PRNG_CRASH, 500000)) {
        struct inode *inode = file_get(io->node, io, handle_of(op))->inode;
        disk_write(io->node->disk, inode, OP_PTR(op, 1), op->args[2], op->args[3], NULL);
    }
}
