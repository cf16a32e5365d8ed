/* replay_loop: loops, and the ops that they submit, each ended by an entry of the log. */
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "replay.h"

enum { ARG_DATA, ARG_LEN };              /* op->args: where a read goes, or the buf of a dir_list */

/* ---- ops -------------------------------------------------------------------------------------------------------- */

static struct list *bucket(struct io *io, uint64_t sequence) { return &io->ops[sequence % OP_BUCKETS]; }

struct io_op *op_find(struct io *io, uint64_t sequence) {
    LIST_EACH(it, bucket(io, sequence)) {
        struct io_op *op = LIST_ENTRY(it, struct io_op, link);
        if (op->sequence == sequence) return op;
    }
    return NULL;
}

void op_submit(struct io *io, struct io_op *op, enum tape_call call, uint64_t a, uint64_t b, uint64_t c) {
    CHECKF(!op->busy && op->done, "an op was submitted while busy, or without done");
    reel_effect(&io->reel, call, a, b, c);
    op->busy = true;
    op->more = false;
    op->result = 0;
    op->kind = call;
    op->link = (struct list){0};
    op->sequence = ++io->sequence;
    list_push_back(bucket(io, op->sequence), &op->link);
}

static void fill(struct io *io, struct io_op *op, const struct tape_entry *entry) {
    void *to = (void *)(uintptr_t)op->args[ARG_DATA];
    if (op->kind == TAPE_CALL_read)
        reel_fill(&io->reel, entry, to, op->args[ARG_LEN]);
    else if (op->kind == TAPE_CALL_dir_list)
        buf_append_bytes(to, entry->bytes);
}

static void lend(struct io *io, struct io_op *op, const struct tape_entry *entry) {
    if (entry->buf_id >= RECV_BUFS_MAX || io->bufs[entry->buf_id]) reel_differs(&io->reel, "the buffer is not free");
    uint8_t *data = mem_alloc(entry->bytes.len);
    memcpy(data, entry->bytes.data, entry->bytes.len);
    io->bufs[entry->buf_id] = data;
    op->buf = (struct io_buf){data, (uint32_t)entry->bytes.len, entry->buf_id};
}

static void give(struct io *io, struct io_op *op, const struct tape_entry *entry) {
    switch (entry->payload) {
    case TAPE_NOTHING: break;
    case TAPE_DATA: fill(io, op, entry); break;
    case TAPE_BUF: lend(io, op, entry); break;
    case TAPE_SOCK: op->sock = (struct io_sock){entry->slot, entry->generation}; break;
    case TAPE_PEER:
        op->sock = (struct io_sock){entry->slot, entry->generation};
        op->peer = entry->addr;
        break;
    case TAPE_FILE: op->file = (struct io_file){entry->slot, entry->generation}; break;
    case TAPE_ADDR: op->addr = entry->addr; break;
    case TAPE_SAME: reel_differs(&io->reel, "only helpers read so");
    }
}

static void run_done(struct io *io, const struct tape_entry *entry) {
    struct io_op *op = op_find(io, io->sequence - entry->sequence);
    if (!op) reel_differs(&io->reel, "an op ends that was not submitted");
    while (op->kind == TAPE_CALL_helper_run && !helper_work_done(op)) reel_wait(&io->reel, "work on a helper");
    struct tape_entry taken = *entry;
    reel_take(&io->reel);
    give(io, op, &taken);
    op->result = taken.result;
    op->more = taken.more;
    if (!op->more) {
        list_remove(&op->link);
        op->busy = false;
        op->kind = 0;
    }
    op->done(io, op);
}

/* ---- a loop's entries ----------------------------------------------------------------------------------------------- */

static void run_message(struct io *io, unsigned from) {
    if (from >= IO_LOOPS_MAX) reel_differs(&io->reel, "there is no such loop");
    struct inbox *inbox = &io->inboxes[from];
    while (!inbox->first) reel_wait(&io->reel, "a message of another loop");
    reel_take(&io->reel);
    struct io_msg *msg = inbox->first;
    inbox->first = msg->next;
    msg->receive(io, msg);
}

static void run_hook(struct io *io) {
    struct list *node = list_pop_front(&io->hooks);
    if (!node) reel_differs(&io->reel, "no hook is armed");
    reel_take(&io->reel);
    struct io_hook *hook = LIST_ENTRY(node, struct io_hook, link);
    hook->run(io, hook);
}

static void run_turn(struct io *io, const struct tape_entry *entry) {
    io->now += entry->now;
    io->wall += entry->wall;
    reel_take(&io->reel);
}

