/* workflow_list: `norn workflow list` and `count`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/table.h"

typedef Temporal__Api__Workflow__V1__WorkflowExecutionInfo info;
typedef Temporal__Api__Workflowservice__V1__ListWorkflowExecutionsResponse list_response;

enum { PAGE_ROWS = 200 };

static const list_response *fetch(struct cli *cli, unsigned rows, const char *token) {
    struct request request = request_begin(cli);
    char size[16];
    snprintf(size, sizeof size, "%u", rows);
    request_namespace(&request);
    request_raw(&request, "pageSize", size);
    request_text(&request, "nextPageToken", token);
    request_text(&request, "query", cli_value(cli, "query"));
    const list_response *response = (const void *)cli_call(cli, "ListWorkflowExecutions", request_end(&request));
    request_free(&request);
    return response;
}

static void add_row(struct table *table, const info *run) {
    struct cli *cli = table->cli;
    table_cell(table, show_status(cli, run->status));
    table_cell(table, run->execution ? run->execution->workflow_id : "");
    table_cell(table, run->type ? run->type->name : "");
    table_cell(table, show_ago(cli, run->start_time));
    table_cell(table, show_ago(cli, run->close_time));
    table_cell(table, run->task_queue);
    table_cell(table, run->execution ? run->execution->run_id : "");
}

static const char *token_text(struct cli *cli, ProtobufCBinaryData token) {
    struct buf text = {0};
    base64_append(&text, bytes_of(token.data, token.len));
    const char *copy = arena_text(&cli->arena, buf_bytes(&text));
    buf_free(&text);
    return copy;
}

/* Up to `limit` rows: into the table, or printed as JSON lines. */
static int list(struct cli *cli, unsigned limit, struct table *table) {
    const char *token = NULL;
    for (unsigned rows = 0; rows < limit;) {
        const list_response *response = fetch(cli, limit - rows < PAGE_ROWS ? limit - rows : PAGE_ROWS, token);
        if (!response) return cli_exit_code(cli);
        for (size_t i = 0; i < response->n_executions && rows < limit; i++, rows++) {
            if (cli->output == CLI_TEXT) add_row(table, response->executions[i]);
            else cli_print_message(cli, &response->executions[i]->base);
        }
        if (response->next_page_token.len == 0) return CLI_OK;
        token = token_text(cli, response->next_page_token);
    }
    return CLI_OK;
}

/* JSON output is one array; jsonl a line for each. */
static int list_json(struct cli *cli, unsigned limit) {
    if (cli->output == CLI_JSONL) return list(cli, limit, NULL);
    cli->output = CLI_JSONL;
    int code = list(cli, limit, NULL);
    cli->output = CLI_JSON;
    if (code != CLI_OK) return code;
    struct buf lines = cli->out, array = {0};
    cli->out = (struct buf){0};
    buf_append_u8(&array, '[');
    for (size_t i = 0; i + 1 < lines.len; i++) buf_append_u8(&array, lines.data[i] == '\n' ? ',' : lines.data[i]);
    buf_append_u8(&array, ']');
    cli_print_json(cli, buf_bytes(&array));
    buf_free(&array);
    buf_free(&lines);
    return CLI_OK;
}

int cli_workflow_list(struct cli *cli) {
    char *end;
    const char *text = cli_value(cli, "limit");
    unsigned long limit = strtoul(text, &end, 10);
    if (*end || limit == 0 || limit > 1000000) return cli_usage(cli, "--limit is \"%s\"; allowed: 1 to 1000000", text);
    if (cli->output != CLI_TEXT) return list_json(cli, (unsigned)limit);
    struct table table =
        table_new(cli, (const char *const[]){"STATUS", "WORKFLOW", "TYPE", "STARTED", "CLOSED", "TASK QUEUE", "RUN", NULL});
    int code = list(cli, (unsigned)limit, &table);
    if (code != CLI_OK) return code;
    if (table.row_count) table_print(&table);
    else buf_printf(&cli->out, "No workflows in namespace %s%s.\n", cli_namespace(cli),
                    cli_value(cli, "query") ? " match the query" : "");
    if (table.row_count == limit) buf_printf(&cli->out, "There may be more: --limit %lu\n", limit * 10);
    return CLI_OK;
}

/* A value of a search attribute is JSON with its type beside it; people want the text alone. */
static const char *group_name(struct cli *cli, const Temporal__Api__Common__V1__Payload *value) {
    const char *text = (const char *)value->data.data;
    size_t len = value->data.len;
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    return arena_printf(&cli->arena, "%.*s", (int)len, text);
}

int cli_workflow_count(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_text(&request, "query", cli_value(cli, "query"));
    const Temporal__Api__Workflowservice__V1__CountWorkflowExecutionsResponse *response =
        (const void *)cli_call(cli, "CountWorkflowExecutions", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    if (cli->output != CLI_TEXT) {
        cli_print_message(cli, &response->base);
        return CLI_OK;
    }
    buf_printf(&cli->out, "%lld\n", (long long)response->count);
    struct table table = pairs_new(cli);
    for (size_t i = 0; i < response->n_groups; i++) {
        const char *value = response->groups[i]->n_group_values ? group_name(cli, response->groups[i]->group_values[0]) : "";
        pairf(&table, value, "%lld", (long long)response->groups[i]->count);
    }
    table_print(&table);
    return CLI_OK;
}
