/* Wait groups, error groups, mutexes, and pipelines of results. */
#include "fiber_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fiber/ctx_op.h"
#include "fiber/error_group.h"
#include "fiber/mutex.h"
#include "fiber/result.h"
#include "fiber/wait_group.h"

struct job {
    struct io *io;
    struct wait_group *group;
    struct mutex *mutex;
    int64_t ms, error, result;
    unsigned *running, *most;
    bool ran;
    char *text;
    const char *name;
};

/* ---- wait groups ----------------------------------------------------------------------------------------------------- */

static void done_later(void *arg) {
    struct job *job = arg;
    fiber_sleep_until(job->io, io_now(job->io) + job->ms * MILLISECOND);
    wait_group_done(job->group);
}

static void wait_too(void *arg) {
    struct job *job = arg;
    job->result = wait_group_wait(job->io, NULL, job->group);
    job->ran = true;
}

static void a_wait_group_waits_for_all_body(struct io *io) {
    struct wait_group group = {0};
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    struct job jobs[3], other = {.io = io, .group = &group};
    wait_group_add(&group, 3);
    int64_t begin = io_now(io);
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){.io = io, .group = &group, .ms = i + 1};
        fiber_go(io, "done later", done_later, &jobs[i]);
    }
    fiber_go(io, "wait too", wait_too, &other);
    CHECK(wait_group_wait(io, NULL, &group) == 0 && io_now(io) >= begin + 3 * MILLISECOND);
    fiber_yield(io);
    CHECK(other.ran && other.result == 0);
    wait_group_add(&group, 1);
    struct ctx ctx;
    ctx_init_deadline(io, &ctx, NULL, io_now(io) + MILLISECOND);
    CHECK(wait_group_wait(io, &ctx, &group) == -IO_ETIMEDOUT);
    ctx_close(&ctx);
    wait_group_done(&group);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
}
static void a_wait_group_waits_for_all(void **state) { (void)state, fiber_run(a_wait_group_waits_for_all_body); }

/* ---- error groups ---------------------------------------------------------------------------------------------------- */

static int64_t work(struct io *io, struct ctx *ctx, void *arg) {
    struct job *job = arg;
    job->ran = true;
    if (job->running && ++*job->running > *job->most) *job->most = *job->running;
    job->result = ctx_sleep_until(io, ctx, io_now(io) + job->ms * MILLISECOND);
    if (job->running) --*job->running;
    return job->result < 0 ? job->result : job->error;
}

static void all_succeed_body(struct io *io) {
    struct error_group group;
    struct job jobs[5];
    error_group_init(io, &group, NULL, 0);
    for (int i = 0; i < 5; i++) {
        jobs[i] = (struct job){.ms = 5 - i};
        CHECK(error_group_go(&group, "work", work, &jobs[i]) == 0);
    }
    CHECK(error_group_wait(&group) == 0);
    for (int i = 0; i < 5; i++) CHECK(jobs[i].ran && jobs[i].result == 0);
}
static void all_succeed(void **state) { (void)state, fiber_run(all_succeed_body); }

static void the_first_error_cancels_the_rest_body(struct io *io) {
    struct error_group group;
    struct job slow = {.ms = 60000}, bad = {.ms = 2, .error = -IO_ENOSPC}, worse = {.ms = 2, .error = -IO_EIO}, late = {0};
    int64_t begin = io_now(io);
    error_group_init(io, &group, NULL, 0);
    CHECK(error_group_go(&group, "slow", work, &slow) == 0);
    CHECK(error_group_go(&group, "bad", work, &bad) == 0);
    CHECK(error_group_go(&group, "worse", work, &worse) == 0);
    fiber_sleep_until(io, begin + 5 * MILLISECOND);
    CHECK(error_group_go(&group, "late", work, &late) == -IO_ENOSPC && !late.ran);
    CHECK(error_group_wait(&group) == -IO_ENOSPC);
    CHECK(slow.result == -IO_ECANCELED && io_now(io) < begin + 1000 * (int64_t)MILLISECOND);
}
static void the_first_error_cancels_the_rest(void **state) {
    (void)state, fiber_run(the_first_error_cancels_the_rest_body);
}

