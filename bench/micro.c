/* micro: the cases, the clock, and one line of JSON for all of them. */
#include "micro.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const struct micro_case *const cases[] = {
    &micro_engine, &micro_recover, &micro_fiber, &micro_queue, &micro_record, &micro_protobuf,
    &micro_http2, &micro_sqlite,
};

void micro_begin(struct micro *micro) { micro->began = io_cpu_ns(micro->io); }

void micro_end(struct micro *micro, uint64_t count) {
    micro->spent += io_cpu_ns(micro->io) - micro->began;
    micro->count += count;
}

static void one_round(struct micro *micro, const struct micro_case *this, void *state) {
    micro->count = 0;
    micro->spent = 0;
    this->round(micro, state);
    CHECKF(micro->count, "a round of %s counted nothing", this->name);
    double each = (double)micro->spent / (double)micro->count;
    if (micro->rounds == 0 || each < micro->best_ns) micro->best_ns = each;
    micro->rounds++;
    micro->total += micro->count;
}

static void run_case(struct io *io, const struct micro_case *this, double seconds, uint64_t rounds, bool first) {
    struct micro micro = {.io = io};
    int64_t end = io_now(io) + (int64_t)(seconds * 1e9);
    void *state = this->create(&micro);
    do {
        one_round(&micro, this, state);
        fiber_sleep_until(io, io_now(io) + 1);       /* so that the loop reads its clock */
    } while (rounds ? micro.rounds < rounds : io_now(io) < end);
    this->destroy(&micro, state);
    printf("%s\"%s\": {\"counts\": \"%s\", \"ns\": %.1f, \"per_second\": %.0f, \"count\": %" PRIu64 ", \"rounds\": %" PRIu64
           "}", first ? "" : ", ", this->name, this->counts, micro.best_ns, 1e9 / micro.best_ns, micro.total, micro.rounds);
}

bool micro_run(struct io *io, const char *name, double seconds, uint64_t rounds) {
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (name && strcmp(cases[i]->name, name) != 0) continue;
        if (!found) printf("{\"scenario\": \"micro\", \"errors\": 0, \"cases\": {");
        run_case(io, cases[i], seconds, rounds, !found);
        found = true;
    }
    if (found) printf("}}\n");
    return found;
}

void micro_help(void) {
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        printf("  micro %-8s %s\n", cases[i]->name, cases[i]->what);
}
