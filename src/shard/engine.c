/* engine: its life, its part in the store's life, and small things that all of it uses. */
#include "shard/engine.h"

#include "base/mem.h"
#include "shard/core.h"
#include "shard/deadline_heap.h"
#include "shard/directory.h"
#include "shard/effects.h"
#include "shard/history_calls.h"
#include "shard/memory.h"
#include "shard/query.h"

static void batch_over(struct io *io, struct io_hook *hook) {
    struct engine *engine = CONTAINER_OF(hook, struct engine, hook);
    if (!engine->stopped) memory_relieve(engine);
}

struct engine *engine_create(struct io *io, const struct engine_host *host, const struct engine_limits *limits) {
    struct engine *engine = MEM_NEW(struct engine);
    engine->io = io;
    engine->host = *host;
    if (limits) engine->limits = *limits;
    engine->next_number = engine->number_step = 1;
    list_init(&engine->lru);
    list_init(&engine->dirty);
    list_init(&engine->visibility);
    list_init(&engine->checkpoint);
    list_init(&engine->loads);
    list_init(&engine->loads_waiting);
    list_init(&engine->waiting_calls);
    list_init(&engine->waiting_tasks);
    engine->hook.run = batch_over;
    return engine;
}

void engine_attach(struct engine *engine, struct store_loop *store, uint64_t epoch) {
    engine->store = store;
    engine->epoch = epoch;
    engine->durable = store_durable(store);
}

void engine_set_numbers(struct engine *engine, uint64_t first, uint64_t step) {
    engine->next_number = first;
    engine->number_step = step;
}

void engine_stop(struct engine *engine) {
    if (engine->stopped) return;
    engine->stopped = true;
    deadline_stop(engine);
    waits_stop(engine);
    directory_stop(engine);
    struct arena arena = {0};
    struct status status = status_make(&arena, STATUS_UNAVAILABLE, "the server is shutting down");
    LIST_EACH(it, &engine->lru) history_drop_waiters(engine, LIST_ENTRY(it, struct exec, lru), status);
    query_stop(engine);
    arena_free(&arena);
    effects_drop(engine, "the server is shutting down");
}

/* In a later batch than engine_stop, whose cancelled timers have ended then. */
void engine_destroy(struct engine *engine) {
    CHECK(!engine->timer.busy && !engine->wait_timer.busy);
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        exec->pins = 0;
        directory_drop(engine, exec);
    }
    for (struct list *it; (it = list_pop_front(&engine->loads));) mem_free(LIST_ENTRY(it, struct load, link));
    map_free(&engine->by_number);
    map_free(&engine->by_run);
    map_free(&engine->ids);
    mem_free(engine->heap);
    heap_free(&engine->waits);
    buf_free(&engine->record);
    history_tail_free(engine->spare_tail);
    list_remove(&engine->hook.link);       /* it may be armed: the last checkpoint let executions go */
    mem_free(engine);
}

struct engine_stats engine_stats(const struct engine *engine) { return engine->stats; }

/* ---- what others of this folder use ---- */

void engine_new_run_id(struct engine *engine, uint8_t run_id[RUN_ID_LEN]) {
    io_random(engine->io, run_id, RUN_ID_LEN);
    uuid_shape(run_id);
}

struct queue_name engine_queue(const struct exec *exec, enum queue_type type, const char *name) {
    struct queue_name queue = {.type = type, .name = bytes_str(name)};
    memcpy(queue.namespace_id, exec->start->namespace_id.data, NAMESPACE_ID_LEN);
    return queue;
}

const char *engine_namespace_name(struct engine *engine, const struct exec *exec) {
    const struct namespace_info *ns = engine->host.namespace_by_id(engine->host.ctx, exec->start->namespace_id.data);
    return ns ? ns->name : "";
}

void engine_poll_again(struct engine *engine, const struct queue_name *name, struct call *poll) {
    engine->host.poll_again(engine->host.ctx, name, poll);
}

/* ---- finding the execution of a request ---- */

static struct exec *found_or_park(struct engine *engine, struct call *call, engine_call_fn *again, enum found found,
                                  struct exec *exec, struct load *load, const char *workflow_id) {
    if (found == FOUND) return exec;
    if (found == FOUND_LATER) directory_park(load, call, again);
    else engine_fail(engine, NULL, call, status_not_found(call->arena, "workflow not found for ID: %s", workflow_id));
    return NULL;
}

struct exec *engine_find(struct engine *engine, struct call *call, engine_call_fn *again, const char *workflow_id,
                         const char *run_id) {
    if (text_empty(workflow_id)) {
        engine_fail(engine, NULL, call, status_invalid(call->arena, "WorkflowId is not set on request."));
        return NULL;
    }
    uint8_t raw[RUN_ID_LEN] = {0};
    if (!text_empty(run_id) && !uuid_parse(run_id, raw)) {
        engine_fail(engine, NULL, call, status_invalid(call->arena, "Invalid RunId."));
        return NULL;
    }
    struct exec *exec;
    struct load *load;
    enum found found = directory_find(engine, call->ns->id, workflow_id, raw, &exec, &load);
    return found_or_park(engine, call, again, found, exec, load, workflow_id);
}

struct exec *engine_find_token(struct engine *engine, struct call *call, engine_call_fn *again, const TaskToken *token) {
    struct exec *exec;
    struct load *load;
    enum found found = directory_find_number(engine, token->execution, token->hash, &exec, &load);
    /* A number names one run for ever, but tokens can be forged. */
    bool same = found == FOUND && text_same(exec_run_id(exec), token->run_id) && exec->hash == token->hash &&
                memcmp(exec->start->namespace_id.data, call->ns->id, NAMESPACE_ID_LEN) == 0;
    if (found == FOUND && !same) found = FOUND_NONE;
    return found_or_park(engine, call, again, found, exec, load, token->workflow_id);
}
