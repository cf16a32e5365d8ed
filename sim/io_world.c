/* io_world: virtual time, the event heap, the trace, and the fault table.
 *
 * Everything that happens in a world is an event: (virtual time, sequence number). The heap gives them in that order,
 * so the order depends on the seed alone, never on an address. Idle time is jumped over.
 *
 * The trace is a chain of XXH3-128 over (time, node, loop, kind, sequence, result, hash of the bytes) of each
 * submission and each completion. Two runs of a seed are the same run when their last links are equal. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/commit.h"
#include "io_sim.h"
#include "log.h"
#include "ranges.h"
#include "record.h"

_Thread_local struct sim_current sim_current;   /* other threads (of a sanitizer or a fuzzer) are outside */

struct scripted {
    struct list link;
    struct event event;
    world_fn *fn;
    void *arg;
};

struct prng prng_fork(uint64_t seed, const char *label, uint64_t index) {
    struct prng mixed = {XXH3_64bits_withSeed(label, strlen(label), seed) ^ (index * 0x9e3779b97f4a7c15u)};
    return (struct prng){prng_next(&mixed)};
}

/* ---- the heap: four children a node ---- */

static void entry_moved(const struct heap_entry *entry, uint32_t index) {
    if (entry->what & 1)
        ((struct io_op *)(entry->what & ~(uintptr_t)1))->heap_index = index;
    else
        ((struct event *)entry->what)->heap_index = index;
}

static bool entry_before(const struct heap_entry *a, const struct heap_entry *b) {
    return a->time != b->time ? a->time < b->time : a->sequence < b->sequence;
}

static void sift_up(struct world *world, uint32_t at, struct heap_entry entry) {
    while (at) {
        uint32_t parent = (at - 1) / 4;
        if (!entry_before(&entry, &world->heap[parent])) break;
        world->heap[at] = world->heap[parent];
        entry_moved(&world->heap[at], at);
        at = parent;
    }
    world->heap[at] = entry;
    entry_moved(&world->heap[at], at);
}

static void sift_down(struct world *world, uint32_t at, struct heap_entry entry) {
    for (;;) {
        uint32_t first = at * 4 + 1, best = first;
        if (first >= world->heap_count) break;
        uint32_t end = first + 4 < world->heap_count ? first + 4 : world->heap_count;
        for (uint32_t child = first + 1; child < end; child++)
            if (entry_before(&world->heap[child], &world->heap[best])) best = child;
        if (!entry_before(&world->heap[best], &entry)) break;
        world->heap[at] = world->heap[best];
        entry_moved(&world->heap[at], at);
        at = best;
    }
    world->heap[at] = entry;
    entry_moved(&world->heap[at], at);
}

static void heap_insert(struct world *world, uintptr_t what, int64_t time) {
    if (world->heap_count == world->heap_cap) {
        world->heap_cap = world->heap_cap ? world->heap_cap * 2 : 1024;
        world->heap = world_realloc(world->heap, world->heap_cap * sizeof *world->heap);
    }
    if (time < world->now) time = world->now;
    sift_up(world, world->heap_count++, (struct heap_entry){time, ++world->sequence, what});
}

static void heap_remove(struct world *world, uint32_t index) {
    CHECK(index < world->heap_count);
    struct heap_entry last = world->heap[--world->heap_count];
    if (index == world->heap_count) return;
    struct heap_entry gone = world->heap[index];
    if (entry_before(&last, &gone))
        sift_up(world, index, last);
    else
        sift_down(world, index, last);
}

void event_cancel(struct world *world, struct event *event) {
    if (!event_scheduled(event)) return;
    heap_remove(world, event->heap_index);
    event->heap_index = EVENT_IDLE;
}

void event_schedule(struct world *world, struct event *event, int64_t time) {
    event_cancel(world, event);
    heap_insert(world, (uintptr_t)event, time);
}

