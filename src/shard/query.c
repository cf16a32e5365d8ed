/* query: the life of a query.
 *
 *   WAITS      for the next workflow task of the run, so that it sees everything that came before it
 *   ATTACHED   went to a worker with a started workflow task; answered in its completion. If that task fails, or the
 *              completion leaves the query out, it waits again
 *   SENT       is a task of its own in a queue, or at a worker: no workflow task is pending, so nothing came before it
 *              that a worker with the history does not know
 *
 * Sent to the sticky queue, it has the sticky timeout to come back; then it goes to the normal queue, and so will the
 * next workflow task. A query ends once, by query_end; its memory goes when its timer has completed. */
#include "shard/query.h"

#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "shard/core.h"
#include "shard/pb.h"
#include "shard/query_calls.h"
#include "shard/task_answer.h"
#include "shard/token.h"

#define NO_POLLER "no poller seen for task queue recently, worker may be down"

enum { ATTEMPTS_HOPELESS = 3 };

struct query {
    struct list link;                    /* exec.queries; in no list once it has ended */
    struct engine *engine;
    uint64_t execution, number;
    struct call *call;                   /* NULL once it has ended */
    enum { QUERY_WAITS, QUERY_ATTACHED, QUERY_SENT } state;
    bool sticky;                         /* SENT: to the sticky queue */
    int64_t fallback_at, warn_at;        /* io_now; 0: never */
    struct io_op timer;
    int64_t timer_at;
};

static struct query *query_of(struct list *link) { return LIST_ENTRY(link, struct query, link); }
static const QueryWorkflowRequest *request_of(const struct query *query) { return (const void *)query->call->request; }
static void set_timer(struct query *query);
static struct queue_name queue_of(const struct exec *exec, const struct query *query);
static struct queue_task task_of(struct engine *engine, const struct exec *exec, const struct query *query);

/* ---- ending -------------------------------------------------------------------------------------------------------- */

/* Takes the call out: the caller ends it. */
static struct call *query_end(struct exec *exec, struct query *query) {
    struct call *call = query->call;
    query->call = NULL;
    list_remove(&query->link);
    exec->query_count--;
    exec->pins--;
    call->on_cancel = NULL;
    call->waiter = NULL;
    if (query->timer.busy) io_cancel(query->engine->io, &query->timer);
    else mem_free(query);
    return call;
}

/* Takes it out of the queue where it waits for a worker, perhaps for ever. */
static void withdraw(struct engine *engine, const struct exec *exec, const struct query *query) {
    if (query->state != QUERY_SENT || engine->stopped) return;
    struct queue_name name = queue_of(exec, query);
    struct queue_task task = task_of(engine, exec, query);
    if (name.name.len) engine->host.remove_task(engine->host.ctx, &name, &task);
}

static void query_fail(struct engine *engine, struct exec *exec, struct query *query, struct status status) {
    withdraw(engine, exec, query);
    engine_fail(engine, exec, query_end(exec, query), status);
}

static void client_gone(struct call *call) {
    struct query *query = call->waiter;
    mark(MARK_QUERY_CLIENT_GONE);
    struct exec *exec = engine_resident(query->engine, query->execution);
    CHECK(exec);
    withdraw(query->engine, exec, query);
    call = query_end(exec, query);
    call_fail(call, STATUS_CANCELLED, "the client went away");
}

void query_drop(struct engine *engine, struct exec *exec, struct status status) {
    LIST_EACH(link, &exec->queries) {
        withdraw(engine, exec, query_of(link));
        struct call *call = query_end(exec, query_of(link));
        call_fail(call, status.code, "%s", status.message);
    }
}

void query_stop(struct engine *engine) {
    struct status status = {.code = STATUS_UNAVAILABLE, .message = "the server is shutting down"};
    LIST_EACH(it, &engine->lru) query_drop(engine, LIST_ENTRY(it, struct exec, lru), status);
}

/* Sends a worker's verdict to the caller behind commit `gate`. */
static void give_answer(struct engine *engine, struct exec *exec, struct query *query, const struct query_verdict *verdict,
                        uint64_t gate) {
    struct call *call = query_end(exec, query);
    query_set_answer(call, verdict);
    engine_send_gated(engine, call, gate);
}

/* ---- through queues ------------------------------------------------------------------------------------------------ */

static struct queue_name queue_of(const struct exec *exec, const struct query *query) {
    const char *name = query->sticky ? exec->info->sticky_queue : exec->start->task_queue;
    return engine_queue(exec, QUEUE_WORKFLOW, name);
}

static struct queue_task task_of(struct engine *engine, const struct exec *exec, const struct query *query) {
    return (struct queue_task){
        .execution = exec->number,
        .hash = exec->hash,
        .stamp = query->number,
        .schedule_time = engine_wall(engine),
        .priority = exec->start->priority ? exec->start->priority->priority_key : 0,
        .query = true,
    };
}

