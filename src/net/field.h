/* field: walks the fields of an encoded protobuf message without knowing its type. */
#ifndef NORN_NET_FIELD_H
#define NORN_NET_FIELD_H

#include "base/bytes.h"

struct field {
    unsigned number;
    uint64_t value;                      /* of a varint */
    struct bytes bytes;                  /* of a text, bytes or message */
};

/* The next field; false at the end, or when malformed (reader->bad). */
static inline bool field_next(struct reader *reader, struct field *field) {
    if (reader->left.len == 0) return false;
    uint64_t tag = read_varint(reader);
    *field = (struct field){.number = (unsigned)(tag >> 3)};
    switch (tag & 7) {
    case 0: field->value = read_varint(reader); break;
    case 1: field->value = read_u64(reader); break;
    case 2: field->bytes = read_bytes(reader, read_varint(reader)); break;
    case 5: field->value = read_u32(reader); break;
    default: reader->bad = true;
    }
    return !reader->bad;
}

#endif
