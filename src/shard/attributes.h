/* attributes: memo and search attributes. */
#ifndef NORN_SHARD_ATTRIBUTES_H
#define NORN_SHARD_ATTRIBUTES_H

#include "shard/exec.h"

/* apply_event for UpsertWorkflowSearchAttributes and WorkflowPropertiesModified. */
void attributes_apply(struct exec *exec, const HistoryEvent *event);
/* Checks what a start gives (defined names, right types, sizes); the refusal's texts are in the arena. */
struct status attributes_check(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                               const SearchAttributes *attributes, struct arena *arena);
/* The same, without the sizes. */
struct status attributes_check_values(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                      const SearchAttributes *attributes, struct arena *arena);
/* A copy whose values name their declared type: what a start or an upsert writes into its event. NULL gives NULL. */
SearchAttributes *attributes_typed(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                   const SearchAttributes *attributes, struct arena *arena);
/* The run's attributes with those that the server sets on top: who worked on it, what is wrong with it, how much it keeps
 * elsewhere. NULL when there are none. The rest is borrowed. */
SearchAttributes *attributes_shown(const struct exec *exec, struct arena *arena);
/* {"name": value, ...} for visibility filters, of typed values (search_attributes.h). */
void attributes_json(const SearchAttributes *attributes, struct buf *out);

#endif
