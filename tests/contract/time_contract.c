/* Timers, deferred calls, hooks, cancellation, and the life of an op (C1-C5, C7, C9). */
#include "contract.h"

enum { MANY = 2000 };

static void timers_fire_by_deadline_then_submission(struct io *io) {
    static const struct {
        const char *name;
        int64_t ms;
    } plan[] = {{"3 ms", 3}, {"1 ms, first", 1}, {"2 ms", 2}, {"1 ms, second", 1}, {"in the past", -5}};
    struct probe probes[ARRAY_LEN(plan)];
    int64_t now = io_now(io);
    for (unsigned i = 0; i < ARRAY_LEN(plan); i++) {
        probe_init(&probes[i], plan[i].name);
        PROBE(&probes[i], io_timer(io, &probes[i].op, now + plan[i].ms * MS));
    }
    for (unsigned i = 0; i < ARRAY_LEN(plan); i++) probe_wait(io, &probes[i]);
}

static void a_timer_never_fires_early(struct io *io) {
    for (int i = 0; i < 5; i++) {
        int64_t deadline = io_now(io) + i * MS / 3;
        fiber_sleep_until(io, deadline);
        EXPECT(io, "now is not before the deadline", io_now(io) >= deadline);
    }
}

struct many {
    struct io_op op;
    int64_t deadline;
    unsigned index;
    struct many_log *log;
};
struct many_log {
    struct many ops[MANY];
    unsigned fired, canceled, order_broken;
    struct many *last;
    struct fiber *waiter;
};

static void many_done(struct io *io, struct io_op *op) {
    struct many *self = CONTAINER_OF(op, struct many, op);
    struct many_log *log = self->log;
    if (op->result == -IO_ECANCELED) {
        log->canceled++;
    } else {
        log->fired++;
        struct many *last = log->last;
        bool ordered = !last || last->deadline < self->deadline ||
                       (last->deadline == self->deadline && last->index < self->index);
        if (!ordered) log->order_broken++;
        log->last = self;
    }
    if (log->fired + log->canceled == MANY) fiber_wake(io, log->waiter);
}

static void many_timers_keep_their_order(struct io *io) {
    struct many_log *log = MEM_NEW(struct many_log);
    log->waiter = fiber_current(io);
    uint32_t random = 12345;
    int64_t now = io_now(io);
    for (unsigned i = 0; i < MANY; i++) {
        struct many *self = &log->ops[i];
        random = random * 1664525 + 1013904223;
        *self = (struct many){.op.done = many_done, .index = i, .log = log};
        self->deadline = now + 20 * MS + (int64_t)(random >> 20) % 97 * (MS / 10);
        io_timer(io, &self->op, self->deadline);
    }
    for (unsigned i = 0; i < MANY; i += 3) io_cancel(io, &log->ops[i].op);
    fiber_park(io);
    say(io, "  fired %u, canceled %u, out of order %u", log->fired, log->canceled, log->order_broken);
    mem_free(log);
}

static void deferred_calls_are_first_in_first_out(struct io *io) {
    static const char *const names[] = {"a", "b", "c"};
    struct probe probes[3];
    for (int i = 0; i < 3; i++) {
        probe_init(&probes[i], names[i]);
        PROBE(&probes[i], io_defer(io, &probes[i].op));
    }
    say(io, "  submitted");
    for (int i = 0; i < 3; i++) probe_wait(io, &probes[i]);
}

struct again {
    struct io_op op;
    int left;
    struct fiber *waiter;
};

static void again_done(struct io *io, struct io_op *op) {
    struct again *again = CONTAINER_OF(op, struct again, op);
    say(io, "  done, %d left", again->left);
    if (again->left-- == 0)
        fiber_wake(io, again->waiter);
    else if (again->left % 2)
        io_defer(io, op);
    else
        io_timer(io, op, io_now(io) - 1);
}

static void an_op_is_submitted_again_from_its_own_done(struct io *io) {
    struct again again = {.op.done = again_done, .left = 5, .waiter = fiber_current(io)};
    io_defer(io, &again.op);
    fiber_park(io);
}

