/* metrics: what a server counts, in OpenMetrics' text form (prometheus.io/docs/specs/om/open_metrics_spec).
 *
 * Each layer counts for itself, in plain integers of its loop: no lock and no atomic is on the path. A scrape visits the
 * loops one after another by messages; on each, the collectors registered there write the loop's values onto a page;
 * values of the same name and labels are summed over the loops. Names and labels are listed in docs/operations.md. */
#ifndef NORN_TELEMETRY_METRICS_H
#define NORN_TELEMETRY_METRICS_H

#include "base/map.h"
#include "io/io.h"

enum {
    METRICS_SERIES_MAX = 100000,           /* of one page; more are dropped and counted in norn_metrics_dropped */
    METRICS_LABELS_MAX = 4,
};

/* ---- histograms ------------------------------------------------------------------------------------------------- */

/* Upper bounds in ns, as X(ns, seconds as text). The last bucket, +Inf, is not listed. */
#define METRICS_BUCKETS(X)                                                                                     \
    X(100000ll, "0.0001") X(250000ll, "0.00025") X(500000ll, "0.0005") X(1000000ll, "0.001")                   \
    X(2500000ll, "0.0025") X(5000000ll, "0.005") X(10000000ll, "0.01") X(25000000ll, "0.025")                  \
    X(50000000ll, "0.05") X(100000000ll, "0.1") X(250000000ll, "0.25") X(500000000ll, "0.5")                   \
    X(1000000000ll, "1.0") X(2500000000ll, "2.5") X(5000000000ll, "5.0") X(10000000000ll, "10.0")              \
    X(30000000000ll, "30.0") X(60000000000ll, "60.0") X(300000000000ll, "300.0") X(900000000000ll, "900.0")    \
    X(3600000000000ll, "3600.0") X(21600000000000ll, "21600.0") X(86400000000000ll, "86400.0")                 \
    X(604800000000000ll, "604800.0")

#define X(ns, text) +1
enum { METRICS_BUCKET_COUNT = 0 METRICS_BUCKETS(X) + 1 };
#undef X

struct histogram {                         /* a zeroed one is empty and valid */
    uint64_t buckets[METRICS_BUCKET_COUNT];       /* each counts its own span alone */
    double sum_seconds;
};
void histogram_add(struct histogram *histogram, int64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Histograms or counters with labels: one series for each set of values. Beyond series_max, everything goes to one
 * series whose values are "_other". */
struct series_set {
    const char *labels[METRICS_LABELS_MAX];       /* names; NULL ends */
    size_t series_max;
    struct map map;
    struct list all;                       /* in the order of their appearance */
    bool histograms;
};
void series_set_init(struct series_set *set, bool histograms, size_t series_max, const char *const *labels);
void series_set_free(struct series_set *set);
/* `values` has one for each label. */
void series_observe(struct series_set *set, const struct bytes *values, int64_t ns);
void series_count(struct series_set *set, const struct bytes *values, uint64_t add);

/* ---- a page ------------------------------------------------------------------------------------------------------- */

struct metrics_page;

struct metrics_label {
    const char *name;                      /* NULL ends a list */
    struct bytes value;
};

/* Adds to a series, which begins at zero. Counter names have no "_total" here; units belong to the name (_seconds,
 * _bytes). `help` is a constant. `labels` may be NULL. */
void metrics_counter(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                     double add);
void metrics_gauge(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                   double add);
/* The highest of the loops' values. */
void metrics_gauge_max(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                       double value);
void metrics_histogram(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                       const struct histogram *histogram);
/* All of a set, as one family. */
void metrics_series(struct metrics_page *page, const char *name, const char *help, const struct series_set *set);

struct metrics_page *metrics_page_create(void);
void metrics_page_destroy(struct metrics_page *page);
/* Families by name, series by labels; ends with "# EOF". */
void metrics_render(const struct metrics_page *page, struct buf *out);
#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* ---- collecting ----------------------------------------------------------------------------------------------------- */

typedef void metrics_collect_fn(struct io *io, void *ctx, struct metrics_page *page);

/* This loop's collectors, called in the order of registration at each scrape. */
struct metrics_collector {
    metrics_collect_fn *collect;
    void *ctx;
    struct list link;
};
void metrics_open(struct io *io);          /* before the loop's first collector */
void metrics_close(struct io *io);         /* collectors are forgotten */
/* `collector` stays in place until metrics_close. */
void metrics_register(struct io *io, struct metrics_collector *collector);
/* This loop alone, at once. */
void metrics_collect(struct io *io, struct metrics_page *page);
/* All loops: done(io, ctx, page) runs on this loop with a page that it owns. */
void metrics_scrape(struct io *io, void (*done)(struct io *io, void *ctx, struct metrics_page *page), void *ctx);

#endif
