/* Many connections at once, with receives canceled and sockets closed in the midst: every op ends once, nothing is left
 * (C1, C3, C7). What is said is only what holds in every order of events. */
#include "contract.h"

enum { CLIENTS = 400, ROUNDS = 3, MESSAGES = 8, MESSAGE_MAX = 300, REPLY = 64 };

struct storm {
    struct io_sock listener;
    struct io_addr addr;
    struct io_op accept;
    uint32_t random;
    unsigned accepted, closed, clients_left, ended_twice, used_after_end;
    bool accept_ended;
    struct fiber *waiter;
};

/* One accepted connection. It is freed when its close has ended. */
struct serving {
    struct storm *storm;
    struct io_sock sock;
    struct io_op recv, send, close;
    struct iovec iov;
    uint8_t reply[REPLY];
    bool receiving, sending, closing;
};

static unsigned draw(struct storm *storm, unsigned below) {
    storm->random = storm->random * 1664525 + 1013904223;
    return (storm->random >> 8) % below;
}

static void serving_closed(struct io *io, struct io_op *op) {
    struct serving *serving = op->ctx;
    struct storm *storm = serving->storm;
    storm->used_after_end += serving->receiving || serving->sending;
    storm->closed++;
    mem_free(serving);
    if (storm->waiter) fiber_wake(io, storm->waiter);
}

static void serving_close(struct io *io, struct serving *serving) {
    if (serving->closing) return;
    serving->closing = true;
    serving->close = (struct io_op){.done = serving_closed, .ctx = serving};
    io_sock_close(io, &serving->close, serving->sock);
}

static void replied(struct io *io, struct io_op *op) {
    struct serving *serving = op->ctx;
    serving->storm->ended_twice += !serving->sending;
    serving->sending = false;
    if (op->result < 0) serving_close(io, serving);
}

static void reply(struct io *io, struct serving *serving) {
    serving->sending = true;
    serving->iov = (struct iovec){serving->reply, REPLY};
    serving->send = (struct io_op){.done = replied, .ctx = serving};
    io_send(io, &serving->send, serving->sock, &serving->iov, 1);
}

static void bytes_came(struct io *io, struct serving *serving) {
    if (serving->closing) return;
    switch (draw(serving->storm, 10)) {
    case 0: serving_close(io, serving); break;
    case 1: case 2: io_cancel(io, &serving->recv); break;
    default:
        if (!serving->sending) reply(io, serving);
    }
}

static void received(struct io *io, struct io_op *op) {
    struct serving *serving = op->ctx;
    serving->storm->ended_twice += !serving->receiving;
    if (op->more) {
        CHECK(op->result > 0 && (uint32_t)op->result == op->buf.len);
        io_buf_done(io, op->buf);
        bytes_came(io, serving);
        return;
    }
    serving->receiving = false;
    if (serving->closing) return;
    if (op->result != -IO_ECANCELED) {
        serving_close(io, serving);
        return;
    }
    serving->receiving = true;
    io_recv(io, op, serving->sock);
}

static void accepted(struct io *io, struct io_op *op) {
    struct storm *storm = op->ctx;
    if (!op->more) {
        storm->accept_ended = true;
        return;
    }
    storm->accepted++;
    struct serving *serving = MEM_NEW(struct serving);
    serving->storm = storm;
    serving->sock = op->sock;
    serving->recv = (struct io_op){.done = received, .ctx = serving};
    serving->receiving = true;
    io_recv(io, &serving->recv, serving->sock);
}

struct client {
    struct io *io;
    struct storm *storm;
};

static void talk(struct io *io, struct storm *storm) {
    struct io_sock sock;
    uint8_t message[MESSAGE_MAX] = {0};
    CHECK(fiber_connect(io, &storm->addr, &sock) == 0);
    for (int i = 0; i < MESSAGES; i++) {
        if (fiber_send_all(io, sock, message, 1 + draw(storm, MESSAGE_MAX)) < 0) break;
        fiber_sleep_until(io, io_now(io) + (int64_t)draw(storm, 4) * MS / 2);
    }
    CHECK(fiber_sock_close(io, sock) == 0);
}

static void client_run(void *arg) {
    struct client *client = arg;
    for (int i = 0; i < ROUNDS; i++) talk(client->io, client->storm);
    client->storm->clients_left--;
    if (client->storm->waiter) fiber_wake(client->io, client->storm->waiter);
}

static void connections_come_and_go(struct io *io) {
    struct storm *storm = MEM_NEW(struct storm);
    struct client client = {io, storm};
    storm->random = 4711;
    storm->clients_left = CLIENTS;
    CHECK(io_addr_parse("127.0.0.1:0", &storm->addr));
    CHECK(io_listen(io, &storm->addr, false, &storm->listener, &storm->addr) == 0);
    storm->accept = (struct io_op){.done = accepted, .ctx = storm};
    io_accept(io, &storm->accept, storm->listener);
    for (int i = 0; i < CLIENTS; i++) fiber_start(io, "client", client_run, &client, 0);
    storm->waiter = fiber_current(io);
    while (storm->clients_left || storm->closed < CLIENTS * ROUNDS) fiber_park(io);
    say(io, "  accepted %u, closed %u", storm->accepted, storm->closed);
    CHECK(fiber_sock_close(io, storm->listener) == 0 && storm->accept_ended);
    say(io, "  ops that ended twice: %u, that outlived a close: %u", storm->ended_twice, storm->used_after_end);
    mem_free(storm);
}

