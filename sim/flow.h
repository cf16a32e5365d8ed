/* flow: the small workflow language of the simulated workers.
 *
 * A script is stages of items, such as "a0,t500;s2;h3;n;m": items of a stage run at once, the next stage begins when
 * all are done, and at the end the workflow completes with the number and the sum of its signals. Items:
 *   aK  an activity that fails K times first          hK  one that heartbeats K times
 *   tMS a timer                                       sN  waits until N signals came
 *   m   a marker                                      n   continues as new with the rest of the script
 *   x   waits for a cancel request; the workflow then ends as cancelled
 *   o   an activity with one attempt, which may fail   c   one that always fails, within a schedule-to-close timeout
 *   k   an activity that runs until it is cancelled, which the next workflow task asks for
 *
 * What a worker does next follows from the history alone. The same few facts of each event serve the worker's cache and
 * the judge. */
#ifndef NORN_SIM_FLOW_H
#define NORN_SIM_FLOW_H

#include <stdio.h>

#include "frontend/norn_api_headers.h"
#include "prng.h"

enum { FLOW_LIMIT_SECONDS = 3 };       /* schedule-to-close of c */
enum { FLOW_TEXT_MAX = 64, FLOW_ITEMS_MAX = 16, FLOW_RUN_MAX = 40 };

enum flow_kind { FLOW_ACTIVITY, FLOW_HEARTBEATS, FLOW_TIMER, FLOW_SIGNALS, FLOW_MARKER, FLOW_AGAIN, FLOW_CANCEL,
                 FLOW_ONCE, FLOW_LIMITED, FLOW_CANCELLED };
#define FLOW_LETTERS "ahtsmnxock"

struct flow_item {
    enum flow_kind kind;
    uint32_t arg;
    unsigned stage;
};

struct flow_script {
    struct flow_item items[FLOW_ITEMS_MAX];
    unsigned count, stages;
    const char *rest;                    /* after the item that continues as new; "" when there is none */
};

/* False when the text is no script. */
bool flow_parse(const char *text, struct flow_script *out);
/* A script by the dice; how many signals it waits for at most, and whether for a cancel request. */
void flow_make(struct prng *prng, char text[FLOW_TEXT_MAX], unsigned *signals, bool *cancel);

/* What matters of an event. */
struct flow_event {
    int type;                            /* the API's number */
    int64_t id, ref, ref2, time;         /* ref: scheduled or started event; ref2: the started event of an end */
    int32_t attempt, cause;
    int item;                            /* of activities, timers, markers; -1 when the id is none of ours */
    int64_t number, number2;             /* a signal's number; a result's item and attempt, count and sum */
    char text[FLOW_TEXT_MAX];            /* the script, or another run's id */
    char first_run[FLOW_RUN_MAX];        /* of the started event */
};

void flow_event_of(const Temporal__Api__History__V1__HistoryEvent *event, struct flow_event *out);

struct flow_state {
    struct flow_script script;
    uint32_t begun, done, stopped;       /* bits of items; stopped: cancelling was asked for */
    int64_t scheduled[FLOW_ITEMS_MAX];   /* the events of activities */
    int64_t signals, sum;
    bool started, cancel_requested, closed;
};
/* Where a run is after these events. */
void flow_fold(const struct flow_event *events, size_t count, struct flow_state *out);

enum flow_command { FLOW_DO_ITEM, FLOW_STOP_ITEM, FLOW_COMPLETE, FLOW_CONTINUE, FLOW_END_CANCELLED };
struct flow_step {
    enum flow_command command;
    unsigned item;
};
/* What is to be done now: how many. */
unsigned flow_decide(struct flow_state *state, struct flow_step steps[FLOW_ITEMS_MAX + 1]);

bool flow_is_close(int type);
void flow_print_event(const struct flow_event *event, FILE *to);

#define PB(name) Temporal__Api__##name
#define FLOW_EVENT(name) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##name
#define FLOW_COMMAND(name) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##name

#endif
