/* Closed runs are removed when their namespace's retention ends, from memory and from every table, whatever happened in
 * between; and the space that they had is used again. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "shard/directory.h"
#include "store/embedded.h"

#define HOUR SECONDS(3600)

/* ---- what is in SQLite ---- */

struct counting {
    struct embedded *store;
    const char *sql;
    int64_t value;
    const char *error;
    struct arena arena;
};

static void count_on_helper(struct io_helper *helper, void *arg) {
    struct counting *counting = arg;
    struct database db = {0};
    enum database_result result = database_open(&db, DATABASE_READS, &counting->store->shared, helper,
                                                counting->store->database_path, &counting->arena, &counting->error);
    sqlite3_stmt *s = NULL;
    if (result == DATABASE_OK && sqlite3_prepare_v2(db.sql, counting->sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        counting->value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    if (db.sql) database_close(&db);
}

static int64_t sql_value(struct bench *bench, const char *sql) {
    struct counting counting = {.store = (struct embedded *)bench->store, .sql = sql, .value = -1};
    fiber_help(bench->io, io_helper_start(bench->io, "count"), count_on_helper, &counting);
    if (counting.value < 0) fail_msg("%s: %s", sql, counting.error ? counting.error : "failed");
    arena_free(&counting.arena);
    return counting.value;
}

static void assert_rows(struct bench *bench, int64_t executions, bool history) {
    assert_int_equal(sql_value(bench, "SELECT count(*) FROM workflow_executions"), executions);
    assert_int_equal(sql_value(bench, "SELECT count(*) FROM visibility_records"), executions);
    assert_int_equal(sql_value(bench, "SELECT count(*) > 0 FROM history_events"), history);
}

/* ---- runs ---- */

static void make_closed(struct bench *bench, int count) {
    for (int i = 0; i < count; i++) {
        const char *id = arena_printf(&bench->arena, "w%d", i);
        bench_start(bench, id);
        bench_signal(bench, id, "one");
        assert_true(status_ok(bench_terminate(bench, id)));
    }
}

static void evict(struct bench *bench) {
    LIST_EACH(it, &bench->engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        assert_true(directory_evictable(bench->engine, exec));
        directory_drop(bench->engine, exec);
    }
    assert_int_equal(bench->engine->stats.resident, 0);
}

enum { RUNS = 50 };

static void assert_all_gone(struct bench *bench) {
    bench_checkpoint(bench);
    bench_checkpoint(bench);       /* the next one drops what the last one removed */
    assert_int_equal(bench->engine->stats.resident, 0);
    assert_int_equal(bench->engine->stats.resident_bytes, 0);
    assert_int_equal(bench->engine->stats.open, 0);
    assert_rows(bench, 0, false);
    bench_restart(bench, true);
    assert_int_equal(bench->engine->stats.resident, 0);
    assert_rows(bench, 0, false);
}

/* ---- tests ---- */

static void not_before_its_time(struct bench *bench) {
    make_closed(bench, RUNS);
    bench_wait(bench, HOUR - SECONDS(60));
    bench_checkpoint(bench);
    assert_rows(bench, RUNS, true);
    bench_wait(bench, SECONDS(120));
    assert_all_gone(bench);
}

static void evicted_runs_go(struct bench *bench) {
    make_closed(bench, RUNS);
    bench_checkpoint(bench);
    evict(bench);
    assert_rows(bench, RUNS, true);
    bench_wait(bench, HOUR + SECONDS(60));
    assert_all_gone(bench);
}

static void after_a_restart_too(struct bench *bench) {
    make_closed(bench, RUNS);
    bench_wait(bench, HOUR / 2);
    bench_restart(bench, true);
    assert_int_equal(bench->engine->stats.resident, 0);      /* only their deadlines are known */
    bench_wait(bench, HOUR / 2 - SECONDS(60));
    assert_rows(bench, RUNS, true);
    bench_wait(bench, SECONDS(120));
    assert_all_gone(bench);
}

static void after_a_restart_from_the_journal(struct bench *bench) {
    make_closed(bench, RUNS);
    bench_restart(bench, false);
    bench_wait(bench, HOUR + SECONDS(60));
    assert_all_gone(bench);
}

static void those_that_fell_due_while_it_was_down(struct bench *bench) {
    make_closed(bench, RUNS);
    bench->ns.retention_ns = 3 * HOUR;
    bench_start(bench, "later");
    assert_true(status_ok(bench_terminate(bench, "later")));
    bench_start(bench, "open");
    bench_wait(bench, HOUR - SECONDS(5));
    bench_restart(bench, true);
    bench_wait(bench, SECONDS(10));
    bench_checkpoint(bench);
    assert_rows(bench, 2, true);
    bench_wait(bench, 3 * HOUR);
    bench_checkpoint(bench);
    assert_rows(bench, 1, true);
    assert_string_equal(bench_history(bench, "open", ""), "STARTED S");
}

/* A deletion that only the journal has is not undone, nor forgotten, by a restart. */
static void a_deletion_outlives_a_crash(struct bench *bench) {
    make_closed(bench, RUNS);
    bench_checkpoint(bench);
    evict(bench);
    bench_wait(bench, HOUR + SECONDS(5));
    bench_restart(bench, false);
    assert_all_gone(bench);
}

static void space_is_used_again(struct bench *bench) {
    int64_t pages = 0;
    for (int round = 0; round < 5; round++) {
        make_closed(bench, 4 * RUNS);
        bench_checkpoint(bench);
        if (round % 2) evict(bench);
        bench_wait(bench, HOUR + SECONDS(60));
        bench_checkpoint(bench);
        assert_rows(bench, 0, false);
        int64_t now = sql_value(bench, "PRAGMA page_count");
        if (round == 0) pages = now;
        else assert_in_range(now, 1, pages + pages / 4);
    }
    assert_in_range(store_stats(bench->store).journal_segments, 1, 4);
}

static void in_world(void **state) {
    assert_int_equal(bench_run((void (*)(struct bench *))*state), 0);
}

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(not_before_its_time),
        TEST(evicted_runs_go),
        TEST(after_a_restart_too),
        TEST(after_a_restart_from_the_journal),
        TEST(those_that_fell_due_while_it_was_down),
        TEST(a_deletion_outlives_a_crash),
        TEST(space_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
