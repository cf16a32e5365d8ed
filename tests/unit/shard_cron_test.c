/* Cron schedules: which slot comes next. */
#include "shard/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define S INT64_C(1000000000)
#define NOON_OF_2026_11_21 (INT64_C(1795262400) * S)       /* a Saturday */

static void expect(const char *schedule, int64_t now, int64_t seconds) {
    int64_t wait = cron_backoff(schedule, now, now);
    if (wait != seconds * S) fail_msg("%s: %lld ns, expected %lld s", schedule, (long long)wait, (long long)seconds);
}

static void the_next_slot_is_found(void **state) {
    (void)state;
    int64_t noon = NOON_OF_2026_11_21;
    expect("* * * * *", noon, 60);
    expect("*/5 * * * *", noon, 300);
    expect("30 12 * * *", noon, 1800);
    expect("0 12 * * *", noon, 86400);
    expect("0 0 * * *", noon, 43200);
    expect("@daily", noon, 43200);
    expect("@hourly", noon, 3600);
    expect("0 0 * * SUN", noon, 43200);
    expect("0 0 * * 7", noon, 43200);
    expect("0 0 1 * *", noon, 43200 + 9 * 86400);
    expect("0 0 1 * SUN", noon, 43200);                     /* either day suffices */
    expect("0 0 1 jan *", noon, 43200 + 40 * 86400);
    expect("CRON_TZ=UTC 0 13 * * *", noon, 3600);
    expect("@every 90s", noon, 90);
    expect("@every 1h30m", noon, 5400);
    expect("1-3,10/20 13 * * *", noon, 3660);
}

static void missed_slots_are_skipped(void **state) {
    (void)state;
    int64_t noon = NOON_OF_2026_11_21;
    assert_int_equal(cron_backoff("@every 10s", noon, noon + 34 * S), 6 * S);
    assert_int_equal(cron_backoff("*/10 * * * *", noon, noon + 34 * 60 * S), 6 * 60 * S);
    assert_int_equal(cron_backoff("* * * * *", noon, noon + 59 * S + S / 2), S);       /* whole seconds, rounded up */
}

static void bad_schedules_are_refused(void **state) {
    (void)state;
    const char *bad[] = {"", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
                         "* * * * 8", "*/0 * * * *", "5-2 * * * *", "@never", "@every", "@every x", "a b c d e",
                         "TZ=Mars 0 0 * * *"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (cron_valid(bad[i])) fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(cron_backoff("0 0 30 feb *", NOON_OF_2026_11_21, NOON_OF_2026_11_21), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_slot_is_found),
        cmocka_unit_test(missed_slots_are_skipped),
        cmocka_unit_test(bad_schedules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
