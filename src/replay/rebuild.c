/* rebuild: state from history, and its comparison with a live state. */
#include "replay/rebuild.h"

#include "base/mem.h"
#include "shard/apply.h"
#include "shard/events.h"
#include "shard/external_payloads.h"

/* ---- building ---- */

static struct exec *empty_state(const struct rebuild_ids *ids) {
    struct exec *exec = exec_create(NULL, ids->number, ids->hash);
    exec->start = state_new(&norn__state__start__descriptor);
    exec->info = state_new(&norn__state__info__descriptor);
    exec->info->next_event_id = 1;
    exec->info->status = STATUS_OF(RUNNING);
    exec->start->namespace_id.len = NAMESPACE_ID_LEN;
    exec->start->namespace_id.data = mem_copy(ids->namespace_id, NAMESPACE_ID_LEN);
    state_set_text(&exec->start->workflow_id, ids->workflow_id);
    state_set_text(&exec->start->run_id, ids->run_id);
    return exec;
}

static bool apply_encoded(struct exec *exec, struct bytes encoded, struct arena *arena) {
    HistoryEvent *event = pb_unpack(arena, &temporal__api__history__v1__history_event__descriptor, encoded);
    if (!event || event->event_id != exec->info->next_event_id) return false;
    exec->info->next_event_id++;
    external_payloads_count(exec, event);
    apply_event(exec, event);
    return true;
}

static bool apply_batch(struct exec *exec, const struct history_batch *batch, struct arena *arena) {
    struct reader reader = reader_of(bytes_of(batch->data, batch->len));
    struct bytes event;
    while (history_next(&reader, &event)) {
        if (!apply_encoded(exec, event, arena)) return false;
    }
    exec->info->history_size += batch->len;
    return reader.left.len == 0;
}

struct exec *rebuild_state(const struct rebuild_ids *ids, const struct history *history) {
    struct exec *exec = empty_state(ids);
    bool good = true;
    for (size_t i = 0; good && i < history->count + history_tail_count(history); i++) {
        struct history_batch batch = i < history->count ? history->batches[i] : history_tail(history, i - history->count);
        struct arena arena = {0};
        good = apply_batch(exec, &batch, &arena);
        arena_free(&arena);
    }
    if (good) return exec;
    exec_free(exec);
    return NULL;
}

void rebuild_add_buffered(struct exec *exec, const struct exec *live) {
    struct arena arena = {0};
    ITEMS_EACH(item, live, STATE_BUFFERED) {
        struct bytes packed = bytes_of(item->buffered->event.data, item->buffered->event.len);
        HistoryEvent *event = pb_unpack(&arena, &temporal__api__history__v1__history_event__descriptor, packed);
        CHECK(event);
        event->event_id = EVENT_ID_BUFFERED;
        apply_event(exec, event);
    }
    arena_free(&arena);
}

/* ---- comparing ---- */

struct compare {
    struct arena *arena;
    const char *difference;
};

static void number(struct compare *compare, const char *what, int64_t live, int64_t rebuilt) {
    if (compare->difference || live == rebuilt) return;
    compare->difference = arena_printf(compare->arena, "%s is %lld, and by history %lld", what, (long long)live, (long long)rebuilt);
}

static void text(struct compare *compare, const char *what, const char *live, const char *rebuilt) {
    if (compare->difference || text_same(live, rebuilt)) return;
    compare->difference = arena_printf(compare->arena, "%s is \"%s\", and by history \"%s\"", what, live, rebuilt);
}

static void message(struct compare *compare, const char *what, const void *live, const void *rebuilt) {
    if (compare->difference) return;
    struct bytes a = live ? pbpack(compare->arena, live) : (struct bytes){0};
    struct bytes b = rebuilt ? pbpack(compare->arena, rebuilt) : (struct bytes){0};
    if (!bytes_equal(a, b)) compare->difference = arena_printf(compare->arena, "%s is not what history tells", what);
}

static void compare_start(struct compare *compare, const StateStart *live, const StateStart *rebuilt) {
    StateStart known = *live;              /* without what no event tells */
    known.request_id = rebuilt->request_id;
    known.predecessor = 0;
    message(compare, "Start", &known, rebuilt);
}

