/* client: calls, from grpc_call to their end. */
#include "net/client.h"

#include "base/mem.h"
#include "base/pbpack.h"
#include "fiber/fiber.h"
#include "net/client_internal.h"
#include "net/gzip.h"
#include "net/h2.h"

enum { RESPONSE_BYTES_DEFAULT = 128 * 1024 * 1024, RESPONSE_RESERVE_BYTES = 256 * 1024 };

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static bool has_number(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct client_call, node)->number == *(const uint64_t *)key;
}

static uint64_t number_hash(uint64_t number) { return number * UINT64_C(0x9e3779b97f4a7c15) >> 20; }

static struct client_call *find(struct grpc_client *client, uint64_t number) {
    struct map_node *node = map_find(&client->calls, number_hash(number), has_number, &number);
    return node ? CONTAINER_OF(node, struct client_call, node) : NULL;
}

/* ---- the end of a call ----------------------------------------------------------------------------------------- */

static void route_waiting(struct grpc_client *client) {
    uint32_t most = client->options.connect_streams_max;
    while (client->submitted < most && !list_empty(&client->waiting))
        client_call_route(LIST_ENTRY(list_pop_front(&client->waiting), struct client_call, link));
}

void client_call_end(struct client_call *call, struct status status) {
    struct grpc_client *client = call->client;
    if (call->over) return;
    call->over = true;
    call->result.status = status;
    if (call->carrier) client->submitted--;
    call->carrier = NULL;
    list_remove(&call->link);
    list_push_back(&client->ended, &call->link);
    deadline_clear(&client->deadlines, &call->deadline);
    map_remove(&client->calls, &call->node);
    if (!client->report.busy) io_defer(client->io, &client->report);
}

static void free_call(struct client_call *call) {
    buf_free(&call->body);
    struct arena arena = call->result.arena;
    arena_free(&arena);                  /* the call is in it */
}

static void closed_all(struct deadlines *deadlines) {
    struct grpc_client *client = CONTAINER_OF(deadlines, struct grpc_client, deadlines);
    void (*closed)(struct io *io, void *ctx) = client->closed;
    struct io *io = client->io;
    void *ctx = client->closed_ctx;
    wire_pool_free(&client->pool);
    gzip_destroy(client->gzip);
    nghttp2_session_callbacks_del(client->callbacks);
    nghttp2_option_del(client->option);
    h2_memory_destroy(client->memory);
    map_free(&client->calls);
    arena_free(&client->arena);
    mem_free(client);
    if (closed) closed(io, ctx);
}

void client_link_gone(struct grpc_client *client) {
    bool left = !list_empty(&client->links) || !list_empty(&client->ended) || client->report.busy;
    if (client->closing && !left) deadlines_stop(&client->deadlines, closed_all);
}

/* Tells the callers. A callback may begin another call, cancel others, or close the client. */
static void report(struct io *io, struct io_op *op) {
    struct grpc_client *client = op->ctx;
    struct list due;
    list_init(&due);
    list_splice(&due, &client->ended);
    route_waiting(client);
    for (struct list *node; (node = list_pop_front(&due));) {
        struct client_call *call = LIST_ENTRY(node, struct client_call, link);
        call->done(io, call->ctx, &call->result);
        free_call(call);
    }
    client_link_gone(client);
}

static void deadline_passed(struct deadline *deadline) {
    struct client_call *call = CONTAINER_OF(deadline, struct client_call, deadline);
    if (call->carrier) client_link_reset(call->carrier, call);
    client_call_end(call, (struct status){STATUS_DEADLINE_EXCEEDED, "context deadline exceeded"});
}

void grpc_cancel(struct grpc_client *client, uint64_t number) {
    struct client_call *call = find(client, number);
    if (!call) return;
    if (call->carrier) client_link_reset(call->carrier, call);
    client_call_end(call, (struct status){STATUS_CANCELLED, "context canceled"});
}

/* ---- the response ---------------------------------------------------------------------------------------------- */

static void break_off(struct client_call *call, struct status status) {
    client_link_reset(call->carrier, call);
    client_call_end(call, status);
}

