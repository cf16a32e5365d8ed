/* history: reading a run's events from a server, and what they tell. */
#include "cli/history.h"

#include "base/base64.h"
#include "base/json_text.h"
#include "base/pbjson.h"
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"

enum { PAGES_MAX = 1000000 };
static const int64_t follow_timeout_ns = 90ll * 1000000000;      /* beyond the server's long poll */

/* ---- pages ----------------------------------------------------------------------------------------------------------------- */

static const Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse *fetch(struct history_reader *reader) {
    struct cli *cli = reader->cli;
    struct request request = request_begin(cli);
    struct request execution = request_begin(cli);
    request_text(&execution, "workflowId", reader->workflow_id);
    request_text(&execution, "runId", reader->run_id);
    request_end(&execution);
    request_namespace(&request);
    request_raw(&request, "execution", buf_cstr(&execution.text));
    request_bool(&request, "waitNewEvent", reader->mode != HISTORY_NOW);
    if (reader->mode == HISTORY_CLOSE)
        request_text(&request, "historyEventFilterType", "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT");
    request_text(&request, "nextPageToken", reader->page_token);
    const ProtobufCMessage *response = cli_try_call(cli, "GetWorkflowExecutionHistory", request_end(&request));
    request_free(&execution);
    request_free(&request);
    return (const void *)response;
}

static void keep_token(struct history_reader *reader, ProtobufCBinaryData token) {
    struct buf text = {0};
    base64_append(&text, bytes_of(token.data, token.len));
    reader->page_token = arena_text(&reader->cli->arena, buf_bytes(&text));
    buf_free(&text);
    reader->ended = token.len == 0;
}

const Temporal__Api__History__V1__History *cli_history_next(struct history_reader *reader) {
    reader->cli->status = STATUS_GOOD;
    for (unsigned page = 0; page < PAGES_MAX && !reader->ended; page++) {
        const Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse *response = fetch(reader);
        if (!response) return NULL;
        if (reader->mode != HISTORY_NOW) cli_set_timeout(reader->cli, follow_timeout_ns);
        keep_token(reader, response->next_page_token);
        if (response->history && response->history->n_events) return response->history;
    }
    return NULL;
}

/* ---- events ---------------------------------------------------------------------------------------------------------------- */

const ProtobufCMessage *event_attributes(const history_event *event) {
    const ProtobufCMessageDescriptor *type = event->base.descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool chosen = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && field->id == (uint32_t)event->attributes_case;
        if (chosen) return *(const ProtobufCMessage *const *)(const void *)((const char *)event + field->offset);
    }
    return NULL;
}

const char *event_type(struct cli *cli, const history_event *event) {
    return show_enum(cli, &temporal__api__enums__v1__event_type__descriptor, event->event_type);
}

#define EVENT(name) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_##name

const char *event_next_run(const history_event *event) {
    if (event->attributes_case == 0) return "";
    switch (event->event_type) {
    case EVENT(CONTINUED_AS_NEW): return event->workflow_execution_continued_as_new_event_attributes->new_execution_run_id;
    case EVENT(COMPLETED): return event->workflow_execution_completed_event_attributes->new_execution_run_id;
    case EVENT(FAILED): return event->workflow_execution_failed_event_attributes->new_execution_run_id;
    case EVENT(TIMED_OUT): return event->workflow_execution_timed_out_event_attributes->new_execution_run_id;
    default: return "";
    }
}

/* ---- results --------------------------------------------------------------------------------------------------------------- */

void cli_print_payloads(struct cli *cli, const Temporal__Api__Common__V1__Payloads *payloads) {
    for (size_t i = 0; payloads && i < payloads->n_payloads; i++) {
        struct buf text = {0};
        pbjson_write(&text, &payloads->payloads[i]->base, PBJSON_SHORTHAND);
        cli_print_json(cli, buf_bytes(&text));
        buf_free(&text);
    }
}

static int print_text_result(struct cli *cli, const history_event *event) {
    switch (event->event_type) {
    case EVENT(COMPLETED):
        cli_print_payloads(cli, event->workflow_execution_completed_event_attributes->result);
        return CLI_OK;
    case EVENT(FAILED):
        return cli_fail(cli, CLI_FAILED, "the workflow failed: %s",
                        show_failure(cli, event->workflow_execution_failed_event_attributes->failure));
    case EVENT(TERMINATED):
        return cli_fail(cli, CLI_FAILED, "the workflow was terminated: %s",
                        event->workflow_execution_terminated_event_attributes->reason);
    case EVENT(TIMED_OUT): return cli_fail(cli, CLI_FAILED, "the workflow timed out");
    case EVENT(CANCELED): return cli_fail(cli, CLI_FAILED, "the workflow was cancelled");
    default: return cli_fail(cli, CLI_FAILED, "the workflow ended with %s", event_type(cli, event));
    }
}

int cli_print_result(struct cli *cli, const char *workflow_id, const char *run_id) {
    enum { RUNS_MAX = 100000 };
    for (unsigned run = 0; run < RUNS_MAX; run++) {
        struct history_reader reader = {.cli = cli, .workflow_id = workflow_id, .run_id = run_id, .mode = HISTORY_CLOSE};
        const Temporal__Api__History__V1__History *history = cli_history_next(&reader);
        if (!history && !status_ok(cli->status)) return cli_call_failed(cli, "GetWorkflowExecutionHistory");
        if (!history) return cli_fail(cli, CLI_FAILED, "the server ended the history without its last event");
        const history_event *event = history->events[history->n_events - 1];
        const char *next = event_next_run(event);
        if (*next) {
            run_id = next;
            continue;
        }
        if (cli->output == CLI_TEXT) return print_text_result(cli, event);
        cli_print_message(cli, &event->base);
        return event->event_type == EVENT(COMPLETED) ? CLI_OK : CLI_FAILED;
    }
    return cli_fail(cli, CLI_FAILED, "more than %d runs", RUNS_MAX);
}
