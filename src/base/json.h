/* json: reading JSON text (RFC 8259) into a tree that keeps every value's own text, and laying JSON text out.
 *
 * Numbers are kept as text, so that nothing is lost of what only passes through. */
#ifndef NORN_BASE_JSON_H
#define NORN_BASE_JSON_H

#include "base/arena.h"
#include "base/status.h"

enum { JSON_DEPTH_MAX = 100, JSON_VALUES_MAX = 1 << 20 };

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    struct bytes raw;                      /* the value as it stands in the text */
    struct bytes text;                     /* STRING: its characters, UTF-8 */
    struct bytes key, key_raw;             /* of a member of an object; key_raw with quotes and escapes */
    struct json *first, *next;             /* members or elements, in order */
    size_t count;
};

/* A whole text. NULL, with *status that tells the line and column, when it is not JSON. The tree borrows `text`. */
struct json *json_parse(struct bytes text, struct arena *arena, struct status *status);
/* A member of an object; NULL when it is not there, or `object` is none. The last one of a name counts. */
const struct json *json_member(const struct json *object, const char *key);

/* Copies JSON text that is known to be good: without spaces, or a line for each value, indented by two. */
void json_compact(struct bytes json, struct buf *out);
void json_indent(struct bytes json, struct buf *out);

#endif
