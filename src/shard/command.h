/* command: the kinds of commands, for the files that implement them (commands.h is what the rest of the engine sees).
 *
 * Each kind is a row of one table (commands.c) with two functions:
 *   check  validates the command and fills in defaults, in place (the request was decoded for this call alone). It sees
 *          the state as earlier commands of the completion will leave it, through the plan, and notes in the plan what
 *          it will do itself. It may refuse, with a cause.
 *   apply  writes the command's event. It cannot fail. */
#ifndef NORN_SHARD_COMMAND_H
#define NORN_SHARD_COMMAND_H

#include "base/map.h"
#include "shard/commands.h"
#include "shard/pb.h"
#include "shard/search_attributes.h"

/* ---- the plan: what the commands checked so far will do to activities and timers ---- */

struct planned {
    struct map_node by_name, by_id;
    enum state_kind kind;                 /* STATE_ACTIVITY or STATE_TIMER */
    const char *name;
    int64_t event_id;                     /* scheduled or started */
    bool pending;
    bool started, cancelled;              /* activities */
    bool fire_taken;                      /* timers: the buffered TimerFired will be taken back */
};

struct command_check {
    struct completion *completion;
    struct exec *exec;
    struct arena *arena;                  /* the call's */
    const struct command_kind *kind;      /* of the present command */
    int64_t event_id;                     /* that the present command's event will get */
    struct map by_name, by_id;            /* planned */
    unsigned activities;                  /* pending ones, with the plan */
    unsigned buffered;                    /* held back events that will be left */
    SearchAttributes *search_attributes;  /* as they will be */
    Memo *memo;
};

/* The activity or timer of this name as it will be; NULL when there is and was none. */
struct planned *plan_find(struct command_check *check, enum state_kind kind, const char *name);
/* The activity with this scheduled event. */
struct planned *plan_find_activity(struct command_check *check, int64_t scheduled_event_id);
/* A new one, by the present command. */
struct planned *plan_add(struct command_check *check, enum state_kind kind, const char *name);

/* Refuses the present command: always false. */
bool command_fail(struct command_check *check, int32_t cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a status's text. */
bool command_fail_status(struct command_check *check, int32_t cause, struct status status);
/* The same, and the run is terminated. */
bool command_terminate(struct command_check *check, int32_t cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Limits with their defaults. */
size_t command_blob_max(const struct command_check *check);
size_t command_memo_max(const struct command_check *check);
uint32_t command_id_max(const struct command_check *check);
/* False, after terminating, when the message is larger than a blob may be. */
bool command_check_size(struct command_check *check, int32_t cause, const void *message, const char *text);

/* ---- kinds ---- */

struct command_kind {
    int32_t type;                         /* COMMAND(...) */
    int attributes_case;
    const char *name;                     /* "StartTimer" */
    int32_t bad_attributes;               /* cause when the attributes are absent */
    bool closes;
    bool (*check)(struct command_check *check, const Command *command);
    void (*apply)(struct completion *completion, const Command *command);
};

/* Adds the command's event, with what the command says about it; gives its id. */
int64_t command_add_event(struct completion *completion, const Command *command, HistoryEvent *event);

#define COMMAND_FUNCTIONS(name)                                                                                \
    bool name##_check(struct command_check *check, const Command *command);                                    \
    void name##_apply(struct completion *completion, const Command *command)
COMMAND_FUNCTIONS(command_schedule_activity);
COMMAND_FUNCTIONS(command_cancel_activity);
COMMAND_FUNCTIONS(command_start_timer);
COMMAND_FUNCTIONS(command_cancel_timer);
COMMAND_FUNCTIONS(command_marker);
COMMAND_FUNCTIONS(command_upsert_search_attributes);
COMMAND_FUNCTIONS(command_modify_properties);
bool command_complete_check(struct command_check *check, const Command *command);
bool command_fail_check(struct command_check *check, const Command *command);
bool command_cancel_check(struct command_check *check, const Command *command);
bool command_continue_as_new_check(struct command_check *check, const Command *command);
/* Kinds whose executions this server does not have yet: fails the workflow task with FEATURE_DISABLED. */
bool command_absent_check(struct command_check *check, const Command *command);

#endif
