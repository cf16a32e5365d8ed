/* hostile: a client that breaks HTTP/2 or bends it, beside honest ones: garbage, frames at random, requests that are
 * reset at once, settings that shrink and flood, windows that never open, bytes one by one. The server may end its
 * connection as it likes; nobody else may notice. */
#include "hostile.h"

#include "base/mem.h"
#include "fiber/fiber.h"

struct hostile {
    struct io *io;
    struct truth *truth;
    struct io_op signals, recv, last;
    struct io_sock sock;
    struct buf out;
    bool ending, cut, deaf;              /* deaf: never reads */
};

static uint32_t dice(struct hostile *hostile, uint32_t bound) {
    uint32_t word;
    io_random(hostile->io, &word, sizeof word);
    return (uint32_t)(((uint64_t)word * bound) >> 32);
}

static bool is_over(const struct hostile *hostile) {
    return hostile->ending || world_is_calm(hostile->truth->world);
}

static void rest(struct hostile *hostile, int64_t ns) {
    int64_t until = io_now(hostile->io) + ns;
    while (!is_over(hostile) && !hostile->cut && io_now(hostile->io) < until) {
        int64_t next = io_now(hostile->io) + 500 * SIM_MS;
        fiber_sleep_until(hostile->io, next < until ? next : until);
    }
}

/* ---- frames, by hand: nghttp2 would not write such ones ---- */

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static void put_u32(struct buf *to, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    buf_append(to, bytes, sizeof bytes);
}

static void put_frame(struct buf *to, uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t len) {
    uint8_t head[5] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags};
    buf_append(to, head, sizeof head);
    put_u32(to, stream);
    buf_append(to, data, len);
}

