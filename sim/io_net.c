/* io_net: TCP as byte streams between nodes.
 *
 * A connection is two ends; each holds the bytes that are under way to it or wait to be read. Bytes keep their order
 * and arrive in any pieces. What varies by seed: latency with a tail, stalls as after a lost segment, windows from the
 * kernel's smallest up, short sends, receives split down to single bytes, a pool of receive buffers that runs dry,
 * resets in the middle of anything, attempts that are refused or time out, links cut in one direction.
 *
 * When a node crashes its peers may hear a reset, or nothing: then the connection is half open, what is sent into it is
 * sent again until it times out, or until the node is back and answers with a reset. A killed process leaves its peers
 * with an end of stream or a reset, as the kernel closes its sockets. Closing with unread bytes resets. */
#include <stdlib.h>

#include "io_sim.h"
#include "log.h"

enum { RECV_BUF_SIZE = 16384, RECV_BUFS_MAX = 64, RECV_BUFS_MIN = 8, BACKLOG_MAX = 128, HASHED_MAX = 65536 };

struct segment {
    int64_t at;
    uint32_t len;
    bool fin;
};

struct sock {
    struct list link;                   /* world.socks */
    struct world *world;
    struct io_node *node;
    struct io *io;                      /* NULL in a backlog, and when the node has ended */
    struct io_sock handle;
    struct sock *peer;
    struct io_addr local, remote;
    bool listening, shared, open, silent, shut, fin_arrived;
    unsigned probes;                    /* how often a full window was asked about, while a send waits */
    int64_t probed_since;
    unsigned incarnation;               /* of its node */
    uint32_t connection;                /* both ends have the same number */
    bool dialed;                        /* this end connected */
    int error;                          /* an io_err that both directions end with */
    uint8_t *ring;                      /* bytes for this end */
    uint32_t cap, head, used, arrived, window;
    struct segment *segments;           /* under way, in order */
    uint32_t segment_first, segment_count, segment_cap;
    int64_t cut_since;
    int64_t idle_ns;                    /* something between cuts it after so long without bytes; 0 never; the dialing end */
    bool black_hole;                    /* what is sent to it is lost and nobody is told */
    struct event idle;
    unsigned retries;
    struct event arrive, reset;
    int reset_error;
    struct io_op *recv_op, *send_op, *accept_op, *connect_op, *close_op;
    struct list starved;                /* io.recv_starved */
    struct list backlog, in_backlog;    /* a listener's connections */
    uint32_t backlog_count, lent;
};

static void arrive(struct world *world, struct event *event);
static void reset_arrives(struct world *world, struct event *event);
static void idle_passed(struct world *world, struct event *event);

static struct prng *dice(struct world *world) { return &world->streams[PRNG_NET]; }

/* ---- ends ---- */

static struct sock *sock_create(struct world *world, struct io_node *node) {
    struct sock *sock = world_alloc(sizeof *sock);
    sock->world = world;
    sock->node = node;
    sock->incarnation = node->incarnation;
    sock->open = true;
    sock->arrive = (struct event){arrive, EVENT_IDLE};
    sock->reset = (struct event){reset_arrives, EVENT_IDLE};
    sock->idle = (struct event){idle_passed, EVENT_IDLE};
    sock->window = fault_strikes(world, FAULT_SMALL_WINDOW, PRNG_NET, 50000)
                       ? (uint32_t)prng_skewed(dice(world), 2304, 8192)      /* the kernel's smallest buffer */
                       : (uint32_t)prng_range(dice(world), 16384, 262144);
    list_init(&sock->backlog);
    list_push_back(&world->socks, &sock->link);
    return sock;
}

static void sock_free(struct sock *sock) {
    event_cancel(sock->world, &sock->arrive);
    event_cancel(sock->world, &sock->reset);
    event_cancel(sock->world, &sock->idle);
    list_remove(&sock->link);
    list_remove(&sock->starved);
    list_remove(&sock->in_backlog);
    world_free(sock->ring);
    world_free(sock->segments);
    world_free(sock);
}

/* Frees both ends once neither is held by a node. */
static void collect(struct sock *sock) {
    struct sock *peer = sock->peer;
    if (sock->open || (peer && peer->open)) return;
    if (peer) sock_free(peer);
    sock_free(sock);
}

static struct sock *sock_get(struct io *io, struct io_sock handle) {
    CHECKF(handle.slot && handle.slot <= io->sock_count, "no such socket handle on this loop");
    struct sock_slot *slot = &io->socks[handle.slot - 1];
    CHECKF(slot->sock && slot->generation == handle.generation, "a closed socket was used");
    return slot->sock;
}

static void handle_give(struct io *io, struct sock *sock) {
    uint32_t index = io->sock_free;
    if (index) {
        io->sock_free = io->socks[index - 1].next_free;
    } else {
        index = ++io->sock_count;
        io->socks = world_realloc(io->socks, io->sock_count * sizeof *io->socks);
        io->socks[index - 1] = (struct sock_slot){.generation = 1};
    }
    io->socks[index - 1].sock = sock;
    io->socks_open++;
    sock->io = io;
    sock->handle = (struct io_sock){index, io->socks[index - 1].generation};
}

