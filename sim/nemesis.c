/* nemesis: process faults, clock jumps and cut links, by the seed.
 *
 * Each seed has a pace of its own, from tens of milliseconds of virtual time between two faults up to seconds. A node
 * that ended is started again after a while: at once, or so late that leases and deadlines have passed. */
#include "nemesis.h"

#include "base/check.h"

#define DISK_BYTES (UINT64_C(1) << 30)   /* as a node has without a word of its own */

struct target {
    unsigned node, weight;
};

struct nemesis {
    struct world *world;
    struct target targets[WORLD_NODES_MAX];
    unsigned target_count, weight_sum;
    int64_t until, pace, jump_max;
    bool calm, let_end, ticking, scripted;
    nemesis_exited_fn *exited;
    void *exited_arg;
    unsigned scripted_node;
    uint64_t second_crash;               /* its boundary in the node's second life; 0 is none */
    unsigned loop_node, loop_left;       /* lives of that node that end soon */
};

static struct prng *dice(struct nemesis *nemesis) { return world_prng(nemesis->world, PRNG_CRASH); }

static bool is_target(const struct nemesis *nemesis, unsigned node) {
    for (unsigned i = 0; i < nemesis->target_count; i++)
        if (nemesis->targets[i].node == node) return true;
    return false;
}

static void node_ended(struct world *world, unsigned node, enum node_state state, void *arg) {
    struct nemesis *nemesis = arg;
    if (state == NODE_EXITED && nemesis->exited)
        nemesis->exited(world, node, world_exit_code(world, node), nemesis->exited_arg);
    if ((nemesis->let_end && state == NODE_EXITED) || !is_target(nemesis, node)) return;
    int64_t delay = nemesis->calm ? SIM_MS : prng_skewed(dice(nemesis), SIM_MS, 10 * SIM_SECOND);
    world_start(world, node, delay);
}

static void node_started(struct world *world, unsigned node, void *arg) {
    struct nemesis *nemesis = arg;
    if (nemesis->second_crash && node == nemesis->scripted_node && world_incarnation(world, node) == 2)
        world_crash_at_boundary(world, node, nemesis->second_crash, CRASH_POWER);
    if (nemesis->loop_left && node == nemesis->loop_node && !nemesis->calm) {
        nemesis->loop_left--;
        world_crash_at_boundary(world, node, (uint64_t)prng_skewed(dice(nemesis), 1, 4000), CRASH_POWER);
        return;
    }
    if (nemesis->calm || world_incarnation(world, node) < 2 || !is_target(nemesis, node)) return;
    if (!world_fault_on(world, FAULT_CRASH_RECOVERY) || !prng_chance(dice(nemesis), 200000)) return;
    if (!world_fault_happens(world, FAULT_CRASH_RECOVERY)) return;
    world_crash_at_boundary(world, node, (uint64_t)prng_skewed(dice(nemesis), 1, 2000), CRASH_POWER);
}

struct nemesis *nemesis_create(struct world *world) {
    struct nemesis *nemesis = world_alloc(sizeof *nemesis);
    nemesis->world = world;
    world_set_hooks(world, &(struct world_hooks){node_ended, node_started, nemesis});
    return nemesis;
}

void nemesis_set_exited(struct nemesis *nemesis, nemesis_exited_fn *exited, void *arg) {
    nemesis->exited = exited;
    nemesis->exited_arg = arg;
}

void nemesis_destroy(struct nemesis *nemesis) { world_free(nemesis); }

void nemesis_add(struct nemesis *nemesis, unsigned node, unsigned weight) {
    nemesis->targets[nemesis->target_count++] = (struct target){node, weight};
    nemesis->weight_sum += weight;
}

void nemesis_crash_at(struct nemesis *nemesis, unsigned node, uint64_t first, uint64_t second) {
    nemesis->scripted_node = node;
    nemesis->second_crash = second;
    nemesis->scripted = first || second;
    if (first) world_crash_at_boundary(nemesis->world, node, first, CRASH_POWER);
}

static unsigned pick_target(struct nemesis *nemesis) {
    uint64_t at = prng_below(dice(nemesis), nemesis->weight_sum);
    unsigned i = 0;
    while (at >= nemesis->targets[i].weight) at -= nemesis->targets[i++].weight;
    return nemesis->targets[i].node;
}

