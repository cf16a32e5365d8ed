/* io_loop: loops as plain objects that the world steps, and the ops that need no device: timers, deferred calls,
 * messages, cancellation.
 *
 * What io.h does not promise is drawn anew in each batch: which ready op comes first, how many wait for the next batch,
 * how late the loop wakes, whether a cancellation still finds its target. What it promises is kept: timers fire by
 * (deadline, submission), io_defer and the messages of one sender are FIFO, no callback runs inside a submitting call,
 * a batch sees one time. A batch takes virtual time, so code that spins makes no infinite moment. */
#include <stdlib.h>

#include "base/mem.h"
#include "io_sim.h"

enum { BATCH_BASE_NS = 2000, CALLBACK_NS = 400, LOOP_STACK = 1 << 20 };

static void loop_step(struct world *world, struct event *event);
static void timer_due(struct world *world, struct event *event);
static void posts_due(struct world *world, struct event *event);

/* ---- life ---- */

struct io *loop_create(struct io_node *node, io_start_fn *start, void *arg) {
    CHECK(node->loop_count < IO_LOOPS_MAX);
    struct io *io = world_alloc(sizeof *io);
    io->node = node;
    io->index = node->loop_count;
    io->start = start;
    io->arg = arg;
    list_init(&io->busy);
    list_init(&io->armed);
    list_init(&io->recv_starved);
    io->step = (struct event){loop_step, EVENT_IDLE};
    io->timer_event = (struct event){timer_due, EVENT_IDLE};
    io->posts_event = (struct event){posts_due, EVENT_IDLE};
    io->now = node_mono(node);
    node->loops = world_realloc(node->loops, (node->loop_count + 1) * sizeof *node->loops);
    node->loops[node->loop_count++] = io;
    return io;
}

void loop_drop(struct io *io) {
    struct world *world = io->node->world;
    event_cancel(world, &io->step);
    event_cancel(world, &io->timer_event);
    event_cancel(world, &io->posts_event);
    LIST_EACH(it, &io->busy) {
        struct io_op *op = LIST_ENTRY(it, struct io_op, link);
        if (OP_STATE(op) == OP_HEAP) op_unschedule(world, op);
        file_op_abandon(io, op);
    }
    world_free(io->ready.items);
    world_free(io->timers.items);
    world_free(io->deferred.items);
    world_free(io->inboxes);
    if (io->stack) stack_give(world, io->stack, LOOP_STACK);
    world_free(io);
}

unsigned io_loop_start(struct io *io, io_start_fn *start, void *arg) {
    struct io_node *node = io->node;
    struct io *fresh = loop_create(node, start, arg);
    unsigned index = fresh->index;
    if (!node_boundary(node)) {
        trace_event(node, io->index, SIM_loop_start, false, index, 0, 0);
        loop_wake(fresh);
    }
    return index;
}

unsigned io_loop_index(const struct io *io) { return io->index; }
unsigned io_loop_count(const struct io *io) { return io->node->loop_count; }
void *io_slot(const struct io *io, enum io_slot slot) { return io->slots[slot]; }
void io_set_slot(struct io *io, enum io_slot slot, void *value) { io->slots[slot] = value; }
const struct io_stats *io_stats(const struct io *io) { return &io->stats; }
int64_t io_now(const struct io *io) { return io->now; }
int64_t io_wall(const struct io *io) { return node_wall(io->node); }

void io_random(struct io *io, void *buf, size_t len) {
    prng_fill(&io->node->entropy, buf, len);
    trace_event(io->node, io->index, SIM_random, false, 0, (int64_t)len, sim_hash(buf, len));
}

/* ---- vectors of ops; an op knows its index ---- */

static void vec_push(struct op_vec *vec, struct io_op *op) {
    if (vec->count == vec->cap) {
        vec->cap = vec->cap ? vec->cap * 2 : 64;
        vec->items = world_realloc(vec->items, vec->cap * sizeof *vec->items);
    }
    op->heap_index = vec->count;
    vec->items[vec->count++] = op;
}

static void vec_take(struct op_vec *vec, uint32_t index) {
    struct io_op *last = vec->items[--vec->count];
    if (index == vec->count) return;
    vec->items[index] = last;
    last->heap_index = index;
}

/* ---- timers: a binary heap by (deadline, submission) ---- */

static int64_t deadline_of(const struct io_op *op) { return (int64_t)op->args[0]; }
static bool timer_before(const struct io_op *a, const struct io_op *b) {
    return deadline_of(a) != deadline_of(b) ? deadline_of(a) < deadline_of(b) : a->sequence < b->sequence;
}

