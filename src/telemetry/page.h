/* page: the inside of a page of metrics and of a set of series. */
#ifndef NORN_TELEMETRY_PAGE_H
#define NORN_TELEMETRY_PAGE_H

#include "base/arena.h"
#include "base/list.h"
#include "telemetry/metrics.h"

struct set_series {
    struct map_node node;
    struct list link;
    struct arena arena;                    /* of the values */
    const char *values[METRICS_LABELS_MAX];
    unsigned value_count;
    uint64_t count;
    struct histogram histogram[];          /* one, in a set of histograms */
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_GAUGE_MAX, METRICS_HISTOGRAM };

struct metrics_series {
    struct map_node node;
    const char *name, *help;               /* of the family */
    enum metrics_kind kind;
    struct bytes labels;                   /* as text, without braces: a="b",c="d" */
    double value;
    struct histogram *histogram;
};

struct metrics_page {
    struct arena arena;
    struct map map;                        /* by name and labels */
    struct metrics_series **series;
    size_t count, cap;
    uint64_t dropped;
};


#endif
