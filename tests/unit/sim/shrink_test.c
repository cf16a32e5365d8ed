/* Delta debugging on numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shrink.h"

struct needed {
    uint64_t items[4];
    size_t count;
    unsigned asked, limit;
    bool stop;
};

static bool fails(const uint64_t *items, size_t count, void *arg) {
    struct needed *needed = arg;
    if (++needed->asked == needed->limit) needed->stop = true;
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < needed->count; n++) found += items[i] == needed->items[n];
    return found == needed->count;
}

static size_t shrink(struct needed *needed, uint64_t *items, size_t count) {
    for (size_t i = 0; i < count; i++) items[i] = i;
    return shrink_items(items, count, fails, needed, &needed->stop);
}

static void what_is_needed_stays(void **state) {
    (void)state;
    static const struct needed cases[] = {
        {{0}, 0}, {{5}, 1}, {{0}, 1}, {{99}, 1}, {{3, 4}, 2}, {{0, 99}, 2}, {{7, 50, 51, 98}, 4},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct needed needed = cases[c];
        uint64_t items[100];
        assert_int_equal(shrink(&needed, items, 100), needed.count);
        for (size_t i = 0; i < needed.count; i++) assert_int_equal(items[i], needed.items[i]);
        assert_true(needed.asked < 150);
    }
}

static void small_sets(void **state) {
    (void)state;
    uint64_t items[2];
    struct needed none = {{0}, 0}, one = {{1}, 1}, both = {{0, 1}, 2};
    assert_int_equal(shrink(&none, items, 0), 0);
    assert_int_equal(shrink(&one, items, 2), 1);
    assert_int_equal(items[0], 1);
    assert_int_equal(shrink(&both, items, 2), 2);
}

static void it_stops_in_time(void **state) {
    (void)state;
    struct needed needed = {{7, 50}, 2, .limit = 3};
    uint64_t items[100];
    assert_true(shrink(&needed, items, 100) >= 2);
    assert_int_equal(needed.asked, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_stays),
        cmocka_unit_test(small_sets),
        cmocka_unit_test(it_stops_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
