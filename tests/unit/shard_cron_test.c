/* Cron schedules: which slot comes next. */
#include "shard/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/timestamp.h"

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
                         "TZ=Mars 0 0 * * *", "CRON_TZ=europe/berlin 0 0 * * *", "CRON_TZ= 0 0 * * *", "CRON_TZ=UTC",
                         "TZ=UTC @every", "0 0 30 feb *", "CRON_TZ=America/New_York 0 0 31 sep *"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!cron_check(bad[i], NOON_OF_2026_11_21)) fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(cron_backoff("0 0 30 feb *", NOON_OF_2026_11_21, NOON_OF_2026_11_21), -1);
}

static int64_t at(const char *time) {
    int64_t ns;
    assert_true(timestamp_parse(time, &ns));
    return ns;
}

/* The slots that follow `from`, one after another. */
static void expect_slots(const char *schedule, const char *from, const char *const *slots, size_t count) {
    assert_null(cron_check(schedule, at(from)));
    for (size_t i = 0; i < count; i++) {
        int64_t start = at(i ? slots[i - 1] : from), wait = cron_backoff(schedule, start, start);
        if (start + wait == at(slots[i])) continue;
        char text[TIMESTAMP_TEXT_MAX];
        fail_msg("%s: slot %zu is %s, expected %s", schedule, i, timestamp_format_fixed(start + wait, text), slots[i]);
    }
}
#define SLOTS(schedule, from, ...)                                                                                       \
    expect_slots(schedule, from, (const char *const[]){__VA_ARGS__},                                                     \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void zones_have_their_own_time(void **state) {
    (void)state;
    SLOTS("CRON_TZ=Asia/Kolkata 30 9 * * *", "2026-11-21T12:00:00Z", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z");
    SLOTS("TZ=Asia/Kathmandu 0 0 * * SUN", "2026-11-21T12:00:00Z", "2026-11-21T18:15:00Z", "2026-11-28T18:15:00Z");
    SLOTS("CRON_TZ=Pacific/Kiritimati @daily", "2026-11-21T12:00:00Z", "2026-11-22T10:00:00Z");
    /* Summer time begins on March 8 and ends on November 1. */
    SLOTS("CRON_TZ=America/New_York 0 9 * * *", "2026-03-07T12:00:00Z", "2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z",
          "2026-03-09T13:00:00Z");
    SLOTS("CRON_TZ=America/New_York 0 9 * * *", "2026-10-31T12:00:00Z", "2026-10-31T13:00:00Z", "2026-11-01T14:00:00Z");
}

static void local_times_that_are_left_out_are_no_slots(void **state) {
    (void)state;
    SLOTS("CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T06:00:00Z", "2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z");
    SLOTS("CRON_TZ=America/New_York 0 * * * *", "2026-03-08T05:30:00Z", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z",
          "2026-03-08T08:00:00Z");
    SLOTS("CRON_TZ=Europe/Berlin 0 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
    /* Midnight itself is left out. */
    SLOTS("CRON_TZ=Africa/Cairo 0 0 * * *", "2026-04-22T12:00:00Z", "2026-04-22T22:00:00Z", "2026-04-24T21:00:00Z");
}

static void local_times_that_come_twice_are_two_slots(void **state) {
    (void)state;
    SLOTS("CRON_TZ=America/New_York 30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z",
          "2026-11-02T06:30:00Z");
    SLOTS("CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2027-04-03T00:00:00Z", "2027-04-03T14:45:00Z", "2027-04-03T15:15:00Z",
          "2027-04-04T15:15:00Z");
}

static void rules_reach_far(void **state) {
    (void)state;
    SLOTS("CRON_TZ=Europe/Berlin 0 12 * * *", "2090-07-01T00:00:00Z", "2090-07-01T10:00:00Z");
    SLOTS("CRON_TZ=Europe/Berlin 0 12 * * *", "2090-12-01T00:00:00Z", "2090-12-01T11:00:00Z");
    SLOTS("CRON_TZ=Africa/Monrovia 0 0 * * *", "1970-06-01T00:00:00Z", "1970-06-01T00:44:30Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_slot_is_found),
        cmocka_unit_test(missed_slots_are_skipped),
        cmocka_unit_test(bad_schedules_are_refused),
        cmocka_unit_test(zones_have_their_own_time),
        cmocka_unit_test(local_times_that_are_left_out_are_no_slots),
        cmocka_unit_test(local_times_that_come_twice_are_two_slots),
        cmocka_unit_test(rules_reach_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
