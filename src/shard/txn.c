/* txn: from the first moved field to the record. */
#include "shard/txn.h"

#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "shard/apply.h"
#include "shard/close.h"
#include "shard/deadline_heap.h"
#include "shard/directory.h"
#include "shard/effects.h"
#include "shard/exec_codec.h"
#include "shard/external_payloads.h"
#include "shard/history_calls.h"
#include "shard/query.h"

void txn_begin(struct txn *txn, struct engine *engine, struct exec *exec) {
    CHECK(!exec->in_txn && !exec->deleted);
    exec->in_txn = true;
    memset(txn, 0, offsetof(struct txn, memory));
    txn->engine = engine;
    txn->exec = exec;
    txn->now = engine_wall(engine);
    arena_begin(&txn->arena, &txn->memory);
    /* The wall clock may jump back; the times of a run never do. */
    if (txn->now < exec->info->last_event_time) {
        mark(MARK_CLOCK_WENT_BACK);
        txn->now = exec->info->last_event_time;
    }
    list_init(&txn->replies);
    list_init(&txn->sends);
}

/* ---- events ---- */

/* Orders events of all runs for user interfaces; nothing depends on it. */
static int64_t task_id_of(const struct exec *exec, int64_t event_id) {
    return (int64_t)((exec->number << 20) + (uint64_t)event_id);
}

static int64_t append(struct txn *txn, HistoryEvent *event, bool apply) {
    struct exec *exec = txn->exec;
    StateInfo *info = exec->info;
    CHECK(info->next_event_id == history_last(&exec->history) + 1);
    CHECKF(exec_open(exec) || info->next_event_id == 1, "%s after the close of run %s", event_name(event->event_type),
           exec_run_id(exec));
    event->event_id = info->next_event_id++;
    event->task_id = task_id_of(exec, event->event_id);
    /* Encoded first: the event may borrow from state that it changes. */
    info->history_size += (int64_t)history_append(&exec->history, &txn->engine->spare_tail, event);
    external_payloads_count(exec, event);
    if (apply) apply_event(exec, event);
    int64_t at = time_ns(event->event_time);
    if (at > info->last_event_time) info->last_event_time = at;
    exec_touch(exec, STATE_INFO);
    if (event->event_type == EVENT(WORKFLOW_TASK_STARTED)) history_cut(&exec->history);
    return event->event_id;
}

static int64_t hold_back(struct txn *txn, HistoryEvent *event) {
    struct exec *exec = txn->exec;
    mark(MARK_BUFFERED);
    event->event_id = 0;
    struct bytes packed = pbpack(&txn->arena, &event->base);
    StateBuffered *buffered = state_new(&norn__state__buffered__descriptor);
    buffered->event_type = (int32_t)event->event_type;
    buffered->event.len = packed.len;
    buffered->event.data = mem_copy(packed.data, packed.len);
    event->event_id = EVENT_ID_BUFFERED;
    apply_event(exec, event);
    exec_add(exec, STATE_BUFFERED, exec_next_sequence(exec), &buffered->base);
    return EVENT_ID_BUFFERED;
}

int64_t txn_add_event(struct txn *txn, HistoryEvent *event) {
    CHECK(event->attributes_case != TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES__NOT_SET);
    PbTimestamp *given = event->event_time;
    if (!given) event->event_time = pb_time(&txn->arena, txn->now);
    event->worker_may_ignore = event_may_be_ignored(event->event_type);
    bool wait = !event_is_direct(event->event_type) && (txn->hold || exec_task_started(txn->exec));
    int64_t id = wait ? hold_back(txn, event) : append(txn, event, true);
    event->event_time = given;         /* ours is the transaction's memory */
    return id;
}

/* ---- held back events ---- */

bool txn_has_buffered(const struct txn *txn) { return exec_set_const(txn->exec, STATE_BUFFERED)->count > 0; }

