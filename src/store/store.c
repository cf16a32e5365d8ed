/* store: sends the calls of store.h to the implementation that was opened. */
#include "store/engine_side.h"

struct status store_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                         struct arena *arena, struct store **out) {
    if (options->memory) return memory_open(io, options, recovery, arena, out);
    return embedded_open(io, options, recovery, arena, out);
}

uint64_t store_execution_max(const struct store *store) { return store->ops->execution_max(store); }
uint64_t store_epoch(const struct store *store) { return store->ops->epoch(store); }
struct store_loop *store_attach(struct store *store, struct io *io, const struct store_engine *engine) {
    return store->ops->attach(store, io, engine);
}
void store_close(struct store *store, bool checkpoint) { store->ops->close(store, checkpoint); }
struct store_stats store_stats(const struct store *store) { return store->ops->stats(store); }

struct status store_admit(struct store_loop *loop, enum store_class class, size_t bytes, struct arena *arena) {
    return loop->ops->admit(loop, class, bytes, arena);
}
uint64_t store_append(struct store_loop *loop, const struct store_record *record) {
    return loop->ops->append(loop, record);
}
uint64_t store_appended(const struct store_loop *loop) { return loop->ops->appended(loop); }
uint64_t store_durable(const struct store_loop *loop) { return loop->ops->durable(loop); }
void store_reload(struct store_loop *loop, const struct store_recovery *recovery) { loop->ops->reload(loop, recovery); }
void store_resume(struct store_loop *loop) { loop->ops->resume(loop); }

void store_checkpoint(struct store_loop *loop, void (*done)(void *ctx), void *ctx) {
    loop->ops->checkpoint(loop, done, ctx);
}

bool store_may_have(const struct store_loop *loop, uint64_t hash) { return loop->ops->may_have(loop, hash); }
void store_load(struct store_loop *loop, const struct store_key *key, store_loaded_fn *done, void *ctx) {
    loop->ops->load(loop, key, done, ctx);
}
void store_list(struct store_loop *loop, const struct store_list *list,
                void (*done)(void *ctx, const struct store_rows *rows), void *ctx) {
    loop->ops->list(loop, list, done, ctx);
}
void store_count(struct store_loop *loop, const struct store_list *list,
                 void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count),
                 void *ctx) {
    loop->ops->count(loop, list, done, ctx);
}

void store_list_copy(struct store_list *to, const struct store_list *from, struct arena *arena) {
    *to = *from;
    to->where = arena_strdup(arena, from->where ? from->where : "");
    to->group_by = arena_strdup(arena, from->group_by);
    to->after = bytes_of(arena_copy(arena, from->after.data, from->after.len), from->after.len);
    struct store_param *params = arena_copy(arena, from->params, from->param_count * sizeof *params);
    for (unsigned i = 0; i < from->param_count; i++)
        params[i].text.data = arena_copy(arena, params[i].text.data, params[i].text.len);
    to->params = params;
}
