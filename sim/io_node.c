/* io_node: processes, and how they end.
 *
 * A node ends in one of three ways. It exits by io_exit. It is killed: its code stops between two callbacks, and its
 * disk keeps what was written. Or power is lost, and what was not synced is kept, lost or torn (io_disk).
 *
 * A crash comes at a time, between callbacks, or at an io boundary: each submission and each completion counts one.
 * There the durable image is frozen at once. The node's code goes on until it returns to its loop, but all that it
 * submits is swallowed. Work on a helper gets IO_ECRASHED from every call, so that SQLite unwinds and the work ends.
 * Then sockets, files, stacks and the heap are dropped whole. Nothing jumps over frames, so no library is left with a
 * lock held. */
#include <stdio.h>
#include <stdlib.h>

#include "io_sim.h"
#include "log.h"
#include "record.h"

void sim_enter(struct io_node *node, struct io *io, struct io_helper *helper) {
    CHECK(!sim_current.node);
    sim_current.node = node;
    sim_current.io = io;
    sim_current.helper = helper;
}

void sim_leave(void) {
    sim_current.node = NULL;
    sim_current.io = NULL;
    sim_current.helper = NULL;
}

struct io_node *world_node_at(const struct world *world, unsigned index) {
    CHECK(index < world->node_count);
    return world->nodes[index];
}

/* ---- clocks of a node ---- */

static int64_t coarse(const struct io_node *node, int64_t ns) { return node->grain ? ns - ns % node->grain : ns; }

int64_t node_mono(const struct io_node *node) {
    int64_t passed = node->world->now - node->mono_origin;
    return coarse(node, node->mono_start + passed + (int64_t)((__int128)passed * node->drift_ppm / 1000000));
}

int64_t node_wall(const struct io_node *node) {
    int64_t now = node->world->now;
    return coarse(node, node->world->wall_start + now + (int64_t)((__int128)now * node->wall_ppm / 1000000) + node->wall_offset);
}

int64_t node_mono_to_world(const struct io_node *node, int64_t deadline) {
    if (node->grain && deadline % node->grain && deadline < INT64_MAX - node->grain)
        deadline += node->grain - deadline % node->grain;
    int64_t ahead = deadline - node->mono_start;
    int64_t passed = (int64_t)((__int128)ahead * 1000000 / (1000000 + node->drift_ppm)) - 2;
    if (passed < 0) passed = 0;
    int64_t limit = INT64_MAX - node->mono_origin - 8;
    if (passed > limit) return INT64_MAX - 4;
    while (node->mono_start + passed + (int64_t)((__int128)passed * node->drift_ppm / 1000000) < deadline) passed++;
    return node->mono_origin + passed;
}

static void clocks_start(struct io_node *node) {
    struct world *world = node->world;
    struct prng *prng = &world->streams[PRNG_CLOCK];
    node->mono_origin = world->now;
    node->mono_start = 1 + prng_skewed(prng, 0, 30 * 86400 * SIM_SECOND);
    node->drift_ppm = fault_strikes(world, FAULT_DRIFT, PRNG_CLOCK, 1000000) ? prng_range(prng, -500, 500) : 0;
    if (node->incarnation == 1 && fault_strikes(world, FAULT_SKEW, PRNG_CLOCK, 1000000))
        node->wall_offset = prng_range(prng, -120 * SIM_SECOND, 120 * SIM_SECOND);
    if (node->incarnation == 1 && fault_strikes(world, FAULT_WALL_DRIFT, PRNG_CLOCK, 1000000))
        node->wall_ppm = prng_range(prng, -300, 300);
    bool coarse_now = fault_strikes(world, FAULT_COARSE, PRNG_CLOCK, 1000000);
    node->grain = coarse_now ? prng_range(prng, 1, 15) * SIM_MS : 0;
}

int64_t world_wall(const struct world *world, unsigned index) { return node_wall(world->nodes[index]); }

