/* directory: the executions in memory. */
#include "shard/directory.h"

#include "base/hash.h"
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "shard/deadline_heap.h"
#include "shard/exec_codec.h"
#include "shard/load_failed.h"
#include "shard/memory.h"
#include "shard/recover.h"

static const uint8_t no_run[RUN_ID_LEN];

static bool is_zero(const uint8_t run_id[RUN_ID_LEN]) { return memcmp(run_id, no_run, RUN_ID_LEN) == 0; }

/* ---- the tables ---- */

static uint64_t number_hash(uint64_t number) { return hash64(&number, sizeof number); }
static bool number_equal(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct exec, by_number)->number == *(const uint64_t *)key;
}
static bool run_equal(const struct map_node *node, const void *key) {
    return memcmp(CONTAINER_OF(node, struct exec, by_run)->run_id, key, RUN_ID_LEN) == 0;
}

struct id_key {
    const uint8_t *namespace_id;
    const char *workflow_id;
};
static bool id_equal(const struct map_node *node, const void *key) {
    const struct exec_id *id = CONTAINER_OF(node, struct exec_id, node);
    const struct id_key *wanted = key;
    return memcmp(id->namespace_id, wanted->namespace_id, NAMESPACE_ID_LEN) == 0 &&
           strcmp(id->workflow_id, wanted->workflow_id) == 0;
}

static struct exec *resident(struct engine *engine, uint64_t number) {
    struct map_node *node = map_find(&engine->by_number, number_hash(number), number_equal, &number);
    return node ? CONTAINER_OF(node, struct exec, by_number) : NULL;
}

struct exec *directory_any(struct engine *engine, uint64_t number) { return resident(engine, number); }

struct exec *engine_resident(struct engine *engine, uint64_t number) {
    struct exec *exec = resident(engine, number);
    return exec && !exec->deleted ? exec : NULL;
}

static struct exec_id *find_id(struct engine *engine, uint64_t hash, const uint8_t *namespace_id, const char *workflow_id) {
    struct id_key key = {namespace_id, workflow_id};
    struct map_node *node = map_find(&engine->ids, hash, id_equal, &key);
    return node ? CONTAINER_OF(node, struct exec_id, node) : NULL;
}

static struct exec_id *get_id(struct engine *engine, uint64_t hash, const uint8_t *namespace_id, const char *workflow_id) {
    struct exec_id *id = find_id(engine, hash, namespace_id, workflow_id);
    if (id) return id;
    size_t len = strlen(workflow_id);
    id = mem_alloc(sizeof *id + len + 1);
    memcpy(id->workflow_id, workflow_id, len);
    memcpy(id->namespace_id, namespace_id, NAMESPACE_ID_LEN);
    list_init(&id->runs);
    map_insert(&engine->ids, &id->node, hash);
    return id;
}

void directory_insert(struct engine *engine, struct exec *exec) {
    CHECK(exec->start && exec->start->namespace_id.len == NAMESPACE_ID_LEN);
    CHECK(uuid_parse(exec->start->run_id, exec->run_id));
    struct exec_id *id = get_id(engine, exec->hash, exec->start->namespace_id.data, exec->start->workflow_id);
    struct list *place = id->runs.next;
    while (place != &id->runs && LIST_ENTRY(place, struct exec, id_link)->number > exec->number) place = place->next;
    list_insert_before(place, &exec->id_link);
    exec->id = id;
    map_insert(&engine->by_number, &exec->by_number, number_hash(exec->number));
    map_insert(&engine->by_run, &exec->by_run, hash64(exec->run_id, RUN_ID_LEN));
    list_push_back(&engine->lru, &exec->lru);
    engine->stats.resident++;
    if (exec->info && exec_open(exec)) engine->stats.open++;
}

/* A load that is under way may have read an image older than the one that lets the run go. */
static void loads_are_stale(struct engine *engine, const struct exec *exec) {
    LIST_EACH(it, &engine->loads) {
        struct load *load = LIST_ENTRY(it, struct load, link);
        bool same = load->key.execution ? load->key.execution == exec->number : load->key.hash == exec->hash;
        if (same) load->stale = true;
    }
}

