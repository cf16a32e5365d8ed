/* Only well-formed messages are decoded. */
#include "base/check.h"
#include "frontend/wire_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "temporal/api/failure/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define REQUEST &temporal__api__workflowservice__v1__start_workflow_execution_request__descriptor

static const char *check(const void *data, size_t len, struct arena *arena) {
    return wire_check(bytes_of(data, len), REQUEST, arena);
}

static void good_messages_pass(void **state) {
    struct arena arena = {0};
    (void)state;
    assert_null(check("", 0, &arena));
    assert_null(check("\x0a\x03" "abc", 5, &arena));
    assert_null(check("\x0a\x02\xc3\xa9", 4, &arena));
    assert_null(check("\xf8\x7f\x01", 3, &arena));          /* an unknown field */
    arena_free(&arena);
}

/* DescribeTaskQueueRequest.task_queue_types is field 7, a list of enums. */
static void packed_lists_are_checked(void **state) {
    static const ProtobufCMessageDescriptor *const type =
        &temporal__api__workflowservice__v1__describe_task_queue_request__descriptor;
    struct arena arena = {0};
    (void)state;
    assert_null(wire_check(bytes_of("\x3a\x02\x01\x02", 4), type, &arena));
    assert_null(wire_check(bytes_of("\x3a\x00\x38\x01", 4), type, &arena));
    assert_non_null(strstr(wire_check(bytes_of("\x3a\x02\x01\x80", 4), type, &arena), "task_queue_types"));
    assert_non_null(wire_check(bytes_of("\x3a\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13), type, &arena));
    arena_free(&arena);
}

static void bad_messages_name_what_is_wrong(void **state) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x0a\x05" "abc", 5, "cut short"},
        {"\x0a", 1, "cut short"},
        {"\x0a\x01\xff", 3, "invalid UTF-8"},
        {"\x0a\x03" "a\0b", 5, "NUL"},
        {"\x0a\x03\xed\xa0\x80", 5, "invalid UTF-8"},       /* a surrogate */
        {"\x08\x01", 2, "wire type"},
        {"\x0b", 1, "malformed"},                           /* a group */
        {"\x00\x01", 2, "malformed"},                       /* field number 0 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = {0};
        const char *text = check(cases[i].bytes, cases[i].len, &arena);
        assert_non_null(text);
        assert_non_null(strstr(text, cases[i].text));
        arena_free(&arena);
    }
}

/* Failure.cause is field 4, of its own type. */
static void nesting_is_bounded(void **state) {
    struct arena arena = {0};
    struct buf message = {0};
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct buf outer = {0};
        buf_append_u8(&outer, 0x22);
        buf_append_varint(&outer, message.len);
        buf_append_bytes(&outer, buf_bytes(&message));
        buf_free(&message);
        message = outer;
    }
    const char *text = wire_check(buf_bytes(&message), &temporal__api__failure__v1__failure__descriptor, &arena);
    assert_non_null(text);
    assert_non_null(strstr(text, "nested deeper"));
    buf_free(&message);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_messages_pass),
        cmocka_unit_test(packed_lists_are_checked),
        cmocka_unit_test(bad_messages_name_what_is_wrong),
        cmocka_unit_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
