/* Sums, histograms, limits and the text of metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "telemetry/metrics.h"

static const struct metrics_label red[] = {{"colour", {(const uint8_t *)"red", 3}}, {NULL, {NULL, 0}}};

static void assert_renders(const struct metrics_page *page, const char *expected) {
    struct buf text = {0};
    metrics_render(page, &text);
    assert_string_equal(buf_cstr(&text), expected);
    buf_free(&text);
}

static void values_of_one_series_are_summed(void **state) {
    (void)state;
    struct metrics_page *page = metrics_page_create();
    metrics_counter(page, "norn_b", "Second", NULL, 3);
    metrics_gauge(page, "norn_a", "First", red, 1.5);
    metrics_counter(page, "norn_b", "Second", NULL, 4);
    metrics_gauge(page, "norn_a", "First", red, 1);
    metrics_gauge(page, "norn_a", "First", NULL, 2);
    metrics_gauge_max(page, "norn_c", "Third", NULL, 5);
    metrics_gauge_max(page, "norn_c", "Third", NULL, 4);
    assert_renders(page, "# TYPE norn_a gauge\n# HELP norn_a First\nnorn_a 2\nnorn_a{colour=\"red\"} 2.5\n"
                         "# TYPE norn_b counter\n# HELP norn_b Second\nnorn_b_total 7\n"
                         "# TYPE norn_c gauge\n# HELP norn_c Third\nnorn_c 5\n# EOF\n");
    metrics_page_destroy(page);
}

static void label_values_are_escaped(void **state) {
    (void)state;
    struct metrics_page *page = metrics_page_create();
    const struct metrics_label labels[] = {{"a", bytes_str("x\"y\\z\n")}, {"b", bytes_str("")}, {NULL, {NULL, 0}}};
    metrics_counter(page, "n", "N", labels, 1);
    assert_renders(page, "# TYPE n counter\n# HELP n N\nn_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1\n# EOF\n");
    metrics_page_destroy(page);
}

static void histograms_count_up_to_each_bound(void **state) {
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 100000);              /* on a bound: within it */
    histogram_add(&histogram, 100001);
    histogram_add(&histogram, 700000000000000);     /* beyond all */
    struct metrics_page *page = metrics_page_create();
    metrics_histogram(page, "d_seconds", "D", red, &histogram);
    metrics_histogram(page, "d_seconds", "D", red, &histogram);
    struct buf text = {0};
    metrics_render(page, &text);
    const char *rendered = buf_cstr(&text);
    assert_non_null(strstr(rendered, "d_seconds_bucket{colour=\"red\",le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(rendered, "d_seconds_bucket{colour=\"red\",le=\"0.00025\"} 4\n"));
    assert_non_null(strstr(rendered, "d_seconds_bucket{colour=\"red\",le=\"604800.0\"} 4\n"));
    assert_non_null(strstr(rendered, "d_seconds_bucket{colour=\"red\",le=\"+Inf\"} 6\n"));
    assert_non_null(strstr(rendered, "d_seconds_count{colour=\"red\"} 6\n"));
    buf_free(&text);
    metrics_page_destroy(page);
}

static void sets_have_a_limit(void **state) {
    (void)state;
    struct series_set set;
    series_set_init(&set, false, 2, (const char *const[]){"queue", NULL});
    static const char *const names[] = {"a", "b", "c", "a", "d"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) series_count(&set, &(struct bytes){(const uint8_t *)names[i], 1}, 1);
    struct metrics_page *page = metrics_page_create();
    metrics_series(page, "n", "N", &set);
    assert_renders(page, "# TYPE n counter\n# HELP n N\nn_total{queue=\"_other\"} 2\nn_total{queue=\"a\"} 2\n"
                         "n_total{queue=\"b\"} 1\n# EOF\n");
    metrics_page_destroy(page);
    series_set_free(&set);
}

static void a_page_has_a_limit(void **state) {
    (void)state;
    struct metrics_page *page = metrics_page_create();
    for (unsigned i = 0; i < METRICS_SERIES_MAX + 3; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", i);
        const struct metrics_label labels[] = {{"i", bytes_str(value)}, {NULL, {NULL, 0}}};
        metrics_counter(page, "n", "N", labels, 1);
    }
    struct buf text = {0};
    metrics_render(page, &text);
    assert_non_null(strstr(buf_cstr(&text), "\nnorn_metrics_dropped 3\n"));
    buf_free(&text);
    metrics_page_destroy(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_one_series_are_summed),  cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(histograms_count_up_to_each_bound), cmocka_unit_test(sets_have_a_limit),
        cmocka_unit_test(a_page_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