static bool check_prefix(struct client_call *call) {
    uint32_t most = call->client->options.response_bytes_max;
    call->message_len = grpc_prefix_len(call->prefix);
    if (call->has_message || call->prefix[0] > 1 || (call->prefix[0] && !call->is_gzip)) {
        break_off(call, (struct status){STATUS_INTERNAL, "the server sent a malformed message"});
    } else if (call->message_len > most) {
        break_off(call, status_make(&call->result.arena, STATUS_RESOURCE_EXHAUSTED,
                                    "grpc: received message larger than max (%u vs. %u)", call->message_len, most));
    } else {
        size_t reserve = call->message_len < RESPONSE_RESERVE_BYTES ? call->message_len : RESPONSE_RESERVE_BYTES;
        buf_reserve(&call->body, reserve);
        return true;
    }
    return false;
}

static void message_arrived(struct client_call *call) {
    struct bytes message = buf_bytes(&call->body);
    call->prefix_len = 0;
    call->has_message = true;
    if (call->prefix[0] && gzip_inflate(call->client->gzip, &call->result.arena, message,
                                        call->client->options.response_bytes_max, &message) != GZIP_OK) {
        break_off(call, (struct status){STATUS_INTERNAL, "the server's message cannot be decompressed"});
        return;
    }
    call->result.message = message;
}

void client_call_data(struct client_call *call, struct bytes data) {
    if (!call->is_grpc) return;          /* a page of some proxy; its HTTP status tells */
    while (data.len && !call->over) {
        if (call->prefix_len < GRPC_PREFIX_LEN) {
            call->prefix[call->prefix_len++] = *data.data++;
            data.len--;
            if (call->prefix_len < GRPC_PREFIX_LEN || !check_prefix(call)) continue;
        }
        size_t missing = call->message_len - call->body.len, count = data.len < missing ? data.len : missing;
        buf_append(&call->body, data.data, count);
        data.data += count;
        data.len -= count;
        if (count == missing) message_arrived(call);
    }
}

static struct status status_of_reset(uint32_t code) {
    switch (code) {
    case NGHTTP2_REFUSED_STREAM: return (struct status){STATUS_UNAVAILABLE, "the server refused the stream"};
    case NGHTTP2_CANCEL: return (struct status){STATUS_CANCELLED, "the server cancelled the stream"};
    case NGHTTP2_ENHANCE_YOUR_CALM: return (struct status){STATUS_RESOURCE_EXHAUSTED, "the server asks to slow down"};
    case NGHTTP2_INADEQUATE_SECURITY:
        return (struct status){STATUS_PERMISSION_DENIED, "the server wants a better secured connection"};
    default: return (struct status){STATUS_INTERNAL, "the stream ended without a status"};
    }
}

void client_call_stream_closed(struct client_call *call, uint32_t code) {
    struct status status = call->result.status;
    if (code == NGHTTP2_REFUSED_STREAM && !call->refused_once && !call->client->closing) {
        call->refused_once = true;       /* the server has not looked at it, so it may be sent again */
        call->stream_id = 0;
        call->sent = 0;
        call->client->submitted--;
        call->carrier = NULL;
        list_remove(&call->link);
        client_call_route(call);
        return;
    }
    if (!call->has_status && call->http_status && call->http_status != 200)
        status = status_make(&call->result.arena, grpc_code_of_http(call->http_status), "unexpected HTTP status %u",
                             call->http_status);
    else if (!call->has_status) status = status_of_reset(code);
    else if (status_ok(status) && (!call->has_message || call->prefix_len))
        status = (struct status){STATUS_INTERNAL, "the response ended before its message"};
    client_call_end(call, status);
}

/* ---- beginning ------------------------------------------------------------------------------------------------- */

void client_call_route(struct client_call *call) {
    struct grpc_client *client = call->client;
    uint32_t most = client->options.connect_streams_max;
    if (most && client->submitted >= most) {
        list_push_back(&client->waiting, &call->link);
        return;
    }
    if (!client->current) client->current = client_link_open(client);
    client->submitted++;
    client_link_submit(client->current, call);
}

uint64_t grpc_call(struct grpc_client *client, const char *path, struct bytes request, int64_t deadline,
                   grpc_done_fn *done, void *ctx) {
    CHECK(!client->closing);
    struct arena arena = {0};
    struct client_call *call = ARENA_NEW(&arena, struct client_call);
    uint8_t *framed = arena_alloc(&arena, GRPC_PREFIX_LEN + request.len);
    grpc_prefix_store(framed, false, (uint32_t)request.len);
    if (request.len) memcpy(framed + GRPC_PREFIX_LEN, request.data, request.len);
    call->request = bytes_of(framed, GRPC_PREFIX_LEN + request.len);
    call->path = arena_strdup(&arena, path);
    call->result.arena = arena;
    call->client = client;
    call->done = done;
    call->ctx = ctx;
    call->number = ++client->next_number;
    call->deadline_at = deadline;
    call->deadline.passed = deadline_passed;
    map_insert(&client->calls, &call->node, number_hash(call->number));
    deadline_set(&client->deadlines, &call->deadline, deadline);
    client_call_route(call);
    return call->number;
}