static void canceling_a_timer(struct io *io) {
    struct probe probe;
    probe_init(&probe, "timer");
    io_timer(io, &probe.op, io_now(io) + 3600000 * MS);
    PROBE(&probe, io_cancel(io, &probe.op));
    EXPECT(io, "cancel only asks", probe.op.busy);
    io_cancel(io, &probe.op);
    probe_wait(io, &probe);
    EXPECT(io, "done ran once", probe.calls == 1 && probe.finals == 1);
    io_cancel(io, &probe.op);
    EXPECT(io, "canceling an idle op has no effect", !probe.op.busy && probe.calls == 1);
}

static void a_canceled_op_serves_again(struct io *io) {
    struct probe probe;
    probe_init(&probe, "op");
    io_timer(io, &probe.op, io_now(io) + 3600000 * MS);
    io_cancel(io, &probe.op);
    probe_wait(io, &probe);
    io_timer(io, &probe.op, io_now(io) + MS);
    probe_wait(io, &probe);
}

static void canceling_what_is_due(struct io *io) {
    struct probe timer, defer;
    probe_init(&timer, NULL);
    probe_init(&defer, NULL);
    io_timer(io, &timer.op, io_now(io) - 1);
    io_defer(io, &defer.op);
    io_cancel(io, &timer.op);
    io_cancel(io, &defer.op);
    int64_t a = probe_wait(io, &timer), b = probe_wait(io, &defer);
    EXPECT(io, "the timer has fired or is canceled", a == 0 || a == -IO_ECANCELED);
    EXPECT(io, "the call has run or is canceled", b == 0 || b == -IO_ECANCELED);
    EXPECT(io, "each ended once", timer.calls == 1 && defer.calls == 1);
}

struct batch {
    struct io_op ops[3];
    int64_t now[3], wall[3];
    unsigned count;
    struct fiber *waiter;
};

static void batch_done(struct io *io, struct io_op *op) {
    struct batch *batch = op->ctx;
    batch->now[batch->count] = io_now(io);
    for (volatile int spin = 0; spin < 1000000; spin++) {}
    CHECK(io_now(io) == batch->now[batch->count]);
    if (++batch->count == 3) fiber_wake(io, batch->waiter);
}

static void now_is_constant_within_a_batch(struct io *io) {
    struct batch batch = {.waiter = fiber_current(io)};
    for (int i = 0; i < 3; i++) {
        batch.ops[i] = (struct io_op){.done = batch_done, .ctx = &batch};
        io_defer(io, &batch.ops[i]);
    }
    fiber_park(io);
    EXPECT(io, "one time for a batch, or later ones", batch.now[0] <= batch.now[1] && batch.now[1] <= batch.now[2]);
    EXPECT(io, "time does not go back", io_now(io) >= batch.now[2]);
    EXPECT(io, "time is positive", io_now(io) > 0 && io_wall(io) > 0);
}

struct hooked {
    struct io_hook hook;
    struct probe timer;
    unsigned runs, again;
};

static void hooked_run(struct io *io, struct io_hook *hook) {
    struct hooked *hooked = CONTAINER_OF(hook, struct hooked, hook);
    hooked->runs++;
    say(io, "  hook runs");
    if (hooked->again && hooked->again--) io_hook_arm(io, hook);
}

static void hooks_run_before_the_loop_sleeps(struct io *io) {
    struct hooked hooked = {.hook.run = hooked_run, .again = 1};
    probe_init(&hooked.timer, "timer");
    io_timer(io, &hooked.timer.op, io_now(io) + 1000 * MS);
    io_hook_arm(io, &hooked.hook);
    io_hook_arm(io, &hooked.hook);
    say(io, "  armed");
    probe_wait(io, &hooked.timer);
    sleep_ms(io, 2);
    EXPECT(io, "it ran once for each arming", hooked.runs == 2);
}

static const struct scenario scenarios[] = {
    {"timers fire by deadline, then submission", timers_fire_by_deadline_then_submission},
    {"a timer never fires early", a_timer_never_fires_early},
    {"many timers keep their order", many_timers_keep_their_order},
    {"deferred calls are first in, first out", deferred_calls_are_first_in_first_out},
    {"an op is submitted again from its own done", an_op_is_submitted_again_from_its_own_done},
    {"canceling a timer", canceling_a_timer},
    {"a canceled op serves again", a_canceled_op_serves_again},
    {"canceling what is due", canceling_what_is_due},
    {"now is constant within a batch", now_is_constant_within_a_batch},
    {"hooks run before the loop sleeps", hooks_run_before_the_loop_sleeps},
};
CONTRACT_MAIN(scenarios)
