/* workflow_show: `norn workflow show`: the events of a run as they come, one line each. */
#include "base/json.h"
#include "base/pbjson.h"
#include "cli/history.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"

/* Attributes that say little to people; --detailed shows them. */
static bool is_dull(struct bytes name, struct bytes value) {
    static const char *const names[] = {
        "workflowTaskCompletedEventId", "scheduledEventId", "startedEventId", "identity", "requestId", "attempt", "header",
        "originalExecutionRunId", "firstExecutionRunId", "workflowId", "sdkMetadata", "meteringMetadata", "workerVersion",
        "historySizeBytes", "binaryChecksum", "useWorkflowBuildId", "retryPolicy",
    };
    bool dull = bytes_equal(value, bytes_str("0s")) || bytes_equal(value, bytes_str("{}"));
    for (unsigned i = 0; i < ARRAY_LEN(names) && !dull; i++) dull = bytes_equal(name, bytes_str(names[i]));
    return dull;
}

/* A type or a task queue is just its name, a failure its message. */
static struct bytes brief_value(const struct json *value) {
    const struct json *text = json_member(value, "name") ? json_member(value, "name") : json_member(value, "message");
    if (text && text->type == JSON_STRING) return text->text;
    return value->type == JSON_STRING ? value->text : value->raw;
}

/* {"a":"x","b":{"c":1}} as a=x b={"c":1} */
static const char *brief(struct cli *cli, const ProtobufCMessage *attributes) {
    struct status ignored;
    struct buf out = {0};
    const char *text = show_message(cli, attributes);
    const struct json *object = json_parse(bytes_str(text), &cli->arena, &ignored);
    bool detailed = cli_has(cli, "detailed");
    for (const struct json *member = object ? object->first : NULL; member; member = member->next) {
        struct bytes value = detailed ? member->raw : brief_value(member);
        if (!detailed && is_dull(member->key, value)) continue;
        buf_printf(&out, "%s%.*s=%.*s", out.len ? " " : "", (int)member->key.len, (const char *)member->key.data,
                   (int)value.len, (const char *)value.data);
    }
    const char *copy = arena_text(&cli->arena, buf_bytes(&out));
    buf_free(&out);
    return copy;
}

static void print_page(struct cli *cli, const Temporal__Api__History__V1__History *history, bool first) {
    static const char *const titles[] = {"  ID", "TIME (UTC)             ", "EVENT                               ", "DETAILS", NULL};
    struct table table = table_new(cli, titles);
    table.uncut = cli_has(cli, "detailed");
    table.untitled = !first;
    for (size_t i = 0; i < history->n_events; i++) {
        const history_event *event = history->events[i];
        table_cellf(&table, "%4lld", (long long)event->event_id);
        table_cell(&table, show_time(cli, event->event_time));
        table_cell(&table, event_type(cli, event));
        table_cell(&table, brief(cli, event_attributes(event)));
    }
    table_print(&table);
}

/* As `temporal workflow show --output json`: {"events": [...]}, which SDKs replay. */
static int show_json(struct cli *cli, struct history_reader *reader) {
    struct buf text = {0};
    const Temporal__Api__History__V1__History *history;
    buf_append_str(&text, "{\"events\":[");
    for (bool first = true; (history = cli_history_next(reader));) {
        for (size_t i = 0; i < history->n_events; i++, first = false) {
            if (!first) buf_append_u8(&text, ',');
            pbjson_write(&text, &history->events[i]->base, PBJSON_FULL);
        }
    }
    buf_append_str(&text, "]}");
    bool good = status_ok(cli->status);
    if (good) cli_print_json(cli, buf_bytes(&text));
    buf_free(&text);
    return good ? CLI_OK : cli_call_failed(cli, "GetWorkflowExecutionHistory");
}

static int show_lines(struct cli *cli, struct history_reader *reader) {
    const Temporal__Api__History__V1__History *history;
    for (bool first = true; (history = cli_history_next(reader)); first = false) {
        if (cli->output == CLI_TEXT) print_page(cli, history, first);
        for (size_t i = 0; cli->output == CLI_JSONL && i < history->n_events; i++) cli_print_message(cli, &history->events[i]->base);
        cli_flush(cli);
    }
    return status_ok(cli->status) ? CLI_OK : cli_call_failed(cli, "GetWorkflowExecutionHistory");
}

int cli_workflow_show(struct cli *cli) {
    const char *id = workflow_id(cli);
    if (!id) return CLI_USAGE;
    struct history_reader reader = {.cli = cli, .workflow_id = id, .run_id = cli_value(cli, "run-id"),
                                    .mode = cli_has(cli, "follow") ? HISTORY_FOLLOW : HISTORY_NOW};
    return cli->output == CLI_JSON ? show_json(cli, &reader) : show_lines(cli, &reader);
}
