/* wire_check: whether bytes may be decoded as a message.
 *
 * protobuf-c neither bounds nesting nor checks text: a string with a NUL would be cut, one that is not UTF-8 would be
 * stored and break every client that reads it. So each request is walked once before it is unpacked. */
#ifndef NORN_FRONTEND_WIRE_CHECK_H
#define NORN_FRONTEND_WIRE_CHECK_H

#include "base/arena.h"
#include "base/bytes.h"

enum { WIRE_DEPTH_MAX = 100 };      /* the limit of Go's and Java's protobuf is of the same size */

/* NULL when `message` is a well-formed encoding of `type`; else a text that names the field and what is wrong, in the
 * arena. Unknown fields are checked for form only. */
const char *wire_check(struct bytes message, const ProtobufCMessageDescriptor *type, struct arena *arena);
/* Valid UTF-8 (RFC 3629), no NUL. */
bool wire_text_valid(struct bytes text);

#endif
