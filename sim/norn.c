/* norn: the whole server, from HTTP/2 to SQLite on the simulated disk, with workers and clients that speak gRPC to it.
 * Faults strike all of them; what was acknowledged must be there, once, and everything must end. */
#include <stdio.h>

#include "base/mem.h"
#include "config/config.h"
#include "fiber/fiber.h"
#include "server/server.h"
#include "damage.h"
#include "hostile.h"
#include "run.h"
#include "truth.h"
#include "workload.h"

/* ---- the server's node ---- */

struct server_node {
    struct io *io;
    struct truth *truth;
    struct io_op last;
    int code;
};

static void on_last(struct io *io, struct io_op *op) {
    struct server_node *node = op->ctx;
    int code = node->code;
    fiber_shutdown(io);
    mem_free(node);
    io_exit(io, code);
}

/* Sizes small enough that segments, checkpoints and evictions come often. */
static struct status configure(const struct server_node *node, struct arena *arena, struct config *config) {
    static const char *const loops[] = {"1", "1", "2", "3"};
    static const char *const checkpoints[] = {"100ms", "1s", "5s", "60s"};
    static const uint64_t memories[] = {0, 0, 4 << 20, 3 << 20};      /* a loop's; it takes 1 to 3 MiB */
    struct io *io = node->io;
    struct world *world = world_of(io);
    bool small = node->truth->small;
    static const char *const keepalives[] = {"1m", "1m", "5s", "1s"};
    static const char *const keepalive_timeouts[] = {"20s", "2s", "1s"};
    static const uint64_t segments[] = {128 << 10, 512 << 10, 4 << 20};
    /* Another configuration in every fourth life, unless the seed has one for all. */
    bool changes = world_fault_on(world, FAULT_RECONFIGURED);
    unsigned life = world_incarnation(world, world_node_of(io)), now = changes ? life / 4 : 0;
    if (now && life % 4 == 0 && !world_fault_happens(world, FAULT_RECONFIGURED)) now--;
    struct prng own = prng_fork(world_seed(world), "server", now);
    const struct config_flag flags[] = {
        {"data", "/data"}, {"grpc", "0.0.0.0:7233"}, {"http", "127.0.0.1:8080"}, {"metrics", "127.0.0.1:9090"},
        {"insecure", "true"}, {"log-format", "text"}, {"history-shards", "16"},
        {"loops", small ? "1" : loops[prng_below(&own, ARRAY_LEN(loops))]},
        {"store.segment-size", "1MiB"}, {"store.reserve", "1MiB"}, {"store.checkpoint-bytes", "1MiB"},
        {"net.keepalive-interval", small ? "1m" : keepalives[prng_below(&own, ARRAY_LEN(keepalives))]},
        {"net.keepalive-timeout", small ? "20s" : keepalive_timeouts[prng_below(&own, ARRAY_LEN(keepalive_timeouts))]},
        {"store.checkpoint-interval", small ? "100ms" : checkpoints[prng_below(&own, ARRAY_LEN(checkpoints))]},
    };
    struct status status = config_load(io, flags, ARRAY_LEN(flags), arena, config);
    if (small) return status;
    uint64_t memory = memories[prng_below(&own, ARRAY_LEN(memories))];      /* below what a user may choose */
    config->memory = memory / 2 * (1 + config->loops);
    config->store_segment = segments[prng_below(&own, ARRAY_LEN(segments))];
    if (config->memory) node->truth->tight = true;
    if (config->memory) model_excuse(node->truth->model);
    return status;
}

static void server_fiber(void *arg) {
    struct server_node *node = arg;
    struct arena arena = {0};
    struct config config;
    struct status status = configure(node, &arena, &config);
    if (!status_ok(status)) world_fail(world_of(node->io), WORLD_USAGE, "configuration: %s", status.message);
    node->code = server_main(node->io, &config);
    arena_free(&arena);
    node->last = (struct io_op){.done = on_last, .ctx = node};
    io_timer(node->io, &node->last, io_now(node->io) + SIM_MS);
}

