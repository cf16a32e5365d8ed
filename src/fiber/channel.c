/* channel: rendezvous of cases. A send and a receive are selects with one case. */
#include "fiber/channel.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* A select that waits: its cases are in the queues of their channels. */
struct channel_select {
    struct fiber_wait wait;
    struct channel_case *cases;
    unsigned count;
};

void channel_init(struct channel *channel, size_t item_size, unsigned capacity) {
    CHECK(item_size > 0);
    *channel = (struct channel){.item_size = item_size, .capacity = capacity};
    list_init(&channel->senders);
    list_init(&channel->receivers);
    if (capacity) channel->items = mem_alloc(capacity * item_size);
}

void channel_fini(struct channel *channel) {
    CHECKF(list_empty(&channel->senders) && list_empty(&channel->receivers), "somebody waits on a channel");
    mem_free(channel->items);
    *channel = (struct channel){0};
}

static void push(struct channel *channel, const void *item) {
    unsigned at = (channel->first + channel->count++) % channel->capacity;
    memcpy(channel->items + at * channel->item_size, item, channel->item_size);
}

static void pop(struct channel *channel, void *out) {
    memcpy(out, channel->items + channel->first * channel->item_size, channel->item_size);
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
}

/* The first waiting case that can still be chosen, chosen: it leaves all its queues. NULL when there is none. */
static struct channel_case *choose(struct list *queue, int64_t result) {
    for (struct list *node; (node = list_pop_front(queue));) {
        struct channel_case *chosen = LIST_ENTRY(node, struct channel_case, link);
        struct channel_select *select = chosen->select;
        if (!fiber_wait_end(&select->wait, chosen - select->cases)) continue;
        for (unsigned i = 0; i < select->count; i++) list_remove(&select->cases[i].link);
        chosen->result = result;
        return chosen;
    }
    return NULL;
}

int64_t channel_try_send(struct channel *channel, const void *item) {
    if (channel->closed) return -IO_EPIPE;
    struct channel_case *receiver = choose(&channel->receivers, 1);
    if (receiver) {
        memcpy(receiver->item, item, channel->item_size);
        return 0;
    }
    if (channel->count == channel->capacity) return -IO_ELOCKED;
    push(channel, item);
    return 0;
}

int64_t channel_try_receive(struct channel *channel, void *out) {
    if (channel->count) {
        pop(channel, out);
        struct channel_case *sender = choose(&channel->senders, 0);
        if (sender) push(channel, sender->item);
        return 1;
    }
    struct channel_case *sender = choose(&channel->senders, 0);
    if (sender) {
        memcpy(out, sender->item, channel->item_size);
        return 1;
    }
    return channel->closed ? 0 : -IO_ELOCKED;
}

void channel_close(struct channel *channel) {
    CHECKF(!channel->closed, "a channel was closed twice");
    channel->closed = true;
    while (choose(&channel->receivers, 0)) {}
    while (choose(&channel->senders, -IO_EPIPE)) {}
}

static bool try_case(struct channel_case *branch) {
    if (!branch->channel) return false;
    branch->result = branch->op == CHANNEL_SEND ? channel_try_send(branch->channel, branch->item)
                                                : channel_try_receive(branch->channel, branch->item);
    return branch->result != -IO_ELOCKED;
}

static int64_t wait_for_one(struct io *io, struct ctx *ctx, struct channel_case *cases, unsigned count,
                            int64_t deadline) {
    struct channel_select select = {.cases = cases, .count = count};
    fiber_wait_begin(io, &select.wait);
    for (unsigned i = 0; i < count; i++) {
        struct channel_case *branch = &cases[i];
        branch->select = &select;
        branch->link = (struct list){0};
        if (!branch->channel) continue;
        list_push_back(branch->op == CHANNEL_SEND ? &branch->channel->senders : &branch->channel->receivers,
                       &branch->link);
    }
    int64_t chosen = fiber_wait(io, &select.wait, ctx, deadline);
    for (unsigned i = 0; i < count; i++) list_remove(&cases[i].link);
    return chosen;
}

int64_t channel_select(struct io *io, struct ctx *ctx, struct channel_case *cases, unsigned count, int64_t deadline) {
    int64_t error = ctx_error(ctx);
    if (error) return error;
    for (unsigned i = 0; i < count; i++)
        if (try_case(&cases[i])) return i;
    return wait_for_one(io, ctx, cases, count, deadline);
}

static int64_t only_case(struct io *io, struct ctx *ctx, struct channel_case branch) {
    int64_t chosen = channel_select(io, ctx, &branch, 1, FOREVER);
    return chosen < 0 ? chosen : branch.result;
}

int64_t channel_send(struct io *io, struct ctx *ctx, struct channel *channel, const void *item) {
    return only_case(io, ctx, CASE_SEND(channel, (void *)(uintptr_t)item));
}

int64_t channel_receive(struct io *io, struct ctx *ctx, struct channel *channel, void *out) {
    return only_case(io, ctx, CASE_RECEIVE(channel, out));
}