static void send_query(struct engine *engine, struct exec *exec, struct query *query, bool may_stick) {
    query->state = QUERY_SENT;
    query->fallback_at = 0;
    query->sticky = may_stick && !text_empty(exec->info->sticky_queue);
    struct queue_name name = queue_of(exec, query);
    if (query->sticky && !engine->host.sticky_alive(engine->host.ctx, &name)) {
        query->sticky = false;
        name = queue_of(exec, query);
    }
    if (query->sticky) query->fallback_at = io_now(engine->io) + exec->info->sticky_timeout;
    struct queue_task task = task_of(engine, exec, query);
    engine->host.add_task(engine->host.ctx, &name, &task);
    set_timer(query);
}

static void clear_sticky(struct engine *engine, struct exec *exec) {
    struct arena arena = {0};
    bool admitted = status_ok(store_admit(engine->store, STORE_NORMAL, 1024, &arena));
    arena_free(&arena);
    if (!admitted || !exec_open(exec)) return;
    struct txn txn;
    txn_begin(&txn, engine, exec);
    state_set_text(&exec->info->sticky_queue, "");
    exec_touch(exec, STATE_INFO);
    txn_commit(&txn);
}

/* The sticky worker did not answer in time: it is taken for gone. */
static void fall_back(struct engine *engine, struct exec *exec, struct query *query) {
    mark(MARK_QUERY_FELL_BACK);
    if (!text_empty(exec->info->sticky_queue)) {
        struct queue_name name = queue_of(exec, query);
        struct queue_task task = task_of(engine, exec, query);
        engine->host.remove_task(engine->host.ctx, &name, &task);
        clear_sticky(engine, exec);
    }
    send_query(engine, exec, query, false);
}

