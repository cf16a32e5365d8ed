/* pbjson: messages as proto3 JSON (protobuf.dev/programming-guides/json), from protobuf-c's descriptors, for any message
 * of the API.
 *
 * With the short-hand, a temporal.api.common.v1.Payload(s) that holds JSON or null stands there as that value, as the
 * HTTP API and the `temporal` command line have it: {"input": ["hello", 7]}. Enums are written by their full names. */
#ifndef NORN_BASE_PBJSON_H
#define NORN_BASE_PBJSON_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/status.h"

enum pbjson_payloads { PBJSON_SHORTHAND, PBJSON_FULL };

/* Appends one compact line without an end. */
void pbjson_write(struct buf *out, const ProtobufCMessage *message, enum pbjson_payloads payloads);
/* Reads; unknown fields are errors that name the field. NULL and a status when it cannot. The message lives in the
 * arena, and is not freed. */
ProtobufCMessage *pbjson_read(struct bytes json, const ProtobufCMessageDescriptor *type, struct arena *arena,
                              struct status *status);

#endif
