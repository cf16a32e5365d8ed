#include "shard/validate.h"

#include "base/check.h"

#define RESERVED_PREFIX "/_sys/"
/* Temporal's servers run system workflows of a namespace on queues with these names. */
static const char *const internal_queues[] = {"temporal-sys-per-ns-tq", "temporal-sys-worker-controller-per-ns-tq"};

const char *duration_check(PbDuration *duration) {
    if (!duration) return NULL;
    if ((duration->seconds > 0 && duration->nanos < 0) || (duration->seconds < 0 && duration->nanos > 0))
        return "duration has seconds and nanos with different signs";
    if (duration->seconds < 0 || duration->nanos < 0) return "negative duration";
    if (duration->seconds >= DURATION_MAX_NS / 1000000000) {
        duration->seconds = DURATION_MAX_NS / 1000000000;
        duration->nanos = 0;
    }
    return NULL;
}

bool uuid_valid(const char *text) {
    for (int i = 0; i < 36; i++) {
        char c = text[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) return false;     /* also at the end of a short text */
    }
    return text[36] == '\0';
}

static struct status name_check(struct arena *arena, const char *name, uint32_t limit, bool whole) {
    if (strlen(name) > limit) return status_invalid(arena, "taskQueue length exceeds limit");
    if (whole && strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
        return status_invalid(arena, "task queue name cannot start with reserved prefix %s",
                           RESERVED_PREFIX);
    return STATUS_GOOD;
}

struct status task_queue_check(struct arena *arena, TaskQueue *queue, const char *fallback, uint32_t limit) {
    if (!queue) return status_invalid(arena, "taskQueue is not set");
    if (limit == 0) limit = ID_LENGTH_MAX;
    if (queue->kind == QUEUE_KIND(UNSPECIFIED))
        queue->kind = QUEUE_KIND(NORMAL);
    if (text_empty(queue->name)) {
        if (text_empty(fallback)) return status_invalid(arena, "missing task queue name");
        queue->name = arena_strdup(arena, fallback);
    }
    struct status status = name_check(arena, queue->name, limit, true);
    if (!status_ok(status)) return status;
    bool sticky = queue->kind == QUEUE_KIND(STICKY);
    if (sticky && !text_empty(queue->normal_name)) status = name_check(arena, queue->normal_name, limit, false);
    return status;
}

static bool internal(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(internal_queues); i++) {
        if (strcmp(name, internal_queues[i]) == 0) return true;
    }
    return false;
}

struct status task_queue_check_user(struct arena *arena, TaskQueue *queue, const char *parent, uint32_t limit) {
    struct status status = task_queue_check(arena, queue, parent, limit);
    if (!status_ok(status) || !internal(queue->name) || internal(parent)) return status;
    return status_invalid(arena, "cannot use internal per-namespace task queue:%s (in parent component task queue: %s)",
                       queue->name, parent);
}

struct status priority_check(struct arena *arena, const Priority *priority) {
    if (!priority) return STATUS_GOOD;
    const char *why = NULL;
    if (priority->priority_key < 0) why = "priority key can't be negative";
    else if (strlen(priority->fairness_key) > FAIRNESS_KEY_MAX) why = "fairness key length exceeds limit";
    else if (priority->fairness_weight < 0) why = "must be greater than zero";
    return why ? status_invalid(arena, "%s", why) : STATUS_GOOD;
}
