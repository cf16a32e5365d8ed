#include "shard/retry.h"

#include "shard/failure.h"
#include "shard/validate.h"

#define TIMEOUT_PREFIX "TemporalTimeout:"

enum { SECOND = 1000000000, MAXIMUM_INTERVAL_FACTOR = 100 };

void retry_policy_fill(struct arena *arena, RetryPolicy *policy) {
    if (duration_ns(policy->initial_interval) == 0) policy->initial_interval = pb_duration(arena, SECOND);
    if (duration_ns(policy->maximum_interval) == 0) {
        int64_t initial = duration_ns(policy->initial_interval), maximum;
        if (__builtin_mul_overflow(initial, (int64_t)MAXIMUM_INTERVAL_FACTOR, &maximum)) maximum = DURATION_MAX_NS;
        policy->maximum_interval = pb_duration(arena, maximum);
    }
    if (policy->backoff_coefficient == 0) policy->backoff_coefficient = 2;
}

static struct status check_interval(struct arena *arena, PbDuration *interval, const char *name) {
    const char *why = duration_check(interval);
    if (!why) return STATUS_GOOD;
    return status_invalid(arena, "invalid %s set on retry policy: %s", name, why);
}

static struct status check_types(struct arena *arena, const RetryPolicy *policy) {
    for (size_t i = 0; i < policy->n_non_retryable_error_types; i++) {
        const char *type = policy->non_retryable_error_types[i];
        if (strncmp(type, TIMEOUT_PREFIX, strlen(TIMEOUT_PREFIX)) != 0) continue;
        type += strlen(TIMEOUT_PREFIX);
        if (!timeout_type_known(type))
            return status_invalid(arena, "Invalid timeout type value: %s.", type);
    }
    return STATUS_GOOD;
}

struct status retry_policy_check(struct arena *arena, RetryPolicy *policy) {
    /* With one attempt there are no retries, so nothing else of the policy matters. */
    if (!policy || policy->maximum_attempts == 1) return STATUS_GOOD;
    struct status status = check_interval(arena, policy->initial_interval, "InitialInterval");
    if (!status_ok(status)) return status;
    if (!(policy->backoff_coefficient >= 1))     /* written so that NaN is refused */
        return status_invalid(arena, "BackoffCoefficient cannot be less than 1 on retry policy.");
    status = check_interval(arena, policy->maximum_interval, "MaximumInterval");
    if (!status_ok(status)) return status;
    int64_t maximum = duration_ns(policy->maximum_interval);
    if (maximum > 0 && maximum < duration_ns(policy->initial_interval))
        return status_invalid(arena, "MaximumInterval cannot be less than InitialInterval on retry policy.");
    if (policy->maximum_attempts < 0)
        return status_invalid(arena, "MaximumAttempts cannot be negative on retry policy.");
    return check_types(arena, policy);
}

static bool listed(const char *prefix, const char *type, char *const *types, size_t count) {
    size_t len = strlen(prefix);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(types[i], prefix, len) == 0 && strcmp(types[i] + len, type) == 0) return true;
    }
    return false;
}

bool retry_allowed(const Failure *failure, char *const *types, size_t type_count) {
    if (!failure) return true;
    switch (failure->failure_info_case) {
    case FAILURE_INFO(TERMINATED):
    case FAILURE_INFO(CANCELED):
        return false;
    case FAILURE_INFO(TIMEOUT): {
        TimeoutType type = failure->timeout_failure_info->timeout_type;
        if (type != TIMEOUT_TYPE(START_TO_CLOSE) && type != TIMEOUT_TYPE(HEARTBEAT)) return false;
        return !listed(TIMEOUT_PREFIX, timeout_type_text(type), types, type_count);
    }
    case FAILURE_INFO(SERVER):
        return !failure->server_failure_info->non_retryable;
    case FAILURE_INFO(APPLICATION):
        if (failure->application_failure_info->non_retryable) return false;
        return !listed("", failure->application_failure_info->type, types, type_count);
    default:
        return true;
    }
}

static double power(double base, uint32_t exponent) {
    double result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result *= base;
        base *= base;
    }
    return result;
}

int64_t retry_backoff(int64_t initial_ns, double coefficient, int32_t attempt) {
    if (initial_ns <= 0 || !(coefficient >= 0)) return 0;
    double interval = (double)initial_ns * power(coefficient, attempt > 1 ? (uint32_t)attempt - 1 : 0);
    if (!(interval < 9223372036854775808.0)) return INT64_MAX;     /* 2^63; also infinity */
    return (int64_t)interval;
}

/* What the failure itself asks for; -1: nothing. */
static int64_t asked_delay(const Failure *failure) {
    if (!failure) return -1;
    if (failure->failure_info_case != FAILURE_INFO(APPLICATION)) return -1;
    const PbDuration *delay = failure->application_failure_info->next_retry_delay;
    return delay ? duration_ns(delay) : -1;
}

RetryState retry_next(const RetryPolicy *policy, int32_t attempt, int64_t now, int64_t expires_at,
                            const Failure *failure, int64_t *interval_ns) {
    *interval_ns = 0;
    if (!policy) return RETRY_STATE(RETRY_POLICY_NOT_SET);
    if (!retry_allowed(failure, policy->non_retryable_error_types, policy->n_non_retryable_error_types))
        return RETRY_STATE(NON_RETRYABLE_FAILURE);
    if (attempt < 1) attempt = 1;
    if (policy->maximum_attempts > 0 && attempt >= policy->maximum_attempts) return RETRY_STATE(MAXIMUM_ATTEMPTS_REACHED);

    int64_t interval = asked_delay(failure);
    if (interval < 0) {
        int64_t maximum = duration_ns(policy->maximum_interval);
        interval = retry_backoff(duration_ns(policy->initial_interval), policy->backoff_coefficient, attempt);
        if (maximum == 0 && interval <= 0) return RETRY_STATE(TIMEOUT);
        if (maximum != 0 && (interval <= 0 || interval > maximum)) interval = maximum;
    }
    int64_t next;
    if (__builtin_add_overflow(now, interval, &next)) next = INT64_MAX;
    if (expires_at && next > expires_at) return RETRY_STATE(TIMEOUT);
    *interval_ns = interval;
    return RETRY_STATE(IN_PROGRESS);
}
