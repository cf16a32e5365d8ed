/* store_toy: the toy engine, and its comparison with the model. */
#include "unit/store_toy.h"

#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "world.h"

static void name_space(const struct toy *toy, uint8_t id[NAMESPACE_ID_LEN]) {
    memcpy(id, "toy namespace id", NAMESPACE_ID_LEN);
    id[0] = (uint8_t)toy->model->index;
}

uint64_t toy_hash(uint64_t execution) { return hash64_seed(&execution, sizeof execution, 7); }

/* ---- the model ------------------------------------------------------------------------------------------------- */

void toy_model_init(struct toy_model *model, uint64_t seed, unsigned index) {
    memset(model, 0, sizeof *model);
    model->index = index;
    model->prng = prng_fork(seed, "toy", index);
}

void toy_model_free(struct toy_model *model) {
    for (int i = 0; i < TOY_EXECUTIONS_MAX; i++) world_free(model->versions[i]);
}

static struct toy_version *version_of(struct toy_model *model, uint64_t execution, uint64_t version) {
    CHECK(execution && execution < TOY_EXECUTIONS_MAX && version && version < TOY_VERSIONS_MAX);
    if (!model->versions[execution]) {
        model->versions[execution] = world_alloc(TOY_VERSIONS_MAX * sizeof(struct toy_version));
        memset(model->versions[execution], 0, TOY_VERSIONS_MAX * sizeof(struct toy_version));
    }
    return &model->versions[execution][version];
}

static bool was_deleted(struct toy_model *model, uint64_t execution) {
    return model->appended[execution] && version_of(model, execution, model->appended[execution])->deletes;
}

/* ---- an execution ---------------------------------------------------------------------------------------------- */

static void drop(struct toy_execution *execution) {
    buf_free(&execution->events);
    buf_free(&execution->batches);
    execution->resident = false;
}

static int64_t events_in(struct bytes payload) { return 1 + payload.data[0] % 3; }

static void apply(struct toy_execution *execution, struct bytes payload) {
    struct store_history_batch batch = {.first_event_id = execution->event_id + 1};
    execution->event_id += events_in(payload);
    batch.last_event_id = execution->event_id;
    batch.events.len = payload.len;
    buf_append(&execution->batches, &batch, sizeof batch);
    buf_append_bytes(&execution->events, payload);
    execution->chain = hash64_seed(payload.data, payload.len, execution->chain);
    execution->version++;
    execution->resident = true;
}

static bool is_open(const struct toy_execution *execution) { return execution->version < 12; }

static void fill_visibility(const struct toy_execution *execution, uint64_t number, struct store_image *image) {
    image->visibility = (struct store_visibility){
        .workflow_type = bytes_str(number % 2 ? "odd" : "even"),
        .task_queue = bytes_str("queue"),
        .status = is_open(execution) ? 1 : 2,
        .start_time = 1000000 + (int64_t)number,
        .execution_time = 1000000 + (int64_t)number,
        .close_time = is_open(execution) ? 0 : 2000000 + (int64_t)number,
        .history_length = execution->event_id,
        .state_transitions = (int64_t)execution->version,
        .search_attributes_json = bytes_str("{}"),
    };
}

static void put(struct toy *toy, uint64_t local, bool whole) {
    struct toy_execution *execution = &toy->executions[local];
    uint64_t number = toy_number(toy, local);
    char id[32];
    uint8_t state[24];
    snprintf(id, sizeof id, "workflow-%llu", (unsigned long long)number);
    store_u64(state, execution->chain);
    store_u64(state + 8, execution->version);
    store_u64(state + 16, (uint64_t)execution->event_id);
    struct store_image image = {
        .execution = number, .hash = toy_hash(number), .version = execution->version, .kind = 1,
        .workflow_id = bytes_str(id), .open = is_open(execution), .next_at = number % 3 ? (int64_t)number : 0,
        .has_tasks = number % 5 == 0 && is_open(execution), .state = bytes_of(state, sizeof state),
    };
    name_space(toy, image.namespace_id);
    store_u64(image.run_id, number);
    fill_visibility(execution, number, &image);
    if (!whole) {
        store_visibility_put(toy->loop, &image);
        return;
    }
    struct store_history_batch *batches = (void *)execution->batches.data;
    size_t at = 0;
    image.batch_count = execution->batches.len / sizeof *batches;
    for (size_t i = 0; i < image.batch_count; i++) {
        batches[i].events.data = execution->events.data + at;
        at += batches[i].events.len;
    }
    image.batches = batches;
    store_image_put(toy->loop, &image);
    buf_clear(&execution->batches);
    buf_clear(&execution->events);
}

