/* internal: finds the services that net answers itself. */
#include "net/internal.h"

#define HEALTH "grpc.health.v1.Health"
#define REFLECTION "grpc.reflection.v1.ServerReflection"
#define REFLECTION_ALPHA "grpc.reflection.v1alpha.ServerReflection"

static const struct internal_method {
    const char *path;
    void (*unary)(struct net_call *call);
    net_call_message_fn *stream;
} methods[] = {
    {"/" HEALTH "/Check", health_check, NULL},
    {"/" HEALTH "/List", health_list, NULL},
    {"/" HEALTH "/Watch", health_watch, NULL},
    {"/" REFLECTION "/ServerReflectionInfo", NULL, reflection_message},
    {"/" REFLECTION_ALPHA "/ServerReflectionInfo", NULL, reflection_message},
};

static const struct internal_method *find(const char *path) {
    if (strncmp(path, "/grpc.", 6) != 0) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i].path, path) == 0) return &methods[i];
    return NULL;
}

bool net_call_is_internal(struct net_call *call) {
    const struct internal_method *method = find(call->rpc.path);
    if (method) call->on_message = method->stream;
    return method != NULL;
}

void net_call_internal(struct net_call *call) { find(call->rpc.path)->unary(call); }

/* ---- what is here ---------------------------------------------------------------------------------------------- */

static const char *const rpc_services[] = {
#define NORN_RPC(service, method, request, response, client_streams, server_streams) service,
#include "norn_rpcs.inc"
#undef NORN_RPC
};

static bool is_own(const char *name) {
    return strcmp(name, HEALTH) == 0 || strcmp(name, REFLECTION) == 0 || strcmp(name, REFLECTION_ALPHA) == 0;
}

bool internal_is_serving(struct net_server *server, const char *name, bool *known) {
    *known = is_own(name);
    if (*known) return !server->draining;
    *known = name[0] == 0;               /* without a handler: the server as a whole */
    bool good = !server->handlers.healthy || server->handlers.healthy(server->io, server->handlers.ctx, name, known);
    return good && !server->draining;
}

/* Methods of one service follow each other in the table. */
const char *internal_service(struct net_server *server, size_t index) {
    const char *last = "";
    for (size_t i = 0; i < ARRAY_LEN(rpc_services); i++) {
        bool known;
        if (strcmp(rpc_services[i], last) == 0) continue;
        last = rpc_services[i];
        internal_is_serving(server, last, &known);
        if (known && index-- == 0) return last;
    }
    return NULL;
}