static void run_entry(struct io *io) {
    const struct tape_entry *entry = reel_peek(&io->reel);
    switch (entry->tag) {
    case TAPE_TURN: run_turn(io, entry); return;
    case TAPE_DONE: run_done(io, entry); return;
    case TAPE_MESSAGE: run_message(io, entry->loop); return;
    case TAPE_HOOK: run_hook(io); return;
    case TAPE_END: reel_take(&io->reel); return;
    default: reel_differs(&io->reel, "the code returned to its loop");
    }
}

static void loop_main(void *arg) {
    struct io *io = arg;
    run_entry(io);                       /* the turn of the start */
    io->start(io, io->arg);
    for (;;) run_entry(io);
}

struct io *replay_loop(struct io_node *node, io_start_fn *start, void *arg) {
    char name[32];
    struct io *io = MEM_NEW(struct io);
    io->node = node;
    io->index = node->loop_count;
    io->start = start;
    io->arg = arg;
    io->sequence = 1;                    /* the first op of a loop is its backend's */
    list_init(&io->hooks);
    for (unsigned i = 0; i < OP_BUCKETS; i++) list_init(&io->ops[i]);
    snprintf(name, sizeof name, "loop-%u", io->index);
    reel_open(&io->reel, node, name, loop_main);
    node->loops[node->loop_count++] = io;
    return io;
}

unsigned io_loop_start(struct io *io, io_start_fn *start, void *arg) {
    CHECK(io->node->loop_count < IO_LOOPS_MAX);
    reel_effect(&io->reel, TAPE_CALL_loop_start, 0, 0, 0);
    unsigned index = replay_loop(io->node, start, arg)->index;
    if (reel_value(&io->reel, TAPE_INPUT_loop_index) != index) reel_differs(&io->reel, "it is loop %u", index);
    return index;
}

unsigned io_loop_index(const struct io *io) { return io->index; }
unsigned io_loop_count(const struct io *io) { return io->node->loop_count; }
void *io_slot(const struct io *io, enum io_slot slot) { return io->slots[slot]; }
void io_set_slot(struct io *io, enum io_slot slot, void *value) { io->slots[slot] = value; }
int64_t io_now(const struct io *io) { return io->now; }
int64_t io_wall(const struct io *io) { return io->wall; }
void io_exit(struct io *io, int code) { reel_effect(&io->reel, TAPE_CALL_exit, (uint64_t)code, 0, 0); }

void io_hook_arm(struct io *io, struct io_hook *hook) {
    if (!list_linked(&hook->link)) list_push_back(&io->hooks, &hook->link);
}

void io_post(struct io *io, unsigned to_loop, struct io_msg *msg) {
    CHECK(to_loop < io->node->loop_count && msg->receive);
    reel_effect(&io->reel, TAPE_CALL_post, to_loop, 0, 0);
    struct inbox *inbox = &io->node->loops[to_loop]->inboxes[io->index];
    msg->from = io->index;
    msg->next = NULL;
    if (inbox->first)
        inbox->last->next = msg;
    else
        inbox->first = msg;
    inbox->last = msg;
}

/* ---- what ops a loop submits -------------------------------------------------------------------------------------- */

static uint64_t of_sock(struct io_sock sock) { return tape_handle(sock.slot, sock.generation); }
static uint64_t of_file(struct io_file file) { return tape_handle(file.slot, file.generation); }

void io_timer(struct io *io, struct io_op *op, int64_t deadline) {
    op_submit(io, op, TAPE_CALL_timer, (uint64_t)deadline, 0, 0);
}
void io_defer(struct io *io, struct io_op *op) { op_submit(io, op, TAPE_CALL_defer, 0, 0, 0); }
void io_cancel(struct io *io, struct io_op *op) {
    if (op->busy) reel_effect(&io->reel, TAPE_CALL_cancel, op->sequence, 0, 0);
}
void io_signals(struct io *io, struct io_op *op) { op_submit(io, op, TAPE_CALL_signals, 0, 0, 0); }