static void handle_take(struct io *io, struct sock *sock) {
    struct sock_slot *slot = &io->socks[sock->handle.slot - 1];
    slot->sock = NULL;
    slot->generation++;
    slot->next_free = io->sock_free;
    io->sock_free = sock->handle.slot;
    io->socks_open--;
    sock->io = NULL;
}

/* args[4] of an op is its connection's number: it outlives the socket. */
static void op_set_sock(struct io_op *op, struct sock *sock) {
    OP_SET_PTR(op, 0, sock);
    op->args[4] = sock->connection;
}

uint32_t net_connection(const struct io_op *op) {
    return op->kind >= SIM_accept && op->kind <= SIM_sock_close ? (uint32_t)op->args[4] : 0;
}

unsigned net_socks_open(const struct io *io) { return io->socks_open; }

/* ---- the wire ---- */

static const struct link *link_of(const struct sock *from, const struct sock *to) {
    return &from->world->links[from->node->index][to->node->index];
}

static int64_t latency(struct world *world, const struct link *link) {
    int64_t ns = prng_range(dice(world), link->latency_low, link->latency_high);
    if (fault_strikes(world, FAULT_LATENCY_TAIL, PRNG_NET, 5000)) ns += prng_skewed(dice(world), SIM_MS, 200 * SIM_MS);
    if (fault_strikes(world, FAULT_STALL, PRNG_NET, 1000)) ns += prng_range(dice(world), 200 * SIM_MS, 3 * SIM_SECOND);
    return ns;
}

static struct segment *segment_at(struct sock *sock, uint32_t index) {
    return &sock->segments[(sock->segment_first + index) % sock->segment_cap];
}

static void segment_add(struct sock *to, struct segment segment) {
    if (to->segment_count == to->segment_cap) {
        uint32_t cap = to->segment_cap ? to->segment_cap * 2 : 8;
        struct segment *fresh = world_alloc(cap * sizeof *fresh);
        for (uint32_t i = 0; i < to->segment_count; i++) fresh[i] = *segment_at(to, i);
        world_free(to->segments);
        to->segments = fresh;
        to->segment_cap = cap;
        to->segment_first = 0;
    }
    to->segment_count++;
    *segment_at(to, to->segment_count - 1) = segment;
}

static void idle_again(struct sock *sock) {
    if (sock->idle_ns) event_schedule(sock->world, &sock->idle, sock->world->now + sock->idle_ns);
}

/* Puts bytes that are in the ring (or the end of the stream) on their way; when they arrive, unless the link is cut. */
static int64_t transmit(struct sock *from, struct sock *to, uint32_t len, bool fin) {
    struct world *world = from->world;
    int64_t at = world->now + latency(world, link_of(from, to));
    idle_again(from);
    idle_again(to);
    if (to->segment_count) {
        int64_t last = segment_at(to, to->segment_count - 1)->at;
        if (at < last) at = last;
    }
    segment_add(to, (struct segment){at, len, fin});
    if (!event_scheduled(&to->arrive)) event_schedule(world, &to->arrive, at);
    return at;
}

static void ring_grow(struct sock *sock, uint32_t need) {
    if (sock->cap - sock->used >= need) return;
    uint32_t cap = sock->cap ? sock->cap : 2048;
    while (cap - sock->used < need) cap *= 2;
    uint8_t *ring = world_realloc(NULL, cap);
    uint32_t first = sock->cap - sock->head < sock->used ? sock->cap - sock->head : sock->used;
    if (sock->used) {
        memcpy(ring, sock->ring + sock->head, first);
        memcpy(ring + first, sock->ring, sock->used - first);
    }
    world_free(sock->ring);
    sock->ring = ring;
    sock->cap = cap;
    sock->head = 0;
}

static void ring_put(struct sock *sock, const uint8_t *data, uint32_t len) {
    ring_grow(sock, len);
    uint32_t tail = (sock->head + sock->used) & (sock->cap - 1);
    uint32_t first = sock->cap - tail < len ? sock->cap - tail : len;
    memcpy(sock->ring + tail, data, first);
    memcpy(sock->ring, data + first, len - first);
    sock->used += len;
}

static void ring_get(struct sock *sock, uint8_t *to, uint32_t len) {
    uint32_t first = sock->cap - sock->head < len ? sock->cap - sock->head : len;
    if (to) {
        memcpy(to, sock->ring + sock->head, first);
        memcpy(to + first, sock->ring, len - first);
    }
    sock->head = (sock->head + len) & (sock->cap - 1);
    sock->used -= len;
    sock->arrived -= len;
}

/* ---- waking the ops of an end ---- */

static void wake_recv(struct sock *sock) {
    if (sock->recv_op && OP_STATE(sock->recv_op) == OP_WAITING && !list_linked(&sock->starved))
        op_ready(sock->io, sock->recv_op);
}

