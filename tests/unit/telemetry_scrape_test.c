/* A scrape of several loops: all of them are visited, in their order, whichever is asked, and their values summed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "fiber_run.h"
#include "telemetry/metrics.h"

enum { LOOPS = 3 };

struct trial {
    struct io_msg open, scrape, finished, close;
    struct metrics_collector collectors[LOOPS];
    struct fiber *fiber;
    unsigned opened, closed, asked, answered_on;
    struct buf visits;                   /* the loops, as they were visited */
    struct buf page;
};

static void collect(struct io *io, void *ctx, struct metrics_page *page) {
    struct trial *trial = ctx;
    unsigned loop = io_loop_index(io);
    buf_printf(&trial->visits, "%u", loop);
    metrics_counter(page, "calls", "C", NULL, 1 << loop);
    if (loop == 2) metrics_gauge(page, "second", "S", NULL, 7);
}

static void open(struct io *io, struct io_msg *msg) {
    struct trial *trial = CONTAINER_OF(msg, struct trial, open);
    struct metrics_collector *collector = &trial->collectors[trial->opened];
    *collector = (struct metrics_collector){.collect = collect, .ctx = trial};
    metrics_open(io);
    metrics_register(io, collector);
    if (++trial->opened < LOOPS) io_post(io, trial->opened, msg);
    else io_post(io, trial->asked, &trial->scrape);
}

static void close(struct io *io, struct io_msg *msg) {
    struct trial *trial = CONTAINER_OF(msg, struct trial, close);
    metrics_close(io);
    if (++trial->closed < LOOPS) io_post(io, trial->closed, msg);
    else io_post(io, 0, &trial->finished);
}

static void finished(struct io *io, struct io_msg *msg) {
    fiber_wake(io, CONTAINER_OF(msg, struct trial, finished)->fiber);
}

static void scraped(struct io *io, void *ctx, struct metrics_page *page) {
    struct trial *trial = ctx;
    trial->answered_on = io_loop_index(io);
    metrics_render(page, &trial->page);
    metrics_page_destroy(page);
    io_post(io, 0, &trial->close);
}

static void scrape(struct io *io, struct io_msg *msg) {
    metrics_scrape(io, scraped, CONTAINER_OF(msg, struct trial, scrape));
}

static void loop_started(struct io *io, void *arg) {}

static void all_loops_are_visited_body(struct io *io) {
    for (unsigned i = 1; i < LOOPS; i++) CHECK(io_loop_start(io, loop_started, NULL) == i);
    for (unsigned asked = 0; asked < LOOPS; asked++) {
        struct trial trial = {.fiber = fiber_current(io), .asked = asked, .answered_on = LOOPS,
                              .open.receive = open, .scrape.receive = scrape, .finished.receive = finished,
                              .close.receive = close};
        io_post(io, 0, &trial.open);
        while (trial.closed < LOOPS) fiber_park(io);
        CHECK(trial.answered_on == asked);
        CHECK(bytes_equal(buf_bytes(&trial.visits), bytes_str("012")));
        CHECKF(strcmp(buf_cstr(&trial.page), "# TYPE calls counter\n# HELP calls C\ncalls_total 7\n"
                                             "# TYPE second gauge\n# HELP second S\nsecond 7\n# EOF\n") == 0,
               "%s", buf_cstr(&trial.page));
        buf_free(&trial.visits);
        buf_free(&trial.page);
    }
}

static void all_loops_are_visited(void **state) { fiber_run(all_loops_are_visited_body); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_loops_are_visited)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
