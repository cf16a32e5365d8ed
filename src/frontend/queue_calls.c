/* queue_calls: the RPCs that end in a task queue: polls, their description, and a worker's goodbye. */
#include <string.h>

#include "base/mem.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"

static const int64_t POLL_MIN_NS = INT64_C(2000000000);      /* a shorter deadline is refused */

/* A poll must wait on the server, so it needs time to (temporal-surface.md 5.1). */
static bool good_deadline(struct frontend *frontend, struct call *call) {
    if (call->deadline == INT64_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Context timeout is not set.");
        return false;
    }
    if (call->deadline - io_now(frontend->io) < POLL_MIN_NS) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "Context timeout is too short.");
        return false;
    }
    return true;
}

static bool good_identity(struct call *call, const char *identity) {
    if (strlen(identity) <= 1000) return true;
    call_fail(call, STATUS_INVALID_ARGUMENT, "Identity length exceeds limit: %zu of 1000.", strlen(identity));
    return false;
}

/* Worker versioning is not here: a worker that depends on it is told so rather than left to wait. */
static bool good_versioning(struct call *call, const Temporal__Api__Common__V1__WorkerVersionCapabilities *capabilities,
                            const Temporal__Api__Deployment__V1__WorkerDeploymentOptions *deployment) {
    if (capabilities && capabilities->use_versioning) {
        call_fail(call, STATUS_PERMISSION_DENIED,
                  "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.");
        return false;
    }
    if (deployment && deployment->worker_versioning_mode ==
                          TEMPORAL__API__ENUMS__V1__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED) {
        call_fail(call, STATUS_PERMISSION_DENIED, "Worker Deployment Versions are disabled on this namespace.");
        return false;
    }
    return true;
}

void api_poll_workflow_task_queue(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(PollWorkflowTaskQueueRequest) *request = (const void *)call->request;
    if (!good_deadline(frontend, call) || !good_identity(call, request->identity) ||
        !good_versioning(call, request->worker_version_capabilities, request->deployment_options))
        return;
    struct queue_poll poll = {.name = api->queue_name, .identity = request->identity,
                              .worker_instance_key = request->worker_instance_key, .rate_per_second = -1};
    queues_poll(frontend->queues, call, &poll);
}

void api_poll_activity_task_queue(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(PollActivityTaskQueueRequest) *request = (const void *)call->request;
    if (!good_deadline(frontend, call) || !good_identity(call, request->identity) ||
        !good_versioning(call, request->worker_version_capabilities, request->deployment_options))
        return;
    struct queue_poll poll = {.name = api->queue_name, .identity = request->identity,
                              .worker_instance_key = request->worker_instance_key, .rate_per_second = -1};
    if (request->task_queue_metadata && request->task_queue_metadata->max_tasks_per_second)
        poll.rate_per_second = request->task_queue_metadata->max_tasks_per_second->value;
    queues_poll(frontend->queues, call, &poll);
}

static Temporal__Api__Taskqueue__V1__PollerInfo *shown_poller(const struct queue_poller_info *poller,
                                                              struct arena *arena) {
    Temporal__Api__Taskqueue__V1__PollerInfo *out = arena_alloc(arena, sizeof *out);
    temporal__api__taskqueue__v1__poller_info__init(out);
    out->last_access_time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(out->last_access_time);
    out->last_access_time->seconds = poller->last_access_time / INT64_C(1000000000);
    out->last_access_time->nanos = (int32_t)(poller->last_access_time % INT64_C(1000000000));
    out->identity = (char *)(uintptr_t)poller->identity;
    out->rate_per_second = poller->rate_per_second < 0 ? 100000 : poller->rate_per_second;
    return out;
}

static Temporal__Api__Taskqueue__V1__TaskQueueStats *shown_stats(const struct queue_info *info, struct arena *arena) {
    Temporal__Api__Taskqueue__V1__TaskQueueStats *out = arena_alloc(arena, sizeof *out);
    temporal__api__taskqueue__v1__task_queue_stats__init(out);
    out->approximate_backlog_count = (int64_t)info->backlog;
    out->approximate_backlog_age = ARENA_NEW(arena, Google__Protobuf__Duration);
    google__protobuf__duration__init(out->approximate_backlog_age);
    out->approximate_backlog_age->seconds = info->backlog_age_ns / INT64_C(1000000000);
    out->approximate_backlog_age->nanos = (int32_t)(info->backlog_age_ns % INT64_C(1000000000));
    out->tasks_add_rate = (float)info->add_rate;
    out->tasks_dispatch_rate = (float)info->dispatch_rate;
    return out;
}