void query_dispatch_waiting(struct engine *engine, struct exec *exec) {
    LIST_EACH(link, &exec->queries) {
        struct query *query = query_of(link);
        if (query->state == QUERY_SENT) continue;
        if (exec->info->completed_event_id) send_query(engine, exec, query, true);
        else if (!exec_open(exec)) query_fail(engine, exec, query, query_closed_early(query->call->arena));
    }
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

static void timer_done(struct io *io, struct io_op *op) {
    struct query *query = op->ctx;
    if (!query->call) {
        mem_free(query);
        return;
    }
    struct engine *engine = query->engine;
    struct exec *exec = engine_resident(engine, query->execution);
    CHECK(exec);
    int64_t now = io_now(io);
    if (query->fallback_at && query->fallback_at <= now) {
        fall_back(engine, exec, query);
        return;
    }
    if (query->warn_at && query->warn_at <= now) {
        query->warn_at = 0;              /* once */
        /* One that waits for a workflow task is not told: it would be answered with the task. */
        if (query->state != QUERY_SENT) {
            set_timer(query);
            return;
        }
        struct queue_name name = engine_queue(exec, QUEUE_WORKFLOW, exec->start->task_queue);
        if (!engine->host.sticky_alive(engine->host.ctx, &name)) {
            query_fail(engine, exec, query,
                       status_make(query->call->arena, STATUS_FAILED_PRECONDITION, "%s", NO_POLLER));
            return;
        }
    }
    set_timer(query);
}

/* One timer for whatever comes first. An earlier one that runs already is let run: it sets itself again. */
static void set_timer(struct query *query) {
    int64_t at = query->fallback_at;
    if (!at || (query->warn_at && query->warn_at < at)) at = query->warn_at;
    if (!at) return;
    if (query->timer.busy) {
        if (query->timer_at > at) io_cancel(query->engine->io, &query->timer);
        return;
    }
    query->timer_at = at;
    query->timer.done = timer_done;
    query->timer.ctx = query;
    io_timer(query->engine->io, &query->timer, at);
}

/* ---- a new one ----------------------------------------------------------------------------------------------------- */

void query_add(struct engine *engine, struct exec *exec, struct call *call, bool at_once) {
    enum { NO_POLLER_AFTER = 20 };
    struct query *query = MEM_NEW(struct query);
    query->engine = engine;
    query->execution = exec->number;
    query->number = ++engine->last_query;
    query->call = call;
    call->waiter = query;
    call->on_cancel = client_gone;
    list_push_back(&exec->queries, &query->link);
    exec->query_count++;
    exec->pins++;
    /* Told shortly before the caller gives up, and not before pollers had time to show. */
    int64_t now = io_now(engine->io), limit = now + SECONDS(NO_POLLER_AFTER);
    int64_t last = call->deadline == INT64_MAX ? limit : call->deadline - SECONDS(1);
    query->warn_at = last > limit ? limit : last < now ? now : last;
    if (at_once) send_query(engine, exec, query, true);
    else set_timer(query);
}

unsigned query_waiting(const struct exec *exec) {
    unsigned count = 0;
    LIST_EACH(link, &exec->queries) count += query_of(link)->state != QUERY_SENT;
    return count;
}

/* ---- with a workflow task ------------------------------------------------------------------------------------------ */

static char *id_of(const struct query *query, struct arena *arena) {
    return arena_printf(arena, "%llu", (unsigned long long)query->number);
}

void query_attach(struct exec *exec, PollWorkflowTaskQueueResponse *response, struct arena *arena) {
    typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse__QueriesEntry Entry;
    if (!exec->query_count) return;
    response->queries = arena_alloc(arena, exec->query_count * sizeof(*response->queries));
    LIST_EACH(link, &exec->queries) {
        struct query *query = query_of(link);
        if (query->state == QUERY_SENT) continue;
        query->state = QUERY_ATTACHED;
        Entry *entry = PB_NEW(arena, temporal__api__workflowservice__v1__poll_workflow_task_queue_response__queries_entry);
        entry->key = id_of(query, arena);
        entry->value = request_of(query)->query;
        response->queries[response->n_queries++] = entry;
    }
}

static const WorkflowQueryResult *result_of(const RespondWorkflowTaskCompletedRequest *request, const char *id) {
    for (size_t i = 0; i < request->n_query_results; i++) {
        if (strcmp(request->query_results[i]->key, id) == 0) return request->query_results[i]->value;
    }
    return NULL;
}

void query_answer(struct engine *engine, struct exec *exec, const RespondWorkflowTaskCompletedRequest *request,
                  uint64_t gate) {
    LIST_EACH(link, &exec->queries) {
        struct query *query = query_of(link);
        if (query->state != QUERY_ATTACHED) continue;
        query->state = QUERY_WAITS;      /* also when the worker left it out */
        const WorkflowQueryResult *result = result_of(request, id_of(query, query->call->arena));
        if (!result) continue;
        struct query_verdict verdict = {result->result_type, result->answer, result->error_message, result->failure};
        query_limit(engine, &verdict);
        give_answer(engine, exec, query, &verdict, gate);
    }
}

/* ---- as a task of its own ------------------------------------------------------------------------------------------ */

static struct query *query_find(const struct exec *exec, uint64_t number) {
    LIST_EACH(link, &exec->queries) {
        if (query_of(link)->number == number) return query_of(link);
    }
    return NULL;
}

static struct bytes query_task(struct exec *exec, const struct query *query, bool sticky, struct arena *arena) {
    TaskToken token = NORN__STATE__TASK_TOKEN__INIT;
    token.namespace_id = exec->start->namespace_id;
    token.workflow_id = exec->start->workflow_id;
    token.run_id = exec->start->run_id;
    token.execution = exec->number;
    token.hash = exec->hash;
    token.query = query->number;
    PollWorkflowTaskQueueResponse *r = PB_NEW(arena, temporal__api__workflowservice__v1__poll_workflow_task_queue_response);
    r->task_token = token_encode(arena, &token);
    r->workflow_execution = PB_NEW(arena, temporal__api__common__v1__workflow_execution);
    r->workflow_execution->workflow_id = exec->start->workflow_id;
    r->workflow_execution->run_id = exec->start->run_id;
    r->workflow_type = PB_NEW(arena, temporal__api__common__v1__workflow_type);
    r->workflow_type->name = exec->start->workflow_type;
    r->previous_started_event_id = exec->info->completed_started_id;
    r->attempt = 1;
    r->query = request_of(query)->query;
    r->workflow_execution_task_queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    r->workflow_execution_task_queue->name = exec->start->task_queue;
    r->workflow_execution_task_queue->kind = QUEUE_KIND(NORMAL);
    /* The sticky worker has the run, up to its last completed task: its history is present and empty. */
    if (sticky) r->history = PB_NEW(arena, temporal__api__history__v1__history);
    struct buf answer = {0};
    pbpack_append(&answer, &r->base);
    if (!sticky) task_answer_history(exec, arena, 1, &answer);
    struct bytes copy = bytes_of(arena_copy(arena, answer.data, answer.len), answer.len);
    buf_free(&answer);
    return copy;
}

void query_start(struct engine *engine, struct exec *exec, const struct queue_name *name, const struct queue_task *task,
                 struct call *poll) {
    struct query *query = query_find(exec, task->stamp);
    bool current = query && query->state == QUERY_SENT;
    if (current) {
        struct queue_name expected = queue_of(exec, query);
        current = bytes_equal(expected.name, name->name);
    }
    /* Something happened in the run since: the query goes with the workflow task that tells of it. */
    if (current && exec_open(exec) && exec->task && !PLANT(engine->io, QUERY_OF_OLD_STATE)) {
        query->state = QUERY_WAITS;
        query->fallback_at = 0;
        current = false;
    }
    if (!current) {
        engine_poll_again(engine, name, poll);
        return;
    }
    engine_reply_bytes(engine, exec, poll, query_task(exec, query, query->sticky, poll->arena));
}

bool query_finish(struct engine *engine, const TaskToken *token, const struct query_verdict *verdict) {
    struct exec *exec = engine_resident(engine, token->execution);
    struct query *query = exec ? query_find(exec, token->query) : NULL;
    if (!query) return false;
    give_answer(engine, exec, query, verdict, exec->commit);
    return true;
}

bool query_hopeless(const struct exec *exec) { return exec->task && exec->task->attempt >= ATTEMPTS_HOPELESS; }
