/* Checks of names, lengths of time, activity options, failures' sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shard/activity_options.h"
#include "shard/failure.h"
#include "shard/pb.h"
#include "shard/validate.h"

#define SECOND 1000000000LL

static struct arena arena;

static int teardown(void **state) {
    arena_free(&arena);
    return 0;
}

static char *repeat(char c, size_t count) {
    char *text = arena_alloc(&arena, count + 1);
    memset(text, c, count);
    return text;
}

static void test_durations(void **state) {
    assert_null(duration_check(NULL));
    PbDuration d = {PROTOBUF_C_MESSAGE_INIT(&google__protobuf__duration__descriptor), .seconds = 5, .nanos = 7};
    assert_null(duration_check(&d));
    d.nanos = -1;
    assert_string_equal(duration_check(&d), "duration has seconds and nanos with different signs");
    d.seconds = -5;
    assert_string_equal(duration_check(&d), "negative duration");
    d.seconds = INT64_MAX;
    d.nanos = 5;
    assert_null(duration_check(&d));
    assert_int_equal(d.seconds, 100LL * 365 * 24 * 3600);
    assert_int_equal(d.nanos, 0);
}

static void test_utf8(void **state) {
    assert_true(utf8_valid(bytes_str("")));
    assert_true(utf8_valid(bytes_str("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_false(utf8_valid(bytes_str("\xc3")));
    assert_false(utf8_valid(bytes_str("\xc0\x80")));
    assert_false(utf8_valid(bytes_str("\xed\xa0\x80")));
    assert_false(utf8_valid(bytes_str("\xf4\x90\x80\x80")));
    assert_false(utf8_valid(bytes_str("\x80")));
}

static void test_uuid(void **state) {
    assert_true(uuid_valid("0b6f9a1e-1234-4abc-9DEF-0123456789ab"));
    assert_false(uuid_valid(""));
    assert_false(uuid_valid("0b6f9a1e-1234-4abc-9def-0123456789a"));
    assert_false(uuid_valid("0b6f9a1e-1234-4abc-9def-0123456789abc"));
    assert_false(uuid_valid("0b6f9a1e11234-4abc-9def-0123456789ab"));
}

static void test_task_queue(void **state) {
    assert_string_equal(task_queue_check(&arena, NULL, "", 0).message, "taskQueue is not set");
    TaskQueue *q = PB_NEW(&arena, temporal__api__taskqueue__v1__task_queue);
    assert_string_equal(task_queue_check(&arena, q, "", 0).message, "missing task queue name");
    assert_true(status_ok(task_queue_check(&arena, q, "other", 0)));
    assert_string_equal(q->name, "other");
    assert_int_equal(q->kind, QUEUE_KIND(NORMAL));
    q->name = arena_strdup(&arena, "/_sys/other/1");
    assert_string_equal(task_queue_check(&arena, q, "", 0).message,
                        "task queue name cannot start with reserved prefix /_sys/");
    q->name = repeat('q', 1001);
    assert_string_equal(task_queue_check(&arena, q, "", 0).message, "taskQueue length exceeds limit");
    q->name = repeat('q', 1000);
    assert_true(status_ok(task_queue_check(&arena, q, "", 0)));
    q->name = arena_strdup(&arena, "temporal-sys-per-ns-tq");
    assert_false(status_ok(task_queue_check_user(&arena, q, "mine", 0)));
    assert_true(status_ok(task_queue_check_user(&arena, q, "temporal-sys-per-ns-tq", 0)));
}

static void test_priority(void **state) {
    assert_true(status_ok(priority_check(&arena, NULL)));
    Priority *p = PB_NEW(&arena, temporal__api__common__v1__priority);
    assert_true(status_ok(priority_check(&arena, p)));
    p->priority_key = -1;
    assert_string_equal(priority_check(&arena, p).message, "priority key can't be negative");
    p->priority_key = 1;
    p->fairness_key = repeat('f', 65);
    assert_string_equal(priority_check(&arena, p).message, "fairness key length exceeds limit");
}

/* ---- activity options ------------------------------------------------------------------------------------------- */

static ScheduleActivity *activity(int64_t close, int64_t start, int64_t run, int64_t heartbeat) {
    ScheduleActivity *a = PB_NEW(&arena, temporal__api__command__v1__schedule_activity_task_command_attributes);
    a->activity_id = arena_strdup(&arena, "a1");
    a->activity_type = PB_NEW(&arena, temporal__api__common__v1__activity_type);
    a->activity_type->name = arena_strdup(&arena, "Charge");
    if (close) a->schedule_to_close_timeout = pb_duration(&arena, close * SECOND);
    if (start) a->schedule_to_start_timeout = pb_duration(&arena, start * SECOND);
    if (run) a->start_to_close_timeout = pb_duration(&arena, run * SECOND);
    if (heartbeat) a->heartbeat_timeout = pb_duration(&arena, heartbeat * SECOND);
    return a;
}