int64_t io_listen(struct io *io, const struct io_addr *addr, bool shared, struct io_sock *out, struct io_addr *bound) {
    reel_effect(&io->reel, TAPE_CALL_listen, tape_hash_addr(addr), shared, 0);
    struct bytes given = reel_bytes(&io->reel, TAPE_INPUT_listened);
    struct tape_listened listened;
    if (given.len != sizeof listened) reel_differs(&io->reel, "the address is not whole");
    memcpy(&listened, given.data, sizeof listened);
    if (listened.result < 0) return listened.result;
    if (bound) *bound = listened.bound;
    *out = listened.sock;
    return 0;
}
void io_accept(struct io *io, struct io_op *op, struct io_sock listener) {
    op_submit(io, op, TAPE_CALL_accept, of_sock(listener), 0, 0);
}
void io_connect(struct io *io, struct io_op *op, const struct io_addr *addr) {
    op_submit(io, op, TAPE_CALL_connect, tape_hash_addr(addr), 0, 0);
}
void io_recv(struct io *io, struct io_op *op, struct io_sock sock) {
    op_submit(io, op, TAPE_CALL_recv, of_sock(sock), 0, 0);
}
void io_buf_done(struct io *io, struct io_buf buf) {
    reel_effect(&io->reel, TAPE_CALL_buf_done, buf.id, 0, 0);
    CHECKF(buf.id < RECV_BUFS_MAX && io->bufs[buf.id] == buf.data, "a buffer was given back that is not lent");
    mem_free(io->bufs[buf.id]);
    io->bufs[buf.id] = NULL;
}
void io_send(struct io *io, struct io_op *op, struct io_sock sock, const struct iovec *iov, unsigned count) {
    op_submit(io, op, TAPE_CALL_send, of_sock(sock), tape_hash_iov(iov, count), 0);
}
void io_shutdown(struct io *io, struct io_sock sock) {
    reel_effect(&io->reel, TAPE_CALL_shutdown, of_sock(sock), 0, 0);
}
void io_sock_close(struct io *io, struct io_op *op, struct io_sock sock) {
    op_submit(io, op, TAPE_CALL_sock_close, of_sock(sock), 0, 0);
}
void io_resolve(struct io *io, struct io_op *op, const char *host, uint16_t port) {
    op_submit(io, op, TAPE_CALL_resolve, tape_hash_text(host), port, 0);
}

void io_open(struct io *io, struct io_op *op, const char *path, unsigned flags) {
    op_submit(io, op, TAPE_CALL_open, tape_hash_text(path), flags, 0);
}
void io_close(struct io *io, struct io_op *op, struct io_file file) {
    op_submit(io, op, TAPE_CALL_close, of_file(file), 0, 0);
}
void io_read(struct io *io, struct io_op *op, struct io_file file, void *data, size_t len, uint64_t offset) {
    op->args[ARG_DATA] = (uintptr_t)data;
    op->args[ARG_LEN] = len;
    op_submit(io, op, TAPE_CALL_read, of_file(file), len, offset);
}
void io_write(struct io *io, struct io_op *op, struct io_file file, const void *data, size_t len, uint64_t offset) {
    op_submit(io, op, TAPE_CALL_write, of_file(file), hash64(data, len), offset);
}
void io_datasync(struct io *io, struct io_op *op, struct io_file file) {
    op_submit(io, op, TAPE_CALL_datasync, of_file(file), 0, 0);
}
void io_allocate(struct io *io, struct io_op *op, struct io_file file, uint64_t offset, uint64_t len) {
    op_submit(io, op, TAPE_CALL_allocate, of_file(file), offset, len);
}
void io_truncate(struct io *io, struct io_op *op, struct io_file file, uint64_t size) {
    op_submit(io, op, TAPE_CALL_truncate, of_file(file), size, 0);
}
void io_size(struct io *io, struct io_op *op, struct io_file file) {
    op_submit(io, op, TAPE_CALL_size, of_file(file), 0, 0);
}
void io_lock(struct io *io, struct io_op *op, struct io_file file) {
    op_submit(io, op, TAPE_CALL_lock, of_file(file), 0, 0);
}

static void submit_path(struct io *io, struct io_op *op, enum tape_call call, const char *path) {
    op_submit(io, op, call, tape_hash_text(path), 0, 0);
}
void io_unlink(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, TAPE_CALL_unlink, path); }
void io_mkdir(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, TAPE_CALL_mkdir, path); }
void io_rmdir(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, TAPE_CALL_rmdir, path); }
void io_dir_sync(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, TAPE_CALL_dir_sync, path); }
void io_disk_free(struct io *io, struct io_op *op, const char *path) { submit_path(io, op, TAPE_CALL_disk_free, path); }
void io_rename(struct io *io, struct io_op *op, const char *from, const char *to) {
    op_submit(io, op, TAPE_CALL_rename, tape_hash_text(from), tape_hash_text(to), 0);
}
void io_dir_list(struct io *io, struct io_op *op, const char *path, struct buf *out) {
    op->args[ARG_DATA] = (uintptr_t)out;
    submit_path(io, op, TAPE_CALL_dir_list, path);
}
