/* uring_path: calls on names: unlink, rename, folders, free space. Each keeps a copy of its names until it is done, the
 * only memory that an op takes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/uring_internal.h"

enum { ARG_PATH = 1, ARG_TO, ARG_OUT, ARG_OUT_LEN };

static const char *path_of(const struct io_op *op, int arg) { return (const char *)(uintptr_t)op->args[arg]; }

static void start(struct io *io, struct io_op *op, enum op_kind kind, const char *path) {
    op_begin(io, op, kind);
    op->args[ARG_PATH] = (uintptr_t)mem_strdup(path);
    op->args[ARG_TO] = op->args[ARG_OUT] = 0;
}

void io_unlink(struct io *io, struct io_op *op, const char *path) {
    TAPE_EFFECT(io, unlink, tape_hash_text(path), 0, 0);
    start(io, op, KIND_UNLINK, path);
    op_submit(io, op);
}

void io_rename(struct io *io, struct io_op *op, const char *from, const char *to) {
    TAPE_EFFECT(io, rename, tape_hash_text(from), tape_hash_text(to), 0);
    start(io, op, KIND_RENAME, from);
    op->args[ARG_TO] = (uintptr_t)mem_strdup(to);
    op_submit(io, op);
}

void io_mkdir(struct io *io, struct io_op *op, const char *path) {
    TAPE_EFFECT(io, mkdir, tape_hash_text(path), 0, 0);
    start(io, op, KIND_MKDIR, path);
    op_submit(io, op);
}

void io_rmdir(struct io *io, struct io_op *op, const char *path) {
    TAPE_EFFECT(io, rmdir, tape_hash_text(path), 0, 0);
    start(io, op, KIND_RMDIR, path);
    op_submit(io, op);
}

void path_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    (void)io;
    const char *path = path_of(op, ARG_PATH);
    switch (op_kind(op)) {
    case KIND_UNLINK: io_uring_prep_unlinkat(sqe, AT_FDCWD, path, 0); break;
    case KIND_RENAME: io_uring_prep_renameat(sqe, AT_FDCWD, path, AT_FDCWD, path_of(op, ARG_TO), 0); break;
    case KIND_MKDIR: io_uring_prep_mkdirat(sqe, AT_FDCWD, path, 0700); break;
    case KIND_RMDIR: io_uring_prep_unlinkat(sqe, AT_FDCWD, path, AT_REMOVEDIR); break;
    default: UNREACHABLE("no path op");
    }
}

static void end(struct io *io, struct io_op *op, int64_t result) {
    mem_free((void *)(uintptr_t)op->args[ARG_PATH]);
    mem_free((void *)(uintptr_t)op->args[ARG_TO]);
    op_finish(io, op, result);
}

void path_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    if (result == -EINTR && !op_canceling(op)) {
        op_submit(io, op);
        return;
    }
    end(io, op, result < 0 ? uring_error(result) : 0);
}

void path_blocking_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)result, (void)flags;
    end(io, op, op->result);
}

/* ---- on a helper ------------------------------------------------------------------------------------------------------ */

/* `out` takes what the call gives beyond its result, or is NULL. */
static void start_blocking(struct io *io, struct io_op *op, const char *path, struct buf *out, io_helper_fn *fn) {
    start(io, op, KIND_PATH_BLOCKING, path);
    op->args[ARG_OUT] = (uintptr_t)out;
    op->args[ARG_OUT_LEN] = out ? out->len : 0;
    blocking_submit(io, op, &io->node->file_helper, "norn-files", fn);
}

int64_t uring_dir_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return uring_error(errno);
    int64_t result = fsync(fd) ? uring_error(errno) : 0;
    close(fd);
    return result;
}

static void dir_sync(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    op->result = uring_dir_sync(path_of(op, ARG_PATH));
}

void io_dir_sync(struct io *io, struct io_op *op, const char *path) {
    TAPE_EFFECT(io, dir_sync, tape_hash_text(path), 0, 0);
    start_blocking(io, op, path, NULL, dir_sync);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct names {
    char **items;
    size_t count, cap;
};

static void names_add(struct names *names, const char *name) {
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return;
    if (names->count == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 64;
        names->items = mem_realloc(names->items, names->cap * sizeof *names->items);
    }
    names->items[names->count++] = mem_strdup(name);
}

static void names_give(struct names *names, struct buf *out) {
    if (names->count) qsort(names->items, names->count, sizeof *names->items, by_bytes);
    for (size_t i = 0; i < names->count; i++) {
        if (out) buf_append(out, names->items[i], strlen(names->items[i]) + 1);
        mem_free(names->items[i]);
    }
    mem_free(names->items);
}

static void dir_list(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    DIR *dir = opendir(path_of(op, ARG_PATH));
    if (!dir) {
        op->result = uring_error(errno);
        return;
    }
    struct names names = {0};
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)); errno = 0) names_add(&names, entry->d_name);
    int error = errno;
    closedir(dir);
    op->result = error ? uring_error(error) : (int64_t)names.count;
    names_give(&names, error ? NULL : (struct buf *)(uintptr_t)op->args[ARG_OUT]);
}

void io_dir_list(struct io *io, struct io_op *op, const char *path, struct buf *out) {
    TAPE_EFFECT(io, dir_list, tape_hash_text(path), 0, 0);
    start_blocking(io, op, path, out, dir_list);
}

struct bytes path_list_given(const struct io_op *op) {
    const struct buf *out = (const struct buf *)(uintptr_t)op->args[ARG_OUT];
    uint64_t before = op->args[ARG_OUT_LEN];
    return out && out->len > before ? bytes_of(out->data + before, out->len - before) : (struct bytes){0};
}

static void disk_free(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    struct statvfs status;
    if (statvfs(path_of(op, ARG_PATH), &status))
        op->result = uring_error(errno);
    else
        op->result = (int64_t)(status.f_bavail * status.f_frsize);
}

void io_disk_free(struct io *io, struct io_op *op, const char *path) {
    TAPE_EFFECT(io, disk_free, tape_hash_text(path), 0, 0);
    start_blocking(io, op, path, NULL, disk_free);
}
