/* record: encoding and decoding of the journal's bytes. */
#include "store/record.h"

#include "base/check.h"
#include "base/hash.h"

static const char segment_magic[8] = {'N', 'O', 'R', 'N', 'J', 'R', 'N', 'L'};
enum { FLIGHT_MAGIC = 0x314c464e };      /* "NFL1" */

void segment_header_encode(const struct segment_header *header, uint8_t to[SEGMENT_HEADER_LEN]) {
    memcpy(to, segment_magic, 8);
    store_u32(to + 8, header->format);
    store_u32(to + 12, JOURNAL_BLOCK);
    memcpy(to + 16, header->store_id, STORE_ID_LEN);
    store_u64(to + 32, header->number);
    store_u64(to + 40, header->size);
    store_u64(to + 48, hash64(to, 48));
}

/* The magic, the format and, in every format, the checksum keep their places: so that an older build can tell a newer
 * format from damage. */
enum segment_header_state segment_header_decode(const uint8_t from[SEGMENT_HEADER_LEN], struct segment_header *out) {
    *out = (struct segment_header){0};
    if (memcmp(from, segment_magic, 8) != 0 || load_u64(from + 48) != hash64(from, 48)) return SEGMENT_HEADER_BAD;
    out->format = load_u32(from + 8);
    if (out->format > JOURNAL_FORMAT) return SEGMENT_HEADER_NEWER;
    memcpy(out->store_id, from + 16, STORE_ID_LEN);
    out->number = load_u64(from + 32);
    out->size = load_u64(from + 40);
    bool sound = out->format >= 1 && load_u32(from + 12) == JOURNAL_BLOCK && out->size >= 2 * JOURNAL_BLOCK &&
                 out->size % JOURNAL_BLOCK == 0 && out->number >= 1;
    return sound ? SEGMENT_HEADER_GOOD : SEGMENT_HEADER_BAD;
}

uint64_t segment_seed(const uint8_t store_id[STORE_ID_LEN], uint64_t number) {
    return hash64_seed(store_id, STORE_ID_LEN, number);
}

void flight_header_encode(const struct flight_header *header, uint64_t seed, uint64_t offset,
                          uint8_t to[FLIGHT_HEADER_LEN]) {
    CHECK(header->body_len <= FLIGHT_BODY_MAX && header->count && header->first_sequence);
    store_u32(to, FLIGHT_MAGIC);
    store_u32(to + 4, header->body_len);
    store_u32(to + 8, header->count);
    store_u32(to + 12, 0);
    store_u64(to + 16, header->first_sequence);
    store_u64(to + 24, (uint64_t)header->wall);
    store_u64(to + 32, header->body_hash);
    store_u64(to + 40, hash64_seed(to, 40, seed + offset));
}

bool flight_header_decode(const uint8_t from[FLIGHT_HEADER_LEN], uint64_t seed, uint64_t offset,
                          struct flight_header *out) {
    if (load_u32(from) != FLIGHT_MAGIC || load_u64(from + 40) != hash64_seed(from, 40, seed + offset)) return false;
    *out = (struct flight_header){
        .body_len = load_u32(from + 4),
        .count = load_u32(from + 8),
        .first_sequence = load_u64(from + 16),
        .wall = (int64_t)load_u64(from + 24),
        .body_hash = load_u64(from + 32),
    };
    return out->body_len <= FLIGHT_BODY_MAX && out->count && out->first_sequence;
}

uint64_t flight_body_hash(const void *body, size_t len, uint64_t seed, uint64_t offset) {
    return hash64_seed(body, len, seed + offset);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static size_t varint_size(uint64_t value) {
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static uint8_t *put_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static bool is_of_execution(unsigned kind) {
    return kind == STORE_RECORD_EXECUTION || kind == STORE_RECORD_DELETE;
}

/* What follows the length. */
static size_t rest_size(const struct store_record *record) {
    unsigned kind = record->kind;
    if (kind == RECORD_EPOCH) return 1 + varint_size(record->version);
    if (kind == RECORD_CLOSED) return 1;
    size_t size = 1 + NAMESPACE_ID_LEN + varint_size(record->key_id) + 1 + record->payload.len;
    if (is_of_execution(kind)) return size + varint_size(record->execution) + 8 + varint_size(record->version);
    CHECK(kind == STORE_RECORD_NODE);
    return size + varint_size(record->name.len) + record->name.len;
}

size_t record_size(const struct store_record *record) {
    size_t rest = rest_size(record);
    CHECK(rest <= FLIGHT_BODY_MAX / 2);
    return varint_size(rest) + rest;
}

void record_encode(const struct store_record *record, uint8_t *to) {
    unsigned kind = record->kind;
    to = put_varint(to, rest_size(record));
    *to++ = (uint8_t)kind;
    if (kind == RECORD_CLOSED) return;
    if (kind == RECORD_EPOCH) {
        put_varint(to, record->version);
        return;
    }
    if (is_of_execution(kind)) {
        to = put_varint(to, record->execution);
        store_u64(to, record->hash);
        to = put_varint(to + 8, record->version);
    } else {
        to = put_varint(to, record->name.len);
        memcpy(to, record->name.data, record->name.len);
        to += record->name.len;
    }
    memcpy(to, record->namespace_id, NAMESPACE_ID_LEN);
    to = put_varint(to + NAMESPACE_ID_LEN, record->key_id);
    *to++ = record->codec;
    if (record->payload.len) memcpy(to, record->payload.data, record->payload.len);
}

bool record_decode(struct reader *reader, struct store_record *out) {
    *out = (struct store_record){0};
    uint64_t len = read_varint(reader);
    struct reader body = reader_of(read_bytes(reader, len));
    unsigned kind = read_u8(&body);
    if (reader->bad || body.bad) return false;
    out->kind = (enum store_record_kind)kind;
    if (kind == RECORD_CLOSED) return body.left.len == 0;
    if (kind == RECORD_EPOCH) {
        out->version = read_varint(&body);
        return !body.bad && body.left.len == 0;
    }
    if (is_of_execution(kind)) {
        out->execution = read_varint(&body);
        out->hash = read_u64(&body);
        out->version = read_varint(&body);
    } else if (kind == STORE_RECORD_NODE) {
        uint64_t name_len = read_varint(&body);
        out->name = read_bytes(&body, name_len);
    } else {
        return false;
    }
    struct bytes namespace_id = read_bytes(&body, NAMESPACE_ID_LEN);
    if (namespace_id.len) memcpy(out->namespace_id, namespace_id.data, NAMESPACE_ID_LEN);
    uint64_t key_id = read_varint(&body);
    out->key_id = (uint32_t)key_id;
    out->codec = read_u8(&body);
    if (body.bad || key_id > UINT32_MAX) return false;
    out->payload = body.left;
    return true;
}
