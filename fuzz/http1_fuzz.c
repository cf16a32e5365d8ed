/* Any bytes on a connection that begins as HTTP/1.1. */
#include "net_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const heads[] = {"", "GET /", "POST /health HTTP/1.1\r\n", "GET /health?a=b HTTP/1.1\r\nA: x\r\n"};
static struct bytes given;
static struct fuzz_server fuzz;

static void start(struct io *io, void *arg) {
    uint8_t how = given.data[0];
    fuzz = (struct fuzz_server){0};
    fuzz_serve(io, &fuzz, bytes_str(heads[how & 3]), bytes_of(given.data + 1, given.len - 1), how & 4 ? 7 : 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    given = bytes_of(data, size);
    fuzz_world(start, NULL, data[0]);
    return 0;
}
