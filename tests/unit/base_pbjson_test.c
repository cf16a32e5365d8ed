/* JSON text, and messages as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/json.h"
#include "base/pbjson.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define START (&temporal__api__workflowservice__v1__start_workflow_execution_request__descriptor)
#define DESCRIBE (&temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor)

static void assert_round_trip(const ProtobufCMessageDescriptor *type, const char *in, const char *out) {
    struct arena arena = {0};
    struct status status = {0};
    ProtobufCMessage *message = pbjson_read(bytes_str(in), type, &arena, &status);
    if (!message) fail_msg("%s: %s", in, status.message);
    struct buf text = {0};
    pbjson_write(&text, message, PBJSON_SHORTHAND);
    assert_string_equal(buf_cstr(&text), out);
    /* What was read is a good message: it packs and unpacks to the same. */
    struct buf packed = {0}, again = {0};
    buf_reserve(&packed, protobuf_c_message_get_packed_size(message));
    size_t len = protobuf_c_message_pack(message, packed.data);
    ProtobufCMessage *unpacked = protobuf_c_message_unpack(type, arena_pb(&arena), len, packed.data);
    assert_non_null(unpacked);
    pbjson_write(&again, unpacked, PBJSON_SHORTHAND);
    assert_string_equal(buf_cstr(&again), out);
    buf_free(&again);
    buf_free(&packed);
    buf_free(&text);
    arena_free(&arena);
}

static void assert_fails(const ProtobufCMessageDescriptor *type, const char *in, const char *message) {
    struct arena arena = {0};
    struct status status = {0};
    assert_null(pbjson_read(bytes_str(in), type, &arena, &status));
    assert_string_equal(status.message, message);
    arena_free(&arena);
}

static void fields_of_all_kinds(void **state) {
    (void)state;
    assert_round_trip(START, "{}", "{}");
    assert_round_trip(START,
                      "{ \"namespace\": \"default\", \"workflowId\":\"w\\u00e9\\n\", \"workflow_type\": {\"name\":\"T\"},"
                      "\"workflowRunTimeout\": \"1.5s\", \"workflowIdReusePolicy\": \"WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE\","
                      "\"requestEagerExecution\": true, \"retryPolicy\": {\"backoffCoefficient\": 2.5, \"maximumAttempts\": 3},"
                      "\"cronSchedule\": null, \"links\": []}",
                      "{\"namespace\":\"default\",\"workflowId\":\"w\xc3\xa9\\n\",\"workflowType\":{\"name\":\"T\"},"
                      "\"workflowRunTimeout\":\"1.500s\",\"workflowIdReusePolicy\":\"WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE\","
                      "\"retryPolicy\":{\"backoffCoefficient\":2.5,\"maximumAttempts\":3},\"requestEagerExecution\":true}");
    assert_round_trip(DESCRIBE,
                      "{\"workflowExecutionInfo\":{\"startTime\":\"2026-11-21T10:00:00.25+01:00\",\"status\":1,"
                      "\"historyLength\":\"9007199254740993\",\"historySizeBytes\":17}}",
                      "{\"workflowExecutionInfo\":{\"startTime\":\"2026-11-21T09:00:00.250Z\","
                      "\"status\":\"WORKFLOW_EXECUTION_STATUS_RUNNING\",\"historyLength\":\"9007199254740993\","
                      "\"historySizeBytes\":\"17\"}}");
}

static void payloads_have_a_short_form(void **state) {
    (void)state;
    assert_round_trip(START, "{\"input\": [1.10, \"a b\", {\"x\" : [ ]}, null, 123456789012345678901234567890]}",
                      "{\"input\":[1.10,\"a b\",{\"x\":[]},null,123456789012345678901234567890]}");
    assert_round_trip(START, "{\"memo\":{\"fields\":{\"a\":{\"k\":true},\"b\":null}}}",
                      "{\"memo\":{\"fields\":{\"a\":{\"k\":true},\"b\":null}}}");
    assert_round_trip(START, "{\"input\":[{\"_protoMessageType\":\"a.B\",\"x\":\"\\u0041\"}]}",
                      "{\"input\":[{\"_protoMessageType\":\"a.B\",\"x\":\"\\u0041\"}]}");
    assert_round_trip(START, "{\"input\":[{\"metadata\":{\"encoding\":\"YmluYXJ5L3BsYWlu\"},\"data\":\"AP8=\"}]}",
                      "{\"input\":{\"payloads\":[{\"metadata\":{\"encoding\":\"YmluYXJ5L3BsYWlu\"},\"data\":\"AP8=\"}]}}");
    assert_round_trip(START, "{\"input\":[{\"metadata\":7}]}", "{\"input\":[{\"metadata\":7}]}");
}

