/* Dates, and strings of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/civil.h"
#include "base/json_text.h"

static void formats_and_reads_the_same(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        unsigned nanos;
        const char *text;
    } cases[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {-1, 999000000, "1969-12-31T23:59:59.999Z"},
        {951782400, 1000, "2000-02-29T00:00:00.000001Z"},
        {1709164799, 1, "2024-02-28T23:59:59.000000001Z"},
        {253402300799, 0, "9999-12-31T23:59:59Z"},
        {-62135596800, 0, "0001-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[CIVIL_TEXT_MAX];
        int64_t seconds;
        unsigned nanos;
        civil_format_exact(cases[i].seconds, cases[i].nanos, text);
        assert_string_equal(text, cases[i].text);
        assert_true(civil_parse(bytes_str(text), &seconds, &nanos));
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
    }
}

static void reads_offsets(void **state) {
    (void)state;
    int64_t seconds;
    unsigned nanos;
    assert_true(civil_parse(bytes_str("1970-01-01T01:30:00+01:30"), &seconds, &nanos));
    assert_int_equal(seconds, 0);
    assert_true(civil_parse(bytes_str("1969-12-31 23:00:00.5-01:00"), &seconds, &nanos));
    assert_int_equal(seconds, 0);
    assert_int_equal(nanos, 500000000);
}

static void refuses_what_is_no_date(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00.1234567890Z", "1970-01-01T00:00:00+1:00", "1970-00-01T00:00:00Z", "197a-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t seconds;
        unsigned nanos;
        assert_false(civil_parse(bytes_str(bad[i]), &seconds, &nanos));
    }
}

static void quotes_json(void **state) {
    (void)state;
    struct buf out = {0};
    buf_append_json(&out, bytes_str("a\"b\\c\n\x01\x7f \xc3\xa9 \xff \xed\xa0\x80"));
    assert_string_equal(buf_cstr(&out), "\"a\\\"b\\\\c\\n\\u0001\\u007f \xc3\xa9 \xef\xbf\xbd "
                                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    buf_free(&out);
}

static void knows_utf8(void **state) {
    (void)state;
    assert_true(utf8_valid(bytes_str("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(utf8_valid(bytes_str("\xc0\x80")));
    assert_false(utf8_valid(bytes_str("\xf4\x90\x80\x80")));
    assert_false(utf8_valid(bytes_str("\xe2\x82")));
    assert_int_equal(utf8_cut(bytes_str("a\xc3\xa9"), 2), 1);
    assert_int_equal(utf8_cut(bytes_str("a\xc3\xa9"), 3), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_reads_the_same), cmocka_unit_test(reads_offsets),
        cmocka_unit_test(refuses_what_is_no_date),    cmocka_unit_test(quotes_json),
        cmocka_unit_test(knows_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
