/* json_text: strings as JSON writes them, and UTF-8. */
#ifndef NORN_BASE_JSON_TEXT_H
#define NORN_BASE_JSON_TEXT_H

#include "base/bytes.h"

/* Writes a quoted JSON string, not NUL-terminated; returns its length. What is not UTF-8 becomes U+FFFD. `size` must be
 * at least 6 * text.len + 3. */
size_t json_quote(struct bytes text, char *out, size_t size);
void buf_append_json(struct buf *buf, struct bytes text);

bool utf8_valid(struct bytes text);
/* The length of the longest prefix of at most `max` bytes that ends at a character's boundary. */
size_t utf8_cut(struct bytes text, size_t max);
/* The character at the start, 1..4 bytes; 0 when it is not UTF-8. text.len > 0. */
size_t utf8_next(struct bytes text, uint32_t *character);

#endif
