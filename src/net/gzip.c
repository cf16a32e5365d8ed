/* gzip: zlib with its memory from mem, and its states reused: making one costs more than a small message does. */
#include "net/gzip.h"

#include <zlib.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    GZIP_WINDOW_BITS = 15 + 16,          /* 16 asks for the gzip format */
    GZIP_LEVEL = 1,                      /* what passes here is small, and the receiver is near */
    DEFLATE_RATIO_MAX = 1032,            /* of the format: no input grows by more */
};

struct gzip {
    z_stream in, out;
    bool has_in, has_out;
};

static void *z_take(void *ctx, unsigned count, unsigned size) { return mem_alloc((size_t)count * size); }
static void z_give(void *ctx, void *pointer) { mem_free(pointer); }

struct gzip *gzip_create(void) {
    struct gzip *gzip = MEM_NEW(struct gzip);
    gzip->in.zalloc = gzip->out.zalloc = z_take;
    gzip->in.zfree = gzip->out.zfree = z_give;
    return gzip;
}

void gzip_destroy(struct gzip *gzip) {
    if (gzip->has_in) inflateEnd(&gzip->in);
    if (gzip->has_out) deflateEnd(&gzip->out);
    mem_free(gzip);
}

static void start_inflate(struct gzip *gzip) {
    if (gzip->has_in) {
        CHECK(inflateReset(&gzip->in) == Z_OK);
    } else {
        CHECK(inflateInit2(&gzip->in, GZIP_WINDOW_BITS) == Z_OK);
        gzip->has_in = true;
    }
}

/* The last four bytes of a gzip file tell its length. It is only a hint: they may lie. */
static size_t length_hint(struct bytes data, size_t out_max) {
    if (data.len < 18) return 64;
    size_t hint = load_u32(data.data + data.len - 4), most = data.len * DEFLATE_RATIO_MAX;
    if (hint > most) hint = most;
    return hint < out_max ? hint : out_max;
}

enum gzip_result gzip_inflate(struct gzip *gzip, struct arena *arena, struct bytes data, size_t out_max,
                              struct bytes *out) {
    start_inflate(gzip);
    z_stream *z = &gzip->in;
    size_t cap = length_hint(data, out_max) + 1, len = 0;
    uint8_t *to = arena_alloc(arena, cap);
    z->next_in = (uint8_t *)data.data;
    z->avail_in = (unsigned)data.len;
    for (;;) {
        z->next_out = to + len;
        z->avail_out = (unsigned)(cap - len);
        int code = inflate(z, Z_NO_FLUSH);
        len = cap - z->avail_out;
        if (len > out_max) return GZIP_TOO_LARGE;
        if (code == Z_STREAM_END) break;
        if (code != Z_OK || (z->avail_in == 0 && z->avail_out != 0)) return GZIP_MALFORMED;
        if (z->avail_out == 0) {         /* the hint lied, or another member follows */
            size_t larger = cap * 2 < out_max + 1 ? cap * 2 : out_max + 1;
            uint8_t *moved = arena_alloc(arena, larger);
            memcpy(moved, to, len);
            to = moved;
            cap = larger;
        }
    }
    if (z->avail_in) return GZIP_MALFORMED;
    *out = bytes_of(to, len);
    return GZIP_OK;
}

bool gzip_deflate(struct gzip *gzip, struct arena *arena, struct bytes data, size_t reserve, struct bytes *out) {
    z_stream *z = &gzip->out;
    if (gzip->has_out) {
        CHECK(deflateReset(z) == Z_OK);
    } else {
        CHECK(deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        gzip->has_out = true;
    }
    uint8_t *to = arena_alloc(arena, reserve + data.len);
    z->next_in = (uint8_t *)data.data;
    z->avail_in = (unsigned)data.len;
    z->next_out = to + reserve;
    z->avail_out = (unsigned)data.len;
    if (deflate(z, Z_FINISH) != Z_STREAM_END) return false;
    *out = bytes_of(to, reserve + data.len - z->avail_out);
    return true;
}
