/* operator: `norn operator search-attribute ...` and `norn task-queue describe`. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/table.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define VALUE_TYPES (&temporal__api__enums__v1__indexed_value_type__descriptor)

/* ---- search attributes ------------------------------------------------------------------------------------------------ */

/* "KeywordList" or "keyword-list" as the enum's full name; NULL when there is none. */
static const char *value_type(struct cli *cli, const char *given) {
    for (unsigned i = 0; i < VALUE_TYPES->n_values; i++) {
        const char *name = show_enum(cli, VALUE_TYPES, VALUE_TYPES->values[i].value);
        if (*name && strcmp(name, given) == 0) return VALUE_TYPES->values[i].name;
    }
    return NULL;
}

int cli_search_attribute_create(struct cli *cli) {
    unsigned names = 0, types = 0, count = 0;
    struct request map = request_begin(cli);
    for (const char *name; (name = cli_next_value(cli, "name", &names)); count++) {
        const char *given = cli_next_value(cli, "type", &types), *type = given ? value_type(cli, given) : NULL;
        if (!type) {
            request_free(&map);
            return cli_usage(cli, "%s needs a --type: Text, Keyword, Int, Double, Bool, Datetime or KeywordList", name);
        }
        request_text(&map, name, type);
    }
    request_end(&map);
    struct request request = request_begin(cli);
    request_raw(&request, "searchAttributes", buf_cstr(&map.text));
    request_namespace(&request);
    const ProtobufCMessage *response = count ? cli_call(cli, "AddSearchAttributes", request_end(&request)) : NULL;
    request_free(&map);
    request_free(&request);
    if (!count) return cli_usage(cli, "--name and --type are needed");
    if (!response) return cli_exit_code(cli);
    buf_printf(&cli->out, cli->output == CLI_TEXT ? "Added.\n" : "{}\n");
    return CLI_OK;
}

int cli_search_attribute_remove(struct cli *cli) {
    unsigned at = 0;
    struct buf names = {0};
    for (const char *name; (name = cli_next_value(cli, "name", &at));) {
        struct request quoted = request_begin(cli);
        request_text(&quoted, "n", name);
        buf_printf(&names, "%s%s", names.len ? "," : "", buf_cstr(&quoted.text) + strlen("{\"n\":"));
        request_free(&quoted);
    }
    struct request request = request_begin(cli);
    request_raw(&request, "searchAttributes", arena_printf(&cli->arena, "[%s]", buf_cstr(&names)));
    request_namespace(&request);
    const ProtobufCMessage *response = names.len ? cli_call(cli, "RemoveSearchAttributes", request_end(&request)) : NULL;
    bool any = names.len > 0;
    request_free(&request);
    buf_free(&names);
    if (!any) return cli_usage(cli, "which one? give its --name");
    if (!response) return cli_exit_code(cli);
    buf_printf(&cli->out, cli->output == CLI_TEXT ? "Removed.\n" : "{}\n");
    return CLI_OK;
}

int cli_search_attribute_list(struct cli *cli) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    const Temporal__Api__Operatorservice__V1__ListSearchAttributesResponse *response =
        (const void *)cli_call(cli, "ListSearchAttributes", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    struct table table = table_new(cli, (const char *const[]){"NAME", "TYPE", "KIND", NULL});
    for (size_t i = 0; i < response->n_custom_attributes; i++) {
        table_cell(&table, response->custom_attributes[i]->key);
        table_cell(&table, show_enum(cli, VALUE_TYPES, response->custom_attributes[i]->value));
        table_cell(&table, "custom");
    }
    for (size_t i = 0; i < response->n_system_attributes; i++) {
        table_cell(&table, response->system_attributes[i]->key);
        table_cell(&table, show_enum(cli, VALUE_TYPES, response->system_attributes[i]->value));
        table_cell(&table, "system");
    }
    table_print(&table);
    return CLI_OK;
}

/* ---- task queues -------------------------------------------------------------------------------------------------------- */

typedef Temporal__Api__Workflowservice__V1__DescribeTaskQueueResponse queue_description;

static const queue_description *describe_queue(struct cli *cli, const char *name, const char *type) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_named(&request, "taskQueue", name);
    request_text(&request, "taskQueueType", type);
    request_bool(&request, "reportStats", true);
    const queue_description *response = (const void *)cli_call(cli, "DescribeTaskQueue", request_end(&request));
    request_free(&request);
    return response;
}

/* JSON: one response with both types. */
static int print_queue_json(struct cli *cli, const char *name) {
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_named(&request, "taskQueue", name);
    request_text(&request, "apiMode", "DESCRIBE_TASK_QUEUE_MODE_ENHANCED");
    request_bool(&request, "reportStats", true);
    request_bool(&request, "reportPollers", true);
    const queue_description *response = (const void *)cli_call(cli, "DescribeTaskQueue", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    cli_print_message(cli, &response->base);
    return CLI_OK;
}

static void add_pollers(struct table *table, const queue_description *from, const char *type) {
    for (size_t i = 0; i < from->n_pollers; i++) {
        table_cell(table, type);
        table_cell(table, from->pollers[i]->identity);
        table_cell(table, show_ago(table->cli, from->pollers[i]->last_access_time));
    }
}

static void add_backlog(struct table *table, const queue_description *from, const char *type) {
    if (!from->stats) return;
    table_cell(table, type);
    table_cellf(table, "%lld", (long long)from->stats->approximate_backlog_count);
    table_cell(table, show_duration(table->cli, from->stats->approximate_backlog_age));
    table_cellf(table, "%.1f", (double)from->stats->tasks_add_rate);
    table_cellf(table, "%.1f", (double)from->stats->tasks_dispatch_rate);
}

int cli_task_queue_describe(struct cli *cli) {
    const char *name = cli->arg_count ? cli->args[0] : cli_value(cli, "task-queue");
    if (!name) return cli_usage(cli, "which task queue? give its name");
    if (cli->output != CLI_TEXT) return print_queue_json(cli, name);
    const queue_description *workflow = describe_queue(cli, name, "TASK_QUEUE_TYPE_WORKFLOW");
    const queue_description *activity = workflow ? describe_queue(cli, name, "TASK_QUEUE_TYPE_ACTIVITY") : NULL;
    if (!activity) return cli_exit_code(cli);
    struct table backlog = table_new(cli, (const char *const[]){"TASKS", "BACKLOG", "OLDEST", "ADDED/S", "STARTED/S", NULL});
    add_backlog(&backlog, workflow, "workflow");
    add_backlog(&backlog, activity, "activity");
    struct table pollers = table_new(cli, (const char *const[]){"TASKS", "WORKER", "LAST POLL", NULL});
    add_pollers(&pollers, workflow, "workflow");
    add_pollers(&pollers, activity, "activity");
    if (backlog.row_count) table_print(&backlog);
    if (backlog.row_count) buf_append_u8(&cli->out, '\n');
    if (pollers.row_count) table_print(&pollers);
    else buf_append_str(&cli->out, "No worker has polled it lately.\n");
    return CLI_OK;
}
