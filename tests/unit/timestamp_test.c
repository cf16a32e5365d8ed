/* Times and durations as text. */
#include "base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void times_are_read_and_written(void **state) {
    int64_t ns;
    char text[TIMESTAMP_TEXT_MAX];
    (void)state;
    assert_true(timestamp_parse("2026-11-21T10:31:05.25+01:00", &ns));
    assert_int_equal(ns, INT64_C(1795253465250000000));
    assert_string_equal(timestamp_format_fixed(ns, text), "2026-11-21T09:31:05.250000000Z");
}

static void malformed_times_are_refused(void **state) {
    static const char *const texts[] = {"", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z",
                                        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
                                        "9999-01-01T00:00:00Z", "2026-01-01T00:00:00+1:00"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ns;
        assert_false(timestamp_parse(texts[i], &ns));
    }
}

static void durations_are_read(void **state) {
    int64_t ns;
    (void)state;
    assert_true(duration_parse("1h30m", &ns));
    assert_int_equal(ns, INT64_C(5400000000000));
    assert_true(duration_parse("1.5s", &ns));
    assert_int_equal(ns, 1500000000);
    assert_true(duration_parse("01:00:05", &ns));
    assert_int_equal(ns, INT64_C(3605000000000));
    assert_true(duration_parse("2d", &ns));
    assert_true(duration_parse("-5ms", &ns));
    assert_int_equal(ns, -5000000);
    assert_false(duration_parse("5", &ns));
    assert_false(duration_parse("", &ns));
    assert_false(duration_parse("99999999999999999999h", &ns));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(malformed_times_are_refused),
        cmocka_unit_test(durations_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
