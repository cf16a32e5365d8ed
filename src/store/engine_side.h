/* engine_side: what the implementations of the store have in common: how store.h's calls reach them. */
#ifndef NORN_STORE_ENGINE_SIDE_H
#define NORN_STORE_ENGINE_SIDE_H

#include "store/store.h"

struct store_ops {
    uint64_t (*execution_max)(const struct store *store);
    uint64_t (*epoch)(const struct store *store);
    struct store_loop *(*attach)(struct store *store, struct io *io, const struct store_engine *engine);
    void (*close)(struct store *store, bool checkpoint);
    struct store_stats (*stats)(const struct store *store);
    struct status (*admit)(struct store_loop *loop, enum store_class class, size_t bytes, struct arena *arena);
    uint64_t (*append)(struct store_loop *loop, const struct store_record *record);
    uint64_t (*appended)(const struct store_loop *loop);
    uint64_t (*durable)(const struct store_loop *loop);
    void (*reload)(struct store_loop *loop, const struct store_recovery *recovery);
    void (*resume)(struct store_loop *loop);
    void (*checkpoint)(struct store_loop *loop, void (*done)(void *ctx), void *ctx);
    bool (*may_have)(const struct store_loop *loop, uint64_t hash);
    void (*load)(struct store_loop *loop, const struct store_key *key, store_loaded_fn *done, void *ctx);
    void (*list)(struct store_loop *loop, const struct store_list *list,
                 void (*done)(void *ctx, const struct store_rows *), void *ctx);
    void (*count)(struct store_loop *loop, const struct store_list *list,
                  void (*done)(void *ctx, struct status status, const struct store_count *counts, size_t count),
                  void *ctx);
};

/* The first member of each implementation's struct. */
struct store { const struct store_ops *ops; };
struct store_loop {
    const struct store_ops *ops;
    struct put_list *putting;         /* open while the engine is asked for images or visibility */
};

/* A deep copy. */
void store_list_copy(struct store_list *to, const struct store_list *from, struct arena *arena);

struct status embedded_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                            struct arena *arena, struct store **out);
struct status memory_open(struct io *io, const struct store_options *options, const struct store_recovery *recovery,
                          struct arena *arena, struct store **out);

#endif