/* The event that started what this event is about; 0 when the kind has none. */
static int64_t *started_field(HistoryEvent *event) {
    switch (event->event_type) {
    case EVENT(ACTIVITY_TASK_COMPLETED): return &event->activity_task_completed_event_attributes->started_event_id;
    case EVENT(ACTIVITY_TASK_FAILED): return &event->activity_task_failed_event_attributes->started_event_id;
    case EVENT(ACTIVITY_TASK_TIMED_OUT): return &event->activity_task_timed_out_event_attributes->started_event_id;
    case EVENT(ACTIVITY_TASK_CANCELED): return &event->activity_task_canceled_event_attributes->started_event_id;
    default: return NULL;
    }
}

static int64_t scheduled_of(const HistoryEvent *event) {
    switch (event->event_type) {
    case EVENT(ACTIVITY_TASK_STARTED): return event->activity_task_started_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_COMPLETED): return event->activity_task_completed_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_FAILED): return event->activity_task_failed_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_TIMED_OUT): return event->activity_task_timed_out_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_CANCELED): return event->activity_task_canceled_event_attributes->scheduled_event_id;
    default: return 0;
    }
}

/* The id that ActivityTaskStarted of the same activity got earlier in this flush. */
static int64_t started_id(HistoryEvent **events, size_t count, const HistoryEvent *result) {
    for (size_t i = 0; i < count; i++) {
        if (events[i]->event_type != EVENT(ACTIVITY_TASK_STARTED)) continue;
        if (scheduled_of(events[i]) == scheduled_of(result)) return events[i]->event_id;
    }
    UNREACHABLE("a held back result has no started event");
}

/* Held back events in the order in which they get their ids: results of activities and the like last. */
static HistoryEvent **take_buffered(struct txn *txn, size_t *count) {
    struct exec *exec = txn->exec;
    *count = exec_set(exec, STATE_BUFFERED)->count;
    HistoryEvent **all = arena_alloc(&txn->arena, *count * sizeof *all);
    HistoryEvent **ordered = arena_alloc(&txn->arena, *count * sizeof *ordered);
    size_t n = 0;
    ITEMS_EACH(item, exec, STATE_BUFFERED) {
        struct bytes packed = bytes_of(item->buffered->event.data, item->buffered->event.len);
        all[n] = pb_unpack(&txn->arena, &temporal__api__history__v1__history_event__descriptor, packed);
        CHECK(all[n++]);
    }
    exec_clear(exec, STATE_BUFFERED);
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        HistoryEvent *event = all[PLANT(txn->engine->io, BUFFERED_REVERSED) ? n - 1 - i : i];
        if (!event_is_late(event->event_type)) ordered[out++] = event;
    }
    for (size_t i = 0; i < n; i++) if (event_is_late(all[i]->event_type)) ordered[out++] = all[i];
    return ordered;
}

static void got_id(struct exec *exec, const HistoryEvent *event) {
    if (event->event_type != EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED)) return;
    const char *id = event->workflow_execution_options_updated_event_attributes->attached_request_id;
    struct item *request = text_empty(id) ? NULL : exec_find_text(exec, STATE_REQUEST, id);
    if (!request) return;
    request->request->event_id = event->event_id;
    exec_touch_item(exec, request);
}

void txn_flush(struct txn *txn) {
    CHECK(!exec_task_started(txn->exec));
    if (!txn_has_buffered(txn)) return;
    mark(MARK_BUFFERED_FLUSHED);
    size_t count;
    HistoryEvent **events = take_buffered(txn, &count);
    for (size_t i = 0; i < count; i++) {
        int64_t *started = started_field(events[i]);
        if (started && *started == EVENT_ID_BUFFERED) *started = started_id(events, i, events[i]);
        append(txn, events[i], false);
        got_id(txn->exec, events[i]);
    }
}

/* ---- effects ---- */

void txn_reply(struct txn *txn, struct call *call, const ProtobufCMessage *response) {
    call_set_reply(call, response);
    list_push_back(&txn->replies, &call->effect_link);
}

void txn_reply_bytes(struct txn *txn, struct call *call, struct bytes response) {
    call_set_reply_bytes(call, response);
    list_push_back(&txn->replies, &call->effect_link);
}

