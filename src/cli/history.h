/* history: reading a run's events from a server, and what they tell. */
#ifndef NORN_CLI_HISTORY_H
#define NORN_CLI_HISTORY_H

#include "cli/cli.h"
#include "cli/show.h"

typedef Temporal__Api__History__V1__HistoryEvent history_event;

enum history_mode {
    HISTORY_NOW,                           /* what is there now */
    HISTORY_FOLLOW,                        /* and what comes, until the run ends */
    HISTORY_CLOSE,                         /* only the event that ends the run, which is waited for */
};

struct history_reader {
    struct cli *cli;
    const char *workflow_id, *run_id;      /* run_id NULL: the newest run */
    enum history_mode mode;
    const char *page_token;                /* base64; NULL: the first page */
    bool ended;
};

/* The next page; NULL at the end, or after a failure (then cli->status is not OK, and nothing was printed). */
const Temporal__Api__History__V1__History *cli_history_next(struct history_reader *reader);

/* An event's attributes; NULL when it has none. */
const ProtobufCMessage *event_attributes(const history_event *event);
const char *event_type(struct cli *cli, const history_event *event);
/* The run that goes on after this event (continue-as-new, retry, cron); "" when none does. */
const char *event_next_run(const history_event *event);

/* Waits for the end of a workflow, over all its runs, and prints its result; gives the exit code. */
int cli_print_result(struct cli *cli, const char *workflow_id, const char *run_id);
/* One JSON value a line. */
void cli_print_payloads(struct cli *cli, const Temporal__Api__Common__V1__Payloads *payloads);

#endif
