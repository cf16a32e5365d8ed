/* journal_scan: finding the end of the journal, and damage before it. */
#include "store/journal_scan.h"

#include "base/check.h"
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"

/* ---- a window on a segment's file ------------------------------------------------------------------------------ */

enum { WINDOW_LEN = 1 << 20 };

struct window {
    struct io *io;
    struct io_file file;
    uint64_t size;
    struct buf data;
    uint64_t offset;                  /* of data */
    uint64_t ahead;                   /* how much is read at once, at least */
    int64_t error;
};

/* `len` bytes at `offset`; NULL when the file has fewer, or on an error. Valid until the next call. */
static const uint8_t *window_at(struct window *window, uint64_t offset, uint64_t len) {
    if (window->error || offset > window->size || len > window->size - offset) return NULL;
    bool inside = offset >= window->offset && offset + len <= window->offset + window->data.len;
    if (!inside) {
        uint64_t want = len > window->ahead ? len : window->ahead;
        if (want > window->size - offset) want = window->size - offset;
        buf_clear(&window->data);
        buf_reserve(&window->data, want);
        int64_t got = fiber_read(window->io, window->file, window->data.data, want, offset);
        if (got != (int64_t)want) {
            window->error = got < 0 ? got : -IO_EIO;
            return NULL;
        }
        window->data.len = want;
        window->offset = offset;
    }
    return window->data.data + (offset - window->offset);
}

static int64_t window_open(struct window *window, struct io *io, const char *path) {
    *window = (struct window){.io = io, .ahead = WINDOW_LEN};
    int64_t result = fiber_open(io, path, IO_OPEN_READ, &window->file);
    if (result < 0) return result;
    result = fiber_size(io, window->file);
    if (result >= 0) window->size = (uint64_t)result;
    else fiber_close(io, window->file);
    return result;
}

static void window_close(struct window *window) {
    fiber_close(window->io, window->file);
    buf_free(&window->data);
}

/* ---- flights --------------------------------------------------------------------------------------------------- */

static bool header_at(struct window *window, uint64_t seed, uint64_t offset, struct flight_header *out) {
    const uint8_t *data = window_at(window, offset, FLIGHT_HEADER_LEN);
    return data && flight_header_decode(data, seed, offset, out);
}

/* The body of a flight whose header is good; false: it does not validate. */
static bool body_at(struct window *window, uint64_t seed, uint64_t offset, const struct flight_header *header,
                    struct bytes *out) {
    const uint8_t *data = window_at(window, offset + FLIGHT_HEADER_LEN, header->body_len);
    bool sound = data && flight_body_hash(data, header->body_len, seed, offset) == header->body_hash;
    if (!sound && !(data && PLANT(window->io, TORN_TAIL_ACCEPTED))) return false;
    *out = bytes_of(data, header->body_len);
    return true;
}

/* The offset of the first valid flight header from `offset` to before `end`; 0: none. */
static uint64_t probe(struct window *window, uint64_t seed, uint64_t offset, uint64_t end) {
    struct flight_header header;
    for (; offset + JOURNAL_BLOCK <= end; offset += JOURNAL_BLOCK) {
        if (header_at(window, seed, offset, &header)) return offset;
    }
    return 0;
}

/* ---- texts ----------------------------------------------------------------------------------------------------- */

static struct status cannot_read(struct journal_scan *scan, uint64_t number, int64_t error, struct arena *arena) {
    char path[SEGMENT_PATH_MAX];
    return status_make(arena, STATUS_DATA_LOSS, "cannot read journal segment %s: %s. Nothing was changed. Copy the data"
                       " folder to a sound disk, or restore a backup with `norn restore`",
                       segment_path(&scan->folder, number, path), io_error_text(error));
}