void world_wall_jump(struct world *world, unsigned index, int64_t ns) {
    struct io_node *node = world_node_at(world, index);
    node->wall_offset += ns;
    if (ns < 0) world->wall_back -= ns;
    else if (node->jump_count < WORLD_JUMPS_MAX)
        node->jumps[node->jump_count++] = (struct world_jump){node_wall(node) - ns, node_wall(node)};
    else
        node->outage += ns;                             /* as good as a time in which it did nothing */
    trace_event(node, 0, SIM_wall_jump, false, 0, ns, 0);
}

/* ---- starting ---- */

static void node_begin(struct world *world, struct event *event) {
    struct io_node *node = CONTAINER_OF(event, struct io_node, start_event);
    CHECK(node->state != NODE_RUNNING);
    node->state = NODE_RUNNING;
    node->outage += world->now - node->ended_at;
    node->incarnation++;
    node->boundary = node->disk_errors = node->write_errors = node->allocations_left = 0;
    node->slow_until = 0;
    node->exit_code = 0;
    node->exiting = node->crashed = false;
    node->entropy = prng_fork(world->options.seed, "entropy", (uint64_t)node->index << 32 | node->incarnation);
    node->next_port = (uint16_t)prng_range(&world->streams[PRNG_NET], 20000, 50000);
    clocks_start(node);
    trace_event(node, 0, SIM_node_start, false, node->incarnation, 0, 0);
    loop_wake(loop_create(node, node->spec.start, node->spec.arg));
    if (world->hooks.node_started) world->hooks.node_started(world, node->index, world->hooks.arg);
}

unsigned world_add_node(struct world *world, const struct world_node *spec) {
    CHECK(world->node_count < WORLD_NODES_MAX);
    struct io_node *node = world_alloc(sizeof *node);
    node->world = world;
    node->index = world->node_count;
    node->spec = *spec;
    node->start_event = (struct event){node_begin, EVENT_IDLE};
    node->disk = disk_create(world, spec->disk_bytes ? spec->disk_bytes : UINT64_C(1) << 30);
    world->nodes[world->node_count++] = node;
    return node->index;
}

void world_start(struct world *world, unsigned index, int64_t delay) {
    struct io_node *node = world_node_at(world, index);
    CHECK(node->state != NODE_RUNNING);
    event_schedule(world, &node->start_event, world->now + delay);
}

/* ---- ending ---- */

static void report_leaks(struct io_node *node) {
    struct world *world = node->world;
    unsigned ops = 0, bufs = 0, socks = 0;
    for (unsigned i = 0; i < node->loop_count; i++) {
        struct io *io = node->loops[i];
        LIST_EACH(it, &io->busy) ops++;
        ops += io->timers.count + io->deferred.count - io->deferred_head;
        bufs += net_bufs_out(io);
        socks += net_socks_open(io);
    }
    bool clean = !ops && !bufs && !socks && !node->files_open && !node->memory.count && !node->stack_count;
    if (!world->check_leaks || node->exit_code || clean) return;
    memory_report(&node->memory);
    for (unsigned i = 0; i < node->loop_count; i++)
        LIST_EACH(it, &node->loops[i]->busy)
            fprintf(stderr, "op left: %s\n", sim_kind_name(LIST_ENTRY(it, struct io_op, link)->kind));
    world_fail(world, WORLD_LEAK,
               "%s exited with %u ops, %u receive buffers, %u sockets, %u files, %llu stacks, %llu pieces of memory "
               "(%llu bytes)", node->spec.name, ops, bufs, socks, node->files_open,
               (unsigned long long)node->stack_count, (unsigned long long)node->memory.count,
               (unsigned long long)node->memory.bytes);
}

static void drop(struct io_node *node, bool silent) {
    for (unsigned i = 0; i < node->helper_count; i++) helper_unwind(node->helpers[i]);
    for (unsigned i = 0; i < node->loop_count; i++) net_loop_drop(node->loops[i], silent);
    for (unsigned i = 0; i < node->loop_count; i++) loop_drop(node->loops[i]);
    for (unsigned i = 0; i < node->helper_count; i++) helper_drop(node->helpers[i]);
    files_drop(node);
    stacks_drop(node);
    node->left_bytes = node->memory.bytes;
    node->left_count = node->memory.count;
    memory_drop(&node->memory);
    world_free(node->loops);
    world_free(node->helpers);
    node->loops = NULL;
    node->helpers = NULL;
    node->loop_count = node->helper_count = 0;
    node->signal_count = 0;
    node->crash_at = 0;
}

