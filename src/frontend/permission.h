/* permission: who may call what. There are no roles yet: whoever may connect may do all but what concerns the node itself
 * (API_MAINTAIN), which is for those that the settings admin.* name. */
#ifndef NORN_FRONTEND_PERMISSION_H
#define NORN_FRONTEND_PERMISSION_H

#include "base/status.h"
#include "net/rpc.h"

struct permission_rules {
    const char *admin_names;             /* of client certificates, with commas between: "CN=ops, DNS:ops.acme" */
    bool admin_from_loopback;            /* without mutual TLS: loopback peers may */
};

/* Whether this peer may maintain the node; if not, why not and what to set, in `arena`. */
struct status permission_maintain(const struct permission_rules *rules, const struct rpc_peer *peer, const char *method,
                                  struct arena *arena);

#endif
