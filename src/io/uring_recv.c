/* uring_recv: multishot receive into a loop's pool of provided buffers.
 *
 * A buffer is in the kernel's ring, or lent to a callback until io_buf_done. When the ring is empty the kernel ends the
 * receive with ENOBUFS: the op then waits in `starved`, and each buffer that comes back arms one op again. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "io/uring_internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define RECV_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RECV_ASAN 1
#endif
#endif
#ifdef RECV_ASAN
#include <sanitizer/asan_interface.h>
#define BUFFER_HIDE(data, len) __asan_poison_memory_region(data, len)
#define BUFFER_SHOW(data, len) __asan_unpoison_memory_region(data, len)
#else
#define BUFFER_HIDE(data, len) ((void)(data), (void)(len))
#define BUFFER_SHOW(data, len) ((void)(data), (void)(len))
#endif

enum { ARG_SLOT };

static uint8_t *buffer(const struct io *io, uint32_t id) {
    return io->recv.data + (size_t)id * URING_RECV_BUFFER_SIZE;
}

static void give_to_kernel(struct io *io, uint32_t id) {
    struct recv_pool *pool = &io->recv;
    BUFFER_HIDE(buffer(io, id), URING_RECV_BUFFER_SIZE);
    io_uring_buf_ring_add(pool->ring, buffer(io, id), URING_RECV_BUFFER_SIZE, (unsigned short)id,
                          io_uring_buf_ring_mask(URING_RECV_BUFFERS), 0);
    io_uring_buf_ring_advance(pool->ring, 1);
}

static void *map_pages(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

enum { RING_BYTES = URING_RECV_BUFFERS * sizeof(struct io_uring_buf),
       POOL_BYTES = URING_RECV_BUFFERS * URING_RECV_BUFFER_SIZE };

int recv_pool_open(struct io *io) {
    struct recv_pool *pool = &io->recv;
    list_init(&pool->starved);
    pool->ring = map_pages(RING_BYTES);
    pool->data = map_pages(POOL_BYTES);
    if (!pool->ring || !pool->data) return -ENOMEM;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)pool->ring, .ring_entries = URING_RECV_BUFFERS, .bgid = URING_RECV_GROUP};
    int error = io_uring_register_buf_ring(&io->ring, &reg, 0);
    if (error) return error;
    io_uring_buf_ring_init(pool->ring);
    for (uint32_t id = 0; id < URING_RECV_BUFFERS; id++) give_to_kernel(io, id);
    return 0;
}

void recv_pool_close(struct io *io) {
    struct recv_pool *pool = &io->recv;
    if (pool->data) BUFFER_SHOW(pool->data, POOL_BYTES);
    if (pool->data) munmap(pool->data, POOL_BYTES);
    if (pool->ring) munmap(pool->ring, RING_BYTES);
    pool->data = NULL;
    pool->ring = NULL;
}

void io_recv(struct io *io, struct io_op *op, struct io_sock sock) {
    struct sock_slot *slot = sock_slot(io, sock);
    CHECKF(!slot->reader, "two io_recv on one socket");
    TAPE_EFFECT(io, recv, tape_handle(sock.slot, sock.generation), 0, 0);
    op_begin(io, op, KIND_RECV);
    op->args[ARG_SLOT] = sock.slot;
    slot->reader = op;
    op_submit(io, op);
}

void recv_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    io_uring_prep_recv_multishot(sqe, io->socks[op->args[ARG_SLOT]].fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_RECV_GROUP;
}

static void arm_starved(struct io *io) {
    struct io_op *op = LIST_ENTRY(list_pop_front(&io->recv.starved), struct io_op, link);
    op_submit(io, op);
}

void io_buf_done(struct io *io, struct io_buf buf) {
    struct recv_pool *pool = &io->recv;
    TAPE_EFFECT(io, buf_done, buf.id, 0, 0);
    CHECK(buf.id < URING_RECV_BUFFERS && buf.data == buffer(io, buf.id) && pool->lent > 0);
    pool->lent--;
    give_to_kernel(io, buf.id);
    /* One buffer, one op; all of them once nothing is lent, for then no later return would arm them. */
    if (!list_empty(&pool->starved)) arm_starved(io);
    while (pool->lent == 0 && !list_empty(&pool->starved)) arm_starved(io);
}

static void end(struct io *io, struct io_op *op, int64_t result) {
    uint32_t slot = (uint32_t)op->args[ARG_SLOT];
    io->socks[slot].reader = NULL;
    op_finish(io, op, result);
    sock_op_ended(io, slot);
}

static void wait_for_buffer(struct io *io, struct io_op *op) {
    if (op_canceling(op)) {
        op_ready(io, op, -ECANCELED);
    } else if (io->recv.lent == 0) {
        op_submit(io, op);          /* buffers came back since the kernel looked */
    } else {
        op_set_place(op, PLACE_STARVED);
        list_push_back(&io->recv.starved, &op->link);
    }
}

/* Asked again before the bytes are shown, so that the callback may cancel or close. */
static void deliver(struct io *io, struct io_op *op, int len, unsigned flags) {
    uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
    io->recv.lent++;
    io->stats.receives++;
    io->stats.bytes_received += (uint64_t)len;
    BUFFER_SHOW(buffer(io, id), (size_t)len);
    if (!(flags & IORING_CQE_F_MORE)) {
        if (op_canceling(op))
            op_ready(io, op, -ECANCELED);
        else
            op_submit(io, op);
    }
    op->buf = (struct io_buf){buffer(io, id), (uint32_t)len, id};
    op_deliver(io, op, len);
}

void recv_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    if (result > 0) {
        CHECK(flags & IORING_CQE_F_BUFFER);
        deliver(io, op, result, flags);
        return;
    }
    if (flags & IORING_CQE_F_BUFFER) give_to_kernel(io, flags >> IORING_CQE_BUFFER_SHIFT);
    CHECK(!(flags & IORING_CQE_F_MORE));
    if (result == -ENOBUFS)
        wait_for_buffer(io, op);
    else if ((result == -EINTR || result == -EAGAIN) && !op_canceling(op))
        op_submit(io, op);
    else
        end(io, op, result < 0 ? uring_error(result) : 0);
}