static void end(struct io_node *node, enum node_state state) {
    struct world *world = node->world;
    bool power = state == NODE_DOWN && node->crash_mode == CRASH_POWER;
    bool silent = power && fault_strikes(world, FAULT_HALF_OPEN, PRNG_CRASH, 500000);
    if (state == NODE_DOWN && !silent) world->fault_hits[FAULT_CRASH_RESET]++;
    trace_event(node, 0, state == NODE_DOWN ? SIM_node_crash : SIM_node_exit, false, node->boundary, node->exit_code,
                node->crash_mode);
    if (state == NODE_EXITED) report_leaks(node);
    node->state = state;
    node->ended_at = world->now;
    drop(node, silent);
    if (power)
        disk_crash(node->disk);
    else
        disk_process_ended(node->disk);
    if (state == NODE_DOWN) node->crashes++;
    if (world->hooks.node_ended) world->hooks.node_ended(world, node->index, state, world->hooks.arg);
}

void node_settle(struct io_node *node) {
    if (node->state != NODE_RUNNING) return;
    if (node->crashed)
        end(node, NODE_DOWN);
    else if (node->exiting)
        end(node, NODE_EXITED);
}

bool node_boundary(struct io_node *node) {
    if (node->crashed) return true;
    if (++node->boundary != node->crash_at) return false;
    node->crashed = true;
    return true;
}

_Noreturn void node_stop(struct io_node *node, enum crash_mode mode, const char *text) {
    struct io *io = sim_current.io;
    struct io_helper *helper = sim_current.helper;
    trace_event(node, io->index, SIM_node_stop, false, node->boundary, 0, sim_hash(text, strlen(text)));
    io_print(io, IO_STDERR, text, strlen(text));
    io_print(io, IO_STDERR, "\n", 1);
    node->crashed = true;
    node->crash_mode = mode;
    if (!helper) context_exit_to(&io->context, &io->outside);
    helper->died = true;
    context_exit_to(&helper->context, &helper->outside);
}

bool disk_error_strikes(struct io_node *node, enum fault fault) {
    if (!fault_strikes(node->world, fault, PRNG_DISK, 1000)) return false;
    node->disk_errors++;
    if (fault != FAULT_READ_ERROR) node->write_errors++;
    return true;
}

int64_t world_outage(const struct world *world, unsigned node) { return world_node_at(world, node)->outage; }

unsigned world_jumps(const struct world *world, unsigned node, const struct world_jump **out) {
    *out = world_node_at(world, node)->jumps;
    return world_node_at(world, node)->jump_count;
}

uint64_t world_disk_errors(const struct world *world, unsigned node) { return world_node_at(world, node)->disk_errors; }

void world_crash(struct world *world, unsigned index, enum crash_mode mode) {
    CHECK(!sim_current.node);
    struct io_node *node = world_node_at(world, index);
    if (node->state != NODE_RUNNING) return;
    node->crash_mode = mode;
    node->crashed = true;
    node_settle(node);
}

void world_crash_at_boundary(struct world *world, unsigned index, uint64_t boundary, enum crash_mode mode) {
    struct io_node *node = world_node_at(world, index);
    node->crash_at = boundary;
    node->crash_mode = mode;
}

void world_pause(struct world *world, unsigned index, int64_t duration) {
    struct io_node *node = world_node_at(world, index);
    node->paused_until = world->now + duration;
    node->outage += duration;
    trace_event(node, 0, SIM_pause, false, 0, duration, 0);
    if (duration) return;
    for (unsigned i = 0; i < node->loop_count; i++)
        if (event_scheduled(&node->loops[i]->step)) event_schedule(world, &node->loops[i]->step, world->now);
    for (unsigned i = 0; i < node->helper_count; i++)
        if (event_scheduled(&node->helpers[i]->event)) event_schedule(world, &node->helpers[i]->event, world->now);
}

