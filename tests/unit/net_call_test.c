/* Calls between our client and our server, on the simulated network. */
#include "net_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int64_t in_ms(struct io *io, int64_t ms) { return io_now(io) + ms * MILLISECOND; }

#define TEST(name)                                                                                             \
    static void name##_body(struct io *io);                                                                    \
    static void name(void **state) { fiber_run(name##_body); }                                                 \
    static void name##_body(struct io *io)

TEST(messages_of_all_sizes_come_back) {
    static const size_t sizes[] = {0, 1, 100, 16379, 16384, 65535, 65536, 1 << 20, 4 << 20};
    static uint8_t data[4 << 20];
    struct bench bench;
    bench_open(&bench, io, NULL);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + i / 255);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf reply = {0};
        CHECK(bench_call(&bench, "/test/Echo", bytes_of(data, sizes[i]), &reply) == STATUS_OK);
        CHECK(reply.len == sizes[i] && (reply.len == 0 || memcmp(reply.data, data, reply.len) == 0));
        buf_free(&reply);
    }
    static uint8_t large[(4 << 20) + 100000];
    CHECK(bench_call(&bench, "/test/Echo", bytes_of(large, sizeof large), NULL) == STATUS_RESOURCE_EXHAUSTED);
    bench_close(&bench);
}

TEST(many_calls_share_a_connection) {
    enum { CALLS = 1500 };                /* more than the streams that the server allows at once */
    static struct outcome outcomes[CALLS];
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    for (uint32_t i = 0; i < CALLS; i++) {
        outcomes[i] = (struct outcome){0};
        grpc_call(client, "/test/Echo", bytes_of(&i, sizeof i), in_ms(io, 60000), outcome_take, &outcomes[i]);
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        outcome_wait(io, &outcomes[i]);
        CHECK(status_ok(outcomes[i].status) && memcmp(outcomes[i].message.data, &i, sizeof i) == 0);
        outcome_free(&outcomes[i]);
    }
    CHECK(net_server_stats(bench.server).connections_total == 1);
    client_close_wait(io, client);
    bench_close(&bench);
}

TEST(failures_carry_text_and_detail) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome outcome = {0};
    grpc_call(client, "/test/Fail", bytes_str("x"), INT64_MAX, outcome_take, &outcome);
    outcome_wait(io, &outcome);
    CHECK(outcome.status.code == STATUS_NOT_FOUND && strcmp(outcome.status.message, "no 100% \xc3\xa9\n") == 0);
    CHECK(strcmp(outcome.status.detail_type, "a.b.Detail") == 0);
    CHECK(bytes_equal(outcome.status.detail, bytes_str("\x01\x02")));
    outcome_free(&outcome);
    CHECK(bench_call(&bench, "/test/Nothing", bytes_str(""), NULL) == STATUS_UNIMPLEMENTED);
    CHECK(bench_call(&bench, "/nothing", bytes_str(""), NULL) == STATUS_UNIMPLEMENTED);
    client_close_wait(io, client);
    bench_close(&bench);
}

TEST(a_deadline_ends_both_sides) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome outcome = {0};
    int64_t begin = io_now(io);
    grpc_call(client, "/test/Hang", bytes_str("x"), in_ms(io, 500), outcome_take, &outcome);
    outcome_wait(io, &outcome);
    CHECK(outcome.status.code == STATUS_DEADLINE_EXCEEDED && io_now(io) - begin < 2000 * (int64_t)MILLISECOND);
    outcome_free(&outcome);
    nap(io, 1000);
    CHECK(bench.cancels == 1);
    outcome = (struct outcome){0};       /* a reply before the deadline */
    grpc_call(client, "/test/Slow", bytes_str("x"), in_ms(io, 5000), outcome_take, &outcome);
    outcome_wait(io, &outcome);
    CHECK(status_ok(outcome.status));
    outcome_free(&outcome);
    client_close_wait(io, client);
    bench_close(&bench);
}

TEST(a_cancel_reaches_the_service) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome hang = {0}, slow = {0};
    uint64_t number = grpc_call(client, "/test/Hang", bytes_str("x"), INT64_MAX, outcome_take, &hang);
    uint64_t other = grpc_call(client, "/test/Slow", bytes_str("x"), INT64_MAX, outcome_take, &slow);
    nap(io, 500);
    grpc_cancel(client, number);
    grpc_cancel(client, other);
    grpc_cancel(client, 12345);
    CHECK(!hang.done);                   /* never inside the call */
    outcome_wait(io, &hang);
    outcome_wait(io, &slow);
    CHECK(hang.status.code == STATUS_CANCELLED && slow.status.code == STATUS_CANCELLED);
    nap(io, 2000);
    CHECK(bench.cancels == 1);
    outcome_free(&hang);
    outcome_free(&slow);
    client_close_wait(io, client);
    bench_close(&bench);
}

