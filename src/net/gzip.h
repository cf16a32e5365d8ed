/* gzip: compression of single messages, with states that are kept between messages of one loop. */
#ifndef NORN_NET_GZIP_H
#define NORN_NET_GZIP_H

#include "base/arena.h"

struct gzip;                             /* both directions; made at the first use of each */

enum gzip_result { GZIP_OK, GZIP_MALFORMED, GZIP_TOO_LARGE };

struct gzip *gzip_create(void);
void gzip_destroy(struct gzip *gzip);
/* Inflates a whole gzip file into the arena; never takes more memory than out_max + 1 bytes. */
enum gzip_result gzip_inflate(struct gzip *gzip, struct arena *arena, struct bytes data, size_t out_max,
                              struct bytes *out);
/* Deflates into the arena, `reserve` bytes before it left free for the caller (they count in out->len); false when that
 * would not make it smaller. */
bool gzip_deflate(struct gzip *gzip, struct arena *arena, struct bytes data, size_t reserve, struct bytes *out);

#endif
