/* micro_parts: the parts that the engine and the server stand on: turns of fibers, matching, encoding of journal records,
 * encoding and decoding of a message, an HTTP/2 exchange. */
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/mem.h"
#include "micro.h"
#include "queue/queue.h"
#include "shard/api.h"
#include "store/record.h"

static void *nothing(struct micro *micro) { return micro; }
static void keep(struct micro *micro, void *state) {}
static void free_state(struct micro *micro, void *state) { mem_free(state); }

/* ---- fibers: the running one gives way to another and gets its turn back ---- */

enum { TURNS = 100000 };

static void other(void *arg) {
    struct micro *micro = arg;
    for (int i = 0; i < TURNS; i++) fiber_yield(micro->io);
}

static void fiber_round(struct micro *micro, void *state) {
    CHECK(fiber_start(micro->io, "other", other, micro, 0));
    micro_begin(micro);
    for (int i = 0; i < TURNS; i++) fiber_yield(micro->io);
    micro_end(micro, 2 * TURNS);
    fiber_sleep_until(micro->io, io_now(micro->io) + 1000000);
}

const struct micro_case micro_fiber = {"fiber", "turns", "a fiber that gives way, until it runs again", nothing, fiber_round,
                                       keep};

/* ---- queue: a task meets a poll ---- */

enum { MATCHES = 2000 };

struct poll_call {
    struct call call;
    struct arena arena;
};
struct matching {
    struct queues *queues;
    struct fiber *fiber;
    struct micro *micro;
    struct poll_call calls[MATCHES];
    size_t started;
};

static void poll_ended(struct call *call) { UNREACHABLE("every poll gets a task"); }

static void match_start(void *ctx, const struct queue_name *name, const struct queue_task *task, struct call *poll) {
    struct matching *matching = ctx;
    arena_free(poll->arena);
    if (++matching->started == MATCHES) fiber_wake(matching->micro->io, matching->fiber);
}

static void *queue_create(struct micro *micro) {
    struct matching *matching = MEM_NEW(struct matching);
    struct queue_host host = {.start = match_start, .ctx = matching};
    matching->micro = micro;
    matching->fiber = fiber_current(micro->io);
    matching->queues = queues_create(micro->io, &host);
    return matching;
}

static void queue_round(struct micro *micro, void *state) {
    struct matching *matching = state;
    struct queue_poll poll = {.name = {.type = QUEUE_WORKFLOW, .name = bytes_str("queue")}, .identity = "bench",
                              .worker_instance_key = "", .rate_per_second = -1};
    matching->started = 0;
    micro_begin(micro);
    for (size_t i = 0; i < MATCHES; i++) {
        struct queue_task task = {.execution = i + 1, .event_id = 2, .stamp = 1, .schedule_time = (int64_t)i};
        struct poll_call *call = &matching->calls[i];
        call->arena = (struct arena){0};
        call->call = (struct call){.io = micro->io, .arena = &call->arena, .deadline = INT64_MAX, .end = poll_ended};
        queues_poll(matching->queues, &call->call, &poll);
        queues_add(matching->queues, &poll.name, &task);
    }
    while (matching->started < MATCHES) fiber_park(micro->io);
    micro_end(micro, MATCHES);
}

static void queue_destroy(struct micro *micro, void *state) {
    struct matching *matching = state;
    queues_stop(matching->queues);
    fiber_sleep_until(micro->io, io_now(micro->io) + 1000000);
    queues_destroy(matching->queues);
    mem_free(matching);
}

const struct micro_case micro_queue = {"queue", "matches", "a poll and a task that meet in a task queue", queue_create,
                                       queue_round, queue_destroy};

/* ---- journal records: encoded into a flight, and the flight's hash ---- */

enum { RECORDS = 20000, RECORD_BYTES = 350, FLIGHT_RECORDS = 100 };

static void *record_create(struct micro *micro) { return mem_alloc(FLIGHT_RECORDS * (RECORD_BYTES + 100)); }

static void record_round(struct micro *micro, void *state) {
    uint8_t payload[RECORD_BYTES] = {1, 2, 3}, *flight = state;
    uint64_t hash = 0;
    size_t len = 0;
    struct store_record record = {.kind = STORE_RECORD_EXECUTION, .hash = 77,
                                  .payload = bytes_of(payload, sizeof payload)};
    micro_begin(micro);
    for (unsigned i = 1; i <= RECORDS; i++) {
        record.execution = record.version = i;
        size_t size = record_size(&record);
        record_encode(&record, flight + len);
        len += size;
        if (i % FLIGHT_RECORDS) continue;
        hash ^= flight_body_hash(flight, len, 1, 4096);
        len = 0;
    }
    micro_end(micro, RECORDS);
    CHECK(hash != 1);
}