void directory_drop(struct engine *engine, struct exec *exec) {
    loads_are_stale(engine, exec);
    CHECK(!exec->in_txn && !exec->pins && list_empty(&exec->history_waiters) && list_empty(&exec->queries));
    list_remove(&exec->lru);
    list_remove(&exec->dirty_link);
    list_remove(&exec->visibility_link);
    list_remove(&exec->id_link);
    map_remove(&engine->by_number, &exec->by_number);
    map_remove(&engine->by_run, &exec->by_run);
    if (list_empty(&exec->id->runs)) {
        map_remove(&engine->ids, &exec->id->node);
        mem_free(exec->id);
    }
    engine->stats.resident--;
    if (!exec->deleted && exec_open(exec)) engine->stats.open--;
    engine->stats.resident_bytes -= exec->memory;
    memory_freed(engine, exec->memory);
    exec_free(exec);
}

struct exec *directory_new(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN], const char *workflow_id,
                           const uint8_t run_id[RUN_ID_LEN], uint64_t hash) {
    struct exec *exec = exec_create(engine, engine->next_number, hash);
    engine->next_number += engine->number_step;
    exec->start = state_new(&norn__state__start__descriptor);
    exec->info = state_new(&norn__state__info__descriptor);
    exec->info->next_event_id = 1;
    exec->info->status = STATUS_OF(RUNNING);
    exec->start->namespace_id.len = NAMESPACE_ID_LEN;
    exec->start->namespace_id.data = mem_copy(namespace_id, NAMESPACE_ID_LEN);
    state_set_text(&exec->start->workflow_id, workflow_id);
    char text[UUID_TEXT_SIZE];
    uuid_text(run_id, text);
    state_set_text(&exec->start->run_id, text);
    directory_insert(engine, exec);
    exec->id->newest = exec->number;
    return exec;
}

void directory_used(struct engine *engine, struct exec *exec) {
    list_remove(&exec->lru);
    list_push_back(&engine->lru, &exec->lru);
}

/* ---- finding ---- */

static struct load *load_for(struct engine *engine, const struct store_key *key);

/* The newest of the runs in memory; 0: none. One that never was counts for nothing. */
static uint64_t newest_resident(const struct exec_id *id) {
    LIST_EACH(it, &id->runs) {
        const struct exec *exec = LIST_ENTRY(it, struct exec, id_link);
        if (!exec->never_was) return exec->number;
    }
    return 0;
}

static enum found found(struct engine *engine, struct exec *exec, struct load **load) {
    directory_used(engine, exec);
    if (!exec->doubt) return FOUND;
    *load = exec->doubt;
    return FOUND_LATER;
}

enum found directory_find_number(struct engine *engine, uint64_t number, uint64_t hash, struct exec **exec,
                                 struct load **load) {
    *exec = resident(engine, number);
    if (*exec) {
        return (*exec)->deleted ? FOUND_NONE : found(engine, *exec, load);
    }
    struct store_key key = {.execution = number, .hash = hash};
    if (engine->absent && engine->absent->key.execution == number && engine->absent->key.hash == hash) return FOUND_NONE;
    if (!store_may_have(engine->store, hash)) return FOUND_NONE;
    *load = load_for(engine, &key);
    return FOUND_LATER;
}

static enum found find_newest(struct engine *engine, const struct store_key *key, struct exec_id *id,
                              struct exec **exec, struct load **load) {
    if (id && id->newest) return directory_find_number(engine, id->newest, key->hash, exec, load);
    bool stored = store_may_have(engine->store, key->hash);
    const struct load *absent = engine->absent;
    if (absent && !absent->key.execution && is_zero(absent->key.run_id) && absent->key.hash == key->hash &&
        strcmp(absent->key.workflow_id, key->workflow_id) == 0) stored = false;
    if (stored) {
        *load = load_for(engine, key);
        return FOUND_LATER;
    }
    uint64_t newest = id ? newest_resident(id) : 0;
    if (!newest) return FOUND_NONE;
    id->newest = newest;
    return directory_find_number(engine, id->newest, key->hash, exec, load);
}

enum found directory_find(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN], const char *workflow_id,
                          const uint8_t run_id[RUN_ID_LEN], struct exec **exec, struct load **load) {
    struct store_key key = {.workflow_id = workflow_id};
    key.hash = route_hash(namespace_id, ROUTE_WORKFLOW, bytes_str(workflow_id));
    memcpy(key.namespace_id, namespace_id, NAMESPACE_ID_LEN);
    memcpy(key.run_id, run_id, RUN_ID_LEN);
    struct exec_id *id = find_id(engine, key.hash, namespace_id, workflow_id);
    if (is_zero(run_id)) {
        enum found newest = find_newest(engine, &key, id, exec, load);
        return newest == FOUND && (*exec)->info->superseded ? FOUND_NONE : newest;
    }

    struct map_node *node = map_find(&engine->by_run, hash64(run_id, RUN_ID_LEN), run_equal, run_id);
    if (node) {
        *exec = CONTAINER_OF(node, struct exec, by_run);
        bool same = !(*exec)->deleted && (*exec)->id == id;
        return same ? found(engine, *exec, load) : FOUND_NONE;
    }
    const struct load *absent = engine->absent;
    if (absent && memcmp(absent->key.run_id, run_id, RUN_ID_LEN) == 0) return FOUND_NONE;
    if (!store_may_have(engine->store, key.hash)) return FOUND_NONE;
    *load = load_for(engine, &key);
    return FOUND_LATER;
}

