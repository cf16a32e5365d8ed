/* Loops: starting them, messages between them, and the end of the node (C2, C5). */
#include "contract.h"

enum { LOOPS = 3, PER_SENDER = 500 };

struct collector {
    unsigned next[LOOPS + 1];       /* by sender */
    unsigned total, out_of_order, expected, wrong_loop;
    struct fiber *waiter;
};

struct numbered {
    struct io_msg msg;
    unsigned sender, number;
    struct collector *collector;
};

static void collect(struct io *io, struct io_msg *msg) {
    struct numbered *numbered = CONTAINER_OF(msg, struct numbered, msg);
    struct collector *collector = numbered->collector;
    if (io_loop_index(io) != 0) collector->wrong_loop++;
    if (collector->next[numbered->sender]++ != numbered->number) collector->out_of_order++;
    collector->total++;
    mem_free(numbered);
    if (collector->total == collector->expected) fiber_wake(io, collector->waiter);
}

static void post_numbered(struct io *io, struct collector *collector, unsigned sender, unsigned number) {
    struct numbered *numbered = MEM_NEW(struct numbered);
    *numbered = (struct numbered){.msg.receive = collect, .sender = sender, .number = number, .collector = collector};
    io_post(io, 0, &numbered->msg);
}

/* Half of the messages at once, and the rest one a batch. */
struct sender {
    struct io_op op;
    struct collector *collector;
    unsigned sent;
};

static void send_next(struct io *io, struct io_op *op) {
    struct sender *sender = CONTAINER_OF(op, struct sender, op);
    do {
        post_numbered(io, sender->collector, io_loop_index(io), sender->sent++);
    } while (sender->sent < PER_SENDER / 2);
    if (sender->sent < PER_SENDER)
        io_defer(io, op);
    else
        mem_free(sender);
}

static void sender_start(struct io *io, void *arg) {
    struct sender *sender = MEM_NEW(struct sender);
    *sender = (struct sender){.op.done = send_next, .collector = arg};
    CHECK(io_slot(io, IO_SLOT_TEST) == NULL);
    io_set_slot(io, IO_SLOT_TEST, io);
    io_defer(io, &sender->op);
}

static void messages_of_each_sender_keep_their_order(struct io *io) {
    struct collector collector = {.expected = LOOPS * PER_SENDER, .waiter = fiber_current(io)};
    EXPECT(io, "the first loop is 0", io_loop_index(io) == 0 && io_loop_count(io) == 1);
    io_set_slot(io, IO_SLOT_TEST, &collector);
    for (unsigned i = 1; i <= LOOPS; i++) say(io, "  started loop %u", io_loop_start(io, sender_start, &collector));
    say(io, "  loops: %u", io_loop_count(io));
    fiber_park(io);
    say(io, "  received %u, out of order %u", collector.total, collector.out_of_order);
    EXPECT(io, "slots are a loop's own", io_slot(io, IO_SLOT_TEST) == &collector);
    io_set_slot(io, IO_SLOT_TEST, NULL);
}

static void a_loop_posts_to_itself(struct io *io) {
    struct collector collector = {.expected = 100, .waiter = fiber_current(io)};
    for (unsigned i = 0; i < 100; i++) post_numbered(io, &collector, 0, i);
    EXPECT(io, "never at once", collector.total == 0);
    fiber_park(io);
    say(io, "  received %u, out of order %u", collector.total, collector.out_of_order);
}

struct ball {
    struct io_msg msg;
    unsigned left, seen[LOOPS + 1];
    struct fiber *waiter;
};

static void pass(struct io *io, struct io_msg *msg) {
    struct ball *ball = CONTAINER_OF(msg, struct ball, msg);
    ball->seen[io_loop_index(io)]++;
    if (ball->left == 0) {
        fiber_wake(io, ball->waiter);
        return;
    }
    ball->left--;
    io_post(io, (io_loop_index(io) + 1) % io_loop_count(io), msg);
}

static void a_message_goes_round(struct io *io) {
    struct ball ball = {.msg.receive = pass, .left = 1000, .waiter = fiber_current(io)};
    io_post(io, 0, &ball.msg);
    fiber_park(io);
    for (unsigned i = 0; i <= LOOPS; i++) say(io, "  loop %u saw it %u times", i, ball.seen[i]);
}

/* Messages that are posted before a loop runs wait for it. */
struct early {
    struct io_msg msg;
    bool *started;
    struct fiber *waiter;
    bool in_order, back;
};

static void early_receive(struct io *io, struct io_msg *msg) {
    struct early *early = CONTAINER_OF(msg, struct early, msg);
    if (early->back) {
        fiber_wake(io, early->waiter);
        return;
    }
    early->in_order = *early->started;
    early->back = true;
    io_post(io, 0, msg);
}

static void early_start(struct io *io, void *arg) {
    (void)io;
    *(bool *)arg = true;
}

static void messages_wait_for_a_loop_to_run(struct io *io) {
    bool started = false;
    struct early early = {.msg.receive = early_receive, .started = &started, .waiter = fiber_current(io)};
    unsigned loop = io_loop_start(io, early_start, &started);
    io_post(io, loop, &early.msg);
    fiber_park(io);
    EXPECT(io, "start ran before the first message", early.in_order);
}

/* An idle loop wakes for a message, and one that sleeps until a timer too. */
struct delayed {
    struct io_msg msg;
    struct io_op op;
    struct fiber *waiter;
    int visits;
};

static void delayed_fired(struct io *io, struct io_op *op) {
    struct delayed *delayed = CONTAINER_OF(op, struct delayed, op);
    io_post(io, 0, &delayed->msg);
}

static void delayed_receive(struct io *io, struct io_msg *msg) {
    struct delayed *delayed = CONTAINER_OF(msg, struct delayed, msg);
    if (io_loop_index(io) == 0) {
        fiber_wake(io, delayed->waiter);
        return;
    }
    delayed->visits++;
    delayed->op = (struct io_op){.done = delayed_fired};
    io_timer(io, &delayed->op, io_now(io) + 3 * MS);
}

static void sleeping_loops_wake_for_messages(struct io *io) {
    struct delayed delayed = {.msg.receive = delayed_receive, .waiter = fiber_current(io)};
    for (int i = 0; i < 10; i++) {
        sleep_ms(io, 5);
        io_post(io, 1 + (unsigned)i % LOOPS, &delayed.msg);
        fiber_park(io);
    }
    say(io, "  visits: %d", delayed.visits);
}

/* The last scenario: another loop ends the node, and nothing runs on this one after that. */
static void end_node(struct io *io, struct io_msg *msg) {
    (void)msg;
    io_exit(io, 0);
    io_exit(io, 3);      /* the first one counts */
}

static void any_loop_ends_the_node(struct io *io) {
    static struct io_msg msg = {.receive = end_node};
    io_post(io, 2, &msg);
    for (;;) fiber_yield(io);
}

static const struct scenario scenarios[] = {
    {"messages of each sender keep their order", messages_of_each_sender_keep_their_order},
    {"a loop posts to itself", a_loop_posts_to_itself},
    {"a message goes round", a_message_goes_round},
    {"messages wait for a loop to run", messages_wait_for_a_loop_to_run},
    {"sleeping loops wake for messages", sleeping_loops_wake_for_messages},
    {"any loop ends the node", any_loop_ends_the_node},
};
CONTRACT_MAIN(scenarios)
