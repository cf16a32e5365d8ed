/* journal_keeper: prepares the next segment, recycles and removes free ones, keeps the reserve, reckons the room. */
#include "store/journal_keeper.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mark.h"
#include "base/mem.h"

enum {
    SPARES_MAX = 1,                               /* free segments that are kept for recycling */
    LOOK_NS = 1000 * 1000 * 1000,                 /* how old the known free space may be while records come */
    RETRY_NS = 200 * 1000 * 1000,                 /* while the disk is full */
};

/* ---- room ------------------------------------------------------------------------------------------------------ */

static int64_t prepared_room(const struct journal *journal) {
    uint64_t taken = journal->active.offset + (journal->flying ? journal->flying_bytes : 0);
    uint64_t room = journal->active.size - taken;
    if (journal->next.number) room += journal->next.size - JOURNAL_BLOCK;
    return (int64_t)room - (int64_t)block_up(journal->flights[journal->gathering].count ?
                                             journal->flights[journal->gathering].len : 0);
}

/* NORMAL keeps the reserve free; and, while no further segment can be prepared, a part of the prepared ones. */
void keeper_reckon(struct journal *journal) {
    int64_t prepared = prepared_room(journal);
    int64_t normal = prepared + journal->disk_free - (int64_t)journal->reserve_bytes;
    int64_t reserved = prepared + journal->disk_free + (journal->has_reserve ? (int64_t)journal->reserve_bytes : 0);
    if (journal->blocked) {
        int64_t kept = (int64_t)journal->segment_bytes / 4;
        if (normal > prepared - kept) normal = prepared - kept;
    }
    atomic_store_explicit(&journal->room_normal, normal, memory_order_relaxed);
    atomic_store_explicit(&journal->room_reserved, reserved - 4 * JOURNAL_BLOCK, memory_order_relaxed);
    atomic_store_explicit(&journal->full, normal <= 0, memory_order_relaxed);
    if (journal->blocked && prepared < (int64_t)journal->segment_bytes / 4 && journal->has_reserve)
        journal->wants_reserve = true;
}

static void measure(struct journal *journal) {
    int64_t room = fiber_disk_free(journal->io, journal->folder.dir);
    journal->disk_free_at = io_now(journal->io);
    if (room >= 0) journal->disk_free = room;
}

/* ---- the reserve ----------------------------------------------------------------------------------------------- */

static const char *reserve_path(const struct journal *journal, char path[IO_PATH_MAX]) {
    int len = snprintf(path, IO_PATH_MAX, "%s/reserve", journal->folder.dir);
    CHECK(len > 0 && len < IO_PATH_MAX);
    return path;
}

static void make_reserve(struct journal *journal) {
    char path[IO_PATH_MAX];
    struct io_file file;
    int64_t result = fiber_open(journal->io, reserve_path(journal, path), IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE,
                                &file);
    if (result < 0) return;
    result = fiber_allocate(journal->io, file, 0, journal->reserve_bytes);
    fiber_close(journal->io, file);
    journal->has_reserve = result >= 0;
    if (result < 0) fiber_unlink(journal->io, path);
}

static void give_reserve(struct journal *journal) {
    char path[IO_PATH_MAX];
    mark(MARK_RESERVE_GIVEN);
    fiber_unlink(journal->io, reserve_path(journal, path));
    journal->has_reserve = journal->wants_reserve = false;
}

/* It is made again only when that leaves as much free as it takes. */
static bool reserve_is_due(const struct journal *journal) {
    return !journal->has_reserve && !journal->blocked && journal->reserve_bytes &&
           journal->disk_free >= 2 * (int64_t)journal->reserve_bytes;
}

/* ---- segments -------------------------------------------------------------------------------------------------- */

static size_t free_count(const struct journal *journal) { return journal->free.len / sizeof(struct keeper_free); }

static bool segment_is_due(const struct journal *journal) {
    return journal->next.number == 0 || (journal->waits_for_segment && journal->next.size < journal->next_size);
}

/* The free segment to recycle, taken from the list; 0: none suits. */
static uint64_t take_free(struct journal *journal, uint64_t size) {
    const struct keeper_free *free_segments = (const void *)journal->free.data;
    if (free_count(journal) == 0 || free_segments[0].size != size) return 0;
    uint64_t number = free_segments[0].number;
    buf_consume(&journal->free, sizeof *free_segments);
    mark(MARK_SEGMENT_RECYCLED);
    return number;
}

