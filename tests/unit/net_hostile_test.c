/* Peers that break rules, are slow, or flood: each gets a clear end, and the server goes on. */
#include "net_peer.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TEST(name)                                                                                             \
    static void name##_body(struct io *io);                                                                    \
    static void name(void **state) { fiber_run(name##_body); }                                                 \
    static void name##_body(struct io *io)

static const uint8_t empty_message[] = {0, 0, 0, 0, 0};

/* Whether a stream was answered at all; what with, the tests with a client show. */
static bool answered(struct peer *peer, uint32_t stream) {
    struct bytes payload;
    for (int i = 0; i < 500; i++) {
        if (peer_find(peer, NGHTTP2_HEADERS, stream, 0, &payload)) return true;
        if (peer->ended) return false;
        nap(peer->io, 10);
    }
    return false;
}

static bool was_reset(struct peer *peer, uint32_t stream) {
    struct bytes payload;
    for (int i = 0; i < 500; i++) {
        if (peer_find(peer, NGHTTP2_RST_STREAM, stream, 0, &payload)) return true;
        if (peer->ended) return false;
        nap(peer->io, 10);
    }
    return false;
}

TEST(random_bytes_are_survived) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    for (int round = 0; round < 60; round++) {
        uint8_t noise[2048];
        io_random(io, noise, sizeof noise);
        struct peer peer = {0};
        peer_open(&peer, &bench);
        if (round % 3 == 1) peer_text(&peer, NGHTTP2_CLIENT_MAGIC);
        if (round % 3 == 2) peer_greet(&peer);
        peer_send(&peer, noise, sizeof noise);
        CHECK(peer_wait_end(&peer, 100000));
        peer_close(&peer);
    }
    bench_check(&bench);
    bench_close(&bench);
}

TEST(cut_frames_are_survived) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct buf all = {0};
    struct peer peer = {0};
    buf_append_str(&all, NGHTTP2_CLIENT_MAGIC);
    buf_append(&all, "\0\0\0\4\0\0\0\0\0", 9);
    buf_append(&all, "\0\0\x0e\1\4\0\0\0\1\x83\x86\x44\x0a/test/Echo", 23);
    for (size_t len = 1; len <= all.len; len++) {
        peer_open(&peer, &bench);
        peer_send(&peer, all.data, len);
        io_shutdown(io, peer.sock);
        CHECK(peer_wait_end(&peer, 60000));
        peer_close(&peer);
    }
    buf_free(&all);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(broken_messages_get_an_answer) {
    static const struct {
        const char *bytes;
        size_t len;
    } bodies[] = {
        {"", 0},                                  /* none */
        {"\0\0\0", 3},                            /* a cut prefix */
        {"\0\0\0\0\5ab", 7},                      /* a cut message */
        {"\2\0\0\0\0", 5},                        /* an unknown flag */
        {"\1\0\0\0\1x", 6},                       /* compressed without an encoding */
        {"\0\xff\xff\xff\xff", 5},                /* 4 GiB */
        {"\0\0\0\0\1x\0\0\0\0\1y", 12},           /* two */
    };
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    for (uint32_t i = 0; i < ARRAY_LEN(bodies); i++) {
        uint32_t stream = 1 + 2 * i;
        CHECK(peer_request(&peer, stream, "/test/Echo", (struct bytes){0}, false));
        CHECK(peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, bodies[i].bytes, bodies[i].len));
        CHECK(answered(&peer, stream));
    }
    CHECK(bench.calls == 0 && !peer.ended);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(wrong_requests_get_an_answer) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    static const char *const headers[][2] = {
        {"grpc-timeout", "soon"}, {"grpc-encoding", "zstd"}, {"grpc-timeout", "0S"},
    };
    uint32_t stream = 1;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++, stream += 2) {
        struct buf more = {0};
        hpack_literal(&more, headers[i][0], headers[i][1]);
        peer_request(&peer, stream, "/test/Echo", buf_bytes(&more), false);
        peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, empty_message, sizeof empty_message);
        CHECK(answered(&peer, stream));
        buf_free(&more);
    }
    peer_request(&peer, stream, "/nothing", (struct bytes){0}, true);
    CHECK(answered(&peer, stream));
    CHECK(bench.calls == 0 && !peer.ended);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(too_many_headers_are_refused) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    struct buf more = {0};
    for (int i = 0; i < 500; i++) hpack_literal(&more, "a-header", "with a value");
    CHECK(peer_request(&peer, 1, "/test/Echo", buf_bytes(&more), true));
    CHECK(answered(&peer, 1));
    buf_clear(&more);
    /* HPACK: one entry of 4,000 bytes, then a thousand references to it of one byte each. */
    buf_append(&more, "\x40\x01x\x7f\xa1\x1e", 6);
    buf_reserve(&more, 4000);
    memset(more.data + more.len, 'v', 4000);
    more.len += 4000;
    for (int i = 0; i < 1000; i++) buf_append_u8(&more, 0x80 | 62);
    CHECK(peer_request(&peer, 3, "/test/Echo", buf_bytes(&more), true));
    CHECK(answered(&peer, 3));
    CHECK(bench.calls == 0 && !peer.ended);
    buf_free(&more);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(endless_headers_end_the_connection) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    peer_frame(&peer, NGHTTP2_HEADERS, 0, 1, "\x83", 1);
    for (int i = 0; i < 10000 && peer_frame(&peer, NGHTTP2_CONTINUATION, 0, 1, NULL, 0); i++) {}
    CHECK(peer_wait_end(&peer, 5000));
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

