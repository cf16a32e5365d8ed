/* Sockets: listening, accepting, connecting, streams, back-pressure, closing (C3, C5-C7). */
#include "contract.h"

#include <string.h>

/* ---- a server side that accepts into a list, and receives into a count ------------------------------------------- */

enum { PEERS_MAX = 64, HELD_MAX = 4096 };

struct peer {
    struct io_sock sock;
    struct io_addr addr;
    struct probe recv;
    uint64_t received;
    bool matches;               /* the bytes were those of the pattern */
    bool hold;                  /* keep the lent buffers */
    struct io_buf *held;
    unsigned held_count;
    int64_t end;                /* how the stream ended; > 0 while it goes on */
    struct fiber *waiter;
};

struct server {
    struct io_sock sock;
    struct io_addr addr;
    struct io_op accept;
    int64_t accept_end;
    struct peer *peers[PEERS_MAX];
    unsigned count;
    struct fiber *waiter;
};

static void accepted(struct io *io, struct io_op *op) {
    struct server *server = op->ctx;
    if (op->more) {
        CHECK(server->count < PEERS_MAX);
        struct peer *peer = MEM_NEW(struct peer);
        peer->sock = op->sock;
        peer->addr = op->peer;
        peer->end = 1;
        peer->matches = true;
        server->peers[server->count++] = peer;
    } else {
        server->accept_end = op->result;
    }
    if (server->waiter) fiber_wake(io, server->waiter);
}

static void server_open(struct io *io, struct server *server) {
    *server = (struct server){.accept_end = 1};
    struct io_addr any;
    CHECK(io_addr_parse("127.0.0.1:0", &any));
    CHECK(io_listen(io, &any, false, &server->sock, &server->addr) == 0);
    server->accept.done = accepted;
    server->accept.ctx = server;
    io_accept(io, &server->accept, server->sock);
}

static void server_wait(struct io *io, struct server *server, unsigned count) {
    server->waiter = fiber_current(io);
    while (server->count < count) fiber_park(io);
    server->waiter = NULL;
}

/* Closes the listener; accepted sockets must be closed already. */
static void server_close(struct io *io, struct server *server) {
    server->waiter = fiber_current(io);
    CHECK(fiber_sock_close(io, server->sock) == 0);
    server->waiter = NULL;
    for (unsigned i = 0; i < server->count; i++) {
        mem_free(server->peers[i]->held);
        mem_free(server->peers[i]);
    }
}

static void received(struct io *io, struct io_op *op) {
    struct peer *peer = op->ctx;
    if (op->more) {
        CHECK(op->result > 0 && op->result == op->buf.len);
        if (!pattern_matches(op->buf.data, op->buf.len, peer->received)) peer->matches = false;
        peer->received += op->buf.len;
        if (peer->hold) {
            CHECK(peer->held_count < HELD_MAX);
            peer->held[peer->held_count++] = op->buf;
        } else {
            io_buf_done(io, op->buf);
        }
    } else {
        peer->end = op->result;
    }
    if (peer->waiter) fiber_wake(io, peer->waiter);
}

static void peer_receive(struct io *io, struct peer *peer) {
    peer->end = 1;
    probe_init(&peer->recv, NULL);
    peer->recv.op.done = received;
    peer->recv.op.ctx = peer;
    io_recv(io, &peer->recv.op, peer->sock);
}

static void peer_hold(struct peer *peer) {
    peer->hold = true;
    if (!peer->held) peer->held = mem_alloc(HELD_MAX * sizeof *peer->held);
}

static void peer_give_back(struct io *io, struct peer *peer) {
    peer->hold = false;
    while (peer->held_count) io_buf_done(io, peer->held[--peer->held_count]);
}

static void peer_wait_end(struct io *io, struct peer *peer) {
    peer->waiter = fiber_current(io);
    while (peer->end > 0) fiber_park(io);
    peer->waiter = NULL;
}

static void peer_wait_bytes(struct io *io, struct peer *peer, uint64_t bytes) {
    peer->waiter = fiber_current(io);
    while (peer->received < bytes && peer->end > 0) fiber_park(io);
    peer->waiter = NULL;
}

/* A connection of both sides. */
static struct peer *connect_pair(struct io *io, struct server *server, struct io_sock *client) {
    unsigned index = server->count;
    CHECK(fiber_connect(io, &server->addr, client) == 0);
    server_wait(io, server, index + 1);
    return server->peers[index];
}

static void send_pattern(struct io *io, struct io_sock sock, size_t len, uint64_t offset) {
    uint8_t *data = mem_alloc(len);
    pattern_fill(data, len, offset);
    CHECK(fiber_send_all(io, sock, data, len) == 0);
    mem_free(data);
}

