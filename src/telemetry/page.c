/* page: series of one scrape, their sums over the loops, and their text. */
#include "telemetry/page.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

struct metrics_page *metrics_page_create(void) { return MEM_NEW(struct metrics_page); }

void metrics_page_destroy(struct metrics_page *page) {
    map_free(&page->map);
    mem_free(page->series);
    arena_free(&page->arena);
    mem_free(page);
}

/* ---- filling --------------------------------------------------------------------------------------------------------- */

struct series_key {
    const char *name;
    struct bytes labels;
};

static bool series_equal(const struct map_node *node, const void *key) {
    const struct metrics_series *series = CONTAINER_OF(node, struct metrics_series, node);
    const struct series_key *wanted = key;
    return strcmp(series->name, wanted->name) == 0 && bytes_equal(series->labels, wanted->labels);
}

static struct metrics_series *series_add(struct metrics_page *page, const struct series_key *key, uint64_t hash) {
    struct metrics_series *series = ARENA_NEW(&page->arena, struct metrics_series);
    series->name = key->name;
    series->labels = bytes_of(arena_copy(&page->arena, key->labels.data, key->labels.len), key->labels.len);
    map_insert(&page->map, &series->node, hash);
    if (page->count == page->cap) {
        page->cap = page->cap ? page->cap * 2 : 256;
        page->series = mem_realloc(page->series, page->cap * sizeof(struct metrics_series *));
    }
    page->series[page->count++] = series;
    return series;
}

/* The series with these labels; NULL when the page is full. */
static struct metrics_series *series_of(struct metrics_page *page, const char *name, const char *help,
                                        enum metrics_kind kind, struct bytes labels) {
    struct series_key key = {name, labels};
    uint64_t hash = hash64_seed(labels.data, labels.len, hash64(name, strlen(name)));
    struct map_node *node = map_find(&page->map, hash, series_equal, &key);
    struct metrics_series *series = node ? CONTAINER_OF(node, struct metrics_series, node) : NULL;
    if (!series && page->count == METRICS_SERIES_MAX) {
        page->dropped++;
        return NULL;
    }
    if (!series) series = series_add(page, &key, hash);
    CHECKF(series->value == 0 || series->kind == kind, "metric %s has two kinds", name);
    series->help = help;
    series->kind = kind;
    return series;
}

static void append_label(struct buf *out, const char *name, struct bytes value) {
    if (out->len) buf_append_u8(out, ',');
    buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c == '\n') buf_append_str(out, "\\n");
        else if (c == '"' || c == '\\') buf_printf(out, "\\%c", c);
        else buf_append_u8(out, c);
    }
    buf_append_u8(out, '"');
}

static struct metrics_series *series_with(struct metrics_page *page, const char *name, const char *help,
                                          enum metrics_kind kind, const struct metrics_label *labels) {
    struct buf text = {0};
    for (; labels && labels->name; labels++) append_label(&text, labels->name, labels->value);
    struct metrics_series *series = series_of(page, name, help, kind, buf_bytes(&text));
    buf_free(&text);
    return series;
}

void metrics_counter(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                     double add) {
    struct metrics_series *series = series_with(page, name, help, METRICS_COUNTER, labels);
    if (series) series->value += add;
}

void metrics_gauge(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                   double add) {
    struct metrics_series *series = series_with(page, name, help, METRICS_GAUGE, labels);
    if (series) series->value += add;
}

void metrics_gauge_max(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                       double value) {
    struct metrics_series *series = series_with(page, name, help, METRICS_GAUGE_MAX, labels);
    if (series && value > series->value) series->value = value;
}

static void add_histogram(struct metrics_page *page, struct metrics_series *series, const struct histogram *histogram) {
    if (!series) return;
    if (!series->histogram) series->histogram = ARENA_NEW(&page->arena, struct histogram);
    histogram_merge(series->histogram, histogram);
}

void metrics_histogram(struct metrics_page *page, const char *name, const char *help, const struct metrics_label *labels,
                       const struct histogram *histogram) {
    add_histogram(page, series_with(page, name, help, METRICS_HISTOGRAM, labels), histogram);
}

