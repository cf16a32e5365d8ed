/* frontend: decoding, checking and routing of calls, and their way back.
 *
 * Who may touch an api_call: only the loop where it is. `home` names that loop; it is written by the loop that sends the
 * call on, and read by the connection's loop to send a cancellation after it. A cancellation that finds the call gone
 * follows it; one that finds it ended comes back. The call's memory is freed on the connection's loop, when the call has
 * ended and no cancellation is under way. */
#include "frontend/frontend.h"

#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "frontend/wire_check.h"
#include "shard/token.h"
#include "temporal/api/common/v1/message.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

static void route_call(void *ctx, struct call *call);

struct frontend *frontend_create(struct io *io, struct frontend_shared *shared) {
    struct frontend *frontend = MEM_NEW(struct frontend);
    size_t methods;
    frontend->table = api_table_create();
    api_table_methods(frontend->table, &methods);
    frontend->io = io;
    frontend->shared = shared;
    frontend->namespaces = namespaces_create();
    fair_init(&frontend->fair, io, route_call, frontend);
    frontend->requests = mem_alloc(methods * API_STATUS_CODES * sizeof *frontend->requests);
    frontend->latency_ns = mem_alloc(methods * sizeof *frontend->latency_ns);
    shared->frontends[io_loop_index(io)] = frontend;
    return frontend;
}

void frontend_destroy(struct frontend *frontend) {
    fair_free(&frontend->fair);
    namespaces_destroy(frontend->namespaces);
    api_table_destroy(frontend->table);
    mem_free(frontend->requests);
    mem_free(frontend->latency_ns);
    mem_free(frontend);
}

static struct frontend *here(const struct api_call *call) {
    return call->origin->shared->frontends[io_loop_index(call->call.io)];
}

/* ---- the way back -------------------------------------------------------------------------------------------------- */

static void count_end(struct frontend *frontend, const struct api_call *call) {
    size_t index = call->method->index;
    frontend->requests[index * API_STATUS_CODES + (size_t)call->call.status.code]++;
    frontend->latency_ns[index] += (uint64_t)(io_now(frontend->io) - call->rpc->received_at);
}

/* On the connection's loop, with the call at rest. */
static void finish(struct api_call *call) {
    struct frontend *frontend = call->origin;
    if (call->cancel_posted) return;
    struct rpc_call *rpc = call->rpc;
    rpc->on_cancel = NULL;
    count_end(frontend, call);
    if (call->call.ns) namespace_release(call->call.ns);
    if (status_ok(call->call.status)) rpc_reply_bytes(frontend->io, rpc, call->call.response);
    else rpc_fail(frontend->io, rpc, call->call.status);
}

static void came_back(struct io *io, struct io_msg *msg) {
    (void)io;
    struct api_call *call = CONTAINER_OF(msg, struct api_call, back);
    call->call.io = call->origin->io;
    call->ended = true;
    finish(call);
}

static void send_to(struct api_call *call, unsigned loop, struct io_msg *msg,
                    void (*receive)(struct io *io, struct io_msg *msg)) {
    struct io *io = call->call.io;
    __atomic_store_n(&call->home, loop, __ATOMIC_RELEASE);
    msg->receive = receive;
    io_post(io, loop, msg);
}

static void api_end(struct call *base) {
    struct api_call *call = CONTAINER_OF(base, struct api_call, call);
    unsigned loop = call->rpc->loop;
    if (io_loop_index(base->io) != loop) {
        send_to(call, loop, &call->back, came_back);
        return;
    }
    call->ended = true;
    finish(call);
}

/* It moves on another loop's thread. */
static unsigned home_of(struct io *io, const struct api_call *call) {
    return (unsigned)io_shared(io, __atomic_load_n(&call->home, __ATOMIC_ACQUIRE));
}

/* ---- cancellation -------------------------------------------------------------------------------------------------- */

static void cancel_arrived(struct io *io, struct io_msg *msg);

static void cancel_here(struct api_call *call) {
    call->call.cancelled = true;
    if (call->call.on_cancel) call->call.on_cancel(&call->call);
}

/* After the call, to the loop where it is. */
static void post_cancel(struct api_call *call) {
    call->cancel_posted = true;
    call->cancel.receive = cancel_arrived;
    io_post(call->origin->io, home_of(call->origin->io, call), &call->cancel);
}

/* On the connection's loop: the cancellation has come back. The call may be here by now, and wait. */
static void cancel_returned(struct io *io, struct io_msg *msg) {
    struct api_call *call = CONTAINER_OF(msg, struct api_call, cancel);
    call->cancel_posted = false;
    if (call->ended) finish(call);
    else if (call->cancel_done) return;
    else if (home_of(io, call) == io_loop_index(io)) cancel_here(call);
    else post_cancel(call);
}