static Temporal__Api__Taskqueue__V1__PollerInfo **shown_pollers(const struct queue_info *info, struct arena *arena) {
    Temporal__Api__Taskqueue__V1__PollerInfo **out = arena_alloc(arena, info->poller_count * sizeof *out);
    for (size_t i = 0; i < info->poller_count; i++) out[i] = shown_poller(&info->pollers[i], arena);
    return out;
}

/* ---- the enhanced description, of several types at once, which may be on several loops ------------------------------ */

enum { DESCRIBED_TYPES_MAX = 2 };

typedef Temporal__Api__Taskqueue__V1__TaskQueueTypeInfo TypeInfo;
typedef Temporal__Api__Taskqueue__V1__TaskQueueVersionInfo__TypesInfoEntry TypeEntry;

struct enhanced {
    enum queue_type types[DESCRIBED_TYPES_MAX];
    TypeEntry entries[DESCRIBED_TYPES_MAX], *pointers[DESCRIBED_TYPES_MAX];
    size_t count, done;
};

/* Which types: those that are asked for, or all; Nexus queues are not here. */
static struct enhanced *enhanced_begin(const WS(DescribeTaskQueueRequest) *request, struct arena *arena) {
    struct enhanced *out = ARENA_NEW(arena, struct enhanced);
    for (int type = QUEUE_WORKFLOW; type <= QUEUE_ACTIVITY; type++) {
        bool asked = request->n_task_queue_types == 0;
        for (size_t i = 0; i < request->n_task_queue_types; i++) asked |= (int)request->task_queue_types[i] == type;
        if (asked) out->types[out->count++] = (enum queue_type)type;
    }
    return out;
}

static void enhanced_add(struct frontend *frontend, struct api_call *api, struct enhanced *out) {
    const WS(DescribeTaskQueueRequest) *request = (const void *)api->call.request;
    struct arena *arena = api->call.arena;
    struct queue_info info;
    queues_describe(frontend->queues, &api->queue_name, arena, &info);
    TypeInfo *shown = ARENA_NEW(arena, TypeInfo);
    temporal__api__taskqueue__v1__task_queue_type_info__init(shown);
    if (request->report_pollers) {
        shown->n_pollers = info.poller_count;
        shown->pollers = shown_pollers(&info, arena);
    }
    if (request->report_stats) shown->stats = shown_stats(&info, arena);
    TypeEntry *entry = &out->entries[out->done];
    temporal__api__taskqueue__v1__task_queue_version_info__types_info_entry__init(entry);
    entry->key = out->types[out->done];
    entry->value = shown;
    out->pointers[out->done++] = entry;
}

