/* Search attributes and memos: checks, merging, JSON for filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shard/pb.h"
#include "shard/search_attributes.h"

static struct arena arena;

static int teardown(void **state) {
    arena_free(&arena);
    return 0;
}

static int32_t custom_type(void *ctx, const char *name) {
    static const struct {
        const char *name;
        int32_t type;
    } all[] = {{"Kw", SA_KEYWORD}, {"Txt", SA_TEXT}, {"Num", SA_INT},  {"Dbl", SA_DOUBLE},
               {"Yes", SA_BOOL},   {"At", SA_DATETIME}, {"Kws", SA_KEYWORD_LIST}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].name, name) == 0) return all[i].type;
    }
    return SA_UNDEFINED;
}
static const struct search_attribute_types types = {.custom = custom_type};

/* name, JSON, name, JSON, ..., NULL; a JSON of NULL: no payload. */
static SearchAttributes *attributes(const char *name, ...) {
    SearchAttributes *all = PB_NEW(&arena, temporal__api__common__v1__search_attributes);
    all->indexed_fields = arena_alloc(&arena, 16 * sizeof(*all->indexed_fields));
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *)) {
        SearchAttributesEntry *entry =
            PB_NEW(&arena, temporal__api__common__v1__search_attributes__indexed_fields_entry);
        entry->key = arena_strdup(&arena, name);
        const char *json = va_arg(args, const char *);
        entry->value = json ? payload_json(&arena, bytes_str(json)) : NULL;
        all->indexed_fields[all->n_indexed_fields++] = entry;
    }
    va_end(args);
    return all;
}

static const char *refusal(SearchAttributes *all) {
    struct status status = search_attributes_check(&arena, &types, all);
    return status_ok(status) ? "" : status.message;
}

static const char *json_of(const SearchAttributes *all) {
    struct buf buf = {0};
    search_attributes_json(search_attributes_typed(&arena, &types, all), &buf);
    const char *text = arena_text(&arena, buf_bytes(&buf));
    buf_free(&buf);
    return text;
}

static void test_values(void **state) {
    static const struct {
        const char *name, *json;
        bool ok;
    } all[] = {
        {"Kw", "\"a\"", true},        {"Kw", "[\"a\"]", true},          {"Kw", "[\"a\",\"b\"]", false},
        {"Kw", "1", false},           {"Kw", "null", true},             {"Kw", "[]", true},
        {"Kw", "{}", false},          {"Kw", "[{\"a\":1}]", false},     {"Kw", "", false},
        {"Kw", "\"{\"", true},        {"Kw", "\"\\\"{\"", true},        {"Kw", "\"\xc3\"", false},
        {"Num", "7", true},           {"Num", "7.5", false},            {"Num", "\"7\"", false},
        {"Num", "9223372036854775808", false},                          {"Num", "-9223372036854775808", true},
        {"Dbl", "7.5", true},         {"Dbl", "7", true},               {"Dbl", "1e999", false},
        {"Yes", "true", true},        {"Yes", "1", false},              {"At", "\"2026-01-02T03:04:05Z\"", true},
        {"At", "\"yesterday\"", false}, {"At", "5", false},             {"Kws", "[\"a\",\"b\"]", true},
        {"Kws", "\"a\"", true},       {"Kws", "[1]", false},            {"TemporalChangeVersion", "[\"p-1\"]", true},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool ok = *refusal(attributes(all[i].name, all[i].json, NULL)) == '\0';
        if (ok != all[i].ok) fail_msg("%s = %s", all[i].name, all[i].json);
    }
    assert_string_equal(refusal(attributes("Kw", NULL, NULL)), "");
}

static void test_refusals(void **state) {
    assert_string_equal(refusal(NULL), "");
    assert_string_equal(refusal(attributes("Nope", "1", NULL)), "search attribute Nope is not defined");
    assert_string_equal(refusal(attributes("RunId", "\"x\"", NULL)),
                        "RunId attribute can't be set in SearchAttributes");
    assert_string_equal(refusal(attributes("TemporalWorkerDeployment", "\"x\"", NULL)),
                        "TemporalWorkerDeployment attribute can't be set in SearchAttributes");
    assert_string_equal(refusal(attributes("Num", "\"seven\"", NULL)),
                        "invalid value for search attribute Num of type Int: seven");
}

