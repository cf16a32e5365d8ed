/* filter: Temporal's list filter (temporal-surface.md 7.2) as SQL over the documented columns of visibility_records.
 *
 * User text never becomes SQL: names are looked up, values become parameters. */
#ifndef NORN_VISIBILITY_FILTER_H
#define NORN_VISIBILITY_FILTER_H

#include "base/arena.h"
#include "base/status.h"
#include "store/store.h"

enum { FILTER_LENGTH_MAX = 10000, FILTER_DEPTH_MAX = 32, FILTER_PARAMS_MAX = 200 };

/* The type of a custom search attribute (temporal.api.enums.v1.IndexedValueType), 0 when not defined. */
typedef int32_t filter_type_fn(void *ctx, const char *name);

struct filter {
    const char *where;                  /* "" is all */
    struct store_param *params;
    unsigned param_count;
    const char *group_by;               /* count only: SQL, or NULL */
    bool group_by_status;               /* the groups are statuses; else texts */
};

/* Translates `query`; texts and parameters are in the arena. INVALID_ARGUMENT names what is wrong, and where. */
struct status filter_parse(const char *query, bool counting, filter_type_fn *type, void *ctx, struct arena *arena,
                           struct filter *out);

#endif
