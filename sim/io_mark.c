/* io_mark: counts the marks of src/base/mark.h, says yes to nudges as the seed wants, and traces states.
 *
 * Each seed has each nudge on or off, and a rate of its own for it: from once in thousands up to every second time. */
#include "base/mark.h"
#include "io_sim.h"

static const struct {
    const char *name, *text;
    unsigned reach;
} marks[MARK_COUNT] = {
#define X(name, reach, text) {#name, text, reach},
    MARKS(X)
#undef X
};

static const char *const nudges[NUDGE_COUNT] = {
#define X(name, text) #name,
    NUDGES(X)
#undef X
};

void mark(enum mark mark) {
    struct world *world = sim_current.world;
    if (world && sim_current.node) world->marks[mark]++;
}

bool nudge(enum nudge nudge) {
    struct world *world = sim_current.world;
    if (!world || !sim_current.node || world->calm || !world->fault_on[FAULT_NUDGE]) return false;
    if (!prng_chance(&world->nudge_dice[nudge], world->nudge_rate[nudge])) return false;
    return world_fault_happens(world, FAULT_NUDGE);
}

/* In every node that runs: two runs of a seed that differ in memory alone differ here. */
bool observing(void) { return sim_current.world && sim_current.node; }

void observe(enum observed what, uint64_t number, const void *state, size_t len) {
    (void)what;
    if (observing()) trace_event(sim_current.node, 0, SIM_state, false, number, (int64_t)len, sim_hash(state, len));
}

void nudges_choose(struct world *world) {
    for (int i = 0; i < NUDGE_COUNT; i++) {
        struct prng *own = &world->nudge_dice[i];
        *own = prng_fork(world->options.seed, nudges[i], 0);
        world->nudge_rate[i] = prng_chance(own, 500000) ? (uint32_t)prng_skewed(own, 500, 500000) : 0;
    }
}

unsigned world_mark_count(void) { return MARK_COUNT; }
const char *world_mark_name(unsigned mark) { return marks[mark].name; }
const char *world_mark_text(unsigned mark) { return marks[mark].text; }
unsigned world_mark_reach(unsigned mark) { return marks[mark].reach; }
uint64_t world_mark_hits(const struct world *world, unsigned mark) { return world->marks[mark]; }
uint64_t world_serving(const struct world *world) { return world->marks[MARK_SERVING]; }
