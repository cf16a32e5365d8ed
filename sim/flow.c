/* flow: scripts, what history means for them, and what follows. */
#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* ---- scripts ---- */

static bool kind_of(char letter, enum flow_kind *kind) {
    const char *letters = FLOW_LETTERS, *at = strchr(letters, letter);
    if (!letter || !at) return false;
    *kind = (enum flow_kind)(at - letters);
    return true;
}

bool flow_parse(const char *text, struct flow_script *out) {
    *out = (struct flow_script){.rest = ""};
    const char *at = text;
    while (*at) {
        if (out->count == FLOW_ITEMS_MAX) return false;
        struct flow_item *item = &out->items[out->count++];
        if (!kind_of(*at++, &item->kind)) return false;
        item->stage = out->stages;
        char *end;
        item->arg = (uint32_t)strtoul(at, &end, 10);
        at = end;
        if (*at == ';') out->stages++;
        else if (*at && *at != ',') return false;
        if (*at) at++;
        if (item->kind == FLOW_AGAIN) {
            out->rest = at;
            break;
        }
    }
    out->stages++;
    return true;
}

static size_t put_item(struct prng *prng, char *text, size_t room, unsigned *signals, unsigned wanted) {
    switch (prng_below(prng, 10)) {
    case 0:
    case 1: return (size_t)snprintf(text, room, "a%d", (int)prng_skewed(prng, 0, 4));
    case 2: return (size_t)snprintf(text, room, "h%d", (int)prng_range(prng, 1, 4));
    case 3:
    case 4: return (size_t)snprintf(text, room, "t%d", (int)prng_skewed(prng, 0, prng_chance(prng, 100000) ? 200000 : 20000));
    case 5: return (size_t)snprintf(text, room, "m");
    case 6: return (size_t)snprintf(text, room, "o");
    case 7: return (size_t)snprintf(text, room, "c");
    case 8: return (size_t)snprintf(text, room, "k,t%d", (int)prng_skewed(prng, 0, 5000));
    default:
        if (!wanted) return (size_t)snprintf(text, room, "a0");
        if (*signals < wanted) *signals = wanted;
        return (size_t)snprintf(text, room, "s%u", wanted);
    }
}

void flow_make(struct prng *prng, char text[FLOW_TEXT_MAX], unsigned *signals, bool *cancel) {
    size_t at = 0;
    *signals = 0;
    *cancel = prng_chance(prng, 100000);
    bool again = !*cancel && prng_chance(prng, 200000);
    unsigned stages = (unsigned)prng_range(prng, 1, 3);
    for (unsigned stage = 0; stage < stages; stage++) {
        unsigned width = (unsigned)prng_range(prng, 1, 2);
        for (unsigned i = 0; i < width; i++) {
            if (at) text[at++] = i ? ',' : ';';
            at += put_item(prng, text + at, FLOW_TEXT_MAX - at, signals, again ? 0 : stage + i + 1);
        }
        if (again && stage == 0) at += (size_t)snprintf(text + at, FLOW_TEXT_MAX - at, ";n;a0");
    }
    if (*cancel) snprintf(text + at, FLOW_TEXT_MAX - at, ";x");
}

/* ---- events ---- */

/* The text of the first payload. */
static void payload_text(const PB(Common__V1__Payloads) *payloads, char *out, size_t room) {
    out[0] = 0;
    if (!payloads || !payloads->n_payloads) return;
    const ProtobufCBinaryData *data = &payloads->payloads[0]->data;
    size_t len = data->len < room - 1 ? data->len : room - 1;
    memcpy(out, data->data, len);
    out[len] = 0;
    out[strcspn(out, " ")] = 0;          /* what follows is padding */
}

static void payload_numbers(const PB(Common__V1__Payloads) *payloads, struct flow_event *out) {
    char text[64];
    payload_text(payloads, text, sizeof text);
    char *end;
    out->number = strtoll(text, &end, 10);
    if (*end == '.') out->number2 = strtoll(end + 1, NULL, 10);
}

static int item_of(const char *id) {
    char *end;
    long item = strtol(id, &end, 10);
    return *id && !*end && item >= 0 && item < FLOW_ITEMS_MAX ? (int)item : -1;
}

static void copy_text(char *to, size_t room, const char *from) { snprintf(to, room, "%s", from ? from : ""); }

