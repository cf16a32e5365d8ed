/* channel: a bounded queue of items of one size between fibers of a loop, and select over several of them.
 *
 * Items are copied in and out. With capacity 0 a sender waits until a receiver takes the item from its hands. Waiting
 * senders and receivers are served first come, first served. After channel_close nothing can be sent, and what is queued
 * can still be received. */
#ifndef NORN_FIBER_CHANNEL_H
#define NORN_FIBER_CHANNEL_H

#include "fiber/wait.h"

struct channel {
    struct list senders, receivers;     /* waiting cases */
    uint8_t *items;
    size_t item_size;
    unsigned capacity, count, first;
    bool closed;
};

void channel_init(struct channel *channel, size_t item_size, unsigned capacity);
/* Frees what it holds; queued items are dropped. Nobody may wait on it. */
void channel_fini(struct channel *channel);

/* 0, -IO_EPIPE when the channel is closed, or the context's error. `item` is item_size bytes. */
int64_t channel_send(struct io *io, struct ctx *ctx, struct channel *channel, const void *item);
/* As channel_send, but with -IO_ELOCKED instead of waiting. */
int64_t channel_try_send(struct channel *channel, const void *item);
/* 1 with an item in *out; 0 when the channel is closed and empty; or the context's error. */
int64_t channel_receive(struct io *io, struct ctx *ctx, struct channel *channel, void *out);
/* As channel_receive, but with -IO_ELOCKED instead of waiting. */
int64_t channel_try_receive(struct channel *channel, void *out);
/* Once. Waiting receivers get 0, waiting senders -IO_EPIPE. */
void channel_close(struct channel *channel);

/* One branch of a select; `item` is read by a send and written by a receive. */
enum channel_op { CHANNEL_SEND, CHANNEL_RECEIVE };
struct channel_case {
    struct channel *channel;            /* NULL: never ready */
    enum channel_op op;
    void *item;
    int64_t result;                     /* of the chosen one, as of channel_send or channel_receive */
    struct list link;                   /* the rest is the select's */
    struct channel_select *select;
};
#define CASE_SEND(to, bytes) ((struct channel_case){.channel = (to), .op = CHANNEL_SEND, .item = (bytes)})
#define CASE_RECEIVE(from, bytes) ((struct channel_case){.channel = (from), .op = CHANNEL_RECEIVE, .item = (bytes)})

/* Does exactly one of the cases, the first that is ready in their order, and gives its index. When none is, it waits:
 * -IO_ETIMEDOUT at the deadline (FOREVER: none; a past one makes it a poll), or the context's error. A context that has
 * ended counts before the cases. */
int64_t channel_select(struct io *io, struct ctx *ctx, struct channel_case *cases, unsigned count, int64_t deadline);

#endif