static void wake_send(struct sock *sock, int64_t delay) {
    struct world *world = sock->world;
    if (!sock->send_op || !sock->probes || OP_STATE(sock->send_op) != OP_HEAP) return;
    sock->probes = 0;
    op_unschedule(world, sock->send_op);
    op_schedule(world, sock->send_op, world->now + delay);
}

static void fail_end(struct sock *sock, int error) {
    if (sock->error || sock->listening) return;
    sock->error = error;
    list_remove(&sock->starved);
    if (!sock->open) return;
    wake_recv(sock);
    wake_send(sock, 0);
}

static void reset_arrives(struct world *world, struct event *event) {
    (void)world;
    struct sock *sock = CONTAINER_OF(event, struct sock, reset);
    trace_connection(sock->node, SIM_reset, sock->reset_error, sock->connection);
    event_cancel(sock->world, &sock->arrive);
    fail_end(sock, sock->reset_error);
}

/* A reset on its way to `to`; it overtakes bytes. */
static void send_reset(struct sock *from, struct sock *to) {
    if (!to->open || event_scheduled(&to->reset)) return;
    to->reset_error = IO_ERESET;
    event_schedule(to->world, &to->reset, to->world->now + latency(to->world, link_of(from, to)));
}

/* A load balancer or a translator of addresses forgets the connection, and says so or not. */
static void idle_passed(struct world *world, struct event *event) {
    struct sock *sock = CONTAINER_OF(event, struct sock, idle);
    struct sock *peer = sock->peer;
    if (!peer || !peer->open || !sock->open || sock->error || peer->error || world->calm) return;
    if (!world_fault_happens(world, FAULT_IDLE_CUT)) return;
    if (prng_chance(dice(world), 500000)) {
        sock->black_hole = peer->black_hole = true;
        return;
    }
    send_reset(sock, peer);
    send_reset(peer, sock);
}

/* Sends again what a cut link or a dead host did not take. After a while the sender gives up. */
static void retry(struct sock *to) {
    struct world *world = to->world;
    if (!to->retries++) to->cut_since = world->now;
    if (world->now - to->cut_since > 60 * SIM_SECOND) {
        fail_end(to->peer, IO_ETIMEDOUT);
        return;
    }
    unsigned shift = to->retries < 7 ? to->retries : 7;
    int64_t delay = ((100 * SIM_MS) << shift) + prng_range(dice(world), 0, 50 * SIM_MS);
    event_schedule(world, &to->arrive, world->now + delay);
}

static void arrive(struct world *world, struct event *event) {
    struct sock *sock = CONTAINER_OF(event, struct sock, arrive);
    struct sock *peer = sock->peer;
    if (sock->error) return;
    if (link_of(peer, sock)->cut || sock->black_hole || (!sock->open && sock->silent && sock->node->state != NODE_RUNNING)) {
        retry(sock);
        return;
    }
    sock->retries = 0;
    if (!sock->open) {
        send_reset(sock, peer);
        return;
    }
    if (sock->io && fault_strikes(world, FAULT_RESET, PRNG_NET, 200)) {
        send_reset(sock, peer);
        fail_end(sock, IO_ERESET);
        return;
    }
    uint32_t len = sock->segment_count ? segment_at(sock, 0)->len : 0;
    if (sock->io && len > 1 && fault_strikes(world, FAULT_RESET_MIDDLE, PRNG_NET, 200)) {
        sock->arrived += 1 + (uint32_t)prng_below(dice(world), len - 1);
        send_reset(sock, peer);
        fail_end(sock, IO_ERESET);
        return;
    }
    while (sock->segment_count && segment_at(sock, 0)->at <= world->now) {
        struct segment segment = *segment_at(sock, 0);
        sock->segment_first = (sock->segment_first + 1) % sock->segment_cap;
        sock->segment_count--;
        sock->arrived += segment.len;
        sock->fin_arrived |= segment.fin;
    }
    if (sock->segment_count) event_schedule(world, &sock->arrive, segment_at(sock, 0)->at);
    wake_recv(sock);
}

void net_link_changed(struct world *world) {
    LIST_EACH(it, &world->socks) {
        struct sock *sock = LIST_ENTRY(it, struct sock, link);
        if (!sock->retries || !event_scheduled(&sock->arrive) || link_of(sock->peer, sock)->cut) continue;
        event_schedule(world, &sock->arrive, world->now + prng_range(dice(world), 0, SIM_SECOND));
    }
}

/* ---- receive ---- */

static void bufs_make(struct io *io) {
    unsigned count = (unsigned)prng_range(dice(io->node->world), RECV_BUFS_MIN, RECV_BUFS_MAX);
    io->bufs = world_alloc(RECV_BUFS_MAX * sizeof *io->bufs);
    for (unsigned i = count; i-- > 0;) {
        io->bufs[i].id = i + 1;
        io->bufs[i].next = io->bufs_free;
        io->bufs_free = &io->bufs[i];
    }
}

