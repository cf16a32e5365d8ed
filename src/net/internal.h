/* internal: the services that net answers itself, and what reflection tells about all of them. */
#ifndef NORN_NET_INTERNAL_H
#define NORN_NET_INTERNAL_H

#include "net/call.h"

/* grpc.health.v1.Health (health.c). */
void health_check(struct net_call *call);
void health_list(struct net_call *call);
void health_watch(struct net_call *call);
/* grpc.reflection.v1 and v1alpha (reflection.c): one message of the stream. */
void reflection_message(struct net_call *call, struct bytes message);

/* The services that this server has, by index; NULL at the end. */
const char *internal_service(struct net_server *server, size_t index);
bool internal_is_serving(struct net_server *server, const char *name, bool *known);

#endif
