/* Channels and select. */
#include "fiber_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fiber/channel.h"
#include "fiber/wait_group.h"

struct side {
    struct io *io;
    struct ctx *ctx;
    struct channel *channel;
    int first, count, step;
    int64_t result;
    int got[64], got_count;
    struct wait_group *group;
};

static void produce(void *arg) {
    struct side *side = arg;
    for (int i = 0; i < side->count && side->result == 0; i++) {
        int value = side->first + i;
        side->result = channel_send(side->io, side->ctx, side->channel, &value);
        if (side->step) fiber_yield(side->io);
    }
    wait_group_done(side->group);
}

static void consume(void *arg) {
    struct side *side = arg;
    int value;
    while ((side->result = channel_receive(side->io, side->ctx, side->channel, &value)) == 1) {
        CHECK(side->got_count < 64);
        side->got[side->got_count++] = value;
    }
    wait_group_done(side->group);
}

static void side_go(struct side *side, struct wait_group *group, fiber_fn *fn) {
    side->group = group;
    wait_group_add(group, 1);
    fiber_go(side->io, "side", fn, side);
}

static void pass_items(struct io *io, unsigned capacity, int yields) {
    struct channel channel;
    struct wait_group producers = {0}, consumers = {0};
    channel_init(&channel, sizeof(int), capacity);
    struct side from = {.io = io, .channel = &channel, .first = 100, .count = 50, .step = yields};
    struct side to = {.io = io, .channel = &channel};
    side_go(&to, &consumers, consume);
    side_go(&from, &producers, produce);
    CHECK(wait_group_wait(io, NULL, &producers) == 0 && from.result == 0);
    channel_close(&channel);
    CHECK(wait_group_wait(io, NULL, &consumers) == 0 && to.result == 0);
    CHECK(to.got_count == 50);
    for (int i = 0; i < 50; i++) CHECK(to.got[i] == 100 + i);
    channel_fini(&channel);
}

static void items_keep_their_order_body(struct io *io) {
    for (unsigned capacity = 0; capacity < 4; capacity++)
        for (int yields = 0; yields < 2; yields++) pass_items(io, capacity, yields);
}
static void items_keep_their_order(void **state) { (void)state, fiber_run(items_keep_their_order_body); }

static void a_full_channel_holds_its_sender_body(struct io *io) {
    struct channel channel;
    struct wait_group group = {0};
    channel_init(&channel, sizeof(int), 3);
    struct side from = {.io = io, .channel = &channel, .count = 5};
    side_go(&from, &group, produce);
    for (int i = 0; i < 10; i++) fiber_yield(io);
    CHECK(channel.count == 3 && group.count == 1);
    int value = -1;
    CHECK(channel_try_send(&channel, &value) == -IO_ELOCKED);
    for (int i = 0; i < 5; i++) {
        CHECK(channel_receive(io, NULL, &channel, &value) == 1 && value == i);
    }
    CHECK(channel_try_receive(&channel, &value) == -IO_ELOCKED);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    channel_close(&channel);
    channel_fini(&channel);
}
static void a_full_channel_holds_its_sender(void **state) { (void)state, fiber_run(a_full_channel_holds_its_sender_body); }

static void waiters_are_served_in_order_body(struct io *io) {
    struct channel channel;
    struct wait_group group = {0};
    channel_init(&channel, sizeof(int), 0);
    struct side sides[3];
    for (int i = 0; i < 3; i++) {
        sides[i] = (struct side){.io = io, .channel = &channel, .first = i, .count = 1};
        side_go(&sides[i], &group, produce);
        fiber_yield(io);
    }
    for (int i = 0; i < 3; i++) {
        int value;
        CHECK(channel_receive(io, NULL, &channel, &value) == 1 && value == i);
    }
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    channel_fini(&channel);
}
static void waiters_are_served_in_order(void **state) { (void)state, fiber_run(waiters_are_served_in_order_body); }

static void closing_ends_waits_body(struct io *io) {
    struct channel empty, full;
    struct wait_group group = {0};
    channel_init(&empty, sizeof(int), 1);
    channel_init(&full, sizeof(int), 1);
    struct side to = {.io = io, .channel = &empty}, from = {.io = io, .channel = &full, .count = 5};
    side_go(&to, &group, consume);
    side_go(&from, &group, produce);
    for (int i = 0; i < 5; i++) fiber_yield(io);
    channel_close(&empty);
    channel_close(&full);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    CHECK(to.result == 0 && from.result == -IO_EPIPE);
    int value = 0;
    CHECK(channel_send(io, NULL, &empty, &value) == -IO_EPIPE);
    CHECK(channel_receive(io, NULL, &full, &value) == 1 && value == 0);
    CHECK(channel_receive(io, NULL, &full, &value) == 0);
    channel_fini(&empty);
    channel_fini(&full);
}
static void closing_ends_waits(void **state) { (void)state, fiber_run(closing_ends_waits_body); }

