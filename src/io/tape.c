/* tape: entries of a recording as bytes, and the hash of effects. */
#include "io/tape.h"

#include "base/check.h"
#include "base/hash.h"

const char *tape_call_name(unsigned call) {
#define X(name) #name,
    static const char *const names[] = {TAPE_CALLS(X)};
#undef X
    return call < ARRAY_LEN(names) ? names[call] : "unknown";
}

const char *tape_input_name(unsigned input) {
#define X(name) #name,
    static const char *const names[] = {TAPE_INPUTS(X)};
#undef X
    return input < ARRAY_LEN(names) ? names[input] : "unknown";
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint64_t zigzag(int64_t value) { return (uint64_t)value << 1 ^ (uint64_t)(value >> 63); }

static uint8_t *put_chain(uint8_t *at, const struct tape_entry *entry) {
    store_u32(at, entry->chain);
    return at + 4;
}

static uint8_t *put_addr(uint8_t *at, const struct io_addr *addr) {
    *at++ = addr->family;
    memcpy(at, addr->ip, sizeof addr->ip);
    return put_varint(at + sizeof addr->ip, addr->port);
}

static uint8_t *put_payload(uint8_t *at, const struct tape_entry *entry) {
    enum tape_payload payload = entry->payload;
    if (payload == TAPE_BUF) at = put_varint(at, entry->buf_id);
    if (payload == TAPE_SOCK || payload == TAPE_PEER || payload == TAPE_FILE)
        at = put_varint(put_varint(at, entry->slot), entry->generation);
    if (payload == TAPE_PEER || payload == TAPE_ADDR) at = put_addr(at, &entry->addr);
    if (payload == TAPE_DATA || payload == TAPE_BUF) at = put_varint(at, entry->bytes.len);
    return at;
}

static uint8_t *put_done(uint8_t *at, const struct tape_entry *entry) {
    at = put_varint(at, entry->sequence);
    *at++ = (uint8_t)(entry->more | entry->payload << 1);
    at = put_chain(put_varint(at, zigzag(entry->result)), entry);
    return put_payload(at, entry);
}

static uint8_t *put_help(uint8_t *at, const struct tape_entry *entry) {
    *at++ = (uint8_t)entry->what;
    *at++ = (uint8_t)entry->payload;
    at = put_varint(put_varint(at, entry->turn), zigzag(entry->result));
    return put_payload(put_chain(at, entry), entry);
}

unsigned tape_encode(const struct tape_entry *entry, uint8_t head[TAPE_HEAD_MAX]) {
    uint8_t *at = head;
    *at++ = (uint8_t)entry->tag;
    switch (entry->tag) {
    case TAPE_TURN: at = put_chain(put_varint(put_varint(at, zigzag(entry->now)), zigzag(entry->wall)), entry); break;
    case TAPE_DONE: at = put_done(at, entry); break;
    case TAPE_MESSAGE: at = put_chain(put_varint(at, entry->loop), entry); break;
    case TAPE_HOOK: break;
    case TAPE_VALUE:
        *at++ = (uint8_t)entry->what;
        at = put_varint(at, entry->value);
        break;
    case TAPE_BYTES:
        *at++ = (uint8_t)entry->what;
        at = put_varint(at, entry->bytes.len);
        break;
    case TAPE_JOB:
        at = put_varint(put_varint(put_varint(at, entry->turn), entry->loop), entry->sequence);
        at = put_chain(at, entry);
        break;
    case TAPE_HELP: at = put_help(at, entry); break;
    case TAPE_END: at = put_chain(at, entry); break;
    }
    CHECK(at <= head + TAPE_HEAD_MAX);
    return (unsigned)(at - head);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static int64_t read_zigzag(struct reader *reader) {
    uint64_t value = read_varint(reader);
    return (int64_t)(value >> 1 ^ -(value & 1));
}

static void read_addr(struct reader *reader, struct io_addr *out) {
    out->family = read_u8(reader);
    struct bytes ip = read_bytes(reader, sizeof out->ip);
    if (ip.len == sizeof out->ip) memcpy(out->ip, ip.data, sizeof out->ip);
    out->port = (uint16_t)read_varint(reader);
}

static void read_payload(struct reader *reader, struct tape_entry *out) {
    enum tape_payload payload = out->payload;
    if (payload > TAPE_SAME) reader->bad = true;
    if (payload == TAPE_BUF) out->buf_id = (uint32_t)read_varint(reader);
    if (payload == TAPE_SOCK || payload == TAPE_PEER || payload == TAPE_FILE) {
        out->slot = (uint32_t)read_varint(reader);
        out->generation = (uint32_t)read_varint(reader);
    }
    if (payload == TAPE_PEER || payload == TAPE_ADDR) read_addr(reader, &out->addr);
    if (payload == TAPE_DATA || payload == TAPE_BUF) out->bytes = read_bytes(reader, read_varint(reader));
}

static void read_done(struct reader *reader, struct tape_entry *out) {
    out->sequence = read_varint(reader);
    unsigned flags = read_u8(reader);
    out->more = flags & 1;
    out->payload = (enum tape_payload)(flags >> 1);
    out->result = read_zigzag(reader);
    out->chain = read_u32(reader);
    read_payload(reader, out);
}

static void read_help(struct reader *reader, struct tape_entry *out) {
    out->what = read_u8(reader);
    out->payload = (enum tape_payload)read_u8(reader);
    out->turn = read_varint(reader);
    out->result = read_zigzag(reader);
    out->chain = read_u32(reader);
    read_payload(reader, out);
}

bool tape_decode(struct reader *reader, struct tape_entry *out) {
    *out = (struct tape_entry){.tag = (enum tape_tag)read_u8(reader)};
    switch (out->tag) {
    case TAPE_TURN:
        out->now = read_zigzag(reader);
        out->wall = read_zigzag(reader);
        out->chain = read_u32(reader);
        break;
    case TAPE_DONE: read_done(reader, out); break;
    case TAPE_MESSAGE:
        out->loop = (unsigned)read_varint(reader);
        out->chain = read_u32(reader);
        break;
    case TAPE_HOOK: break;
    case TAPE_VALUE:
        out->what = read_u8(reader);
        out->value = read_varint(reader);
        break;
    case TAPE_BYTES:
        out->what = read_u8(reader);
        out->bytes = read_bytes(reader, read_varint(reader));
        break;
    case TAPE_JOB:
        out->turn = read_varint(reader);
        out->loop = (unsigned)read_varint(reader);
        out->sequence = read_varint(reader);
        out->chain = read_u32(reader);
        break;
    case TAPE_HELP: read_help(reader, out); break;
    case TAPE_END: out->chain = read_u32(reader); break;
    default: return false;
    }
    return !reader->bad;
}

/* ---- the chain of effects ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t chain, uint64_t value) {
    chain = (chain ^ value) * 0x9e3779b97f4a7c15u;
    return chain ^ chain >> 32;
}

void tape_effect(uint64_t *chain, enum tape_call call, uint64_t a, uint64_t b, uint64_t c) {
    *chain = mix(mix(mix(mix(*chain, call), a), b), c);
}

bool tape_page(uint64_t path, uint64_t offset, size_t len, unsigned *place, uint64_t *key) {
    *key = mix(mix(path, offset), len);
    *place = (unsigned)(*key % TAPE_PAGES);
    return len && len <= TAPE_PAGE_MAX;
}

uint64_t tape_hash_text(const char *text) { return hash64(text, strlen(text)); }

uint64_t tape_hash_addr(const struct io_addr *addr) {
    return hash64_seed(addr->ip, sizeof addr->ip, (uint64_t)addr->family << 16 | addr->port);
}

uint64_t tape_hash_iov(const struct iovec *iov, unsigned count) {
    uint64_t hash = 0;
    for (unsigned i = 0; i < count; i++) hash = hash64_seed(iov[i].iov_base, iov[i].iov_len, hash);
    return hash;
}
