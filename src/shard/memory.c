/* memory: making room, refusing, and holding loads back. */
#include "shard/memory.h"

#include "base/mark.h"
#include "base/mem.h"
#include "shard/directory.h"

enum {
    GIVE_BACK = 1, SHRINK_TO = 12, SHRINK_FROM = 13, REFUSE_STARTS = 14, HOLD_LOADS = 15, REFUSE_SIGNALS = 16,     /* sixteenths */
    LOAD_ROOM_LEAST = 256 * 1024,      /* what one load is reckoned to need */
    LOAD_COPIES = 4,                   /* of what it brings: SQLite's, the image's, the decoder's, the run's own */
    WALK_AGAIN_NS = 5 * 1000 * 1000,   /* after a walk that did not make enough room */
};

static uint64_t level(const struct engine *engine, unsigned sixteenths) {
    return engine->limits.memory_bytes / 16 * sixteenths;
}

/* Other threads take from the same heap. */
static uint64_t used(const struct engine *engine) { return io_shared(engine->io, mem_used()); }

static bool above(const struct engine *engine, unsigned sixteenths) {
    return engine->limits.memory_bytes && used(engine) > level(engine, sixteenths);
}

void memory_freed(struct engine *engine, uint64_t bytes) {
    engine->freed_bytes += bytes;
    if (!engine->limits.memory_bytes || engine->freed_bytes < level(engine, GIVE_BACK)) return;
    engine->freed_bytes = 0;
    mem_give_back();
}

void memory_look(struct engine *engine) {
    if (engine->started && above(engine, SHRINK_FROM)) io_hook_arm(engine->io, &engine->hook);
}

/* ---- making room ---- */

static void let_go(struct engine *engine, bool open_ones) {
    LIST_EACH(it, &engine->lru) {
        if (!above(engine, SHRINK_TO)) return;
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (exec_open(exec) != open_ones || !directory_evictable(engine, exec)) continue;
        mark(MARK_EVICTED);
        engine->stats.evictions++;
        directory_drop(engine, exec);
    }
}

static void shrink(struct engine *engine) {
    if (!above(engine, SHRINK_FROM) || io_now(engine->io) < engine->walk_at) return;
    let_go(engine, false);
    let_go(engine, true);
    if (above(engine, SHRINK_TO)) engine->walk_at = io_now(engine->io) + WALK_AGAIN_NS;
}

static bool all_written(const struct engine *engine) {
    return list_empty(&engine->dirty) && list_empty(&engine->checkpoint);
}

static void written(void *ctx) {
    struct engine *engine = ctx;
    engine->relieving = false;
    engine->relieved = true;
    engine->walk_at = 0;
    io_hook_arm(engine->io, &engine->hook);
}

/* ---- loads ---- */

/* A load's size is not known before, so the largest of late is expected. */
static void expect(struct engine *engine, uint64_t bytes) {
    uint64_t fading = engine->load_room - engine->load_room / 16;
    engine->load_room = bytes * LOAD_COPIES > fading ? bytes * LOAD_COPIES : fading;
}

static bool may_load(struct engine *engine) {
    uint64_t one = engine->load_room > LOAD_ROOM_LEAST ? engine->load_room : LOAD_ROOM_LEAST;
    uint64_t room = (engine->loads_begun + 1) * one;
    if (!engine->limits.memory_bytes) return true;
    uint64_t now = used(engine);
    if (now + room <= level(engine, HOLD_LOADS)) return true;
    if (engine->loads_begun || !(engine->relieved || now <= engine->forced_at)) return false;
    engine->relieved = false;
    engine->forced_at = now;
    return true;
}

static void begin_loads(struct engine *engine) {
    while (!engine->stopped && !list_empty(&engine->loads_waiting) && may_load(engine)) {
        struct load *load = LIST_ENTRY(list_pop_front(&engine->loads_waiting), struct load, wait_link);
        engine->stats.loads_waiting--;
        engine->loads_begun++;
        directory_begin_load(load);
    }
}

void memory_load(struct engine *engine, struct load *load) {
    list_push_back(&engine->loads_waiting, &load->wait_link);
    engine->stats.loads_waiting++;
    begin_loads(engine);
    if (!list_empty(&engine->loads_waiting)) io_hook_arm(engine->io, &engine->hook);
}

void memory_load_ended(struct engine *engine, const struct store_image *image) {
    CHECK(engine->loads_begun > 0);
    uint64_t bytes = image ? image->state.len : 0;
    for (size_t i = 0; image && i < image->batch_count; i++) bytes += image->batches[i].events.len;
    expect(engine, bytes);
    engine->loads_begun--;
    engine->walk_at = 0;               /* what came for one call may leave again */
    if (!list_empty(&engine->loads_waiting)) io_hook_arm(engine->io, &engine->hook);
}

void memory_relieve(struct engine *engine) {
    shrink(engine);
    begin_loads(engine);
    bool waits = !list_empty(&engine->loads_waiting) && !engine->loads_begun;
    if (engine->relieving || !(waits || above(engine, SHRINK_FROM))) return;
    if (!all_written(engine)) {
        engine->relieving = true;
        store_checkpoint(engine->store, written, engine);
    } else if (waits) {
        engine->relieved = true;
        begin_loads(engine);
    }
}

/* ---- refusing ---- */

static struct status refuse(struct arena *arena, const char *what) {
    return status_exhausted(arena, EXHAUSTED_CAUSE(SYSTEM_OVERLOADED), EXHAUSTED_SCOPE(SYSTEM),
                            "the server's memory is full: it takes no new %s until others have closed, or with a higher "
                            "limit (setting memory)", what);
}

struct status memory_admit_start(const struct engine *engine, struct arena *arena) {
    return above(engine, REFUSE_STARTS) ? refuse(arena, "workflows") : STATUS_GOOD;
}

struct status memory_admit_signal(const struct engine *engine, struct arena *arena) {
    return above(engine, REFUSE_SIGNALS) ? refuse(arena, "signals") : STATUS_GOOD;
}
