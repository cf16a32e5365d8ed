/* load_failed: ends what waited for the load, or keeps it for another try. */
#include "shard/load_failed.h"

#include "base/mark.h"
#include "base/mem.h"
#include "shard/memory.h"

enum { PAUSE_MS = 250, PAUSE_DOUBLINGS = 6 };

static int64_t pause_of(const struct load *load) {
    unsigned doublings = load->failures < PAUSE_DOUBLINGS ? load->failures : PAUSE_DOUBLINGS;
    return ((int64_t)PAUSE_MS << doublings) * 1000 * 1000;
}

/* The tasks that go back, and what parked meanwhile, wait for the next read. */
static void try_again(struct engine *engine, struct wait *wait) {
    struct load *load = CONTAINER_OF(wait, struct load, again);
    for (struct list *it; (it = list_pop_front(&load->held));) {
        struct parked *task = LIST_ENTRY(it, struct parked, link);
        mark(MARK_TASK_PUT_BACK);
        engine->host.add_task(engine->host.ctx, &task->name, &task->task);
        mem_free(task);
    }
    mark(MARK_LOAD_AGAIN);
    memory_load(engine, load);
}

static const char *name_of(const struct load *load, struct arena *arena) {
    const struct store_key *key = &load->key;
    if (key->execution) return arena_printf(arena, "number %llu", (unsigned long long)key->execution);
    if (uuid_is_zero(key->run_id)) return key->workflow_id;
    char run_id[UUID_TEXT_SIZE];
    uuid_text(key->run_id, run_id);
    return arena_printf(arena, "%s (run %s)", key->workflow_id, run_id);
}

static void end(const struct load *load, struct parked *parked, struct status status) {
    struct call *call = directory_unpark(parked);
    call_fail(call, STATUS_UNAVAILABLE, "workflow execution %s could not be read from the store: %s",
              name_of(load, call->arena), status.message);
    mem_free(parked);
}

void load_failed(struct engine *engine, struct load *load, struct status status) {
    struct list ended;
    list_init(&ended);
    mark(MARK_LOAD_FAILED);
    engine->stats.loads_failed++;
    memory_load_ended(engine, NULL);
    load->stale = false;
    for (struct list *it; (it = list_pop_front(&load->parked));)
        list_push_back(LIST_ENTRY(it, struct parked, link)->again ? &ended : &load->held, it);
    bool again = !engine->stopped && (load->due || load->successor || !list_empty(&load->held));
    if (again) {
        load->again.expired = try_again;
        waits_add(engine, &load->again, io_now(engine->io) + pause_of(load));
        load->failures++;
    } else list_remove(&load->link);
    LIST_EACH(it, &load->held) {
        struct parked *task = LIST_ENTRY(it, struct parked, link);
        engine_poll_again(engine, &task->name, directory_unpark(task));
    }
    for (struct list *it; (it = list_pop_front(&ended));) end(load, LIST_ENTRY(it, struct parked, link), status);
    if (!again) mem_free(load);
}