/* ---- what the store asks --------------------------------------------------------------------------------------- */

static void on_durable(void *ctx, uint64_t number) {
    struct toy *toy = ctx;
    CHECK(number == store_durable(toy->loop));
    toy->model->order_acknowledged = toy->first_order + number;
    if (toy->waiter) fiber_wake(toy->io, toy->waiter);
}

static void on_failed(void *ctx, uint64_t number, bool unknown) {
    struct toy *toy = ctx;
    (void)number, (void)unknown;
    toy->failed = true;
    if (toy->waiter) fiber_wake(toy->io, toy->waiter);
}

static bool on_images(void *ctx, struct store_loop *loop, bool first, size_t budget) {
    struct toy *toy = ctx;
    size_t given = 0;
    if (first) toy->next_to_image = 1;
    for (; toy->next_to_image < TOY_EXECUTIONS_MAX; toy->next_to_image++) {
        struct toy_execution *execution = &toy->executions[toy->next_to_image];
        if (given > budget / 64) return false;
        if (execution->delete_pending) {
            store_image_delete(loop, toy_number(toy, toy->next_to_image));
            execution->delete_pending = false;
        } else if (execution->dirty) {
            execution->dirty = false;
            given += execution->events.len;
            put(toy, toy->next_to_image, true);
        }
    }
    return true;
}

static void on_imaged(void *ctx, uint64_t number, uint64_t version) {
    struct toy *toy = ctx;
    struct toy_execution *execution = &toy->executions[number % TOY_EXECUTIONS_MAX];
    CHECK(version >= execution->imaged || execution->deleted);
    execution->imaged = version;
    CHECK(store_may_have(toy->loop, toy_hash(number)));
}

static void on_visibility(void *ctx, struct store_loop *loop) {
    struct toy *toy = ctx;
    for (uint64_t number = 1; number < TOY_EXECUTIONS_MAX; number++) {
        struct toy_execution *execution = &toy->executions[number];
        if (execution->delete_pending) {
            store_image_delete(loop, toy_number(toy, number));
            execution->delete_pending = prng_chance(&toy->model->prng, 500000);
        } else if (execution->resident && !execution->deleted && execution->version > execution->shown) {
            execution->shown = execution->version;
            put(toy, number, false);
        }
    }
}

/* ---- changes --------------------------------------------------------------------------------------------------- */

static void append(struct toy *toy, const struct store_record *record) {
    uint64_t number = store_append(toy->loop, record);
    toy->model->order++;
    toy->model->records++;
    CHECK(toy->first_order + number == toy->model->order);
}

static struct store_record record_of(const struct toy *toy, uint64_t local, uint64_t version) {
    uint64_t number = toy_number(toy, local);
    struct store_record record = {
        .kind = STORE_RECORD_EXECUTION, .execution = number, .hash = toy_hash(number), .version = version};
    name_space(toy, record.namespace_id);
    return record;
}

