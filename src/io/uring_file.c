/* uring_file: open files: opening, reading, writing, syncing, closing.
 *
 * A file has a plain descriptor, for the calls that a ring has not, and the same slot number in the ring's table of
 * registered files, which spares each read and write the counting of references. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/uring_internal.h"

/* op->args. MOVED counts what earlier parts of a read or write did. */
enum { ARG_SLOT, ARG_DATA, ARG_LEN, ARG_OFFSET, ARG_MOVED };
enum { OPEN_PATH, OPEN_FLAGS };

enum { NO_SLOT = UINT32_MAX, PART_MAX = 1 << 30, NO_MODE = 1 << 30 };

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static struct io_file slot_open(struct io *io, int fd, bool direct) {
    if (io->file_free == NO_SLOT) {
        uint32_t cap = io->file_cap ? io->file_cap * 2 : 32;
        io->files = mem_realloc(io->files, cap * sizeof *io->files);
        for (uint32_t i = cap; i-- > io->file_cap;) {
            io->files[i] = (struct file_slot){.fd = -1, .generation = 1, .next_free = io->file_free};
            io->file_free = i;
        }
        io->file_cap = cap;
    }
    uint32_t index = io->file_free;
    struct file_slot *slot = &io->files[index];
    io->file_free = slot->next_free;
    io->file_count++;
    slot->fd = fd;
    slot->direct = direct;
    slot->locked = false;
    slot->pending = 0;
    bool room = index < URING_FIXED_FILES && !uring_without(io->node, URING_REGISTERED_FILES);
    slot->fixed = room && io_uring_register_files_update(&io->ring, index, &fd, 1) == 1;
    return (struct io_file){index, slot->generation};
}

static void slot_free(struct io *io, uint32_t index) {
    struct file_slot *slot = &io->files[index];
    slot->fd = -1;
    slot->next_free = io->file_free;
    io->file_free = index;
    io->file_count--;
}

static struct file_slot *slot_of(struct io *io, struct io_file file) {
    CHECKF(file.slot < io->file_cap && io->files[file.slot].fd >= 0 &&
               io->files[file.slot].generation == file.generation,
           "a file was used that is not open on this loop");
    return &io->files[file.slot];
}

void files_close_all(struct io *io) {
    for (uint32_t i = 0; i < io->file_cap; i++)
        if (io->files[i].fd >= 0) close(io->files[i].fd);
    mem_free(io->files);
    io->files = NULL;
    io->file_cap = io->file_count = 0;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

int uring_open_flags(unsigned flags) {
    int out = O_CLOEXEC;
    if (flags & IO_OPEN_WRITE) out |= flags & IO_OPEN_READ ? O_RDWR : O_WRONLY;
    if (flags & IO_OPEN_CREATE) out |= O_CREAT;
    if (flags & IO_OPEN_EXCLUSIVE) out |= O_EXCL;
    if (flags & IO_OPEN_TRUNCATE) out |= O_TRUNC;
    if (flags & IO_OPEN_DIRECT) out |= O_DIRECT;
    return out;
}

void io_open(struct io *io, struct io_op *op, const char *path, unsigned flags) {
    CHECK(flags & (IO_OPEN_READ | IO_OPEN_WRITE));
    TAPE_EFFECT(io, open, tape_hash_text(path), flags, 0);
    op_begin(io, op, KIND_OPEN);
    op->args[OPEN_PATH] = (uintptr_t)mem_strdup(path);
    op->args[OPEN_FLAGS] = flags;
    op_submit(io, op);
}

void open_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    (void)io;
    const char *path = (const char *)(uintptr_t)op->args[OPEN_PATH];
    io_uring_prep_openat(sqe, AT_FDCWD, path, uring_open_flags((unsigned)op->args[OPEN_FLAGS]), 0600);
}

/* Some file systems have no direct IO (tmpfs before Linux 6.5): those files go through the page cache. The first try
 * may have created the file, so the second must not insist on that. */
static bool open_without_direct(struct io *io, struct io_op *op) {
    if (!(op->args[OPEN_FLAGS] & IO_OPEN_DIRECT) || op_canceling(op)) return false;
    op->args[OPEN_FLAGS] &= ~(uint64_t)(IO_OPEN_DIRECT | IO_OPEN_EXCLUSIVE);
    op_submit(io, op);
    return true;
}

void open_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    if (result >= 0 && op->args[OPEN_FLAGS] & IO_OPEN_DIRECT && uring_without(io->node, URING_DIRECT_IO)) {
        close(result);
        result = -EINVAL;
    }
    if (result == -EINVAL && open_without_direct(io, op)) return;
    mem_free((void *)(uintptr_t)op->args[OPEN_PATH]);
    struct stat status;
    if (result >= 0 && fstat(result, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(result);
        result = -EISDIR;
    }
    if (result < 0) {
        op_finish(io, op, uring_error(result));
        return;
    }
    op->file = slot_open(io, result, op->args[OPEN_FLAGS] & IO_OPEN_DIRECT);
    op_finish(io, op, 0);
}