static void the_parent_ends_the_group_body(struct io *io) {
    struct error_group group;
    struct ctx parent;
    struct job slow = {.ms = 60000};
    ctx_init_deadline(io, &parent, NULL, io_now(io) + 2 * MILLISECOND);
    error_group_init(io, &group, &parent, 0);
    CHECK(error_group_go(&group, "slow", work, &slow) == 0);
    CHECK(error_group_wait(&group) == -IO_ETIMEDOUT);
    error_group_init(io, &group, &parent, 0);
    CHECK(error_group_go(&group, "slow", work, &slow) == -IO_ETIMEDOUT);
    CHECK(error_group_wait(&group) == -IO_ETIMEDOUT);
    ctx_close(&parent);
}
static void the_parent_ends_the_group(void **state) { (void)state, fiber_run(the_parent_ends_the_group_body); }

static void a_limit_holds_starters_body(struct io *io) {
    struct error_group group;
    struct job jobs[20];
    unsigned running = 0, most = 0;
    error_group_init(io, &group, NULL, 3);
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct job){.ms = 1 + i % 3, .running = &running, .most = &most};
        CHECK(error_group_go(&group, "work", work, &jobs[i]) == 0);
    }
    CHECK(error_group_wait(&group) == 0);
    CHECK(most == 3 && running == 0);
    for (int i = 0; i < 20; i++) CHECK(jobs[i].ran);
}
static void a_limit_holds_starters(void **state) { (void)state, fiber_run(a_limit_holds_starters_body); }

/* ---- mutexes ----------------------------------------------------------------------------------------------------------- */

static void hold(void *arg) {
    struct job *job = arg;
    CHECK(mutex_lock(job->io, NULL, job->mutex) == 0);
    strcat(job->text, job->name);
    fiber_sleep_until(job->io, io_now(job->io) + MILLISECOND);
    strcat(job->text, job->name);
    mutex_unlock(job->io, job->mutex);
    wait_group_done(job->group);
}

static void a_mutex_is_held_by_one_in_order_body(struct io *io) {
    static const char *const names[] = {"a", "b", "c", "d"};
    struct mutex mutex = {0};
    struct wait_group group = {0};
    char text[32] = "";
    struct job jobs[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.io = io, .mutex = &mutex, .group = &group, .text = text, .name = names[i]};
        wait_group_add(&group, 1);
        fiber_go(io, "hold", hold, &jobs[i]);
    }
    fiber_yield(io);
    fiber_yield(io);
    CHECK(!mutex_try_lock(io, &mutex));
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    CHECK(strcmp(text, "aabbccdd") == 0);
    CHECK(mutex_try_lock(io, &mutex));
    mutex_unlock(io, &mutex);
}
static void a_mutex_is_held_by_one_in_order(void **state) {
    (void)state, fiber_run(a_mutex_is_held_by_one_in_order_body);
}

struct canceled_locker {
    struct io *io;
    struct ctx *ctx;
    struct mutex *mutex;
    int64_t result;
    struct wait_group *group;
};

static void lock_under_ctx(void *arg) {
    struct canceled_locker *locker = arg;
    locker->result = mutex_lock(locker->io, locker->ctx, locker->mutex);
    if (locker->result == 0) mutex_unlock(locker->io, locker->mutex);
    wait_group_done(locker->group);
}

static void a_canceled_locker_is_passed_over_body(struct io *io) {
    struct mutex mutex = {0};
    struct wait_group group = {0};
    struct ctx ctx;
    ctx_init(io, &ctx, NULL);
    CHECK(mutex_lock(io, NULL, &mutex) == 0);
    struct canceled_locker first = {io, &ctx, &mutex, 1, &group}, second = {io, NULL, &mutex, 1, &group};
    wait_group_add(&group, 2);
    fiber_go(io, "first", lock_under_ctx, &first);
    fiber_go(io, "second", lock_under_ctx, &second);
    fiber_yield(io);
    fiber_yield(io);
    ctx_cancel(&ctx);
    mutex_unlock(io, &mutex);
    CHECK(wait_group_wait(io, NULL, &group) == 0);
    CHECK(first.result == -IO_ECANCELED && second.result == 0 && !mutex.holder);
    CHECK(mutex_lock(io, &ctx, &mutex) == -IO_ECANCELED);
    ctx_close(&ctx);
}
static void a_canceled_locker_is_passed_over(void **state) {
    (void)state, fiber_run(a_canceled_locker_is_passed_over_body);
}

