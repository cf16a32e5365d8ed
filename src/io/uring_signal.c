/* uring_signal: signals by a signalfd that a ring reads, and threads that leave signals alone.
 *
 * Until io_signals is called, signals keep their usual effect (^C ends a command). From then on loop 0's thread blocks
 * them; all other threads always do. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "io/uring_internal.h"

static void our_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, IO_SIGNAL_TERM);
    sigaddset(set, IO_SIGNAL_INT);
    sigaddset(set, IO_SIGNAL_HUP);
    sigaddset(set, IO_SIGNAL_USR1);
}

/* Blocked around the start, so that the new thread is born with them blocked. */
int uring_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg) {
    sigset_t set, before;
    our_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    int error = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) pthread_setname_np(*thread, name);
    return error;
}

void io_signals(struct io *io, struct io_op *op) {
    CHECKF(io->index == 0, "signals are for loop 0");
    CHECKF(io->node->signal_fd < 0, "two io_signals at once");
    sigset_t set;
    our_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    TAPE_EFFECT(io, signals, 0, 0, 0);
    op_begin(io, op, KIND_SIGNALS);
    io->node->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    CHECKF(io->node->signal_fd >= 0, "signalfd: error %d", errno);
    op_submit(io, op);
}

void signals_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    (void)op;
    io_uring_prep_read(sqe, io->node->signal_fd, &io->node->signal, sizeof io->node->signal, 0);
}

void signals_stop(struct io_node *node) {
    if (node->signal_fd < 0) return;
    close(node->signal_fd);
    node->signal_fd = -1;
    sigset_t set;
    our_signals(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void signals_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    bool again = result >= 0 || result == -EINTR || result == -EAGAIN;
    if (!again || (op_canceling(op) && result < 0)) {
        signals_stop(io->node);
        op_finish(io, op, uring_error(result));
        return;
    }
    int64_t number = io->node->signal.ssi_signo;
    if (op_canceling(op))
        op_ready(io, op, -ECANCELED);
    else
        op_submit(io, op);
    if (result >= 0) op_deliver(io, op, number);
}
