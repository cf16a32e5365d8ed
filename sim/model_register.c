/* model_register: a workflow id as a register that many write at once: which run is its newest, and is it open?
 *
 * Every call on an id is an operation that takes effect at one moment between its begin and its end. The model keeps all
 * states that the id may be in, each with the calls under way that have taken effect in it, and what they then had to
 * answer. When an answer comes, the states are gone on to by every order of the calls under way, and those that do not
 * fit the answer are dropped. None left: no order explains what was answered. A call whose answer was lost stays under
 * way as long as its bytes may still reach the server: for a while, and as long as the server lives. */
#include "base/check.h"
#include "base/hash.h"

#include "model_internal.h"

enum { SLOTS = 32, COPIES_MAX = 2, STATES_MAX = 65536, TABLE = 4 * STATES_MAX };       /* STATES_MAX: a few dozen are usual */

enum { LOST_SECONDS = 120 };             /* cuts and pauses last 40 s at most */

/* Names of runs: none, those that are known by their index, and those that a request made and nobody has named yet. */
enum { RUN_NONE = 0, RUN_KNOWN = 1, RUN_OF_REQUEST = 256, RUN_AFTER = 4096 };

enum outcome { OUTCOME_PENDING, OUTCOME_NEW, OUTCOME_SAME, OUTCOME_USED, OUTCOME_MET, OUTCOME_DONE, OUTCOME_NOT_FOUND, OUTCOME_SEEN };

/* One of the states that the id may be in. No padding: states are compared as bytes. */
struct state {
    uint64_t past;                       /* runs of known index that were the newest before */
    uint64_t signalled;                  /* requests whose SignalWithStart the newest run knows */
    uint16_t run, request;               /* the newest run; the request that started it, 0 is another */
    uint16_t status, unused[3];
    struct {
        uint16_t outcome, run, status, unused;
    } slots[SLOTS];
};
static_assert(sizeof(struct state) == 32 + 8 * SLOTS, "no padding");

struct model_op {
    struct model_register *reg;
    struct model_call call;
    unsigned slot, node, life;           /* who calls, and in which life */
    unsigned lost_in;                    /* the server's life at which the answer was lost; 0: it is under way */
    int64_t lost_at;
    uint16_t request;
};

struct model_register {
    struct model_id *id;
    struct model_op *ops[SLOTS];
    struct state *states;
    unsigned count, cap;
    char (*requests)[32];
    unsigned request_count;
};

/* ---- sets of states ---- */

/* The set that is being made, of one register at a time. */
struct model_set {
    unsigned count;
    uint32_t table[TABLE], used[STATES_MAX];     /* index + 1 of a state, by its hash; the entries that are set */
    struct state states[STATES_MAX];
};

static struct model_set *set_of(struct model_register *reg) {
    struct model *model = reg->id->model;
    if (!model->set) model->set = world_alloc(sizeof *model->set);
    return model->set;
}

/* Its entry in the table, or the free one where it belongs. */
static uint32_t *entry_of(struct model_set *set, const struct state *state) {
    for (uint64_t at = hash64(state, sizeof *state);; at++) {
        uint32_t *entry = &set->table[at % TABLE];
        if (!*entry || memcmp(&set->states[*entry - 1], state, sizeof *state) == 0) return entry;
    }
}

static void add(struct model_register *reg, const struct state *state) {
    struct model_set *set = set_of(reg);
    uint32_t *entry = entry_of(set, state);
    if (*entry) return;
    CHECKF(set->count < STATES_MAX, "workflow %s: too many states are possible", reg->id->workflow_id);
    set->used[set->count] = (uint32_t)(entry - set->table);
    set->states[set->count] = *state;
    *entry = ++set->count;
}

/* The same state, where a lost call has not taken effect yet, is in the set too: all that can follow from this one can
 * follow from that. */
static bool needless(const struct model_register *reg, struct model_set *set, const struct state *state) {
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (!reg->ops[slot] || !reg->ops[slot]->lost_in || state->slots[slot].outcome == OUTCOME_PENDING) continue;
        struct state earlier = *state;
        memset(&earlier.slots[slot], 0, sizeof earlier.slots[slot]);
        if (*entry_of(set, &earlier)) return true;
    }
    return false;
}

