/* uring_tape_folder: a copy of the data folder as it was when a recording began. Blocks are shared with the original
 * where the file system can do so. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/uring_internal.h"
#include "io/uring_tape.h"

enum { DEPTH_MAX = 8, LOCK_TRIES = 40, LOCK_PAUSE_NS = 50 * 1000 * 1000 };

/* What lies between holes and not yet written blocks alone: segments of the journal are mostly such. */
static int64_t copy_pieces(int from, int to, off_t size) {
    for (off_t at = 0; at < size;) {
        off_t start = lseek(from, at, SEEK_DATA);
        if (start < 0) return errno == ENXIO ? 0 : uring_error(errno);
        off_t end = lseek(from, start, SEEK_HOLE);
        if (end < 0) return uring_error(errno);
        for (at = start; at < end;) {
            off_t source = at, target = at;
            ssize_t part = copy_file_range(from, &source, to, &target, (size_t)(end - at), 0);
            if (part < 0 && errno == EINTR) continue;
            if (part <= 0) return part ? uring_error(errno) : -IO_EIO;
            at += part;
        }
    }
    return 0;
}

static int64_t copy_bytes(int from, int to) {
    if (ioctl(to, FICLONE, from) == 0) return 0;
    struct stat status;
    if (fstat(from, &status) != 0 || ftruncate(to, status.st_size) != 0) return uring_error(errno);
    return copy_pieces(from, to, status.st_size);
}

static int64_t copy_file(const char *from, const char *to) {
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) return uring_error(errno);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int64_t result = target < 0 ? uring_error(errno) : copy_bytes(source, target);
    close(source);
    if (target >= 0 && close(target) != 0 && result == 0) result = uring_error(errno);
    return result;
}

static int64_t copy_folder(const char *from, const char *to, unsigned depth);

static int64_t copy_entry(const char *from, const char *to, const char *name, unsigned depth) {
    char source[TAPE_PATH_MAX], target[TAPE_PATH_MAX];
    if (snprintf(source, sizeof source, "%s/%s", from, name) >= (int)sizeof source ||
        snprintf(target, sizeof target, "%s/%s", to, name) >= (int)sizeof target)
        return -IO_EINVAL;
    struct stat status;
    if (lstat(source, &status) != 0) return uring_error(errno);
    if (S_ISDIR(status.st_mode)) return depth < DEPTH_MAX ? copy_folder(source, target, depth + 1) : -IO_EINVAL;
    return S_ISREG(status.st_mode) ? copy_file(source, target) : 0;
}

static int64_t copy_folder(const char *from, const char *to, unsigned depth) {
    if (mkdir(to, 0700) != 0) return uring_error(errno);
    DIR *dir = opendir(from);
    if (!dir) return errno == ENOENT && depth == 0 ? 0 : uring_error(errno);
    int64_t result = 0;
    for (struct dirent *entry; result == 0 && (errno = 0, entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(from, to, entry->d_name, depth);
    if (result == 0 && errno) result = uring_error(errno);
    closedir(dir);
    return result;
}

/* What a killed process had locked can stay so for a moment, until its ring has gone. */
static int64_t take_lock(int fd) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    for (int i = 0; fcntl(fd, F_OFD_SETLK, &whole) != 0; i++) {
        if (errno != EAGAIN && errno != EACCES) return uring_error(errno);
        if (i == LOCK_TRIES) return -IO_ELOCKED;
        struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
        nanosleep(&pause, NULL);
    }
    return 0;
}

int64_t tape_copy_folder(const char *from, const char *lock, const char *to) {
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) return uring_error(errno);
    int64_t result = fd < 0 ? 0 : take_lock(fd);
    if (result == 0) result = copy_folder(from, to, 0);
    if (fd >= 0) close(fd);
    return result;
}
