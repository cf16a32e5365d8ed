/* Moments and sets of numbers as people write them; a run as a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "log.h"
#include "run.h"

static void moments(void **state) {
    (void)state;
    struct moment moment;
    assert_true(moment_parse("1234", &moment) && moment.is_event && moment.event == 1234);
    assert_true(moment_parse("12.5", &moment) && !moment.is_event && moment.time == 12500000000);
    assert_true(moment_parse("12s", &moment) && moment.time == 12 * SIM_SECOND);
    assert_true(moment_parse("300ms", &moment) && moment.time == 300 * SIM_MS);
    assert_true(moment_parse("2.071158814", &moment) && moment.time == 2071158814);
    assert_true(moment_parse("17ns", &moment) && moment.time == 17);
    static const char *const wrong[] = {"", "x", "-1", "12 s", "12m", "1e30s", "s"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(moment_parse(wrong[i], &moment));
}

static void moments_are_reached(void **state) {
    (void)state;
    struct moment none = {0}, event = {true, true, 10, 0}, time = {true, false, 0, 10};
    assert_false(moment_reached(&none, 1000, 1000));
    assert_false(moment_reached(&event, 9, 1000));
    assert_true(moment_reached(&event, 10, 0));
    assert_false(moment_reached(&time, 1000, 9));
    assert_true(moment_reached(&time, 0, 10));
}

static void ranges(void **state) {
    (void)state;
    struct ranges set;
    char text[32];
    assert_true(ranges_parse("3,7-9,20", &set));
    assert_int_equal(ranges_size(&set), 5);
    for (uint64_t i = 0; i < 25; i++)
        assert_int_equal(ranges_have(&set, i), i == 3 || (i >= 7 && i <= 9) || i == 20);
    ranges_add(&set, 21);
    ranges_add(&set, 30);
    assert_int_equal(ranges_print(&set, text, sizeof text), strlen("3,7-9,20-21,30"));
    assert_string_equal(text, "3,7-9,20-21,30");
    assert_int_equal(ranges_print(&set, text, 6), strlen("3,7-9,20-21,30"));
    assert_string_equal(text, "3,7-9");
    ranges_free(&set);
    assert_true(ranges_have(&set, 5));                             /* no set is everything */
    static const char *const wrong[] = {"", "x", "1,", ",1", "3-2", "5,4", "1-3,2", "1 2", "-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(ranges_parse(wrong[i], &set));
}

static void a_run_as_a_command(void **state) {
    (void)state;
    static const struct workload workload = {.name = "norn"};
    struct run_options options = {.workload = &workload, .seed = 30, .calm = true, .plant = "no-datasync", .clients = 1,
                                  .calm_at = 2071158814, .crash_at = 17};
    options.off[FAULT_RESET] = 1;
    options.off[FAULT_STALL] = -1;
    assert_true(ranges_parse("1,4-6", &options.only[FAULT_REFUSED]));
    assert_true(ranges_parse("3", &options.workflows));
    struct words words = {0};
    run_words(&options, &words);
    char *line = words_line(&words, "norn-sim");
    assert_string_equal(line, "norn-sim --workload norn --seed 30 --calm --plant no-datasync --calm-at 2.071158814s "
                              "--workflows 3 --clients 1 --crash-at 17 --on STALL --off RESET --only REFUSED:1,4-6");
    assert_null(words.items[words.count]);
    world_free(line);
    words_free(&words);
    ranges_free(&options.only[FAULT_REFUSED]);
    ranges_free(&options.workflows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(moments_are_reached),
        cmocka_unit_test(ranges),
        cmocka_unit_test(a_run_as_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