void server_node_start(struct io *io, void *arg) {
    struct server_node *node = MEM_NEW(struct server_node);
    node->io = io;
    node->truth = arg;
    CHECK(fiber_start(io, "server", server_fiber, node, FIBER_STACK_LARGE));
}

/* ---- the run ---- */

/* Begins with the id of another, once that has ended; each id is taken again once at most. */
static void take_id(struct truth_flow *flow, struct truth_flow *before) {
    if (before->taken) return;
    before->taken = true;
    flow->before = before;
    flow->namespace = before->namespace;
    snprintf(flow->id, sizeof flow->id, "%s", before->id);
}

static void make_flows(struct truth *truth) {
    struct prng *prng = world_prng(truth->world, PRNG_WORKLOAD);
    truth->flow_count = (unsigned)prng_range(prng, 50, 100);
    int64_t span = prng_skewed(prng, SIM_SECOND, 60 * SIM_SECOND);
    for (unsigned i = 0; i < truth->flow_count; i++) {
        struct truth_flow *flow = &truth->flows[i];
        snprintf(flow->id, sizeof flow->id, "flow-%u", i);
        flow_make(prng, flow->script, &flow->signals_wanted, &flow->cancel_wanted);
        flow->has_again = strchr(flow->script, 'n') != NULL;
        unsigned more = flow->signals_wanted + (unsigned)prng_below(prng, flow->has_again ? 7 : 3);
        flow->signals_wanted = more < TRUTH_SIGNALS_MAX ? more : TRUTH_SIGNALS_MAX;
        flow->number = i;
        flow->namespace = truth->namespaces[prng_below(prng, truth->namespace_count)];
        if (prng_chance(prng, 200000)) flow->padding = (unsigned)prng_skewed(prng, 100, 20000);
        flow->delete_wanted = !flow->has_again && prng_chance(prng, 100000);
        if (prng_chance(prng, 100000)) flow->delay_ms = (unsigned)prng_skewed(prng, 1, 20000);
        flow->client = (unsigned)prng_below(prng, truth->client_count);
        if (i && !flow->has_again && prng_chance(prng, 150000)) take_id(flow, &truth->flows[prng_below(prng, i)]);
        flow->start_at = prng_range(prng, 0, span);
        flow->unwatched = prng_chance(prng, 100000);
        snprintf(flow->at, sizeof flow->at, "not started");
    }
}

/* Workflows that --workflows leaves out count as done. One that takes the id of such a one takes that one's place. */
static void leave_out(struct truth *truth, const struct ranges *kept) {
    for (unsigned i = 0; i < truth->flow_count; i++) {
        struct truth_flow *flow = &truth->flows[i];
        while (flow->before && !ranges_have(kept, flow->before->number)) flow->before = flow->before->before;
        if (ranges_have(kept, i)) continue;
        flow->closed = flow->judged = true;
        truth->closed_count++;
        truth->judged_count++;
        snprintf(flow->at, sizeof flow->at, "left out");
    }
}

static unsigned at_most(unsigned count, unsigned limit) { return limit && limit < count ? limit : count; }

static void make_races(struct truth *truth) {
    struct prng *prng = world_prng(truth->world, PRNG_WORKLOAD);
    truth->race_count = (unsigned)prng_below(prng, TRUTH_RACES_MAX + 1);
    for (unsigned i = 0; i < truth->race_count; i++) {
        struct truth_race *race = &truth->races[i];
        snprintf(race->flow.id, sizeof race->flow.id, "race-%u", i);
        race->flow.namespace = truth->namespaces[0];
        race->flow.start_at = prng_skewed(prng, SIM_SECOND, 30 * SIM_SECOND);
        race->pace = (unsigned)prng_skewed(prng, 2, 3000);
        unsigned racers = (unsigned)prng_range(prng, 2, TRUTH_RACERS_MAX);
        for (unsigned k = 0; k < racers; k++)
            truth->racers[truth->racer_count++] = (struct truth_racer){
                .race = race, .client = (unsigned)prng_below(prng, truth->client_count),
                .steps = (unsigned)prng_range(prng, 5, 15), .last = k == 0};
    }
}

