/* model: ids, runs, effects and hand-outs. */
#include <stdarg.h>

#include "base/check.h"
#include "base/hash.h"

#include "model_internal.h"

struct model *model_create(struct world *world, unsigned server) {
    struct model *model = world_alloc(sizeof *model);
    model->world = world;
    model->server = server;
    model->strict = !world_faulty(world);
    return model;
}

static void free_effect(struct model_effect *effect) {
    for (struct model_shown *it = effect->shown, *next; it; it = next) next = it->next, world_free(it);
    world_free(effect);
}

static void free_run(struct model_run *run) {
    for (struct model_activity *it = run->activities, *next; it; it = next) next = it->next, world_free(it);
    for (struct model_timer *it = run->timers, *next; it; it = next) next = it->next, world_free(it);
    world_free(run->events);
    world_free(run);
}

void model_free(struct model *model) {
    for (struct model_id *id = model->ids, *next_id; id; id = next_id) {
        next_id = id->next;
        for (struct model_run *it = id->runs, *next; it; it = next) next = it->next, free_run(it);
        for (struct model_effect *it = id->effects, *next; it; it = next) next = it->next, free_effect(it);
        model_register_free(id->reg);
        world_free(id);
    }
    world_free(model->set);
    world_free(model->scratch);
    world_free(model);
}

struct model_id *model_id(struct model *model, const char *namespace, const char *workflow_id) {
    for (struct model_id *id = model->ids; id; id = id->next)
        if (strcmp(id->workflow_id, workflow_id) == 0 && strcmp(id->namespace, namespace) == 0) return id;
    struct model_id *id = world_alloc(sizeof *id);
    *id = (struct model_id){.next = model->ids, .model = model, .namespace = namespace};
    snprintf(id->workflow_id, sizeof id->workflow_id, "%s", workflow_id);
    return model->ids = id;
}

struct model_run *model_run(struct model_id *id, const char *run_id) {
    for (struct model_run *run = id->runs; run; run = run->next)
        if (strcmp(run->run_id, run_id) == 0) return run;
    struct model_run *run = world_alloc(sizeof *run);
    CHECKF(id->run_count < MODEL_RUNS_MAX, "workflow %s has too many runs for the model", id->workflow_id);
    *run = (struct model_run){.next = id->runs, .id = id, .index = id->run_count++};
    snprintf(run->run_id, sizeof run->run_id, "%s", run_id);
    return id->runs = run;
}

size_t model_runs(const struct model *model) {
    size_t count = 0;
    for (const struct model_id *id = model->ids; id; id = id->next)
        for (const struct model_run *run = id->runs; run; run = run->next) count += !run->deleted;
    return count;
}

const char *model_run_text(const struct model_run *run) { return run->run_id; }

void model_each_run(struct model *model, void (*fn)(struct model_run *run, const char *namespace, const char *workflow_id, void *arg),
                    void *arg) {
    for (struct model_id *id = model->ids; id; id = id->next)
        for (struct model_run *run = id->runs; run; run = run->next)
            if (!run->deleted) fn(run, id->namespace, id->workflow_id, arg);
}

uint64_t model_now(struct model *model) { return ++model->now; }

void model_excuse(struct model *model) { model->strict = false; }

bool model_jumped(const struct model *model) {
    static const enum fault kinds[] = {FAULT_JUMP_BACK, FAULT_JUMP_FORWARD, FAULT_WOBBLE, FAULT_WALL_DRIFT, FAULT_COARSE};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (world_fault_hits(model->world, kinds[i])) return true;
    return false;
}

int64_t model_slack(int64_t duration) { return SIM_MS + duration / 1000; }      /* clocks drift by 500 ppm */

void model_fail_by(const struct model_run *run, const char *oracle, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "workflow %s, run %s, as far as it was read:\n", run->id->workflow_id, run->run_id);
    for (size_t i = 0; i < run->count; i++) flow_print_event(&run->events[i].flow, stderr);
    world_fail_by(run->id->model->world, WORLD_INCORRECT, oracle, "workflow %s, run %s: %s",
                  run->id->workflow_id, run->run_id, text);
}

/* ---- effects ---- */

enum known model_known(enum status_code code) {
    switch (code) {
    case STATUS_OK: return KNOWN_YES;
    case STATUS_CANCELLED:
    case STATUS_UNKNOWN:
    case STATUS_DEADLINE_EXCEEDED:
    case STATUS_ABORTED:
    case STATUS_INTERNAL:
    case STATUS_UNAVAILABLE: return KNOWN_MAYBE;
    default: return KNOWN_NOT;
    }
}