unsigned net_bufs_out(const struct io *io) { return io->bufs_lent; }

void io_recv(struct io *io, struct io_op *op, struct io_sock handle) {
    if (io->node->crashed) {
        op_submit(io, op, SIM_recv, 0);
        return;
    }
    struct sock *sock = sock_get(io, handle);
    CHECKF(!sock->recv_op && !sock->close_op, "a second receive on a socket");
    op_set_sock(op, sock);
    op->args[1] = 0;
    if (!op_submit(io, op, SIM_recv, handle.slot)) return;
    if (!io->bufs) bufs_make(io);
    sock->recv_op = op;
    if (sock->arrived || sock->fin_arrived || sock->error) op_ready(io, op);
}

static void close_check(struct sock *sock);

static bool recv_ends(struct sock *sock, struct io_op *op, int64_t result) {
    op->result = result;
    op->more = false;
    op->buf = (struct io_buf){0};
    sock->recv_op = NULL;
    list_remove(&sock->starved);
    close_check(sock);
    return true;
}

/* How many of the bytes that are there this call brings. */
static uint32_t recv_amount(struct sock *sock) {
    struct world *world = sock->world;
    uint32_t most = sock->arrived < RECV_BUF_SIZE ? sock->arrived : RECV_BUF_SIZE;
    if (fault_strikes(world, FAULT_DRIP, PRNG_NET, 10000)) return 1;
    if (most > 1 && fault_strikes(world, FAULT_SPLIT, PRNG_NET, 150000))
        return 1 + (uint32_t)prng_below(dice(world), most - 1);
    return most;
}

static void lend(struct io *io, struct sock *sock, struct io_op *op) {
    struct recv_buf *buf = io->bufs_free;
    io->bufs_free = buf->next;
    io->bufs_lent++;
    if (!buf->data) buf->data = world_alloc(RECV_BUF_SIZE);
    buf->lent = true;
    uint32_t len = recv_amount(sock);
    ring_get(sock, buf->data, len);
    io->stats.receives++;
    io->stats.bytes_received += len;
    op->result = len;
    op->more = true;
    op->buf = (struct io_buf){buf->data, len, buf->id};
}

bool net_recv_fire(struct io *io, struct io_op *op) {
    struct sock *sock = OP_PTR(op, 0);
    struct world *world = io->node->world;
    if (op->args[1]) return recv_ends(sock, op, -IO_ECANCELED);
    if (sock->error && (!sock->arrived || prng_chance(dice(world), 500000)))
        return recv_ends(sock, op, -sock->error);
    if (!sock->arrived) return sock->fin_arrived ? recv_ends(sock, op, 0) : false;
    if (fault_strikes(world, FAULT_REARM, PRNG_NET, 5000) || fault_strikes(world, FAULT_POOL_EMPTY, PRNG_NET, 2000)) {
        op_schedule(world, op, world->now + prng_skewed(dice(world), 0, 5 * SIM_MS));
        return false;
    }
    if (!io->bufs_free) {
        list_push_back(&io->recv_starved, &sock->starved);
        return false;
    }
    lend(io, sock, op);
    if (sock->arrived || sock->fin_arrived || sock->error) op_ready(io, op);
    if (sock->peer) wake_send(sock->peer, prng_range(dice(world), 0, 100 * SIM_US));
    return true;
}

void io_buf_done(struct io *io, struct io_buf lent) {
    if (io->node->crashed) return;
    CHECKF(lent.id && lent.id <= RECV_BUFS_MAX && io->bufs && io->bufs[lent.id - 1].lent, "not a lent buffer");
    struct recv_buf *buf = &io->bufs[lent.id - 1];
    CHECK(lent.data == buf->data);
    memset(buf->data, 0xdb, lent.len);                 /* a late reader sees it */
    buf->lent = false;
    buf->next = io->bufs_free;
    io->bufs_free = buf;
    io->bufs_lent--;
    struct list *first = list_pop_front(&io->recv_starved);
    if (first) wake_recv(LIST_ENTRY(first, struct sock, starved));
}

/* ---- send ---- */

static uint64_t hash_pieces(const struct io_op *op) {
    const struct iovec *iov = OP_PTR(op, 1);
    uint64_t hash = 0;
    size_t left = HASHED_MAX;
    for (uint64_t i = 0; i < op->args[2] && left; i++) {
        size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;
        hash = hash * 31 + sim_hash(iov[i].iov_base, len);
        left -= len;
    }
    return hash;
}

void io_send(struct io *io, struct io_op *op, struct io_sock handle, const struct iovec *iov, unsigned count) {
    CHECK(count && count <= IO_SEND_IOV_MAX);
    if (io->node->crashed) {
        op_submit(io, op, SIM_send, 0);
        return;
    }
    struct sock *sock = sock_get(io, handle);
    struct world *world = io->node->world;
    CHECKF(!sock->send_op && !sock->close_op, "a second send on a socket");
    op_set_sock(op, sock);
    OP_SET_PTR(op, 1, iov);
    op->args[2] = count;
    op->args[3] = 0;
    if (!op_submit(io, op, SIM_send, hash_pieces(op))) return;
    io->stats.sends++;
    sock->send_op = op;
    op_schedule(world, op, world->now + prng_range(dice(world), 500, 8 * SIM_US));
}

