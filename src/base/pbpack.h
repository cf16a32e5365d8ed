/* pbpack: encoding of protobuf-c messages (protobuf.dev/programming-guides/encoding), in one pass.
 *
 * protobuf-c reckons the size of a message first, and looks at every field twice or more for it. Here the bytes are
 * written straight away, into room that is there, and the size comes out at the end; only when the room does not do is
 * the size reckoned. The bytes are the same as protobuf-c's. */
#ifndef NORN_BASE_PBPACK_H
#define NORN_BASE_PBPACK_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"

/* The encoded message, in the arena. */
struct bytes pbpack(struct arena *arena, const ProtobufCMessage *message);
/* The same behind `before` bytes that the caller fills in; they count in the result. */
struct bytes pbpack_behind(struct arena *arena, size_t before, const ProtobufCMessage *message);
/* Appends the encoded message. */
void pbpack_append(struct buf *buf, const ProtobufCMessage *message);
/* Appends it as a field: its tag, its length, and the message. */
void pbpack_append_field(struct buf *buf, unsigned number, const ProtobufCMessage *message);

/* A field whose length follows from what is appended between the two; `begin` is what pbpack_open gave. */
size_t pbpack_open(struct buf *buf, unsigned number);
void pbpack_close(struct buf *buf, size_t begin);

#endif
