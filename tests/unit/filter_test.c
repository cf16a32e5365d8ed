/* List filters become SQL with parameters, or errors that say what is wrong. */
#include "visibility/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int32_t type_of(void *ctx, const char *name) {
    (void)ctx;
    if (strcmp(name, "CustomInt") == 0) return 3;
    if (strcmp(name, "CustomList") == 0) return 7;
    if (strcmp(name, "CustomText") == 0) return 1;
    if (strcmp(name, "CustomTime") == 0) return 6;
    return 0;
}

static void filters_become_sql(void **state) {
    static const struct {
        const char *query, *where;
        unsigned params;
    } cases[] = {
        {"", "", 0},
        {"WorkflowId = 'a' AND WorkflowType='b'", "workflow_id = ? AND workflow_type = ?", 2},
        {"(ExecutionStatus = 'Running' or ExecutionStatus = 2) and not TaskQueue != \"q\"",
         "(status = ? OR status = ?) AND NOT (task_queue != ?)", 3},
        {"WorkflowId IN ('a', 'b''c')", "workflow_id IN (?, ?)", 2},
        {"StartTime BETWEEN '2026-01-01T00:00:00Z' AND '2026-02-01T00:00:00Z'", "start_time BETWEEN ? AND ?", 2},
        {"WorkflowId STARTS_WITH 'x'", "substr(workflow_id, 1, length(?)) = ?", 2},
        {"CloseTime IS NULL", "nullif(close_time, 0) IS NULL", 0},
        {"CustomInt >= 5", "json_extract(search_attributes_json, ?) >= ?", 2},
        {"CustomList = 'x'",
         "EXISTS(SELECT 1 FROM json_each(search_attributes_json, ?) WHERE json_each.value IN (?))", 2},
        {"`CustomTime` > '2026-01-01T00:00:00Z'", "json_extract(search_attributes_json, ?) > ?", 2},
        {"ScheduledById = 's'", "json_extract(search_attributes_json, ?) = ?", 2},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = {0};
        struct filter filter;
        struct status status = filter_parse(cases[i].query, false, type_of, NULL, &arena, &filter);
        assert_true(status_ok(status));
        assert_string_equal(filter.where, cases[i].where);
        assert_int_equal(filter.param_count, cases[i].params);
        arena_free(&arena);
    }
}

static void values_are_translated(void **state) {
    struct arena arena = {0};
    struct filter filter;
    (void)state;
    assert_true(status_ok(filter_parse("ExecutionStatus = 'TimedOut' AND WorkflowId = 'b''c' AND ExecutionDuration > '1h'",
                                       false, type_of, NULL, &arena, &filter)));
    assert_int_equal(filter.params[0].integer, 7);
    assert_true(bytes_equal(filter.params[1].text, bytes_str("b'c")));
    assert_int_equal(filter.params[2].integer, INT64_C(3600000000000));
    arena_free(&arena);
}

static void bad_filters_say_what_is_wrong(void **state) {
    static const char *const cases[][2] = {
        {"Nope = 1", "column name 'Nope' is not a valid search attribute"},
        {"WorkflowId =", "expected a value at the end"},
        {"WorkflowId = 5", "needs a quoted value"},
        {"ExecutionStatus = 'Odd'", "is not an execution status"},
        {"WorkflowId = 'a' ORDER BY StartTime", "'ORDER BY' clause is not supported"},
        {"WorkflowId = 'a' LIMIT 5", "'LIMIT' clause is not supported"},
        {"WorkflowId = 'a' GROUP BY ExecutionStatus", "GROUP BY is for counting only"},
        {"(WorkflowId = 'a'", "expected ) at the end"},
        {"CustomInt = 'x'", "is not a number"},
        {"StartTime > 'yesterday'", "is not a time"},
        {"WorkflowId = 'unended", "expected a value"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = {0};
        struct filter filter;
        struct status status = filter_parse(cases[i][0], false, type_of, NULL, &arena, &filter);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, cases[i][1]));
        arena_free(&arena);
    }
}

static void nesting_is_bounded(void **state) {
    struct arena arena = {0};
    struct filter filter;
    char query[200];
    (void)state;
    memset(query, '(', sizeof query - 1);
    query[sizeof query - 1] = 0;
    struct status status = filter_parse(query, false, type_of, NULL, &arena, &filter);
    assert_non_null(strstr(status.message, "nested deeper"));
    arena_free(&arena);
}

static void counts_may_be_grouped(void **state) {
    struct arena arena = {0};
    struct filter filter;
    (void)state;
    assert_true(status_ok(filter_parse("GROUP BY ExecutionStatus", true, type_of, NULL, &arena, &filter)));
    assert_string_equal(filter.group_by, "status");
    assert_true(filter.group_by_status);
    assert_true(status_ok(filter_parse("GROUP BY TemporalNamespaceDivision", true, type_of, NULL, &arena, &filter)));
    assert_non_null(filter.group_by);
    assert_false(filter.group_by_status);
    static const char *const refused[] = {"GROUP BY WorkflowType", "GROUP BY CustomKeywordField", "GROUP BY 'x'", "GROUP BY"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(filter_parse(refused[i], true, type_of, NULL, &arena, &filter).code, STATUS_INVALID_ARGUMENT);
    struct status status = filter_parse("GROUP BY ExecutionStatus, WorkflowType", true, type_of, NULL, &arena, &filter);
    assert_non_null(strstr(status.message, "'GROUP BY' clause supports only a single field"));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_become_sql),
        cmocka_unit_test(values_are_translated),
        cmocka_unit_test(bad_filters_say_what_is_wrong),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(counts_may_be_grouped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
