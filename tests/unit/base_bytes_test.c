/* Bytes, buffers, readers. */
#include "base/bytes.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void bytes_are_compared(void **state) {
    (void)state;
    assert_true(bytes_equal(bytes_str("abc"), bytes_of("abcd", 3)));
    assert_false(bytes_equal(bytes_str("abc"), bytes_str("abd")));
    assert_true(bytes_equal((struct bytes){0}, bytes_str("")));
    assert_true(bytes_equal(bytes_str(NULL), bytes_str("")));
    assert_true(bytes_compare(bytes_str("a"), bytes_str("b")) < 0);
    assert_true(bytes_compare(bytes_str("ab"), bytes_str("a")) > 0);
    assert_true(bytes_compare(bytes_str("a"), bytes_str("ab")) < 0);
    assert_int_equal(bytes_compare(bytes_str(""), (struct bytes){0}), 0);
    assert_true(bytes_compare(bytes_of("\x7f", 1), bytes_of("\x80", 1)) < 0);
}

static void a_buffer_grows(void **state) {
    (void)state;
    struct buf buf = {0};
    assert_string_equal(buf_cstr(&buf), "");
    for (int i = 0; i < 1000; i++) buf_append_u8(&buf, (uint8_t)i);
    assert_int_equal(buf.len, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(buf.data[i], (uint8_t)i);
    buf_append(&buf, NULL, 0);
    assert_int_equal(buf.len, 1000);
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap >= 1000);
    buf_free(&buf);
    assert_null(buf.data);
    buf_free(&buf);
}

static void text_is_printed_into_a_buffer(void **state) {
    (void)state;
    struct buf buf = {0};
    buf_append_str(&buf, "<");
    buf_printf(&buf, "%s %d %05d", "a long enough text to make the buffer grow", -7, 42);
    buf_printf(&buf, "%s", "");
    buf_append_bytes(&buf, bytes_str(">"));
    assert_string_equal(buf_cstr(&buf), "<a long enough text to make the buffer grow -7 00042>");
    assert_int_equal(buf.len, strlen(buf_cstr(&buf)));
    buf_free(&buf);
}

static void bytes_are_consumed_from_the_front(void **state) {
    (void)state;
    struct buf buf = {0};
    buf_append_str(&buf, "abcdef");
    buf_consume(&buf, 0);
    buf_consume(&buf, 2);
    assert_string_equal(buf_cstr(&buf), "cdef");
    buf_consume(&buf, 4);
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
}

static const uint64_t numbers[] = {0,       1,          127,        128,        300,       16383,     16384,
                                   1 << 21, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_C(1) << 63};

static void numbers_are_written_and_read(void **state) {
    (void)state;
    struct buf buf = {0};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        buf_append_varint(&buf, numbers[i]);
        buf_append_u64(&buf, numbers[i]);
        buf_append_u32(&buf, (uint32_t)numbers[i]);
    }
    struct reader reader = reader_of(buf_bytes(&buf));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        assert_true(read_varint(&reader) == numbers[i]);
        assert_true(read_u64(&reader) == numbers[i]);
        assert_true(read_u32(&reader) == (uint32_t)numbers[i]);
    }
    assert_false(reader.bad);
    assert_int_equal(reader.left.len, 0);
    buf_free(&buf);
}

static void fixed_numbers_are_little_endian(void **state) {
    (void)state;
    uint8_t raw[8];
    store_u32(raw, 0x04030201);
    assert_memory_equal(raw, "\1\2\3\4", 4);
    store_u64(raw, UINT64_C(0x0807060504030201));
    assert_memory_equal(raw, "\1\2\3\4\5\6\7\10", 8);
    assert_true(load_u64(raw) == UINT64_C(0x0807060504030201));
    assert_int_equal(load_u32(raw), 0x04030201);
}

static void a_reader_stops_at_the_end(void **state) {
    (void)state;
    struct reader reader = reader_of(bytes_of("\1\2\3", 3));
    assert_int_equal(read_u8(&reader), 1);
    assert_int_equal(read_u32(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(read_u8(&reader), 0);
    assert_int_equal(read_bytes(&reader, 0).len, 0);
    reader = reader_of(bytes_of("\x80\x80", 2));
    assert_true(read_varint(&reader) == 0 && reader.bad);
    reader = reader_of(bytes_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11));
    assert_true(read_varint(&reader) == 0 && reader.bad);
    reader = reader_of((struct bytes){0});
    assert_int_equal(read_bytes(&reader, 0).len, 0);
    assert_false(reader.bad);
    assert_int_equal(read_bytes(&reader, SIZE_MAX).len, 0);
    assert_true(reader.bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_compared),
        cmocka_unit_test(a_buffer_grows),
        cmocka_unit_test(text_is_printed_into_a_buffer),
        cmocka_unit_test(bytes_are_consumed_from_the_front),
        cmocka_unit_test(numbers_are_written_and_read),
        cmocka_unit_test(fixed_numbers_are_little_endian),
        cmocka_unit_test(a_reader_stops_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