static void close_sock(struct io *io, struct io_sock sock) { CHECK(fiber_sock_close(io, sock) == 0); }

/* ---- addresses ---------------------------------------------------------------------------------------------------- */

static void addresses_are_parsed_and_written(struct io *io) {
    static const char *const texts[] = {
        "1.2.3.4:80", "127.0.0.1:0", "[::1]:80", "[::]:7233", "[2001:db8::7:0:0]:65535", "[1:2:3:4:5:6:7:8]:1",
        "[::ffff:127.0.0.1]:9", "[1::]:1", "[fe80:0:0:1::]:2",
        "", "1.2.3.4", "1.2.3:80", "1.2.3.256:1", "1.2.3.4:65536", "1.2.3.4:", "1.2.3.4:8x", "[::1]", "[::1:80",
        "[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1", "[1::2::3]:1", "[12345::]:1", "[1:]:1", "[:1::2]:1", "[::g]:1",
        "localhost:80", " 1.2.3.4:1", "1.2.3.4:1 ",
    };
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        struct io_addr addr;
        char text[IO_ADDR_TEXT_MAX];
        if (!io_addr_parse(texts[i], &addr))
            say(io, "  \"%s\": malformed", texts[i]);
        else
            say(io, "  \"%s\": %s%s", texts[i], io_addr_text(&addr, text),
                io_addr_is_loopback(&addr) ? ", loopback" : "");
    }
}

/* ---- listening and connecting -------------------------------------------------------------------------------------- */

static void listening_takes_a_free_port(struct io *io) {
    struct io_addr any, bound;
    struct io_sock first, second;
    CHECK(io_addr_parse("127.0.0.1:0", &any));
    say_result(io, "listen", io_listen(io, &any, false, &first, &bound));
    EXPECT(io, "a port was taken", bound.port != 0 && bound.family == 4 && io_addr_is_loopback(&bound));
    say_result(io, "listen on the same address", io_listen(io, &bound, false, &second, NULL));
    say_result(io, "shared, on the same address", io_listen(io, &bound, true, &second, NULL));
    close_sock(io, first);
    say_result(io, "after the first was closed", io_listen(io, &bound, false, &second, NULL));
    close_sock(io, second);
}

static void a_shared_address_has_several_listeners(struct io *io) {
    struct io_addr any, bound;
    struct io_sock first, second, third;
    CHECK(io_addr_parse("127.0.0.1:0", &any));
    say_result(io, "first", io_listen(io, &any, true, &first, &bound));
    say_result(io, "second", io_listen(io, &bound, true, &second, NULL));
    say_result(io, "not shared", io_listen(io, &bound, false, &third, NULL));
    close_sock(io, first);
    close_sock(io, second);
}

static void connecting_where_nobody_listens_is_refused(struct io *io) {
    struct server server;
    server_open(io, &server);
    struct io_addr addr = server.addr;
    server_close(io, &server);
    say_result(io, "accept", server.accept_end);
    struct io_sock sock;
    say_result(io, "connect", fiber_connect(io, &addr, &sock));
}