/* The set becomes the register's, and is empty again. */
static void take(struct model_register *reg) {
    struct model_set *set = set_of(reg);
    if (set->count > reg->cap) {
        reg->cap = set->count * 2;
        reg->states = world_realloc(reg->states, reg->cap * sizeof *reg->states);
    }
    reg->count = 0;
    for (unsigned i = 0; i < set->count; i++)
        if (!needless(reg, set, &set->states[i])) reg->states[reg->count++] = set->states[i];
    for (unsigned i = 0; i < set->count; i++) set->table[set->used[i]] = 0;
    set->count = 0;
}

/* ---- one call, applied to one state ---- */

static bool is_open(const struct state *state) { return state->run != RUN_NONE && state->status == MODEL_OPEN; }

static void retire(struct state *state) {
    if (state->run >= RUN_KNOWN && state->run < RUN_OF_REQUEST) state->past |= UINT64_C(1) << (state->run - RUN_KNOWN);
}

static uint64_t signal_bit(const struct model_op *op) {
    CHECKF(op->request < 64, "one id has too many requests");
    return op->call.with_signal ? UINT64_C(1) << op->request : 0;
}

static void start_new(struct state *state, const struct model_op *op) {
    retire(state);
    state->signalled = signal_bit(op);
    state->run = (uint16_t)(RUN_OF_REQUEST + op->request);
    state->request = op->request;
    state->status = MODEL_OPEN;
}

static enum outcome apply_start(struct state *state, const struct model_op *op) {
    const struct model_call *call = &op->call;
    bool present = state->run != RUN_NONE;
    if (present && (state->request == op->request || (state->signalled & signal_bit(op)))) return OUTCOME_SAME;
    if (is_open(state) && call->conflict == MODEL_CONFLICT_FAIL) return OUTCOME_MET;
    if (is_open(state) && call->conflict == MODEL_CONFLICT_USE) {
        state->signalled |= signal_bit(op);
        return OUTCOME_USED;
    }
    bool good = state->status == MODEL_COMPLETED || state->status == MODEL_CONTINUED;
    bool refused = call->reuse == MODEL_REUSE_REJECT || (call->reuse == MODEL_REUSE_FAILED_ONLY && good);
    if (present && !is_open(state) && refused) return OUTCOME_MET;
    start_new(state, op);
    return OUTCOME_NEW;
}

/* Gives a run that nobody had named its name; false when it cannot be that one. */
static bool name(struct state *state, uint16_t *at, uint16_t run) {
    uint16_t unnamed = *at;
    if (unnamed == run) return true;
    if (unnamed < RUN_OF_REQUEST || run < RUN_KNOWN) return false;
    if (state->run == run || (state->past & (UINT64_C(1) << (run - RUN_KNOWN)))) return false;
    if (state->run == unnamed) state->run = run;
    else state->past |= UINT64_C(1) << (run - RUN_KNOWN);
    for (unsigned i = 0; i < SLOTS; i++)
        if (state->slots[i].run == unnamed) state->slots[i].run = run;
    *at = run;
    return true;
}

static enum outcome apply_close(struct state *state, const struct model_call *call, uint16_t run) {
    if (state->run == RUN_NONE || !is_open(state) || !name(state, &state->run, run)) return OUTCOME_NOT_FOUND;
    state->status = call->status;
    if (call->status != MODEL_CONTINUED) return OUTCOME_DONE;
    retire(state);
    state->run = (uint16_t)(RUN_AFTER + run);
    state->signalled = 0;
    state->request = 0;
    state->status = MODEL_OPEN;
    return OUTCOME_DONE;
}

static void apply(struct state *state, const struct model_op *op) {
    enum outcome outcome = OUTCOME_DONE;
    uint16_t run = state->run, status = state->status;
    switch (op->call.kind) {
    case MODEL_START: outcome = apply_start(state, op); break;
    case MODEL_CLOSE: outcome = apply_close(state, &op->call, model_run_name(op->call.run)); break;
    case MODEL_TERMINATE:
        if (!is_open(state)) outcome = OUTCOME_NOT_FOUND;
        else state->status = MODEL_FAILED;
        break;
    case MODEL_SIGNAL: if (!is_open(state)) outcome = OUTCOME_NOT_FOUND; break;
    case MODEL_DESCRIBE: outcome = state->run == RUN_NONE ? OUTCOME_NOT_FOUND : OUTCOME_SEEN; break;
    }
    if (outcome == OUTCOME_NEW) run = state->run;
    state->slots[op->slot].outcome = (uint16_t)outcome;
    state->slots[op->slot].run = run;
    state->slots[op->slot].status = outcome == OUTCOME_SEEN ? status : 0;
}

