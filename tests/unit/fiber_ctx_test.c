/* Contexts: the tree, ends, deadlines, values; io ops under a context. */
#include "fiber_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fiber/ctx.h"
#include "fiber/ctx_op.h"
#include "fiber/wait.h"

static void an_end_goes_down_not_up_body(struct io *io) {
    struct ctx root, left, right, leaf;
    ctx_init(io, &root, NULL);
    ctx_init(io, &left, &root);
    ctx_init(io, &right, &root);
    ctx_init(io, &leaf, &left);
    ctx_cancel(&left);
    CHECK(ctx_error(&left) == -IO_ECANCELED && ctx_error(&leaf) == -IO_ECANCELED);
    CHECK(ctx_error(&root) == 0 && ctx_error(&right) == 0);
    ctx_cancel_cause(&root, -IO_ENOSPC);
    CHECK(ctx_error(&right) == -IO_ECANCELED && ctx_cause(&right) == -IO_ENOSPC);
    CHECK(ctx_cause(&leaf) == -IO_ECANCELED);
    ctx_close(&leaf);
    ctx_close(&left);
    ctx_close(&right);
    ctx_close(&root);
}
static void an_end_goes_down_not_up(void **state) { (void)state, fiber_run(an_end_goes_down_not_up_body); }

static void none_never_ends_body(struct io *io) {
    (void)io;
    CHECK(ctx_error(NULL) == 0 && ctx_cause(NULL) == 0);
    CHECK(ctx_deadline(NULL) == FOREVER && ctx_value(NULL, "key") == NULL);
}
static void none_never_ends(void **state) { (void)state, fiber_run(none_never_ends_body); }

static void a_child_of_an_ended_parent_has_ended_body(struct io *io) {
    struct ctx root, child, timed;
    ctx_init(io, &root, NULL);
    ctx_cancel_cause(&root, -IO_EIO);
    ctx_init(io, &child, &root);
    ctx_init_deadline(io, &timed, &root, io_now(io) + MILLISECOND);
    CHECK(ctx_error(&child) == -IO_ECANCELED && ctx_cause(&child) == -IO_EIO);
    CHECK(ctx_error(&timed) == -IO_ECANCELED);
    ctx_close(&child);
    ctx_close(&timed);
    ctx_close(&root);
}
static void a_child_of_an_ended_parent_has_ended(void **state) {
    (void)state, fiber_run(a_child_of_an_ended_parent_has_ended_body);
}

static void the_first_deadline_counts_body(struct io *io) {
    struct ctx root, sooner, later, child;
    int64_t now = io_now(io);
    ctx_init_deadline(io, &root, NULL, now + 10 * MILLISECOND);
    ctx_init_deadline(io, &sooner, &root, now + 5 * MILLISECOND);
    ctx_init_deadline(io, &later, &root, now + 50 * MILLISECOND);
    ctx_init(io, &child, &sooner);
    CHECK(ctx_deadline(&child) == now + 5 * MILLISECOND);
    CHECK(ctx_deadline(&later) == now + 10 * MILLISECOND);
    fiber_sleep_until(io, now + 7 * MILLISECOND);
    CHECK(ctx_error(&sooner) == -IO_ETIMEDOUT && ctx_error(&child) == -IO_ETIMEDOUT);
    CHECK(ctx_cause(&child) == -IO_ETIMEDOUT);
    CHECK(ctx_error(&root) == 0 && ctx_error(&later) == 0);
    fiber_sleep_until(io, now + 12 * MILLISECOND);
    CHECK(ctx_error(&root) == -IO_ETIMEDOUT && ctx_error(&later) == -IO_ETIMEDOUT);
    ctx_cancel(&root);
    CHECK(ctx_error(&root) == -IO_ETIMEDOUT);
    ctx_close(&child);
    ctx_close(&sooner);
    ctx_close(&later);
    ctx_close(&root);
}
static void the_first_deadline_counts(void **state) { (void)state, fiber_run(the_first_deadline_counts_body); }

static void a_past_deadline_has_passed_body(struct io *io) {
    struct ctx ctx;
    ctx_init_deadline(io, &ctx, NULL, io_now(io));
    CHECK(ctx_error(&ctx) == -IO_ETIMEDOUT);
    ctx_close(&ctx);
}
static void a_past_deadline_has_passed(void **state) { (void)state, fiber_run(a_past_deadline_has_passed_body); }