static unsigned add(struct truth *truth, struct nemesis *nemesis, const char *name, io_start_fn *start,
                    unsigned weight) {
    unsigned node = world_add_node(truth->world, &(struct world_node){
        .name = name, .start = start, .arg = truth, .env = start == server_node_start ? truth->server_env : NULL});
    nemesis_add(nemesis, node, weight);
    world_start(truth->world, node, 0);
    return node;
}

/* A server may refuse to start only while the lock of its former life is held. */
static void exited(struct world *world, unsigned node, int code, void *arg) {
    struct truth *truth = arg;
    if (!code && truth->damage && node == truth->server) damage_strike(truth->damage);
    if (!code) return;
    struct bytes out = world_output(world, node, IO_STDERR);
    const char *text = (const char *)out.data;
    size_t end = out.len && text[out.len - 1] == '\n' ? out.len - 1 : out.len, begin = end;
    while (begin && text[begin - 1] != '\n') begin--;
    if (truth->damage && damage_told(truth->damage, bytes_of(text + begin, end - begin))) return;
    if (world_disk_errors(world, node)) return;
    bool full = memmem(text + begin, end - begin, "the disk is full", 16) || memmem(text + begin, end - begin, "no space left", 13);
    if (full && world_fault_hits(world, FAULT_FULL_WHILE)) return;
    bool locked = memmem(text + begin, end - begin, "locked", 6) || memmem(text + begin, end - begin, "another process", 15);
    if (locked && world_fault_hits(world, FAULT_GHOST_LOCK)) return;
    world_fail(world, WORLD_INCORRECT, "the server ended with code %d: %.*s", code, (int)(end - begin), text + begin);
}

static void *begin(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    static const char *const workers[] = {"worker-1", "worker-2"}, *const clients[] = {"client-1", "client-2"};
    struct prng *prng = world_prng(world, PRNG_WORKLOAD);
    struct truth *truth = world_alloc(sizeof *truth);
    truth->world = world;
    if (options->plant) snprintf(truth->plant, sizeof truth->plant, "NORN_PLANT=%s", options->plant);
    truth->server_env[0] = truth->plant;
    truth->namespaces[0] = "default";
    truth->namespaces[1] = "second";
    truth->namespaces[2] = "third";
    truth->namespace_known[0] = KNOWN_YES;
    truth->worker_count = at_most((unsigned)prng_range(prng, 1, 2), options->workers);
    truth->client_count = at_most((unsigned)prng_range(prng, 1, 2), options->clients);
    truth->namespace_count = (unsigned)prng_range(prng, 1, TRUTH_NAMESPACES_MAX);
    truth->strict = !world_faulty(world);
    make_flows(truth);
    make_races(truth);
    leave_out(truth, &options->workflows);
    nemesis_set_exited(nemesis, exited, truth);
    truth->server = add(truth, nemesis, "server", server_node_start, 6);
    older_put(truth);
    truth->model = model_create(world, truth->server);
    for (unsigned i = 0; i < truth->worker_count; i++)
        truth->workers[i] = add(truth, nemesis, workers[i], worker_start, 2);
    for (unsigned i = 0; i < truth->client_count; i++)
        truth->clients[i] = add(truth, nemesis, clients[i], client_start, 1);
    truth->damage = damage_create(world, truth->server);
    if (hostile_is_on(world)) truth->hostile = add(truth, nemesis, "hostile", hostile_start, 1);
    return truth;
}

/* A world without mischief: one worker, one client, one namespace, one configuration. */
static struct truth *plain_truth(struct world *world, const struct run_options *options, unsigned count) {
    struct truth *truth = world_alloc(sizeof *truth);
    CHECK(count <= TRUTH_FLOWS_MAX);
    truth->world = world;
    if (options->plant) snprintf(truth->plant, sizeof truth->plant, "NORN_PLANT=%s", options->plant);
    truth->server_env[0] = truth->plant;
    truth->namespaces[0] = "default";
    truth->namespaces[1] = "second";
    truth->namespaces[2] = "third";
    truth->namespace_known[0] = KNOWN_YES;
    truth->small = true;
    truth->worker_count = truth->client_count = 1;
    truth->namespace_count = 1;
    truth->flow_count = count;
    return truth;
}