static size_t total_of(const struct io_op *op) {
    const struct iovec *iov = OP_PTR(op, 1);
    size_t total = 0;
    for (uint64_t i = 0; i < op->args[2]; i++) total += iov[i].iov_len;
    return total;
}

static void put_pieces(struct sock *to, const struct io_op *op, size_t amount) {
    const struct iovec *iov = OP_PTR(op, 1);
    for (uint64_t i = 0; amount; i++) {
        size_t len = iov[i].iov_len < amount ? iov[i].iov_len : amount;
        if (len) ring_put(to, iov[i].iov_base, (uint32_t)len);
        amount -= len;
    }
}

/* A send waits for the peer to read, and asks from time to time: a peer that is gone is found out so. */
static void probe(struct sock *sock) {
    struct world *world = sock->world;
    struct sock *to = sock->peer;
    if (!sock->probes++) sock->probed_since = world->now;
    bool cut = link_of(sock, to)->cut || link_of(to, sock)->cut || to->black_hole;
    bool dead = !to->open && to->silent && to->node->state != NODE_RUNNING;
    int64_t delay = (200 * SIM_MS) << (sock->probes < 7 ? sock->probes : 7);
    op_schedule(world, sock->send_op, world->now + delay);
    if (!to->open && !cut && !dead)
        send_reset(to, sock);
    else if ((cut || dead) && world->now - sock->probed_since > 60 * SIM_SECOND)
        fail_end(sock, IO_ETIMEDOUT);
}

static void send_fire(struct io *io, struct io_op *op) {
    struct sock *sock = OP_PTR(op, 0);
    struct world *world = io->node->world;
    struct sock *to = sock->peer;
    CHECKF(hash_pieces(op) == OP_HASH(op), "the bytes of a send were changed while io owned them");
    if (op->args[3] || sock->error || sock->shut) {
        op_complete(io, op, op->args[3] ? -IO_ECANCELED : sock->shut ? -IO_EPIPE : -sock->error);
        return;
    }
    size_t total = total_of(op), room = to->window > to->used ? to->window - to->used : 0;
    if (total && !room) {
        probe(sock);
        return;
    }
    sock->probes = 0;
    size_t amount = total < room ? total : room;
    if (amount > 1 && fault_strikes(world, FAULT_SHORT_SEND, PRNG_NET, 60000))
        amount = 1 + prng_below(dice(world), amount - 1);
    put_pieces(to, op, amount);
    int64_t arrives = amount ? transmit(sock, to, (uint32_t)amount, false) : 0;
    if (amount && world->log)
        log_sent(world->log, sock->connection, sock->dialed, (uint16_t)sock->node->index, (uint16_t)to->node->index,
                 OP_PTR(op, 1), amount, arrives);
    io->stats.bytes_sent += amount;
    op_complete(io, op, (int64_t)amount);
}

void net_send_done(struct io *io, struct io_op *op) {
    (void)io;
    struct sock *sock = OP_PTR(op, 0);
    sock->send_op = NULL;
    close_check(sock);
}

void io_shutdown(struct io *io, struct io_sock handle) {
    if (node_boundary(io->node)) return;
    struct sock *sock = sock_get(io, handle);
    trace_event(io->node, io->index, SIM_shutdown, false, handle.slot, 0, 0);
    if (sock->shut || sock->error || sock->listening) return;
    sock->shut = true;
    transmit(sock, sock->peer, 0, true);
    wake_send(sock, 0);
}

/* ---- addresses ---- */

static bool is_any(const struct io_addr *addr) {
    for (unsigned i = 0; i < (addr->family == 4 ? 4u : 16u); i++)
        if (addr->ip[i]) return false;
    return true;
}

/* The node that an address means, seen from `from`; NULL when it is nobody's. */
static struct io_node *node_of_addr(struct io_node *from, const struct io_addr *addr) {
    if (io_addr_is_loopback(addr) || is_any(addr)) return from;
    const uint8_t *ip = addr->ip;
    if (addr->family == 6) {
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        if (memcmp(ip, mapped, sizeof mapped) != 0) return NULL;
        ip += 12;
    }
    if (ip[0] != 10 || ip[1] || ip[2] || !ip[3] || ip[3] > from->world->node_count) return NULL;
    return from->world->nodes[ip[3] - 1];
}

static bool listens_at(const struct sock *listener, const struct io_node *node, const struct io_addr *addr) {
    if (!listener->listening || listener->node != node || listener->local.port != addr->port) return false;
    if (is_any(&listener->local) || is_any(addr)) return true;
    return io_addr_is_loopback(&listener->local) == io_addr_is_loopback(addr);
}