static void heal(struct world *world, void *arg) {
    unsigned pair = (unsigned)(uintptr_t)arg;
    world_link_cut(world, pair / WORLD_NODES_MAX, pair % WORLD_NODES_MAX, false);
}

static void cut(struct nemesis *nemesis, unsigned from, unsigned to, int64_t duration) {
    world_link_cut(nemesis->world, from, to, true);
    void *pair = (void *)(uintptr_t)(from * WORLD_NODES_MAX + to);
    world_call_at(nemesis->world, world_now(nemesis->world) + duration, heal, pair);
}

static bool pick_pair(struct nemesis *nemesis, unsigned *a, unsigned *b) {
    *a = pick_target(nemesis);
    *b = pick_target(nemesis);
    return *a != *b;
}

/* One node against another. */
static void partition(struct nemesis *nemesis, bool one_way) {
    unsigned a, b;
    if (!pick_pair(nemesis, &a, &b)) return;
    int64_t duration = prng_skewed(dice(nemesis), 10 * SIM_MS, 40 * SIM_SECOND);
    cut(nemesis, a, b, duration);
    if (!one_way) cut(nemesis, b, a, duration);
}

static void cut_again(struct world *world, void *arg) {
    unsigned pair = (unsigned)(uintptr_t)arg;
    if (!world_is_calm(world)) world_link_cut(world, pair / WORLD_NODES_MAX, pair % WORLD_NODES_MAX, true);
}

/* Cut and mended in turn, with a period of its own. */
static void flap(struct nemesis *nemesis) {
    unsigned a, b;
    if (!pick_pair(nemesis, &a, &b)) return;
    struct world *world = nemesis->world;
    int64_t period = prng_skewed(dice(nemesis), 5 * SIM_MS, 10 * SIM_SECOND), at = world_now(world);
    unsigned times = (unsigned)prng_range(dice(nemesis), 3, 20);
    void *pair = (void *)(uintptr_t)(a * WORLD_NODES_MAX + b);
    for (unsigned i = 0; i < times; i++, at += 2 * period) {
        world_call_at(world, at, cut_again, pair);
        world_call_at(world, at + period, heal, pair);
    }
}

struct step {
    unsigned node;
    int64_t ns;
};

static void wobble_step(struct world *world, void *arg) {
    struct step *step = arg;
    if (!world_is_calm(world)) world_wall_jump(world, step->node, step->ns);
    world_free(step);
}

/* Two time servers that disagree by so much, each in turn. */
static void wobble(struct nemesis *nemesis, unsigned node) {
    struct world *world = nemesis->world;
    int64_t by = prng_skewed(dice(nemesis), SIM_MS, 500 * SIM_MS), at = world_now(world);
    unsigned pairs = (unsigned)prng_range(dice(nemesis), 2, 10);
    for (unsigned i = 0; i < 2 * pairs; i++, at += prng_range(dice(nemesis), SIM_MS, 2 * SIM_SECOND)) {
        struct step *step = world_alloc(sizeof *step);
        *step = (struct step){node, i % 2 ? -by : by};
        world_call_at(world, at, wobble_step, step);
    }
}

static void empty_disk(struct world *world, void *arg) { world_disk_limit(world, (unsigned)(uintptr_t)arg, DISK_BYTES); }

static void fill_disk(struct nemesis *nemesis, unsigned node) {
    struct world *world = nemesis->world;
    world_disk_fill(world, node, (uint64_t)prng_skewed(dice(nemesis), 0, 4 << 20));
    int64_t until = world_now(world) + prng_skewed(dice(nemesis), 100 * SIM_MS, 60 * SIM_SECOND);
    world_call_at(world, until, empty_disk, (void *)(uintptr_t)node);
}

static void crash_soon(struct nemesis *nemesis, unsigned node, int64_t within) {
    struct world *world = nemesis->world;
    world_crash_at_boundary(world, node, world_boundary(world, node) + (uint64_t)prng_skewed(dice(nemesis), 1, within),
                            CRASH_POWER);
}