void op_schedule(struct world *world, struct io_op *op, int64_t time) {
    OP_STATE(op) = OP_HEAP;
    heap_insert(world, (uintptr_t)op | 1, time);
}

void op_unschedule(struct world *world, struct io_op *op) {
    CHECK(OP_STATE(op) == OP_HEAP);
    heap_remove(world, op->heap_index);
    OP_STATE(op) = OP_WAITING;
}

/* ---- trace ---- */

const char *sim_kind_name(uint32_t kind) {
    static const char *const names[] = {
#define X(name) #name,
        SIM_KINDS(X)
#undef X
    };
    return kind < SIM_KIND_COUNT ? names[kind] : "?";
}

uint64_t sim_hash(const void *data, size_t len) { return len ? XXH3_64bits(data, len) : 0; }

static const char *node_name(const struct world *world, unsigned index) {
    return index < world->node_count ? world->nodes[index]->spec.name : "-";
}

/* Stops for a debugger, in the code that made the event. */
static void break_here(struct world *world, const struct trace_line *line) {
    const struct world_break *stop = world->options.stop;
    if (world->trapped) return;
    if (stop->at) {
        if (!moment_reached(stop->at, world->events, world->now)) return;
    } else {
        if (strcmp(sim_kind_name(line->kind), stop->kind) != 0 || line->done) return;
        if (stop->node && strcmp(stop->node, node_name(world, line->node)) != 0) return;
        if (++world->breaks_seen != stop->count) return;
    }
    world->trapped = true;
    fprintf(stderr, "--break: ");
    log_print_io(line, world->events, node_name(world, line->node), 0, stderr);
    raise(SIGTRAP);
}

static void trace_add(struct io_node *node, unsigned loop, const struct trace_line *about, uint32_t connection) {
    struct world *world = node ? node->world : sim_current.world;
    struct trace_line *line = &world->ring[world->events++ % TRACE_RING];
    *line = *about;
    line->time = world->now;
    line->node = (uint16_t)(node ? node->index : 0xffff);
    line->loop = (uint16_t)loop;
    uint64_t words[8] = {world->trace.high, world->trace.low, (uint64_t)world->now,
                         (uint64_t)line->node << 32 | loop, (uint64_t)line->kind << 1 | line->done, line->sequence,
                         (uint64_t)line->result, line->hash};
    XXH128_hash_t link = XXH3_128bits(words, sizeof words);
    world->trace = (struct world_trace){link.high64, link.low64};
    if (world->record) record_add(world->record, line);
    if (world->log) log_io(world->log, line, connection);
    if (world->options.stop) break_here(world, line);
}

void trace_event(struct io_node *node, unsigned loop, enum sim_kind kind, bool done, uint64_t sequence, int64_t result,
                 uint64_t hash) {
    trace_add(node, loop, &(struct trace_line){.kind = (uint16_t)kind, .done = done, .sequence = sequence,
                                               .result = result, .hash = hash}, 0);
}

void trace_op(const struct io_op *op, bool done, uint64_t hash) {
    struct io *io = OP_PTR(op, 5);
    trace_add(io->node, io->index, &(struct trace_line){.kind = (uint16_t)op->kind, .done = done, .hash = hash,
                                                        .sequence = op->sequence, .result = done ? op->result : 0},
              net_connection(op));
}

void trace_connection(struct io_node *node, enum sim_kind kind, int64_t result, uint32_t connection) {
    trace_add(node, 0, &(struct trace_line){.kind = (uint16_t)kind, .result = result}, connection);
}

void world_note(struct world *world, uint32_t kind, const void *data, size_t len) {
    (void)world;
    trace_event(sim_current.node, 0, SIM_note, false, kind, (int64_t)len, sim_hash(data, len));
}

struct log *world_log(const struct world *world) { return world->log; }
uint64_t world_events(const struct world *world) { return world->events; }
struct world_trace world_trace(const struct world *world) { return world->trace; }