static void compare_info(struct compare *compare, const StateInfo *live, const StateInfo *rebuilt) {
    number(compare, "status", live->status, rebuilt->status);
    number(compare, "next event id", live->next_event_id, rebuilt->next_event_id);
    number(compare, "history size", live->history_size, rebuilt->history_size);
    number(compare, "close time", live->close_time, rebuilt->close_time);
    number(compare, "first task time", live->first_task_at, rebuilt->first_task_at);
    number(compare, "cancel requested", live->cancel_requested, rebuilt->cancel_requested);
    number(compare, "signals", live->signal_count, rebuilt->signal_count);
    number(compare, "last completed task", live->completed_started_id, rebuilt->completed_started_id);
    number(compare, "last completion", live->completed_event_id, rebuilt->completed_event_id);
    number(compare, "external payloads", live->external_payload_count, rebuilt->external_payload_count);
    number(compare, "size of external payloads", live->external_payload_bytes, rebuilt->external_payload_bytes);
    text(compare, "new run", live->new_run_id, rebuilt->new_run_id);
}

static void compare_task(struct compare *compare, const StateWorkflowTask *live, const StateWorkflowTask *rebuilt) {
    if (live && live->attempt > 1) live = NULL;          /* transient: not in history */
    number(compare, "a pending workflow task", live != NULL, rebuilt != NULL);
    if (!live || !rebuilt) return;
    number(compare, "scheduled event", live->scheduled_event_id, rebuilt->scheduled_event_id);
    number(compare, "started event", live->started_event_id, rebuilt->started_event_id);
    number(compare, "task timeout", live->timeout, rebuilt->timeout);
    text(compare, "task queue", live->task_queue, rebuilt->task_queue);
    text(compare, "task's worker", live->identity, rebuilt->identity);
}

static void compare_activity(struct compare *compare, const StateActivity *live, const StateActivity *rebuilt) {
    text(compare, "activity id", live->activity_id, rebuilt->activity_id);
    number(compare, "cancel request of an activity", live->cancel_requested_event_id, rebuilt->cancel_requested_event_id);
}

static void compare_sets(struct compare *compare, const struct exec *live, const struct exec *rebuilt) {
    number(compare, "pending activities", exec_set_const(live, STATE_ACTIVITY)->count,
           exec_set_const(rebuilt, STATE_ACTIVITY)->count);
    ITEMS_EACH(item, live, STATE_ACTIVITY) {
        const struct item *other = exec_find(rebuilt, STATE_ACTIVITY, item->key);
        number(compare, "an activity of history", 1, other != NULL);
        if (other) compare_activity(compare, item->activity, other->activity);
    }
    number(compare, "pending timers", exec_set_const(live, STATE_TIMER)->count, exec_set_const(rebuilt, STATE_TIMER)->count);
    ITEMS_EACH(item, live, STATE_TIMER) {
        const struct item *other = exec_find(rebuilt, STATE_TIMER, item->key);
        message(compare, "a timer", item->value, other ? other->value : NULL);
    }
    number(compare, "signal requests", exec_set_const(live, STATE_SIGNAL_REQUEST)->count,
           exec_set_const(rebuilt, STATE_SIGNAL_REQUEST)->count);
    ITEMS_EACH(item, live, STATE_SIGNAL_REQUEST) {
        bool known = exec_find_text(rebuilt, STATE_SIGNAL_REQUEST, item->signal_request->id);
        number(compare, "a signal request of history", 1, known);
    }
}

const char *rebuild_difference(const struct exec *live, const struct exec *rebuilt, struct arena *arena) {
    struct compare compare = {arena, NULL};
    compare_start(&compare, live->start, rebuilt->start);
    compare_info(&compare, live->info, rebuilt->info);
    compare_task(&compare, live->task, rebuilt->task);
    compare_sets(&compare, live, rebuilt);
    message(&compare, "memo", live->memo, rebuilt->memo);
    message(&compare, "search attributes", live->search_attributes, rebuilt->search_attributes);
    message(&compare, "workers", live->workers, rebuilt->workers);
    return compare.difference;
}