/* ---- answers ---- */

static bool fits(struct state *state, const struct model_op *op, const struct model_result *result) {
    enum outcome outcome = (enum outcome)state->slots[op->slot].outcome;
    if (result->refused) return outcome == OUTCOME_PENDING;
    if (outcome == OUTCOME_PENDING || result->not_found != (outcome == OUTCOME_NOT_FOUND)) return false;
    if (result->met != (outcome == OUTCOME_MET)) return false;
    if (!op->call.with_signal && result->used != (outcome == OUTCOME_USED)) return false;
    if (op->call.kind == MODEL_DESCRIBE && !result->not_found && state->slots[op->slot].status != result->status) return false;
    if (!result->run) return true;
    uint16_t run = state->slots[op->slot].run;
    return name(state, &run, model_run_name(result->run));
}

static void lose_outcome(struct state *state, unsigned slot) {
    if (state->slots[slot].outcome == OUTCOME_PENDING) return;
    state->slots[slot].outcome = OUTCOME_DONE;
    state->slots[slot].run = state->slots[slot].status = 0;
}

static void drop_slot(struct state *state, unsigned slot) { memset(&state->slots[slot], 0, sizeof state->slots[slot]); }

/* All states that the calls under way can lead to. */
static void go_on(struct model_register *reg) {
    struct model_set *set = set_of(reg);
    for (unsigned i = 0; i < reg->count; i++) add(reg, &reg->states[i]);
    for (unsigned i = 0; i < set->count; i++)
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            const struct model_op *op = reg->ops[slot];
            if (!op || set->states[i].slots[slot].outcome != OUTCOME_PENDING) continue;
            struct state state = set->states[i];
            apply(&state, op);
            bool idle = state.run == set->states[i].run && state.status == set->states[i].status &&
                        state.signalled == set->states[i].signalled;
            if (op->lost_in && idle) continue;           /* nobody will ask */
            if (op->lost_in) lose_outcome(&state, slot);
            add(reg, &state);
        }
    take(reg);
}

static void settle(struct model_op *op, const struct model_result *result) {
    struct model_register *reg = op->reg;
    go_on(reg);
    for (unsigned i = 0; i < reg->count; i++) {
        struct state state = reg->states[i];
        if (!fits(&state, op, result)) continue;
        drop_slot(&state, op->slot);
        add(reg, &state);
    }
    take(reg);
}

/* ---- lost calls ---- */

static void forget(struct model_register *reg, unsigned slot) {
    for (unsigned i = 0; i < reg->count; i++) {
        struct state state = reg->states[i];
        drop_slot(&state, slot);
        add(reg, &state);
    }
    take(reg);
    world_free(reg->ops[slot]);
    reg->ops[slot] = NULL;
}

static unsigned life(const struct model_register *reg, unsigned node) {
    return world_incarnation(reg->id->model->world, node);
}

static bool writes(const struct model_op *op) {
    return op->call.kind == MODEL_START || op->call.kind == MODEL_CLOSE || op->call.kind == MODEL_TERMINATE;
}

/* The answer is lost. Of many lost copies of one call, a few stand for all. */
static void lose(struct model_op *op) {
    struct model_register *reg = op->reg;
    op->lost_in = life(reg, reg->id->model->server);
    op->lost_at = world_now(reg->id->model->world);
    for (unsigned i = 0; i < reg->count; i++) lose_outcome(&reg->states[i], op->slot);
    unsigned copies = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        const struct model_op *other = reg->ops[slot];
        copies += other && other->lost_in && other->call.kind == op->call.kind && other->request == op->request &&
                  other->call.run == op->call.run;
    }
    if (!writes(op) || copies > COPIES_MAX) forget(reg, op->slot);
}

