/* The journal's reader: any bytes of a body, and any segments, end in records or in an error with its place; and a body
 * that is read is written as it was. Checksums are made right for a part of the input, or nothing would pass them.
 *
 * The input is a run of pieces: a kind, a length of two bytes, and that many bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net_fuzz.h"
#include "store/journal_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT = 16 * JOURNAL_BLOCK, SEGMENTS_MAX = 4, RECORDS_MAX = 64 };
enum piece { PIECE_RAW, PIECE_FLIGHT, PIECE_GAP, PIECE_RECORDS, PIECE_NEXT, PIECE_HEADER, PIECES };

static const uint8_t store_id[STORE_ID_LEN] = {1, 2, 3};

struct journal {
    uint8_t segments[SEGMENTS_MAX][SEGMENT];
    unsigned count;
    uint64_t offset, next;
    uint64_t seen;
};

/* What decodes must come out of the encoder as it went in, if it was in its shortest form; else as something that
 * decodes to the same. */
static void check_record(const struct store_record *record) {
    size_t len = record_size(record);
    uint8_t *copy = mem_alloc(len);
    struct store_record again;
    record_encode(record, copy);
    struct reader reader = reader_of(bytes_of(copy, len));
    CHECK(record_decode(&reader, &again) && reader.left.len == 0);
    CHECK(again.kind == record->kind && again.execution == record->execution && again.version == record->version);
    CHECK(bytes_equal(again.payload, record->payload) && bytes_equal(again.name, record->name));
    mem_free(copy);
}

static uint32_t count_records(struct bytes body) {
    struct reader reader = reader_of(body);
    struct store_record record;
    uint32_t count = 0;
    while (reader.left.len && count < RECORDS_MAX && record_decode(&reader, &record)) {
        check_record(&record);
        count++;
    }
    return count;
}

static void begin_segment(struct journal *journal) {
    if (journal->count == SEGMENTS_MAX) return;
    struct segment_header header = {.format = JOURNAL_FORMAT, .number = journal->count + 1, .size = SEGMENT};
    memcpy(header.store_id, store_id, STORE_ID_LEN);
    segment_header_encode(&header, journal->segments[journal->count++]);
    journal->offset = JOURNAL_BLOCK;
}

static void add_flight(struct journal *journal, struct bytes body, uint32_t count, uint64_t first) {
    uint64_t seed = segment_seed(store_id, journal->count), offset = journal->offset;
    uint8_t *to = journal->segments[journal->count - 1] + offset;
    struct flight_header header = {.body_len = (uint32_t)body.len, .count = count ? count : 1, .first_sequence = first};
    header.body_hash = flight_body_hash(body.data, body.len, seed, offset);
    flight_header_encode(&header, seed, offset, to);
    memcpy(to + FLIGHT_HEADER_LEN, body.data, body.len);
    journal->next = first + header.count;
}

static void add_piece(struct journal *journal, enum piece kind, struct bytes bytes) {
    uint64_t len = block_up(bytes.len + FLIGHT_HEADER_LEN);
    if (kind == PIECE_NEXT || journal->offset + len > SEGMENT) begin_segment(journal);
    if (kind == PIECE_NEXT || journal->offset + len > SEGMENT) return;
    uint8_t *to = journal->segments[journal->count - 1];
    uint32_t count = count_records(bytes);
    switch (kind) {
    case PIECE_RAW: memcpy(to + journal->offset, bytes.data, bytes.len); break;
    case PIECE_FLIGHT: add_flight(journal, bytes, bytes.len ? bytes.data[0] : 1, journal->next); break;
    case PIECE_GAP: add_flight(journal, bytes, count, journal->next + 1 + bytes.len % 3); break;
    case PIECE_RECORDS: add_flight(journal, bytes, count, journal->next); break;
    case PIECE_HEADER: memcpy(to, bytes.data, bytes.len < SEGMENT_HEADER_LEN ? bytes.len : SEGMENT_HEADER_LEN); return;
    default: return;
    }
    journal->offset += len;
}

static void on_record(void *ctx, const struct store_record *record) {
    struct journal *journal = ctx;
    CHECK(record->sequence == journal->seen + 1);
    journal->seen = record->sequence;
    check_record(record);
}

static void leave(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void scan(void *arg) {
    struct io *io = arg;
    struct journal *journal = io_slot(io, IO_SLOT_TEST);
    struct journal_scan scan = {.io = io, .folder.dir = "/data", .record = on_record, .ctx = journal};
    struct arena arena = {0};
    CHECK(fiber_mkdir(io, "/data") >= 0 && fiber_mkdir(io, "/data/journal") >= 0);
    for (unsigned i = 0; i < journal->count; i++) {
        char path[SEGMENT_PATH_MAX];
        struct io_file file;
        segment_path(&scan.folder, i + 1, path);
        CHECK(fiber_open(io, path, IO_OPEN_WRITE | IO_OPEN_READ | IO_OPEN_CREATE, &file) >= 0);
        CHECK(fiber_write(io, file, journal->segments[i], SEGMENT, 0) >= 0);
        fiber_close(io, file);
    }
    struct status status = journal_scan_list(&scan, &arena);
    if (status_ok(status)) status = journal_scan_run(&scan, &arena);
    CHECK(status_ok(status) ? scan.end_sequence >= journal->seen : status.message != NULL);
    journal_scan_free(&scan);
    arena_free(&arena);
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = leave;
    io_timer(io, op, io_now(io) + SIM_SECOND);
}

static void start(struct io *io, void *arg) {
    io_set_slot(io, IO_SLOT_TEST, arg);
    fiber_start(io, "scan", scan, io, FIBER_STACK_LARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct journal *journal = world_alloc(sizeof *journal);
    struct reader reader = reader_of(bytes_of(data, size));
    journal->next = 1;
    begin_segment(journal);
    while (reader.left.len > 3) {
        enum piece kind = read_u8(&reader) % PIECES;
        size_t len = read_u8(&reader);
        len |= (size_t)read_u8(&reader) << 8;
        if (len > reader.left.len) len = reader.left.len;
        add_piece(journal, kind, read_bytes(&reader, len));
    }
    fuzz_world(start, journal, 1);
    world_free(journal);
    return 0;
}
