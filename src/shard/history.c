/* history: encoded batches of events. */
#include "shard/history.h"

#include "base/check.h"
#include "base/mem.h"

enum { EVENTS_FIELD = 1, EVENTS_TAG = EVENTS_FIELD << 3 | 2 };      /* of History; length-delimited */
enum { TAIL_KEPT = 256 * 1024 };        /* a larger buffer is not kept for the next transaction */

void history_tail_free(struct history_tail *tail) {
    if (!tail) return;
    mem_free(tail->batches);
    buf_free(&tail->events);
    mem_free(tail);
}

void history_free(struct history *history) {
    for (size_t i = 0; i < history->count; i++) mem_free(history->batches[i].data);
    mem_free(history->batches);
    history_tail_free(history->tail);
    *history = (struct history){0};
}

static struct history_batch *push(struct history_batch **batches, size_t *count, size_t *cap) {
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 4;
        *batches = mem_realloc(*batches, *cap * sizeof **batches);
    }
    struct history_batch *batch = &(*batches)[(*count)++];
    *batch = (struct history_batch){0};
    return batch;
}

/* ---- the tail ---- */

size_t history_append(struct history *history, struct history_tail **spare, const HistoryEvent *event) {
    CHECK(event->event_id == history_last(history) + 1);
    if (!history->tail) {
        history->tail = *spare ? *spare : MEM_NEW(struct history_tail);
        *spare = NULL;
    }
    struct history_tail *tail = history->tail;
    if (tail->cut || tail->count == 0) {
        push(&tail->batches, &tail->count, &tail->cap)->first = event->event_id;
        tail->cut = false;
    }
    struct history_batch *batch = &tail->batches[tail->count - 1];
    size_t before = tail->events.len;
    pbpack_append_field(&tail->events, EVENTS_FIELD, &event->base);
    size_t size = tail->events.len - before;
    batch->len += (uint32_t)size;
    batch->last = event->event_id;
    return size;
}

void history_cut(struct history *history) {
    if (history->tail) history->tail->cut = true;
}

struct history_batch history_tail(const struct history *history, size_t i) {
    CHECK(i < history_tail_count(history));
    const struct history_tail *tail = history->tail;
    size_t offset = 0;
    for (size_t before = 0; before < i; before++) offset += tail->batches[before].len;
    struct history_batch batch = tail->batches[i];
    batch.data = tail->events.data + offset;
    return batch;
}

void history_add(struct history *history, int64_t first, int64_t last, struct bytes events, bool imaged) {
    CHECK(!history->tail);
    CHECK(first == history_last(history) + 1 && last >= first);
    struct history_batch *batch = push(&history->batches, &history->count, &history->cap);
    *batch = (struct history_batch){.first = first, .last = last, .len = (uint32_t)events.len, .imaged = imaged};
    batch->data = mem_copy(events.data, events.len);
}

static void give_back(struct history_tail *tail, struct history_tail **spare) {
    if (*spare || tail->events.cap > TAIL_KEPT) {
        history_tail_free(tail);
        return;
    }
    tail->count = 0;
    tail->cut = false;
    buf_clear(&tail->events);
    *spare = tail;
}

void history_seal(struct history *history, struct history_tail **spare) {
    struct history_tail *tail = history->tail;
    if (!tail) return;
    size_t offset = 0;
    for (size_t i = 0; i < tail->count; i++) {
        struct history_batch *batch = push(&history->batches, &history->count, &history->cap);
        *batch = tail->batches[i];
        batch->data = mem_copy(tail->events.data + offset, batch->len);
        offset += batch->len;
    }
    history->tail = NULL;
    give_back(tail, spare);
}

/* ---- reading ---- */

int64_t history_last(const struct history *history) {
    if (history->tail) return history->tail->batches[history->tail->count - 1].last;
    return history->count ? history->batches[history->count - 1].last : 0;
}

int64_t history_last_batch_first(const struct history *history) {
    if (history->tail) return history->tail->batches[history->tail->count - 1].first;
    return history->count ? history->batches[history->count - 1].first : 0;
}