/* ---- faults ---- */

static const struct {
    const char *name, *text;
    enum fault_group group;
    unsigned reach;
} fault_table[FAULT_COUNT] = {
#define X(name, text, group, reach) {#name, text, FAULT_GROUP_##group, reach},
    FAULTS(X)
#undef X
};

const char *world_fault_name(enum fault fault) { return fault_table[fault].name + strlen("FAULT_"); }
const char *world_fault_text(enum fault fault) { return fault_table[fault].text; }
enum fault_group world_fault_group(enum fault fault) { return fault_table[fault].group; }
unsigned world_fault_reach(enum fault fault) { return fault_table[fault].reach; }
void world_fault_set(struct world *world, enum fault fault, bool on) { world->fault_on[fault] = on; }
bool world_fault_on(const struct world *world, enum fault fault) { return world->fault_on[fault]; }
uint64_t world_fault_asked(const struct world *world, enum fault fault) { return world->fault_asked[fault]; }
uint64_t world_fault_hits(const struct world *world, enum fault fault) { return world->fault_hits[fault]; }

void world_fault_group_set(struct world *world, enum fault_group group, bool on) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (fault_table[fault].group == group) world->fault_on[fault] = on;
}

bool world_faulty(const struct world *world) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (world->fault_on[fault] && fault_table[fault].group >= FAULT_GROUP_NETWORK) return true;
    return false;
}

bool world_fault_happens(struct world *world, enum fault fault) {
    uint64_t index = ++world->fault_asked[fault];
    if (world->options.only && !ranges_have(&world->options.only[fault], index)) return false;
    world->fault_hits[fault]++;
    if (world->log) log_fault(world->log, world_current_node(), fault, index);
    return true;
}

bool fault_strikes(struct world *world, enum fault fault, enum prng_stream stream, uint32_t per_million) {
    if (!world->fault_on[fault] || !prng_chance(&world->streams[stream], per_million)) return false;
    return world_fault_happens(world, fault);
}

/* How many in a million seeds have the kind on. What leaves less to check is on in fewer. */
static uint32_t share_of(enum fault fault) {
    switch (fault) {
    case FAULT_READ_ERROR:
    case FAULT_WRITE_ERROR:
    case FAULT_SYNC_ERROR:
    case FAULT_DISK_FULL:
    case FAULT_WOBBLE:
    case FAULT_WALL_DRIFT:
    case FAULT_COARSE:
    case FAULT_OLDER_FOLDER: return 150000;
    default: break;
    }
    switch (fault_table[fault].group) {
    case FAULT_GROUP_CONTRACT:
    case FAULT_GROUP_CRASH: return 800000;
    case FAULT_GROUP_CLIENT: return 200000;
    default: return 500000;
    }
}

void world_swarm(struct world *world) {
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        struct prng own = prng_fork(world->options.seed, fault_table[fault].name, 0);
        world->fault_on[fault] = prng_chance(&own, share_of((enum fault)fault));
    }
    world->fault_on[FAULT_LYING_SYNC] = false;
    struct prng quiet = prng_fork(world->options.seed, "quiet", 0);
    if (prng_chance(&quiet, 120000))
        for (int group = FAULT_GROUP_NETWORK; group < FAULT_GROUP_COUNT; group++)
            world_fault_group_set(world, (enum fault_group)group, false);
    nudges_choose(world);
}

bool world_is_calm(const struct world *world) { return world->calm; }

void world_calm(struct world *world) {
    world->calm = true;
    for (int group = FAULT_GROUP_NETWORK; group < FAULT_GROUP_COUNT; group++)
        world_fault_group_set(world, (enum fault_group)group, false);
    for (unsigned from = 0; from < world->node_count; from++)
        for (unsigned to = 0; to < world->node_count; to++) world->links[from][to].cut = false;
    net_link_changed(world);
}

