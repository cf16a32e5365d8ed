/* journal: gathering records, writing flights, rolling to the next segment. */
#include "store/journal.h"

#include "base/check.h"
#include "base/mark.h"
#include "base/plant.h"
#include "store/journal_keeper.h"

static void kick(struct journal *journal);

static struct flight *gathering(struct journal *journal) { return &journal->flights[journal->gathering]; }

uint8_t *journal_put(struct journal *journal, size_t len, uint32_t count) {
    CHECK(count > 0 && !journal->stopping);
    struct flight *flight = gathering(journal);
    if (flight->count == 0) {
        flight->len = FLIGHT_HEADER_LEN;
        flight->first_sequence = journal->assigned + 1;
    }
    CHECK(flight->len + len <= FLIGHT_BODY_MAX);
    block_buf_reserve(&flight->buf, flight->len, block_up(flight->len + len));
    uint8_t *at = flight->buf.data + flight->len;
    flight->len += len;
    flight->count += count;
    journal->assigned += count;
    journal->records += count;
    atomic_fetch_sub_explicit(&journal->room_normal, (int64_t)len, memory_order_relaxed);
    atomic_fetch_sub_explicit(&journal->room_reserved, (int64_t)len, memory_order_relaxed);
    if (!journal->flying) io_hook_arm(journal->io, &journal->hook);
    return at;
}

/* ---- a flight's way -------------------------------------------------------------------------------------------- */

static struct flight_place *landmarks(const struct journal *journal) {
    return (struct flight_place *)(void *)journal->landmarks.data;
}
static size_t landmark_count(const struct journal *journal) {
    return journal->landmarks.len / sizeof(struct flight_place);
}

static void note_landmark(struct journal *journal, const struct flight *flight) {
    uint64_t step = journal->segment_bytes / 64;      /* a MiB usually */
    struct flight_place place = {journal->active.number, journal->active.offset, flight->first_sequence};
    size_t count = landmark_count(journal);
    const struct flight_place *last = count ? &landmarks(journal)[count - 1] : NULL;
    if (last && last->segment == place.segment && place.offset < last->offset + step) return;
    buf_append(&journal->landmarks, &place, sizeof place);
}

struct flight_place journal_landmark(struct journal *journal, uint64_t sequence) {
    size_t count = landmark_count(journal), at = 0;
    if (!count || landmarks(journal)[0].first_sequence > sequence) return (struct flight_place){0};
    while (at + 1 < count && landmarks(journal)[at + 1].first_sequence <= sequence) at++;
    buf_consume(&journal->landmarks, at * sizeof(struct flight_place));
    return landmarks(journal)[0];
}

static void landed(struct journal *journal) {
    unsigned index = !journal->gathering;
    struct flight *flight = &journal->flights[index];
    note_landmark(journal, flight);
    journal->durable = flight->first_sequence + flight->count - 1;
    journal->active.offset += journal->flying_bytes;
    journal->active.last_sequence = journal->durable;
    CHECK(journal->active.offset <= journal->active.size);
    journal->bytes += journal->flying_bytes;
    journal->commits++;
    journal->commit_ns_last = io_now(journal->io) - journal->submitted_at;
    flight->count = 0;
    if (flight->buf.cap > BUF_KEPT && flight->len < flight->buf.cap / 4) block_buf_free(&flight->buf);
    journal->flying = false;
    journal->committed(journal->ctx, index);
    keeper_look_at_disk(journal);
    /* At the end of this batch, so that what the callbacks above append is in the next flight. */
    if (gathering(journal)->count) io_hook_arm(journal->io, &journal->hook);
    else if (journal->stopper) fiber_wake(journal->io, journal->stopper);
}

static void on_synced(struct io *io, struct io_op *op) {
    struct journal *journal = op->ctx;
    CHECKF(op->result >= 0, "data sync of journal segment %llu failed: %s; the last writes may be lost, stopping",
           (unsigned long long)journal->active.number, io_error_text(op->result));
    journal->datasyncs++;
    journal->datasync_ns_last = io_now(io) - journal->written_at;
    landed(journal);
}

static void on_retry(struct io *io, struct io_op *op) {
    (void)io;
    struct journal *journal = op->ctx;
    struct flight *flight = &journal->flights[!journal->gathering];
    io_write(journal->io, &journal->write, journal->active.file, flight->buf.data, journal->flying_bytes,
             journal->active.offset);
}

static void on_written(struct io *io, struct io_op *op) {
    enum { RETRY_NS = 100 * 1000 * 1000 };
    struct journal *journal = op->ctx;
    if (op->result == -IO_ENOSPC) {          /* a copy-on-write file system may say so in spite of preallocation */
        io_timer(io, &journal->retry, io_now(io) + RETRY_NS);
        return;
    }
    CHECKF(op->result >= 0, "write of journal segment %llu at %llu failed: %s; stopping",
           (unsigned long long)journal->active.number, (unsigned long long)journal->active.offset,
           io_error_text(op->result));
    journal->written_at = io_now(io);
    if (journal->no_datasync || PLANT(io, NO_DATASYNC)) landed(journal);
    else io_datasync(io, &journal->sync, journal->active.file);
}