static void workflow_event(const PB(History__V1__HistoryEvent) *event, struct flow_event *out) {
    switch (out->type) {
    case FLOW_EVENT(WORKFLOW_EXECUTION_STARTED): {
        const PB(History__V1__WorkflowExecutionStartedEventAttributes) *a =
            event->workflow_execution_started_event_attributes;
        payload_text(a->input, out->text, sizeof out->text);
        copy_text(out->first_run, sizeof out->first_run, a->first_execution_run_id);
        out->attempt = a->attempt;
        break;
    }
    case FLOW_EVENT(WORKFLOW_EXECUTION_COMPLETED):
        payload_numbers(event->workflow_execution_completed_event_attributes->result, out);
        break;
    case FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
        copy_text(out->text, sizeof out->text,
                  event->workflow_execution_continued_as_new_event_attributes->new_execution_run_id);
        break;
    case FLOW_EVENT(WORKFLOW_EXECUTION_SIGNALED):
        payload_numbers(event->workflow_execution_signaled_event_attributes->input, out);
        break;
    default:
        break;
    }
}

static void task_event(const PB(History__V1__HistoryEvent) *event, struct flow_event *out) {
    switch (out->type) {
    case FLOW_EVENT(WORKFLOW_TASK_SCHEDULED):
        out->attempt = event->workflow_task_scheduled_event_attributes->attempt;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_STARTED):
        out->ref = event->workflow_task_started_event_attributes->scheduled_event_id;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_COMPLETED):
        out->ref = event->workflow_task_completed_event_attributes->scheduled_event_id;
        out->ref2 = event->workflow_task_completed_event_attributes->started_event_id;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_FAILED):
        out->ref = event->workflow_task_failed_event_attributes->scheduled_event_id;
        out->ref2 = event->workflow_task_failed_event_attributes->started_event_id;
        out->cause = (int32_t)event->workflow_task_failed_event_attributes->cause;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT):
        out->ref = event->workflow_task_timed_out_event_attributes->scheduled_event_id;
        out->ref2 = event->workflow_task_timed_out_event_attributes->started_event_id;
        break;
    default:
        break;
    }
}

static void activity_event(const PB(History__V1__HistoryEvent) *event, struct flow_event *out) {
    switch (out->type) {
    case FLOW_EVENT(ACTIVITY_TASK_SCHEDULED):
        out->item = item_of(event->activity_task_scheduled_event_attributes->activity_id);
        break;
    case FLOW_EVENT(ACTIVITY_TASK_STARTED):
        out->ref = event->activity_task_started_event_attributes->scheduled_event_id;
        out->attempt = event->activity_task_started_event_attributes->attempt;
        break;
    case FLOW_EVENT(ACTIVITY_TASK_COMPLETED):
        out->ref = event->activity_task_completed_event_attributes->scheduled_event_id;
        out->ref2 = event->activity_task_completed_event_attributes->started_event_id;
        payload_numbers(event->activity_task_completed_event_attributes->result, out);
        break;
    case FLOW_EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
        out->ref = event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
        break;
    case FLOW_EVENT(ACTIVITY_TASK_CANCELED):
        out->ref = event->activity_task_canceled_event_attributes->scheduled_event_id;
        out->ref2 = event->activity_task_canceled_event_attributes->started_event_id;
        break;
    case FLOW_EVENT(ACTIVITY_TASK_FAILED):
        out->ref = event->activity_task_failed_event_attributes->scheduled_event_id;
        out->ref2 = event->activity_task_failed_event_attributes->started_event_id;
        break;
    case FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT):
        out->ref = event->activity_task_timed_out_event_attributes->scheduled_event_id;
        out->ref2 = event->activity_task_timed_out_event_attributes->started_event_id;
        break;
    default:
        break;
    }
}

static void other_event(const PB(History__V1__HistoryEvent) *event, struct flow_event *out) {
    switch (out->type) {
    case FLOW_EVENT(TIMER_STARTED): {
        const PB(History__V1__TimerStartedEventAttributes) *a = event->timer_started_event_attributes;
        out->item = item_of(a->timer_id);
        if (a->start_to_fire_timeout)
            out->number = a->start_to_fire_timeout->seconds * 1000000000 + a->start_to_fire_timeout->nanos;
        break;
    }
    case FLOW_EVENT(TIMER_FIRED):
        out->item = item_of(event->timer_fired_event_attributes->timer_id);
        out->ref = event->timer_fired_event_attributes->started_event_id;
        break;
    case FLOW_EVENT(MARKER_RECORDED):
        out->item = item_of(event->marker_recorded_event_attributes->marker_name);
        break;
    default:
        break;
    }
}

void flow_event_of(const PB(History__V1__HistoryEvent) *event, struct flow_event *out) {
    *out = (struct flow_event){.type = (int)event->event_type, .id = event->event_id, .item = -1};
    if (event->event_time) out->time = event->event_time->seconds * 1000000000 + event->event_time->nanos;
    workflow_event(event, out);
    task_event(event, out);
    activity_event(event, out);
    other_event(event, out);
}

