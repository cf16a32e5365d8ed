/* uring_sock: TCP sockets: listening, accepting, connecting, sending, closing.
 *
 * Sockets use plain descriptors, not registered ones: before Linux 6.13 a registered file that is removed stays open until
 * every older request of the ring on any registered file has ended, and a receive can wait for days. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/uring_internal.h"

enum { ARG_SLOT, ARG_MESSAGE };     /* op->args; connect keeps its address, send its msghdr from ARG_MESSAGE on */
enum { LISTEN_BACKLOG = 4096, NO_SLOT = UINT32_MAX };

_Static_assert(sizeof(struct msghdr) <= sizeof(uint64_t) * (8 - ARG_MESSAGE), "a msghdr fits into an op");
_Static_assert(sizeof(struct sockaddr_in6) <= sizeof(uint64_t) * (8 - ARG_MESSAGE), "an address fits into an op");

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static struct io_sock slot_open(struct io *io, int fd) {
    if (io->sock_free == NO_SLOT) {
        CHECK(io->sock_count == io->sock_cap);
        uint32_t cap = io->sock_cap ? io->sock_cap * 2 : 64;
        io->socks = mem_realloc(io->socks, cap * sizeof *io->socks);
        for (uint32_t i = cap; i-- > io->sock_cap;) {
            io->socks[i] = (struct sock_slot){.fd = -1, .generation = 1, .next_free = io->sock_free};
            io->sock_free = i;
        }
        io->sock_cap = cap;
    }
    uint32_t index = io->sock_free;
    struct sock_slot *slot = &io->socks[index];
    io->sock_free = slot->next_free;
    io->sock_count++;
    slot->fd = fd;
    return (struct io_sock){index, slot->generation};
}

static void slot_free(struct io *io, uint32_t index) {
    struct sock_slot *slot = &io->socks[index];
    slot->fd = -1;
    slot->next_free = io->sock_free;
    io->sock_free = index;
    io->sock_count--;
}

struct sock_slot *sock_slot(struct io *io, struct io_sock sock) {
    CHECKF(sock.slot < io->sock_cap && io->socks[sock.slot].fd >= 0 &&
               io->socks[sock.slot].generation == sock.generation,
           "a socket was used that is not open on this loop");
    return &io->socks[sock.slot];
}

void socks_close_all(struct io *io) {
    for (uint32_t i = 0; i < io->sock_cap; i++)
        if (io->socks[i].fd >= 0) close(io->socks[i].fd);
    mem_free(io->socks);
    io->socks = NULL;
    io->sock_cap = io->sock_count = 0;
}

/* ---- addresses ------------------------------------------------------------------------------------------------------- */

static socklen_t to_sockaddr(const struct io_addr *addr, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (addr->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, 4);
        return sizeof *in;
    }
    CHECK(addr->family == 6);
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(addr->port);
    memcpy(&in6->sin6_addr, addr->ip, 16);
    return sizeof *in6;
}

struct io_addr uring_from_sockaddr(const struct sockaddr_storage *from) {
    struct io_addr addr = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        addr.family = 4;
        addr.port = ntohs(in->sin_port);
        memcpy(addr.ip, &in->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        addr.family = 6;
        addr.port = ntohs(in6->sin6_port);
        memcpy(addr.ip, &in6->sin6_addr, 16);
    }
    return addr;
}

static int new_socket(const struct io_addr *addr) {
    int fd = socket(addr->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);     /* accepted sockets inherit it */
    return fd;
}

/* ---- listening --------------------------------------------------------------------------------------------------------- */