/* ---- loading ---- */

struct exec *directory_from_image(struct engine *engine, const struct store_image *image) {
    struct exec *exec = exec_create(engine, image->execution, image->hash);
    bool good = exec_unpack(exec, image->state);
    for (size_t i = 0; good && i < image->batch_count; i++) {
        const struct store_history_batch *batch = &image->batches[i];
        good = batch->first_event_id == history_last(&exec->history) + 1;
        if (good) history_add(&exec->history, batch->first_event_id, batch->last_event_id, batch->events, true);
    }
    if (!good || history_last(&exec->history) + 1 != exec->info->next_event_id) {
        exec_free(exec);
        return NULL;
    }
    exec->version = exec->imaged = exec->image_given = image->version;
    directory_insert(engine, exec);
    return exec;
}

static bool same_key(const struct store_key *a, const struct store_key *b) {
    if (a->execution || b->execution) return a->execution == b->execution && a->hash == b->hash;
    return a->hash == b->hash && memcmp(a->namespace_id, b->namespace_id, NAMESPACE_ID_LEN) == 0 &&
           memcmp(a->run_id, b->run_id, RUN_ID_LEN) == 0 && strcmp(a->workflow_id, b->workflow_id) == 0;
}

struct call *directory_unpark(struct parked *parked) {
    parked->call->on_cancel = NULL;
    parked->call->waiter = parked->waiter;
    return parked->call;
}

static void run_parked(struct engine *engine, struct load *load) {
    for (struct list *it; (it = list_pop_front(&load->parked));) {
        struct parked *parked = LIST_ENTRY(it, struct parked, link);
        struct call *call = directory_unpark(parked);
        if (parked->again) parked->again(engine, call);
        else engine_start_task(engine, &parked->name, &parked->task, call);
        mem_free(parked);
    }
}

static void loaded(void *ctx, struct status status, const struct store_image *image) {
    struct load *load = ctx;
    struct engine *engine = load->engine;
    if (!status_ok(status)) {
        load_failed(engine, load, status);
        return;
    }
    list_remove(&load->link);
    /* Whoever made the token up chose the hash too: with another one the run belongs to another loop, perhaps. */
    if (image && load->key.hash && image->hash != load->key.hash) image = NULL;
    struct exec *exec = image && !PLANT(engine->io, LOADED_TWICE) ? resident(engine, image->execution) : NULL;
    if (image && exec) mark(MARK_LOAD_BEATEN);
    if (load->stale && !exec && !engine->stopped) {
        mark(MARK_LOAD_STALE);
        load->stale = false;
        list_push_back(&engine->loads, &load->link);
        directory_begin_load(load);
        return;
    }
    memory_load_ended(engine, image);
    if (image && !exec) {
        engine->stats.loads++;
        mark(MARK_LOADED);
        exec = directory_from_image(engine, image);
        CHECKF(exec, "the state of execution %llu in the store is malformed", (unsigned long long)image->execution);
        directory_changed(engine, exec);
        if (!PLANT(engine->io, TIMERS_LOST_BY_LOAD)) deadline_loaded(engine, exec);
    }
    bool newest = (!load->key.execution && is_zero(load->key.run_id)) || PLANT(engine->io, WRONG_RUN_AFTER_LOAD);
    if (exec && newest) {              /* what the tables lack is resident: the newest is the newest of both */
        uint64_t top = newest_resident(exec->id);
        bool younger = top > exec->number && !PLANT(engine->io, WRONG_RUN_AFTER_START);
        if (!exec->id->newest) exec->id->newest = younger ? top : exec->number;
    }
    if (!engine->stopped) {
        if (load->successor) recover_settle(engine, load->successor, exec);
        if (!exec) engine->absent = load;
        run_parked(engine, load);
        engine->absent = NULL;
    }
    mem_free(load);
}

void directory_begin_load(struct load *load) { store_load(load->engine->store, &load->key, loaded, load); }

