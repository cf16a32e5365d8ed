/* The file of runs that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "child.h"
#include "failed.h"

static const struct workload norn = {.name = "norn"}, ledger = {.name = "ledger"};

static void each_batch_has_its_own(void **state) {
    char *path = *state;
    struct run_options plain = {.workload = &norn}, calm = {.workload = &norn, .calm = true}, other = {.workload = &ledger};
    uint64_t *seeds;
    assert_int_equal(failed_read(path, &plain, &seeds), 0);
    for (uint64_t seed = 3; seed <= 33; seed += 30) {
        plain.seed = calm.seed = seed;
        failed_add(path, &plain);
        failed_add(path, &plain);
        failed_add(path, &calm);
    }
    plain.seed = 1;
    assert_int_equal(failed_read(path, &plain, &seeds), 2);
    assert_int_equal(seeds[0], 3);
    assert_int_equal(seeds[1], 33);
    world_free(seeds);
    assert_int_equal(failed_read(path, &other, &seeds), 0);
    plain.seed = 3;
    failed_remove(path, &plain);
    failed_remove(path, &plain);
    assert_int_equal(failed_read(path, &plain, &seeds), 1);
    assert_int_equal(seeds[0], 33);
    world_free(seeds);
    assert_int_equal(failed_read(path, &calm, &seeds), 2);
    world_free(seeds);
    char *text = child_output(path);
    assert_string_equal(text, "--workload norn --seed 3 --calm\n--workload norn --seed 33\n--workload norn --seed 33 --calm\n");
    world_free(text);
}

static void none_is_no_file(void **state) {
    (void)state;
    struct run_options run = {.workload = &norn, .seed = 1};
    uint64_t *seeds;
    failed_add("none", &run);
    assert_int_equal(failed_read("none", &run, &seeds), 0);
    assert_int_equal(failed_read(NULL, &run, &seeds), 0);
    assert_int_equal(access("none", F_OK), -1);
}

int main(void) {
    char path[128];
    child_path(path, sizeof path, "failed", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(each_batch_has_its_own, path),
        cmocka_unit_test(none_is_no_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