static void test_sizes(void **state) {
    char *long_value = arena_alloc(&arena, 3000);
    memset(long_value, 'x', 2050);
    assert_string_equal(search_attributes_check_size(&arena, attributes("Kw", long_value, NULL)).message,
                        "search attribute Kw value size 2050 exceeds size limit 2048");
    assert_true(status_ok(search_attributes_check_size(&arena, attributes("Kw", "\"a\"", NULL))));
}

static void test_merge(void **state) {
    SearchAttributes *some = attributes("Num", "1", "Kw", "\"a\"", NULL);
    SearchAttributes *all = search_attributes_merge(&arena, NULL, search_attributes_typed(&arena, &types, some));
    assert_int_equal(all->n_indexed_fields, 2);
    assert_string_equal(all->indexed_fields[0]->key, "Kw");
    assert_true(bytes_equal(payload_metadata(all->indexed_fields[0]->value, "type"), bytes_str("Keyword")));
    all = search_attributes_merge(&arena, all, attributes("Num", "2", "Kw", "null", "Yes", "true", NULL));
    assert_string_equal(json_of(all), "{\"Num\":2,\"Yes\":true}");
    all = search_attributes_merge(&arena, all, attributes("Num", "[]", "Yes", NULL, NULL));
    assert_null(all);
}

static void test_json(void **state) {
    assert_string_equal(json_of(NULL), "{}");
    const char *json = json_of(attributes("At", "\"2026-01-02T04:04:05.5+01:00\"", "Kws", "\"one\"", "Dbl", "[1.5]",
                                          "Txt", "\"say \\\"hi\\\"\"", NULL));
    assert_string_equal(json, "{\"At\":\"2026-01-02T03:04:05.500000000Z\",\"Kws\":[\"one\"],\"Dbl\":1.5,"
                              "\"Txt\":\"say \\\"hi\\\"\"}");
}

static void test_definitions(void **state) {
    assert_true(search_attribute_reserved("TemporalAnything"));
    assert_true(search_attribute_reserved("BuildIds"));
    assert_true(search_attribute_reserved("Memo"));
    assert_false(search_attribute_reserved("CustomKeywordField"));
    assert_int_equal(search_attribute_find("TemporalChangeVersion")->type, SA_KEYWORD_LIST);
    assert_int_equal(search_attribute_type_of_text(bytes_str("KeywordList")), SA_KEYWORD_LIST);
    assert_int_equal(search_attribute_type_of_text(bytes_str("keyword")), SA_UNDEFINED);
}

static Memo *memo(const char *name, ...) {
    Memo *all = PB_NEW(&arena, temporal__api__common__v1__memo);
    all->fields = arena_alloc(&arena, 16 * sizeof(*all->fields));
    va_list args;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *)) {
        MemoEntry *entry = PB_NEW(&arena, temporal__api__common__v1__memo__fields_entry);
        entry->key = arena_strdup(&arena, name);
        entry->value = payload_json(&arena, bytes_str(va_arg(args, const char *)));
        all->fields[all->n_fields++] = entry;
    }
    va_end(args);
    return all;
}

static void test_memo(void **state) {
    Memo *all = memo_merge(&arena, memo("b", "1", "a", "2", NULL), memo("b", "null", "c", "[]", "a", "3", NULL));
    assert_int_equal(all->n_fields, 2);
    assert_string_equal(all->fields[0]->key, "a");
    assert_true(bytes_equal(pb_bytes(all->fields[0]->value->data), bytes_str("3")));
    assert_string_equal(all->fields[1]->key, "c");
    assert_null(memo_merge(&arena, NULL, memo("b", "null", NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refusals), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_merge),  cmocka_unit_test(test_json),     cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_memo),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