static void a_closed_context_leaves_no_alarm_body(struct io *io) {
    int64_t now = io_now(io);
    for (int i = 0; i < 100; i++) {
        struct ctx ctx;
        ctx_init_deadline(io, &ctx, NULL, now + MILLISECOND);
        ctx_close(&ctx);
        memset(&ctx, 0xee, sizeof ctx);
    }
    fiber_sleep_until(io, now + 3 * MILLISECOND);
}
static void a_closed_context_leaves_no_alarm(void **state) {
    (void)state, fiber_run(a_closed_context_leaves_no_alarm_body);
}

static void values_are_found_upward_body(struct io *io) {
    static const char user[] = "user", trace[] = "trace";
    int a = 1, b = 2, c = 3;
    struct ctx root, middle, leaf;
    ctx_init_value(io, &root, NULL, user, &a);
    ctx_init_value(io, &middle, &root, trace, &b);
    ctx_init_value(io, &leaf, &middle, user, &c);
    CHECK(ctx_value(&leaf, user) == &c && ctx_value(&middle, user) == &a);
    CHECK(ctx_value(&leaf, trace) == &b && ctx_value(&root, trace) == NULL);
    ctx_close(&leaf);
    ctx_close(&middle);
    ctx_close(&root);
}
static void values_are_found_upward(void **state) { (void)state, fiber_run(values_are_found_upward_body); }

struct seen {
    struct ctx_watch watch;
    char *text;
    const char *name;
};

static void seen_ended(struct ctx_watch *watch, struct ctx *ctx) {
    struct seen *seen = CONTAINER_OF(watch, struct seen, watch);
    CHECK(ctx_error(ctx));
    strcat(seen->text, seen->name);
}

static void watches_hear_of_the_end_once_body(struct io *io) {
    char text[64] = "";
    struct ctx root, child, sibling;
    ctx_init(io, &root, NULL);
    ctx_init(io, &child, &root);
    ctx_init(io, &sibling, &root);
    struct seen a = {{.ended = seen_ended}, text, "a "}, b = {{.ended = seen_ended}, text, "b "},
                c = {{.ended = seen_ended}, text, "c "}, gone = {{.ended = seen_ended}, text, "gone "},
                late = {{.ended = seen_ended}, text, "late "}, d = {{.ended = seen_ended}, text, "d "};
    ctx_watch(&child, &c.watch);
    ctx_watch(&sibling, &d.watch);
    ctx_watch(&root, &a.watch);
    ctx_watch(&root, &gone.watch);
    ctx_watch(&root, &b.watch);
    ctx_watch(NULL, &late.watch);
    ctx_unwatch(&gone.watch);
    ctx_cancel(&root);
    ctx_cancel(&root);
    CHECK(strcmp(text, "a b c d ") == 0);
    ctx_watch(&root, &late.watch);
    CHECK(strcmp(text, "a b c d late ") == 0);
    ctx_close(&child);
    ctx_close(&sibling);
    ctx_close(&root);
}
static void watches_hear_of_the_end_once(void **state) { (void)state, fiber_run(watches_hear_of_the_end_once_body); }

/* ---- waiting under a context ---------------------------------------------------------------------------------------- */

struct later {
    struct io *io;
    struct ctx *ctx;
    struct fiber_wait *wait;
};

static void cancel_later(void *arg) {
    struct later *later = arg;
    fiber_sleep_until(later->io, io_now(later->io) + 2 * MILLISECOND);
    ctx_cancel(later->ctx);
}

static void a_wait_ends_with_what_came_first_body(struct io *io) {
    struct ctx ctx;
    struct fiber_wait wait;
    ctx_init(io, &ctx, NULL);
    fiber_wait_begin(io, &wait);
    CHECK(fiber_wait_end(&wait, 5) && !fiber_wait_end(&wait, 6));
    CHECK(fiber_wait(io, &wait, &ctx, io_now(io) - 1) == 5);
    fiber_wait_begin(io, &wait);
    CHECK(fiber_wait(io, &wait, &ctx, io_now(io) - 1) == -IO_ETIMEDOUT);
    fiber_wait_begin(io, &wait);
    CHECK(fiber_wait(io, &wait, &ctx, io_now(io) + 2 * MILLISECOND) == -IO_ETIMEDOUT);
    fiber_go(io, "cancel", cancel_later, &(struct later){.io = io, .ctx = &ctx});
    fiber_wait_begin(io, &wait);
    CHECK(fiber_wait(io, &wait, &ctx, io_now(io) + 1000 * MILLISECOND) == -IO_ECANCELED);
    CHECK(!fiber_wait_end(&wait, 1));
    fiber_wait_begin(io, &wait);
    CHECK(fiber_wait(io, &wait, &ctx, FOREVER) == -IO_ECANCELED);
    ctx_close(&ctx);
    fiber_yield(io);
}
static void a_wait_ends_with_what_came_first(void **state) {
    (void)state, fiber_run(a_wait_ends_with_what_came_first_body);
}

