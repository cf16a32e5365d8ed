/* base64: RFC 4648; reading takes both alphabets, with or without padding. */
#ifndef NORN_BASE_BASE64_H
#define NORN_BASE_BASE64_H

#include "base/arena.h"

void base64_append(struct buf *out, struct bytes data);
/* False when `text` is not base64. */
bool base64_read(struct bytes text, struct arena *arena, struct bytes *out);

#endif