/* ---- reading, writing, syncing ------------------------------------------------------------------------------------- */

static void start(struct io *io, struct io_op *op, enum op_kind kind, struct io_file file) {
    struct file_slot *slot = slot_of(io, file);
    op_begin(io, op, kind);
    op->args[ARG_SLOT] = file.slot;
    slot->pending++;
}

static void start_transfer(struct io *io, struct io_op *op, enum op_kind kind, struct io_file file, uintptr_t data,
                           size_t len, uint64_t offset) {
    if (slot_of(io, file)->direct)
        CHECKF(data % IO_DIRECT_ALIGN == 0 && len % IO_DIRECT_ALIGN == 0 && offset % IO_DIRECT_ALIGN == 0,
               "direct IO must be aligned to %d", IO_DIRECT_ALIGN);
    start(io, op, kind, file);
    op->args[ARG_DATA] = data;
    op->args[ARG_LEN] = len;
    op->args[ARG_OFFSET] = offset;
    op->args[ARG_MOVED] = 0;
    op_submit(io, op);
}

static uint64_t handle(struct io_file file) { return tape_handle(file.slot, file.generation); }

void *file_read_into(const struct io_op *op) { return (void *)(uintptr_t)op->args[ARG_DATA]; }

void io_read(struct io *io, struct io_op *op, struct io_file file, void *data, size_t len, uint64_t offset) {
    TAPE_EFFECT(io, read, handle(file), len, offset);
    start_transfer(io, op, KIND_READ, file, (uintptr_t)data, len, offset);
}

void io_write(struct io *io, struct io_op *op, struct io_file file, const void *data, size_t len, uint64_t offset) {
    TAPE_EFFECT(io, write, handle(file), hash64(data, len), offset);
    start_transfer(io, op, KIND_WRITE, file, (uintptr_t)data, len, offset);
}

void io_datasync(struct io *io, struct io_op *op, struct io_file file) {
    TAPE_EFFECT(io, datasync, handle(file), 0, 0);
    io->stats.datasyncs++;
    start(io, op, KIND_DATASYNC, file);
    op_submit(io, op);
}

void io_allocate(struct io *io, struct io_op *op, struct io_file file, uint64_t offset, uint64_t len) {
    TAPE_EFFECT(io, allocate, handle(file), offset, len);
    start(io, op, KIND_ALLOCATE, file);
    op->args[ARG_OFFSET] = offset;
    op->args[ARG_LEN] = len;
    if (len == 0 || len > INT64_MAX || offset > INT64_MAX - len)
        op_ready(io, op, len == 0 ? -EINVAL : -EFBIG);
    else
        op_submit(io, op);
}

void file_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    const struct file_slot *slot = &io->files[op->args[ARG_SLOT]];
    int fd = slot->fixed ? (int)op->args[ARG_SLOT] : slot->fd;
    uint64_t moved = op->args[ARG_MOVED], left = op->args[ARG_LEN] - moved;
    unsigned part = left > PART_MAX ? PART_MAX : (unsigned)left;
    void *data = (void *)(uintptr_t)(op->args[ARG_DATA] + moved);
    switch (op_kind(op)) {
    case KIND_READ: io_uring_prep_read(sqe, fd, data, part, op->args[ARG_OFFSET] + moved); break;
    case KIND_WRITE: io_uring_prep_write(sqe, fd, data, part, op->args[ARG_OFFSET] + moved); break;
    case KIND_DATASYNC: io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC); break;
    case KIND_ALLOCATE:
        io_uring_prep_fallocate(sqe, fd, uring_without(io->node, URING_FALLOCATE) ? NO_MODE : 0, (off_t)op->args[ARG_OFFSET], (off_t)op->args[ARG_LEN]);
        break;
    default: UNREACHABLE("no file op");
    }
    if (slot->fixed) sqe->flags |= IOSQE_FIXED_FILE;
    list_push_back(&io->file_ops, &op->link);
}

static void ended(struct io *io, uint32_t index) {
    struct file_slot *slot = &io->files[index];
    CHECK(slot->pending > 0);
    if (--slot->pending || !slot->closer) return;
    struct io_op *closer = slot->closer;
    slot->closer = NULL;
    op_submit(io, closer);
}

static void end(struct io *io, struct io_op *op, int64_t result) {
    uint32_t slot = (uint32_t)op->args[ARG_SLOT];
    op_finish(io, op, result);
    ended(io, slot);
}

/* True when another part is under way. A short part of a direct file that leaves the alignment is the end of the file. */
static bool transfer_more(struct io *io, struct io_op *op, int result) {
    op->args[ARG_MOVED] += (uint64_t)result;
    bool write = op_kind(op) == KIND_WRITE;
    if (write) io->stats.bytes_written += (uint64_t)result;
    if (op->args[ARG_MOVED] == op->args[ARG_LEN] || (result == 0 && !write)) return false;
    const struct file_slot *slot = &io->files[op->args[ARG_SLOT]];
    if (slot->direct && result % IO_DIRECT_ALIGN && !write) return false;
    CHECKF(result > 0, "a write took nothing");
    op_submit(io, op);
    return true;
}