static void errors_name_the_field(void **state) {
    (void)state;
    assert_fails(START, "{\"workflowType\":{\"nam\":1}}", "WorkflowType has no field \"nam\" in workflowType");
    assert_fails(START, "{\"workflowType\":{\"name\":1}}", "expected a string, not 1 in workflowType.name");
    assert_fails(START, "{\"workflowRunTimeout\":\"5\"}",
                 "expected a span of time such as \"1.5s\", not \"5\" in workflowRunTimeout");
    assert_fails(START, "{\"workflowIdReusePolicy\":\"X\"}",
                 "WorkflowIdReusePolicy has no value \"X\" in workflowIdReusePolicy");
    assert_fails(START, "{\"retryPolicy\":{\"maximumAttempts\":2147483648}}",
                 "expected a whole number of 32 bits, not 2147483648 in retryPolicy.maximumAttempts");
    assert_fails(START, "[]", "expected an object, not []");
    assert_fails(START, "{\"a\":1,\n \"b\" 2}", "not JSON: line 2, column 6: expected \":\"");
}

static void refuses_what_is_no_json(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "[1,]", "[1 2]", "{\"a\":}", "{a:1}", "01", "1.", "-", "1e", "tru", "nul", "\"", "\"\\x\"",
        "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\xff\"", "\"\n\"", "1 2", "]", "[}", "\"\\", "+1", ".5",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena arena = {0};
        struct status status = {0};
        if (json_parse(bytes_str(bad[i]), &arena, &status)) fail_msg("taken as JSON: %s", bad[i]);
        arena_free(&arena);
    }
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    struct arena arena = {0};
    struct status status = {0};
    char text[2 * JSON_DEPTH_MAX + 4] = "";
    memset(text, '[', JSON_DEPTH_MAX + 1);
    assert_null(json_parse(bytes_of(text, JSON_DEPTH_MAX + 1), &arena, &status));
    assert_non_null(strstr(status.message, "nested too deeply"));
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_non_null(json_parse(bytes_of(text, 2 * JSON_DEPTH_MAX), &arena, &status));
    arena_free(&arena);
}

static void lays_json_out(void **state) {
    (void)state;
    struct buf out = {0};
    json_indent(bytes_str("{\"a\":[1,{}, []],\"b\" : {\"c\\\"d\":\"{,}\"}}"), &out);
    assert_string_equal(buf_cstr(&out), "{\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"b\": {\n    \"c\\\"d\": \"{,}\"\n  }\n}");
    buf_clear(&out);
    json_compact(bytes_str(" { \"a b\" : [ 1 , 2 ] } "), &out);
    assert_string_equal(buf_cstr(&out), "{\"a b\":[1,2]}");
    buf_free(&out);
}

static void base64_both_ways(void **state) {
    (void)state;
    struct arena arena = {0};
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        struct bytes back;
        base64_append(&out, bytes_str(cases[i][0]));
        assert_string_equal(buf_cstr(&out), cases[i][1]);
        assert_true(base64_read(buf_bytes(&out), &arena, &back));
        assert_true(bytes_equal(back, bytes_str(cases[i][0])));
        buf_free(&out);
    }
    struct bytes back;
    assert_true(base64_read(bytes_str("_-8"), &arena, &back));
    static const char *const bad[] = {"Z", "Zg=", "=", "Z===", "Zm9v!", "Zg==Zg=="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(base64_read(bytes_str(bad[i]), &arena, &back));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_all_kinds),   cmocka_unit_test(payloads_have_a_short_form),
        cmocka_unit_test(errors_name_the_field), cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(nesting_has_a_limit),   cmocka_unit_test(lays_json_out),
        cmocka_unit_test(base64_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
