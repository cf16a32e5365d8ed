/* The byte-level parts of gRPC: timeouts, statuses, binary headers, gzip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "io/io.h"
#include "net/grpc.h"
#include "net/gzip.h"

/* Memory belongs to a node, so each test is one. */
static void (*body)(void);
static void start(struct io *io, void *arg) {
    body();
    io_exit(io, 0);
}
static void in_node(void (*fn)(void)) {
    char name[] = "test", *argv[] = {name, NULL};
    body = fn;
    assert_int_equal(io_main(1, argv, start, NULL), 0);
}

#define EQUAL(bytes, text) CHECK(bytes_equal((bytes), bytes_str(text)))

static void timeouts_body(void) {
    CHECK(grpc_timeout_parse(bytes_str("1H")) == INT64_C(3600000000000));
    CHECK(grpc_timeout_parse(bytes_str("2M")) == INT64_C(120000000000));
    CHECK(grpc_timeout_parse(bytes_str("70S")) == INT64_C(70000000000));
    CHECK(grpc_timeout_parse(bytes_str("250m")) == 250000000);
    CHECK(grpc_timeout_parse(bytes_str("7u")) == 7000 && grpc_timeout_parse(bytes_str("9n")) == 9);
    CHECK(grpc_timeout_parse(bytes_str("99999999H")) == INT64_MAX);
    static const char *const wrong[] = {"", "S", "10", "123456789S", "1x", "-1S", "1 S", " 1S", "1.5S"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) CHECK(grpc_timeout_parse(bytes_str(wrong[i])) == -1);
    char text[16];
    static const int64_t all[] = {0, 1, 99999999, 100000000, INT64_C(70000000001), INT64_C(3600000000000), INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        grpc_timeout_format(all[i], text);
        int64_t back = grpc_timeout_parse(bytes_str(text));
        CHECK(back >= all[i] && back - all[i] <= all[i] / 1000);
    }
}
static void timeouts_are_read_and_written(void **state) { in_node(timeouts_body); }

static void texts_body(void) {
    struct arena arena = {0};
    EQUAL(grpc_percent_encode(&arena, "plain text"), "plain text");
    EQUAL(grpc_percent_encode(&arena, "100%\n\xc3\xa9"), "100%25%0A%C3%A9");
    CHECK(strcmp(grpc_percent_decode(&arena, bytes_str("100%25%0a%C3%A9")), "100%\n\xc3\xa9") == 0);
    CHECK(strcmp(grpc_percent_decode(&arena, bytes_str("%zz%4")), "%zz%4") == 0);
    struct bytes out;
    for (size_t len = 0; len < 10; len++) {
        struct bytes text = grpc_base64_encode(&arena, bytes_of("\xff\xfe\xfd" "abcdefg", len));
        CHECK(grpc_base64_decode(&arena, text, &out));
        CHECK(bytes_equal(out, bytes_of("\xff\xfe\xfd" "abcdefg", len)));
    }
    CHECK(grpc_base64_decode(&arena, bytes_str("YWI="), &out));
    EQUAL(out, "ab");
    CHECK(!grpc_base64_decode(&arena, bytes_str("YW*I"), &out) && !grpc_base64_decode(&arena, bytes_str("A"), &out));
    CHECK(grpc_content_type(bytes_str("application/grpc+proto")) && grpc_content_type(bytes_str("application/grpc")));
    CHECK(!grpc_content_type(bytes_str("application/grpc-web")) && !grpc_content_type(bytes_str("application/json")));
    arena_free(&arena);
}
static void texts_are_encoded(void **state) { in_node(texts_body); }

static void statuses_body(void) {
    struct arena arena = {0};
    struct status status = {STATUS_NOT_FOUND, "gone", "a.v1.Detail", bytes_of("\x08\x01", 2)}, back = {0};
    struct bytes packed = grpc_status_pack(&arena, status);
    grpc_status_unpack(&arena, packed, &back);
    CHECK(strcmp(back.detail_type, "a.v1.Detail") == 0 && bytes_equal(back.detail, status.detail));
    for (size_t len = 0; len < packed.len; len++) {
        back = (struct status){0};
        grpc_status_unpack(&arena, bytes_of(packed.data, len), &back);   /* cut: no detail, and no harm */
    }
    arena_free(&arena);
}
static void statuses_carry_a_detail(void **state) { in_node(statuses_body); }

static void gzip_body(void) {
    struct arena arena = {0};
    struct gzip *gzip = gzip_create();
    static uint8_t data[200000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i % 251);
    struct bytes packed, out;
    for (int round = 0; round < 3; round++) {
        CHECK(gzip_deflate(gzip, &arena, bytes_of(data, sizeof data), 5, &packed) && packed.len < 20000);
        packed = bytes_of(packed.data + 5, packed.len - 5);
        CHECK(gzip_inflate(gzip, &arena, packed, sizeof data, &out) == GZIP_OK);
        CHECK(bytes_equal(out, bytes_of(data, sizeof data)));
        CHECK(gzip_inflate(gzip, &arena, packed, sizeof data - 1, &out) == GZIP_TOO_LARGE);
        CHECK(gzip_inflate(gzip, &arena, bytes_of(packed.data, packed.len - 9), sizeof data, &out) == GZIP_MALFORMED);
    }
    uint8_t *lying = arena_copy(&arena, packed.data, packed.len);        /* it says that it holds one byte */
    store_u32(lying + packed.len - 4, 1);
    CHECK(gzip_inflate(gzip, &arena, bytes_of(lying, packed.len), sizeof data, &out) == GZIP_MALFORMED);
    CHECK(gzip_inflate(gzip, &arena, bytes_str("not gzip at all, not at all"), 1000, &out) == GZIP_MALFORMED);
    CHECK(!gzip_deflate(gzip, &arena, bytes_str("tiny"), 5, &packed));
    gzip_destroy(gzip);
    arena_free(&arena);
}
static void gzip_is_bounded(void **state) { in_node(gzip_body); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_read_and_written),
        cmocka_unit_test(texts_are_encoded),
        cmocka_unit_test(statuses_carry_a_detail),
        cmocka_unit_test(gzip_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
