/* A busy namespace does not hold a quiet one back; what is too much is refused, but not the answers to tasks; a call may go
 * away while it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "fiber/fiber.h"
#include "frontend/fair.h"
#include "fiber_run.h"

enum { MANY = FAIR_BATCH + FAIR_WAITING_MAX };

struct one {
    struct call call;
    unsigned ran_as, ended;           /* ran_as: 1, 2, 3, ... in the order of running */
};

static struct arena arena;
static unsigned ran;
static const struct namespace_info busy = {.id = {1}, .name = "busy"}, quiet = {.id = {2}, .name = "quiet"};

static void run(void *ctx, struct call *call) {
    CONTAINER_OF(call, struct one, call)->ran_as = ++ran;
}
static void ended(struct call *call) { CONTAINER_OF(call, struct one, call)->ended++; }

static void take_large(struct io *io, struct fair *fair, struct one *one, const struct namespace_info *ns, bool must,
                       size_t len) {
    *one = (struct one){.call = {.io = io, .arena = &arena, .ns = ns, .end = ended, .request_bytes.len = len}};
    fair_take(fair, &one->call, must);
}
static void take(struct io *io, struct fair *fair, struct one *one, const struct namespace_info *ns, bool must) {
    take_large(io, fair, one, ns, must, 0);
}

static void body(struct io *io) {
    struct fair fair;
    struct one *many = mem_alloc(MANY * sizeof *many), over, answer, patient, gone;
    fair_init(&fair, io, run, NULL);
    ran = 0;
    for (unsigned i = 0; i < MANY; i++) take(io, &fair, &many[i], &busy, false);
    CHECK(ran == FAIR_BATCH);
    take(io, &fair, &over, &busy, false);
    CHECK(over.ended == 1);
    CHECK(over.call.status.code == STATUS_RESOURCE_EXHAUSTED);
    take(io, &fair, &answer, &busy, true);
    CHECK(answer.ended == 0);
    take(io, &fair, &gone, &quiet, false);
    gone.call.on_cancel(&gone.call);
    CHECK(gone.call.status.code == STATUS_CANCELLED);
    take(io, &fair, &patient, &quiet, false);
    CHECK(fair.waiting == FAIR_WAITING_MAX + 2);
    while (fair.waiting) fiber_yield(io);
    CHECK(patient.ran_as == FAIR_BATCH + 2);        /* after one of the busy namespace */
    CHECK(answer.ran_as == ran);                    /* the last of its own */
    CHECK(gone.ran_as == 0);
    for (unsigned i = 1; i < MANY; i++) CHECK(many[i].ran_as > many[i - 1].ran_as);
    CHECK(fair.refused == 1);
    fiber_sleep_until(io, io_now(io) + 1000000);
    fair_free(&fair);
    mem_free(many);
    arena_free(&arena);
}

/* Few calls can hold much. */
static void large_ones(struct io *io) {
    enum { LARGE = FAIR_BYTES_MAX / 4 };
    struct fair fair;
    struct one many[FAIR_BATCH], large[6];
    fair_init(&fair, io, run, NULL);
    ran = 0;
    for (unsigned round = 0; round < 2; round++) {       /* what has had its turn counts no more */
        for (unsigned i = 0; i < FAIR_BATCH; i++) take(io, &fair, &many[i], &busy, false);
        for (unsigned i = 0; i < 4; i++) take_large(io, &fair, &large[i], &busy, false, LARGE);
        take_large(io, &fair, &large[4], &busy, false, LARGE);
        CHECK(fair.waiting == 4);
        CHECK(large[4].call.status.code == STATUS_RESOURCE_EXHAUSTED);
        take_large(io, &fair, &large[4], &quiet, false, LARGE);
        take_large(io, &fair, &large[5], &busy, true, LARGE);
        CHECK(fair.waiting == 6);
        while (fair.waiting) fiber_yield(io);
        CHECK(large[4].ran_as && large[5].ran_as);
        fiber_sleep_until(io, io_now(io) + 1000000);
    }
    CHECK(fair.refused == 2);
    fair_free(&fair);
    arena_free(&arena);
}

static void bytes(void **state) {
    (void)state;
    fiber_run(large_ones);
}

static void turns(void **state) {
    (void)state;
    fiber_run(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns), cmocka_unit_test(bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