static void cancel_arrived(struct io *io, struct io_msg *msg) {
    struct api_call *call = CONTAINER_OF(msg, struct api_call, cancel);
    unsigned home = home_of(io, call);
    bool gone = home != io_loop_index(io);
    if (gone && home != call->rpc->loop) {
        io_post(io, home, msg);
        return;
    }
    if (!gone) cancel_here(call);
    call->cancel_done = !gone;
    msg->receive = cancel_returned;
    io_post(io, call->rpc->loop, msg);
}

static void rpc_cancelled(struct io *io, struct rpc_call *rpc) {
    struct api_call *call = rpc->service;
    if (call->ended) return;
    if (home_of(io, call) == io_loop_index(io)) cancel_here(call);
    else post_cancel(call);
}

/* ---- the way there ------------------------------------------------------------------------------------------------- */

static void run(struct frontend *frontend, struct api_call *call) {
    if (frontend->stopping) call_fail(&call->call, STATUS_UNAVAILABLE, "the server is shutting down");
    else if (call->call.cancelled) call_fail(&call->call, STATUS_CANCELLED, "the client went away");
    else if (call->method->engine) call->method->engine(frontend->engine, &call->call);
    else call->method->handler(frontend, call);
}

static void arrived(struct io *io, struct io_msg *msg) {
    struct api_call *call = CONTAINER_OF(msg, struct api_call, move);
    call->call.io = io;
    run(here(call), call);
}

void api_go_to(struct api_call *call, unsigned loop) {
    if (loop == io_loop_index(call->call.io)) run(here(call), call);
    else send_to(call, loop, &call->move, arrived);
}

/* The value of a field by name, when the message has it and it is set. */
static const void *field_of(const ProtobufCMessage *message, const char *name) {
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field ? (const char *)message + field->offset : NULL;
}

static const char *text_field(const ProtobufCMessage *message, const char *name) {
    char *const *field = field_of(message, name);
    return field ? *field : NULL;
}

/* The workflow id of a request: its own field, or its execution's. */
static const char *workflow_id_of(const ProtobufCMessage *request) {
    const char *id = text_field(request, "workflow_id");
    if (id) return id;
    Temporal__Api__Common__V1__WorkflowExecution *const *execution = field_of(request, "workflow_execution");
    if (!execution) execution = field_of(request, "execution");
    return execution && *execution ? (*execution)->workflow_id : "";
}

/* Workers may leave the namespace out where the task token tells it; where both do, they must agree. NULL: none is
 * told, or the token is not ours, which route() refuses. */
static const struct namespace_info *token_namespace(struct frontend *frontend, struct api_call *call) {
    const ProtobufCBinaryData *data = field_of(call->call.request, "task_token");
    const TaskToken *token = data && data->len ? token_decode(call->call.arena, *data) : NULL;
    return token ? namespaces_by_id(frontend->namespaces, token->namespace_id.data) : NULL;
}

static bool find_namespace(struct frontend *frontend, struct api_call *call) {
    const char *name = text_field(call->call.request, "namespace");
    if (!name || call->method->route == API_NODE || call->method->handler == api_describe_namespace) return true;
    if (call->method->route == API_TOKEN) {
        const struct namespace_info *told = token_namespace(frontend, call);
        if (told && name[0] && strcmp(told->name, name) != 0) {
            call_fail(&call->call, STATUS_INVALID_ARGUMENT,
                      "Operation requested with a token from a different namespace.");
            return false;
        }
        if (told && !name[0]) {
            call->call.ns = namespace_hold(told);
            return true;
        }
    }
    if (!name[0]) {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT, "Namespace not set on request.");
        return false;
    }
    const struct namespace_info *info = namespaces_by_name(frontend->namespaces, name);
    if (!info) {
        call_fail_status(&call->call, namespace_not_found(call->call.arena, name));
        return false;
    }
    call->call.ns = namespace_hold(info);
    return true;
}

static void route(struct frontend *frontend, struct api_call *call) {
    const struct route *map = frontend->shared->route;
    const ProtobufCMessage *request = call->call.request;
    switch (call->method->route) {
    case API_LOCAL: run(frontend, call); return;
    case API_NODE: api_go_to(call, 0); return;
    case API_WORKFLOW:
        call->hash = route_hash(call->call.ns->id, ROUTE_WORKFLOW, bytes_str(workflow_id_of(request)));
        break;
    case API_TOKEN: {
        const ProtobufCBinaryData *token = field_of(request, "task_token");
        if (token->len == 0) {
            call_fail(&call->call, STATUS_INVALID_ARGUMENT, "Task token not set on request.");
            return;
        }
        const TaskToken *decoded = token_decode(call->call.arena, *token);
        if (!decoded) {
            call_fail(&call->call, STATUS_INVALID_ARGUMENT, "Invalid TaskToken.");
            return;
        }
        call->hash = decoded->hash;
        break;
    }
    case API_QUEUE: call->hash = queue_hash(&call->queue_name); break;
    }
    api_go_to(call, route_loop(map, call->hash));
}

