#include "shard/failure.h"

#include "base/check.h"

enum { FAILURE_RETRY_MAX = 4096, FAILURE_DEPTH_MAX = 20 };

static const char *const timeout_texts[] = {
    [TIMEOUT_TYPE(START_TO_CLOSE)] = "StartToClose",
    [TIMEOUT_TYPE(SCHEDULE_TO_START)] = "ScheduleToStart",
    [TIMEOUT_TYPE(SCHEDULE_TO_CLOSE)] = "ScheduleToClose",
    [TIMEOUT_TYPE(HEARTBEAT)] = "Heartbeat",
};

const char *timeout_type_text(TimeoutType type) {
    return type >= TIMEOUT_TYPE(START_TO_CLOSE) && type <= TIMEOUT_TYPE(HEARTBEAT) ? timeout_texts[type] : "Unspecified";
}

bool timeout_type_known(const char *text) {
    static const char *const long_names[] = {"TIMEOUT_TYPE_START_TO_CLOSE", "TIMEOUT_TYPE_SCHEDULE_TO_START",
                                             "TIMEOUT_TYPE_SCHEDULE_TO_CLOSE", "TIMEOUT_TYPE_HEARTBEAT"};
    for (size_t i = 0; i < ARRAY_LEN(long_names); i++) {
        if (strcmp(text, long_names[i]) == 0 || strcmp(text, timeout_texts[i + 1]) == 0) return true;
    }
    return false;
}

static Failure *failure_new(struct arena *arena, const char *format, va_list args) {
    Failure *failure = PB_NEW(arena, temporal__api__failure__v1__failure);
    failure->message = arena_vprintf(arena, format, args);
    return failure;
}

Failure *failure_server(struct arena *arena, bool non_retryable, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Failure *failure = failure_new(arena, format, args);
    va_end(args);
    failure->failure_info_case = FAILURE_INFO(SERVER);
    failure->server_failure_info = PB_NEW(arena, temporal__api__failure__v1__server_failure_info);
    failure->server_failure_info->non_retryable = non_retryable;
    return failure;
}

Failure *failure_timeout(struct arena *arena, TimeoutType type, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Failure *failure = failure_new(arena, format, args);
    va_end(args);
    failure->source = arena_strdup(arena, "Server");
    failure->failure_info_case = FAILURE_INFO(TIMEOUT);
    failure->timeout_failure_info = PB_NEW(arena, temporal__api__failure__v1__timeout_failure_info);
    failure->timeout_failure_info->timeout_type = type;
    return failure;
}

/* Cuts at a character's beginning. What is left of the budget goes down by the text and its field's overhead. */
static char *trim_text(struct arena *arena, const char *text, int64_t *budget) {
    enum { OVERHEAD = 4 };
    size_t len = strlen(text);
    if (*budget <= OVERHEAD) len = 0;
    else if (len > (size_t)*budget) {
        len = (size_t)*budget;
        while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80) len--;
    }
    if (len > 0) *budget -= (int64_t)len + OVERHEAD;
    return arena_text(arena, bytes_of(text, len));
}

static void trim_info(struct arena *arena, Failure *to, const Failure *from, int64_t *budget) {
    if (from->failure_info_case == FAILURE_INFO(APPLICATION)) {
        to->failure_info_case = from->failure_info_case;
        to->application_failure_info = PB_NEW(arena, temporal__api__failure__v1__application_failure_info);
        to->application_failure_info->non_retryable = from->application_failure_info->non_retryable;
        to->application_failure_info->type = trim_text(arena, from->application_failure_info->type, budget);
        *budget -= 8;
    } else if (from->failure_info_case == FAILURE_INFO(SERVER)) {
        to->failure_info_case = from->failure_info_case;
        to->server_failure_info = PB_NEW(arena, temporal__api__failure__v1__server_failure_info);
        to->server_failure_info->non_retryable = from->server_failure_info->non_retryable;
        *budget -= 4;
    }
}

static Failure *trim(struct arena *arena, const Failure *from, int64_t budget, int depth) {
    Failure *to = PB_NEW(arena, temporal__api__failure__v1__failure);
    trim_info(arena, to, from, &budget);
    to->source = trim_text(arena, from->source, &budget);
    to->message = trim_text(arena, from->message, &budget);
    to->stack_trace = trim_text(arena, from->stack_trace, &budget);
    if (from->cause && budget > 4 && depth > 0) to->cause = trim(arena, from->cause, budget - 4, depth - 1);
    return to;
}

Failure *failure_trim(struct arena *arena, const Failure *failure, size_t max_size) {
    return failure ? trim(arena, failure, (int64_t)max_size, FAILURE_DEPTH_MAX) : NULL;
}

const Failure *failure_for_retry(struct arena *arena, const Failure *failure) {
    if (pb_size(failure) <= FAILURE_RETRY_MAX) return failure;
    Failure *kept = failure_server(arena, false, "%s", "Failure exceeds size limit.");
    kept->cause = failure_trim(arena, failure, FAILURE_RETRY_MAX);
    return kept;
}