static void flood(struct bench *bench, uint8_t type, uint32_t stream, const char *payload, size_t len) {
    struct peer peer = {0};
    peer_open(&peer, bench);
    peer_greet(&peer);
    if (stream) peer_request(&peer, stream, "/test/Hang", (struct bytes){0}, false);
    for (int i = 0; i < 20000 && peer_frame(&peer, type, 0, stream, payload, len); i++) {}
    CHECK(peer_wait_end(&peer, 5000));
    CHECK(peer_goaway(&peer) == NGHTTP2_ENHANCE_YOUR_CALM || peer_goaway(&peer) == -1);
    peer_close(&peer);
    bench_check(bench);
}

TEST(floods_end_the_connection) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    flood(&bench, NGHTTP2_PING, 0, "12345678", 8);
    flood(&bench, NGHTTP2_SETTINGS, 0, "", 0);
    flood(&bench, NGHTTP2_PRIORITY, 1, "\0\0\0\0\1", 5);
    flood(&bench, NGHTTP2_WINDOW_UPDATE, 1, "\0\0\0\1", 4);
    flood(&bench, NGHTTP2_DATA, 1, "", 0);
    flood(&bench, 0xbe, 0, "unknown", 7);
    bench_close(&bench);
}

TEST(rapid_resets_end_the_connection) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    uint32_t stream = 1;
    for (; stream < 20000 && !peer.ended; stream += 2) {
        peer_request(&peer, stream, "/test/Hang", (struct bytes){0}, false);
        peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, empty_message, sizeof empty_message);
        peer_frame(&peer, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
    }
    CHECK(peer_wait_end(&peer, 5000) && stream < 5000);
    CHECK(bench.cancels == bench.calls);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(too_many_streams_are_refused) {
    struct bench bench;
    struct peer peer = {0};
    struct net_limits limits = {.streams_per_connection_max = 10};
    bench_open(&bench, io, &limits);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    nap(io, 100);
    peer_frame(&peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    for (uint32_t stream = 1; stream <= 21; stream += 2)
        peer_request(&peer, stream, "/test/Hang", (struct bytes){0}, false);
    CHECK(peer_wait_end(&peer, 5000) && peer_goaway(&peer) == NGHTTP2_PROTOCOL_ERROR && bench.calls <= 10);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(who_does_not_read_is_dropped) {
    struct bench bench;
    struct peer peer = {.deaf = true};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    peer_frame(&peer, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
    for (uint32_t stream = 1; stream < 40; stream += 2) {
        peer_request(&peer, stream, "/test/Big", (struct bytes){0}, false);
        peer_frame(&peer, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\0\0\0", 4);
        peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "\0\0\0\0\1" "4", 6);
    }
    nap(io, 1000);
    CHECK(bench.calls == 20 && net_server_stats(bench.server).connections_open == 1);
    nap(io, 100000);
    CHECK(net_server_stats(bench.server).connections_open == 0);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(who_gives_no_window_is_dropped) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    peer_request(&peer, 1, "/test/Big", (struct bytes){0}, false);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\0\0\0\0\1" "4", 6);
    for (int i = 0; i < 20 && !peer.ended; i++) {   /* it is alive, but takes no data */
        nap(io, 10000);
        peer_frame(&peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    }
    CHECK(peer.ended);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(slow_requests_end) {
    struct bench bench;
    struct peer slow = {0}, headers = {0};
    bench_open(&bench, io, NULL);
    peer_open(&slow, &bench);
    peer_greet(&slow);
    peer_request(&slow, 1, "/test/Echo", (struct bytes){0}, false);
    peer_frame(&slow, NGHTTP2_DATA, 0, 1, "\0\0\0\1\0", 5);
    peer_open(&headers, &bench);
    peer_greet(&headers);
    nap(io, 500);
    peer_frame(&headers, NGHTTP2_HEADERS, 0, 1, "\x83", 1);   /* and no END_HEADERS */
    for (int i = 0; i < 80; i++) {
        nap(io, 1000);
        peer_frame(&slow, NGHTTP2_DATA, 0, 1, "x", 1);
    }
    CHECK(headers.ended);
    CHECK(answered(&slow, 1) && !slow.ended);   /* the connection itself is well */
    peer_close(&slow);
    peer_close(&headers);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(the_dead_are_found_by_ping) {
    struct bench bench;
    struct peer dead = {0};
    struct bytes payload;
    bench_open(&bench, io, NULL);
    peer_open(&dead, &bench);
    peer_greet(&dead);
    nap(io, 65000);
    CHECK(!dead.ended && peer_find(&dead, NGHTTP2_PING, 0, 0, &payload));
    peer_frame(&dead, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload.data, payload.len);
    nap(io, 30000);
    CHECK(!dead.ended);
    nap(io, 60000);                      /* a second one, which is not answered */
    CHECK(dead.ended);
    peer_close(&dead);
    bench_close(&bench);
}

TEST(connections_and_idleness_have_limits) {
    struct bench bench;
    struct peer peers[4] = {{0}};
    struct net_limits limits = {.connections_max = 3, .idle_ns_max = INT64_C(20000000000)};
    bench_open(&bench, io, &limits);
    for (int i = 0; i < 4; i++) {
        peer_open(&peers[i], &bench);
        peer_greet(&peers[i]);
        nap(io, 200);
    }
    CHECK(peers[3].ended && !peers[2].ended && net_server_stats(bench.server).refused == 1);
    peer_request(&peers[0], 1, "/test/Hang", (struct bytes){0}, false);
    peer_frame(&peers[0], NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, empty_message, sizeof empty_message);
    nap(io, 30000);
    CHECK(peers[1].ended && peers[2].ended && !peers[0].ended && peer_goaway(&peers[1]) == NGHTTP2_NO_ERROR);
    for (int i = 0; i < 4; i++) peer_close(&peers[i]);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(a_reply_may_come_before_the_request_has_ended) {
    struct bench bench;
    struct peer peer = {0};
    bench_open(&bench, io, NULL);
    peer_open(&peer, &bench);
    peer_greet(&peer);
    peer_request(&peer, 1, "/test/Echo", (struct bytes){0}, false);
    peer_frame(&peer, NGHTTP2_DATA, 0, 1, "\7\0\0\0\0", 5);
    CHECK(answered(&peer, 1) && was_reset(&peer, 1));
    for (int i = 0; i < 3; i++) peer_frame(&peer, NGHTTP2_DATA, 0, 1, "more", 4);   /* it crossed the reset */
    nap(io, 1000);
    CHECK(!peer.ended && peer_goaway(&peer) == -1);
    peer_request(&peer, 3, "/test/Echo", (struct bytes){0}, false);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, empty_message, sizeof empty_message);
    CHECK(answered(&peer, 3));
    peer_close(&peer);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_are_survived),
        cmocka_unit_test(cut_frames_are_survived),
        cmocka_unit_test(broken_messages_get_an_answer),
        cmocka_unit_test(wrong_requests_get_an_answer),
        cmocka_unit_test(too_many_headers_are_refused),
        cmocka_unit_test(endless_headers_end_the_connection),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(rapid_resets_end_the_connection),
        cmocka_unit_test(too_many_streams_are_refused),
        cmocka_unit_test(who_does_not_read_is_dropped),
        cmocka_unit_test(who_gives_no_window_is_dropped),
        cmocka_unit_test(slow_requests_end),
        cmocka_unit_test(the_dead_are_found_by_ping),
        cmocka_unit_test(connections_and_idleness_have_limits),
        cmocka_unit_test(a_reply_may_come_before_the_request_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