/* Calls that cannot take effect any more: the server that they were sent to is gone, or no cut of a link lasts so long. */
static void forget_dead(struct model_register *reg) {
    unsigned now = life(reg, reg->id->model->server);
    int64_t recent = world_now(reg->id->model->world) - LOST_SECONDS * SIM_SECOND;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct model_op *op = reg->ops[slot];
        if (!op) continue;
        if (!op->lost_in && life(reg, op->node) != op->life) lose(op);
        if (!reg->ops[slot] || !op->lost_in || (op->lost_in >= now && op->lost_at > recent)) continue;
        go_on(reg);
        forget(reg, slot);
    }
}

/* ---- the interface ---- */

static struct model_register *register_of(struct model_id *id) {
    if (id->reg) return id->reg;
    struct model_register *reg = world_alloc(sizeof *reg);
    *reg = (struct model_register){.id = id, .count = 1, .cap = 1};
    reg->states = world_alloc(sizeof *reg->states);
    memset(reg->states, 0, sizeof *reg->states);
    return id->reg = reg;
}

void model_register_free(struct model_register *reg) {
    if (!reg) return;
    for (unsigned slot = 0; slot < SLOTS; slot++) world_free(reg->ops[slot]);
    world_free(reg->states);
    world_free(reg->requests);
    world_free(reg);
}

static uint16_t request_number(struct model_register *reg, const char *request) {
    if (!request) return 0;
    for (unsigned i = 0; i < reg->request_count; i++)
        if (strcmp(reg->requests[i], request) == 0) return (uint16_t)(i + 1);
    reg->requests = world_realloc(reg->requests, (reg->request_count + 1) * sizeof *reg->requests);
    snprintf(reg->requests[reg->request_count], sizeof *reg->requests, "%s", request);
    return (uint16_t)++reg->request_count;
}

uint16_t model_run_name(const struct model_run *run) { return (uint16_t)(RUN_KNOWN + run->index); }

unsigned model_lost(struct model_id *id) {
    struct model_register *reg = register_of(id);
    forget_dead(reg);
    unsigned count = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) count += reg->ops[slot] && reg->ops[slot]->lost_in;
    return count;
}

struct model_result model_result(enum status_code code) {
    bool met = code == STATUS_ALREADY_EXISTS, not_found = code == STATUS_NOT_FOUND, maybe = model_known(code) == KNOWN_MAYBE;
    return (struct model_result){.lost = maybe, .met = met, .not_found = not_found,
                                 .refused = code != STATUS_OK && !maybe && !met && !not_found};
}

struct model_op *model_begins(struct model_id *id, unsigned node, const struct model_call *call) {
    struct model_register *reg = register_of(id);
    forget_dead(reg);
    unsigned slot = 0;
    while (slot < SLOTS && reg->ops[slot]) slot++;
    CHECKF(slot < SLOTS, "workflow %s: too many calls at once", id->workflow_id);
    struct model_op *op = world_alloc(sizeof *op);
    *op = (struct model_op){.reg = reg, .call = *call, .slot = slot, .node = node, .life = life(reg, node),
                            .request = request_number(reg, call->request)};
    op->call.request = NULL;
    return reg->ops[slot] = op;
}

static void print_state(const struct model_register *reg, const struct state *state) {
    const char *run = "none";
    for (const struct model_run *it = reg->id->runs; it; it = it->next)
        if (model_run_name(it) == state->run) run = it->run_id;
    fprintf(stderr, "  run %s (%u), status %u, request %u\n", run, state->run, state->status, state->request);
}

static const char *result_name(const struct model_result *result) {
    return result->refused ? "refused" : result->not_found ? "not found" : result->met ? "already started" :
           result->used ? "the run that there is" : "ok";
}

void model_ends(struct model_op *op, const struct model_result *result) {
    struct model_register *reg = op->reg;
    static const char *const kinds[] = {"start", "close", "terminate", "signal", "describe"};
    if (result->lost) {
        lose(op);
        return;
    }
    struct state before = reg->states[0];
    unsigned count = reg->count;
    settle(op, result);
    if (reg->count == 0) {
        fprintf(stderr, "%u states were possible before this answer; one of them:\n", count);
        print_state(reg, &before);
        world_fail(reg->id->model->world, WORLD_INCORRECT,
                   "workflow %s: no order of calls explains an answer to %s (request %u): %s, run %s, status %u",
                   reg->id->workflow_id, kinds[op->call.kind], op->request, result_name(result),
                   result->run ? result->run->run_id : "-", result->status);
    }
    reg->ops[op->slot] = NULL;
    world_free(op);
}
