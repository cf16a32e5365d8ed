/* workflow: commands that change a workflow, or ask it: start, signal, cancel, terminate, delete, query. */
#include <stdio.h>

#include "cli/history.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/table.h"

/* Sends a request that is complete; frees it. NULL with *code when it was bad or failed. */
static const ProtobufCMessage *finish(struct request *request, const char *method, int *code) {
    struct cli *cli = request->cli;
    const ProtobufCMessage *response = NULL;
    struct bytes text = request_end(request);
    *code = CLI_USAGE;
    if (!request->bad) {
        response = cli_call(cli, method, text);
        *code = response ? CLI_OK : cli_exit_code(cli);
    }
    request_free(request);
    return response;
}

/* For methods whose response says nothing. */
static int finish_with(struct request *request, const char *method, const char *done) {
    struct cli *cli = request->cli;
    int code;
    const ProtobufCMessage *response = finish(request, method, &code);
    if (response && cli->output == CLI_TEXT) buf_printf(&cli->out, "%s\n", done);
    else if (response) cli_print_message(cli, response);
    return code;
}

/* ---- start ----------------------------------------------------------------------------------------------------------------- */

static const char *start(struct cli *cli, const char *id, int *code) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_text(&request, "workflowId", id);
    request_named(&request, "workflowType", cli_value(cli, "type"));
    request_named(&request, "taskQueue", cli_value(cli, "task-queue"));
    request_input(&request, "input");
    request_duration(&request, "workflowExecutionTimeout", "execution-timeout");
    request_duration(&request, "workflowRunTimeout", "run-timeout");
    request_duration(&request, "workflowTaskTimeout", "task-timeout");
    request_duration(&request, "workflowStartDelay", "start-delay");
    request_enum(&request, "workflowIdReusePolicy", "WORKFLOW_ID_REUSE_POLICY_", "id-reuse-policy");
    request_enum(&request, "workflowIdConflictPolicy", "WORKFLOW_ID_CONFLICT_POLICY_", "id-conflict-policy");
    request_text(&request, "cronSchedule", cli_value(cli, "cron"));
    request_map(&request, "memo", "fields", "memo");
    request_map(&request, "searchAttributes", "indexedFields", "search-attribute");
    request_text(&request, "identity", cli_identity(cli));
    request_text(&request, "requestId", new_uuid(cli));
    const ProtobufCMessage *response = finish(&request, "StartWorkflowExecution", code);
    if (!response) return NULL;
    return ((const Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse *)response)->run_id;
}

/* The id and run id of a workflow that was started; NULL with *code when it was not. */
static const char *start_checked(struct cli *cli, const char **id, int *code) {
    *code = CLI_USAGE;
    if (!cli_value(cli, "type") || !cli_value(cli, "task-queue")) {
        cli_usage(cli, "--type and --task-queue are needed");
        return NULL;
    }
    *id = cli->arg_count ? cli->args[0] : cli_value(cli, "workflow-id");
    if (!*id) *id = new_uuid(cli);
    return start(cli, *id, code);
}

int cli_workflow_start(struct cli *cli) {
    int code;
    const char *id, *run_id = start_checked(cli, &id, &code);
    if (!run_id) return code;
    if (cli->output != CLI_TEXT) {
        struct request out = request_begin(cli);
        request_text(&out, "workflowId", id);
        request_text(&out, "runId", run_id);
        request_text(&out, "type", cli_value(cli, "type"));
        request_text(&out, "namespace", cli_namespace(cli));
        request_text(&out, "taskQueue", cli_value(cli, "task-queue"));
        cli_print_json(cli, request_end(&out));
        request_free(&out);
        return CLI_OK;
    }
    struct table table = pairs_new(cli);
    pair(&table, "Workflow", id);
    pair(&table, "Run", run_id);
    pair(&table, "Type", cli_value(cli, "type"));
    pair(&table, "Task queue", cli_value(cli, "task-queue"));
    pair(&table, "Namespace", cli_namespace(cli));
    table_print(&table);
    buf_printf(&cli->out, "\nIts history: norn workflow show %s\n", id);
    return CLI_OK;
}

int cli_workflow_execute(struct cli *cli) {
    int code;
    const char *id, *run_id = start_checked(cli, &id, &code);
    if (!run_id) return code;
    if (cli->output == CLI_TEXT) buf_printf(&cli->out, "Started %s, run %s\n", id, run_id);
    cli_flush(cli);
    return cli_print_result(cli, id, run_id);
}

int cli_workflow_result(struct cli *cli) {
    const char *id = workflow_id(cli);
    return id ? cli_print_result(cli, id, cli_value(cli, "run-id")) : CLI_USAGE;
}

/* ---- messages to a workflow ------------------------------------------------------------------------------------------- */

int cli_workflow_signal(struct cli *cli) {
    if (!cli_value(cli, "name")) return cli_usage(cli, "which signal? give its --name");
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "workflowExecution");
    request_text(&request, "signalName", cli_value(cli, "name"));
    request_input(&request, "input");
    request_text(&request, "identity", cli_identity(cli));
    request_text(&request, "requestId", new_uuid(cli));
    return finish_with(&request, "SignalWorkflowExecution", "Signaled.");
}

int cli_workflow_cancel(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "workflowExecution");
    request_text(&request, "reason", cli_value(cli, "reason"));
    request_text(&request, "identity", cli_identity(cli));
    request_text(&request, "requestId", new_uuid(cli));
    return finish_with(&request, "RequestCancelWorkflowExecution", "Cancellation requested.");
}

int cli_workflow_terminate(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "workflowExecution");
    request_text(&request, "reason", cli_value(cli, "reason"));
    request_text(&request, "identity", cli_identity(cli));
    return finish_with(&request, "TerminateWorkflowExecution", "Terminated.");
}

int cli_workflow_delete(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "workflowExecution");
    return finish_with(&request, "DeleteWorkflowExecution", "Deleted.");
}

/* ---- queries --------------------------------------------------------------------------------------------------------------- */

static void query_member(struct request *request) {
    struct request query = request_begin(request->cli);
    request_text(&query, "queryType", cli_value(request->cli, "name"));
    request_input(&query, "queryArgs");
    request_end(&query);
    request->bad |= query.bad;
    request_raw(request, "query", buf_cstr(&query.text));
    request_free(&query);
}

int cli_workflow_query(struct cli *cli) {
    int code;
    if (!cli_value(cli, "name")) return cli_usage(cli, "which query? give its --name");
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_execution(&request, "execution");
    query_member(&request);
    request_enum(&request, "queryRejectCondition", "QUERY_REJECT_CONDITION_", "reject-condition");
    const Temporal__Api__Workflowservice__V1__QueryWorkflowResponse *response =
        (const void *)finish(&request, "QueryWorkflow", &code);
    if (!response) return code;
    if (cli->output != CLI_TEXT) cli_print_message(cli, &response->base);
    else if (response->query_rejected)
        return cli_fail(cli, CLI_FAILED, "rejected: the workflow is %s", show_status(cli, response->query_rejected->status));
    else cli_print_payloads(cli, response->query_result);
    return CLI_OK;
}