static void expect_timeouts(ScheduleActivity *a, int64_t run_timeout, int64_t close, int64_t start, int64_t run,
                            int64_t heartbeat) {
    assert_true(status_ok(activity_options_check(&arena, a, run_timeout * SECOND, "tq", 0)));
    assert_int_equal(duration_ns(a->schedule_to_close_timeout), close * SECOND);
    assert_int_equal(duration_ns(a->schedule_to_start_timeout), start * SECOND);
    assert_int_equal(duration_ns(a->start_to_close_timeout), run * SECOND);
    assert_int_equal(duration_ns(a->heartbeat_timeout), heartbeat * SECOND);
    assert_non_null(a->schedule_to_close_timeout);
    assert_non_null(a->heartbeat_timeout);
}

static void test_activity_timeouts(void **state) {
    expect_timeouts(activity(10, 0, 0, 0), 0, 10, 10, 10, 0);
    expect_timeouts(activity(10, 3, 20, 30), 0, 10, 3, 10, 10);
    expect_timeouts(activity(0, 0, 5, 2), 0, 0, 0, 5, 2);
    expect_timeouts(activity(0, 0, 5, 0), 60, 60, 60, 5, 0);
    expect_timeouts(activity(0, 7, 5, 0), 60, 60, 7, 5, 0);
    expect_timeouts(activity(100, 90, 80, 70), 60, 60, 60, 60, 60);
}

static const char *refusal(ScheduleActivity *a) {
    struct status status = activity_options_check(&arena, a, 0, "tq", 0);
    return status_ok(status) ? "" : status.message;
}

static void test_activity_refusals(void **state) {
    assert_string_equal(refusal(activity(0, 5, 0, 0)),
                        "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
                        "ActivityId=a1 ActivityType=Charge");
    assert_string_equal(refusal(activity(-1, 0, 5, 0)), "invalid ScheduleToCloseTimeout: negative duration");
    ScheduleActivity *a = activity(5, 0, 0, 0);
    a->activity_id = arena_strdup(&arena, "");
    assert_string_equal(refusal(a), "activityId is not set");
    a = activity(5, 0, 0, 0);
    a->activity_type = NULL;
    assert_string_equal(refusal(a), "activityType is not set");
    a = activity(5, 0, 0, 0);
    a->activity_id = repeat('a', 1001);
    assert_string_equal(refusal(a), "activityId exceeds length limit. Length=1001 Limit=1000");
}

static void test_activity_defaults(void **state) {
    ScheduleActivity *a = activity(5, 0, 0, 0);
    assert_string_equal(refusal(a), "");
    assert_string_equal(a->task_queue->name, "tq");
    assert_int_equal(duration_ns(a->retry_policy->initial_interval), SECOND);
}

/* ---- failures -------------------------------------------------------------------------------------------------------- */

static void test_trim(void **state) {
    Failure *f = PB_NEW(&arena, temporal__api__failure__v1__failure);
    f->message = repeat('m', 3000);
    f->stack_trace = repeat('s', 5000);
    f->failure_info_case = FAILURE_INFO(APPLICATION);
    f->application_failure_info = PB_NEW(&arena, temporal__api__failure__v1__application_failure_info);
    f->application_failure_info->type = arena_strdup(&arena, "Kind");
    f->application_failure_info->non_retryable = true;
    f->cause = failure_server(&arena, true, "%s", repeat('c', 5000));

    Failure *small = failure_trim(&arena, f, 4096);
    assert_true(pb_size(small) <= 4096);
    assert_string_equal(small->application_failure_info->type, "Kind");
    assert_true(small->application_failure_info->non_retryable);
    assert_int_equal(strlen(small->message), 3000);
    assert_true(strlen(small->stack_trace) > 900);

    const Failure *kept = failure_for_retry(&arena, f);
    assert_string_equal(kept->message, "Failure exceeds size limit.");
    assert_int_equal(kept->failure_info_case, FAILURE_INFO(SERVER));
    assert_int_equal(strlen(kept->cause->message), 3000);

    Failure *little = failure_server(&arena, false, "x");
    assert_ptr_equal(failure_for_retry(&arena, little), little);
}

static void test_trim_keeps_characters_whole(void **state) {
    Failure *f = failure_server(&arena, false, "%s", "aaaaaa\xe2\x82\xac\xe2\x82\xac");
    for (size_t max = 0; max < 30; max++) {
        Failure *small = failure_trim(&arena, f, max);
        assert_true(utf8_valid(bytes_str(small->message)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_task_queue),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_activity_timeouts),
        cmocka_unit_test(test_activity_refusals),
        cmocka_unit_test(test_activity_defaults),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_trim_keeps_characters_whole),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