bool flow_is_close(int type) {
    switch (type) {
    case FLOW_EVENT(WORKFLOW_EXECUTION_COMPLETED):
    case FLOW_EVENT(WORKFLOW_EXECUTION_FAILED):
    case FLOW_EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
    case FLOW_EVENT(WORKFLOW_EXECUTION_CANCELED):
    case FLOW_EVENT(WORKFLOW_EXECUTION_TERMINATED):
    case FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW): return true;
    default: return false;
    }
}

void flow_print_event(const struct flow_event *e, FILE *to) {
    const ProtobufCEnumValue *name =
        protobuf_c_enum_descriptor_get_value(&temporal__api__enums__v1__event_type__descriptor, e->type);
    fprintf(to, "  %3lld %-44s of %lld, %lld item %d attempt %d number %lld.%lld at %lld %s\n", (long long)e->id,
            name ? name->name + strlen("EVENT_TYPE_") : "?", (long long)e->ref, (long long)e->ref2, e->item, e->attempt,
            (long long)e->number, (long long)e->number2, (long long)e->time, e->text);
}

/* ---- state ---- */

static uint32_t bit(int item) { return item < 0 ? 0 : 1u << item; }

static int item_of_scheduled(const struct flow_event *events, size_t count, int64_t scheduled) {
    for (size_t i = 0; i < count; i++)
        if (events[i].id == scheduled) return events[i].item;
    return -1;
}

void flow_fold(const struct flow_event *events, size_t count, struct flow_state *out) {
    *out = (struct flow_state){0};
    for (size_t i = 0; i < count; i++) {
        const struct flow_event *event = &events[i];
        out->closed |= flow_is_close(event->type);
        switch (event->type) {
        case FLOW_EVENT(WORKFLOW_EXECUTION_STARTED):
            out->started = flow_parse(event->text, &out->script);
            break;
        case FLOW_EVENT(ACTIVITY_TASK_SCHEDULED):
        case FLOW_EVENT(TIMER_STARTED):
            out->begun |= bit(event->item);
            if (event->item >= 0) out->scheduled[event->item] = event->id;
            break;
        case FLOW_EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
            out->stopped |= bit(item_of_scheduled(events, count, event->ref));
            break;
        case FLOW_EVENT(ACTIVITY_TASK_CANCELED):
        case FLOW_EVENT(ACTIVITY_TASK_COMPLETED):
        case FLOW_EVENT(ACTIVITY_TASK_FAILED):
        case FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT):
            out->done |= bit(item_of_scheduled(events, count, event->ref));
            break;
        case FLOW_EVENT(TIMER_FIRED):
            out->done |= bit(event->item);
            break;
        case FLOW_EVENT(MARKER_RECORDED):
            out->begun |= bit(event->item);
            out->done |= bit(event->item);
            break;
        case FLOW_EVENT(WORKFLOW_EXECUTION_SIGNALED):
            out->signals++;
            out->sum += event->number;
            break;
        case FLOW_EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
            out->cancel_requested = true;
            break;
        default:
            break;
        }
    }
}

/* Whether the item holds its stage up. */
static bool item_waits(const struct flow_state *state, unsigned index) {
    const struct flow_item *item = &state->script.items[index];
    switch (item->kind) {
    case FLOW_SIGNALS: return state->signals < item->arg;
    case FLOW_CANCEL: return !state->cancel_requested;
    case FLOW_AGAIN: return false;
    default: return !(state->done & bit((int)index));
    }
}

unsigned flow_decide(struct flow_state *state, struct flow_step steps[FLOW_ITEMS_MAX + 1]) {
    unsigned count = 0;
    for (unsigned stage = 0; stage < state->script.stages; stage++) {
        bool waits = false;
        for (unsigned i = 0; i < state->script.count; i++) {
            const struct flow_item *item = &state->script.items[i];
            if (item->stage != stage) continue;
            bool running = (state->begun & ~state->done & ~state->stopped) & bit((int)i);
            if (item->kind == FLOW_CANCELLED && running) {
                steps[count++] = (struct flow_step){FLOW_STOP_ITEM, i};
                state->stopped |= bit((int)i);
            }
            bool command = item->kind != FLOW_SIGNALS && item->kind != FLOW_AGAIN && item->kind != FLOW_CANCEL;
            if (command && !(state->begun & bit((int)i))) {
                steps[count++] = (struct flow_step){FLOW_DO_ITEM, i};
                state->begun |= bit((int)i);
                if (item->kind == FLOW_MARKER) state->done |= bit((int)i);
            }
            waits |= item_waits(state, i);
            if (item->kind == FLOW_AGAIN) {
                steps[count++] = (struct flow_step){FLOW_CONTINUE, i};
                return count;
            }
            if (item->kind == FLOW_CANCEL && state->cancel_requested) {
                steps[count++] = (struct flow_step){FLOW_END_CANCELLED, i};
                return count;
            }
        }
        if (waits) return count;
    }
    steps[count++] = (struct flow_step){FLOW_COMPLETE, 0};
    return count;
}