static bool bind_and_listen(int fd, const struct io_addr *addr, bool shared, struct sockaddr_storage *bound) {
    int on = 1;
    struct sockaddr_storage where;
    socklen_t where_len = to_sockaddr(addr, &where), bound_len = sizeof *bound;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (addr->family == 6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return false;
    return bind(fd, (struct sockaddr *)&where, where_len) == 0 && listen(fd, LISTEN_BACKLOG) == 0 &&
           getsockname(fd, (struct sockaddr *)bound, &bound_len) == 0;
}

static int64_t listen_on(struct io *io, const struct io_addr *addr, bool shared, struct tape_listened *out) {
    int fd = new_socket(addr);
    if (fd < 0) return uring_error(errno);
    struct sockaddr_storage name;
    if (!bind_and_listen(fd, addr, shared, &name)) {
        int error = errno;
        close(fd);
        return uring_error(error);
    }
    out->bound = uring_from_sockaddr(&name);
    out->sock = slot_open(io, fd);
    return 0;
}

int64_t io_listen(struct io *io, const struct io_addr *addr, bool shared, struct io_sock *out, struct io_addr *bound) {
    struct tape_listened listened;
    memset(&listened, 0, sizeof listened);      /* with what lies between its fields */
    TAPE_EFFECT(io, listen, tape_hash_addr(addr), shared, 0);
    listened.result = listen_on(io, addr, shared, &listened);
    tape_bytes(io->log, TAPE_INPUT_listened, &listened, sizeof listened);
    if (listened.result < 0) return listened.result;
    if (bound) *bound = listened.bound;
    *out = listened.sock;
    return 0;
}

void io_accept(struct io *io, struct io_op *op, struct io_sock listener) {
    struct sock_slot *slot = sock_slot(io, listener);
    CHECKF(!slot->reader, "two io_accept on one socket");
    TAPE_EFFECT(io, accept, tape_handle(listener.slot, listener.generation), 0, 0);
    op_begin(io, op, KIND_ACCEPT);
    op->args[ARG_SLOT] = listener.slot;
    slot->reader = op;
    op_submit(io, op);
}

void accept_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    int fd = io->socks[op->args[ARG_SLOT]].fd;
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
}

static void reader_ended(struct io *io, struct io_op *op, int64_t result) {
    uint32_t slot = (uint32_t)op->args[ARG_SLOT];
    io->socks[slot].reader = NULL;
    op_finish(io, op, result);
    sock_op_ended(io, slot);
}

void accept_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    bool ended = !(flags & IORING_CQE_F_MORE);
    bool again = result >= 0 || result == -ECONNABORTED || result == -EINTR || result == -EAGAIN;
    if (ended && !(again && !op_canceling(op)) && result < 0) {
        reader_ended(io, op, uring_error(result));
        return;
    }
    /* Asked again before the caller hears of the socket, so that it may cancel from there. */
    if (ended && op_canceling(op))
        op_ready(io, op, -ECANCELED);
    else if (ended)
        op_submit(io, op);
    if (result < 0) return;
    struct sockaddr_storage name = {0};
    socklen_t name_len = sizeof name;
    getpeername(result, (struct sockaddr *)&name, &name_len);      /* fails when it has gone: no peer is told */
    op->peer = uring_from_sockaddr(&name);
    op->sock = slot_open(io, result);
    op_deliver(io, op, 0);
}

/* ---- connecting ---------------------------------------------------------------------------------------------------------- */

void io_connect(struct io *io, struct io_op *op, const struct io_addr *addr) {
    TAPE_EFFECT(io, connect, tape_hash_addr(addr), 0, 0);
    op_begin(io, op, KIND_CONNECT);
    struct sockaddr_storage where;
    to_sockaddr(addr, &where);
    memcpy(&op->args[ARG_MESSAGE], &where, sizeof(struct sockaddr_in6));
    int fd = new_socket(addr);
    op->args[ARG_SLOT] = (uint64_t)(int64_t)fd;
    if (fd < 0)
        op_ready(io, op, -errno);
    else
        op_submit(io, op);
}