/* ---- pipelines --------------------------------------------------------------------------------------------------------- */

static struct result add_one(struct io *io, struct ctx *ctx, void *value, void *arg) {
    (void)ctx;
    ++*(int *)value;
    if (arg) fiber_sleep_until(io, io_now(io) + MILLISECOND);
    return result_ok(value);
}
static struct result give_error(struct io *io, struct ctx *ctx, void *value, void *arg) {
    (void)io, (void)ctx, (void)value;
    return result_error(*(int64_t *)arg);
}
static struct result recover(struct io *io, struct ctx *ctx, int64_t error, void *arg) {
    (void)io;
    CHECK(!ctx || !ctx_error(ctx));
    *(int *)arg = (int)error;
    return result_ok(arg);
}
static bool is_small(const void *value, void *arg) {
    (void)arg;
    return *(const int *)value < 10;
}
static void count_it(struct io *io, struct ctx *ctx, struct result result, void *arg) {
    (void)io, (void)result;
    CHECK(!ctx || !ctx_error(ctx));
    ++*(int *)arg;
}

static void a_pipeline_goes_through_body(struct io *io) {
    int value = 1, finals = 0, none = 0;
    struct pipeline p = pipeline_begin(io, NULL, &value);
    pipeline_then(&p, add_one, NULL);
    pipeline_then(&p, add_one, &value);
    pipeline_ensure(&p, is_small, NULL, -IO_EINVAL);
    pipeline_recover(&p, recover, &none);
    pipeline_finally(&p, count_it, &finals);
    struct result result = pipeline_end(&p);
    CHECK(result_is_ok(result) && result.value == &value && value == 3 && finals == 1 && none == 0);
}
static void a_pipeline_goes_through(void **state) { (void)state, fiber_run(a_pipeline_goes_through_body); }

static void an_error_passes_steps_until_recovered_body(struct io *io) {
    int value = 1, recovered = 0, finals = 0;
    int64_t error = -IO_EIO;
    struct pipeline p = pipeline_begin(io, NULL, &value);
    pipeline_then(&p, give_error, &error);
    pipeline_then(&p, add_one, NULL);
    pipeline_ensure(&p, is_small, NULL, -IO_EINVAL);
    pipeline_finally(&p, count_it, &finals);
    CHECK(pipeline_end(&p).error == -IO_EIO && value == 1 && finals == 1);
    pipeline_recover(&p, recover, &recovered);
    CHECK(recovered == -IO_EIO);
    recovered = 20;
    pipeline_ensure(&p, is_small, NULL, -IO_EINVAL);
    pipeline_finally(&p, count_it, &finals);
    CHECK(pipeline_end(&p).error == -IO_EINVAL && finals == 2);
}
static void an_error_passes_steps_until_recovered(void **state) {
    (void)state, fiber_run(an_error_passes_steps_until_recovered_body);
}

static void an_ended_context_is_an_error_body(struct io *io) {
    int value = 1, recovered = 0, finals = 0;
    struct ctx ctx;
    ctx_init(io, &ctx, NULL);
    struct pipeline p = pipeline_begin(io, &ctx, &value);
    pipeline_then(&p, add_one, NULL);
    ctx_cancel(&ctx);
    pipeline_then(&p, add_one, NULL);
    CHECK(value == 2 && pipeline_end(&p).error == -IO_ECANCELED);
    pipeline_recover(&p, recover, &recovered);
    pipeline_then(&p, add_one, &value);
    pipeline_finally(&p, count_it, &finals);
    CHECK(result_is_ok(pipeline_end(&p)) && recovered == -IO_ECANCELED + 1 && finals == 1);
    ctx_close(&ctx);
}
static void an_ended_context_is_an_error(void **state) { (void)state, fiber_run(an_ended_context_is_an_error_body); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_group_waits_for_all),
        cmocka_unit_test(all_succeed),
        cmocka_unit_test(the_first_error_cancels_the_rest),
        cmocka_unit_test(the_parent_ends_the_group),
        cmocka_unit_test(a_limit_holds_starters),
        cmocka_unit_test(a_mutex_is_held_by_one_in_order),
        cmocka_unit_test(a_canceled_locker_is_passed_over),
        cmocka_unit_test(a_pipeline_goes_through),
        cmocka_unit_test(an_error_passes_steps_until_recovered),
        cmocka_unit_test(an_ended_context_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