/* Where a file system has no fallocate, glibc's emulation writes zeros. */
static void allocate_by_writing(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    int error = posix_fallocate((int)op->args[ARG_DATA], (off_t)op->args[ARG_OFFSET], (off_t)op->args[ARG_LEN]);
    op->result = error ? uring_error(error) : 0;
}

void file_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    list_remove(&op->link);
    enum op_kind kind = op_kind(op);
    if ((result == -EINTR || result == -EAGAIN) && !op_canceling(op)) {
        op_submit(io, op);
        return;
    }
    if (kind == KIND_ALLOCATE && result == -EOPNOTSUPP) {
        op->args[ARG_DATA] = (uint64_t)io->files[op->args[ARG_SLOT]].fd;
        op->kind = KIND_BLOCKING;
        blocking_submit(io, op, &io->node->file_helper, "norn-files", allocate_by_writing);
        return;
    }
    if (result < 0) {
        end(io, op, uring_error(result));
        return;
    }
    bool transfer = kind == KIND_READ || kind == KIND_WRITE;
    if (transfer && transfer_more(io, op, result)) return;
    end(io, op, transfer ? (int64_t)op->args[ARG_MOVED] : 0);
}

/* ---- the calls that a ring has not ---------------------------------------------------------------------------------- */

void blocking_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)result, (void)flags;
    end(io, op, op->result);
}

void io_size(struct io *io, struct io_op *op, struct io_file file) {
    TAPE_EFFECT(io, size, handle(file), 0, 0);
    start(io, op, KIND_BLOCKING, file);
    struct stat status;
    int failed = fstat(slot_of(io, file)->fd, &status);
    op->result = failed ? uring_error(errno) : status.st_size;
    op_ready(io, op, 0);
}

static void truncate_file(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    op->result = ftruncate((int)op->args[ARG_DATA], (off_t)op->args[ARG_LEN]) ? uring_error(errno) : 0;
}

void io_truncate(struct io *io, struct io_op *op, struct io_file file, uint64_t size) {
    TAPE_EFFECT(io, truncate, handle(file), size, 0);
    start(io, op, KIND_BLOCKING, file);
    op->args[ARG_DATA] = (uint64_t)slot_of(io, file)->fd;
    op->args[ARG_LEN] = size;
    blocking_submit(io, op, &io->node->file_helper, "norn-files", truncate_file);
}

static int set_lock(int fd, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

/* Locks of the open file, not of the process: closing another descriptor of the same file does not drop them. */
void io_lock(struct io *io, struct io_op *op, struct io_file file) {
    TAPE_EFFECT(io, lock, handle(file), 0, 0);
    start(io, op, KIND_BLOCKING, file);
    struct file_slot *slot = slot_of(io, file);
    slot->locked = set_lock(slot->fd, F_WRLCK) == 0;
    bool other = !slot->locked && (errno == EAGAIN || errno == EACCES);
    op->result = slot->locked ? 0 : other ? -IO_ELOCKED : uring_error(errno);
    op_ready(io, op, 0);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------ */

static void cancel_in(struct io *io, struct list *ops, uint32_t slot) {
    LIST_EACH(node, ops) {
        struct io_op *op = LIST_ENTRY(node, struct io_op, link);
        enum op_kind kind = op_kind(op);
        bool on_file = kind == KIND_READ || kind == KIND_WRITE || kind == KIND_DATASYNC || kind == KIND_ALLOCATE;
        if (on_file && op->args[ARG_SLOT] == slot) op_cancel(io, op);
    }
}

/* A registered slot may let go of its file some time after it is emptied, so the lock is given up by hand. */
void io_close(struct io *io, struct io_op *op, struct io_file file) {
    struct file_slot *slot = slot_of(io, file);
    TAPE_EFFECT(io, close, handle(file), 0, 0);
    op_begin(io, op, KIND_CLOSE);
    op->args[ARG_SLOT] = file.slot;
    op_set_place(op, PLACE_CLOSING);
    slot->generation++;
    cancel_in(io, &io->file_ops, file.slot);
    cancel_in(io, &io->backlog, file.slot);
    slot = &io->files[file.slot];
    if (slot->pending)
        slot->closer = op;
    else
        op_submit(io, op);
}

void close_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    uint32_t index = (uint32_t)op->args[ARG_SLOT];
    struct file_slot *slot = &io->files[index];
    int none = -1;
    if (slot->locked) set_lock(slot->fd, F_UNLCK);
    if (slot->fixed) io_uring_register_files_update(&io->ring, index, &none, 1);
    io_uring_prep_close(sqe, slot->fd);
}

void close_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    slot_free(io, (uint32_t)op->args[ARG_SLOT]);
    op_finish(io, op, result < 0 && result != -EINTR ? uring_error(result) : 0);
}
