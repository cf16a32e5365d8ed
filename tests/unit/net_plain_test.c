/* Plain HTTP requests on HTTP/2: answers now and later, their time limit, and clients that go. */
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

enum { END = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM };

static void ask(struct peer *peer, uint32_t stream, const char *method, const char *path, uint8_t flags) {
    struct buf block = {0};
    hpack_literal(&block, ":method", method);
    hpack_literal(&block, ":scheme", "http");
    hpack_literal(&block, ":path", path);
    hpack_literal(&block, ":authority", "test");
    peer_frame(peer, NGHTTP2_HEADERS, flags, stream, block.data, block.len);
    buf_free(&block);
}

/* The value of the literal header `:status` that nghttp2 writes: an index of the static table (RFC 7541, appendix A), or
 * text behind index 8. */
static unsigned status_on(const struct peer *peer, uint32_t stream) {
    static const unsigned indexed[] = {200, 204, 206, 304, 400, 404, 500};
    struct bytes head;
    if (!peer_find(peer, NGHTTP2_HEADERS, stream, 0, &head)) return 0;
    while (head.len > 1 && (head.data[0] & 0xe0) == 0x20) head = bytes_of(head.data + 1, head.len - 1);
    if (head.data[0] & 0x80) return (head.data[0] & 0x7f) - 8 < 7 ? indexed[(head.data[0] & 0x7f) - 8] : 1;
    nghttp2_hd_inflater *inflater;
    nghttp2_nv nv = {0};
    int flags = 0;
    CHECK(nghttp2_hd_inflate_new(&inflater) == 0);
    CHECK(nghttp2_hd_inflate_hd2(inflater, &nv, &flags, head.data, head.len, 1) > 0 && nv.valuelen == 3);
    unsigned status = (unsigned)(nv.value[0] - '0') * 100 + (unsigned)(nv.value[1] - '0') * 10 + nv.value[2] - '0';
    nghttp2_hd_inflate_del(inflater);
    return status;
}

TEST(answers_come_in_any_order) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer peer = {0};
    peer_open(&peer, &bench);
    peer_greet(&peer);
    ask(&peer, 1, "GET", "/later?a", END);
    ask(&peer, 3, "GET", "/health?b=c", END);
    ask(&peer, 5, "POST", "/later?d", NGHTTP2_FLAG_END_HEADERS);
    peer_frame(&peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 5, "12345", 5);
    ask(&peer, 7, "GET", "/nothing", END);
    nap(io, 500);
    CHECK(peer_has(&peer, "GET b=c 0\n") && !peer_has(&peer, "GET a 0\n"));
    CHECK(status_on(&peer, 3) == 200 && status_on(&peer, 7) == 404);
    nap(io, 1000);
    CHECK(peer_has(&peer, "GET a 0\n") && peer_has(&peer, "POST d 5\n") && bench.cancels == 0);
    CHECK(net_server_stats(bench.server).calls_open == 0);
    peer_close(&peer);
    bench_close(&bench);
}

TEST(an_answer_has_a_time_limit) {
    struct bench bench;
    struct net_limits limits = {.http_reply_ns_max = 5000 * (int64_t)MILLISECOND};
    bench_open(&bench, io, &limits);
    struct peer peer = {0};
    peer_open(&peer, &bench);
    peer_greet(&peer);
    ask(&peer, 1, "GET", "/hang", END);
    nap(io, 4900);
    CHECK(status_on(&peer, 1) == 0 && bench.cancels == 0);
    nap(io, 200);
    CHECK(status_on(&peer, 1) == 504 && peer_has(&peer, "context deadline exceeded\n") && bench.cancels == 1);
    ask(&peer, 3, "GET", "/health", END);          /* the connection goes on */
    nap(io, 100);
    CHECK(peer_has(&peer, "GET  0\n"));
    peer_close(&peer);
    bench_close(&bench);
}

TEST(a_client_that_goes_is_not_answered) {
    struct bench bench;
    bench_open(&bench, io, NULL);
    struct peer peer = {0};
    peer_open(&peer, &bench);
    peer_greet(&peer);
    ask(&peer, 1, "GET", "/hang", END);
    ask(&peer, 3, "GET", "/later", END);
    ask(&peer, 5, "GET", "/hang", END);
    nap(io, 100);
    CHECK(peer_frame(&peer, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x8", 4));
    nap(io, 100);
    CHECK(bench.cancels == 1 && net_server_stats(bench.server).calls_open == 2);
    peer_close(&peer);                   /* that of /later is cancelled, and ended by its handler all the same */
    nap(io, 2000);
    CHECK(bench.cancels == 3 && net_server_stats(bench.server).calls_open == 0);
    bench_check(&bench);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test(an_answer_has_a_time_limit),
        cmocka_unit_test(a_client_that_goes_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