const struct micro_case micro_record = {"record", "records",
                                        "journal records of 350 bytes, encoded and hashed, without the disk", record_create,
                                        record_round, free_state};

/* ---- protobuf: an event there and back ---- */

enum { MESSAGES = 20000 };

static void protobuf_round(struct micro *micro, void *state) {
    HistoryEvent event = TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__INIT;
    EVENT_ATTRIBUTES(ActivityTaskScheduled) scheduled =
        TEMPORAL__API__HISTORY__V1__ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    PbTimestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = 1764000000;
    time.nanos = 123456789;
    queue.name = pb_text("queue");
    scheduled.activity_id = pb_text("1");
    scheduled.task_queue = &queue;
    scheduled.workflow_task_completed_event_id = 4;
    event.event_id = 5;
    event.event_time = &time;
    event.event_type = EVENT(ACTIVITY_TASK_SCHEDULED);
    event.attributes_case =
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES;
    event.activity_task_scheduled_event_attributes = &scheduled;
    struct arena_pool pool = {0};
    micro_begin(micro);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct arena arena;
        arena_begin_pooled(&arena, &pool);
        CHECK(pb_unpack(&arena, event.base.descriptor, pbpack(&arena, &event.base)));
        arena_free(&arena);
    }
    micro_end(micro, MESSAGES);
    arena_pool_free(&pool);
}

const struct micro_case micro_protobuf = {"protobuf", "messages", "an event, encoded and decoded", nothing, protobuf_round,
                                          keep};

/* ---- HTTP/2: a request and its answer between two sessions in memory ---- */

enum { EXCHANGES = 5000 };

struct exchange {
    nghttp2_session *client, *server;
    size_t answered;
};

static nghttp2_nv header(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static int received(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct exchange *exchange = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    if (session == exchange->client) {
        exchange->answered++;
        return 0;
    }
    nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc"),
                            header("grpc-status", "0")};
    return nghttp2_submit_response(session, frame->hd.stream_id, headers, ARRAY_LEN(headers), NULL);
}

static void *http2_create(struct micro *micro) {
    struct exchange *exchange = MEM_NEW(struct exchange);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, received);
    CHECK(nghttp2_session_client_new2(&exchange->client, callbacks, exchange, option) == 0);
    CHECK(nghttp2_session_server_new2(&exchange->server, callbacks, exchange, option) == 0);
    CHECK(nghttp2_submit_settings(exchange->client, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    CHECK(nghttp2_submit_settings(exchange->server, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return exchange;
}

static bool move(nghttp2_session *from, nghttp2_session *to) {
    const uint8_t *data;
    ssize_t len = nghttp2_session_mem_send(from, &data);
    CHECK(len >= 0);
    if (len) CHECK(nghttp2_session_mem_recv(to, data, (size_t)len) == len);
    return len > 0;
}

static void http2_round(struct micro *micro, void *state) {
    struct exchange *exchange = state;
    nghttp2_nv headers[] = {header(":method", "POST"), header(":scheme", "http"), header(":path", "/service/Method"),
                            header(":authority", "localhost:7233"), header("content-type", "application/grpc"),
                            header("te", "trailers"), header("grpc-timeout", "30S")};
    exchange->answered = 0;
    micro_begin(micro);
    for (unsigned i = 0; i < EXCHANGES; i++) {
        CHECK(nghttp2_submit_request(exchange->client, NULL, headers, ARRAY_LEN(headers), NULL, NULL) > 0);
        while (move(exchange->client, exchange->server) || move(exchange->server, exchange->client)) {}
    }
    micro_end(micro, EXCHANGES);
    CHECK(exchange->answered == EXCHANGES);
}

static void http2_destroy(struct micro *micro, void *state) {
    struct exchange *exchange = state;
    nghttp2_session_del(exchange->client);
    nghttp2_session_del(exchange->server);
    mem_free(exchange);
}

const struct micro_case micro_http2 = {"http2", "exchanges", "a request and its answer, both ends, without a socket",
                                       http2_create, http2_round, http2_destroy};
