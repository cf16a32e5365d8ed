/* Any bytes on an HTTP/2 connection to the server, after the preface and empty settings or from the first byte. */
#include <nghttp2/nghttp2.h>

#include "net_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t greeting[] = NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0";   /* and the NUL that ends it */

static struct bytes given;
static struct fuzz_server fuzz;

static void start(struct io *io, void *arg) {
    uint8_t how = given.data[0];
    struct bytes head = bytes_of(greeting, how & 1 ? 0 : sizeof greeting);
    fuzz = (struct fuzz_server){0};
    fuzz_serve(io, &fuzz, head, bytes_of(given.data + 1, given.len - 1), how & 2 ? 100 : 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    given = bytes_of(data, size);
    fuzz_world(start, NULL, data[0]);
    return 0;
}
