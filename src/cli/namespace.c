/* namespace: `norn namespace create|list|describe|update`. */
#include "base/base64.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/table.h"

typedef Temporal__Api__Workflowservice__V1__DescribeNamespaceResponse description;

/* The namespace that a command is about: its argument, else --namespace. */
static const char *subject(struct cli *cli) { return cli->arg_count ? cli->args[0] : cli_namespace(cli); }

static int call_and_say(struct request *request, const char *method, const char *done) {
    struct cli *cli = request->cli;
    struct bytes text = request_end(request);
    const ProtobufCMessage *response = request->bad ? NULL : cli_call(cli, method, text);
    int code = request->bad ? CLI_USAGE : response ? CLI_OK : cli_exit_code(cli);
    if (response && cli->output == CLI_TEXT) buf_printf(&cli->out, "%s\n", done);
    else if (response) cli_print_message(cli, response);
    request_free(request);
    return code;
}

int cli_namespace_create(struct cli *cli) {
    const char *name = subject(cli);
    struct request request = request_begin(cli);
    request_text(&request, "namespace", name);
    request_text(&request, "description", cli_value(cli, "description"));
    request_text(&request, "ownerEmail", cli_value(cli, "email"));
    request_duration(&request, "workflowExecutionRetentionPeriod", "retention");
    return call_and_say(&request, "RegisterNamespace", arena_printf(&cli->arena, "Namespace %s is there.", name));
}

/* An update leaves out what is not given. */
int cli_namespace_update(struct cli *cli) {
    struct request request = request_begin(cli), info = request_begin(cli), config = request_begin(cli);
    request_text(&info, "description", cli_value(cli, "description"));
    request_text(&info, "ownerEmail", cli_value(cli, "email"));
    request_duration(&config, "workflowExecutionRetentionTtl", "retention");
    request_text(&request, "namespace", subject(cli));
    if (request_end(&info).len > 2) request_raw(&request, "updateInfo", buf_cstr(&info.text));
    if (request_end(&config).len > 2) request_raw(&request, "config", buf_cstr(&config.text));
    request.bad |= config.bad;
    int code = call_and_say(&request, "UpdateNamespace", "Updated.");
    request_free(&info);
    request_free(&config);
    return code;
}

static void print_namespace(struct cli *cli, const description *from) {
    const Temporal__Api__Namespace__V1__NamespaceInfo *info = from->namespace_info;
    struct table table = pairs_new(cli);
    pair(&table, "Name", info->name);
    pair(&table, "Id", info->id);
    pair(&table, "State", show_enum(cli, &temporal__api__enums__v1__namespace_state__descriptor, info->state));
    pair(&table, "Description", info->description);
    pair(&table, "Owner", info->owner_email);
    if (from->config) pair(&table, "Retention", show_duration(cli, from->config->workflow_execution_retention_ttl));
    for (size_t i = 0; i < info->n_data; i++) pair(&table, info->data[i]->key, info->data[i]->value);
    table_print(&table);
}

int cli_namespace_describe(struct cli *cli) {
    struct request request = request_begin(cli);
    request_text(&request, "namespace", subject(cli));
    const description *response = (const void *)cli_call(cli, "DescribeNamespace", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    if (cli->output != CLI_TEXT || !response->namespace_info) cli_print_message(cli, &response->base);
    else print_namespace(cli, response);
    return CLI_OK;
}

static void add_rows(struct table *table, const Temporal__Api__Workflowservice__V1__ListNamespacesResponse *page) {
    struct cli *cli = table->cli;
    for (size_t i = 0; i < page->n_namespaces; i++) {
        const description *one = page->namespaces[i];
        if (!one->namespace_info) continue;
        table_cell(table, one->namespace_info->name);
        table_cell(table, show_enum(cli, &temporal__api__enums__v1__namespace_state__descriptor, one->namespace_info->state));
        table_cell(table, one->config ? show_duration(cli, one->config->workflow_execution_retention_ttl) : "");
        table_cell(table, one->namespace_info->id);
        table_cell(table, one->namespace_info->description);
    }
}

int cli_namespace_list(struct cli *cli) {
    enum { PAGES_MAX = 10000 };
    struct table table = table_new(cli, (const char *const[]){"NAME", "STATE", "RETENTION", "ID", "DESCRIPTION", NULL});
    struct buf token = {0};
    int code = CLI_OK;
    for (unsigned page = 0; page < PAGES_MAX && code == CLI_OK; page++) {
        struct request request = request_begin(cli);
        request_text(&request, "nextPageToken", token.len ? buf_cstr(&token) : NULL);
        const Temporal__Api__Workflowservice__V1__ListNamespacesResponse *response =
            (const void *)cli_call(cli, "ListNamespaces", request_end(&request));
        request_free(&request);
        buf_clear(&token);
        if (!response) code = cli_exit_code(cli);
        else add_rows(&table, response);
        if (!response || response->next_page_token.len == 0) break;
        base64_append(&token, bytes_of(response->next_page_token.data, response->next_page_token.len));
    }
    buf_free(&token);
    if (code == CLI_OK) table_print(&table);
    return code;
}