static struct sock *find_listener(struct io_node *node, const struct io_addr *addr) {
    struct sock *found = NULL;
    uint64_t count = 0;
    LIST_EACH(it, &node->world->socks) {
        struct sock *sock = LIST_ENTRY(it, struct sock, link);
        if (!listens_at(sock, node, addr)) continue;
        if (prng_below(dice(node->world), ++count) == 0) found = sock;         /* each as likely */
    }
    return found;
}

static uint16_t free_port(struct io_node *node) {
    if (++node->next_port < 10000) node->next_port = 10000;
    return node->next_port;
}

int64_t io_listen(struct io *io, const struct io_addr *addr, bool shared, struct io_sock *out, struct io_addr *bound) {
    struct io_node *node = io->node;
    if (node_boundary(node)) return -IO_ECRASHED;
    if (node_of_addr(node, addr) != node) return -IO_EADDRNOTAVAIL;
    struct io_addr local = *addr;
    if (!local.port) local.port = free_port(node);
    LIST_EACH(it, &node->world->socks) {
        const struct sock *other = LIST_ENTRY(it, struct sock, link);
        if (listens_at(other, node, &local) && !(shared && other->shared)) return -IO_EADDRINUSE;
    }
    struct sock *sock = sock_create(node->world, node);
    sock->listening = true;
    sock->shared = shared;
    sock->local = local;
    handle_give(io, sock);
    trace_event(node, io->index, SIM_listen, false, sock->handle.slot, local.port, 0);
    *out = sock->handle;
    if (bound) *bound = local;
    return 0;
}

/* ---- connect and accept ---- */

/* args of a connect: 0 our end, 1 phase, 2 attempts, 3 the error that comes back. */
enum { PHASE_SYN, PHASE_ANSWER, PHASE_CANCELLED };

void io_connect(struct io *io, struct io_op *op, const struct io_addr *addr) {
    memset(op->args, 0, 5 * sizeof op->args[0]);
    if (!op_submit(io, op, SIM_connect, sim_hash(addr->ip, sizeof addr->ip) ^ addr->port)) return;
    struct io_node *node = io->node;
    struct world *world = node->world;
    struct sock *sock = sock_create(world, node);
    sock->io = io;
    sock->remote = *addr;
    sock->connect_op = op;
    sock->connection = (uint32_t)++world->connections;
    sock->dialed = true;
    if (world->fault_on[FAULT_IDLE_CUT] && prng_chance(dice(world), 200000))
        sock->idle_ns = prng_skewed(dice(world), 500 * SIM_MS, 60 * SIM_SECOND);
    op_set_sock(op, sock);
    const struct io_node *target = node_of_addr(node, addr);
    sock->local = (struct io_addr){.family = 4, .ip = {10, 0, 0, (uint8_t)(node->index + 1)}, .port = free_port(node)};
    if (target == node && !is_any(addr)) {
        sock->local.family = addr->family;
        memcpy(sock->local.ip, addr->ip, sizeof addr->ip);
    }
    unsigned to = target ? target->index : node->index;
    op_schedule(world, op, world->now + latency(world, &world->links[node->index][to]));
}

static void connect_ends(struct io *io, struct io_op *op, int64_t result) {
    struct sock *sock = OP_PTR(op, 0);
    sock->connect_op = NULL;
    if (result < 0) {
        sock->open = false;
        sock->io = NULL;
        if (sock->peer) send_reset(sock, sock->peer);
        collect(sock);
        op->sock = (struct io_sock){0};
    } else {
        handle_give(io, sock);
        op->sock = sock->handle;
    }
    op_complete(io, op, result);
}

static void syn_again(struct io *io, struct io_op *op) {
    struct world *world = io->node->world;
    if (++op->args[2] > 6) {
        connect_ends(io, op, -IO_ETIMEDOUT);
        return;
    }
    op_schedule(world, op, world->now + (SIM_SECOND << (op->args[2] - 1)));
}

static void syn_arrives(struct io *io, struct io_op *op) {
    struct sock *sock = OP_PTR(op, 0);
    struct world *world = io->node->world;
    struct io_node *target = node_of_addr(io->node, &sock->remote);
    if (!target) {
        connect_ends(io, op, -IO_EUNREACHABLE);
        return;
    }
    const struct link *back = &world->links[target->index][io->node->index];
    bool gone = target->state == NODE_DOWN && target->crash_mode == CRASH_POWER && prng_chance(dice(world), 300000);
    if (world->links[io->node->index][target->index].cut || back->cut || gone ||
        fault_strikes(world, FAULT_CONNECT_TIMEOUT, PRNG_NET, 3000)) {
        syn_again(io, op);
        return;
    }
    struct sock *listener = find_listener(target, &sock->remote);
    if (listener && listener->backlog_count >= BACKLOG_MAX) {
        syn_again(io, op);
        return;
    }
    op->args[1] = PHASE_ANSWER;
    if (!listener || fault_strikes(world, FAULT_REFUSED, PRNG_NET, 3000)) {
        op->args[3] = IO_EREFUSED;
    } else {
        struct sock *theirs = sock_create(world, target);
        theirs->peer = sock;
        theirs->connection = sock->connection;
        sock->peer = theirs;
        theirs->local = sock->remote;
        theirs->remote = sock->local;
        list_push_back(&listener->backlog, &theirs->in_backlog);
        listener->backlog_count++;
        if (listener->accept_op && OP_STATE(listener->accept_op) == OP_WAITING)
            op_ready(listener->io, listener->accept_op);
    }
    op_schedule(world, op, world->now + latency(world, back));
}