static struct status damaged(struct journal_scan *scan, uint64_t number, uint64_t offset, struct arena *arena,
                             const char *what) {
    char path[SEGMENT_PATH_MAX];
    mark(MARK_DAMAGE_TOLD);
    return status_make(arena, STATUS_DATA_LOSS, "the journal is damaged in segment %s at offset %llu: %s. Nothing was"
                       " changed and nothing is skipped. See `norn journal verify`, and restore a backup with"
                       " `norn restore`", segment_path(&scan->folder, number, path), (unsigned long long)offset, what);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

static struct status read_header(struct journal_scan *scan, struct scan_segment *segment, struct arena *arena) {
    char path[SEGMENT_PATH_MAX];
    struct window window;
    int64_t result = window_open(&window, scan->io, segment_path(&scan->folder, segment->number, path));
    if (result < 0) return cannot_read(scan, segment->number, result, arena);
    struct status status = STATUS_GOOD;
    struct segment_header header;
    window.ahead = JOURNAL_BLOCK + FLIGHT_HEADER_LEN;
    const uint8_t *data = window_at(&window, 0, SEGMENT_HEADER_LEN);
    segment->size = window.size;
    segment->state = data ? segment_header_decode(data, &header) : SEGMENT_HEADER_BAD;
    if (segment->state == SEGMENT_HEADER_NEWER) {
        status = status_make(arena, STATUS_FAILED_PRECONDITION, "journal segment %s is of format %u, this build knows"
                             " formats up to %d: use the newer build that wrote it", path, header.format, JOURNAL_FORMAT);
    } else if (segment->state == SEGMENT_HEADER_GOOD && !scan->store_id_known) {
        memcpy(scan->folder.store_id, header.store_id, STORE_ID_LEN);
        scan->store_id_known = true;
    } else if (segment->state == SEGMENT_HEADER_GOOD && memcmp(header.store_id, scan->folder.store_id, STORE_ID_LEN)) {
        status = status_make(arena, STATUS_FAILED_PRECONDITION, "journal segment %s belongs to another store than"
                             " norn.db: the folder was put together from two", path);
    } else if (segment->state == SEGMENT_HEADER_GOOD && header.number != segment->number) {
        segment->state = SEGMENT_HEADER_BAD;      /* a crash came while it was recycled */
    }
    const uint8_t *first = window_at(&window, JOURNAL_BLOCK, FLIGHT_HEADER_LEN);
    if (first) memcpy(segment->first_header, first, FLIGHT_HEADER_LEN);
    if (status_ok(status) && window.error) status = cannot_read(scan, segment->number, window.error, arena);
    window_close(&window);
    return status;
}

static void decode_first(struct journal_scan *scan, struct scan_segment *segment) {
    struct flight_header header;
    uint64_t seed = segment_seed(scan->folder.store_id, segment->number);
    bool valid = flight_header_decode(segment->first_header, seed, JOURNAL_BLOCK, &header);
    segment->first_sequence = valid ? header.first_sequence : 0;
}

struct status journal_scan_list(struct journal_scan *scan, struct arena *arena) {
    char path[SEGMENT_PATH_MAX];
    struct buf names = {0};
    int64_t result = fiber_dir_list(scan->io, segment_folder_path(&scan->folder, path), &names);
    struct status status = STATUS_GOOD;
    if (result < 0) status = status_make(arena, STATUS_DATA_LOSS, "cannot list %s: %s", path, io_error_text(result));
    for (const char *name = (const char *)names.data; result > 0; result--, name += strlen(name) + 1) {
        struct scan_segment segment = {.number = segment_number(name)};
        if (!segment.number || !status_ok(status)) continue;
        status = read_header(scan, &segment, arena);
        buf_append(&scan->segments, &segment, sizeof segment);
    }
    buf_free(&names);
    for (size_t i = 0; i < scan_count(scan) && status_ok(status); i++) decode_first(scan, &scan_segments(scan)[i]);
    return status;
}

void journal_scan_from_oldest(struct journal_scan *scan) {
    const struct scan_segment *segments = scan_segments(scan);
    size_t at = scan_count(scan);
    while (at > 0 && !segments[at - 1].first_sequence) at--;      /* prepared, not written to */
    if (at == 0) return;
    at--;
    while (at > 0 && segments[at - 1].first_sequence && segments[at - 1].number + 1 == segments[at].number) at--;
    scan->applied = segments[at].first_sequence - 1;
}

void journal_scan_free(struct journal_scan *scan) { buf_free(&scan->segments); }

/* ---- scanning -------------------------------------------------------------------------------------------------- */

static bool give_records(struct journal_scan *scan, const struct flight_header *header, struct bytes body) {
    struct reader reader = reader_of(body);
    struct store_record record;
    for (uint32_t i = 0; i < header->count; i++) {
        if (!record_decode(&reader, &record)) return false;
        record.sequence = header->first_sequence + i;
        if (scan->record && record.sequence > scan->applied) scan->record(scan->ctx, &record);
    }
    return reader.left.len == 0;
}

/* Where what may have been written to a segment ends. A reach that is behind what was found is of an earlier time. */
static uint64_t written_end(const struct journal_scan *scan, const struct scan_segment *segment) {
    uint64_t end = reach_end(&scan->reach, segment->number, segment->size);
    return segment->end > end && segment->end > JOURNAL_BLOCK ? segment->size : end;
}

/* Reads flights of one segment while they go on with the sequence. */
static struct status read_flights(struct journal_scan *scan, struct scan_segment *segment, struct window *window,
                                  uint64_t *next, struct arena *arena) {
    uint64_t seed = segment_seed(scan->folder.store_id, segment->number);
    struct flight_header header;
    struct bytes body;
    bool first = segment == &scan_segments(scan)[scan->first];
    segment->end = first ? scan->first_offset : JOURNAL_BLOCK;
    segment->last_sequence = 0;
    while (header_at(window, seed, segment->end, &header)) {
        if (header.first_sequence != *next)
            return damaged(scan, segment->number, segment->end, arena, arena_printf(arena, "record %llu is expected,"
                           " record %llu is there", (unsigned long long)*next,
                           (unsigned long long)header.first_sequence));
        if (!body_at(window, seed, segment->end, &header, &body)) {
            mark(MARK_TORN_TAIL);
            break;
        }
        if (scan->flight) scan->flight(scan->ctx, segment, segment->end, &header);
        if (!give_records(scan, &header, body))
            return damaged(scan, segment->number, segment->end, arena, "its checksum is right, but a record makes no"
                           " sense: this build cannot read it");
        *next += header.count;
        segment->last_sequence = *next - 1;
        segment->end += block_up(FLIGHT_HEADER_LEN + header.body_len);
    }
    if (window->error) return cannot_read(scan, segment->number, window->error, arena);
    if (scan->checked) return STATUS_GOOD;
    uint64_t later = probe(window, seed, segment->end + JOURNAL_BLOCK, written_end(scan, segment));
    if (window->error) return cannot_read(scan, segment->number, window->error, arena);
    if (later)
        return damaged(scan, segment->number, segment->end, arena, arena_printf(arena, "no valid record is there, but"
                       " there are valid ones later, at offset %llu", (unsigned long long)later));
    return STATUS_GOOD;
}

/* A segment after the one where reading stopped: goes on, or must hold nothing. */
static struct status follow(struct journal_scan *scan, size_t index, uint64_t *next, struct arena *arena) {
    struct scan_segment *segment = &scan_segments(scan)[index], *before = &scan_segments(scan)[scan->last];
    char path[SEGMENT_PATH_MAX];
    struct window window;
    int64_t result = window_open(&window, scan->io, segment_path(&scan->folder, segment->number, path));
    if (result < 0) return cannot_read(scan, segment->number, result, arena);
    struct status status = STATUS_GOOD;
    bool goes_on = index == scan->first || segment->first_sequence == *next;
    bool has_some = segment->first_sequence != 0 || goes_on;
    if (!has_some && !scan->checked) {
        uint64_t seed = segment_seed(scan->folder.store_id, segment->number);
        uint64_t later = probe(&window, seed, JOURNAL_BLOCK, written_end(scan, segment));
        if (window.error) status = cannot_read(scan, segment->number, window.error, arena);
        else if (later)
            status = damaged(scan, segment->number, JOURNAL_BLOCK, arena, arena_printf(arena, "no valid record is there,"
                             " but there are valid ones later, at offset %llu", (unsigned long long)later));
    } else if (!has_some) {
        /* Empty, as was found before. */
    } else if (goes_on && segment->state != SEGMENT_HEADER_GOOD && segment->first_sequence) {
        status = damaged(scan, segment->number, 0, arena, "the segment's header is not valid, but its records are");
    } else if (goes_on) {
        status = read_flights(scan, segment, &window, next, arena);
        scan->last = index;
    } else {
        status = damaged(scan, before->number, before->end, arena, arena_printf(arena, "record %llu should follow, but"
                         " the next segment begins with record %llu", (unsigned long long)*next,
                         (unsigned long long)segment->first_sequence));
    }
    window_close(&window);
    return status;
}

/* The segment that holds the first record that is needed. False: there is none, though there are records. */
static bool find_first(struct journal_scan *scan, uint64_t *next) {
    const struct scan_segment *segments = scan_segments(scan);
    size_t count = scan_count(scan), above = count;
    scan->first_offset = JOURNAL_BLOCK;
    for (size_t i = count; i-- > 0;) {
        if (segments[i].first_sequence && segments[i].first_sequence <= scan->applied + 1) {
            scan->first = i;
            *next = segments[i].first_sequence;
            return true;
        }
        if (segments[i].first_sequence) above = i;
    }
    /* The very first record may be what is damaged. */
    scan->first = above == count || above == 0 ? 0 : above - 1;
    *next = scan->applied + 1;
    return above == count || above > 0;
}

/* The flight that the tables name, when it is where they say: what lies before it is in them. A segment without a header
 * would be prepared anew, so it is read from its beginning, where damage shows. */
static bool find_needed(struct journal_scan *scan, uint64_t *next, struct arena *arena, struct status *status) {
    const struct flight_place *needed = &scan->needed;
    size_t at = 0;
    while (at < scan_count(scan) && scan_segments(scan)[at].number != needed->segment) at++;
    if (!needed->segment || at == scan_count(scan) || needed->first_sequence > scan->applied + 1) return false;
    if (scan_segments(scan)[at].state != SEGMENT_HEADER_GOOD) return false;
    char path[SEGMENT_PATH_MAX];
    struct window window;
    int64_t result = window_open(&window, scan->io, segment_path(&scan->folder, needed->segment, path));
    if (result < 0) {
        *status = cannot_read(scan, needed->segment, result, arena);
        return false;
    }
    window.ahead = FLIGHT_HEADER_LEN;
    struct flight_header header;
    uint64_t seed = segment_seed(scan->folder.store_id, needed->segment);
    bool there = header_at(&window, seed, needed->offset, &header) && header.first_sequence == needed->first_sequence;
    if (window.error) *status = cannot_read(scan, needed->segment, window.error, arena);
    window_close(&window);
    if (!there) return false;
    scan->first = at;
    scan->first_offset = needed->offset;
    *next = needed->first_sequence;
    return true;
}

static struct status missing(struct journal_scan *scan, struct arena *arena) {
    char path[SEGMENT_PATH_MAX];
    const struct scan_segment *oldest = scan_segments(scan);
    return status_make(arena, STATUS_DATA_LOSS, "journal segments are missing before %s: norn.db has everything up to"
                       " record %llu, the journal begins with record %llu. Nothing was changed. Restore a backup with"
                       " `norn restore`", segment_path(&scan->folder, oldest->number, path),
                       (unsigned long long)scan->applied, (unsigned long long)oldest->first_sequence);
}

/* A segment that it says is not begun holds records: a build that does not know the file was here. */
static void forget_old_reach(struct journal_scan *scan) {
    for (size_t i = 0; i < scan_count(scan); i++) {
        const struct scan_segment *segment = &scan_segments(scan)[i];
        bool begun = segment->first_sequence && reach_end(&scan->reach, segment->number, segment->size) == 0;
        if (begun) scan->reach = (struct reach){.counter = scan->reach.counter};
    }
}

static struct status ends_early(struct journal_scan *scan, struct arena *arena) {
    char path[SEGMENT_PATH_MAX];
    if (scan_count(scan) == 0)
        return status_make(arena, STATUS_DATA_LOSS, "%s has no segments, but norn.db knows records up to %llu. Nothing"
                           " was changed. Restore a backup with `norn restore`",
                           segment_folder_path(&scan->folder, path), (unsigned long long)scan->durable);
    const struct scan_segment *last = &scan_segments(scan)[scan->last];
    return damaged(scan, last->number, last->end ? last->end : JOURNAL_BLOCK, arena, arena_printf(arena,
                   "the journal ends with record %llu, but records up to %llu are known to have been written",
                   (unsigned long long)scan->end_sequence, (unsigned long long)scan->durable));
}

struct status journal_scan_run(struct journal_scan *scan, struct arena *arena) {
    uint64_t next = 0;
    struct status status = STATUS_GOOD;
    bool found = find_needed(scan, &next, arena, &status);
    if (!status_ok(status)) return status;
    if (!found && !find_first(scan, &next)) return missing(scan, arena);
    scan->last = scan->first;
    forget_old_reach(scan);
    for (size_t i = scan->first; i < scan_count(scan) && status_ok(status); i++) status = follow(scan, i, &next, arena);
    if (!status_ok(status)) return status;
    scan->end_sequence = next - 1;
    if (next - 1 < scan->durable || (scan_count(scan) == 0 && scan->durable)) return ends_early(scan, arena);
    return STATUS_GOOD;
}