static void an_accepted_socket_tells_its_peer(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    EXPECT(io, "the peer is on loopback", peer->addr.family == 4 && io_addr_is_loopback(&peer->addr));
    EXPECT(io, "the peer has a port", peer->addr.port != 0 && peer->addr.port != server.addr.port);
    close_sock(io, client);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

static void many_connections_are_all_accepted(struct io *io) {
    enum { COUNT = 40 };
    struct server server;
    struct io_sock clients[COUNT];
    server_open(io, &server);
    for (int i = 0; i < COUNT; i++) CHECK(fiber_connect(io, &server.addr, &clients[i]) == 0);
    server_wait(io, &server, COUNT);
    for (int i = 0; i < COUNT; i++) peer_receive(io, server.peers[i]);
    for (int i = 0; i < COUNT; i++) send_pattern(io, clients[i], 10, 0);
    for (int i = 0; i < COUNT; i++) close_sock(io, clients[i]);
    unsigned whole = 0;
    for (int i = 0; i < COUNT; i++) {
        peer_wait_end(io, server.peers[i]);
        whole += server.peers[i]->received == 10 && server.peers[i]->matches && server.peers[i]->end == 0;
        close_sock(io, server.peers[i]->sock);
    }
    say(io, "  accepted %u, whole streams %u", server.count, whole);
    server_close(io, &server);
}

static void canceling_a_connect(struct io *io) {
    struct server server;
    server_open(io, &server);
    for (int i = 0; i < 10; i++) {
        struct probe probe;
        probe_init(&probe, NULL);
        PROBE(&probe, io_connect(io, &probe.op, &server.addr));
        if (i % 2) fiber_yield(io);
        PROBE(&probe, io_cancel(io, &probe.op));
        int64_t result = probe_wait(io, &probe);
        CHECK(result == 0 || result == -IO_ECANCELED);
        if (result == 0) close_sock(io, probe.op.sock);
    }
    sleep_ms(io, 10);
    for (unsigned i = 0; i < server.count; i++) close_sock(io, server.peers[i]->sock);
    server_close(io, &server);
    say(io, "  each was connected or canceled");
}

/* ---- streams ----------------------------------------------------------------------------------------------------------- */

static void a_stream_keeps_its_bytes_and_ends(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    struct peer back = {.sock = client, .end = 1, .matches = true};
    peer_receive(io, peer);
    peer_receive(io, &back);
    send_pattern(io, client, 300000, 0);
    peer_wait_bytes(io, peer, 300000);
    send_pattern(io, peer->sock, 1, 0);
    peer_wait_bytes(io, &back, 1);
    io_shutdown(io, client);
    peer_wait_end(io, peer);
    say(io, "  received %llu", (unsigned long long)peer->received);
    EXPECT(io, "in order", peer->matches && back.matches);
    say_result(io, "end of the stream", peer->end);
    send_pattern(io, peer->sock, 5, 1);
    peer_wait_bytes(io, &back, 6);
    say(io, "  the other direction goes on: %llu", (unsigned long long)back.received);
    peer_receive(io, peer);
    peer_wait_end(io, peer);
    say_result(io, "receive after the end", peer->end);
    close_sock(io, peer->sock);
    peer_wait_end(io, &back);
    say_result(io, "end of the other direction", back.end);
    close_sock(io, client);
    server_close(io, &server);
}

/* Sends `len` bytes of the pattern from three pieces a time, whatever the socket takes. */
static unsigned send_in_pieces(struct io *io, struct io_sock sock, uint8_t *data, size_t len, int64_t *result) {
    unsigned wrong = 0;
    for (size_t at = 0; at < len;) {
        size_t left = len - at, third = left / 3;
        struct iovec iov[3] = {{data + at, third}, {data + at + third, third},
                               {data + at + 2 * third, left - 2 * third}};
        struct probe probe;
        probe_init(&probe, NULL);
        PROBE(&probe, io_send(io, &probe.op, sock, iov, 3));
        *result = probe_wait(io, &probe);
        if (*result < 0) break;
        wrong += *result == 0 || *result > (int64_t)left;
        at += (size_t)*result;
    }
    return wrong;
}

struct slow_reader {
    struct io *io;
    struct peer *peer;
};

static void start_reading_later(void *arg) {
    struct slow_reader *reader = arg;
    sleep_ms(reader->io, 50);
    peer_receive(reader->io, reader->peer);
}

static void a_slow_reader_makes_sends_short_not_wrong(struct io *io) {
    enum { LEN = 12 << 20 };
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    struct slow_reader reader = {io, peer};
    fiber_start(io, "slow reader", start_reading_later, &reader, 0);
    uint8_t *data = mem_alloc(LEN);
    pattern_fill(data, LEN, 0);
    int64_t result;
    unsigned wrong = send_in_pieces(io, client, data, LEN, &result);
    say(io, "  sends with a wrong count: %u", wrong);
    close_sock(io, client);
    peer_wait_end(io, peer);
    say(io, "  received %llu", (unsigned long long)peer->received);
    EXPECT(io, "in order", peer->matches);
    mem_free(data);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

struct sender {
    struct io *io;
    struct io_sock sock;
    size_t len;
    bool done;
    struct fiber *waiter;
};

static void send_all(void *arg) {
    struct sender *sender = arg;
    send_pattern(sender->io, sender->sock, sender->len, 0);
    io_shutdown(sender->io, sender->sock);
    sender->done = true;
    if (sender->waiter) fiber_wake(sender->io, sender->waiter);
}

static void sender_wait(struct io *io, struct sender *sender) {
    sender->waiter = fiber_current(io);
    while (!sender->done) fiber_park(io);
}

/* Until nothing more has come for some time, on a machine that may be slow. */
static void wait_until_quiet(struct io *io, const struct peer *peer) {
    for (int quiet = 0; quiet < 5;) {
        uint64_t before = peer->received;
        sleep_ms(io, 40);
        quiet = peer->received == before && before > 0 ? quiet + 1 : 0;
    }
}

/* The pool's size is not promised; this is more than either backend lends. */
static void an_empty_pool_of_buffers_pauses_all_receivers(struct io *io) {
    enum { LEN = 16 << 20 };
    struct server server;
    struct io_sock first, second;
    server_open(io, &server);
    struct peer *hog = connect_pair(io, &server, &first);
    struct peer *other = connect_pair(io, &server, &second);
    struct sender hog_sender = {.io = io, .sock = first, .len = LEN};
    peer_hold(hog);
    peer_receive(io, hog);
    fiber_start(io, "sender", send_all, &hog_sender, 0);
    wait_until_quiet(io, hog);
    EXPECT(io, "some came, not all", hog->received > 0 && hog->received < LEN);
    EXPECT(io, "it is paused", hog->end > 0);
    peer_receive(io, other);
    send_pattern(io, second, 1000, 0);
    sleep_ms(io, 20);
    EXPECT(io, "another socket's bytes wait too, or came", other->received == 0 || other->received <= 1000);
    peer_give_back(io, hog);
    peer_wait_end(io, hog);
    peer_wait_bytes(io, other, 1000);
    say(io, "  received %llu and %llu", (unsigned long long)hog->received, (unsigned long long)other->received);
    EXPECT(io, "in order", hog->matches && other->matches);
    sender_wait(io, &hog_sender);
    close_sock(io, first);
    close_sock(io, second);
    close_sock(io, hog->sock);
    close_sock(io, other->sock);
    server_close(io, &server);
}

static void an_empty_pool_does_not_stop_a_close(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    struct sender sender = {.io = io, .sock = client, .len = 1 << 20};
    peer_hold(peer);
    peer_receive(io, peer);
    fiber_start(io, "sender", send_all, &sender, 0);
    wait_until_quiet(io, peer);
    peer_give_back(io, peer);
    peer_hold(peer);
    sleep_ms(io, 50);
    io_cancel(io, &peer->recv.op);
    peer_wait_end(io, peer);
    EXPECT(io, "the receive ended", peer->end == 0 || peer->end == -IO_ECANCELED);
    peer_give_back(io, peer);
    peer_receive(io, peer);
    peer_wait_end(io, peer);
    say(io, "  received %llu", (unsigned long long)peer->received);
    EXPECT(io, "in order", peer->matches);
    sender_wait(io, &sender);
    close_sock(io, client);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------- */

static void closing_cancels_and_waits(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    struct probe recv, close;
    probe_init(&recv, "receive");
    probe_init(&close, "close");
    io_recv(io, &recv.op, peer->sock);
    fiber_yield(io);
    PROBE(&close, io_sock_close(io, &close.op, peer->sock));
    probe_wait(io, &close);
    EXPECT(io, "the receive had ended", !recv.op.busy && recv.calls == 1 && recv.finals == 1);
    close_sock(io, client);
    server_close(io, &server);
    say_result(io, "accept", server.accept_end);
}

static void closing_with_a_send_under_way(struct io *io) {
    enum { LEN = 32 << 20 };
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    uint8_t *data = mem_alloc(LEN);
    struct probe send, close;
    int64_t result = 1;
    probe_init(&close, NULL);
    /* The other side does not read: send until one send waits. */
    struct iovec iov = {data, LEN};
    do {
        probe_init(&send, NULL);
        io_send(io, &send.op, client, &iov, 1);
        sleep_ms(io, 20);
    } while (!send.op.busy);
    io_sock_close(io, &close.op, client);
    result = probe_wait(io, &close);
    EXPECT(io, "the send had ended", !send.op.busy && send.finals == 1);
    EXPECT(io, "with a count or canceled", send.last > 0 || send.last == -IO_ECANCELED);
    say_result(io, "close", result);
    mem_free(data);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

static void a_receive_is_canceled_and_begun_again(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    for (int i = 0; i < 5; i++) {
        peer_receive(io, peer);
        if (i % 2) fiber_yield(io);
        io_cancel(io, &peer->recv.op);
        peer_wait_end(io, peer);
        CHECK(peer->end == -IO_ECANCELED);
    }
    say_result(io, "receive", peer->end);
    peer_receive(io, peer);
    send_pattern(io, client, 100, 0);
    peer_wait_bytes(io, peer, 100);
    say(io, "  received %llu", (unsigned long long)peer->received);
    close_sock(io, client);
    peer_wait_end(io, peer);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

static void canceling_a_receive_against_arriving_bytes_loses_none(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    uint64_t sent = 0;
    for (int i = 0; i < 50; i++) {
        peer_receive(io, peer);
        send_pattern(io, client, 64, sent);
        sent += 64;
        for (int yields = 0; yields < i % 5; yields++) fiber_yield(io);
        io_cancel(io, &peer->recv.op);
        peer_wait_end(io, peer);
        CHECK(peer->end == -IO_ECANCELED);
    }
    peer_receive(io, peer);
    peer_wait_bytes(io, peer, sent);
    say(io, "  sent %llu, received %llu", (unsigned long long)sent, (unsigned long long)peer->received);
    EXPECT(io, "in order", peer->matches);
    close_sock(io, client);
    peer_wait_end(io, peer);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

static void canceling_an_accept(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    fiber_yield(io);
    io_cancel(io, &server.accept);
    server.waiter = fiber_current(io);
    while (server.accept_end > 0) fiber_park(io);
    say_result(io, "accept", server.accept_end);
    CHECK(fiber_connect(io, &server.addr, &client) == 0);
    io_accept(io, &server.accept, server.sock);
    server_wait(io, &server, 1);
    say(io, "  accepted when begun again: %u", server.count);
    close_sock(io, client);
    close_sock(io, server.peers[0]->sock);
    server_close(io, &server);
}

static bool is_broken(int64_t result) { return result == -IO_ERESET || result == -IO_EPIPE; }

static void sending_to_a_closed_peer_fails(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    close_sock(io, peer->sock);
    int64_t result = 0;
    for (int i = 0; i < 1000 && result >= 0; i++) {
        uint8_t data[1000] = {0};
        result = fiber_send_all(io, client, data, sizeof data);
        sleep_ms(io, 1);
    }
    EXPECT(io, "reset, or shut down", is_broken(result));
    close_sock(io, client);
    server_close(io, &server);
}

static void closing_with_unread_bytes_resets(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    struct peer back = {.sock = client, .end = 1, .matches = true};
    send_pattern(io, client, 1000, 0);
    sleep_ms(io, 20);
    peer_receive(io, &back);
    close_sock(io, peer->sock);
    peer_wait_end(io, &back);
    say_result(io, "receive", back.end);
    close_sock(io, client);
    server_close(io, &server);
}

static void sending_after_shutdown_fails(struct io *io) {
    struct server server;
    struct io_sock client;
    server_open(io, &server);
    struct peer *peer = connect_pair(io, &server, &client);
    io_shutdown(io, client);
    say_result(io, "send", fiber_send_all(io, client, "x", 1));
    close_sock(io, client);
    close_sock(io, peer->sock);
    server_close(io, &server);
}

static void names_are_looked_up(struct io *io) {
    struct io_addr addr;
    char text[IO_ADDR_TEXT_MAX];
    int64_t result = fiber_resolve(io, "127.0.0.1", 81, &addr);
    say_result(io, "an address", result);
    if (result == 0) say(io, "  %s", io_addr_text(&addr, text));
    result = fiber_resolve(io, "localhost", 82, &addr);
    say_result(io, "localhost", result);
    EXPECT(io, "it is here", io_addr_is_loopback(&addr) && addr.port == 82);
    say_result(io, "an unknown name", fiber_resolve(io, "no such name", 83, &addr));
}

static const struct scenario scenarios[] = {
    {"addresses are parsed and written", addresses_are_parsed_and_written},
    {"listening takes a free port", listening_takes_a_free_port},
    {"a shared address has several listeners", a_shared_address_has_several_listeners},
    {"connecting where nobody listens is refused", connecting_where_nobody_listens_is_refused},
    {"an accepted socket tells its peer", an_accepted_socket_tells_its_peer},
    {"many connections are all accepted", many_connections_are_all_accepted},
    {"canceling a connect", canceling_a_connect},
    {"a stream keeps its bytes and ends", a_stream_keeps_its_bytes_and_ends},
    {"a slow reader makes sends short, not wrong", a_slow_reader_makes_sends_short_not_wrong},
    {"an empty pool of buffers pauses all receivers", an_empty_pool_of_buffers_pauses_all_receivers},
    {"an empty pool does not stop a close", an_empty_pool_does_not_stop_a_close},
    {"closing cancels and waits", closing_cancels_and_waits},
    {"closing with a send under way", closing_with_a_send_under_way},
    {"a receive is canceled and begun again", a_receive_is_canceled_and_begun_again},
    {"canceling a receive against arriving bytes loses none", canceling_a_receive_against_arriving_bytes_loses_none},
    {"canceling an accept", canceling_an_accept},
    {"sending to a closed peer fails", sending_to_a_closed_peer_fails},
    {"closing with unread bytes resets", closing_with_unread_bytes_resets},
    {"sending after shutdown fails", sending_after_shutdown_fails},
    {"names are looked up", names_are_looked_up},
};
CONTRACT_MAIN(scenarios)