void connect_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    (void)io;
    struct sockaddr_in6 where;
    memcpy(&where, &op->args[ARG_MESSAGE], sizeof where);
    socklen_t len = where.sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof where;
    io_uring_prep_connect(sqe, (int)(int64_t)op->args[ARG_SLOT], (struct sockaddr *)&op->args[ARG_MESSAGE], len);
}

void connect_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    int fd = (int)(int64_t)op->args[ARG_SLOT];
    if (result >= 0) {
        op->sock = slot_open(io, fd);
    } else if (fd >= 0) {
        close(fd);
    }
    op_finish(io, op, result < 0 ? uring_error(result) : 0);
}

/* ---- sending ------------------------------------------------------------------------------------------------------------- */

void io_send(struct io *io, struct io_op *op, struct io_sock sock, const struct iovec *iov, unsigned count) {
    CHECK(count >= 1 && count <= IO_SEND_IOV_MAX);
    struct sock_slot *slot = sock_slot(io, sock);
    CHECKF(!slot->writer, "two io_send on one socket");
    TAPE_EFFECT(io, send, tape_handle(sock.slot, sock.generation), tape_hash_iov(iov, count), 0);
    op_begin(io, op, KIND_SEND);
    op->args[ARG_SLOT] = sock.slot;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    memcpy(&op->args[ARG_MESSAGE], &message, sizeof message);
    slot->writer = op;
    io->stats.sends++;
    op_submit(io, op);
}

void send_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    int fd = io->socks[op->args[ARG_SLOT]].fd;
    struct msghdr message;
    memcpy(&message, &op->args[ARG_MESSAGE], sizeof message);
    if (message.msg_iovlen == 1)
        io_uring_prep_send(sqe, fd, message.msg_iov[0].iov_base, message.msg_iov[0].iov_len, MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, fd, (struct msghdr *)&op->args[ARG_MESSAGE], MSG_NOSIGNAL);
}

void send_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    if ((result == -EINTR || result == -EAGAIN) && !op_canceling(op)) {
        op_submit(io, op);
        return;
    }
    uint32_t slot = (uint32_t)op->args[ARG_SLOT];
    io->socks[slot].writer = NULL;
    if (result > 0) io->stats.bytes_sent += (uint64_t)result;
    op_finish(io, op, result < 0 ? uring_error(result) : result);
    sock_op_ended(io, slot);
}

void io_shutdown(struct io *io, struct io_sock sock) {
    TAPE_EFFECT(io, shutdown, tape_handle(sock.slot, sock.generation), 0, 0);
    shutdown(sock_slot(io, sock)->fd, SHUT_WR);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------- */

/* The handle is void from the call on; the slot is used again only when the descriptor is closed. */
void io_sock_close(struct io *io, struct io_op *op, struct io_sock sock) {
    struct sock_slot *slot = sock_slot(io, sock);
    TAPE_EFFECT(io, sock_close, tape_handle(sock.slot, sock.generation), 0, 0);
    op_begin(io, op, KIND_SOCK_CLOSE);
    op->args[ARG_SLOT] = sock.slot;
    op_set_place(op, PLACE_CLOSING);
    slot->generation++;
    slot->closer = op;
    struct io_op *reader = slot->reader, *writer = slot->writer;
    if (reader) op_cancel(io, reader);
    if (writer) op_cancel(io, writer);
    sock_op_ended(io, sock.slot);
}

void sock_op_ended(struct io *io, uint32_t index) {
    struct sock_slot *slot = &io->socks[index];
    struct io_op *closer = slot->closer;
    if (!closer || slot->reader || slot->writer) return;
    slot->closer = NULL;
    op_submit(io, closer);
}

void sock_close_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    io_uring_prep_close(sqe, io->socks[op->args[ARG_SLOT]].fd);
}

/* Linux closes the descriptor even when close reports an error. */
void sock_close_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)result, (void)flags;
    slot_free(io, (uint32_t)op->args[ARG_SLOT]);
    op_finish(io, op, 0);
}