/* ---- operations ---- */

static const struct {
    const char *method;
    unsigned reach;
} operations[OPERATION_COUNT] = {
#define X(method, reach) {#method, reach},
    OPERATIONS(X)
#undef X
};

const char *world_operation_name(enum operation operation) { return operations[operation].method; }
unsigned world_operation_reach(enum operation operation) { return operations[operation].reach; }
uint64_t world_operation_hits(const struct world *world, enum operation operation) {
    return world->operations[operation];
}

void world_operation_count(struct world *world, const char *method) {
    for (int i = 0; i < OPERATION_COUNT; i++) {
        if (strcmp(operations[i].method, method) != 0) continue;
        world->operations[i]++;
        return;
    }
    UNREACHABLE("%s is not in sim/operations.h", method);
}

/* ---- life ---- */

static const char *const stream_names[] = {
#define X(name) #name,
    PRNG_STREAMS(X)
#undef X
};

struct world *world_create(const struct world_options *options) {
    CHECK(!sim_current.world);
    struct world *world = world_alloc(sizeof *world);
    world->options = *options;
    for (int i = 0; i < PRNG_STREAM_COUNT; i++) world->streams[i] = prng_fork(options->seed, stream_names[i], 0);
    struct prng late = prng_fork(options->seed, "late posts", 0);
    world->late_post_rate = (uint32_t)prng_skewed(&late, 2000, 300000);
    list_init(&world->scripted);
    list_init(&world->socks);
    list_init(&world->pipes_free);
    list_init(&world->socks_free);
    world->wall_start = INT64_C(1767225600) * SIM_SECOND;          /* 2026-01-01 */
    world->wall_start += prng_range(&world->streams[PRNG_CLOCK], 0, 400 * 86400) * SIM_SECOND;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        world->fault_on[fault] = fault_table[fault].group <= FAULT_GROUP_CRASH;
    for (unsigned from = 0; from < WORLD_NODES_MAX; from++)
        for (unsigned to = 0; to < WORLD_NODES_MAX; to++)
            world->links[from][to] = from == to ? (struct link){false, 5 * SIM_US, 40 * SIM_US}
                                                : (struct link){false, 30 * SIM_US, 400 * SIM_US};
    if (options->record) world->record = record_open(options->record);
    if (options->log) world->log = log_create(world, options->log, options->log_io);
    sim_current.world = world;
    return world;
}

static void scripted_fire(struct world *world, struct event *event) {
    struct scripted *scripted = CONTAINER_OF(event, struct scripted, event);
    list_remove(&scripted->link);
    world_fn *fn = scripted->fn;
    void *arg = scripted->arg;
    world_free(scripted);
    fn(world, arg);
}

void world_call_at(struct world *world, int64_t time, world_fn *fn, void *arg) {
    struct scripted *scripted = world_alloc(sizeof *scripted);
    scripted->event = (struct event){scripted_fire, EVENT_IDLE};
    scripted->fn = fn;
    scripted->arg = arg;
    list_push_back(&world->scripted, &scripted->link);
    event_schedule(world, &scripted->event, time);
}

void scripted_drop(struct world *world) {
    for (struct list *node; (node = list_pop_front(&world->scripted));) {
        struct scripted *scripted = LIST_ENTRY(node, struct scripted, link);
        event_cancel(world, &scripted->event);
        world_free(scripted);
    }
}

struct world *world_current(void) { return sim_current.world; }
int64_t world_now(const struct world *world) { return world->now; }
int64_t world_wall_back(const struct world *world) { return world->wall_back; }
unsigned world_node_count(const struct world *world) { return world->node_count; }
uint64_t world_seed(const struct world *world) { return world->options.seed; }
struct prng *world_prng(struct world *world, enum prng_stream stream) { return &world->streams[stream]; }
void world_set_hooks(struct world *world, const struct world_hooks *hooks) { world->hooks = *hooks; }
void world_check_leaks(struct world *world, bool on) { world->check_leaks = on; }