void txn_fail(struct txn *txn, struct call *call, struct status status) {
    call_set_fail(call, status);
    list_push_back(&txn->replies, &call->effect_link);
}

void txn_send_task(struct txn *txn, const struct queue_name *name, const struct queue_task *task) {
    struct send *send = send_create(name, task, NULL);
    list_push_back(&txn->sends, &send->link);
}

void txn_withdraw_task(struct txn *txn, const struct queue_name *name, const struct queue_task *task, const char *fallback) {
    struct send *send = send_create(name, task, fallback);
    send->withdraw = true;
    list_push_back(&txn->sends, &send->link);
}

/* ---- commit ---- */

static void note_visibility(struct engine *engine, struct exec *exec) {
    unsigned shown = 1u << STATE_START | 1u << STATE_MEMO | 1u << STATE_SEARCH_ATTRIBUTES;
    if (!exec->visibility_changed && !(exec->marked_singles & shown)) return;
    exec->visibility_changed = false;
    if (!list_linked(&exec->visibility_link)) list_push_back(&engine->visibility, &exec->visibility_link);
}

enum { RECORD_KEPT = 256 * 1024 };     /* a larger buffer is not kept for the next record */

/* What other changes and effects will start from. */
static void show_state(const struct exec *exec) {
    if (!observing()) return;
    struct buf state = {0};
    exec_pack_image(exec, &state);
    observe(OBSERVED_EXECUTION, exec->number, state.data, state.len);
    buf_free(&state);
}

static uint64_t append_record(struct txn *txn) {
    struct engine *engine = txn->engine;
    struct exec *exec = txn->exec;
    CHECK(exec->in_txn);
    close_if_too_long(txn);
    if (txn_has_buffered(txn) && !exec_task_started(exec)) txn_flush(txn);
    if (!txn->aside) exec->info->state_transitions++;
    exec_touch(exec, STATE_INFO);
    note_visibility(engine, exec);
    struct buf *payload = &engine->record;
    buf_clear(payload);
    exec_pack_changes(exec, payload);
    show_state(exec);
    history_seal(&exec->history, &engine->spare_tail);
    struct store_record record = {
        .kind = STORE_RECORD_EXECUTION,
        .execution = exec->number,
        .hash = exec->hash,
        .version = ++exec->version,
        .payload = buf_bytes(payload),
    };
    CHECK(exec->start->namespace_id.len == NAMESPACE_ID_LEN);
    memcpy(record.namespace_id, exec->start->namespace_id.data, NAMESPACE_ID_LEN);
    exec->commit = store_append(engine->store, &record);
    if (payload->cap > RECORD_KEPT) buf_free(payload);
    exec->in_txn = false;
    engine->stats.transitions++;
    directory_changed(engine, exec);
    return exec->commit;
}

static void release(struct txn *txn, uint64_t gate) {
    struct engine *engine = txn->engine;
    struct exec *exec = txn->exec;
    for (struct list *it; (it = list_pop_front(&txn->replies));) {
        engine_send_gated(engine, LIST_ENTRY(it, struct call, effect_link), gate);
    }
    for (struct list *it; (it = list_pop_front(&txn->sends));) {
        effects_send(engine, LIST_ENTRY(it, struct send, link), gate);
    }
    arena_free(&txn->arena);
    deadline_changed(engine, exec);
    history_wake(engine, exec);
    if (exec->query_count && !exec->task) query_dispatch_waiting(engine, exec);
}

uint64_t txn_commit(struct txn *txn) {
    if (txn->successor) {
        struct txn *successor = txn->successor;
        txn->successor = NULL;
        txn_commit_pair(successor, txn);
        mem_free(successor);
        return txn->exec->commit;
    }
    uint64_t number = append_record(txn);
    release(txn, number);
    return number;
}

void txn_commit_pair(struct txn *successor, struct txn *txn) {
    append_record(successor);
    uint64_t number = append_record(txn);
    successor->exec->commit = number;
    release(successor, number);
    release(txn, number);
}
