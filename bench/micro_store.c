/* micro_store: the journal's work on the CPU, without its disk. */
#include "micro_store.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/record.h"

enum { FLIGHT_BYTES = 256 * 1024 };

static struct micro_store *of(const struct store_loop *loop) {
    return (struct micro_store *)((uintptr_t)loop - offsetof(struct micro_store, loop));
}
static struct micro_store *whole(const struct store *store) { return (struct micro_store *)(uintptr_t)store; }

static uint64_t execution_max(const struct store *store) { return 0; }
static uint64_t epoch(const struct store *store) { return 1; }
static struct store_loop *attach(struct store *store, struct io *io, const struct store_engine *engine) {
    whole(store)->engine = *engine;
    return &whole(store)->loop;
}
static struct status admit(struct store_loop *loop, enum store_class class, size_t bytes, struct arena *arena) {
    return STATUS_GOOD;
}
static uint64_t append(struct store_loop *loop, const struct store_record *record) {
    struct micro_store *store = of(loop);
    size_t size = record_size(record);
    if (store->flight_len + size > FLIGHT_BYTES) {
        store->hash ^= flight_body_hash(store->flight, store->flight_len, 1, 4096);
        store->flight_len = 0;
    }
    CHECK(size <= FLIGHT_BYTES);
    record_encode(record, store->flight + store->flight_len);
    if (store->kept) buf_append(store->kept, store->flight + store->flight_len, size);
    store->flight_len += size;
    return ++store->appended;
}
static uint64_t appended(const struct store_loop *loop) { return of(loop)->appended; }
static uint64_t durable(const struct store_loop *loop) { return of(loop)->durable; }
static bool may_have(const struct store_loop *loop, uint64_t hash) { return false; }

static const struct store_ops ops = {
    .execution_max = execution_max, .epoch = epoch, .attach = attach, .admit = admit, .append = append,
    .appended = appended, .durable = durable, .may_have = may_have,
};

struct micro_store *micro_store_create(void) {
    struct micro_store *store = MEM_NEW(struct micro_store);
    store->store.ops = store->loop.ops = &ops;
    store->flight = mem_alloc(FLIGHT_BYTES);
    return store;
}

void micro_store_flush(struct micro_store *store) {
    if (store->durable == store->appended) return;
    store->hash ^= flight_body_hash(store->flight, store->flight_len, 1, 4096);
    store->flight_len = 0;
    store->durable = store->appended;
    store->engine.durable(store->engine.ctx, store->durable);
}

void micro_store_destroy(struct micro_store *store) {
    mem_free(store->flight);
    mem_free(store);
}
