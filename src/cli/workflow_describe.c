/* workflow_describe: `norn workflow describe`. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
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
