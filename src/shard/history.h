/* history: the events of one run, kept encoded.
 *
 * An event is encoded once, when it gets its id, and served by joining those bytes: a batch is a run of encoded fields
 * `events` of temporal.api.history.v1.History. The last batches of a running transaction are the tail; txn_commit puts
 * them into the record and seals them. */
#ifndef NORN_SHARD_HISTORY_H
#define NORN_SHARD_HISTORY_H

#include "base/bytes.h"
#include "shard/api.h"

struct history_batch {
    int64_t first, last;           /* event ids */
    uint8_t *data;                 /* owned */
    uint32_t len;
    bool imaged;                   /* was given with an image that the store has, or is being given */
};

/* Batches of the running transaction: their `data` is NULL, they lie one after the other in `events`. */
struct history_tail {
    struct history_batch *batches;
    size_t count, cap;
    struct buf events;
    bool cut;                      /* the next event begins a new batch */
};
void history_tail_free(struct history_tail *tail);         /* NULL is allowed */

struct history {
    struct history_batch *batches; /* sealed, in order */
    size_t count, cap;
    struct history_tail *tail;     /* NULL: no event since the last seal */
};

void history_free(struct history *history);
/* Adds one event with its id to the tail. Gives the bytes that it takes. A tail that begins takes the memory in *spare,
 * if there is some, and history_seal gives it back: one is enough for an engine. */
size_t history_append(struct history *history, struct history_tail **spare, const HistoryEvent *event);
/* Makes the next event begin a batch. */
void history_cut(struct history *history);
static inline size_t history_tail_count(const struct history *history) { return history->tail ? history->tail->count : 0; }
/* The tail's batches, in order: i < history_tail_count. Borrowed until the next append. */
struct history_batch history_tail(const struct history *history, size_t i);
void history_seal(struct history *history, struct history_tail **spare);
/* Adds a sealed batch (recovery); copied. */
void history_add(struct history *history, int64_t first, int64_t last, struct bytes events, bool imaged);

/* The bytes of one event (a HistoryEvent, without its field tag), sealed or not; empty when it is not there. */
struct bytes history_event(const struct history *history, int64_t event_id);
/* The same, decoded into the arena; NULL when it is not there. */
HistoryEvent *history_decode(const struct history *history, int64_t event_id, struct arena *arena);
int64_t history_last(const struct history *history);       /* 0: none */
/* First event of the batch that holds the last event. */
int64_t history_last_batch_first(const struct history *history);

/* Appends the encoded fields of events first..last to *out, until `count_max` events or about `bytes_max` bytes
 * (always at least one event); gives the id after the last one taken. */
int64_t history_copy(const struct history *history, int64_t first, int64_t last, size_t count_max, size_t bytes_max,
                     struct buf *out);
/* The same from `first` down to `last` (>= 1); gives the id below the last one taken. */
int64_t history_copy_reverse(const struct history *history, int64_t first, int64_t last, size_t count_max,
                             size_t bytes_max, struct buf *out);

/* Walks a run of encoded events: sets *event to the next one's bytes; false at the end (or when malformed). */
bool history_next(struct reader *reader, struct bytes *event);

#endif