TEST(a_lost_connection_cancels_and_comes_back) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome hang = {0}, echo = {0};
    grpc_call(client, "/test/Hang", bytes_str("x"), INT64_MAX, outcome_take, &hang);
    nap(io, 500);
    grpc_client_break(client);
    outcome_wait(io, &hang);
    CHECK(hang.status.code == STATUS_UNAVAILABLE);
    nap(io, 500);
    CHECK(bench.cancels == 1);
    grpc_call(client, "/test/Echo", bytes_str("x"), in_ms(io, 20000), outcome_take, &echo);
    outcome_wait(io, &echo);
    CHECK(status_ok(echo.status));
    outcome_free(&hang);
    outcome_free(&echo);
    client_close_wait(io, client);
    bench_close(&bench);
}

TEST(nobody_there_is_unavailable) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct io_addr addr = bench.addr;
    bench_close(&bench);
    struct grpc_client *client = grpc_client_create(io, &addr, NULL);
    struct outcome outcome = {0};
    grpc_call(client, "/test/Echo", bytes_str("x"), in_ms(io, 60000), outcome_take, &outcome);
    outcome_wait(io, &outcome);
    CHECK(outcome.status.code == STATUS_UNAVAILABLE);
    outcome_free(&outcome);
    client_close_wait(io, client);
}

static void drain_flag(struct io *io, void *ctx) { *(bool *)ctx = true; }

TEST(a_drain_lets_calls_end) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome slow = {0}, hang = {0};
    grpc_call(client, "/test/Slow", bytes_str("x"), INT64_MAX, outcome_take, &slow);
    grpc_call(client, "/test/Hang", bytes_str("x"), INT64_MAX, outcome_take, &hang);
    nap(io, 500);
    int64_t begin = io_now(io);
    bool done = false;
    net_server_drain(bench.server, drain_flag, &done);
    outcome_wait(io, &slow);
    CHECK(status_ok(slow.status) && !done);
    outcome_wait(io, &hang);             /* until drain_ns_max */
    CHECK(hang.status.code == STATUS_UNAVAILABLE && io_now(io) - begin >= 9000 * (int64_t)MILLISECOND);
    while (!done) nap(io, 10);
    CHECK(bench.cancels == 1);
    net_server_destroy(bench.server);
    outcome_free(&slow);
    outcome_free(&hang);
    client_close_wait(io, client);
}

TEST(closing_a_client_ends_its_calls) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome outcomes[3] = {{0}};
    for (int i = 0; i < 3; i++)
        grpc_call(client, "/test/Hang", bytes_str("x"), in_ms(io, 9000), outcome_take, &outcomes[i]);
    nap(io, 500);
    client_close_wait(io, client);
    for (int i = 0; i < 3; i++) {
        CHECK(outcomes[i].done && outcomes[i].status.code == STATUS_CANCELLED);
        outcome_free(&outcomes[i]);
    }
    bench_close(&bench);
    CHECK(bench.cancels == 3);
}

TEST(large_replies_respect_windows_and_limits) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client *client = grpc_client_create(io, &bench.addr, NULL);
    struct outcome outcomes[8] = {{0}};
    for (int i = 0; i < 8; i++)
        grpc_call(client, "/test/Big", bytes_str("3"), in_ms(io, 60000), outcome_take, &outcomes[i]);
    unsigned good = 0, refused = 0;
    for (int i = 0; i < 8; i++) {
        outcome_wait(io, &outcomes[i]);
        if (status_ok(outcomes[i].status)) good += outcomes[i].message.len == 3 << 20;
        else refused += outcomes[i].status.code == STATUS_RESOURCE_EXHAUSTED;   /* more than 16 MiB would wait */
        outcome_free(&outcomes[i]);
    }
    CHECK(good >= 5 && good + refused == 8);
    client_close_wait(io, client);
    struct buf reply = {0};
    CHECK(bench_call(&bench, "/test/Big", bytes_str("40"), &reply) == STATUS_OK && reply.len == 40 << 20);
    buf_free(&reply);
    bench_close(&bench);
}

TEST(a_busy_client_keeps_its_own_limit) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct grpc_client_options options = {.connect_streams_max = 2, .client_name = "test", .client_version = "1.0"};
    struct grpc_client *client = grpc_client_create(io, &bench.addr, &options);
    struct outcome outcomes[7] = {{0}};
    int64_t begin = io_now(io);
    for (int i = 0; i < 7; i++)
        grpc_call(client, "/test/Slow", bytes_str("x"), in_ms(io, 60000), outcome_take, &outcomes[i]);
    for (int i = 0; i < 7; i++) {
        outcome_wait(io, &outcomes[i]);
        CHECK(status_ok(outcomes[i].status));
        outcome_free(&outcomes[i]);
    }
    CHECK(io_now(io) - begin >= 4000 * (int64_t)MILLISECOND);
    client_close_wait(io, client);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_come_back),
        cmocka_unit_test(many_calls_share_a_connection),
        cmocka_unit_test(failures_carry_text_and_detail),
        cmocka_unit_test(a_deadline_ends_both_sides),
        cmocka_unit_test(a_cancel_reaches_the_service),
        cmocka_unit_test(a_lost_connection_cancels_and_comes_back),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(a_drain_lets_calls_end),
        cmocka_unit_test(closing_a_client_ends_its_calls),
        cmocka_unit_test(large_replies_respect_windows_and_limits),
        cmocka_unit_test(a_busy_client_keeps_its_own_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
