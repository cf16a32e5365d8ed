/* uring_help: the blocking calls of helpers. Each helper has a table of its own open files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/uring_internal.h"

enum { NO_SLOT = UINT32_MAX };

static struct io_file slot_open(struct io_helper *helper, int fd, bool direct) {
    if (helper->file_free == NO_SLOT) {
        uint32_t cap = helper->file_cap ? helper->file_cap * 2 : 16;
        helper->files = mem_realloc(helper->files, cap * sizeof *helper->files);
        for (uint32_t i = cap; i-- > helper->file_cap;) {
            helper->files[i] = (struct file_slot){.fd = -1, .generation = 1, .next_free = helper->file_free};
            helper->file_free = i;
        }
        helper->file_cap = cap;
    }
    uint32_t index = helper->file_free;
    struct file_slot *slot = &helper->files[index];
    helper->file_free = slot->next_free;
    slot->fd = fd;
    slot->direct = direct;
    return (struct io_file){index, slot->generation};
}

static struct file_slot *slot_of(struct io_helper *helper, struct io_file file) {
    CHECKF(file.slot < helper->file_cap && helper->files[file.slot].fd >= 0 &&
               helper->files[file.slot].generation == file.generation,
           "a file was used that is not open on this helper");
    return &helper->files[file.slot];
}

static int fd_of(struct io_helper *helper, struct io_file file) { return slot_of(helper, file)->fd; }

static uint64_t handle(struct io_file file) { return tape_handle(file.slot, file.generation); }

static int64_t open_file(struct io_helper *helper, const char *path, unsigned flags, struct io_file *out) {
    int fd = open(path, uring_open_flags(flags), 0600);
    if (fd >= 0 && flags & IO_OPEN_DIRECT && uring_without(helper->node, URING_DIRECT_IO)) {
        close(fd);
        fd = -1;
        errno = EINVAL;
    }
    if (fd < 0 && errno == EINVAL && (flags & IO_OPEN_DIRECT)) {
        flags &= ~(unsigned)(IO_OPEN_DIRECT | IO_OPEN_EXCLUSIVE);
        fd = open(path, uring_open_flags(flags), 0600);
    }
    if (fd < 0) return uring_error(errno);
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        return -IO_EISDIR;
    }
    *out = slot_open(helper, fd, flags & IO_OPEN_DIRECT);
    return 0;
}

int64_t io_help_open(struct io_helper *helper, const char *path, unsigned flags, struct io_file *out) {
    CHECK(flags & (IO_OPEN_READ | IO_OPEN_WRITE));
    TAPE_EFFECT(helper, open, tape_hash_text(path), flags, 0);
    tape_helper_leave(helper);
    int64_t result = open_file(helper, path, flags, out);
    if (result >= 0 && helper->log) slot_of(helper, *out)->path = tape_hash_text(path);
    return tape_help_file(helper, TAPE_CALL_open, result, out);
}

int64_t io_help_close(struct io_helper *helper, struct io_file file) {
    struct file_slot *slot = slot_of(helper, file);
    TAPE_EFFECT(helper, close, handle(file), 0, 0);
    tape_helper_leave(helper);
    int fd = slot->fd;
    slot->fd = -1;
    slot->generation++;
    slot->next_free = helper->file_free;
    helper->file_free = file.slot;
    return tape_help(helper, TAPE_CALL_close, close(fd) && errno != EINTR ? uring_error(errno) : 0);
}

static void check_aligned(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    if (!slot_of(helper, file)->direct) return;
    CHECKF((uintptr_t)data % IO_DIRECT_ALIGN == 0 && len % IO_DIRECT_ALIGN == 0 && offset % IO_DIRECT_ALIGN == 0,
           "direct IO must be aligned to %d", IO_DIRECT_ALIGN);
}

static int64_t read_file(struct io_helper *helper, struct io_file file, void *data, size_t len, uint64_t offset) {
    bool direct = slot_of(helper, file)->direct;
    size_t moved = 0;
    while (moved < len) {
        ssize_t part = pread(fd_of(helper, file), (uint8_t *)data + moved, len - moved, (off_t)(offset + moved));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return uring_error(errno);
        moved += (size_t)part;
        if (part == 0 || (direct && part % IO_DIRECT_ALIGN)) break;
    }
    return (int64_t)moved;
}

int64_t io_help_read(struct io_helper *helper, struct io_file file, void *data, size_t len, uint64_t offset) {
    check_aligned(helper, file, data, len, offset);
    TAPE_EFFECT(helper, read, handle(file), len, offset);
    tape_helper_leave(helper);
    int64_t result = read_file(helper, file, data, len, offset);
    return tape_help_read(helper, slot_of(helper, file)->path, data, offset, result);
}

static int64_t write_file(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    size_t moved = 0;
    while (moved < len) {
        const uint8_t *from = (const uint8_t *)data + moved;
        ssize_t part = pwrite(fd_of(helper, file), from, len - moved, (off_t)(offset + moved));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return uring_error(errno);
        CHECKF(part > 0, "a write took nothing");
        moved += (size_t)part;
    }
    return (int64_t)moved;
}

int64_t io_help_write(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    check_aligned(helper, file, data, len, offset);
    TAPE_EFFECT(helper, write, handle(file), hash64(data, len), offset);
    tape_help_write(helper, slot_of(helper, file)->path, data, offset, len);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_write, write_file(helper, file, data, len, offset));
}

int64_t io_help_sync(struct io_helper *helper, struct io_file file) {
    TAPE_EFFECT(helper, datasync, handle(file), 0, 0);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_datasync, fdatasync(fd_of(helper, file)) ? uring_error(errno) : 0);
}

int64_t io_help_truncate(struct io_helper *helper, struct io_file file, uint64_t size) {
    TAPE_EFFECT(helper, truncate, handle(file), size, 0);
    tape_helper_leave(helper);
    int failed = ftruncate(fd_of(helper, file), (off_t)size);
    return tape_help(helper, TAPE_CALL_truncate, failed ? uring_error(errno) : 0);
}

int64_t io_help_size(struct io_helper *helper, struct io_file file) {
    struct stat status;
    TAPE_EFFECT(helper, size, handle(file), 0, 0);
    tape_helper_leave(helper);
    int failed = fstat(fd_of(helper, file), &status);
    return tape_help(helper, TAPE_CALL_size, failed ? uring_error(errno) : status.st_size);
}

int64_t io_help_unlink(struct io_helper *helper, const char *path) {
    TAPE_EFFECT(helper, unlink, tape_hash_text(path), 0, 0);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_unlink, unlink(path) ? uring_error(errno) : 0);
}

int64_t io_help_exists(struct io_helper *helper, const char *path) {
    TAPE_EFFECT(helper, exists, tape_hash_text(path), 0, 0);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_exists, access(path, F_OK) == 0);
}

int64_t io_help_dir_sync(struct io_helper *helper, const char *path) {
    TAPE_EFFECT(helper, dir_sync, tape_hash_text(path), 0, 0);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_dir_sync, uring_dir_sync(path));
}

/* Locks of the open file: they meet the process locks of an outside sqlite3 as its own do, and stay when another
 * descriptor of the same file is closed. */
