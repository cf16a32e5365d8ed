/* health: grpc.health.v1.Health, as load balancers, the SDKs and the temporal command ask it. */
#include <grpc/health/v1/health.pb-c.h>

#include "net/internal.h"

typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthListResponse__StatusesEntry Entry;

/* net is the service here: it takes the call and ends it at once. */
static void fail(struct net_call *call, struct status status) {
    call->with_service = true;
    rpc_fail(call->server->io, &call->rpc, status);
}

static void reply(struct net_call *call, const ProtobufCMessage *message) {
    call->with_service = true;
    rpc_reply(call->server->io, &call->rpc, message);
}

static Response response_of(bool serving) {
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                              : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    return response;
}

void health_check(struct net_call *call) {
    struct bytes request = call->rpc.request;
    Grpc__Health__V1__HealthCheckRequest *asked =
        grpc__health__v1__health_check_request__unpack(arena_pb(&call->rpc.arena), request.len, request.data);
    if (!asked) {
        fail(call, (struct status){STATUS_INTERNAL, "grpc: error unmarshalling request"});
        return;
    }
    bool known;
    Response response = response_of(internal_is_serving(call->server, asked->service, &known));
    if (known) reply(call, &response.base);
    else fail(call, (struct status){STATUS_NOT_FOUND, "unknown service"});
}

static Entry *entry_of(struct net_call *call, const char *name) {
    bool known;
    Entry *entry = ARENA_NEW(&call->rpc.arena, Entry);
    *entry = (Entry)GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__STATUSES_ENTRY__INIT;
    entry->key = (char *)name;
    entry->value = ARENA_NEW(&call->rpc.arena, Response);
    *entry->value = response_of(internal_is_serving(call->server, name, &known));
    return entry;
}

void health_list(struct net_call *call) {
    enum { ENTRIES_MAX = 32 };
    Grpc__Health__V1__HealthListResponse response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    Entry *entries[ENTRIES_MAX];
    response.statuses = entries;
    entries[response.n_statuses++] = entry_of(call, "");
    const char *name;
    while (response.n_statuses < ENTRIES_MAX && (name = internal_service(call->server, response.n_statuses - 1)))
        entries[response.n_statuses++] = entry_of(call, name);
    reply(call, &response.base);
}

/* Clients take this answer as "assume that it serves". */
void health_watch(struct net_call *call) {
    fail(call, (struct status){STATUS_UNIMPLEMENTED, "Watch is not offered; ask Check"});
}