static void finish_header(struct journal *journal, struct flight *flight) {
    uint64_t offset = journal->active.offset, seed = journal->active.seed;
    struct flight_header header = {
        .body_len = (uint32_t)(flight->len - FLIGHT_HEADER_LEN),
        .count = flight->count,
        .first_sequence = flight->first_sequence,
        .wall = io_wall(journal->io),
    };
    uint8_t *data = flight->buf.data;
    header.body_hash = flight_body_hash(data + FLIGHT_HEADER_LEN, header.body_len, seed, offset);
    flight_header_encode(&header, seed, offset, data);
    memset(data + flight->len, 0, block_up(flight->len) - flight->len);
}

static void seal_active(struct journal *journal) {
    mark(MARK_SEGMENT_ROLLED);
    keeper_close_file(journal, journal->active.file);
    buf_append(&journal->sealed, &journal->active, sizeof journal->active);
    journal->active = journal->next;
    journal->next = (struct segment){0};
}

/* Makes sure that the segment at work has room; false: the keeper must bring one first. */
static bool find_room(struct journal *journal, uint64_t need) {
    bool fits = journal->active.offset + need <= journal->active.size;
    if (fits && !(journal->next.number && nudge(NUDGE_SEGMENT_ENDS))) return true;
    if (journal->next.number && journal->next.offset + need <= journal->next.size) {
        seal_active(journal);
        keeper_wake(journal);
        return true;
    }
    journal->next_size = need + JOURNAL_BLOCK;
    journal->waits_for_segment = true;
    keeper_wake(journal);
    return false;
}

/* Before a byte is written where none was told of. */
static bool within_reach(struct journal *journal, uint64_t need) {
    uint64_t end = reach_end(&journal->reach, journal->active.number, journal->active.size);
    journal->waits_for_reach = journal->active.offset + need > end;
    if (keeper_reach_is_due(journal)) keeper_wake(journal);
    return !journal->waits_for_reach;
}

static void kick(struct journal *journal) {
    struct flight *flight = gathering(journal);
    if (journal->flying || flight->count == 0) return;
    uint64_t need = block_up(flight->len);
    journal->waits_for_reach = false;      /* it may have grown meanwhile, and need another segment */
    if (!find_room(journal, need)) return;
    journal->waits_for_segment = false;
    if (!within_reach(journal, need)) return;
    finish_header(journal, flight);
    journal->flying = true;
    journal->flying_bytes = need;
    journal->gathering = !journal->gathering;
    journal->submitted_at = io_now(journal->io);
    io_write(journal->io, &journal->write, journal->active.file, flight->buf.data, need, journal->active.offset);
    keeper_reckon(journal);
}

void journal_kick(struct journal *journal) { kick(journal); }

static void on_batch_end(struct io *io, struct io_hook *hook) {
    (void)io;
    kick(CONTAINER_OF(hook, struct journal, hook));
}

/* ---- start and stop -------------------------------------------------------------------------------------------- */

int64_t journal_start(struct journal *journal) {
    journal->write = (struct io_op){.done = on_written, .ctx = journal};
    journal->sync = (struct io_op){.done = on_synced, .ctx = journal};
    journal->retry = (struct io_op){.done = on_retry, .ctx = journal};
    journal->hook.run = on_batch_end;
    if (journal->active.number == 0) {
        journal->active = (struct segment){.number = 1, .size = journal->segment_bytes};
        int64_t result = segment_prepare(journal->io, &journal->folder, 0, &journal->active);
        if (result < 0) {
            journal->active = (struct segment){0};      /* its file is closed again */
            return result;
        }
    }
    return keeper_start(journal);
}

void journal_stop(struct journal *journal) {
    struct io *io = journal->io;
    journal->stopper = fiber_current(io);
    while (journal->flying || gathering(journal)->count || journal->closing) fiber_park(io);
    journal->stopping = true;
    keeper_stop(journal);
    fiber_close(io, journal->active.file);
    if (journal->reach.number) fiber_close(io, journal->reach_file);
    if (journal->next.number) fiber_close(io, journal->next.file);
    for (int i = 0; i < 2; i++) block_buf_free(&journal->flights[i].buf);
    buf_free(&journal->sealed);
    buf_free(&journal->free);
    buf_free(&journal->landmarks);
}

void journal_free_up_to(struct journal *journal, uint64_t sequence) {
    size_t freed = 0;
    const struct segment *sealed = (const void *)journal->sealed.data;
    size_t count = journal->sealed.len / sizeof *sealed;
    while (freed < count && sealed[freed].last_sequence <= sequence) {
        struct keeper_free entry = {sealed[freed].number, sealed[freed].size};
        buf_append(&journal->free, &entry, sizeof entry);
        freed++;
    }
    buf_consume(&journal->sealed, freed * sizeof *sealed);
    if (freed) keeper_wake(journal);
}

void journal_want_reserve(struct journal *journal) {
    if (!journal->has_reserve || journal->wants_reserve) return;
    journal->wants_reserve = true;
    keeper_wake(journal);
}

uint64_t journal_segment_count(const struct journal *journal) {
    return journal->sealed.len / sizeof(struct segment) + journal->free.len / sizeof(struct keeper_free) + 1 +
           (journal->next.number != 0);
}
