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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(the_slow_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