void world_slow(struct world *world, unsigned index, int64_t factor, int64_t duration) {
    struct io_node *node = world_node_at(world, index);
    node->slow_factor = factor;
    node->slow_until = world->now + duration;
    node->outage += duration;
}

void world_exhaust_memory(struct world *world, unsigned index, uint64_t allocation) {
    world_node_at(world, index)->allocations_left = allocation;
}

void world_disk_fill(struct world *world, unsigned index, uint64_t room) {
    struct disk *disk = world_node_at(world, index)->disk;
    disk_limit(disk, disk_used(disk) + room);
}

void io_exit(struct io *io, int code) {
    if (io->node->exiting) return;
    io->node->exiting = true;
    io->node->exit_code = code;
}

/* ---- looking at nodes ---- */

enum node_state world_node_state(const struct world *world, unsigned node) { return world_node_at(world, node)->state; }
int world_exit_code(const struct world *world, unsigned node) { return world_node_at(world, node)->exit_code; }
unsigned world_incarnation(const struct world *world, unsigned node) {
    return world_node_at(world, node)->incarnation;
}
unsigned world_crashes(const struct world *world, unsigned node) { return world_node_at(world, node)->crashes; }
uint64_t world_boundary(const struct world *world, unsigned node) { return world_node_at(world, node)->boundary; }

void world_node_addr(const struct world *world, unsigned node, uint16_t port, struct io_addr *out) {
    CHECK(node < world->node_count);
    *out = (struct io_addr){.family = 4, .ip = {10, 0, 0, (uint8_t)(node + 1)}, .port = port};
}

struct bytes world_output(struct world *world, unsigned node, enum io_stream stream) {
    return buf_bytes(&world_node_at(world, node)->out[stream == IO_STDERR]);
}

uint64_t world_node_memory(const struct world *world, unsigned index, uint64_t *count) {
    const struct io_node *node = world_node_at(world, index);
    bool running = node->state == NODE_RUNNING;
    if (count) *count = running ? node->memory.count : node->left_count;
    return running ? node->memory.bytes : node->left_bytes;
}

void world_disk_limit(struct world *world, unsigned node, uint64_t bytes) {
    disk_limit(world_node_at(world, node)->disk, bytes);
}

int64_t world_disk_read(struct world *world, unsigned index, const char *path, struct buf *out) {
    struct disk *disk = world_node_at(world, index)->disk;
    struct inode *inode;
    int64_t result = disk_open(disk, path, IO_OPEN_READ, &inode);
    if (result < 0) return result;
    size_t size = (size_t)disk_size(inode);
    buf_reserve(out, size + 1);
    result = disk_read(inode, out->data + out->len, size, 0);
    if (result > 0) out->len += (size_t)result;
    inode_release(disk, inode);
    return result;
}

void world_disk_mkdir(struct world *world, unsigned node, const char *path) {
    CHECK(disk_mkdir(world_node_at(world, node)->disk, path) == 0);
}

void world_disk_put(struct world *world, unsigned node, const char *path, struct bytes bytes) {
    CHECK(world_node_state(world, node) != NODE_RUNNING);
    disk_put(world_node_at(world, node)->disk, path, bytes);
}

void world_disk_remove(struct world *world, unsigned node, const char *path) {
    struct disk *disk = world_node_at(world, node)->disk;
    CHECK(disk_unlink(disk, path) == 0);
    disk_settle(disk);
}

void world_disk_spoil(struct world *world, unsigned node, const char *path, uint64_t offset, uint64_t len) {
    disk_spoil(world_node_at(world, node)->disk, path, offset, len);
}

int64_t world_disk_list(struct world *world, unsigned node, const char *path, struct buf *out) {
    return disk_dir_list(world_node_at(world, node)->disk, path, out);
}

int world_current_node(void) { return sim_current.node ? (int)sim_current.node->index : -1; }
struct world *world_of(struct io *io) { return io->node->world; }
unsigned world_node_of(struct io *io) { return io->node->index; }