enum known model_effect_known(const struct model_effect *effect) {
    return effect->acknowledged ? KNOWN_YES : effect->open || effect->lost ? KNOWN_MAYBE : KNOWN_NOT;
}

static bool fits(const struct model_effect *effect, const struct model_run *run, enum model_kind kind, uint64_t key) {
    bool any = kind == EFFECT_SIGNAL || kind == EFFECT_CANCEL || kind == EFFECT_TERMINATE;
    return effect->kind == kind && effect->key == key && (any || effect->run == run);
}

int64_t model_shown_as(const struct model_effect *effect, const struct model_run *run) {
    for (const struct model_shown *it = effect->shown; it; it = it->next)
        if (it->run == run) return it->event;
    return 0;
}

void model_shown_add(struct model_effect *effect, const struct model_run *run, int64_t event) {
    struct model_shown *shown = world_alloc(sizeof *shown);
    *shown = (struct model_shown){effect->shown, run, event};
    effect->shown = shown;
}

bool model_show(struct model_run *run, enum model_kind kind, uint64_t key, int64_t event, bool *twice) {
    bool asked = false;
    *twice = false;
    for (struct model_effect *it = run->id->effects; it; it = it->next) {
        if (!fits(it, run, kind, key)) continue;
        asked |= model_effect_known(it) != KNOWN_NOT;
        *twice |= model_shown_as(it, run) != 0;
        model_shown_add(it, run, event);
        run->woken |= it->wakes;
    }
    return asked;
}

struct model_effect *model_ask_new(struct model_id *id, struct model_run *run, enum model_kind kind, uint64_t key) {
    struct model_effect *effect = world_alloc(sizeof *effect);
    *effect = (struct model_effect){.next = id->effects, .id = id, .run = run, .kind = kind, .key = key, .open = 1};
    return id->effects = effect;
}

void model_wakes(struct model_effect *signal) { signal->wakes = true; }

struct model_effect *model_ask(struct model_id *id, struct model_run *run, enum model_kind kind, uint64_t key) {
    for (struct model_effect *it = id->effects; it; it = it->next) {
        if (!fits(it, run, kind, key)) continue;
        it->open++;
        return it;
    }
    return model_ask_new(id, run, kind, key);
}

void model_answer(struct model_effect *effect, enum status_code code) {
    enum known known = model_known(code);
    effect->open--;
    if (known == KNOWN_MAYBE) effect->lost++;
    if (known != KNOWN_YES || effect->acknowledged) return;
    effect->acknowledged = true;
    effect->answered_at = model_now(effect->id->model);
}

void model_reached(struct model_effect *effect, struct model_run *run) {
    if (effect->acknowledged && !effect->run) effect->run = run;
}

uint64_t model_key_text(const char *text) { return hash64(text, strlen(text)); }

uint64_t model_key_payloads(const char *text, const PB(Common__V1__Payloads) *payloads) {
    uint64_t key = model_key_text(text);
    for (size_t i = 0; payloads && i < payloads->n_payloads; i++)
        key = hash64_seed(payloads->payloads[i]->data.data, payloads->payloads[i]->data.len, key + i);
    return key;
}

/* ---- hand-outs ---- */

static int compare(const struct model_handout *a, int64_t major, int32_t attempt) {
    if (a->major != major) return a->major < major ? -1 : 1;
    return a->attempt < attempt ? -1 : a->attempt > attempt;
}

void model_handout_given(struct model_run *run, struct model_handout *newest, const struct model_handout *given,
                         const char *what) {
    int order = newest->attempt ? compare(newest, given->major, given->attempt) : -1;
    if (order > 0) return;                               /* an older one, whose answer took long */
    if (order == 0) {
        bool twice = newest->token == given->token;
        twice |= newest->from == newest->to && newest->to == given->from && given->from == given->to;
        REQUIRE(run, !twice, "attempt %d of %s was given to two polls by one life of the server", given->attempt, what);
        if (given->from <= newest->to) {                 /* which of the two was lost in the crash between? */
            newest->unsure = true;
            return;
        }
    }
    uint64_t accepted = newest->accepted;
    *newest = *given;
    newest->accepted = accepted;
}

bool model_handout_stale(const struct model_handout *newest, int64_t major, int32_t attempt, uint64_t token) {
    int order = compare(newest, major, attempt);
    return order > 0 || (order == 0 && !newest->unsure && newest->token != token);
}