/* One that is too small for a huge record is given up; it has no records, and its number is used again. */
static void drop_small_next(struct journal *journal) {
    if (!journal->next.number) return;
    struct segment small = journal->next;
    journal->next = (struct segment){0};
    fiber_close(journal->io, small.file);
    int64_t result = segment_remove(journal->io, &journal->folder, small.number);
    CHECKF(result >= 0, "cannot remove journal segment %llu: %s", (unsigned long long)small.number,
           io_error_text(result));
}

static void prepare_next(struct journal *journal) {
    drop_small_next(journal);
    uint64_t wanted = block_up(journal->next_size);
    struct segment next = {.number = journal->active.number + 1, .size = journal->segment_bytes};
    if (wanted > next.size) next.size = wanted;
    uint64_t recycled = take_free(journal, next.size);
    int64_t result = segment_prepare(journal->io, &journal->folder, recycled, &next);
    CHECKF(result >= 0 || result == -IO_ENOSPC, "cannot prepare journal segment %llu: %s; stopping",
           (unsigned long long)next.number, io_error_text(result));
    journal->blocked = result < 0;
    if (journal->blocked) mark(MARK_JOURNAL_BLOCKED);
    if (result >= 0) {
        journal->next = next;
        journal->next_size = 0;
    }
    measure(journal);
    if (journal->next.number && journal->waits_for_segment) journal_kick(journal);
}

static bool surplus(const struct journal *journal) {
    size_t kept = journal->blocked ? 0 : journal->next.number ? SPARES_MAX : SPARES_MAX + 1;
    return free_count(journal) > kept;
}

/* The oldest, so that the numbers of those that are left have no gap. */
static void remove_one(struct journal *journal) {
    struct keeper_free oldest;
    memcpy(&oldest, journal->free.data, sizeof oldest);
    buf_consume(&journal->free, sizeof oldest);
    mark(MARK_SEGMENT_REMOVED);
    int64_t result = segment_remove(journal->io, &journal->folder, oldest.number);
    CHECKF(result >= 0, "cannot remove journal segment %llu: %s", (unsigned long long)oldest.number,
           io_error_text(result));
    measure(journal);
}

/* ---- how far may be written ------------------------------------------------------------------------------------ */

static uint64_t reach_step(const struct journal *journal) {
    enum { STEP_MAX = 8 << 20, STEP_LEAST = 4 * JOURNAL_BLOCK };
    uint64_t step = block_up(journal->segment_bytes / 8);
    return step > STEP_MAX ? STEP_MAX : step < STEP_LEAST ? STEP_LEAST : step;
}

bool keeper_reach_is_due(const struct journal *journal) {
    const struct segment *active = &journal->active;
    if (!journal->reach.number) return false;
    uint64_t end = reach_end(&journal->reach, active->number, active->size);
    return journal->waits_for_reach || (end < active->size && end < active->offset + reach_step(journal) / 2);
}

/* A flight that is longer than a step has what it needs. What the present one covers stays covered, for it may be written
 * meanwhile: an earlier process may have had larger segments. */
static int64_t move_reach(struct journal *journal) {
    uint64_t waiting = journal->flights[journal->gathering].len, step = reach_step(journal);
    struct reach next = journal->reach;
    next.number = journal->active.number;
    next.limit = journal->active.offset + (journal->flying ? journal->flying_bytes : 0) + block_up(waiting) + step;
    bool goes_on = journal->reach.number == next.number && next.first > JOURNAL_BLOCK + step;
    if (!goes_on) next.first = JOURNAL_BLOCK + step;
    int64_t result = reach_write(journal->io, &journal->folder, journal->reach_file, &next);
    CHECKF(result >= 0 || result == -IO_ENOSPC, "writing the journal's reach failed: %s; stopping",
           io_error_text(result));
    if (result < 0) {                   /* on a copy-on-write file system; tried again */
        if (journal->waits_for_reach) journal->wants_reserve = journal->has_reserve;
        return result;
    }
    journal->reach = next;
    if (journal->waits_for_reach) journal_kick(journal);
    return 0;
}