bool history_next(struct reader *reader, struct bytes *event) {
    if (reader->left.len == 0) return false;
    if (read_varint(reader) != EVENTS_TAG) return false;
    uint64_t len = read_varint(reader);
    if (reader->bad || len > reader->left.len) return false;
    *event = read_bytes(reader, (size_t)len);
    return !reader->bad;
}

static size_t batches_in(const struct history *history) { return history->count + history_tail_count(history); }

static struct history_batch batch_at(const struct history *history, size_t i) {
    return i < history->count ? history->batches[i] : history_tail(history, i - history->count);
}

/* The index of the batch that holds the event. */
static size_t batch_of(const struct history *history, int64_t event_id) {
    size_t low = 0, high = batches_in(history);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int64_t last = middle < history->count ? history->batches[middle].last : history->tail->batches[middle - history->count].last;
        if (last < event_id) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct bytes history_event(const struct history *history, int64_t event_id) {
    if (event_id < 1 || event_id > history_last(history)) return (struct bytes){0};
    struct history_batch batch = batch_at(history, batch_of(history, event_id));
    struct reader reader = reader_of(bytes_of(batch.data, batch.len));
    struct bytes event = {0};
    for (int64_t id = batch.first; id <= event_id; id++) CHECK(history_next(&reader, &event));
    return event;
}

HistoryEvent *history_decode(const struct history *history, int64_t event_id, struct arena *arena) {
    struct bytes event = history_event(history, event_id);
    if (!event.len) return NULL;
    HistoryEvent *decoded = pb_unpack(arena, &temporal__api__history__v1__history_event__descriptor, event);
    CHECK(decoded && decoded->event_id == event_id);
    return decoded;
}

int64_t history_copy(const struct history *history, int64_t first, int64_t last, size_t count_max, size_t bytes_max,
                     struct buf *out) {
    size_t begin = out->len, count = 0;
    if (first < 1) first = 1;
    if (last > history_last(history)) last = history_last(history);
    if (first > last) return first;
    for (size_t i = batch_of(history, first); i < batches_in(history); i++) {
        struct history_batch batch = batch_at(history, i);
        struct reader reader = reader_of(bytes_of(batch.data, batch.len));
        struct bytes event;
        for (int64_t id = batch.first; id <= batch.last; id++) {
            const uint8_t *start = reader.left.data;
            CHECK(history_next(&reader, &event));
            if (id < first) continue;
            if (id > last) return id;
            size_t size = (size_t)(reader.left.data - start);
            if (count > 0 && (count >= count_max || out->len - begin + size > bytes_max)) return id;
            buf_append(out, start, size);
            count++;
        }
    }
    return last + 1;
}

/* Where each event of a batch begins, in the order of ids; count + 1 offsets. */
static void batch_offsets(const struct history_batch *batch, uint32_t *offsets) {
    struct reader reader = reader_of(bytes_of(batch->data, batch->len));
    struct bytes event;
    size_t i = 0;
    offsets[i++] = 0;
    for (int64_t id = batch->first; id <= batch->last; id++) {
        CHECK(history_next(&reader, &event));
        offsets[i++] = (uint32_t)(reader.left.data - batch->data);
    }
}

int64_t history_copy_reverse(const struct history *history, int64_t first, int64_t last, size_t count_max,
                             size_t bytes_max, struct buf *out) {
    size_t begin = out->len, count = 0;
    if (last < 1) last = 1;
    if (first > history_last(history)) first = history_last(history);
    int64_t id = first;
    while (id >= last) {
        struct history_batch batch = batch_at(history, batch_of(history, id));
        uint32_t *offsets = mem_alloc(((size_t)(batch.last - batch.first) + 2) * sizeof *offsets);
        batch_offsets(&batch, offsets);
        bool full = false;
        for (; id >= batch.first && id >= last; id--) {
            size_t i = (size_t)(id - batch.first), size = offsets[i + 1] - offsets[i];
            full = count > 0 && (count >= count_max || out->len - begin + size > bytes_max);
            if (full) break;
            buf_append(out, batch.data + offsets[i], size);
            count++;
        }
        mem_free(offsets);
        if (full) break;
    }
    return id;
}
