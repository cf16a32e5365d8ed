/* model_internal: what the parts of the model share. */
#ifndef NORN_SIM_MODEL_INTERNAL_H
#define NORN_SIM_MODEL_INTERNAL_H

#include "model.h"

enum { MODEL_COMMANDS_MAX = FLOW_ITEMS_MAX + 2, MODEL_RUNS_MAX = 64 };
/* The cause with which simulated workers fail workflow tasks. */
#define MODEL_TASK_CAUSE                                                                                       \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE

struct model_shown {
    struct model_shown *next;
    const struct model_run *run;
    int64_t event;
};

struct model_effect {
    struct model_effect *next;           /* of its id, newest first */
    struct model_id *id;
    struct model_run *run;               /* NULL: not known */
    enum model_kind kind;
    uint64_t key, answered_at;           /* in the model's order: first acknowledged */
    unsigned open, lost;                 /* tries under way, and without a certain answer */
    bool acknowledged;
    bool wakes;                          /* EFFECT_SIGNAL: came with a start, so it ends the first backoff of its run */
    struct model_shown *shown;           /* where histories have it: once in a run at most */
    /* Of EFFECT_TASK_COMPLETED: its commands. Of attempts: which. */
    unsigned command_count;
    struct model_command { int event_type; uint64_t key; } commands[MODEL_COMMANDS_MAX];
    struct model_handout *handout;
    int64_t major;
    int32_t attempt;
    uint64_t token;
    bool stale;                          /* a newer one had been given out when this was sent */
    struct model_activity *activity;
    int64_t from, to;                    /* wall time of its first try and its answer */
};

/* The newest of the tasks of one kind that a worker was given. Tokens are hashes. */
struct model_handout {
    int64_t major;                       /* of workflow tasks the started event */
    int32_t attempt;
    uint64_t token, accepted;            /* accepted: the token with which one was ended */
    unsigned from, to;                   /* lives of the server between which it was given out */
    bool unsure;                         /* it is not certain which of two is the newest */
};

struct model_activity {
    struct model_activity *next;
    uint64_t id;                         /* of its name */
    char name[32];
    /* As the history says. */
    int32_t started_attempt;
    int64_t scheduled, scheduled_at, started, started_at, ended, cancel_requested;
    int64_t schedule_to_start, schedule_to_close, start_to_close, heartbeat;
    int64_t initial, maximum;
    double coefficient;
    int32_t attempts_max;
    /* As workers know it. */
    struct model_handout handout;
    int64_t given_at;                    /* wall time at which the newest attempt started */
    struct model_effect *failure;        /* of the newest attempt */
    int64_t beat_low, beat_high;         /* the last heartbeat that counts is between these; -1: none */
    bool beat_lost;
};

struct model_timer {
    struct model_timer *next;
    uint64_t id;
    int64_t started, started_at, duration, ended;
};

struct model_event {
    struct flow_event flow;              /* for reports */
    uint64_t hash;                       /* of all its bytes */
};

struct model_run {
    struct model_run *next;
    struct model_id *id;
    char run_id[FLOW_RUN_MAX];
    unsigned index;                      /* among the runs of its id */
    struct model_event *events;
    size_t count, cap;
    bool closed, cancel_requested, deleted;
    /* Where the events leave it. */
    int64_t task_timeout, task_started_at;
    int64_t first_task_at;               /* not before, unless something wakes it */
    bool woken;
    int64_t task_scheduled, task_started, batch;     /* batch: the completed event whose commands may follow */
    struct model_effect *completion;     /* candidates of that batch have command_at commands so far */
    unsigned command_at;
    struct model_activity *activities;
    struct model_timer *timers;
    struct model_handout task;           /* workflow tasks, as workers know them */
};

struct model_id {
    struct model_id *next;
    struct model *model;
    const char *namespace;
    char workflow_id[64];
    struct model_run *runs;              /* newest first */
    unsigned run_count;
    struct model_register *reg;
    struct model_effect *effects;
};

struct model {
    struct world *world;
    unsigned server;
    bool strict;                         /* no faults from outside: the server has no excuse */
    uint64_t now;
    struct model_id *ids;
    struct model_set *set;
    uint8_t *scratch;
    size_t scratch_cap;
};

_Noreturn void model_fail_by(const struct model_run *run, const char *oracle, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define model_fail(run, ...) model_fail_by((run), __func__, __VA_ARGS__)
#define REQUIRE(run, holds, ...)                                                                               \
    do {                                                                                                       \
        if (!(holds)) model_fail((run), __VA_ARGS__);                                                          \
    } while (0)

enum known model_effect_known(const struct model_effect *effect);
/* The event of the run that shows it; 0 is none. */
int64_t model_shown_as(const struct model_effect *effect, const struct model_run *run);
void model_shown_add(struct model_effect *effect, const struct model_run *run, int64_t event);
/* An effect of its own, even when the same was asked for before. */
struct model_effect *model_ask_new(struct model_id *id, struct model_run *run, enum model_kind kind, uint64_t key);
/* Notes that an event shows it. False when nobody has asked for it; *twice: one of the run shows it already. */
bool model_show(struct model_run *run, enum model_kind kind, uint64_t key, int64_t event, bool *twice);
/* A result says itself of which attempt it is. */
uint64_t model_activity_key(const struct model_activity *activity, enum model_kind kind,
                            const PB(Common__V1__Payloads) *payloads, int32_t attempt);
struct model_activity *model_activity(struct model_run *run, const char *name);
/* Wall clocks have been moved: times of events say little. */
bool model_jumped(const struct model *model);
/* How far a clock may be off over such a time. */
int64_t model_slack(int64_t duration);

/* Notes a task that was given out; fails when it went to two. */
void model_handout_given(struct model_run *run, struct model_handout *newest, const struct model_handout *given,
                         const char *what);
/* An older one than the newest. */
bool model_handout_stale(const struct model_handout *newest, int64_t major, int32_t attempt, uint64_t token);

uint16_t model_run_name(const struct model_run *run);
void model_register_free(struct model_register *reg);

/* Batches of commands: the events that follow a completed workflow task. */
void model_batch_begins(struct model_run *run, const PB(History__V1__HistoryEvent) *event);
void model_batch_event(struct model_run *run, const PB(History__V1__HistoryEvent) *event);
void model_batch_ends(struct model_run *run);

#endif
