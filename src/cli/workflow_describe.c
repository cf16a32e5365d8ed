/* workflow_describe: `norn workflow describe`, and `explain`, which says what a run waits for, and since when. */
#include "cli/history.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse description;
typedef Temporal__Api__Workflow__V1__PendingActivityInfo activity;

static const description *describe(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "execution");
    struct bytes text = request_end(&request);
    cli->status = status_make(&cli->arena, STATUS_INVALID_ARGUMENT, "no workflow");
    const description *out = request.bad ? NULL : (const void *)cli_call(cli, "DescribeWorkflowExecution", text);
    request_free(&request);
    return out;
}

/* ---- describe -------------------------------------------------------------------------------------------------------------- */

static const char *name_of(const Temporal__Api__Common__V1__ActivityType *type) { return type ? type->name : ""; }

static const char *at(struct cli *cli, const pb_timestamp *time) {
    return time ? arena_printf(&cli->arena, "%s (%s)", show_time(cli, time), show_ago(cli, time)) : "";
}

static void print_run(struct cli *cli, const description *from) {
    const Temporal__Api__Workflow__V1__WorkflowExecutionInfo *info = from->workflow_execution_info;
    struct table table = pairs_new(cli);
    if (info->execution) pair(&table, "Workflow", info->execution->workflow_id);
    if (info->execution) pair(&table, "Run", info->execution->run_id);
    pair(&table, "Type", info->type ? info->type->name : "");
    pair(&table, "Status", show_status(cli, info->status));
    pair(&table, "Task queue", info->task_queue);
    pair(&table, "Started", at(cli, info->start_time));
    pair(&table, "Executes from", ns_of_time(info->execution_time) != ns_of_time(info->start_time) ? at(cli, info->execution_time) : "");
    pair(&table, "Closed", at(cli, info->close_time));
    pairf(&table, "History", "%lld events, %lld bytes", (long long)info->history_length, (long long)info->history_size_bytes);
    if (info->parent_execution) pair(&table, "Parent", info->parent_execution->workflow_id);
    if (info->root_execution) pair(&table, "Root", info->root_execution->workflow_id);
    if (from->execution_config) {
        pair(&table, "Execution timeout", show_duration(cli, from->execution_config->workflow_execution_timeout));
        pair(&table, "Run timeout", show_duration(cli, from->execution_config->workflow_run_timeout));
        pair(&table, "Task timeout", show_duration(cli, from->execution_config->default_workflow_task_timeout));
    }
    if (info->memo && info->memo->n_fields) pair(&table, "Memo", show_message(cli, &info->memo->base));
    if (info->search_attributes && info->search_attributes->n_indexed_fields)
        pair(&table, "Search attributes", show_message(cli, &info->search_attributes->base));
    table_print(&table);
}

static const char *state_of(struct cli *cli, const activity *pending) {
    return show_enum(cli, &temporal__api__enums__v1__pending_activity_state__descriptor, pending->state);
}

static void print_pending(struct cli *cli, const description *from) {
    if (from->n_pending_activities) {
        cli_print_heading(cli, "\nPending activities");
        struct table table = table_new(cli, (const char *const[]){"ID", "TYPE", "STATE", "ATTEMPT", "SINCE", "WORKER", "LAST FAILURE", NULL});
        for (size_t i = 0; i < from->n_pending_activities; i++) {
            const activity *pending = from->pending_activities[i];
            table_cell(&table, pending->activity_id);
            table_cell(&table, name_of(pending->activity_type));
            table_cell(&table, state_of(cli, pending));
            table_cellf(&table, "%d", pending->attempt);
            table_cell(&table, show_ago(cli, pending->last_started_time ? pending->last_started_time : pending->scheduled_time));
            table_cell(&table, pending->last_worker_identity);
            table_cell(&table, show_failure(cli, pending->last_failure));
        }
        table_print(&table);
    }
    if (!from->n_pending_children) return;
    cli_print_heading(cli, "\nPending children");
    struct table table = table_new(cli, (const char *const[]){"WORKFLOW", "TYPE", "RUN", NULL});
    for (size_t i = 0; i < from->n_pending_children; i++) {
        table_cell(&table, from->pending_children[i]->workflow_id);
        table_cell(&table, from->pending_children[i]->workflow_type_name);
        table_cell(&table, from->pending_children[i]->run_id);
    }
    table_print(&table);
}

