/* HTTP/1.1 on the same port: what is strict, and what is refused. */
#include "net_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TEST(name)                                                                                             \
    static void name##_body(struct io *io);                                                                    \
    static void name(void **state) { fiber_run(name##_body); }                                                 \
    static void name##_body(struct io *io)

/* Sends a text, and looks for another in what comes back. */
static void expect(struct bench *bench, const char *text, const char *answer, bool ends) {
    struct peer peer = {0};
    peer_open(&peer, bench);
    peer_text(&peer, text);
    for (int i = 0; i < 300 && !peer.ended && !peer_has(&peer, answer); i++) nap(bench->io, 10);
    CHECKF(peer_has(&peer, answer), "%s: %.*s", text, (int)peer.in.len, (const char *)peer.in.data);
    CHECK(peer_wait_end(&peer, 2000) == ends);
    peer_close(&peer);
}

TEST(requests_are_answered) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    expect(&bench, "GET /health?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nGET a=b 0\n", false);
    expect(&bench, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Connection: close", true);
    expect(&bench, "GET /health HTTP/1.0\r\n\r\n", "GET  0\n", true);
    expect(&bench, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false);
    expect(&bench, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", "Content-Length: 8\r\n", false);
    expect(&bench, "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", "POST  5\n", false);
    expect(&bench, "POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST  3\n",
           false);
    expect(&bench, "GET /health?1 HTTP/1.1\r\n\r\nGET /health?2 HTTP/1.1\r\n\r\n", "GET 2 0\n", false);
    expect(&bench, "GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "GET  0\n", false);
    expect(&bench, "CONNECT x:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 405", true);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(nonsense_is_refused) {
    static char line[40000] = "GET /";
    struct bench bench;
    bench_open(&bench, io, NULL);
    expect(&bench, "GET /health HTTP/1.1\r\nbad header\r\n\r\n", "HTTP/1.1 400 Bad Request", true);
    expect(&bench, "GET /health HTTP/9.9\r\n\r\n", "HTTP/1.1 505", true);
    expect(&bench, "POST /h HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400", true);
    expect(&bench, "POST /h HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400", true);
    expect(&bench, "POST /h HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 400", true);
    memset(line + 5, 'a', sizeof line - 6);
    expect(&bench, line, "HTTP/1.1 431", true);
    expect(&bench, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", true);   /* TLS on a port of clear text */
    bench_check(&bench);
    bench_close(&bench);
}

TEST(the_slow_are_dropped) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer silent = {0}, half = {0}, drip = {0};
    peer_open(&silent, &bench);
    peer_open(&half, &bench);
    peer_open(&drip, &bench);
    peer_text(&half, "GET /health HT");
    for (int i = 0; i < 100 && !drip.ended; i++) {
        peer_text(&drip, i == 0 ? "GET / HTTP/1.1\r\n" : "a: b\r\n");
        nap(io, 200);
    }
    CHECK(silent.ended && half.ended && drip.ended);   /* within 10 seconds */
    peer_close(&silent);
    peer_close(&half);
    peer_close(&drip);
    struct peer idle = {0};              /* after a request, an idle connection stays a while */
    peer_open(&idle, &bench);
    peer_text(&idle, "GET /health HTTP/1.1\r\n\r\n");
    nap(io, 30000);
    CHECK(!idle.ended && peer_has(&idle, "GET  0"));
    nap(io, 60000);
    CHECK(idle.ended);
    peer_close(&idle);
    bench_check(&bench);
    bench_close(&bench);
}

/* How often a text is in what came. */
static unsigned times(const struct peer *peer, const char *text) {
    struct buf all = {0};
    unsigned count = 0;
    buf_append_bytes(&all, buf_bytes(&peer->in));
    for (const char *at = buf_cstr(&all); (at = strstr(at, text)); at++) count++;
    buf_free(&all);
    return count;
}

TEST(answers_may_come_later) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer peer = {0};
    peer_open(&peer, &bench);            /* two requests ahead wait for the first, and are answered in order */
    peer_text(&peer, "GET /later?1 HTTP/1.1\r\n\r\nGET /health?2 HTTP/1.1\r\n\r\nGET /later?3 HTTP/1.1\r\n");
    nap(io, 500);
    CHECK(peer.in.len == 0);
    peer_text(&peer, "\r\nGET /health?4 HTTP/1.1\r\n\r\n");
    nap(io, 1000);
    CHECK(peer_has(&peer, "GET 1 0\n") && peer_has(&peer, "GET 2 0\n") && !peer_has(&peer, "GET 4 0\n"));
    nap(io, 1000);
    const char *third = strstr(buf_cstr(&peer.in), "GET 3 0\n");
    CHECK(third && strstr(third, "GET 4 0\n") && !peer.ended);
    peer_close(&peer);
    expect(&bench, "HEAD /later HTTP/1.1\r\nConnection: close\r\n\r\n", "Connection: close\r\n\r\n", true);
    expect(&bench, "POST /later HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", "POST  5\n", false);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(what_is_sent_ahead_has_a_limit) {
    struct bench bench;
    struct buf many = {0};
    bench_open(&bench, io, NULL);
    struct peer peer = {0};
    peer_open(&peer, &bench);
    peer_text(&peer, "GET /later HTTP/1.1\r\n\r\n");
    nap(io, 100);
    while (many.len < 200 * 1024) buf_append_str(&many, "GET /health HTTP/1.1\r\n\r\n");
    peer_send(&peer, many.data, many.len);
    CHECK(peer_wait_end(&peer, 5000));
    CHECK(times(&peer, "HTTP/1.1 200") == 1 && times(&peer, "Connection: close") == 1);
    peer_close(&peer);
    buf_free(&many);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(a_client_that_goes_is_not_answered) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer gone = {0}, half = {0};
    peer_open(&gone, &bench);
    peer_open(&half, &bench);
    peer_text(&gone, "GET /hang HTTP/1.1\r\n\r\n");
    nap(io, 100);
    CHECK(net_server_stats(bench.server).calls_open == 1);
    peer_close(&gone);                   /* as far as the server can know, it may still read */
    peer_text(&half, "GET /later HTTP/1.1\r\n\r\n");
    io_shutdown(io, half.sock);
    CHECK(peer_wait_end(&half, 5000) && peer_has(&half, "GET  0\n") && peer_has(&half, "Connection: close"));
    peer_close(&half);
    nap(io, 80000);
    CHECK(bench.cancels == 1 && net_server_stats(bench.server).calls_open == 0);
    CHECK(net_server_stats(bench.server).connections_open == 0);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(an_answer_has_a_time_limit) {
    struct bench bench;
    struct net_limits limits = {.http_reply_ns_max = 5000 * (int64_t)MILLISECOND};
    bench_open(&bench, io, &limits);
    struct peer peer = {0};
    peer_open(&peer, &bench);
    peer_text(&peer, "GET /hang HTTP/1.1\r\n\r\n");
    nap(io, 4900);
    CHECK(peer.in.len == 0 && bench.cancels == 0);
    CHECK(peer_wait_end(&peer, 1000) && peer_has(&peer, "HTTP/1.1 504 Gateway Timeout") && bench.cancels == 1);
    peer_close(&peer);
    bench_check(&bench);
    bench_close(&bench);
}

TEST(a_drain_waits_for_an_answer) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer later = {0}, hang = {0}, late = {0};
    peer_open(&later, &bench);
    peer_open(&hang, &bench);
    peer_open(&late, &bench);
    peer_text(&later, "GET /later HTTP/1.1\r\n\r\n");
    peer_text(&hang, "GET /hang HTTP/1.1\r\n\r\n");
    nap(io, 100);
    bench_close(&bench);
    CHECK(peer_has(&later, "GET  0\n") && peer_has(&later, "Connection: close") && late.ended);
    CHECK(bench.cancels == 1 && hang.in.len == 0);
    peer_close(&later);
    peer_close(&hang);
    peer_close(&late);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(the_slow_are_dropped),
        cmocka_unit_test(answers_may_come_later),
        cmocka_unit_test(what_is_sent_ahead_has_a_limit),
        cmocka_unit_test(a_client_that_goes_is_not_answered),
        cmocka_unit_test(an_answer_has_a_time_limit),
        cmocka_unit_test(a_drain_waits_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
