/* model: what the server promises, written a second time: slow, obvious, and without any code of src/ but the decoding
 * of messages.
 *
 * Clients and workers tell it what they ask for, what was answered and what they read, at once; a lost answer is
 * 'maybe' until a history tells. It fails the run at the first answer or event that no correct server could have given:
 * an event that may not follow, that nobody asked for, or that was read differently before; an acknowledged effect that
 * a history lacks; a task that went to two; an attempt before its time. It knows nothing of scripts (judge does). */
#ifndef NORN_SIM_MODEL_H
#define NORN_SIM_MODEL_H

#include "base/status.h"
#include "flow.h"
#include "world.h"

enum known { KNOWN_NOT, KNOWN_MAYBE, KNOWN_YES };
/* What an answer says of the effect: not there, maybe, there. */
enum known model_known(enum status_code code);

struct model;
struct model_id;                         /* a workflow id of a namespace, and its runs */
struct model_run;
struct model_effect;

struct model *model_create(struct world *world, unsigned server);
/* From here on the server has an excuse to be late. */
void model_excuse(struct model *model);
void model_free(struct model *model);
/* Found, or new. */
struct model_id *model_id(struct model *model, const char *namespace, const char *workflow_id);
struct model_run *model_run(struct model_id *id, const char *run_id);

/* ---- histories ---- */

/* An observer read this event. */
void model_saw(struct model_run *run, const PB(History__V1__HistoryEvent) *event);
/* A read that begins now shows at least what was acknowledged by now. */
uint64_t model_now(struct model *model);
/* A reader that began at `from` got the whole history, `count` events. */
void model_read(struct model_run *run, uint64_t from, size_t count);
/* As far as anyone has read it. */
bool model_seen_closed(const struct model_run *run);
size_t model_seen(const struct model_run *run);
/* Somebody deletes it: from here on it may be gone, and no list is asked to show it. */
void model_deleted(struct model_run *run);
bool model_is_deleted(const struct model_run *run);
size_t model_run_count(const struct model_id *id);
size_t model_runs(const struct model *model);
const char *model_run_text(const struct model_run *run);
void model_each_run(struct model *model, void (*fn)(struct model_run *run, const char *namespace, const char *workflow_id, void *arg),
                    void *arg);

/* ---- effects: what somebody asks for, that a history shows in the end ---- */

enum model_kind { EFFECT_SIGNAL, EFFECT_CANCEL, EFFECT_TERMINATE, EFFECT_TASK_COMPLETED, EFFECT_TASK_FAILED,
                  EFFECT_ACTIVITY_COMPLETED, EFFECT_ACTIVITY_FAILED, EFFECT_ACTIVITY_CANCELED };
/* Is asked for now; `run` is NULL for a signal, a cancel request or a termination, which may reach any run of the id.
 * Asked for again with the same key, it is the same effect. */
struct model_effect *model_ask(struct model_id *id, struct model_run *run, enum model_kind kind, uint64_t key);
/* The signal came with a start: a run that still waits for its first workflow task gets it at once. */
void model_wakes(struct model_effect *signal);
void model_answer(struct model_effect *effect, enum status_code code);
/* When it was acknowledged, it was by this run: its history must show it. */
void model_reached(struct model_effect *effect, struct model_run *run);
/* Keys. */
uint64_t model_key_text(const char *text);
uint64_t model_key_payloads(const char *text, const PB(Common__V1__Payloads) *payloads);

/* ---- calls on a workflow id: the newest run, and whether it is open ---- */

enum model_call_kind { MODEL_START, MODEL_CLOSE, MODEL_TERMINATE, MODEL_SIGNAL, MODEL_DESCRIBE };
enum model_status { MODEL_NONE, MODEL_OPEN, MODEL_COMPLETED, MODEL_FAILED, MODEL_CONTINUED };
enum model_reuse { MODEL_REUSE_ALLOW, MODEL_REUSE_FAILED_ONLY, MODEL_REUSE_REJECT };
enum model_conflict { MODEL_CONFLICT_FAIL, MODEL_CONFLICT_USE, MODEL_CONFLICT_TERMINATE };

/* Of the newest run, but MODEL_CLOSE: a worker ends `run` so. MODEL_FAILED stands for all ends but success. */
struct model_call {
    enum model_call_kind kind;
    const char *request;                 /* of a start: its request id */
    enum model_reuse reuse;
    enum model_conflict conflict;
    bool with_signal;
    struct model_run *run;
    enum model_status status;
};
/* What was answered. `run`: the run that the answer names, NULL when none. */
struct model_result {
    bool lost, refused, not_found;       /* refused: without effect, for another reason */
    bool met, used;                      /* of a start: "already started"; the open run was used */
    struct model_run *run;
    enum model_status status;            /* of MODEL_DESCRIBE */
};
/* As far as the status tells. */
struct model_result model_result(enum status_code code);
struct model_op;
/* A call begins, of this node. */
struct model_op *model_begins(struct model_id *id, unsigned node, const struct model_call *call);
void model_ends(struct model_op *op, const struct model_result *result);
/* Calls whose answers were lost and that may still take effect: each doubles the states that are possible. */
unsigned model_lost(struct model_id *id);

/* ---- workflow tasks ---- */

typedef WS(PollWorkflowTaskQueueResponse) ModelTask;
typedef WS(RespondWorkflowTaskCompletedRequest) ModelCompletion;
/* A worker was given it; its call began when the server was in its life `life`. */
void model_task_given(struct model_run *run, const ModelTask *task, unsigned life);
/* A worker completes it with these commands; then what was answered. */
struct model_effect *model_task_completes(struct model_run *run, const ModelTask *task, const ModelCompletion *request);
void model_task_completed(struct model_effect *effect, enum status_code code);
/* A worker fails it; the answer goes to model_answer. */
struct model_effect *model_task_fails(struct model_run *run, const ModelTask *task);

/* ---- activities ---- */

typedef WS(PollActivityTaskQueueResponse) ModelActivityTask;
void model_activity_given(struct model_run *run, const ModelActivityTask *task, unsigned life);
/* A worker ends the attempt (EFFECT_ACTIVITY_...), by its token or by the activity's id; `payloads` is the result. */
struct model_effect *model_activity_ends(struct model_run *run, const ModelActivityTask *task, enum model_kind kind,
                                         const PB(Common__V1__Payloads) *payloads, bool by_token);
void model_activity_ended(struct model_effect *effect, enum status_code code);
/* A heartbeat with this number (larger ones later), and its answer. */
void model_activity_beats(struct model_run *run, const ModelActivityTask *task, int64_t number);
void model_activity_beat(struct model_run *run, const ModelActivityTask *task, int64_t number, enum status_code code);

#endif
