/* uring_mailbox: messages between loops, and results of helpers.
 *
 * A sender pushes on a lock-free stack and rings only if the loop sleeps. A loop rings another through its ring, in the
 * same entry into the kernel as its other submissions; helpers, and loops on kernels whose ring messages do not wake a
 * waiting loop, write to an eventfd. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/uring_internal.h"

/* Came with Linux 6.3, as did messages between rings that wake a ring with deferred task work. */
enum { FEATURE_REG_REG_RING = 1 << 13 };

void mailbox_open(struct io *io) {
    struct mailbox *mail = &io->mail;
    atomic_init(&mail->posted, NULL);
    atomic_init(&mail->completed, NULL);
    atomic_init(&mail->sleeping, false);
    atomic_init(&mail->ring_fd, -1);
    mail->event_fd = eventfd(0, EFD_CLOEXEC);
    CHECKF(mail->event_fd >= 0, "eventfd: error %d", errno);
}

void mailbox_close(struct io *io) {
    close(io->mail.event_fd);
    io->mail.event_fd = -1;
}

static void bell_done(struct io *io, struct io_op *op) { (void)io, (void)op; }

void mailbox_listen(struct io *io) {
    io->mail.bell.done = bell_done;
    op_begin(io, &io->mail.bell, KIND_BELL);
    op_submit(io, &io->mail.bell);
    bool has = io->ring.features & FEATURE_REG_REG_RING && !uring_without(io->node, URING_RING_MESSAGES);
    if (has) atomic_store(&io->mail.ring_fd, io->ring.ring_fd);
}

void bell_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    (void)op;
    io_uring_prep_read(sqe, io->mail.event_fd, &io->mail.event_value, sizeof io->mail.event_value, 0);
}

void bell_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    CHECKF(result == sizeof(uint64_t) || result == -EINTR || result == -EAGAIN, "eventfd read: error %d", -result);
    op_submit(io, op);
}

/* The loop's own word is written before the stacks are looked at, and a sender's push before the word is: one of the
 * two sees the other. */
bool mailbox_may_sleep(struct io *io) {
    struct mailbox *mail = &io->mail;
    atomic_store(&mail->sleeping, true);
    if (!atomic_load(&mail->posted) && !atomic_load(&mail->completed) && !uring_exiting(io)) return true;
    atomic_store(&mail->sleeping, false);
    return false;
}

void mailbox_awake(struct io *io) { atomic_store(&io->mail.sleeping, false); }

static void write_event(struct io *to) {
    uint64_t one = 1;
    ssize_t written = write(to->mail.event_fd, &one, sizeof one);
    CHECKF(written == sizeof one || errno == EAGAIN, "eventfd write: error %d", errno);
}

static bool ring_message(struct io *from, struct io *to) {
    int ring_fd = atomic_load(&to->mail.ring_fd);
    if (ring_fd < 0 || !list_empty(&from->backlog)) return false;
    struct io_uring_sqe *sqe = uring_sqe(from);
    if (!sqe) return false;
    if (uring_without(from->node, URING_RING_DELIVERY)) ring_fd = from->mail.event_fd;     /* which is no ring */
    io_uring_prep_msg_ring(sqe, ring_fd, 0, TAG_BELL, 0);
    sqe->user_data = (uint64_t)to->index << 3 | TAG_BELL_FAILED;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    return true;
}

void mailbox_ring(struct io *from, struct io *to) {
    if (!atomic_load(&to->mail.sleeping) || !atomic_exchange(&to->mail.sleeping, false)) return;
    if (!from || !ring_message(from, to)) write_event(to);
}

void mailbox_bell_failed(struct io *io, unsigned loop) { write_event(atomic_load(&io->node->loops[loop])); }

void io_post(struct io *io, unsigned to_loop, struct io_msg *msg) {
    CHECK(to_loop < atomic_load(&io->node->loop_count) && msg->receive);
    struct io *to = atomic_load(&io->node->loops[to_loop]);
    TAPE_EFFECT(io, post, to_loop, 0, 0);
    msg->from = io->index;
    struct io_msg *head = atomic_load_explicit(&to->mail.posted, memory_order_relaxed);
    do {
        msg->next = head;
    } while (!atomic_compare_exchange_weak(&to->mail.posted, &head, msg));
    io->stats.posts++;
    if (to != io) mailbox_ring(io, to);
}

void mailbox_complete(struct io *io, struct io_op *op) {
    struct io_op *head = atomic_load_explicit(&io->mail.completed, memory_order_relaxed);
    do {
        op->link.next = (struct list *)head;
    } while (!atomic_compare_exchange_weak(&io->mail.completed, &head, op));
    mailbox_ring(NULL, io);
}

static struct io_msg *oldest_message_first(struct io_msg *newest) {
    struct io_msg *oldest = NULL;
    while (newest) {
        struct io_msg *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void take_completed(struct io *io) {
    struct io_op *newest = atomic_exchange(&io->mail.completed, NULL), *oldest = NULL;
    while (newest) {
        struct io_op *next = (struct io_op *)newest->link.next;
        newest->link.next = (struct list *)oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct io_op *next = (struct io_op *)oldest->link.next;
        oldest->link = (struct list){0};
        op_ready(io, oldest, 0);
        oldest = next;
    }
}

void mailbox_deliver(struct io *io) {
    if (atomic_load_explicit(&io->mail.completed, memory_order_relaxed)) take_completed(io);
    if (!atomic_load_explicit(&io->mail.posted, memory_order_relaxed)) return;
    struct io_msg *msg = oldest_message_first(atomic_exchange(&io->mail.posted, NULL));
    while (msg && !uring_exiting(io)) {
        struct io_msg *next = msg->next;
        if (io->log) tape_message(io, msg->from);
        msg->receive(io, msg);
        msg = next;
    }
}
