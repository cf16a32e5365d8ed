/* Any bytes from a server to our client, which has three calls open: each call must end, once. */
#include "net_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 3 };

static struct bytes given;

static struct {
    struct io_sock listener;
    struct io_op accept, close;
    struct grpc_client *client;
    struct feeder feeders[8];
    unsigned feeder_count, ended, closed;
    bool client_closed, listener_closed;
    struct buf input;
} fuzz;

static const uint8_t settings[] = "\0\0\0\4\0\0\0\0";    /* and the NUL that ends it */

static void finish(struct io *io) {
    if (!fuzz.client_closed || !fuzz.listener_closed || fuzz.closed < fuzz.feeder_count) return;
    buf_free(&fuzz.input);
    io_exit(io, 0);
}

static void feeder_is_closed(struct io *io, struct feeder *feeder) {
    fuzz.closed++;
    finish(io);
}

static void listener_is_closed(struct io *io, struct io_op *op) {
    fuzz.listener_closed = true;
    finish(io);
}

static void client_is_closed(struct io *io, void *ctx) {
    fuzz.client_closed = true;
    for (unsigned i = 0; i < fuzz.feeder_count; i++) feeder_close(io, &fuzz.feeders[i]);
    fuzz.close = (struct io_op){.done = listener_is_closed};
    io_sock_close(io, &fuzz.close, fuzz.listener);
}

static void call_ended(struct io *io, void *ctx, struct grpc_result *result) {
    CHECK(fuzz.ended < CALLS);
    CHECK(!status_ok(result->status) || result->message.len < 1000000);
    if (++fuzz.ended == CALLS) grpc_client_close(fuzz.client, client_is_closed, NULL);
}

static void accepted(struct io *io, struct io_op *op) {
    if (op->result < 0) return;
    struct feeder *feeder = &fuzz.feeders[fuzz.feeder_count];
    CHECK(fuzz.feeder_count < ARRAY_LEN(fuzz.feeders));
    fuzz.feeder_count++;
    size_t piece = given.data[0] & 2 ? 50 : 65536;
    *feeder = (struct feeder){.data = buf_bytes(&fuzz.input), .piece_max = piece, .closed = feeder_is_closed};
    feeder_start(io, feeder, op->sock);
}

static void start(struct io *io, void *arg) {
    struct io_addr addr;
    memset(&fuzz, 0, sizeof fuzz);
    CHECK(io_addr_parse("127.0.0.1:0", &addr));
    CHECK(io_listen(io, &addr, false, &fuzz.listener, &addr) == 0);
    if (given.data[0] & 1) buf_append(&fuzz.input, settings, sizeof settings);
    buf_append(&fuzz.input, given.data + 1, given.len - 1);
    fuzz.accept = (struct io_op){.done = accepted};
    io_accept(io, &fuzz.accept, fuzz.listener);
    struct grpc_client_options options = {.response_bytes_max = 100000};
    fuzz.client = grpc_client_create(io, &addr, &options);
    for (int i = 0; i < CALLS; i++)
        grpc_call(fuzz.client, "/a.B/C", bytes_str("request"), io_now(io) + (i + 1) * SIM_SECOND, call_ended, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    given = bytes_of(data, size);
    fuzz_world(start, NULL, data[0]);
    return 0;
}