int cli_workflow_describe(struct cli *cli) {
    const description *from = describe(cli);
    if (!from) return cli_exit_code(cli);
    if (cli->output != CLI_TEXT || !from->workflow_execution_info) {
        cli_print_message(cli, &from->base);
        return CLI_OK;
    }
    print_run(cli, from);
    print_pending(cli, from);
    return CLI_OK;
}

/* ---- explain --------------------------------------------------------------------------------------------------------------- */

/* What a history tells about waits: open timers, and when the workflow's code last ran. */
struct waits {
    const history_event **timers;
    size_t timer_count, timer_cap;
    const history_event *last_task;        /* the last WorkflowTaskCompleted */
    const history_event *last;
};

#define EVENT(name) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##name

static void add_timer(struct cli *cli, struct waits *waits, const history_event *event) {
    if (waits->timer_count == waits->timer_cap) {
        waits->timer_cap = waits->timer_cap ? waits->timer_cap * 2 : 16;
        const history_event **timers = arena_alloc(&cli->arena, waits->timer_cap * sizeof *timers);
        if (waits->timer_count) memcpy(timers, waits->timers, waits->timer_count * sizeof *timers);
        waits->timers = timers;
    }
    waits->timers[waits->timer_count++] = event;
}

static void remove_timer(struct waits *waits, int64_t started_event_id) {
    for (size_t i = 0; i < waits->timer_count; i++) {
        if (waits->timers[i]->event_id != started_event_id) continue;
        memmove(&waits->timers[i], &waits->timers[i + 1], (--waits->timer_count - i) * sizeof *waits->timers);
        return;
    }
}

static void see_event(struct cli *cli, struct waits *waits, const history_event *event) {
    waits->last = event;
    if (event->event_type == EVENT(WORKFLOW_TASK_COMPLETED)) waits->last_task = event;
    if (event->attributes_case == 0) return;
    if (event->event_type == EVENT(TIMER_STARTED)) add_timer(cli, waits, event);
    if (event->event_type == EVENT(TIMER_FIRED)) remove_timer(waits, event->timer_fired_event_attributes->started_event_id);
    if (event->event_type == EVENT(TIMER_CANCELED)) remove_timer(waits, event->timer_canceled_event_attributes->started_event_id);
}

static bool read_waits(struct cli *cli, const description *from, struct waits *out) {
    const Temporal__Api__Common__V1__WorkflowExecution *execution = from->workflow_execution_info->execution;
    struct history_reader reader = {.cli = cli, .workflow_id = execution->workflow_id, .run_id = execution->run_id};
    const Temporal__Api__History__V1__History *history;
    while ((history = cli_history_next(&reader)))
        for (size_t i = 0; i < history->n_events; i++) see_event(cli, out, history->events[i]);
    return status_ok(cli->status);
}

/* A line: what is waited for, since when, and more. */
static void wait_row(struct table *table, const char *what, const pb_timestamp *since, const char *more) {
    table_cell(table, what);
    table_cell(table, show_ago(table->cli, since));
    table_cell(table, more);
}

static void explain_task(struct table *table, const description *from) {
    struct cli *cli = table->cli;
    const Temporal__Api__Workflow__V1__PendingWorkflowTaskInfo *task = from->pending_workflow_task;
    const char *queue = from->workflow_execution_info->task_queue;
    if (!task) return;
    const char *attempt = task->attempt > 1 ? arena_printf(&cli->arena, ", attempt %d: the last one failed or timed out", task->attempt) : "";
    if (task->started_time)
        wait_row(table, "a worker to finish a workflow task", task->started_time, arena_printf(&cli->arena, "task queue %s%s", queue, attempt));
    else
        wait_row(table, "a worker to take a workflow task", task->scheduled_time,
                 arena_printf(&cli->arena, "task queue %s%s; is a worker polling it? norn task-queue describe %s", queue, attempt, queue));
}