static const char *copy(struct grpc_client *client, const char *text) { return arena_strdup(&client->arena, text); }

static void copy_metadata(struct grpc_client *client, const char *const *given) {
    size_t count = 0;
    while (given && given[count]) count++;
    const char **list = arena_alloc(&client->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) list[i] = copy(client, given[i]);
    client->options.metadata = list;
}

struct grpc_client *grpc_client_create(struct io *io, const struct io_addr *addr,
                                       const struct grpc_client_options *options) {
    struct grpc_client *client = MEM_NEW(struct grpc_client);
    char text[IO_ADDR_TEXT_MAX];
    client->io = io;
    client->addr = *addr;
    if (options) client->options = *options;
    struct grpc_client_options *own = &client->options;
    own->authority = copy(client, own->authority ? own->authority : io_addr_text(addr, text));
    own->client_name = copy(client, own->client_name);
    own->client_version = copy(client, own->client_version);
    copy_metadata(client, own->metadata);
    if (!own->response_bytes_max) own->response_bytes_max = RESPONSE_BYTES_DEFAULT;
    list_init(&client->links);
    list_init(&client->ended);
    list_init(&client->waiting);
    deadlines_init(&client->deadlines, io);
    client->gzip = gzip_create();
    client->report = (struct io_op){.done = report, .ctx = client};
    client_link_init(client);
    client->current = client_link_open(client);
    return client;
}

void grpc_client_break(struct grpc_client *client) {
    LIST_EACH(node, &client->links) client_link_close(LIST_ENTRY(node, struct link, link), "the connection was broken");
}

static void end_list(struct list *calls, struct status status) {
    while (!list_empty(calls)) client_call_end(LIST_ENTRY(calls->next, struct client_call, link), status);
}

static void end_all(struct grpc_client *client) {
    struct status status = {STATUS_CANCELLED, "the client was closed"};
    LIST_EACH(node, &client->links) end_list(&LIST_ENTRY(node, struct link, link)->calls, status);
    end_list(&client->waiting, status);
}

void grpc_client_close(struct grpc_client *client, void (*closed)(struct io *io, void *ctx), void *ctx) {
    CHECK(!client->closing);
    client->closing = true;
    client->closed = closed;
    client->closed_ctx = ctx;
    end_all(client);
    grpc_client_break(client);
    if (!client->report.busy) io_defer(client->io, &client->report);
}

/* ---- on a fiber ------------------------------------------------------------------------------------------------ */

struct waiter {
    struct fiber *fiber;
    struct grpc_result *result;
    struct buf message;
    bool done;
};

/* The call's arena outlives it in the waiter's result; a message that is not in the arena is copied. */
static void wake(struct io *io, void *ctx, struct grpc_result *result) {
    struct waiter *waiter = ctx;
    struct arena *arena = &waiter->result->arena;
    struct status *status = &waiter->result->status;
    *status = result->status;
    status->message = arena_strdup(arena, status->message);
    status->detail_type = arena_strdup(arena, status->detail_type);
    status->detail.data = arena_copy(arena, status->detail.data, status->detail.len);
    struct bytes message = result->message;
    waiter->result->message = bytes_of(arena_copy(arena, message.data, message.len), message.len);
    waiter->done = true;
    fiber_wake(io, waiter->fiber);
}

void grpc_call_wait(struct grpc_client *client, const char *path, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type, int64_t deadline, struct grpc_result *result,
                    ProtobufCMessage **response) {
    struct io *io = client->io;
    *result = (struct grpc_result){0};
    *response = NULL;
    struct waiter waiter = {.fiber = fiber_current(io), .result = result};
    grpc_call(client, path, pbpack(&result->arena, request), deadline, wake, &waiter);
    while (!waiter.done) fiber_park(io);
    if (!status_ok(result->status)) return;
    *response = protobuf_c_message_unpack(response_type, arena_pb(&result->arena), result->message.len,
                                          result->message.data);
    if (!*response) result->status = (struct status){STATUS_INTERNAL, "the server's response cannot be decoded"};
}

void grpc_result_free(struct grpc_result *result) { arena_free(&result->arena); }