/* Where it cannot be made everything goes on, and the next start reads more; but an old one must not stay. */
static int64_t begin_reach(struct journal *journal) {
    struct reach found = journal->reach;
    int64_t result = reach_open(journal->io, &journal->folder, &journal->reach_file);
    bool opened = result >= 0;
    uint64_t enough = journal->active.offset + reach_step(journal) / 2;
    if (opened && found.number == journal->active.number && found.limit >= enough) return 0;
    journal->reach = (struct reach){.number = journal->active.number, .counter = found.counter};
    if (opened) result = move_reach(journal);
    if (result >= 0) return 0;
    if (opened) fiber_close(journal->io, journal->reach_file);
    journal->reach = (struct reach){0};
    return reach_remove(journal->io, &journal->folder);
}

/* ---- the fiber ------------------------------------------------------------------------------------------------- */

static bool look_is_due(const struct journal *journal) {
    return journal->disk_free_at == 0 || io_now(journal->io) - journal->disk_free_at >= LOOK_NS;
}

/* One piece of work; false: there was none. */
static bool work(struct journal *journal) {
    if (keeper_reach_is_due(journal) && move_reach(journal) >= 0) return true;
    if (journal->wants_reserve && journal->has_reserve) {
        give_reserve(journal);
        measure(journal);
        if (journal->blocked) prepare_next(journal);
    } else if (segment_is_due(journal) && !journal->blocked) {
        prepare_next(journal);
    } else if (surplus(journal)) {
        remove_one(journal);
    } else if (reserve_is_due(journal)) {
        make_reserve(journal);
        measure(journal);
        return journal->has_reserve;
    } else {
        return false;
    }
    return true;
}

static bool is_short(const struct journal *journal) {
    return journal->blocked || journal->waits_for_reach || atomic_load(&journal->full);
}

static void rest(struct journal *journal) {
    if (is_short(journal)) io_timer(journal->io, &journal->keeper_timer, io_now(journal->io) + RETRY_NS);
    journal->keeper_waits = true;
    fiber_park(journal->io);
    journal->keeper_waits = false;
    io_cancel(journal->io, &journal->keeper_timer);
    while (journal->keeper_timer.busy) fiber_park(journal->io);
}

static void keep(void *arg) {
    struct journal *journal = arg;
    while (!journal->stopping) {
        bool did = work(journal);
        keeper_reckon(journal);
        if (did) continue;
        if (journal->wants_reserve && journal->has_reserve) continue;
        rest(journal);
        if (journal->stopping) break;
        bool retry = is_short(journal);
        if (retry || look_is_due(journal)) measure(journal);
        if (retry && journal->blocked) prepare_next(journal);
        keeper_reckon(journal);
    }
    journal->keeper = NULL;
    if (journal->stopper) fiber_wake(journal->io, journal->stopper);
}

static void on_timer(struct io *io, struct io_op *op) {
    struct journal *journal = op->ctx;
    if (journal->keeper) fiber_wake(io, journal->keeper);
}

void keeper_wake(struct journal *journal) {
    if (journal->keeper && journal->keeper_waits) fiber_wake(journal->io, journal->keeper);
}

void keeper_look_at_disk(struct journal *journal) {
    if (look_is_due(journal)) keeper_wake(journal);
}

int64_t keeper_start(struct journal *journal) {
    char path[IO_PATH_MAX];
    struct io_file file;
    if (fiber_open(journal->io, reserve_path(journal, path), IO_OPEN_READ, &file) >= 0) {
        journal->has_reserve = fiber_size(journal->io, file) >= (int64_t)journal->reserve_bytes;
        fiber_close(journal->io, file);
    }
    int64_t result = begin_reach(journal);
    if (result < 0) return result;
    measure(journal);
    keeper_reckon(journal);
    journal->keeper_timer = (struct io_op){.done = on_timer, .ctx = journal};
    journal->keeper = fiber_start(journal->io, "journal keeper", keep, journal, 0);
    CHECK(journal->keeper);
    return 0;
}

void keeper_stop(struct journal *journal) {
    keeper_wake(journal);
    while (journal->keeper) fiber_park(journal->io);
}

struct closing {
    struct io_op op;
    struct journal *journal;
};

static void on_closed(struct io *io, struct io_op *op) {
    struct closing *closing = op->ctx;
    struct journal *journal = closing->journal;
    mem_free(closing);
    if (--journal->closing == 0 && journal->stopper) fiber_wake(io, journal->stopper);
}

void keeper_close_file(struct journal *journal, struct io_file file) {
    struct closing *closing = MEM_NEW(struct closing);
    *closing = (struct closing){.op = {.done = on_closed, .ctx = closing}, .journal = journal};
    journal->closing++;
    io_close(journal->io, &closing->op, file);
}