static void contexts_end_waits_body(struct io *io) {
    struct channel channel;
    struct wait_group group = {0};
    struct ctx ctx;
    channel_init(&channel, sizeof(int), 0);
    ctx_init(io, &ctx, NULL);
    struct side to = {.io = io, .ctx = &ctx, .channel = &channel};
    side_go(&to, &group, consume);
    for (int i = 0; i < 3; i++) fiber_yield(io);
    ctx_cancel(&ctx);
    /* The receiver has ended in its context, though it did not run yet: nothing must be handed to it. */
    int value = 1;
    CHECK(channel_try_send(&channel, &value) == -IO_ELOCKED);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    CHECK(to.result == -IO_ECANCELED && to.got_count == 0);
    CHECK(channel_send(io, &ctx, &channel, &value) == -IO_ECANCELED);
    ctx_close(&ctx);
    channel_fini(&channel);
}
static void contexts_end_waits(void **state) { (void)state, fiber_run(contexts_end_waits_body); }

static void select_takes_the_first_ready_body(struct io *io) {
    struct channel a, b;
    int in = 7, out = 0, other = 0;
    channel_init(&a, sizeof(int), 1);
    channel_init(&b, sizeof(int), 1);
    struct channel_case cases[] = {CASE_RECEIVE(&a, &out), CASE_RECEIVE(&b, &other), CASE_RECEIVE(NULL, &out)};
    CHECK(channel_select(io, NULL, cases, 3, io_now(io)) == -IO_ETIMEDOUT);
    CHECK(channel_try_send(&b, &in) == 0);
    CHECK(channel_select(io, NULL, cases, 3, FOREVER) == 1 && cases[1].result == 1 && other == 7);
    CHECK(channel_try_send(&a, &in) == 0 && channel_try_send(&b, &in) == 0);
    CHECK(channel_select(io, NULL, cases, 3, FOREVER) == 0 && out == 7 && b.count == 1);
    int64_t now = io_now(io);
    CHECK(channel_try_receive(&b, &out) == 1);
    CHECK(channel_select(io, NULL, cases, 3, now + 3 * MILLISECOND) == -IO_ETIMEDOUT);
    CHECK(io_now(io) >= now + 3 * MILLISECOND);
    channel_close(&b);
    CHECK(channel_select(io, NULL, cases, 3, FOREVER) == 1 && cases[1].result == 0);
    channel_fini(&a);
    channel_fini(&b);
}
static void select_takes_the_first_ready(void **state) { (void)state, fiber_run(select_takes_the_first_ready_body); }

struct chooser {
    struct io *io;
    struct channel *in, *out, *stop;
    int sent, received, sum;
    struct wait_group *group;
};

/* Sends and receives as either becomes possible, until stop is closed. */
static void choose_loop(void *arg) {
    struct chooser *chooser = arg;
    int in, out, none;
    for (;;) {
        out = chooser->sent;
        struct channel_case cases[] = {CASE_RECEIVE(chooser->stop, &none), CASE_RECEIVE(chooser->in, &in),
                                       CASE_SEND(chooser->out, &out)};
        int64_t chosen = channel_select(chooser->io, NULL, cases, 3, FOREVER);
        if (chosen == 0) break;
        if (chosen == 1) chooser->received++, chooser->sum += in;
        if (chosen == 2) chooser->sent++;
    }
    wait_group_done(chooser->group);
}

static void select_sends_and_receives_body(struct io *io) {
    struct channel in, out, stop;
    struct wait_group group = {0};
    channel_init(&in, sizeof(int), 0);
    channel_init(&out, sizeof(int), 0);
    channel_init(&stop, sizeof(int), 0);
    struct chooser chooser = {.io = io, .in = &in, .out = &out, .stop = &stop, .group = &group};
    wait_group_add(&group, 1);
    fiber_go(io, "chooser", choose_loop, &chooser);
    for (int i = 0; i < 30; i++) {
        int value = i;
        if (i % 3 == 0) {
            CHECK(channel_receive(io, NULL, &out, &value) == 1 && value == i / 3);
        } else {
            CHECK(channel_send(io, NULL, &in, &value) == 0);
        }
    }
    channel_close(&stop);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    CHECK(chooser.sent == 10 && chooser.received == 20);
    channel_fini(&in);
    channel_fini(&out);
    channel_fini(&stop);
}
static void select_sends_and_receives(void **state) { (void)state, fiber_run(select_sends_and_receives_body); }

/* One fiber waits on both ends of one channel: it must not serve itself. */
static void a_select_does_not_meet_itself_body(struct io *io) {
    struct channel channel;
    int in = 1, out = 0;
    channel_init(&channel, sizeof(int), 0);
    struct channel_case cases[] = {CASE_SEND(&channel, &in), CASE_RECEIVE(&channel, &out)};
    CHECK(channel_select(io, NULL, cases, 2, io_now(io) + MILLISECOND) == -IO_ETIMEDOUT);
    CHECK(out == 0);
    channel_fini(&channel);
}
static void a_select_does_not_meet_itself(void **state) { (void)state, fiber_run(a_select_does_not_meet_itself_body); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_keep_their_order),
        cmocka_unit_test(a_full_channel_holds_its_sender),
        cmocka_unit_test(waiters_are_served_in_order),
        cmocka_unit_test(closing_ends_waits),
        cmocka_unit_test(contexts_end_waits),
        cmocka_unit_test(select_takes_the_first_ready),
        cmocka_unit_test(select_sends_and_receives),
        cmocka_unit_test(a_select_does_not_meet_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