static struct load *load_for(struct engine *engine, const struct store_key *key) {
    LIST_EACH(it, &engine->loads) {
        struct load *load = LIST_ENTRY(it, struct load, link);
        if (same_key(&load->key, key)) return load;
    }
    size_t len = key->workflow_id ? strlen(key->workflow_id) : 0;
    struct load *load = mem_alloc(sizeof *load + len + 1);
    load->engine = engine;
    load->key = *key;
    memcpy(load->workflow_id, key->workflow_id ? key->workflow_id : "", len);
    load->key.workflow_id = load->workflow_id;
    list_init(&load->parked);
    list_init(&load->held);
    list_push_back(&engine->loads, &load->link);
    memory_load(engine, load);
    return load;
}

void directory_load_idle(struct engine *engine, uint64_t number) {
    if (resident(engine, number)) return;
    struct store_key key = {.execution = number};
    load_for(engine, &key)->due = true;
}

void directory_doubt(struct engine *engine, struct exec *exec) {
    struct store_key key = {.execution = exec->start->predecessor, .hash = exec->hash};
    exec->doubt = load_for(engine, &key);
    exec->doubt->successor = exec->number;
    exec->pins++;
}

static void parked_cancelled(struct call *call) {
    struct parked *parked = call->waiter;
    const struct engine_host *host = &parked->engine->host;
    list_remove(&parked->link);
    bool gives_back = !parked->again && !PLANT(call->io, PARKED_TASK_LOST);
    if (gives_back) mark(MARK_PARKED_POLL_GONE);
    if (gives_back) host->add_task(host->ctx, &parked->name, &parked->task);      /* it waits for another poll */
    mem_free(parked);
    call->waiter = NULL;
    call_fail(call, STATUS_CANCELLED, "the client went away");
}

static void park(struct load *load, struct parked *parked) {
    list_push_back(&load->parked, &parked->link);
    parked->engine = load->engine;
    parked->waiter = parked->call->waiter;
    parked->call->waiter = parked;
    parked->call->on_cancel = parked_cancelled;
}

void directory_park(struct load *load, struct call *call, engine_call_fn *again) {
    struct parked *parked = mem_alloc(sizeof *parked);
    mark(MARK_CALL_PARKED);
    parked->call = call;
    parked->again = again;
    park(load, parked);
}

void directory_park_task(struct load *load, struct call *poll, const struct queue_name *name,
                         const struct queue_task *task) {
    struct parked *parked = mem_alloc(sizeof *parked + name->name.len + 1);
    mark(MARK_TASK_PARKED);
    parked->call = poll;
    parked->name = *name;
    memcpy(parked->text, name->name.data, name->name.len);
    parked->name.name.data = (const uint8_t *)parked->text;
    parked->task = *task;
    park(load, parked);
}

void directory_stop(struct engine *engine) {
    LIST_EACH(it, &engine->loads) {
        struct load *load = LIST_ENTRY(it, struct load, link);
        for (struct list *one; (one = list_pop_front(&load->parked));) {
            struct parked *parked = LIST_ENTRY(one, struct parked, link);
            call_fail(parked->call, STATUS_UNAVAILABLE, "the server is shutting down");
            mem_free(parked);
        }
        for (struct list *one; (one = list_pop_front(&load->held));) mem_free(LIST_ENTRY(one, struct parked, link));
    }
}

/* ---- memory ---- */

/* For a metric; the limit counts the heap itself. */
static size_t memory_of(const struct exec *exec) {
    size_t bytes = sizeof *exec + 1024 + (size_t)exec->info->history_size + exec->history.cap * sizeof(struct history_batch);
    for (size_t i = 0; i < ARRAY_LEN(exec->sets); i++) bytes += exec->sets[i].count * 512;
    return bytes;
}

void directory_changed(struct engine *engine, struct exec *exec) {
    size_t now = memory_of(exec);
    engine->stats.resident_bytes += now - exec->memory;
    exec->memory = now;
    if (exec->version > exec->image_given && !list_linked(&exec->dirty_link)) {
        list_push_back(&engine->dirty, &exec->dirty_link);
    }
    directory_used(engine, exec);
    memory_look(engine);
}

bool directory_evictable(struct engine *engine, const struct exec *exec) {
    bool imaged = (PLANT(engine->io, EVICT_BEFORE_IMAGE) ? exec->image_given : exec->imaged) == exec->version;
    bool due = exec->queued_at && exec->queued_at <= engine_wall(engine);      /* it may have been loaded for that */
    return imaged && !due && exec->commit <= engine->durable && !exec->in_txn && !exec->pins &&
           !exec->query_count && list_empty(&exec->history_waiters) && !list_linked(&exec->visibility_link);
}