static void connect_fire(struct io *io, struct io_op *op) {
    struct sock *sock = OP_PTR(op, 0);
    if (op->args[1] == PHASE_CANCELLED)
        connect_ends(io, op, -IO_ECANCELED);
    else if (op->args[1] == PHASE_SYN)
        syn_arrives(io, op);
    else
        connect_ends(io, op, op->args[3] ? -(int64_t)op->args[3] : sock->error ? -sock->error : 0);
}

void io_accept(struct io *io, struct io_op *op, struct io_sock handle) {
    if (io->node->crashed) {
        op_submit(io, op, SIM_accept, 0);
        return;
    }
    struct sock *listener = sock_get(io, handle);
    CHECK(listener->listening && !listener->accept_op && !listener->close_op);
    op_set_sock(op, listener);
    op->args[1] = 0;
    if (!op_submit(io, op, SIM_accept, handle.slot)) return;
    listener->accept_op = op;
    if (listener->backlog_count) op_ready(io, op);
}

bool net_accept_fire(struct io *io, struct io_op *op) {
    struct sock *listener = OP_PTR(op, 0);
    if (op->args[1]) {
        op->result = -IO_ECANCELED;
        op->more = false;
        op->sock = (struct io_sock){0};
        listener->accept_op = NULL;
        close_check(listener);
        return true;
    }
    if (!listener->backlog_count) return false;
    if (fault_strikes(io->node->world, FAULT_ACCEPT_FAILED, PRNG_NET, 30000)) {
        op->result = -IO_EFILES;
        op->more = false;
        op->sock = (struct io_sock){0};
        listener->accept_op = NULL;
        return true;
    }
    struct sock *sock = LIST_ENTRY(list_pop_front(&listener->backlog), struct sock, in_backlog);
    listener->backlog_count--;
    handle_give(io, sock);
    op->args[4] = sock->connection;
    op->sock = sock->handle;
    op->peer = sock->remote;
    op->result = 0;
    op->more = true;
    if (listener->backlog_count) op_ready(io, op);
    return true;
}

/* ---- names ---- */

void io_resolve(struct io *io, struct io_op *op, const char *host, uint16_t port) {
    OP_SET_PTR(op, 4, NULL);
    op->args[0] = port;
    size_t len = strlen(host) + 1;
    if (!op_submit(io, op, SIM_resolve, sim_hash(host, len))) return;
    struct world *world = io->node->world;
    OP_SET_PTR(op, 4, memcpy(world_alloc(len), host, len));
    op_schedule(world, op, world->now + prng_range(dice(world), 50 * SIM_US, 2 * SIM_MS));
}

static bool find_name(struct io_node *node, const char *host, struct io_addr *out) {
    struct world *world = node->world;
    char text[IO_ADDR_TEXT_MAX];
    if (strlen(host) + 3 < sizeof text) {
        bool six = strchr(host, ':') != NULL;
        text[0] = '[';
        size_t at = six, len = strlen(host);
        memcpy(text + at, host, len);
        memcpy(text + at + len, six ? "]:0" : ":0", six ? 4 : 3);
        if (io_addr_parse(text, out)) return true;
    }
    *out = (struct io_addr){.family = 4, .ip = {127, 0, 0, 1}};
    if (strcmp(host, "localhost") == 0 || strcmp(host, node->spec.name) == 0) return true;
    for (unsigned i = 0; i < world->name_count; i++)
        if (strcmp(world->names[i].host, host) == 0) return *out = world->names[i].addr, true;
    for (unsigned i = 0; i < world->node_count; i++)
        if (strcmp(world->nodes[i]->spec.name, host) == 0) return world_node_addr(world, i, 0, out), true;
    return false;
}

static void resolve_fire(struct io *io, struct io_op *op) {
    char *host = OP_PTR(op, 4);
    bool found = find_name(io->node, host, &op->addr) &&
                 !fault_strikes(io->node->world, FAULT_NAME_FAILED, PRNG_NET, 20000);
    op->addr.port = (uint16_t)op->args[0];
    world_free(host);
    OP_SET_PTR(op, 4, NULL);
    op_complete(io, op, found ? 0 : -IO_ENAME);
}

void net_op_fire(struct io *io, struct io_op *op) {
    switch (op->kind) {
    case SIM_send: send_fire(io, op); break;
    case SIM_connect: connect_fire(io, op); break;
    case SIM_resolve: resolve_fire(io, op); break;
    default: op_ready(io, op);                          /* a receive that paused */
    }
}