void world_add_name(struct world *world, const char *host, const struct io_addr *addr) {
    world->names = world_realloc(world->names, (world->name_count + 1) * sizeof *world->names);
    char *copy = world_alloc(strlen(host) + 1);
    memcpy(copy, host, strlen(host) + 1);
    world->names[world->name_count++] = (struct world_name){copy, *addr};
}

void world_link_cut(struct world *world, unsigned from, unsigned to, bool cut) {
    world->links[from][to].cut = cut;
    trace_event(NULL, 0, SIM_link, cut, from, (int64_t)to, 0);
    net_link_changed(world);
}

void world_link_latency(struct world *world, unsigned from, unsigned to, int64_t low, int64_t high) {
    world->links[from][to].latency_low = low;
    world->links[from][to].latency_high = high;
}

/* ---- running ---- */

static _Noreturn void leave(struct world *world, const struct world_end *end);

static void fire_op(struct io_op *op) {
    struct io *io = OP_PTR(op, 5);
    OP_STATE(op) = OP_WAITING;
    if (op->kind >= SIM_accept && op->kind <= SIM_resolve)
        net_op_fire(io, op);
    else
        file_op_fire(io, op);
}

/* At `until` the run ends as if it were over. */
static void stop_at(struct world *world, int64_t next) {
    const struct moment *until = world->options.until;
    if (!until->is_event && next > until->time) world->now = until->time;
    if (moment_reached(until, world->events, world->now)) leave(world, &(struct world_end){WORLD_PASS, "", ""});
}

bool world_step(struct world *world) {
    if (!world->heap_count) return false;
    struct heap_entry first = world->heap[0];
    if (world->options.until) stop_at(world, first.time);
    heap_remove(world, 0);
    CHECK(first.time >= world->now);
    world->now = first.time;
    if (first.what & 1) {
        fire_op((struct io_op *)(first.what & ~(uintptr_t)1));
    } else {
        struct event *event = (struct event *)first.what;
        event->heap_index = EVENT_IDLE;
        event->fire(world, event);
    }
    return true;
}

void world_run_until(struct world *world, int64_t time) {
    while (world->heap_count && world->heap[0].time <= time) world_step(world);
    if (world->now < time) world->now = time;
}

int64_t world_next(const struct world *world) { return world->heap_count ? world->heap[0].time : INT64_MAX; }

/* ---- failing ---- */

static void print_loop(const struct world *world, const struct io *io) {
    unsigned busy = 0;
    const struct list *head = &io->busy;
    for (const struct list *at = head->next; at != head; at = at->next) busy++;
    fprintf(stderr, "  loop %u: %u ready, %u deferred, %u timers, %u other ops, %u messages, %u sockets, ", io->index,
            io->ready.count, io->deferred.count - io->deferred_head, io->timers.count, busy, io->posts_waiting,
            io->socks_open);
    if (event_scheduled(&io->step))
        fprintf(stderr, "next step at %.9f\n", (double)world->heap[io->step.heap_index].time / 1e9);
    else
        fprintf(stderr, "asleep\n");
}

static void print_nodes(const struct world *world) {
    static const char *const states[] = {"new", "running", "down", "exited"};
    for (unsigned i = 0; i < world->node_count; i++) {
        const struct io_node *node = world->nodes[i];
        fprintf(stderr, "%s: %s, started %u times, boundary %llu%s\n", node->spec.name, states[node->state],
                node->incarnation, (unsigned long long)node->boundary,
                node->paused_until > world->now ? ", frozen" : "");
        for (unsigned k = 0; k < node->loop_count; k++) print_loop(world, node->loops[k]);
    }
}

