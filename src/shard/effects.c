/* effects: two queues in order of commit number, one of calls and one of tasks. */
#include "shard/effects.h"

#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"

struct send *send_create(const struct queue_name *name, const struct queue_task *task, const char *fallback) {
    struct send *send = mem_alloc(sizeof *send + name->name.len + 1);
    memcpy(send->text, name->name.data, name->name.len);
    send->name = *name;
    send->name.name.data = (const uint8_t *)send->text;
    send->task = *task;
    send->fallback = mem_strdup(fallback);
    return send;
}

static void send_free(struct send *send) {
    mem_free(send->fallback);
    mem_free(send);
}

/* Hands the task to its queue. A sticky queue that nobody polls is passed over (5.2). */
static void deliver(struct engine *engine, struct send *send) {
    const struct engine_host *host = &engine->host;
    if (send->withdraw) {
        host->remove_task(host->ctx, &send->name, &send->task);
        send->name.name = bytes_str(send->fallback);
        if (send->fallback) host->remove_task(host->ctx, &send->name, &send->task);
        send_free(send);
        return;
    }
    if (send->fallback && !host->sticky_alive(host->ctx, &send->name)) {
        mark(MARK_STICKY_PASSED_OVER);
        send->name.name = bytes_str(send->fallback);
    }
    host->add_task(host->ctx, &send->name, &send->task);
    send_free(send);
}

void effects_send(struct engine *engine, struct send *send, uint64_t gate) {
    if (!engine->started) {            /* recovery: engine_start derives every task */
        send_free(send);
        return;
    }
    if (gate <= engine->durable) {
        deliver(engine, send);
        return;
    }
    send->number = gate;
    struct list *place = &engine->waiting_tasks;
    while (place->prev != &engine->waiting_tasks && LIST_ENTRY(place->prev, struct send, link)->number > gate) {
        place = place->prev;
    }
    list_insert_before(place, &send->link);
}

void engine_send_gated(struct engine *engine, struct call *call, uint64_t gate) {
    call->on_cancel = NULL;
    if (gate <= engine->durable || PLANT(engine->io, REPLY_BEFORE_SYNC)) {
        call_send(call);
        return;
    }
    mark(MARK_EFFECT_WAITED);
    call->effect_number = gate;
    struct list *head = &engine->waiting_calls, *place = head;
    while (place->prev != head && LIST_ENTRY(place->prev, struct call, effect_link)->effect_number > gate) {
        place = place->prev;
    }
    list_insert_before(place, &call->effect_link);
}

void effects_release(struct engine *engine, uint64_t number) {
    engine->durable = number;
    struct list *it;
    while ((it = engine->waiting_calls.next) != &engine->waiting_calls) {
        struct call *call = LIST_ENTRY(it, struct call, effect_link);
        if (call->effect_number > number) break;
        list_remove(it);
        call_send(call);
    }
    while ((it = engine->waiting_tasks.next) != &engine->waiting_tasks) {
        struct send *send = LIST_ENTRY(it, struct send, link);
        if (send->number > number) break;
        list_remove(it);
        deliver(engine, send);
    }
}

void effects_drop(struct engine *engine, const char *why) {
    for (struct list *it; (it = list_pop_front(&engine->waiting_calls));) {
        struct call *call = LIST_ENTRY(it, struct call, effect_link);
        call_fail(call, STATUS_UNAVAILABLE, "%s", why);
    }
    for (struct list *it; (it = list_pop_front(&engine->waiting_tasks));) send_free(LIST_ENTRY(it, struct send, link));
}

/* ---- reads and refusals ---- */

static uint64_t seen(struct engine *engine, const struct exec *exec) {
    if (PLANT(engine->io, READ_BEFORE_SYNC)) return engine->durable;
    return exec ? exec->commit : store_appended(engine->store);
}

void engine_reply(struct engine *engine, struct exec *exec, struct call *call, const ProtobufCMessage *response) {
    call_set_reply(call, response);
    engine_send_gated(engine, call, seen(engine, exec));
}

void engine_reply_bytes(struct engine *engine, struct exec *exec, struct call *call, struct bytes response) {
    call_set_reply_bytes(call, response);
    engine_send_gated(engine, call, seen(engine, exec));
}

void engine_fail(struct engine *engine, struct exec *exec, struct call *call, struct status status) {
    call_set_fail(call, status);
    engine_send_gated(engine, call, seen(engine, exec));
}
