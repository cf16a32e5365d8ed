/* workflow_explain: `norn workflow explain`, which says what a run waits for, and since when. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/table.h"
#include "norn/admin.pb-c.h"

typedef Norn__Admin__V1__ExplainResponse explanation;
typedef Norn__Admin__V1__Wait wait;

static void put(struct buf *out, const char *what, const char *value) {
    if (*value) buf_printf(out, "%s%s %s", out->len ? ", " : "", what, value);
}

/* What else is known about a wait, in words. */
static const char *more(struct cli *cli, const wait *from) {
    struct buf out = {0};
    bool many = from->attempt > 1 || from->activity_id[0];
    const char *most = from->maximum_attempts ? arena_printf(&cli->arena, " of %d", from->maximum_attempts) : "";
    put(&out, "timer", from->timer_id);
    put(&out, from->activity_type, from->activity_id[0] ? arena_printf(&cli->arena, "(%s)", from->activity_id) : "");
    put(&out, "task queue", from->task_queue);
    put(&out, "worker", from->worker_identity);
    if (many) put(&out, "attempt", arena_printf(&cli->arena, "%d%s", from->attempt, most));
    put(&out, "heartbeat", show_ago(cli, from->last_heartbeat_time));
    put(&out, "until", show_ago(cli, from->until));
    put(&out, "last failure:", from->last_failure);
    const char *text = arena_text(&cli->arena, buf_bytes(&out));
    buf_free(&out);
    return text;
}

static void print_waits(struct cli *cli, const explanation *from) {
    struct table table = table_new(cli, (const char *const[]){"WAITS FOR", "SINCE", "MORE", NULL});
    table.uncut = true;
    for (size_t i = 0; i < from->n_waits; i++) {
        table_cell(&table, from->waits[i]->waits_for);
        table_cell(&table, show_ago(cli, from->waits[i]->since));
        table_cell(&table, more(cli, from->waits[i]));
    }
    table_print(&table);
}

int cli_workflow_explain(struct cli *cli) {
    const char *id = workflow_id(cli);
    if (!id) return CLI_USAGE;
    struct request request = request_begin(cli);
    request_namespace(&request);
    request_text(&request, "workflowId", id);
    request_text(&request, "runId", cli_value(cli, "run-id"));
    const explanation *from = (const void *)cli_call(cli, "Explain", request_end(&request));
    request_free(&request);
    if (!from) return cli_exit_code(cli);
    if (cli->output != CLI_TEXT) {
        cli_print_message(cli, &from->base);
        return CLI_OK;
    }
    const pb_timestamp *since = from->n_waits ? from->start_time : from->close_time;
    buf_printf(&cli->out, "%s is %s since %s (%s)%s\n", from->workflow_id, show_status(cli, from->status),
               show_time(cli, since), show_ago(cli, since), from->n_waits ? ".\n" : ": it waits for nothing.");
    if (from->n_waits) print_waits(cli, from);
    return CLI_OK;
}
