/* namespace_change: what every change of a namespace begins with. On loop 0. */
#ifndef NORN_FRONTEND_NAMESPACE_CHANGE_H
#define NORN_FRONTEND_NAMESPACE_CHANGE_H

#include "frontend/node_changes.h"

/* Whether there is room on the disk and no other change of this namespace (or of this name) is under way; else the call
 * has failed. */
bool namespace_may_change(struct frontend *frontend, struct call *call, const char *id_text, const char *name);
/* The named namespace, when it is there and may be changed now; else the call has failed. */
const struct namespace_info *namespace_find_to_change(struct frontend *frontend, struct call *call, const char *name);
/* A copy of a namespace's record in the arena, to change. */
Norn__Node__Namespace *namespace_copy_record(const struct namespace_info *info, struct arena *arena);

#endif