static void timer_place(struct op_vec *timers, uint32_t at, struct io_op *op) {
    timers->items[at] = op;
    op->heap_index = at;
}

static void timer_sift(struct op_vec *timers, uint32_t at, struct io_op *op) {
    while (at && timer_before(op, timers->items[(at - 1) / 2])) {
        timer_place(timers, at, timers->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (uint32_t child; (child = at * 2 + 1) < timers->count; at = child) {
        if (child + 1 < timers->count && timer_before(timers->items[child + 1], timers->items[child])) child++;
        if (!timer_before(timers->items[child], op)) break;
        timer_place(timers, at, timers->items[child]);
    }
    timer_place(timers, at, op);
}

static void timer_remove(struct op_vec *timers, struct io_op *op) {
    uint32_t at = op->heap_index;
    struct io_op *last = timers->items[--timers->count];
    if (last != op) timer_sift(timers, at, last);
}

/* Keeps one event for the earliest timer. */
static void timer_arm(struct io *io) {
    struct world *world = io->node->world;
    if (!io->timers.count) {
        event_cancel(world, &io->timer_event);
        return;
    }
    int64_t at = node_mono_to_world(io->node, deadline_of(io->timers.items[0]));
    if (at < world->now) at = world->now;
    if (event_scheduled(&io->timer_event) && world->heap[io->timer_event.heap_index].time == at) return;
    event_schedule(world, &io->timer_event, at);
}

static void timer_due(struct world *world, struct event *event) {
    (void)world;
    loop_wake(CONTAINER_OF(event, struct io, timer_event));
}

void io_timer(struct io *io, struct io_op *op, int64_t deadline) {
    op->args[0] = (uint64_t)deadline;
    if (!op_submit(io, op, SIM_timer, (uint64_t)deadline)) return;
    OP_STATE(op) = OP_TIMER;
    vec_push(&io->timers, op);
    timer_sift(&io->timers, io->timers.count - 1, op);
    if (deadline > io->now)
        timer_arm(io);
    else
        loop_wake(io);
}

/* ---- deferred calls: a FIFO with holes where one was cancelled ---- */

void io_defer(struct io *io, struct io_op *op) {
    if (!op_submit(io, op, SIM_defer, 0)) return;
    struct op_vec *vec = &io->deferred;
    if (io->deferred_head == vec->count) {
        io->deferred_first += vec->count;
        io->deferred_head = vec->count = 0;
    }
    vec_push(vec, op);
    op->heap_index += io->deferred_first;
    OP_STATE(op) = OP_DEFERRED;
    loop_wake(io);
}

static uint32_t deferred_left(const struct io *io) { return io->deferred.count - io->deferred_head; }

/* ---- messages ---- */

static struct inbox *inbox_from(struct io *to, unsigned sender) {
    if (sender >= to->inbox_count) {
        unsigned count = to->node->loop_count;
        to->inboxes = world_realloc(to->inboxes, count * sizeof *to->inboxes);
        memset(to->inboxes + to->inbox_count, 0, (count - to->inbox_count) * sizeof *to->inboxes);
        to->inbox_count = count;
    }
    return &to->inboxes[sender];
}

static void posts_due(struct world *world, struct event *event) {
    (void)world;
    loop_wake(CONTAINER_OF(event, struct io, posts_event));
}

/* The messages to a loop may be under way for a while: other things happen meanwhile on both sides. */
static void hold_posts(struct io *to) {
    struct world *world = to->node->world;
    if (to->posts_from > world->now) return;
    if (!fault_strikes(world, FAULT_LATE_POST, PRNG_SCHEDULE, world->late_post_rate)) return;
    to->posts_from = world->now + prng_skewed(&world->streams[PRNG_SCHEDULE], SIM_US, 20 * SIM_MS);
    event_schedule(world, &to->posts_event, to->posts_from);
}

void io_post(struct io *io, unsigned to_loop, struct io_msg *msg) {
    struct io_node *node = io->node;
    CHECK(to_loop < node->loop_count);
    if (node_boundary(node)) return;
    struct io *to = node->loops[to_loop];
    struct inbox *inbox = inbox_from(to, io->index);
    msg->next = NULL;
    msg->from = io->index;
    if (inbox->last)
        inbox->last->next = msg;
    else
        inbox->first = msg;
    inbox->last = msg;
    inbox->count++;
    to->posts_waiting++;
    io->stats.posts++;
    trace_event(node, io->index, SIM_post, false, io->stats.posts, (int64_t)to_loop, 0);
    hold_posts(to);
    loop_wake(to);
}

static void receive_one(struct io *io) {
    struct prng *prng = &io->node->world->streams[PRNG_SCHEDULE];
    unsigned sender = io->inbox_count == 1 ? 0 : (unsigned)prng_below(prng, io->inbox_count);
    while (!io->inboxes[sender].first) sender = sender + 1 == io->inbox_count ? 0 : sender + 1;
    struct inbox *inbox = &io->inboxes[sender];
    struct io_msg *msg = inbox->first;
    inbox->first = msg->next;
    if (!inbox->first) inbox->last = NULL;
    inbox->count--;
    io->posts_waiting--;
    if (node_boundary(io->node)) return;
    trace_event(io->node, io->index, SIM_post, true, io->stats.turns, (int64_t)sender, 0);
    msg->next = NULL;
    msg->receive(io, msg);
}

/* ---- hooks ---- */

void io_hook_arm(struct io *io, struct io_hook *hook) {
    if (!list_linked(&hook->link)) list_push_back(&io->armed, &hook->link);
}

/* One round: a hook that is armed by a hook runs after the next batch, which comes without sleep. */
static void run_hooks(struct io *io) {
    struct list round;
    list_init(&round);
    list_splice(&round, &io->armed);
    for (struct list *node; !io->node->crashed && !io->node->exiting && (node = list_pop_front(&round));) {
        struct io_hook *hook = LIST_ENTRY(node, struct io_hook, link);
        hook->run(io, hook);
    }
}

/* ---- submission and completion ---- */

bool op_submit(struct io *io, struct io_op *op, enum sim_kind kind, uint64_t hash) {
    CHECKF(!op->busy, "a busy op was submitted again (%s, was %s)", sim_kind_name(kind), sim_kind_name(op->kind));
    CHECKF(op->done, "an op without done was submitted (%s)", sim_kind_name(kind));
    CHECKF(sim_current.io == io, "a loop's op was submitted from elsewhere (%s)", sim_kind_name(kind));
    op->busy = true;
    op->more = false;
    op->result = 0;
    op->kind = kind;
    OP_SET_PTR(op, 5, io);
    OP_HASH(op) = hash;
    OP_STATE(op) = OP_SWALLOWED;
    op->link = (struct list){0};
    if (node_boundary(io->node)) return false;
    op->sequence = ++io->sequence;
    io->stats.ops++;
    trace_op(op, false, hash);
    OP_STATE(op) = OP_WAITING;
    if (kind != SIM_timer && kind != SIM_defer) list_push_back(&io->busy, &op->link);
    return true;
}

void op_ready(struct io *io, struct io_op *op) {
    if (OP_STATE(op) == OP_READY) return;
    CHECK(OP_STATE(op) == OP_WAITING);
    OP_STATE(op) = OP_READY;
    vec_push(&io->ready, op);
    loop_wake(io);
}

void op_complete(struct io *io, struct io_op *op, int64_t result) {
    op->result = result;
    op_ready(io, op);
}

void op_detach(struct io *io, struct io_op *op) {
    switch (OP_STATE(op)) {
    case OP_HEAP:
        op_unschedule(io->node->world, op);
        break;
    case OP_TIMER:
        timer_remove(&io->timers, op);
        list_push_back(&io->busy, &op->link);
        break;
    case OP_DEFERRED:
        io->deferred.items[op->heap_index - io->deferred_first] = NULL;
        list_push_back(&io->busy, &op->link);
        break;
    case OP_READY:
        vec_take(&io->ready, op->heap_index);
        break;
    default:
        break;
    }
    OP_STATE(op) = OP_WAITING;
}

/* Calls done for the op's last time. */
static void finish(struct io *io, struct io_op *op) {
    list_remove(&op->link);
    op->busy = false;
    op->more = false;
    OP_STATE(op) = 0;
    if (op->kind == SIM_send)
        net_send_done(io, op);
    else if (op->kind >= SIM_open && op->kind <= SIM_lock)
        file_op_finished(io, op);
    trace_op(op, true, 0);
    op->done(io, op);
}

static bool is_net_multishot(uint32_t kind) { return kind == SIM_recv || kind == SIM_accept; }

/* The next call of a multishot op, or its last one. */
static void fire_multishot(struct io *io, struct io_op *op) {
    if (op->kind == SIM_signals) {
        struct io_node *node = io->node;
        if (op->result >= 0) {
            CHECK(node->signal_count);
            op->result = node->signals_pending[0];
            node->signal_count--;
            memmove(node->signals_pending, node->signals_pending + 1, node->signal_count * sizeof(uint32_t));
            op->more = true;
            if (node->signal_count) op_ready(io, op);
        } else {
            op->more = false;
            io->signal_op = NULL;
        }
    } else if (!(op->kind == SIM_recv ? net_recv_fire(io, op) : net_accept_fire(io, op))) {
        return;
    }
    if (!op->more) {
        finish(io, op);
        return;
    }
    trace_op(op, true, op->kind == SIM_recv ? sim_hash(op->buf.data, op->buf.len) : 0);
    op->done(io, op);
}

static void run_ready(struct io *io) {
    struct world *world = io->node->world;
    uint32_t index = 0;
    if (io->ready.count > 1 && world->fault_on[FAULT_REORDER]) {
        index = (uint32_t)prng_below(&world->streams[PRNG_SCHEDULE], io->ready.count);
        world->fault_hits[FAULT_REORDER]++;
    }
    struct io_op *op = io->ready.items[index];
    vec_take(&io->ready, index);
    if (node_boundary(io->node)) return;                /* its effect is there; done never runs */
    OP_STATE(op) = OP_WAITING;
    if (is_net_multishot(op->kind) || op->kind == SIM_signals)
        fire_multishot(io, op);
    else
        finish(io, op);
}

static void run_timer(struct io *io) {
    struct io_op *op = io->timers.items[0];
    timer_remove(&io->timers, op);
    if (!node_boundary(io->node)) finish(io, op);
}

static void run_deferred(struct io *io) {
    struct io_op *op = io->deferred.items[io->deferred_head++];
    if (op && !node_boundary(io->node)) finish(io, op);
}

/* ---- a batch ---- */

struct batch {
    uint32_t ready, deferred, posts;
    uint64_t sequence;                 /* timers submitted in this batch wait for the next */
};

static bool timer_in(const struct io *io, const struct batch *batch) {
    return io->timers.count && deadline_of(io->timers.items[0]) <= io->now &&
           io->timers.items[0]->sequence <= batch->sequence;
}

/* One callback of a source that has some left, taken at random; false when none has. */
static bool run_one(struct io *io, struct batch *batch) {
    enum { READY = 1, TIMERS = 2, DEFERRED = 4, POSTS = 8 };
    unsigned sources = 0;
    if (batch->ready && io->ready.count) sources |= READY;
    if (timer_in(io, batch)) sources |= TIMERS;
    if (batch->deferred) sources |= DEFERRED;
    if (batch->posts) sources |= POSTS;
    if (!sources) return false;
    while (sources & (sources - 1)) {
        unsigned dice = 1u << prng_below(&io->node->world->streams[PRNG_SCHEDULE], 4);
        if (sources & dice) sources = dice;
    }
    switch (sources) {
    case READY:
        batch->ready--;
        run_ready(io);
        break;
    case TIMERS:
        run_timer(io);
        break;
    case DEFERRED:
        batch->deferred--;
        run_deferred(io);
        break;
    default:
        batch->posts--;
        receive_one(io);
    }
    return true;
}

static uint32_t some_of(struct world *world, uint32_t count, enum fault fault) {
    if (count < 2 || !fault_strikes(world, fault, PRNG_SCHEDULE, 200000)) return count;
    return 1 + (uint32_t)prng_below(&world->streams[PRNG_SCHEDULE], count);
}

static uint32_t posts_here(const struct io *io) {
    return io->posts_from <= io->node->world->now ? io->posts_waiting : 0;
}

static void run_batch(struct io *io) {
    struct world *world = io->node->world;
    struct batch batch = {some_of(world, io->ready.count, FAULT_SMALL_BATCH),
                          some_of(world, deferred_left(io), FAULT_SMALL_BATCH),
                          some_of(world, posts_here(io), FAULT_LATE_POST), io->sequence};
    uint32_t callbacks = 0;
    if (!io->started) {
        io->started = true;
        if (!node_boundary(io->node)) io->start(io, io->arg);
    }
    while (!io->node->crashed && !io->node->exiting && run_one(io, &batch)) callbacks++;
    if (!io->node->crashed && !io->node->exiting) run_hooks(io);
    io->stats.turns++;
    int64_t cost = BATCH_BASE_NS + (int64_t)callbacks * CALLBACK_NS;
    io->free_at = world->now + (io->node->slow_until > world->now ? cost * io->node->slow_factor : cost);
}

static void loop_main(void *arg) {
    struct io *io = arg;
    for (;;) {
        run_batch(io);
        context_switch(&io->context, &io->outside);
    }
}

static void loop_step(struct world *world, struct event *event) {
    struct io *io = CONTAINER_OF(event, struct io, step);
    struct io_node *node = io->node;
    if (node->paused_until > world->now) {
        event_schedule(world, &io->step, node->paused_until);
        return;
    }
    io->now = node_mono(node);
    if (!io->stack) {
        io->stack = stack_take(world, LOOP_STACK);
        context_make(&io->context, io->stack, LOOP_STACK, loop_main, io);
    }
    sim_enter(node, io, NULL);
    io->running = true;
    context_switch(&io->outside, &io->context);
    io->running = false;
    sim_leave();
    if (node->crashed || node->exiting) {
        node_settle(node);
        return;
    }
    io->stats.enters++;
    timer_arm(io);
    bool due = io->timers.count && deadline_of(io->timers.items[0]) <= io->now;
    if (io->ready.count || deferred_left(io) || posts_here(io) || due || !list_empty(&io->armed)) loop_wake(io);
}

void loop_wake(struct io *io) {
    struct world *world = io->node->world;
    if (event_scheduled(&io->step)) return;
    struct prng *prng = &world->streams[PRNG_SCHEDULE];
    int64_t late = prng_range(prng, 0, 3 * SIM_US);
    if (fault_strikes(world, FAULT_LATE_LOOP, PRNG_SCHEDULE, 2000)) late += prng_skewed(prng, 0, 20 * SIM_MS);
    int64_t from = io->free_at > world->now ? io->free_at : world->now;
    event_schedule(world, &io->step, from + late);
}

/* ---- cancellation ---- */

static bool too_late(struct io *io) { return fault_strikes(io->node->world, FAULT_CANCEL_LOST, PRNG_CANCEL, 400000); }

/* Ops that take effect at one moment: either that moment still comes, or it never does. */
static void cancel_scheduled(struct io *io, struct io_op *op) {
    if (too_late(io)) return;
    op_detach(io, op);
    file_op_abandon(io, op);
    op_complete(io, op, -IO_ECANCELED);
}

void io_cancel(struct io *io, struct io_op *op) {
    if (!op->busy || OP_STATE(op) == OP_SWALLOWED || node_boundary(io->node)) return;
    CHECK(OP_PTR(op, 5) == io);
    trace_event(io->node, io->index, SIM_cancel, false, op->sequence, (int64_t)op->kind, 0);
    switch (op->kind) {
    case SIM_timer:
        if (OP_STATE(op) != OP_TIMER || (deadline_of(op) <= io->now && too_late(io))) return;
        op_detach(io, op);
        timer_arm(io);
        op_complete(io, op, -IO_ECANCELED);
        return;
    case SIM_defer:
        if (OP_STATE(op) != OP_DEFERRED || too_late(io)) return;
        op_detach(io, op);
        op_complete(io, op, -IO_ECANCELED);
        return;
    case SIM_accept:
    case SIM_connect:
    case SIM_recv:
    case SIM_send:
        net_cancel(io, op);
        return;
    case SIM_sock_close:
    case SIM_close:
        return;
    case SIM_helper_run:
        helper_cancel(io, op);
        return;
    case SIM_signals:
        op_detach(io, op);
        op_complete(io, op, -IO_ECANCELED);
        return;
    default:
        if (OP_STATE(op) == OP_HEAP) cancel_scheduled(io, op);
    }
}

/* ---- signals ---- */

static void signals_ready(struct io_node *node) {
    for (unsigned i = 0; i < node->loop_count; i++) {
        struct io *io = node->loops[i];
        if (io->signal_op && OP_STATE(io->signal_op) == OP_WAITING) op_ready(io, io->signal_op);
    }
}

void io_signals(struct io *io, struct io_op *op) {
    CHECK(!io->signal_op);
    if (!op_submit(io, op, SIM_signals, 0)) return;
    io->signal_op = op;
    if (io->node->signal_count) signals_ready(io->node);
}

void world_signal(struct world *world, unsigned index, int signal) {
    struct io_node *node = world_node_at(world, index);
    if (node->state != NODE_RUNNING) return;
    trace_event(node, 0, SIM_signal, false, 0, signal, 0);
    if (node->signal_count == ARRAY_LEN(node->signals_pending)) return;
    node->signals_pending[node->signal_count++] = (uint32_t)signal;
    signals_ready(node);
}
