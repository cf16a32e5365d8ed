/* Retry policies: intervals, reasons to stop, checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "shard/failure.h"
#include "shard/pb.h"
#include "shard/retry.h"
#include "shard/validate.h"

#define SECOND 1000000000LL

static struct arena arena;

static int teardown(void **state) {
    arena_free(&arena);
    return 0;
}

static RetryPolicy *policy(int64_t initial_ns, double coefficient, int64_t maximum_ns, int32_t attempts) {
    RetryPolicy *p = PB_NEW(&arena, temporal__api__common__v1__retry_policy);
    p->initial_interval = pb_duration(&arena, initial_ns);
    p->backoff_coefficient = coefficient;
    p->maximum_interval = pb_duration(&arena, maximum_ns);
    p->maximum_attempts = attempts;
    return p;
}

static Failure *application(const char *type, bool non_retryable) {
    Failure *f = PB_NEW(&arena, temporal__api__failure__v1__failure);
    f->message = arena_strdup(&arena, "it broke");
    f->failure_info_case = FAILURE_INFO(APPLICATION);
    f->application_failure_info = PB_NEW(&arena, temporal__api__failure__v1__application_failure_info);
    f->application_failure_info->type = arena_strdup(&arena, type);
    f->application_failure_info->non_retryable = non_retryable;
    return f;
}

static void test_backoff(void **state) {
    assert_int_equal(retry_backoff(SECOND, 2, 1), SECOND);
    assert_int_equal(retry_backoff(SECOND, 2, 2), 2 * SECOND);
    assert_int_equal(retry_backoff(SECOND, 2, 11), 1024 * SECOND);
    assert_int_equal(retry_backoff(SECOND, 1.5, 3), 2250000000LL);
    assert_int_equal(retry_backoff(SECOND, 1, INT32_MAX), SECOND);
    assert_int_equal(retry_backoff(SECOND, 2, 0), SECOND);
    assert_int_equal(retry_backoff(0, 2, 5), 0);
    assert_true(retry_backoff(SECOND, 2, 64) == INT64_MAX);
    assert_true(retry_backoff(SECOND, 2, INT32_MAX) == INT64_MAX);
}

static void test_next_interval(void **state) {
    int64_t interval;
    RetryPolicy *p = policy(SECOND, 2, 5 * SECOND, 0);
    assert_int_equal(retry_next(p, 1, 0, 0, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(interval, SECOND);
    assert_int_equal(retry_next(p, 3, 0, 0, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(interval, 4 * SECOND);
    assert_int_equal(retry_next(p, 4, 0, 0, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(interval, 5 * SECOND);
    assert_int_equal(retry_next(p, 1000000, 0, 0, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(interval, 5 * SECOND);
}

static void test_asked_delay(void **state) {
    int64_t interval;
    Failure *f = application("Busy", false);
    f->application_failure_info->next_retry_delay = pb_duration(&arena, 60 * SECOND);
    /* It replaces the policy's interval, and may be longer than the policy's longest. */
    assert_int_equal(retry_next(policy(SECOND, 2, 5 * SECOND, 0), 1, 0, 0, f, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(interval, 60 * SECOND);
    /* It does not help against the end of all attempts. */
    assert_int_equal(retry_next(policy(SECOND, 2, 5 * SECOND, 0), 1, 0, 59 * SECOND, f, &interval),
                     RETRY_STATE(TIMEOUT));
    assert_int_equal(retry_next(policy(SECOND, 2, 5 * SECOND, 2), 2, 0, 0, f, &interval),
                     RETRY_STATE(MAXIMUM_ATTEMPTS_REACHED));
}

static void test_stop_reasons(void **state) {
    int64_t interval;
    RetryPolicy *p = policy(SECOND, 2, 100 * SECOND, 3);
    assert_int_equal(retry_next(NULL, 1, 0, 0, NULL, &interval), RETRY_STATE(RETRY_POLICY_NOT_SET));
    assert_int_equal(retry_next(p, 2, 0, 0, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(retry_next(p, 3, 0, 0, NULL, &interval), RETRY_STATE(MAXIMUM_ATTEMPTS_REACHED));
    /* A failure that may not be retried is told before the attempts are counted. */
    assert_int_equal(retry_next(p, 3, 0, 0, application("X", true), &interval), RETRY_STATE(NON_RETRYABLE_FAILURE));
    /* The next attempt may begin exactly when all must have ended, not later. */
    assert_int_equal(retry_next(p, 1, 10 * SECOND, 11 * SECOND, NULL, &interval), RETRY_STATE(IN_PROGRESS));
    assert_int_equal(retry_next(p, 1, 10 * SECOND + 1, 11 * SECOND, NULL, &interval), RETRY_STATE(TIMEOUT));
}

static void test_allowed(void **state) {
    char *types[] = {(char *)"Fatal", (char *)"TemporalTimeout:StartToClose"};
    assert_true(retry_allowed(NULL, types, 2));
    assert_true(retry_allowed(application("Fatale", false), types, 2));
    assert_false(retry_allowed(application("Fatal", false), types, 2));
    assert_false(retry_allowed(application("Other", true), types, 2));
    assert_false(retry_allowed(failure_timeout(&arena, TIMEOUT_TYPE(START_TO_CLOSE), "x"), types, 2));
    assert_true(retry_allowed(failure_timeout(&arena, TIMEOUT_TYPE(HEARTBEAT), "x"), types, 2));
    assert_false(retry_allowed(failure_timeout(&arena, TIMEOUT_TYPE(SCHEDULE_TO_CLOSE), "x"), types, 2));
    assert_true(retry_allowed(failure_server(&arena, false, "x"), types, 2));
    assert_false(retry_allowed(failure_server(&arena, true, "x"), types, 2));
    /* Only the outermost failure counts. */
    Failure *outer = application("Other", false);
    outer->cause = application("Fatal", true);
    assert_true(retry_allowed(outer, types, 2));
    Failure *cancelled = PB_NEW(&arena, temporal__api__failure__v1__failure);
    cancelled->failure_info_case = FAILURE_INFO(CANCELED);
    cancelled->canceled_failure_info = PB_NEW(&arena, temporal__api__failure__v1__canceled_failure_info);
    assert_false(retry_allowed(cancelled, NULL, 0));
}

static void test_fill(void **state) {
    RetryPolicy *p = PB_NEW(&arena, temporal__api__common__v1__retry_policy);
    retry_policy_fill(&arena, p);
    assert_int_equal(duration_ns(p->initial_interval), SECOND);
    assert_int_equal(duration_ns(p->maximum_interval), 100 * SECOND);
    assert_true(p->backoff_coefficient == 2);
    assert_int_equal(p->maximum_attempts, 0);

    p = PB_NEW(&arena, temporal__api__common__v1__retry_policy);
    p->initial_interval = pb_duration(&arena, 3 * SECOND);
    retry_policy_fill(&arena, p);
    assert_int_equal(duration_ns(p->maximum_interval), 300 * SECOND);
}

static const char *refusal(RetryPolicy *p) {
    struct status status = retry_policy_check(&arena, p);
    if (status_ok(status)) return "";
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    return status.message;
}

static void test_check(void **state) {
    assert_string_equal(refusal(NULL), "");
    assert_string_equal(refusal(policy(SECOND, 1, 0, 0)), "");
    assert_string_equal(refusal(policy(-SECOND, 2, SECOND, 0)),
                        "invalid InitialInterval set on retry policy: negative duration");
    assert_string_equal(refusal(policy(SECOND, 0.5, SECOND, 0)),
                        "BackoffCoefficient cannot be less than 1 on retry policy.");
    assert_string_equal(refusal(policy(SECOND, __builtin_nan(""), SECOND, 0)),
                        "BackoffCoefficient cannot be less than 1 on retry policy.");
    assert_string_equal(refusal(policy(2 * SECOND, 2, SECOND, 0)),
                        "MaximumInterval cannot be less than InitialInterval on retry policy.");
    assert_string_equal(refusal(policy(SECOND, 2, SECOND, -1)), "MaximumAttempts cannot be negative on retry policy.");
    assert_string_equal(refusal(policy(2 * SECOND, 0, SECOND, 1)), "");     /* one attempt: nothing else matters */

    RetryPolicy *p = policy(SECOND, 2, SECOND, 0);
    char *types[] = {(char *)"TemporalTimeout:Heartbeat", (char *)"TemporalTimeout:Never"};
    p->non_retryable_error_types = types;
    p->n_non_retryable_error_types = 1;
    assert_string_equal(refusal(p), "");
    p->n_non_retryable_error_types = 2;
    assert_string_equal(refusal(p), "Invalid timeout type value: Never.");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff), cmocka_unit_test(test_next_interval), cmocka_unit_test(test_asked_delay),
        cmocka_unit_test(test_stop_reasons), cmocka_unit_test(test_allowed), cmocka_unit_test(test_fill),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