/* ---- more completions at once than a queue holds ---------------------------------------------------------------------- */

enum { CROWD = 32, READS = 6000 };

/* The first bytes that come anywhere cancel all receives, whose own bytes may be waiting to be told. */
struct crowd {
    struct io_sock sock[CROWD], peer[CROWD], listener;
    struct io_op recv[CROWD], send[CROWD], accept;
    struct iovec iov;
    unsigned accepted, bytes, canceled, sent;
    bool canceling;
    struct fiber *waiter;
};

static void crowd_wake(struct io *io, struct crowd *crowd) { fiber_wake(io, crowd->waiter); }

static void crowd_accepted(struct io *io, struct io_op *op) {
    struct crowd *crowd = op->ctx;
    if (op->more) crowd->sock[crowd->accepted++] = op->sock;
    crowd_wake(io, crowd);
}

static void crowd_sent(struct io *io, struct io_op *op) {
    struct crowd *crowd = op->ctx;
    CHECK(op->result == 1);
    crowd->sent++;
    crowd_wake(io, crowd);
}

static void crowd_received(struct io *io, struct io_op *op) {
    struct crowd *crowd = op->ctx;
    if (op->more) {
        CHECK(op->result > 0);
        crowd->bytes += op->buf.len;
        io_buf_done(io, op->buf);
        for (int i = 0; i < CROWD && !crowd->canceling; i++) io_cancel(io, &crowd->recv[i]);
        crowd->canceling = true;
    } else {
        CHECK(op->result == -IO_ECANCELED);
        crowd->canceled++;
    }
    crowd_wake(io, crowd);
}

static void crowd_open(struct io *io, struct crowd *crowd) {
    struct io_addr addr;
    CHECK(io_addr_parse("127.0.0.1:0", &addr));
    CHECK(io_listen(io, &addr, false, &crowd->listener, &addr) == 0);
    crowd->accept = (struct io_op){.done = crowd_accepted, .ctx = crowd};
    io_accept(io, &crowd->accept, crowd->listener);
    for (int i = 0; i < CROWD; i++) CHECK(fiber_connect(io, &addr, &crowd->peer[i]) == 0);
    while (crowd->accepted < CROWD) fiber_park(io);
}

static void crowd_close(struct io *io, struct crowd *crowd) {
    for (int i = 0; i < CROWD; i++)
        CHECK(fiber_sock_close(io, crowd->peer[i]) == 0 && fiber_sock_close(io, crowd->sock[i]) == 0);
    CHECK(fiber_sock_close(io, crowd->listener) == 0);
}

static void submit_reads(struct io *io, struct io_file file, struct probe *probes, uint8_t *data) {
    for (int i = 0; i < READS; i++) {
        probe_init(&probes[i], NULL);
        io_read(io, &probes[i].op, file, &data[i], 1, 0);
    }
}

static void more_completions_than_a_queue_holds(struct io *io) {
    struct crowd *crowd = MEM_NEW(struct crowd);
    struct probe *probes = mem_alloc(READS * sizeof *probes);
    uint8_t *data = mem_alloc(READS), one = 1;
    struct io_file file;
    crowd->waiter = fiber_current(io);
    crowd_open(io, crowd);
    CHECK(fiber_open(io, "file", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &file) == 0);
    CHECK(fiber_write(io, file, "x", 1, 0) == 1);
    for (int i = 0; i < CROWD; i++) {
        crowd->recv[i] = (struct io_op){.done = crowd_received, .ctx = crowd};
        io_recv(io, &crowd->recv[i], crowd->sock[i]);
    }
    sleep_ms(io, 5);
    submit_reads(io, file, probes, data);
    crowd->iov = (struct iovec){&one, 1};
    for (int i = 0; i < CROWD; i++) {
        crowd->send[i] = (struct io_op){.done = crowd_sent, .ctx = crowd};
        io_send(io, &crowd->send[i], crowd->peer[i], &crowd->iov, 1);
    }
    unsigned read = 0;
    for (int i = 0; i < READS; i++) read += probe_wait(io, &probes[i]) == 1 && data[i] == 'x' && probes[i].calls == 1;
    while (crowd->canceled < CROWD || crowd->sent < CROWD) fiber_park(io);
    say(io, "  reads %u, receives canceled %u", read, crowd->canceled);
    EXPECT(io, "no byte came twice", crowd->bytes <= CROWD);
    CHECK(fiber_close(io, file) == 0 && fiber_unlink(io, "file") == 0);
    crowd_close(io, crowd);
    mem_free(data);
    mem_free(probes);
    mem_free(crowd);
}

static const struct scenario scenarios[] = {
    {"connections come and go", connections_come_and_go},
    {"more completions than a queue holds", more_completions_than_a_queue_holds},
};
CONTRACT_MAIN(scenarios)