static void put_preface(struct buf *to) {
    buf_append_str(to, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_frame(to, SETTINGS, 0, 0, NULL, 0);
}

static void put_setting(struct buf *to, uint16_t id, uint32_t value) {
    uint8_t bytes[6] = {(uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(value >> 24), (uint8_t)(value >> 16),
                        (uint8_t)(value >> 8), (uint8_t)value};
    put_frame(to, SETTINGS, 0, 0, bytes, sizeof bytes);
}

static void put_literal(struct buf *to, const char *text) {
    uint8_t len = (uint8_t)strlen(text);
    buf_append(to, &len, 1);
    buf_append_str(to, text);
}

/* A request of a method that needs no namespace, with an empty message. */
static void put_request(struct buf *to, uint32_t stream, uint8_t flags) {
    static const uint8_t post_http[] = {0x83, 0x86}, path[] = {0x04}, type[] = {0x0f, 0x10}, te[] = {0x00};
    static const uint8_t message[5] = {0};
    struct buf block = {0};
    buf_append(&block, post_http, sizeof post_http);
    buf_append(&block, path, sizeof path);
    put_literal(&block, "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo");
    buf_append(&block, type, sizeof type);
    put_literal(&block, "application/grpc");
    buf_append(&block, te, sizeof te);
    put_literal(&block, "te");
    put_literal(&block, "trailers");
    put_frame(to, HEADERS, flags | END_HEADERS, stream, block.data, block.len);
    if (!(flags & END_STREAM)) put_frame(to, DATA, END_STREAM, stream, message, sizeof message);
    buf_free(&block);
}

/* Sends what was put; false when the server has ended the connection. */
static bool push(struct hostile *hostile) {
    bool good = !hostile->cut && fiber_send_all(hostile->io, hostile->sock, hostile->out.data, hostile->out.len) >= 0;
    buf_clear(&hostile->out);
    return good && !is_over(hostile);
}

/* ---- attacks ---- */

static void send_garbage(struct hostile *hostile) {
    if (dice(hostile, 2)) put_preface(&hostile->out);
    size_t len = 1 + dice(hostile, 4000);
    buf_reserve(&hostile->out, len);
    io_random(hostile->io, hostile->out.data + hostile->out.len, len);
    hostile->out.len += len;
    push(hostile);
    rest(hostile, dice(hostile, 2000) * SIM_MS);
}

static void send_frames(struct hostile *hostile) {
    put_preface(&hostile->out);
    for (uint32_t left = 1 + dice(hostile, 60); left; left--) {
        uint8_t bytes[200];
        size_t len = dice(hostile, 3) ? dice(hostile, 10) : dice(hostile, sizeof bytes);
        io_random(hostile->io, bytes, len);
        put_frame(&hostile->out, (uint8_t)dice(hostile, 12), (uint8_t)dice(hostile, 64), dice(hostile, 12), bytes, len);
        if (dice(hostile, 4) == 0) put_request(&hostile->out, 2 * dice(hostile, 20) + 1, 0);
    }
    push(hostile);
    rest(hostile, dice(hostile, 2000) * SIM_MS);
}

/* Rapid reset: work is asked for and thrown away. */
static void send_resets(struct hostile *hostile) {
    put_preface(&hostile->out);
    uint32_t stream = 1;
    for (uint32_t round = dice(hostile, 30); round && push(hostile); round--) {
        for (uint32_t i = 1 + dice(hostile, 40); i; i--, stream += 2) {
            put_request(&hostile->out, stream, 0);
            static const uint8_t cancel[4] = {[3] = 8};
            put_frame(&hostile->out, RST_STREAM, 0, stream, cancel, sizeof cancel);
        }
        rest(hostile, dice(hostile, 20) * SIM_MS);
    }
}

/* Settings to and fro while answers are under way, with pings between. */
static void send_settings(struct hostile *hostile) {
    enum { TABLE_SIZE = 1, INITIAL_WINDOW = 4, FRAME_MAX = 5 };
    put_preface(&hostile->out);
    uint32_t stream = 1;
    for (uint32_t left = dice(hostile, 200); left && push(hostile); left--) {
        put_request(&hostile->out, stream, 0);
        stream += 2;
        put_setting(&hostile->out, INITIAL_WINDOW, dice(hostile, 2) ? dice(hostile, 4) : 65535);
        put_setting(&hostile->out, TABLE_SIZE, dice(hostile, 3) * 4096);
        put_setting(&hostile->out, FRAME_MAX, 16384 + dice(hostile, 100));
        static const uint8_t opaque[8] = {0};
        for (uint32_t i = dice(hostile, 20); i; i--) put_frame(&hostile->out, PING, 0, 0, opaque, sizeof opaque);
        rest(hostile, dice(hostile, 5) * SIM_MS);
    }
}

/* Asks much and takes nothing. */
static void send_stalled(struct hostile *hostile) {
    enum { INITIAL_WINDOW = 4 };
    hostile->deaf = dice(hostile, 2);
    put_preface(&hostile->out);
    put_setting(&hostile->out, INITIAL_WINDOW, 0);
    for (uint32_t i = 0, count = 1 + dice(hostile, 300); i < count; i++) put_request(&hostile->out, 2 * i + 1, 0);
    push(hostile);
    rest(hostile, dice(hostile, 90) * SIM_SECOND);
}

static void send_slowly(struct hostile *hostile) {
    struct buf whole = {0};
    put_preface(&whole);
    put_request(&whole, 1, 0);
    for (size_t i = 0; i < whole.len; i++) {
        buf_append(&hostile->out, whole.data + i, 1);
        if (!push(hostile)) break;
        rest(hostile, (1 + dice(hostile, 3000)) * SIM_MS);
    }
    buf_free(&whole);
}

/* ---- life ---- */

static const struct {
    enum fault fault;
    void (*run)(struct hostile *hostile);
} attacks[] = {
    {FAULT_HOSTILE_GARBAGE, send_garbage}, {FAULT_HOSTILE_FRAMES, send_frames},   {FAULT_HOSTILE_RESETS, send_resets},
    {FAULT_HOSTILE_SETTINGS, send_settings}, {FAULT_HOSTILE_STALL, send_stalled}, {FAULT_HOSTILE_SLOW, send_slowly},
};

static void on_recv(struct io *io, struct io_op *op) {
    struct hostile *hostile = op->ctx;
    if (op->more) io_buf_done(io, op->buf);
    else hostile->cut = true;
}

static void attack(struct hostile *hostile, unsigned which) {
    struct io *io = hostile->io;
    struct io_addr addr;
    world_node_addr(hostile->truth->world, hostile->truth->server, GRPC_PORT, &addr);
    hostile->cut = hostile->deaf = false;
    if (fiber_connect(io, &addr, &hostile->sock) < 0) return;
    hostile->recv = (struct io_op){.done = on_recv, .ctx = hostile};
    if (dice(hostile, 4)) io_recv(io, &hostile->recv, hostile->sock);
    attacks[which].run(hostile);
    fiber_sock_close(io, hostile->sock);
    buf_clear(&hostile->out);
}

static void on_last(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op->ctx);
    io_exit(io, 0);
}

static void hostile_main(void *arg) {
    struct hostile *hostile = arg;
    struct io *io = hostile->io;
    struct world *world = hostile->truth->world;
    while (!hostile->ending) {
        unsigned which = dice(hostile, ARRAY_LEN(attacks));
        bool on = world_fault_on(world, attacks[which].fault) && !world_is_calm(world);
        if (on && world_fault_happens(world, attacks[which].fault)) attack(hostile, which);
        hostile->cut = false;
        rest(hostile, (1 + dice(hostile, 3000)) * SIM_MS);
        if (!hostile->ending) fiber_sleep_until(io, io_now(io) + 50 * SIM_MS);
    }
    io_cancel(io, &hostile->signals);
    while (hostile->signals.busy) fiber_sleep_until(io, io_now(io) + SIM_US);
    buf_free(&hostile->out);
    hostile->last = (struct io_op){.done = on_last, .ctx = hostile};
    io_timer(io, &hostile->last, io_now(io) + SIM_MS);
}

static void on_signal(struct io *io, struct io_op *op) {
    (void)io;
    if (op->more) ((struct hostile *)op->ctx)->ending = true;
}

bool hostile_is_on(const struct world *world) {
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        if (world_fault_on(world, attacks[i].fault)) return true;
    return false;
}

void hostile_start(struct io *io, void *arg) {
    struct hostile *hostile = MEM_NEW(struct hostile);
    hostile->io = io;
    hostile->truth = arg;
    hostile->signals = (struct io_op){.done = on_signal, .ctx = hostile};
    io_signals(io, &hostile->signals);
    CHECK(fiber_start(io, "hostile", hostile_main, hostile, FIBER_STACK_LARGE));
}
