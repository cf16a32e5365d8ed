/* api: `norn api`, which says what this build does of the API, and `norn api call`, which calls any of it. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"
#include "frontend/frontend.h"

/* Health and reflection are answered by the wire itself. */
static bool is_of_the_wire(const struct api_method *method) { return strncmp(method->service, "grpc.", 5) == 0; }

static bool wanted(struct cli *cli, const struct api_method *method) {
    const char *service = cli_value(cli, "service");
    if (cli_has(cli, "done") && !method->done) return false;
    if (cli_has(cli, "missing") && method->done) return false;
    return !service || strstr(method->service, service);
}

int cli_api(struct cli *cli) {
    size_t count, all = 0, done = 0, shown = 0;
    struct api_table *methods = api_table_create();
    const struct api_method *method = api_table_methods(methods, &count);
    struct table table = table_new(cli, (const char *const[]){"METHOD", "STATE", "SERVICE", NULL});
    for (size_t i = 0; i < count; i++) {
        if (is_of_the_wire(&method[i])) continue;
        all++;
        done += method[i].done;
        if (!wanted(cli, &method[i])) continue;
        shown++;
        table_cell(&table, method[i].name);
        table_cell(&table, method[i].done ? "done" : "not done");
        table_cell(&table, method[i].service);
    }
    table_print(&table);
    if (cli->output == CLI_TEXT)
        buf_printf(&cli->out, "\n%zu of %zu methods are done; %zu are shown. The others answer UNIMPLEMENTED.\n", done, all, shown);
    api_table_destroy(methods);
    return CLI_OK;
}

int cli_api_call(struct cli *cli) {
    if (cli->arg_count == 0) return cli_usage(cli, "which method? For example: norn api call GetSystemInfo");
    const char *request = cli->arg_count > 1 ? cli->args[1] : "{}";
    const ProtobufCMessage *response = cli_call(cli, cli->args[0], bytes_str(request));
    if (!response) return cli_exit_code(cli);
    if (cli->output == CLI_TEXT) cli->output = CLI_JSON;
    cli_print_message(cli, response);
    return CLI_OK;
}
