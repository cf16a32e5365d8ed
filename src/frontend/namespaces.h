/* namespaces: the node's namespaces and their custom search attributes.
 *
 * Loop 0 owns them; every loop has a copy. A change is checked on loop 0, committed as a node record, given to every loop
 * once it is durable, and acknowledged when every loop has it. */
#ifndef NORN_FRONTEND_NAMESPACES_H
#define NORN_FRONTEND_NAMESPACES_H

#include "norn/node.pb-c.h"
#include "shard/call.h"

struct namespaces;

enum {
    NAMESPACE_NAME_MAX = 1000,          /* maxIDLength */
    SEARCH_ATTRIBUTES_PER_NAMESPACE_MAX = 200,
};

struct namespaces *namespaces_create(void);
void namespaces_destroy(struct namespaces *namespaces);
/* Sets (or, with an empty payload, removes) a namespace by its encoded norn.node.Namespace. Recovery and broadcast. */
void namespaces_apply(struct namespaces *namespaces, struct bytes payload);

const struct namespace_info *namespaces_by_name(const struct namespaces *namespaces, const char *name);
const struct namespace_info *namespaces_by_id(const struct namespaces *namespaces, const uint8_t id[NAMESPACE_ID_LEN]);
/* The whole record of a namespace from either of the above. */
const Norn__Node__Namespace *namespaces_record(const struct namespace_info *info);
/* In order of names; *count of them. */
const struct namespace_info *const *namespaces_all(const struct namespaces *namespaces, size_t *count);
/* temporal.api.enums.v1.IndexedValueType of a custom attribute; 0 when not defined. */
int32_t namespaces_attribute_type(const struct namespaces *namespaces, const uint8_t id[NAMESPACE_ID_LEN],
                                  const char *name);
/* NOT_FOUND with its NamespaceNotFoundFailure. */
struct status namespace_not_found(struct arena *arena, const char *name);
/* A snapshot that calls hold on to: freed when the last is let go. */
const struct namespace_info *namespace_hold(const struct namespace_info *info);
void namespace_release(const struct namespace_info *info);

#endif