static void plain_flow(struct truth *truth, unsigned number, const char *script, int64_t start_at) {
    struct truth_flow *flow = &truth->flows[number];
    flow->number = number;
    flow->namespace = truth->namespaces[0];
    flow->start_at = start_at;
    snprintf(flow->id, sizeof flow->id, "flow-%u", number);
    snprintf(flow->script, sizeof flow->script, "%s", script);
    flow->signals_wanted = strchr(script, 's') != NULL;
    flow->cancel_wanted = strchr(script, 'x') != NULL;
    flow->has_again = strchr(script, 'n') != NULL;
    snprintf(flow->at, sizeof flow->at, "not started");
}

static void *plain_nodes(struct truth *truth, struct nemesis *nemesis) {
    nemesis_set_exited(nemesis, exited, truth);
    truth->server = add(truth, nemesis, "server", server_node_start, 1);
    truth->model = model_create(truth->world, truth->server);
    truth->workers[0] = add(truth, nemesis, "worker", worker_start, 1);
    truth->clients[0] = add(truth, nemesis, "client", client_start, 1);
    return truth;
}

/* One of each kind, at once: short enough to crash it at every boundary. */
static void *begin_small(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    static const char *const scripts[] = {"a1,t200;s1;m", "h1;n;a0", "x"};
    struct truth *truth = plain_truth(world, options, ARRAY_LEN(scripts));
    for (unsigned i = 0; i < ARRAY_LEN(scripts); i++) plain_flow(truth, i, scripts[i], 0);
    return plain_nodes(truth, nemesis);
}

/* For sim-bench: workflows that sleep for long, and 100 workflows a second. */
static void *begin_idle(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    enum { COUNT = 20 };
    struct truth *truth = plain_truth(world, options, COUNT);
    for (unsigned i = 0; i < COUNT; i++) plain_flow(truth, i, "a0;t800000;a0", i * SIM_SECOND);
    return plain_nodes(truth, nemesis);
}

static void *begin_load(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    enum { RATE = 100 };
    struct truth *truth = plain_truth(world, options, TRUTH_FLOWS_MAX);
    for (unsigned i = 0; i < TRUTH_FLOWS_MAX; i++) plain_flow(truth, i, "a0", i * (SIM_SECOND / RATE));
    return plain_nodes(truth, nemesis);
}

static bool work_done(const struct truth *truth) {
    for (unsigned i = 0; i < truth->race_count; i++)
        if (!truth->races[i].over) return false;
    if (truth->calm && truth->older == OLDER_WAITS) return false;
    return (truth->calm ? truth->judged_count : truth->closed_count) == truth->flow_count;
}

/* In the calm, once all has ended, the audit: it asks for one restart of the server. */
static bool audited(struct truth *truth) {
    struct world *world = truth->world;
    if (truth->audit == AUDIT_WAITS) truth->audit = AUDIT_BEFORE;
    if (truth->audit == AUDIT_RESTART) {
        unsigned life = world_incarnation(world, truth->server);
        if (!truth->restart_from) truth->restart_from = life;
        truth->strict = false;           /* calls meet a server that ends */
        workload_end_node(world, truth->server, &truth->told[TOLD_SERVER_BY_AUDIT]);
        if (life > truth->restart_from) truth->audit = AUDIT_AFTER;
    }
    return truth->audit == AUDIT_DONE;
}

static bool finished(void *arg) {
    struct truth *truth = arg;
    return work_done(truth) && (!truth->calm || truth->small || audited(truth));
}

/* The last crash: whatever was acknowledged must outlive it, in every seed. */
static void calmed(void *arg) {
    struct truth *truth = arg;
    truth->calm = true;
    truth->calm_at = world_now(truth->world);
    if (truth->small || !world_fault_happens(truth->world, FAULT_LAST_CRASH)) return;
    if (truth->closed_count < truth->flow_count) {      /* what is under way is excused, as with any crash */
        truth->strict = false;
        model_excuse(truth->model);
    }
    world_crash(truth->world, truth->server, CRASH_POWER);
}