void metrics_series(struct metrics_page *page, const char *name, const char *help, const struct series_set *set) {
    LIST_EACH(link, &set->all) {
        struct set_series *from = LIST_ENTRY(link, struct set_series, link);
        struct metrics_label labels[METRICS_LABELS_MAX + 1] = {0};
        for (unsigned i = 0; i < from->value_count; i++)
            labels[i] = (struct metrics_label){set->labels[i], bytes_str(from->values[i])};
        if (set->histograms)
            metrics_histogram(page, name, help, labels, from->histogram);
        else
            metrics_counter(page, name, help, labels, (double)from->count);
    }
}

/* ---- text ---------------------------------------------------------------------------------------------------------------- */

static int series_order(const void *a, const void *b) {
    const struct metrics_series *first = *(struct metrics_series *const *)a, *second = *(struct metrics_series *const *)b;
    int by_name = strcmp(first->name, second->name);
    return by_name ? by_name : bytes_compare(first->labels, second->labels);
}

static void append_value(struct buf *out, double value) {
    if (value == (double)(int64_t)value && value > -1e15 && value < 1e15)
        buf_printf(out, " %lld\n", (long long)value);
    else
        buf_printf(out, " %.15g\n", value);
}

static void append_sample(struct buf *out, const struct metrics_series *series, const char *suffix, double value) {
    buf_printf(out, "%s%s", series->name, suffix);
    if (series->labels.len) buf_printf(out, "{%.*s}", (int)series->labels.len, (const char *)series->labels.data);
    append_value(out, value);
}

static void append_histogram(struct buf *out, const struct metrics_series *series) {
#define X(bound, text) text,
    static const char *const bounds[] = {METRICS_BUCKETS(X) "+Inf"};
#undef X
    uint64_t count = 0;
    for (unsigned i = 0; i < METRICS_BUCKET_COUNT; i++) {
        count += series->histogram->buckets[i];
        buf_printf(out, "%s_bucket{%.*s%sle=\"%s\"} %llu\n", series->name, (int)series->labels.len,
                   (const char *)series->labels.data, series->labels.len ? "," : "", bounds[i],
                   (unsigned long long)count);
    }
    append_sample(out, series, "_count", (double)count);
    append_sample(out, series, "_sum", series->histogram->sum_seconds);
}

/* OpenMetrics wants counters to end in _total. workflow_replay_count has its name from the design, so it is of no type. */
static bool is_named_count(const struct metrics_series *series) {
    static const char ending[] = "_count";
    size_t len = strlen(series->name), ending_len = sizeof ending - 1;
    return series->kind == METRICS_COUNTER && len > ending_len && strcmp(series->name + len - ending_len, ending) == 0;
}

static void append_family(struct buf *out, const struct metrics_series *first) {
    static const char *const types[] = {"counter", "gauge", "gauge", "histogram"};
    buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n", first->name, is_named_count(first) ? "unknown" : types[first->kind],
               first->name, first->help);
}

void metrics_render(const struct metrics_page *page, struct buf *out) {
    struct metrics_series dropped = {.name = "norn_metrics_dropped", .value = (double)page->dropped};
    if (page->count) qsort(page->series, page->count, sizeof *page->series, series_order);
    const char *family = "";
    for (size_t i = 0; i < page->count; i++) {
        const struct metrics_series *series = page->series[i];
        if (strcmp(series->name, family) != 0) append_family(out, series);
        family = series->name;
        if (series->kind == METRICS_HISTOGRAM) append_histogram(out, series);
        else append_sample(out, series, series->kind == METRICS_COUNTER && !is_named_count(series) ? "_total" : "", series->value);
    }
    if (page->dropped) {
        buf_append_str(out, "# TYPE norn_metrics_dropped gauge\n"
                            "# HELP norn_metrics_dropped Samples left out, because a page holds no more series\n");
        append_sample(out, &dropped, "", dropped.value);
    }
    buf_append_str(out, "# EOF\n");
}
