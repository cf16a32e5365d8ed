/* histogram: counts of durations in fixed buckets, alone and in sets with labels. */
#include "base/hash.h"
#include "base/mem.h"
#include "telemetry/page.h"

void histogram_add(struct histogram *histogram, int64_t ns) {
#define X(bound, text) bound,
    static const int64_t bounds[] = {METRICS_BUCKETS(X)};
#undef X
    unsigned at = 0;
    while (at < ARRAY_LEN(bounds) && ns > bounds[at]) at++;
    histogram->buckets[at]++;
    histogram->sum_seconds += (double)ns / 1e9;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    for (unsigned i = 0; i < METRICS_BUCKET_COUNT; i++) into->buckets[i] += from->buckets[i];
    into->sum_seconds += from->sum_seconds;
}

/* ---- sets ------------------------------------------------------------------------------------------------------------- */

void series_set_init(struct series_set *set, bool histograms, size_t series_max, const char *const *labels) {
    *set = (struct series_set){.histograms = histograms, .series_max = series_max};
    list_init(&set->all);
    for (unsigned i = 0; labels[i]; i++) {
        CHECK(i < METRICS_LABELS_MAX);
        set->labels[i] = labels[i];
    }
}

static unsigned label_count(const struct series_set *set) {
    unsigned count = 0;
    while (count < METRICS_LABELS_MAX && set->labels[count]) count++;
    return count;
}

static bool series_equal(const struct map_node *node, const void *key) {
    const struct set_series *series = CONTAINER_OF(node, struct set_series, node);
    const struct bytes *values = key;
    for (unsigned i = 0; i < series->value_count; i++)
        if (!bytes_equal(bytes_str(series->values[i]), values[i])) return false;
    return true;
}

static struct set_series *series_add(struct series_set *set, uint64_t hash, const struct bytes *values) {
    struct set_series *series = mem_alloc(sizeof *series + (set->histograms ? sizeof(struct histogram) : 0));
    series->value_count = label_count(set);
    for (unsigned i = 0; i < series->value_count; i++) series->values[i] = arena_text(&series->arena, values[i]);
    map_insert(&set->map, &series->node, hash);
    list_push_back(&set->all, &series->link);
    return series;
}

static struct set_series *series_find(struct series_set *set, const struct bytes *values) {
    uint64_t hash = 0;
    for (unsigned i = 0; i < label_count(set); i++) hash = hash64_seed(values[i].data, values[i].len, hash);
    struct map_node *node = map_find(&set->map, hash, series_equal, values);
    if (node) return CONTAINER_OF(node, struct set_series, node);
    if (set->map.count < set->series_max) return series_add(set, hash, values);
    struct bytes other[METRICS_LABELS_MAX];
    for (unsigned i = 0; i < METRICS_LABELS_MAX; i++) other[i] = bytes_str("_other");
    enum { OTHER_HASH = 1 };                     /* apart from the map's limit, so that it is always found */
    node = map_find(&set->map, OTHER_HASH, series_equal, other);
    return node ? CONTAINER_OF(node, struct set_series, node) : series_add(set, OTHER_HASH, other);
}

void series_observe(struct series_set *set, const struct bytes *values, int64_t ns) {
    CHECK(set->histograms);
    histogram_add(series_find(set, values)->histogram, ns);
}

void series_count(struct series_set *set, const struct bytes *values, uint64_t add) {
    CHECK(!set->histograms);
    series_find(set, values)->count += add;
}

void series_set_free(struct series_set *set) {
    struct list *link;
    while ((link = list_pop_front(&set->all))) {
        struct set_series *series = LIST_ENTRY(link, struct set_series, link);
        arena_free(&series->arena);
        mem_free(series);
    }
    map_free(&set->map);
}
