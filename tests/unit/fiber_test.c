/* Fibers: starting, waiting, waking, limits; alarms. */
#include "fiber_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fiber/alarm.h"

struct log {
    struct io *io;
    char text[256];
    struct fiber *sleeper;
    unsigned ended;
};

static void note(struct log *log, const char *text) {
    CHECK(strlen(log->text) + strlen(text) < sizeof log->text);
    strcat(log->text, text);
}

static void first(void *arg) {
    struct log *log = arg;
    note(log, "a1 ");
    fiber_yield(log->io);
    note(log, "a2 ");
    log->ended++;
}

static void second(void *arg) {
    struct log *log = arg;
    note(log, "b1 ");
    fiber_yield(log->io);
    note(log, "b2 ");
    log->ended++;
}

static void they_take_turns_body(struct io *io) {
    struct log log = {.io = io};
    fiber_go(io, "first", first, &log);
    fiber_go(io, "second", second, &log);
    CHECK(log.text[0] == 0);
    while (log.ended < 2) fiber_yield(io);
    CHECK(strcmp(log.text, "a1 b1 a2 b2 ") == 0);
}
static void they_take_turns(void **state) { (void)state, fiber_run(they_take_turns_body); }

static void sleeper(void *arg) {
    struct log *log = arg;
    log->sleeper = fiber_current(log->io);
    CHECK(strcmp(fiber_name(log->sleeper), "sleeper") == 0);
    fiber_park(log->io);
    note(log, "woken ");
    fiber_park(log->io);
    note(log, "woken again ");
    log->ended++;
}

static void a_wake_before_the_wait_is_kept_body(struct io *io) {
    struct log log = {.io = io};
    fiber_go(io, "sleeper", sleeper, &log);
    fiber_yield(io);
    fiber_yield(io);
    CHECK(log.sleeper && log.text[0] == 0);
    fiber_wake(io, log.sleeper);
    fiber_wake(io, log.sleeper);
    while (!log.ended) fiber_yield(io);
    CHECK(strcmp(log.text, "woken woken again ") == 0);
}
static void a_wake_before_the_wait_is_kept(void **state) {
    (void)state, fiber_run(a_wake_before_the_wait_is_kept_body);
}

static void counted(void *arg) {
    struct log *log = arg;
    uint8_t stack[20000];
    memset(stack, (int)log->ended, sizeof stack);
    fiber_yield(log->io);
    CHECK(stack[0] == stack[sizeof stack - 1]);
    log->ended++;
}

static void many_come_and_go_body(struct io *io) {
    struct log log = {.io = io};
    for (unsigned i = 1; i <= 1000; i++) {
        fiber_go(io, "counted", counted, &log);
        if (i % 100 == 0)
            while (log.ended < i) fiber_yield(io);
    }
    CHECK(fiber_count(io) == 1);
}
static void many_come_and_go(void **state) { (void)state, fiber_run(many_come_and_go_body); }

static void quick(void *arg) { ++*(unsigned *)arg; }

static void there_is_a_limit_body(struct io *io) {
    unsigned started = 1, ended = 0;
    while (fiber_start(io, "quick", quick, &ended, 4096 * 4)) started++;
    CHECK(started == FIBERS_PER_LOOP_MAX);
    while (ended < started - 1) fiber_yield(io);
    fiber_go(io, "quick", quick, &ended);
    while (ended < started) fiber_yield(io);
}
static void there_is_a_limit(void **state) { (void)state, fiber_run(there_is_a_limit_body); }

static void sleeping_body(struct io *io) {
    int64_t begin = io_now(io);
    fiber_sleep_until(io, begin + 5 * MILLISECOND);
    CHECK(io_now(io) >= begin + 5 * MILLISECOND);
    fiber_sleep_until(io, begin);
    CHECK(fiber_current(io));
}
static void sleeping(void **state) { (void)state, fiber_run(sleeping_body); }

/* ---- alarms ------------------------------------------------------------------------------------------------------- */

struct ringer {
    struct alarm alarm;
    struct log *log;
    const char *name;
    unsigned again;
};

static void ring(struct io *io, struct alarm *alarm) {
    struct ringer *ringer = CONTAINER_OF(alarm, struct ringer, alarm);
    note(ringer->log, ringer->name);
    ringer->log->ended++;
    if (ringer->again && ringer->again--) alarm_set(io, alarm, io_now(io));
}

static struct ringer ringer_of(struct log *log, const char *name) {
    return (struct ringer){.alarm.fire = ring, .log = log, .name = name};
}

static void alarms_fire_in_order_body(struct io *io) {
    struct log log = {.io = io};
    struct ringer a = ringer_of(&log, "a "), b = ringer_of(&log, "b "), c = ringer_of(&log, "c ");
    int64_t now = io_now(io);
    alarm_set(io, &a.alarm, now + 3 * MILLISECOND);
    alarm_set(io, &b.alarm, now + 1 * MILLISECOND);
    alarm_set(io, &c.alarm, now + 3 * MILLISECOND);
    while (log.ended < 3) fiber_yield(io);
    CHECK(strcmp(log.text, "b a c ") == 0);
    CHECK(io_now(io) >= now + 3 * MILLISECOND);
}
static void alarms_fire_in_order(void **state) { (void)state, fiber_run(alarms_fire_in_order_body); }

static void alarms_are_moved_and_cleared_body(struct io *io) {
    struct log log = {.io = io};
    struct ringer late = ringer_of(&log, "late "), soon = ringer_of(&log, "soon "), never = ringer_of(&log, "never ");
    int64_t now = io_now(io);
    alarm_set(io, &late.alarm, now + 1 * MILLISECOND);
    alarm_set(io, &soon.alarm, now + 1000 * MILLISECOND);
    alarm_set(io, &never.alarm, now + 1 * MILLISECOND);
    alarm_set(io, &late.alarm, now + 8 * MILLISECOND);
    alarm_set(io, &soon.alarm, now + 2 * MILLISECOND);
    alarm_clear(io, &never.alarm);
    alarm_clear(io, &never.alarm);
    alarm_set(io, &never.alarm, FOREVER);
    while (log.ended < 2) fiber_yield(io);
    fiber_sleep_until(io, now + 20 * MILLISECOND);
    CHECK(strcmp(log.text, "soon late ") == 0);
}
static void alarms_are_moved_and_cleared(void **state) { (void)state, fiber_run(alarms_are_moved_and_cleared_body); }

static void an_alarm_is_set_from_its_own_firing_body(struct io *io) {
    struct log log = {.io = io};
    struct ringer again = ringer_of(&log, "x ");
    again.again = 4;
    alarm_set(io, &again.alarm, io_now(io) - 1);
    CHECK(log.ended == 0);
    while (log.ended < 5) fiber_yield(io);
    CHECK(strcmp(log.text, "x x x x x ") == 0);
}
static void an_alarm_is_set_from_its_own_firing(void **state) {
    (void)state, fiber_run(an_alarm_is_set_from_its_own_firing_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_take_turns),
        cmocka_unit_test(a_wake_before_the_wait_is_kept),
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(sleeping),
        cmocka_unit_test(alarms_fire_in_order),
        cmocka_unit_test(alarms_are_moved_and_cleared),
        cmocka_unit_test(an_alarm_is_set_from_its_own_firing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