static void explain_activity(struct table *table, const activity *pending) {
    struct cli *cli = table->cli;
    const char *what = arena_printf(&cli->arena, "activity %s (%s)", pending->activity_id, name_of(pending->activity_type));
    const char *failure = show_failure(cli, pending->last_failure);
    const char *state = state_of(cli, pending);
    struct buf more = {0};
    buf_printf(&more, "%s, attempt %d", state, pending->attempt);
    if (pending->maximum_attempts) buf_printf(&more, " of %d", pending->maximum_attempts);
    if (pending->last_started_time && *pending->last_worker_identity) buf_printf(&more, ", worker %s", pending->last_worker_identity);
    if (pending->last_heartbeat_time) buf_printf(&more, ", heartbeat %s", show_ago(cli, pending->last_heartbeat_time));
    if (pending->next_attempt_schedule_time) buf_printf(&more, ", next attempt %s", show_ago(cli, pending->next_attempt_schedule_time));
    if (*failure) buf_printf(&more, ", last failure: %s", failure);
    wait_row(table, what, pending->scheduled_time, buf_cstr(&more));
    buf_free(&more);
}

static void explain_timer(struct table *table, const history_event *event) {
    struct cli *cli = table->cli;
    const Temporal__Api__History__V1__TimerStartedEventAttributes *timer = event->timer_started_event_attributes;
    int64_t fires = ns_of_time(event->event_time);
    if (timer->start_to_fire_timeout)
        fires += timer->start_to_fire_timeout->seconds * 1000000000 + timer->start_to_fire_timeout->nanos;
    int64_t left = fires - io_wall(cli->io);
    wait_row(table, arena_printf(&cli->arena, "timer %s", timer->timer_id), event->event_time,
             arena_printf(&cli->arena, "of %s, fires %s", show_duration(cli, timer->start_to_fire_timeout),
                          left > 0 ? arena_printf(&cli->arena, "in %s", show_ns(cli, left)) : "now"));
}

static void explain_open(struct cli *cli, const description *from, const struct waits *waits) {
    struct table table = table_new(cli, (const char *const[]){"WAITS FOR", "SINCE", "MORE", NULL});
    table.uncut = true;
    explain_task(&table, from);
    for (size_t i = 0; i < from->n_pending_activities; i++) explain_activity(&table, from->pending_activities[i]);
    for (size_t i = 0; i < waits->timer_count; i++) explain_timer(&table, waits->timers[i]);
    for (size_t i = 0; i < from->n_pending_children; i++)
        wait_row(&table, arena_printf(&cli->arena, "child workflow %s", from->pending_children[i]->workflow_id), NULL,
                 from->pending_children[i]->workflow_type_name);
    if (table.row_count == 0) {
        const history_event *since = waits->last_task ? waits->last_task : waits->last;
        wait_row(&table, "a signal or an update", since ? since->event_time : NULL,
                 "no task, activity, timer or child is pending: its code waits for a message or a condition");
    }
    table_print(&table);
}

int cli_workflow_explain(struct cli *cli) {
    const description *from = describe(cli);
    struct waits waits = {0};
    if (!from) return cli_exit_code(cli);
    if (!from->workflow_execution_info || !from->workflow_execution_info->execution)
        return cli_fail(cli, CLI_FAILED, "the server's description has no run");
    if (!read_waits(cli, from, &waits)) return cli_call_failed(cli, "GetWorkflowExecutionHistory");
    const Temporal__Api__Workflow__V1__WorkflowExecutionInfo *info = from->workflow_execution_info;
    bool open = info->status == TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
    if (cli->output == CLI_TEXT)
        buf_printf(&cli->out, "%s is %s since %s%s\n", info->execution->workflow_id, show_status(cli, info->status),
                   at(cli, open ? info->start_time : info->close_time), open ? ".\n" : ": it waits for nothing.");
    if (open) explain_open(cli, from, &waits);
    else if (cli->output == CLI_JSON) cli_print_json(cli, bytes_str("[]"));
    return CLI_OK;
}