static void sleeping_under_a_context_body(struct io *io) {
    struct ctx ctx, timed;
    ctx_init(io, &ctx, NULL);
    int64_t now = io_now(io);
    CHECK(ctx_sleep_until(io, &ctx, now + MILLISECOND) == 0 && io_now(io) >= now + MILLISECOND);
    CHECK(ctx_sleep_until(io, NULL, io_now(io) + MILLISECOND) == 0);
    ctx_init_deadline(io, &timed, &ctx, io_now(io) + MILLISECOND);
    CHECK(ctx_sleep_until(io, &timed, io_now(io) + 50 * MILLISECOND) == -IO_ETIMEDOUT);
    CHECK(ctx_sleep_until(io, &timed, io_now(io)) == -IO_ETIMEDOUT);
    ctx_close(&timed);
    struct later later = {.io = io, .ctx = &ctx};
    fiber_go(io, "cancel", cancel_later, &later);
    CHECK(ctx_sleep_until(io, &ctx, FOREVER) == -IO_ECANCELED);
    ctx_close(&ctx);
    fiber_yield(io);
}
static void sleeping_under_a_context(void **state) { (void)state, fiber_run(sleeping_under_a_context_body); }

static void an_op_is_canceled_with_its_context_body(struct io *io) {
    struct ctx ctx;
    struct io_op op;
    ctx_init(io, &ctx, NULL);
    struct later later = {.io = io, .ctx = &ctx};
    fiber_go(io, "cancel", cancel_later, &later);
    fiber_op_init(io, &op);
    io_timer(io, &op, io_now(io) + 60000 * (int64_t)MILLISECOND);
    CHECK(ctx_await(io, &ctx, &op) == -IO_ECANCELED && !op.busy);
    struct io_sock sock;
    struct io_addr addr;
    CHECK(io_addr_parse("127.0.0.1:1", &addr));
    CHECK(ctx_connect(io, &ctx, &addr, &sock) == -IO_ECANCELED);
    ctx_close(&ctx);
    ctx_init_deadline(io, &ctx, NULL, io_now(io) + MILLISECOND);
    fiber_op_init(io, &op);
    io_timer(io, &op, io_now(io) + 60000 * (int64_t)MILLISECOND);
    CHECK(ctx_await(io, &ctx, &op) == -IO_ETIMEDOUT && !op.busy);
    ctx_close(&ctx);
}
static void an_op_is_canceled_with_its_context(void **state) {
    (void)state, fiber_run(an_op_is_canceled_with_its_context_body);
}

static void ops_that_win_keep_their_result_body(struct io *io) {
    struct ctx ctx;
    struct io_file file;
    char data[6] = {0};
    ctx_init_deadline(io, &ctx, NULL, io_now(io) + 60000 * (int64_t)MILLISECOND);
    CHECK(ctx_open(io, &ctx, "ctx_file", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &file) == 0);
    CHECK(ctx_write(io, &ctx, file, "hello", 5, 0) == 5);
    CHECK(ctx_read(io, &ctx, file, data, 5, 0) == 5 && strcmp(data, "hello") == 0);
    CHECK(fiber_close(io, file) == 0 && fiber_unlink(io, "ctx_file") == 0);
    struct io_addr addr;
    CHECK(ctx_resolve(io, &ctx, "127.0.0.1", 5, &addr) == 0 && addr.port == 5);
    ctx_close(&ctx);
}
static void ops_that_win_keep_their_result(void **state) {
    (void)state, fiber_run(ops_that_win_keep_their_result_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_goes_down_not_up),
        cmocka_unit_test(none_never_ends),
        cmocka_unit_test(a_child_of_an_ended_parent_has_ended),
        cmocka_unit_test(the_first_deadline_counts),
        cmocka_unit_test(a_past_deadline_has_passed),
        cmocka_unit_test(a_closed_context_leaves_no_alarm),
        cmocka_unit_test(values_are_found_upward),
        cmocka_unit_test(watches_hear_of_the_end_once),
        cmocka_unit_test(a_wait_ends_with_what_came_first),
        cmocka_unit_test(sleeping_under_a_context),
        cmocka_unit_test(an_op_is_canceled_with_its_context),
        cmocka_unit_test(ops_that_win_keep_their_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
