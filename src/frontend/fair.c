/* fair: turns of namespaces under load. */
#include "frontend/fair.h"

#include <string.h>

#include "base/mark.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "shard/api.h"

struct turn {
    struct map_node node;             /* fair.queues */
    struct list link;                 /* fair.turns */
    struct fair *fair;
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    struct list calls;                /* the oldest first */
    unsigned count;
    uint64_t bytes;                   /* of their requests */
};

static bool of_namespace(const struct map_node *node, const void *id) {
    return memcmp(CONTAINER_OF(node, struct turn, node)->namespace_id, id, NAMESPACE_ID_LEN) == 0;
}

static struct turn *find_or_make(struct fair *fair, const uint8_t *id) {
    uint64_t hash = hash64(id, NAMESPACE_ID_LEN);
    struct map_node *node = map_find(&fair->queues, hash, of_namespace, id);
    if (node) return CONTAINER_OF(node, struct turn, node);
    struct turn *turn = MEM_NEW(struct turn);
    turn->fair = fair;
    memcpy(turn->namespace_id, id, NAMESPACE_ID_LEN);
    list_init(&turn->calls);
    map_insert(&fair->queues, &turn->node, hash);
    list_push_back(&fair->turns, &turn->link);
    return turn;
}

static void take_out(struct turn *turn, struct call *call) {
    struct fair *fair = turn->fair;
    list_remove(&call->link);
    call->waiter = NULL;
    call->on_cancel = NULL;
    fair->waiting--;
    turn->bytes -= call->request_bytes.len;
    if (--turn->count) return;
    list_remove(&turn->link);
    map_remove(&fair->queues, &turn->node);
    mem_free(turn);
}

static void cancelled(struct call *call) {
    take_out(call->waiter, call);
    call_fail(call, STATUS_CANCELLED, "the client went away");
}

/* Never of an empty queue: one request alone may be as large as net lets in. */
static bool is_full(const struct turn *turn, const struct call *call) {
    return turn->count >= FAIR_WAITING_MAX ||
           (turn->count && turn->bytes + call->request_bytes.len > FAIR_BYTES_MAX);
}

static void wait_for_turn(struct fair *fair, struct call *call, bool must) {
    struct turn *turn = find_or_make(fair, call->ns->id);
    if (!must && is_full(turn, call)) {
        fair->refused++;
        call_fail_status(call, status_exhausted(call->arena, EXHAUSTED_CAUSE(SYSTEM_OVERLOADED),
                                                EXHAUSTED_SCOPE(NAMESPACE), "namespace %s has %u calls with %llu bytes that"
                                                " wait for their turn on this server; try again later", call->ns->name,
                                                turn->count, (unsigned long long)turn->bytes));
        return;
    }
    list_push_back(&turn->calls, &call->link);
    call->waiter = turn;
    call->on_cancel = cancelled;
    turn->count++;
    turn->bytes += call->request_bytes.len;
    fair->waiting++;
}

void fair_take(struct fair *fair, struct call *call, bool must) {
    io_hook_arm(fair->io, &fair->hook);
    if (fair->waiting || fair->ran >= FAIR_BATCH || nudge(NUDGE_TURN_WAITS)) {
        wait_for_turn(fair, call, must);
        return;
    }
    fair->ran++;
    fair->run(fair->ctx, call);
}

/* One call of the namespace whose turn it is, which then goes to the end. */
static void run_next(struct fair *fair) {
    struct turn *turn = LIST_ENTRY(fair->turns.next, struct turn, link);
    struct call *call = LIST_ENTRY(turn->calls.next, struct call, link);
    list_remove(&turn->link);
    list_push_back(&fair->turns, &turn->link);
    take_out(turn, call);
    fair->run(fair->ctx, call);
}

static void batch_over(struct io *io, struct io_hook *hook) {
    struct fair *fair = CONTAINER_OF(hook, struct fair, hook);
    fair->ran = 0;
    for (unsigned i = 0; i < FAIR_BATCH && fair->waiting && !(i && nudge(NUDGE_TURN_WAITS)); i++) run_next(fair);
    if (fair->waiting) io_hook_arm(io, &fair->hook);
}

void fair_init(struct fair *fair, struct io *io, void (*run)(void *ctx, struct call *call), void *ctx) {
    *fair = (struct fair){.io = io, .hook.run = batch_over, .run = run, .ctx = ctx};
    list_init(&fair->turns);
}

void fair_free(struct fair *fair) {
    CHECK(!fair->waiting);
    list_remove(&fair->hook.link);
    map_free(&fair->queues);
}