static void enhanced_end(struct api_call *api, struct enhanced *out) {
    Temporal__Api__Taskqueue__V1__TaskQueueVersionInfo info = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE_VERSION_INFO__INIT;
    info.n_types_info = out->done;
    info.types_info = out->pointers;
    WS(DescribeTaskQueueResponse__VersionsInfoEntry) entry =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_TASK_QUEUE_RESPONSE__VERSIONS_INFO_ENTRY__INIT, *pointer = &entry;
    entry.key = (char *)(uintptr_t)"";
    entry.value = &info;
    WS(DescribeTaskQueueResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_TASK_QUEUE_RESPONSE__INIT;
    response.n_versions_info = 1;
    response.versions_info = &pointer;
    call_reply(&api->call, &response.base);
}

/* Goes to the loop of each type's queue in turn, and answers from the last. */
static void describe_enhanced(struct frontend *frontend, struct api_call *api) {
    const struct route *route = frontend->shared->route;
    struct enhanced *out = api->handler_state;
    if (!out) api->handler_state = out = enhanced_begin((const void *)api->call.request, api->call.arena);
    while (out->done < out->count) {
        api->queue_name.type = out->types[out->done];
        unsigned loop = route_loop(route, queue_hash(&api->queue_name));
        if (loop != io_loop_index(frontend->io)) {
            api_go_to(api, loop);
            return;
        }
        enhanced_add(frontend, api, out);
    }
    enhanced_end(api, out);
}

void api_describe_task_queue(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(DescribeTaskQueueRequest) *request = (const void *)call->request;
    /* Partitions of other servers have such names; ours have one. */
    if (request->report_stats && strncmp(request->task_queue->name, "/_sys/", 6) == 0) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "DescribeTaskQueue stats are only supported for the root partition");
        return;
    }
    if (request->api_mode == TEMPORAL__API__ENUMS__V1__DESCRIBE_TASK_QUEUE_MODE__DESCRIBE_TASK_QUEUE_MODE_ENHANCED) {
        describe_enhanced(frontend, api);
        return;
    }
    struct queue_info info;
    queues_describe(frontend->queues, &api->queue_name, call->arena, &info);
    WS(DescribeTaskQueueResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_TASK_QUEUE_RESPONSE__INIT;
    response.n_pollers = info.poller_count;
    response.pollers = shown_pollers(&info, call->arena);
    if (request->report_stats) response.stats = shown_stats(&info, call->arena);
    Temporal__Api__Taskqueue__V1__TaskQueueStatus status = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE_STATUS__INIT;
    if (request->include_task_queue_status) {
        status.backlog_count_hint = (int64_t)info.backlog;
        status.rate_per_second = 100000;
        response.task_queue_status = &status;
    }
    call_reply(call, &response.base);
}

void api_list_task_queue_partitions(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    Temporal__Api__Taskqueue__V1__TaskQueuePartitionMetadata partition =
        TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE_PARTITION_METADATA__INIT, *pointer = &partition;
    partition.key = arena_text(call->arena, api->queue_name.name);
    partition.owner_host_name = (char *)(uintptr_t)io_hostname(frontend->io);
    WS(ListTaskQueuePartitionsResponse) response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_TASK_QUEUE_PARTITIONS_RESPONSE__INIT;
    response.n_activity_task_queue_partitions = 1;
    response.activity_task_queue_partitions = &pointer;
    response.n_workflow_task_queue_partitions = 1;
    response.workflow_task_queue_partitions = &pointer;
    call_reply(call, &response.base);
}

/* ---- a worker's goodbye: told to every loop, for its polls may wait on any ---------------------------------------- */

struct goodbye {
    struct io_msg msg;
    struct frontend_shared *shared;
    struct queue_name sticky;
    bool has_sticky;
    char *worker_instance_key;
    uint8_t text[];
};

static void say_goodbye(struct io *io, struct io_msg *msg) {
    struct goodbye *goodbye = CONTAINER_OF(msg, struct goodbye, msg);
    queues_shutdown_worker(goodbye->shared->frontends[io_loop_index(io)]->queues,
                           goodbye->has_sticky ? &goodbye->sticky : NULL, goodbye->worker_instance_key);
    mem_free(goodbye->worker_instance_key);
    mem_free(goodbye);
}

void api_shutdown_worker(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(ShutdownWorkerRequest) *request = (const void *)call->request;
    size_t len = strlen(request->sticky_task_queue);
    for (unsigned loop = 0; loop < io_loop_count(frontend->io); loop++) {
        struct goodbye *goodbye = mem_alloc(sizeof *goodbye + len);
        *goodbye = (struct goodbye){.msg.receive = say_goodbye, .shared = frontend->shared, .has_sticky = len > 0,
                                    .worker_instance_key = mem_strdup(request->worker_instance_key)};
        memcpy(goodbye->text, request->sticky_task_queue, len);
        goodbye->sticky = (struct queue_name){.type = QUEUE_WORKFLOW, .name = bytes_of(goodbye->text, len)};
        memcpy(goodbye->sticky.namespace_id, call->ns->id, NAMESPACE_ID_LEN);
        io_post(frontend->io, loop, &goodbye->msg);
    }
    WS(ShutdownWorkerResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__SHUTDOWN_WORKER_RESPONSE__INIT;
    call_reply(call, &response.base);
}