static int64_t lock_range(int fd, enum io_range_lock kind, uint64_t offset, uint64_t len) {
    static const short types[] = {
        [IO_RANGE_UNLOCK] = F_UNLCK, [IO_RANGE_SHARED] = F_RDLCK, [IO_RANGE_EXCLUSIVE] = F_WRLCK};
    struct flock lock = {
        .l_type = types[kind], .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)len};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    return errno == EAGAIN || errno == EACCES ? -IO_ELOCKED : uring_error(errno);
}

int64_t io_help_range_lock(struct io_helper *helper, struct io_file file, enum io_range_lock kind, uint64_t offset,
                           uint64_t len) {
    TAPE_EFFECT(helper, range_lock, handle(file), (uint64_t)kind << 62 | offset, len);
    tape_helper_leave(helper);
    return tape_help(helper, TAPE_CALL_range_lock, lock_range(fd_of(helper, file), kind, offset, len));
}

int64_t io_help_wall(struct io_helper *helper) {
    return (int64_t)tape_value(helper->log, TAPE_INPUT_wall, (uint64_t)uring_clock_wall());
}

void io_help_random(struct io_helper *helper, void *buf, size_t len) {
    uring_entropy(buf, len);
    tape_bytes(helper->log, TAPE_INPUT_random, buf, len);
}

void io_help_sleep(struct io_helper *helper, int64_t ns) {
    TAPE_EFFECT(helper, sleep, (uint64_t)ns, 0, 0);
    tape_helper_leave(helper);
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
    tape_help(helper, TAPE_CALL_sleep, 0);
}