static void route_call(void *ctx, struct call *call) { route(ctx, CONTAINER_OF(call, struct api_call, call)); }

/* Calls of a namespace take turns with those of others. */
static void admit(struct frontend *frontend, struct api_call *call) {
    if (call->call.ns && call->method->route != API_NODE) fair_take(&frontend->fair, &call->call, call->method->route == API_TOKEN);
    else route(frontend, call);
}

/* Requests of the queue family: the queue's name, checked, into call->queue_name. */
static bool find_queue(struct api_call *call) {
    if (call->method->route != API_QUEUE) return true;
    Temporal__Api__Taskqueue__V1__TaskQueue *const *queue = field_of(call->call.request, "task_queue");
    const int32_t *type = field_of(call->call.request, "task_queue_type");
    bool activity = call->method->handler == api_poll_activity_task_queue ||
                    (type && *type == TEMPORAL__API__ENUMS__V1__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY);
    if (!queue || !*queue || !(*queue)->name[0]) {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT, "TaskQueue is not set on request.");
        return false;
    }
    size_t len = strlen((*queue)->name);
    if (len > 1000) {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT, "TaskQueue length exceeds limit: %zu of 1000.", len);
        return false;
    }
    memcpy(call->queue_name.namespace_id, call->call.ns->id, NAMESPACE_ID_LEN);
    call->queue_name.type = activity ? QUEUE_ACTIVITY : QUEUE_WORKFLOW;
    call->queue_name.name = bytes_of((*queue)->name, len);
    return true;
}

static bool decode(struct api_call *call) {
    struct rpc_call *rpc = call->rpc;
    const char *wrong = wire_check(rpc->request, call->method->request, &rpc->arena);
    if (wrong) {
        call_fail(&call->call, STATUS_INTERNAL, "grpc: error unmarshalling request: %s", wrong);
        return false;
    }
    call->call.request = protobuf_c_message_unpack(call->method->request, arena_pb(&rpc->arena), rpc->request.len,
                                                   rpc->request.data);
    if (call->call.request) return true;
    call_fail(&call->call, STATUS_INTERNAL, "grpc: error unmarshalling request: malformed %s",
              call->method->request->name);
    return false;
}

/* grpc-go's words for a method or service that it does not know; SDKs look for them. */
static void fail_unknown(struct frontend *frontend, struct rpc_call *rpc) {
    const char *slash = strrchr(rpc->path, '/');
    struct status status;
    if (rpc->path[0] != '/' || slash == rpc->path) {
        status = status_make(&rpc->arena, STATUS_UNIMPLEMENTED, "malformed method name: \"%s\"", rpc->path);
    } else {
        struct bytes service = bytes_of(rpc->path + 1, (size_t)(slash - rpc->path - 1));
        const char *name = arena_text(&rpc->arena, service);
        status = api_table_has_service(frontend->table, service)
                     ? status_make(&rpc->arena, STATUS_UNIMPLEMENTED, "unknown method %s for service %s", slash + 1, name)
                     : status_make(&rpc->arena, STATUS_UNIMPLEMENTED, "unknown service %s", name);
    }
    rpc_fail(frontend->io, rpc, status);
}

static const char *metadata_text(struct rpc_call *rpc, const char *name) {
    struct bytes value = rpc_metadata(rpc, name);
    return value.data ? (const char *)value.data : "";
}

static bool may(struct frontend *frontend, struct api_call *call) {
    if (call->method->action != API_MAINTAIN) return true;
    struct status status = permission_maintain(&frontend->shared->permissions, &call->rpc->peer, call->method->name,
                                               call->call.arena);
    if (status_ok(status)) return true;
    call_fail_status(&call->call, status);
    return false;
}

void frontend_rpc(struct io *io, void *ctx, struct rpc_call *rpc) {
    struct frontend *frontend = ctx;
    const struct api_method *method = api_table_find(frontend->table, rpc->path);
    if (!method || !method->done) {
        fail_unknown(frontend, rpc);
        return;
    }
    struct api_call *call = ARENA_NEW(&rpc->arena, struct api_call);
    call->rpc = rpc;
    call->method = method;
    call->origin = frontend;
    call->home = rpc->loop;
    call->call = (struct call){.io = io, .arena = &rpc->arena, .request_bytes = rpc->request, .method = method->name,
                               .client_name = metadata_text(rpc, "client-name"),
                               .client_version = metadata_text(rpc, "client-version"),
                               .supported_features = metadata_text(rpc, "supported-features"),
                               .deadline = rpc->deadline, .end = api_end};
    rpc->service = call;
    rpc->on_cancel = rpc_cancelled;
    if (may(frontend, call) && decode(call) && find_namespace(frontend, call) && find_queue(call)) admit(frontend, call);
}