static void print_events(const struct world *world, uint64_t count) {
    uint64_t shown = world->events < count ? world->events : count;
    fprintf(stderr, "the last %llu io events:\n", (unsigned long long)shown);
    for (uint64_t i = world->events - shown; i < world->events; i++) {
        const struct trace_line *line = &world->ring[i % TRACE_RING];
        log_print_io(line, i + 1, node_name(world, line->node), 0, stderr);
    }
}

static const char *verdict_name(enum world_verdict verdict) {
    switch (verdict) {
    case WORLD_PASS: return "STOPPED";
    case WORLD_USAGE: return "USAGE";
    case WORLD_DIED: return "FAIL died";
    case WORLD_INCORRECT: return "FAIL incorrect";
    case WORLD_STUCK: return "FAIL stuck";
    case WORLD_LEAK: return "FAIL leak";
    case WORLD_DIVERGED: return "FAIL diverged";
    case WORLD_UNREACHED: return "FAIL unreached";
    }
    return "FAIL";
}

static void print_workflow(const struct world *world, const struct world_end *end) {
    enum { SHOWN = 30 };
    uint32_t workflow = world->log ? log_named(world->log, end->text) : 0;
    if (!workflow) return;
    fprintf(stderr, "the last events and calls of %s:\n", world->log->workflows[workflow - 1].id);
    log_print_last(world->log, workflow, SHOWN, stderr);
}

static void print_report(const struct world *world, const struct world_end *end) {
    enum { SHOWN = 40 };
    const struct io_node *node = sim_current.node;
    print_nodes(world);
    print_events(world, SHOWN);
    print_workflow(world, end);
    fprintf(stderr, "commit   %s\nseed     %llu\ntime     %.9f s, io event %llu, in %s%s%s\n", norn_commit,
            (unsigned long long)world->options.seed, (double)world->now / 1e9, (unsigned long long)world->events,
            node ? node->spec.name : "no node", sim_current.helper ? ", helper " : "",
            sim_current.helper ? sim_current.helper->name : "");
    if (*end->oracle) fprintf(stderr, "oracle   %s\nsimulation: %s\n", end->oracle, end->text);
    if (*end->oracle && world->options.command) fprintf(stderr, "replay   %s\n", world->options.command);
}

static _Noreturn void leave(struct world *world, const struct world_end *end) {
    if (world->record) record_close(world->record, world);
    fflush(stdout);
    print_report(world, end);
    printf("%s%s%s seed=%llu events=%llu vtime=%.3f trace=%016llx%016llx\n", verdict_name(end->verdict),
           *end->oracle ? " oracle=" : "", end->oracle, (unsigned long long)world->options.seed,
           (unsigned long long)world->events, (double)world->now / 1e9, (unsigned long long)world->trace.high,
           (unsigned long long)world->trace.low);
    fflush(stdout);
    struct sim_current at = sim_current;
    sim_current.node = NULL;
    if (world->options.ended) world->options.ended(world, end, world->options.ended_arg);
    sim_current = at;
    if (getenv("NORN_SIM_ABORT")) abort();
    _Exit((int)end->verdict);
}

_Noreturn void world_fail_by(struct world *world, enum world_verdict verdict, const char *oracle, const char *format, ...) {
    char text[2048], name[48];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(name, sizeof name, "%s", oracle);
    for (char *at = name; *at; at++)
        if (*at == '_') *at = '-';
    leave(world, &(struct world_end){verdict, name, text});
}

_Noreturn void io_die(const char *file, int line, const char *format, ...) {
    char text[1024], all[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* A process may stop itself when its disk fails; it says so. */
    struct io_node *node = sim_current.node;
    if (node && node->write_errors && strstr(text, "stopping")) node_stop(node, CRASH_POWER, text);
    snprintf(all, sizeof all, "%s:%d: %s", file, line, text);
    if (sim_current.world) leave(sim_current.world, &(struct world_end){WORLD_DIED, "check", all});
    fprintf(stderr, "%s\n", all);
    _Exit(WORLD_DIED);
}
