/* uring_tape: writing a recording (tape.h).
 *
 * From the node's first callback on, the entries of loop 0 are kept in memory. io_record writes them to its log, and
 * from then on each thread appends to a log of its own, by a window of the file that is mapped: no call into the kernel
 * but one for each window, and what a thread has written is in the file even when the process is killed. Without
 * io_record, the entries in memory are dropped when they are too many, or when another thread begins.
 *
 * `io->log` and `helper->log` are NULL when nothing is recorded; that is all that a server without recording tests. */
#ifndef NORN_IO_URING_TAPE_H
#define NORN_IO_URING_TAPE_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/tape.h"

enum { TAPE_WINDOW = 1 << 20, TAPE_PENDING_MAX = 1 << 20 };

enum recording_state { RECORDING_PENDING, RECORDING_RUNS, RECORDING_OVER };

struct recording {
    atomic_int state;               /* enum recording_state */
    char *dir;
    uint64_t bytes_max;
    atomic_uint_fast64_t bytes;     /* of all logs, by windows */
    void (*ended)(struct io *io, const char *why);
    _Atomic(const char *) why;
    pthread_mutex_t turns;          /* held by the helper that runs, as are the next two */
    uint64_t turn;
    struct tape_page_hash *pages;   /* TAPE_PAGES */
};

struct tape_page_hash {
    uint64_t key, hash;
};

struct tape_log {
    struct recording *recording;
    struct tape_header *header;   /* NULL: in memory yet */
    int fd;
    uint64_t chain;
    uint64_t mapped;                /* where in the file the window begins */
    size_t window_size;
    uint8_t *window, *at, *end;
    struct buf pending;
    int64_t now, wall;
    uint64_t turn;
};

/* An effect of a loop or helper. The arguments are looked at only while recording. */
#define TAPE_EFFECT(owner, call, a, b, c)                                                                    \
    do {                                                                                                       \
        if (__builtin_expect((owner)->log != NULL, 0))                                                         \
            tape_effect(&(owner)->log->chain, TAPE_CALL_##call, a, b, c);                                  \
    } while (0)

/* An input, when `log` is not NULL; gives it back. */
uint64_t tape_value(struct tape_log *log, enum tape_input what, uint64_t value);
void tape_bytes(struct tape_log *log, enum tape_input what, const void *data, size_t len);
const char *tape_text(struct tape_log *log, enum tape_input what, const char *text);

/* Of a loop that has a log. */
struct tape_log *tape_loop_log(struct io *io);
void tape_turn(struct io *io);
void tape_done(struct io *io, const struct io_op *op, int64_t result, bool more);
void tape_message(struct io *io, unsigned from);
void tape_hook(struct io *io);
void tape_loop_end(struct io *io);

/* Of a helper. tape_helper_leave comes before a call that blocks, and one of the others after it. */
void tape_helper_open(struct io_helper *helper, struct io *starter);
void tape_helper_begin(struct io_helper *helper, const struct io *from, const struct io_op *op);
void tape_helper_leave(struct io_helper *helper);
int64_t tape_help(struct io_helper *helper, enum tape_call call, int64_t result);
/* `path` is the hash of the file's name. */
int64_t tape_help_read(struct io_helper *helper, uint64_t path, void *data, uint64_t offset, int64_t result);
void tape_help_write(struct io_helper *helper, uint64_t path, const void *data, uint64_t offset, size_t len);
int64_t tape_help_file(struct io_helper *helper, enum tape_call call, int64_t result, const struct io_file *file);
void tape_helper_end(struct io_helper *helper);

/* No more than one thread's memory can be kept: drops what waits, or does nothing. */
void tape_drop_pending(struct recording *recording);

/* uring_tape_folder.c: copies a folder with all in it, 0600 and 0700; a file `lock` is locked meanwhile when it is
 * there. 0 or a negated enum io_err. */
int64_t tape_copy_folder(const char *from, const char *lock, const char *to);

#endif
