/* workload_internal: the loop's workload metrics, which belong to its collectors (collect.c). */
#ifndef NORN_TELEMETRY_WORKLOAD_INTERNAL_H
#define NORN_TELEMETRY_WORKLOAD_INTERNAL_H

#include "telemetry/metrics.h"

struct workload;

struct workload *workload_create(void);
void workload_destroy(struct workload *workload);
void workload_collect(const struct workload *workload, struct metrics_page *page);
/* NULL when this loop has no metrics. */
struct workload *workload_of(const struct io *io);

#endif