uint64_t toy_append(struct toy *toy, uint64_t number, size_t len) {
    struct toy_model *model = toy->model;
    struct arena arena = {0};
    struct status status = store_admit(toy->loop, STORE_NORMAL, len + 100, &arena);
    if (!status_ok(status)) {
        CHECK(status.code == STATUS_RESOURCE_EXHAUSTED);
        model->refused++;
        arena_free(&arena);
        return 0;
    }
    if (number == 0) number = ++model->executions;
    struct toy_execution *execution = &toy->executions[number];
    uint8_t *payload = arena_alloc(&arena, len);
    prng_fill(&model->prng, payload, len);
    apply(execution, bytes_of(payload, len));
    execution->dirty = true;
    struct store_record record = record_of(toy, number, execution->version);
    record.payload = bytes_of(payload, len);
    append(toy, &record);
    *version_of(model, number, execution->version) =
        (struct toy_version){.chain = execution->chain, .order = model->order, .len = (uint32_t)len};
    model->appended[number] = execution->version;
    arena_free(&arena);
    return number;
}

void toy_delete(struct toy *toy, uint64_t number) {
    struct toy_execution *execution = &toy->executions[number];
    execution->version++;
    struct store_record record = record_of(toy, number, execution->version);
    record.kind = STORE_RECORD_DELETE;
    append(toy, &record);
    *version_of(toy->model, number, execution->version) = (struct toy_version){.order = toy->model->order, .deletes = true};
    toy->model->appended[number] = execution->version;
    drop(execution);
    execution->deleted = execution->delete_pending = true;
    execution->dirty = false;
}

static void set_node_value(struct toy *toy, unsigned index) {
    char name[32];
    uint8_t value[8];
    struct store_record record = {.kind = STORE_RECORD_NODE};
    snprintf(name, sizeof name, "namespace/%u", index);
    record.name = bytes_str(name);
    store_u64(value, toy->model->order + 1);
    record.payload = bytes_of(value, sizeof value);
    append(toy, &record);
    toy->model->node_order[index] = toy->model->order;
}

void toy_settle(struct toy *toy) {
    while (toy->failed || store_durable(toy->loop) < store_appended(toy->loop)) {
        if (toy->failed) toy_reload(toy);
        if (store_durable(toy->loop) == store_appended(toy->loop)) continue;
        toy->waiter = fiber_current(toy->io);
        fiber_park(toy->io);
    }
    toy->waiter = NULL;
}

static void wake(void *ctx) {
    struct toy *toy = ctx;
    toy->answered = true;
    fiber_wake(toy->io, toy->waiter);
}

static void await_answer(struct toy *toy) {
    toy->waiter = fiber_current(toy->io);
    while (!toy->answered) {
        toy->waiter = fiber_current(toy->io);
        if (toy->failed) toy_reload(toy);
        else fiber_park(toy->io);
    }
    toy->waiter = NULL;
    toy->answered = false;
}

