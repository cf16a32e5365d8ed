/* node_changes: changes of the node's values, made on loop 0: committed, given to every loop, then acknowledged. */
#ifndef NORN_FRONTEND_NODE_CHANGES_H
#define NORN_FRONTEND_NODE_CHANGES_H

#include "frontend/frontend.h"

struct node_changes;

struct node_changes *node_changes_create(struct frontend *frontend);
void node_changes_destroy(struct node_changes *changes);
/* Commits the record of a namespace and replies with `response` (packed at once; NULL: no call waits) when every loop has
 * it. Only one change of a namespace or a name may be under way: node_changes_busy. */
void node_changes_put(struct node_changes *changes, const Norn__Node__Namespace *record, struct call *call,
                      const ProtobufCMessage *response);
/* Whether a change of this namespace id, or to this name, is not acknowledged yet. */
bool node_changes_busy(const struct node_changes *changes, const char *id_text, const char *name);
/* No change is under way. */
bool node_changes_idle(const struct node_changes *changes);
/* The store says that loop 0's records up to `number` are durable. */
void node_changes_durable(struct node_changes *changes, uint64_t number);
/* Makes the namespaces that the first start needs: `default` and `temporal-system`. */
void node_changes_first_start(struct node_changes *changes);

#endif