/* ---- close and cancel ---- */

static void cancel_multishot(struct io *io, struct io_op *op) {
    struct sock *sock = OP_PTR(op, 0);
    op->args[1] = 1;
    list_remove(&sock->starved);
    if (OP_STATE(op) == OP_HEAP) op_detach(io, op);
    op_ready(io, op);
}

void net_cancel(struct io *io, struct io_op *op) {
    struct world *world = io->node->world;
    struct sock *sock = OP_PTR(op, 0);
    switch (op->kind) {
    case SIM_recv:
    case SIM_accept:
        cancel_multishot(io, op);
        return;
    case SIM_connect:
        if (OP_STATE(op) != OP_HEAP) return;
        if (op->args[1] == PHASE_ANSWER && fault_strikes(world, FAULT_CANCEL_LOST, PRNG_CANCEL, 400000)) return;
        op->args[1] = PHASE_CANCELLED;
        break;
    default:                                            /* a send that waits takes nothing any more */
        if (OP_STATE(op) == OP_READY) return;
        if (!sock->probes && fault_strikes(world, FAULT_CANCEL_LOST, PRNG_CANCEL, 400000)) return;
        sock->probes = 0;
        op->args[3] = 1;
    }
    op_detach(io, op);
    op_schedule(world, op, world->now + prng_range(dice(world), 0, 10 * SIM_US));
}

static void backlog_drop(struct sock *listener, bool silent) {
    for (struct list *node; (node = list_pop_front(&listener->backlog));) {
        struct sock *sock = LIST_ENTRY(node, struct sock, in_backlog);
        sock->open = false;
        sock->silent = silent;
        if (!silent) send_reset(sock, sock->peer);
        collect(sock);
    }
    listener->backlog_count = 0;
}

/* The kernel's part of closing. */
static void close_end(struct sock *sock) {
    sock->open = false;
    if (sock->listening) {
        backlog_drop(sock, false);
        sock_free(sock);
        return;
    }
    if (!sock->error) {
        if (sock->arrived)
            send_reset(sock, sock->peer);
        else if (!sock->shut)
            transmit(sock, sock->peer, 0, true);
    }
    collect(sock);
}

/* Once no op is left the close can complete. */
static void close_check(struct sock *sock) {
    struct io_op *op = sock->close_op;
    if (!op || sock->recv_op || sock->send_op || sock->accept_op) return;
    struct io *io = sock->io;
    handle_take(io, sock);
    close_end(sock);
    op_complete(io, op, 0);
}

void io_sock_close(struct io *io, struct io_op *op, struct io_sock handle) {
    if (io->node->crashed) {
        op_submit(io, op, SIM_sock_close, 0);
        return;
    }
    struct sock *sock = sock_get(io, handle);
    CHECKF(!sock->close_op, "a socket was closed twice");
    op_set_sock(op, sock);
    if (!op_submit(io, op, SIM_sock_close, handle.slot)) return;
    sock->close_op = op;
    if (sock->recv_op) cancel_multishot(io, sock->recv_op);
    if (sock->accept_op) cancel_multishot(io, sock->accept_op);
    if (sock->send_op) net_cancel(io, sock->send_op);
    close_check(sock);
}

/* ---- the end of a node ---- */

static void end_lost(struct sock *sock, bool silent) {
    struct world *world = sock->world;
    sock->io = NULL;
    sock->recv_op = sock->send_op = sock->accept_op = sock->close_op = sock->connect_op = NULL;
    list_remove(&sock->starved);
    if (sock->listening) {
        sock->open = false;
        backlog_drop(sock, silent);
        sock_free(sock);
        return;
    }
    sock->silent = silent;
    if (silent || sock->error || !sock->peer) {
        sock->open = false;
        collect(sock);
    } else if (sock->node->crash_mode == CRASH_POWER || prng_chance(dice(world), 500000)) {
        sock->open = false;
        send_reset(sock, sock->peer);
        collect(sock);
    } else {
        close_end(sock);
    }
}

void net_loop_drop(struct io *io, bool silent) {
    LIST_EACH(it, &io->busy) {
        struct io_op *op = LIST_ENTRY(it, struct io_op, link);
        if (op->kind != SIM_connect || OP_STATE(op) == OP_READY) continue;
        if (OP_STATE(op) == OP_HEAP) op_unschedule(io->node->world, op);
        end_lost(OP_PTR(op, 0), silent);
    }
    for (uint32_t i = 0; i < io->sock_count; i++)
        if (io->socks[i].sock) end_lost(io->socks[i].sock, silent);
    for (unsigned i = 0; io->bufs && i < RECV_BUFS_MAX; i++) world_free(io->bufs[i].data);
    world_free(io->bufs);
    world_free(io->socks);
    io->bufs = NULL;
    io->socks = NULL;
    io->sock_count = io->socks_open = 0;
}

void net_world_drop(struct world *world) {
    for (struct list *node; (node = list_pop_front(&world->socks));)
        sock_free(LIST_ENTRY(node, struct sock, link));
}