static void strike(struct nemesis *nemesis, enum fault fault) {
    struct world *world = nemesis->world;
    struct prng *prng = dice(nemesis);
    unsigned node = pick_target(nemesis);
    if (world_node_state(world, node) != NODE_RUNNING) return;
    if (!world_fault_happens(world, fault)) return;
    switch (fault) {
    case FAULT_CRASH_BOUNDARY:
        crash_soon(nemesis, node, 3000);
        break;
    case FAULT_CRASH_TIME:
        world_crash(world, node, CRASH_POWER);
        break;
    case FAULT_KILL:
        world_crash(world, node, CRASH_KILL);
        break;
    case FAULT_PAUSE:
        world_pause(world, node, prng_skewed(prng, SIM_MS, 20 * SIM_SECOND));
        break;
    case FAULT_TERMINATE:
        world_signal(world, node, IO_SIGNAL_TERM);
        break;
    case FAULT_PARTITION:
    case FAULT_PARTITION_ONE_WAY:
        partition(nemesis, fault == FAULT_PARTITION_ONE_WAY);
        break;
    case FAULT_FLAPPING:
        flap(nemesis);
        break;
    case FAULT_WOBBLE:
        wobble(nemesis, node);
        break;
    case FAULT_FULL_WHILE:
        fill_disk(nemesis, node);
        break;
    case FAULT_TERMINATE_CRASH:
        world_signal(world, node, IO_SIGNAL_TERM);
        crash_soon(nemesis, node, 3000);
        break;
    case FAULT_CRASH_LOOP:
        nemesis->loop_node = node;
        nemesis->loop_left = (unsigned)prng_range(prng, 2, 6);
        crash_soon(nemesis, node, 300);
        break;
    case FAULT_SLOW_LOOP:
        world_slow(world, node, prng_skewed(prng, 2, 1000), prng_skewed(prng, SIM_MS, 10 * SIM_SECOND));
        break;
    case FAULT_OUT_OF_MEMORY:
        world_exhaust_memory(world, node, (uint64_t)prng_skewed(prng, 1, 20000));
        break;
    case FAULT_JUMP_BACK:
        world_wall_jump(world, node, -prng_skewed(prng, SIM_MS, nemesis->jump_max));
        break;
    default:
        world_wall_jump(world, node, prng_skewed(prng, SIM_MS, nemesis->jump_max));
    }
}

static void tick(struct world *world, void *arg) {
    static const enum fault kinds[] = {FAULT_CRASH_BOUNDARY, FAULT_CRASH_BOUNDARY, FAULT_CRASH_TIME, FAULT_KILL,
                                       FAULT_PAUSE, FAULT_TERMINATE, FAULT_PARTITION, FAULT_JUMP_FORWARD,
                                       FAULT_JUMP_BACK, FAULT_PARTITION_ONE_WAY, FAULT_FLAPPING, FAULT_WOBBLE,
                                       FAULT_FULL_WHILE, FAULT_TERMINATE_CRASH, FAULT_CRASH_LOOP, FAULT_SLOW_LOOP,
                                       FAULT_OUT_OF_MEMORY};
    struct nemesis *nemesis = arg;
    if (nemesis->calm || world_now(world) >= nemesis->until) return;
    enum fault fault = kinds[prng_below(dice(nemesis), ARRAY_LEN(kinds))];
    if (world_fault_on(world, fault)) strike(nemesis, fault);
    world_call_at(world, world_now(world) + prng_range(dice(nemesis), 0, 2 * nemesis->pace), tick, nemesis);
}

void nemesis_begin(struct nemesis *nemesis, int64_t until) {
    nemesis->until = until;
    nemesis->pace = prng_skewed(dice(nemesis), 30 * SIM_MS, 4 * SIM_SECOND);
    nemesis->jump_max = prng_skewed(dice(nemesis), SIM_SECOND, 3600 * SIM_SECOND);
    if (nemesis->ticking || !nemesis->weight_sum) return;
    nemesis->ticking = true;
    world_call_at(nemesis->world, world_now(nemesis->world) + nemesis->pace, tick, nemesis);
}

void nemesis_calm(struct nemesis *nemesis) {
    struct world *world = nemesis->world;
    nemesis->calm = true;
    world_calm(world);
    for (unsigned i = 0; i < nemesis->target_count; i++) {
        unsigned node = nemesis->targets[i].node;
        if (!nemesis->scripted) world_crash_at_boundary(world, node, 0, CRASH_POWER);
        world_pause(world, node, 0);
        world_slow(world, node, 1, 0);
        world_exhaust_memory(world, node, 0);
        world_disk_limit(world, node, DISK_BYTES);
        if (world_node_state(world, node) != NODE_RUNNING) world_start(world, node, SIM_MS);
    }
}

void nemesis_let_end(struct nemesis *nemesis) { nemesis->let_end = true; }