/* ---- between queues and engines ------------------------------------------------------------------------------------ */

static struct api_call *api_of(struct call *call) { return CONTAINER_OF(call, struct api_call, call); }

static void start_here(struct api_call *call) {
    engine_start_task(here(call)->engine, &call->queue_name, &call->queue_task, &call->call);
}

static void start_arrived(struct io *io, struct io_msg *msg) {
    struct api_call *call = CONTAINER_OF(msg, struct api_call, move);
    call->call.io = io;
    start_here(call);
}

static void host_start(void *ctx, const struct queue_name *name, const struct queue_task *task, struct call *poll) {
    struct frontend *frontend = ctx;
    struct api_call *call = api_of(poll);
    (void)name;
    call->queue_task = *task;
    unsigned loop = route_loop(frontend->shared->route, task->hash);
    if (loop == io_loop_index(frontend->io)) start_here(call);
    else send_to(call, loop, &call->move, start_arrived);
}

static void poll_again_arrived(struct io *io, struct io_msg *msg) {
    struct api_call *call = CONTAINER_OF(msg, struct api_call, move);
    call->call.io = io;
    queues_poll_again(here(call)->queues, &call->call);
}

static void host_poll_again(void *ctx, const struct queue_name *name, struct call *poll) {
    struct frontend *frontend = ctx;
    struct api_call *call = api_of(poll);
    (void)name;
    unsigned loop = route_loop(frontend->shared->route, queue_hash(&call->queue_name));
    if (loop == io_loop_index(frontend->io)) queues_poll_again(frontend->queues, poll);
    else send_to(call, loop, &call->move, poll_again_arrived);
}

/* A task on its way to its queue's loop. */
struct task_message {
    struct io_msg msg;
    struct frontend_shared *shared;
    struct queue_name name;
    struct queue_task task;
    bool remove;
    uint8_t text[];
};

static void task_arrived(struct io *io, struct io_msg *msg) {
    struct task_message *message = CONTAINER_OF(msg, struct task_message, msg);
    struct queues *queues = message->shared->frontends[io_loop_index(io)]->queues;
    if (message->remove) queues_remove(queues, &message->name, &message->task);
    else queues_add(queues, &message->name, &message->task);
    mem_free(message);
}

static void send_task(struct frontend *frontend, const struct queue_name *name, const struct queue_task *task,
                      bool remove) {
    unsigned loop = route_loop(frontend->shared->route, queue_hash(name));
    if (loop == io_loop_index(frontend->io)) {
        if (remove) queues_remove(frontend->queues, name, task);
        else queues_add(frontend->queues, name, task);
        return;
    }
    struct task_message *message = mem_alloc(sizeof *message + name->name.len);
    *message = (struct task_message){.msg.receive = task_arrived, .shared = frontend->shared, .name = *name,
                                     .task = *task, .remove = remove};
    memcpy(message->text, name->name.data, name->name.len);
    message->name.name.data = message->text;
    io_post(frontend->io, loop, &message->msg);
}

static void host_add_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    send_task(ctx, name, task, false);
}

static void host_remove_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    send_task(ctx, name, task, true);
}

/* matching's stickyPollerUnavailableWindow. A queue on another loop is taken as alive: the schedule-to-start timeout
 * is the fallback then. */
static bool host_sticky_alive(void *ctx, const struct queue_name *name) {
    static const int64_t window_ns = INT64_C(10000000000);
    struct frontend *frontend = ctx;
    if (route_loop(frontend->shared->route, queue_hash(name)) != io_loop_index(frontend->io)) return true;
    int64_t last = queues_last_poll(frontend->queues, name);
    return last != 0 && last > io_now(frontend->io) - window_ns;
}

static const struct namespace_info *host_namespace(void *ctx, const uint8_t id[NAMESPACE_ID_LEN]) {
    return namespaces_by_id(((struct frontend *)ctx)->namespaces, id);
}

static int32_t host_attribute_type(void *ctx, const uint8_t id[NAMESPACE_ID_LEN], const char *name) {
    return namespaces_attribute_type(((struct frontend *)ctx)->namespaces, id, name);
}

struct queue_host frontend_queue_host(struct frontend *frontend) {
    return (struct queue_host){.start = host_start, .ctx = frontend};
}

struct engine_host frontend_engine_host(struct frontend *frontend) {
    return (struct engine_host){.add_task = host_add_task, .remove_task = host_remove_task,
                                .poll_again = host_poll_again, .sticky_alive = host_sticky_alive,
                                .namespace_by_id = host_namespace, .search_attribute_type = host_attribute_type,
                                .ctx = frontend};
}