void world_destroy(struct world *world) {
    CHECK(!sim_current.node && sim_current.world == world);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct io_node *node = world->nodes[i];
        event_cancel(world, &node->start_event);
        if (node->state == NODE_RUNNING) drop(node, true);
    }
    net_world_drop(world);
    stacks_world_drop(world);
    scripted_drop(world);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct io_node *node = world->nodes[i];
        disk_destroy(node->disk);
        buf_free(&node->out[0]);
        buf_free(&node->out[1]);
        world_free(node);
    }
    for (unsigned i = 0; i < world->name_count; i++) world_free(world->names[i].host);
    if (world->record) record_close(world->record, world);
    if (world->log) log_destroy(world->log);
    world_free(world->names);
    world_free(world->heap);
    memory_world_drop(world);
    sim_current = (struct sim_current){0};
    world_free(world);
}

/* ---- what a process sees of itself ---- */

int io_argc(struct io *io) { return io->node->spec.argc; }
const char *io_arg(struct io *io, int index) {
    CHECK(index >= 0 && index < io->node->spec.argc);
    return io->node->spec.argv[index];
}
const char *io_env(struct io *io, const char *name) {
    size_t len = strlen(name);
    for (char **at = io->node->spec.env; at && *at; at++)
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') return *at + len + 1;
    return NULL;
}
const char *io_env_at(struct io *io, const char *prefix, unsigned index) {
    size_t len = strlen(prefix);
    for (char **at = io->node->spec.env; at && *at; at++)
        if (strncmp(*at, prefix, len) == 0 && index-- == 0) return *at;
    return NULL;
}
unsigned io_cpu_count(struct io *io) { return io->node->spec.cpus ? io->node->spec.cpus : 2; }
const char *io_hostname(struct io *io) { return io->node->spec.name; }
uint64_t io_pid(struct io *io) { return 100 + io->node->index * 1000 + io->node->incarnation; }
uint64_t io_resident_bytes(struct io *io) { return (void)io, 0; }
int64_t io_cpu_ns(struct io *io) { return (void)io, 0; }
uint64_t io_shared(struct io *io, uint64_t value) { return (void)io, value; }
int64_t io_record(struct io *io, const struct io_record *record) { return (void)io, (void)record, -IO_ENOTSUP; }
bool io_is_terminal(struct io *io, enum io_stream stream) { return (void)io, (void)stream, false; }
unsigned io_terminal_width(struct io *io) { return (void)io, 80; }

void *io_library(struct io *io, const char *name, const char *symbol, const char **error) {
    (void)io, (void)name, (void)symbol;
    *error = "not in the simulator";
    return NULL;
}

/* ---- output ---- */

static void show(const struct io_node *node, FILE *to, const char *data, size_t len) {
    bool line_start = true;
    for (size_t i = 0; i < len; i++) {
        if (line_start) fprintf(to, "%12.6f %s| ", (double)node->world->now / 1e9, node->spec.name);
        fputc(data[i], to);
        line_start = data[i] == '\n';
    }
    if (!line_start) fputc('\n', to);
}

static void output_keep(struct buf *out, const void *data, size_t len) {
    enum { OUTPUT_MAX = 4 << 20 };
    struct sim_current saved = sim_current;             /* the buffer is the world's, not the node's */
    sim_current.node = NULL;
    if (out->len + len > OUTPUT_MAX) buf_consume(out, out->len / 2);
    buf_append(out, data, len);
    sim_current = saved;
}

void io_print(struct io *io, enum io_stream stream, const void *data, size_t len) {
    struct io_node *node = io->node;
    if (node_boundary(node)) return;
    trace_event(node, io->index, SIM_print, false, stream, (int64_t)len, sim_hash(data, len));
    output_keep(&node->out[stream == IO_STDERR], data, len);
    FILE *to = stream == IO_STDERR ? stderr : stdout;
    if (node->world->options.print_raw)
        fwrite(data, 1, len, to);
    else if (node->world->options.print && !node->spec.mute)
        show(node, to, data, len);
}