static const char *explain(void *arg) {
    struct truth *truth = arg;
    fprintf(stderr, "%u of %u workflows have ended, %u were judged, the audit is in phase %u of %u; the others:\n",
            truth->closed_count, truth->flow_count, truth->judged_count, truth->audit, AUDIT_DONE);
    if (truth->older == OLDER_WAITS) fprintf(stderr, "  workflows of the older build's folder have not ended\n");
    unsigned shown = 0;
    const char *first = NULL;
    for (unsigned i = 0; i < truth->flow_count && shown < 10; i++) {
        const struct truth_flow *flow = &truth->flows[i];
        if (flow->judged) continue;
        if (!shown++) first = flow->id;
        fprintf(stderr, "  %s run %s script %s: %s, %u of %u signals\n", flow->id, flow->run_id, flow->script, flow->at,
                flow->signal_next, flow->signals_wanted);
        if (flow->waits[0]) fprintf(stderr, "    waits for %s\n", flow->waits);
    }
    for (unsigned i = 0; i < truth->race_count; i++)
        if (!truth->races[i].over)
            fprintf(stderr, "  %s: %u clients race, newest run %s\n", truth->races[i].flow.id,
                    truth_racing(truth, &truth->races[i]),
                    truth->races[i].flow.run_id);
    return first;
}

static void check(void *arg) {
    struct truth *truth = arg;
    world_note(truth->world, 1, &truth->starts, sizeof truth->starts);
}

/* Clients and workers end first, then the server. */
static bool ended(void *arg) {
    struct truth *truth = arg;
    bool all = !truth->hostile || workload_end_node(truth->world, truth->hostile, &truth->told[TOLD_HOSTILE]);
    for (unsigned i = 0; i < truth->client_count; i++)
        all &= workload_end_node(truth->world, truth->clients[i], &truth->told[TOLD_CLIENTS + i]);
    for (unsigned i = 0; i < truth->worker_count; i++)
        all &= workload_end_node(truth->world, truth->workers[i], &truth->told[TOLD_WORKERS + i]);
    return all && workload_end_node(truth->world, truth->server, &truth->told[TOLD_SERVER]);
}

static void report(void *arg) {
    const struct truth *truth = arg;
    fprintf(stderr, "%u workflows: %llu starts, %llu signals, %llu cancels, %llu queries, %llu workflow tasks, "
            "%llu activities, %llu heartbeats, %llu terminations, %llu describes, %llu lists, %llu duplicates, %llu dropped tasks, %llu histories; server started %u "
            "times\n", truth->flow_count, (unsigned long long)truth->starts, (unsigned long long)truth->signals,
            (unsigned long long)truth->cancels, (unsigned long long)truth->queries, (unsigned long long)truth->tasks,
            (unsigned long long)truth->activities, (unsigned long long)truth->heartbeats, (unsigned long long)truth->terminations,
            (unsigned long long)truth->describes, (unsigned long long)truth->lists,
            (unsigned long long)truth->duplicates, (unsigned long long)truth->dropped,
            (unsigned long long)truth->histories, world_incarnation(truth->world, truth->server));
}

static void destroy(void *arg) {
    struct truth *truth = arg;
    if (truth->damage) damage_destroy(truth->damage);
    truth_free(truth);
}

const struct workload norn_workload = {
    .name = "norn", .text = "the whole server, with workers and clients over gRPC", .covers = true, .begin = begin,
    .finished = finished, .calmed = calmed, .explain = explain, .check = check, .ended = ended, .report = report,
    .destroy = destroy,
};

const struct workload small_workload = {
    .name = "small", .text = "the whole server with one workflow of each kind, for --sweep", .begin = begin_small,
    .finished = finished, .calmed = calmed, .explain = explain, .check = check, .ended = ended, .report = report,
    .destroy = destroy,
};

const struct workload idle_workload = {
    .name = "idle", .text = "workflows that sleep for long, for sim-bench", .begin = begin_idle, .finished = finished,
    .calmed = calmed, .explain = explain, .check = check, .ended = ended, .report = report, .destroy = destroy,
};

const struct workload load_workload = {
    .name = "load", .text = "100 workflows a second, for sim-bench", .begin = begin_load, .finished = finished,
    .calmed = calmed, .explain = explain, .check = check, .ended = ended, .report = report, .destroy = destroy,
};