void toy_checkpoint(struct toy *toy) {
    toy->answered = false;
    store_checkpoint(toy->loop, wake, toy);
    await_answer(toy);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* State, visibility and the whole history of an image agree with the model at the image's version. */
static void check_image(struct toy_model *model, const struct store_image *image, bool with_visibility) {
    uint64_t number = image->execution % TOY_EXECUTIONS_MAX;
    CHECKF(image->version <= model->appended[number], "execution %llu: version %llu was never appended",
           (unsigned long long)number, (unsigned long long)image->version);
    const struct toy_version *version = version_of(model, number, image->version);
    CHECK(image->hash == toy_hash(image->execution) && image->state.len == 24);
    CHECK(load_u64(image->state.data) == version->chain && load_u64(image->state.data + 8) == image->version);
    CHECKF(image->batch_count == image->version, "execution %llu: %zu batches at version %llu",
           (unsigned long long)number, image->batch_count, (unsigned long long)image->version);
    uint64_t chain = 0;
    int64_t event_id = 0;
    for (size_t i = 0; i < image->batch_count; i++) {
        const struct store_history_batch *batch = &image->batches[i];
        CHECK(batch->first_event_id == event_id + 1);
        CHECK(batch->last_event_id == event_id + events_in(batch->events));
        event_id = batch->last_event_id;
        chain = hash64_seed(batch->events.data, batch->events.len, chain);
        CHECK(chain == version_of(model, number, i + 1)->chain);
    }
    CHECK((int64_t)load_u64(image->state.data + 16) == event_id);
    if (with_visibility) CHECK(image->visibility.state_transitions >= (int64_t)image->version);
    model->checks++;
}

static void adopt(struct toy *toy, const struct store_image *image) {
    uint64_t local = image->execution % TOY_EXECUTIONS_MAX;
    struct toy_execution *execution = &toy->executions[local];
    check_image(toy->model, image, true);
    drop(execution);
    execution->version = execution->imaged = image->version;
    execution->chain = load_u64(image->state.data);
    execution->event_id = (int64_t)load_u64(image->state.data + 16);
    execution->resident = true;
    execution->shown = 0;
    if (local > toy->model->executions) toy->model->executions = local;
}

static void on_found(void *ctx, struct status status, const struct store_image *image) {
    struct toy *toy = ctx;
    CHECKF(status_ok(status), "%s", status.message);
    toy->found = image != NULL;
    if (image) adopt(toy, image);
    toy->load_answered = true;
    fiber_wake(toy->io, toy->waiter);
}

bool toy_find(struct toy *toy, uint64_t local) {
    char id[32];
    uint64_t number = toy_number(toy, local);
    snprintf(id, sizeof id, "workflow-%llu", (unsigned long long)number);
    struct store_key key = {.hash = toy_hash(number), .workflow_id = id};
    name_space(toy, key.namespace_id);
    if (prng_chance(&toy->model->prng, 300000)) key = (struct store_key){.execution = number};
    else if (prng_chance(&toy->model->prng, 300000)) store_u64(key.run_id, number);
    toy->load_answered = false;
    store_load(toy->loop, &key, on_found, toy);
    toy->waiter = fiber_current(toy->io);
    while (!toy->load_answered) fiber_park(toy->io);
    toy->waiter = NULL;
    toy->model->loads++;
    return toy->found;
}

void toy_load(struct toy *toy, uint64_t number) {
    struct toy_execution *execution = &toy->executions[number];
    uint64_t version = execution->version, chain = execution->chain;
    CHECK(store_may_have(toy->loop, toy_hash(toy_number(toy, number))));
    CHECKF(toy_find(toy, number), "execution %llu left memory, and SQLite does not have it", (unsigned long long)number);
    CHECK(execution->version == version && execution->chain == chain);
}

struct listing {
    struct toy *toy;
    struct buf after;
    uint64_t seen;
    int64_t last_key;
    bool more, refused;
    uint8_t *marks;
};

static void on_rows(void *ctx, const struct store_rows *rows) {
    struct listing *listing = ctx;
    struct toy *toy = listing->toy;
    if (rows->status.code == STATUS_RESOURCE_EXHAUSTED) {
        listing->refused = true;
        toy->answered = true;
        fiber_wake(toy->io, toy->waiter);
        return;
    }
    CHECKF(status_ok(rows->status), "list: %s", rows->status.message);
    for (size_t i = 0; i < rows->count; i++) {
        const struct store_row *row = &rows->rows[i];
        uint64_t local = row->execution % TOY_EXECUTIONS_MAX;
        const struct toy_execution *execution = &toy->executions[local];
        CHECKF(!execution->deleted && execution->version, "a row of execution %llu, which is %s",
               (unsigned long long)row->execution, execution->deleted ? "deleted" : "not there");
        CHECKF(row->visibility.state_transitions == (int64_t)execution->version,
               "execution %llu is listed at version %lld, it is at %llu", (unsigned long long)row->execution,
               (long long)row->visibility.state_transitions, (unsigned long long)execution->version);
        bool open = row->visibility.close_time == 0;
        int64_t key = open ? row->visibility.start_time + (INT64_C(1) << 40) : row->visibility.close_time;
        CHECK(key <= listing->last_key && !listing->marks[local]);
        listing->last_key = key;
        listing->marks[local] = 1;
        listing->seen++;
    }
    buf_clear(&listing->after);
    buf_append_bytes(&listing->after, rows->next);
    listing->more = rows->next.len > 0;
    toy->answered = true;
    fiber_wake(toy->io, toy->waiter);
}

void toy_list(struct toy *toy) {
    struct listing listing = {.toy = toy, .last_key = INT64_MAX, .marks = mem_alloc(TOY_EXECUTIONS_MAX), .more = true};
    toy_settle(toy);
    while (listing.more && !listing.refused) {
        struct store_list list = {.limit = (uint32_t)prng_range(&toy->model->prng, 1, 40), .after = buf_bytes(&listing.after)};
        name_space(toy, list.namespace_id);
        toy->answered = false;
        store_list(toy->loop, &list, on_rows, &listing);
        await_answer(toy);
    }
    uint64_t live = 0;
    for (uint64_t i = 1; i < TOY_EXECUTIONS_MAX; i++) live += toy->executions[i].version && !toy->executions[i].deleted;
    CHECKF(live == listing.seen || listing.refused, "%llu executions are listed, there are %llu",
           (unsigned long long)listing.seen, (unsigned long long)live);
    toy->model->lists++;
    buf_free(&listing.after);
    mem_free(listing.marks);
}

/* ---- recovery -------------------------------------------------------------------------------------------------- */

/* What recovery gives goes to the toys by number. */
struct toys {
    struct toy *toys;
    unsigned count;
};

static struct toy *toy_of(void *ctx, uint64_t number) {
    struct toys *toys = ctx;
    CHECK(number / TOY_EXECUTIONS_MAX < toys->count);
    return &toys->toys[number / TOY_EXECUTIONS_MAX];
}

static void on_node_value(void *ctx, struct bytes name, struct bytes payload) {
    struct toy *toy = toy_of(ctx, 0);
    char text[32] = {0};
    unsigned index = 0;
    CHECK(name.len < sizeof text && payload.len == 8);
    memcpy(text, name.data, name.len);
    CHECK(sscanf(text, "namespace/%u", &index) == 1 && index < TOY_NODES);
    toy->node_found[index] = load_u64(payload.data);
}

static void on_image(void *ctx, const struct store_image *image) {
    struct toy *toy = toy_of(ctx, image->execution);
    CHECKF(!toy->executions[image->execution % TOY_EXECUTIONS_MAX].version,
           "execution %llu: two images, or a record before its image", (unsigned long long)image->execution);
    adopt(toy, image);
}

static void on_record(void *ctx, const struct store_record *record) {
    struct toy *toy = toy_of(ctx, record->execution);
    uint64_t local = record->execution % TOY_EXECUTIONS_MAX;
    struct toy_execution *execution = &toy->executions[local];
    CHECK(record->kind == STORE_RECORD_EXECUTION && record->hash == toy_hash(record->execution));
    CHECKF(record->version == execution->version + 1, "execution %llu: record %llu after %llu",
           (unsigned long long)record->execution, (unsigned long long)record->version,
           (unsigned long long)execution->version);
    CHECK(record->sequence > toy->last_sequence);
    toy->last_sequence = record->sequence;
    apply(execution, record->payload);
    execution->dirty = true;
    const struct toy_version *version = version_of(toy->model, local, execution->version);
    CHECKF(version->chain == execution->chain, "execution %llu: version %llu is not what was appended",
           (unsigned long long)record->execution, (unsigned long long)execution->version);
}

static void on_idle(void *ctx, uint64_t number, uint64_t hash, int64_t next_at) {
    struct toy *toy = toy_of(ctx, number);
    CHECK(hash == toy_hash(number) && next_at == (int64_t)number);
    CHECKF(!toy->executions[number % TOY_EXECUTIONS_MAX].version, "execution %llu is idle, and was given",
           (unsigned long long)number);
    toy->idle_given++;
}

/* S5. */
static void check_partners(struct toy *toy, uint64_t number) {
    for (uint64_t v = 1; v <= toy->executions[number].version; v++) {
        const struct toy_version *version = version_of(toy->model, number, v);
        if (!version->partner) continue;
        const struct toy_execution *partner = &toy->executions[version->partner];
        CHECKF(partner->version >= version->partner_version || partner->deleted,
               "version %llu of execution %llu is there; version %u of execution %u was appended together with it, and is"
               " lost", (unsigned long long)v, (unsigned long long)number, version->partner_version, version->partner);
    }
}

/* What is there must be a prefix of what was appended, and hold all that was acknowledged. */
static void compare(struct toy *toy) {
    struct toy_model *model = toy->model;
    uint64_t newest_kept = 0, oldest_lost = UINT64_MAX, lost = 0;
    for (uint64_t number = 1; number < TOY_EXECUTIONS_MAX; number++) {
        if (!model->appended[number]) continue;
        struct toy_execution *execution = &toy->executions[number];
        if (!execution->resident) {
            bool there = toy_find(toy, number);
            if (!there && was_deleted(model, number)) {
                execution->version = model->appended[number];
                execution->deleted = true;
                if (version_of(model, number, 1)->order > model->order_acknowledged) model->ghost[number] = true;
            }
        }
        uint64_t version = execution->version;
        /* Of one that is not there because it was deleted, nobody can tell how much of it ever was. */
        if (version && !execution->deleted) {
            uint64_t order = version_of(model, number, version)->order;
            if (order > newest_kept) newest_kept = order;
        }
        if (version < model->appended[number]) {
            uint64_t order = version_of(model, number, version + 1)->order;
            if (order < oldest_lost) lost = number;
            if (order < oldest_lost) oldest_lost = order;
        }
        model->appended[number] = version;
    }
    for (uint64_t number = 1; number < TOY_EXECUTIONS_MAX; number++) {
        if (model->appended[number] && !toy->executions[number].deleted) check_partners(toy, number);
    }
    CHECKF(oldest_lost > model->order_acknowledged, "append %llu of execution %llu was acknowledged (up to"
           " %llu), and is lost", (unsigned long long)oldest_lost, (unsigned long long)lost,
           (unsigned long long)model->order_acknowledged);
    CHECKF(oldest_lost > newest_kept, "append %llu is there, %llu before it is not", (unsigned long long)newest_kept,
           (unsigned long long)oldest_lost);
    for (unsigned i = 0; i < TOY_NODES; i++) {
        uint64_t found = toy->node_found[i];
        bool acknowledged = model->node_order[i] && model->node_order[i] <= model->order_acknowledged;
        CHECKF(!acknowledged || found == model->node_order[i], "node value %u: %llu is there, not %llu", i,
               (unsigned long long)found, (unsigned long long)model->node_order[i]);
        CHECK(found < oldest_lost);
        model->node_order[i] = found;
    }
}

struct status toys_open(struct toy *toys, unsigned count, struct io *io, struct toy_model *models,
                        const struct store_options *options, struct arena *arena, struct store **store) {
    struct toys all = {toys, count};
    for (unsigned i = 0; i < count; i++) {
        toys[i] = (struct toy){.model = &models[i]};
        toys[i].executions = mem_alloc(TOY_EXECUTIONS_MAX * sizeof(struct toy_execution));
    }
    struct store_recovery recovery = {on_node_value, on_image, on_record, on_idle, &all};
    struct status status = store_open(io, options, &recovery, arena, store);
    for (unsigned i = 0; i < count && !status_ok(status); i++) toy_free(&toys[i]);
    return status;
}

void toy_attach(struct toy *toy, struct store *store, struct io *io) {
    struct toy_model *model = toy->model;
    toy->io = io;
    toy->store = store;
    CHECKF(store_epoch(store) > model->epoch, "epoch %llu after %llu", (unsigned long long)store_epoch(store),
           (unsigned long long)model->epoch);
    model->epoch = store_epoch(store);
    model->starts++;
    toy->first_order = model->order;
    struct store_engine engine = {on_durable, on_failed, on_images, on_imaged, on_visibility, toy};
    toy->loop = store_attach(store, io, &engine);
    compare(toy);
    /* Numbers are not used again, here not even those of executions that were lost. */
    for (uint64_t i = 1; i < TOY_EXECUTIONS_MAX; i++) {
        bool known = toy_number(toy, i) <= store_execution_max(store);
        CHECK(known || !model->appended[i] || model->ghost[i] ||
              version_of(model, i, 1)->order > model->order_acknowledged);
    }
    /* Everything recovered is durable, whether it was acknowledged or not. */
    model->order_acknowledged = model->order;
}

void toy_reload(struct toy *toy) {
    struct toys all = {toy, 1};
    toy->failed = false;
    toy->last_sequence = 0;
    for (uint64_t i = 1; i < TOY_EXECUTIONS_MAX; i++) {
        drop(&toy->executions[i]);
        toy->executions[i] = (struct toy_execution){0};
    }
    memset(toy->node_found, 0, sizeof toy->node_found);
    struct store_recovery recovery = {on_node_value, on_image, on_record, on_idle, &all};
    store_reload(toy->loop, &recovery);
    store_resume(toy->loop);
    compare(toy);
    toy->model->order_acknowledged = toy->model->order;
    toy->model->reloads++;
}

void toy_free(struct toy *toy) {
    for (uint64_t i = 1; i < TOY_EXECUTIONS_MAX; i++) drop(&toy->executions[i]);
    mem_free(toy->executions);
}

struct status toy_open(struct toy *toy, struct io *io, struct toy_model *model, const struct store_options *options,
                       struct arena *arena) {
    struct store *store;
    struct status status = toys_open(toy, 1, io, model, options, arena, &store);
    if (status_ok(status)) toy_attach(toy, store, io);
    return status;
}

void toy_close(struct toy *toy, bool checkpoint) {
    toy_settle(toy);
    store_close(toy->store, checkpoint);
    toy_free(toy);
}

/* ---- a random life --------------------------------------------------------------------------------------------- */

static uint64_t pick(struct toy *toy) {
    if (!toy->model->executions) return 0;
    uint64_t number = 1 + prng_below(&toy->model->prng, toy->model->executions);
    const struct toy_execution *execution = &toy->executions[number];
    return execution->version && !execution->deleted ? number : 0;
}

static void change(struct toy *toy) {
    struct toy_model *model = toy->model;
    uint64_t number = prng_chance(&model->prng, 300000) ? 0 : pick(toy);
    if (number && toy->executions[number].version >= TOY_VERSIONS_MAX - 2) return;
    if (!number && model->executions >= TOY_EXECUTIONS_MAX - 2) return;
    if (number && !toy->executions[number].resident) toy_load(toy, number);
    int64_t most = toy->payload_max ? toy->payload_max : 2000;
    number = toy_append(toy, number, 8 + (size_t)prng_skewed(&model->prng, 0, most));
    if (!number || !prng_chance(&model->prng, 200000) || model->executions >= TOY_EXECUTIONS_MAX - 2) return;
    struct toy_version *version = version_of(model, number, toy->executions[number].version);
    version->partner = (uint32_t)toy_append(toy, 0, 100);
    version->partner_version = 1;
}

static void evict(struct toy *toy) {
    uint64_t number = pick(toy);
    struct toy_execution *execution = number ? &toy->executions[number] : NULL;
    if (execution && execution->imaged == execution->version && !execution->dirty) drop(execution);
}

void toy_step(struct toy *toy) {
    if (toy->failed) toy_reload(toy);
    struct prng *prng = &toy->model->prng;
    uint64_t what = prng_below(prng, 1000);
    if (what < 600) change(toy);
    else if (what < 800) evict(toy);
    else if (what < 860) toy_settle(toy);
    else if (what < 880 && toy->model->index == 0) set_node_value(toy, (unsigned)prng_below(prng, TOY_NODES));
    else if (what < 900 && pick(toy)) {
        uint64_t number = pick(toy);
        if (number) toy_delete(toy, number);
    } else if (what < 912) toy_list(toy);
    else if (what < 918) toy_checkpoint(toy);
    else fiber_sleep_until(toy->io, io_now(toy->io) + prng_skewed(prng, 1000, 20 * SIM_MS));
}
