/* commands: the table of all commands. Times are UTC; names and flags are those of the `temporal` command line where it
 * has them. */
#include "cli/cli.h"

#define END {NULL, 0, NULL, NULL, NULL, NULL}

const struct cli_flag cli_connection_flags[] = {
    {"address", 0, "HOST:PORT", "TEMPORAL_ADDRESS", "127.0.0.1:7233", "Where the server is"},
    {"namespace", 'n', "NAME", "TEMPORAL_NAMESPACE", "default", "Namespace"},
    {"tls", 0, NULL, NULL, NULL, "Use TLS"},
    {"tls-ca-path", 0, "FILE", "TEMPORAL_TLS_CA", NULL, "PEM file of the authorities to trust; implies --tls"},
    {"tls-cert-path", 0, "FILE", "TEMPORAL_TLS_CERT", NULL, "PEM file of the client's certificate; implies --tls"},
    {"tls-key-path", 0, "FILE", "TEMPORAL_TLS_KEY", NULL, "PEM file of its key"},
    {"tls-server-name", 0, "NAME", "TEMPORAL_TLS_SERVER_NAME", NULL, "Name to ask for and to check"},
    {"command-timeout", 0, "TIME", NULL, "10s", "How long the server may take to answer"},
    END,
};

const struct cli_flag cli_output_flags[] = {
    {"output", 'o', "text|json|jsonl", NULL, "text", "Form of the output"},
    {"color", 0, "auto|always|never", NULL, "auto", "Colours; auto is on a terminal, unless NO_COLOR is set"},
    END,
};

#define WORKFLOW_ID {"workflow-id", 'w', "ID", NULL, NULL, "Workflow"}
#define RUN_ID {"run-id", 'r', "ID", NULL, NULL, "One of its runs; else the newest"}
#define INPUT                                                                                                  \
    {"input", 'i', "JSON", NULL, NULL, "Argument, as JSON; again for a second one"},                           \
        {"input-file", 0, "FILE", NULL, NULL, "File with an argument as JSON"}
#define REASON {"reason", 0, "TEXT", NULL, NULL, "Why, for the history"}

static const struct cli_flag start_flags[] = {
    WORKFLOW_ID,
    {"type", 0, "NAME", NULL, NULL, "Workflow type"},
    {"task-queue", 't', "NAME", NULL, NULL, "Task queue that its workers poll"},
    INPUT,
    {"execution-timeout", 0, "TIME", NULL, NULL, "Limit of all runs together"},
    {"run-timeout", 0, "TIME", NULL, NULL, "Limit of one run"},
    {"task-timeout", 0, "TIME", NULL, NULL, "Limit of one workflow task"},
    {"start-delay", 0, "TIME", NULL, NULL, "Wait before the first workflow task"},
    {"id-reuse-policy", 0, "AllowDuplicate|AllowDuplicateFailedOnly|RejectDuplicate", NULL, NULL, "When a closed run has the id"},
    {"id-conflict-policy", 0, "Fail|UseExisting|TerminateExisting", NULL, NULL, "When an open run has the id"},
    {"cron", 0, "SCHEDULE", NULL, NULL, "Cron schedule"},
    {"memo", 0, "KEY=JSON", NULL, NULL, "Memo; again for more"},
    {"search-attribute", 0, "KEY=JSON", NULL, NULL, "Search attribute; again for more"},
    END,
};
static const struct cli_flag run_flags[] = {WORKFLOW_ID, RUN_ID, END};
static const struct cli_flag reason_flags[] = {WORKFLOW_ID, RUN_ID, REASON, END};
static const struct cli_flag list_flags[] = {
    {"query", 'q', "FILTER", NULL, NULL, "List filter, such as: WorkflowType = 'Order' AND ExecutionStatus = 'Running'"},
    {"limit", 0, "COUNT", NULL, "50", "Most rows"},
    END,
};
static const struct cli_flag count_flags[] = {{"query", 'q', "FILTER", NULL, NULL, "List filter"}, END};
static const struct cli_flag show_flags[] = {
    WORKFLOW_ID, RUN_ID,
    {"follow", 'f', NULL, NULL, NULL, "Go on with what comes, until the run ends"},
    {"detailed", 0, NULL, NULL, NULL, "All attributes, uncut"},
    END,
};
static const struct cli_flag signal_flags[] = {WORKFLOW_ID, RUN_ID, {"name", 0, "NAME", NULL, NULL, "Signal"}, INPUT, END};
static const struct cli_flag query_flags[] = {
    WORKFLOW_ID, RUN_ID, {"name", 0, "NAME", NULL, NULL, "Query"}, INPUT,
    {"reject-condition", 0, "NotOpen|NotCompletedCleanly", NULL, NULL, "Refuse the query when the run is so"},
    END,
};
static const struct cli_flag namespace_flags[] = {
    {"retention", 0, "TIME", NULL, NULL, "How long closed runs are kept, such as 7d"},
    {"description", 0, "TEXT", NULL, NULL, "What it is for"},
    {"email", 0, "ADDRESS", NULL, NULL, "Whose it is"},
    END,
};
static const struct cli_flag create_namespace_flags[] = {
    {"retention", 0, "TIME", NULL, "3d", "How long closed runs are kept, such as 7d"},
    {"description", 0, "TEXT", NULL, NULL, "What it is for"},
    {"email", 0, "ADDRESS", NULL, NULL, "Whose it is"},
    END,
};
static const struct cli_flag attribute_flags[] = {
    {"name", 0, "NAME", NULL, NULL, "Search attribute; again for more"},
    {"type", 0, "Text|Keyword|Int|Double|Bool|Datetime|KeywordList", NULL, NULL, "Its type"},
    END,
};
static const struct cli_flag attribute_name_flags[] = {{"name", 0, "NAME", NULL, NULL, "Search attribute; again for more"}, END};
static const struct cli_flag queue_flags[] = {{"task-queue", 't', "NAME", NULL, NULL, "Task queue"}, END};
static const struct cli_flag api_flags[] = {
    {"done", 0, NULL, NULL, NULL, "Only what is done"},
    {"missing", 0, NULL, NULL, NULL, "Only what is not"},
    {"service", 0, "TEXT", NULL, NULL, "Only services whose name contains this"},
    END,
};
static const struct cli_flag dump_flags[] = {
    {"payloads", 0, NULL, NULL, NULL, "Show payloads too, in base64: they hold what users gave to workflows"},
    END,
};
static const struct cli_flag bench_flags[] = {
    {"shards", 0, "COUNT", NULL, NULL, "How many of the history shards to measure together, after one alone; else all"},
    {"seconds", 0, "SECONDS", NULL, "5", "How long each measurement takes"},
    {"in-flight", 0, "COUNT", NULL, "100", "Workflows that run at any time"},
    END,
};

static const struct cli_flag health_flags[] = {{"service", 0, "NAME", NULL, NULL, "One service; else the server as a whole"}, END};

static const struct cli_flag backup_flags[] = {
    {"command-timeout", 0, "TIME", NULL, "24h", "How long to wait for its end; the server goes on with it"},
    END,
};

/* name, arguments, most arguments, summary, help, flags, connects, prints, settings, function */
const struct cli_command cli_commands[] = {
    {"server", NULL, 0, "Run a server",
     "It listens on loopback, keeps its data in your home folder, and stops on SIGTERM or Ctrl-C after open calls have\n"
     "ended. `norn config show` takes the same flags and prints every setting with its source.",
     NULL, false, false, true, cli_server},
    {"workflow start", "[WORKFLOW_ID]", 1, "Start a workflow",
     "  norn workflow start order-7 --type Order --task-queue orders --input '{\"item\": \"tea\", \"count\": 2}'", start_flags,
     true, true, false, cli_workflow_start},
    {"workflow execute", "[WORKFLOW_ID]", 1, "Start a workflow and wait for its result", NULL, start_flags, true, true, false,
     cli_workflow_execute},
    {"workflow list", NULL, 0, "List workflows: open ones, the newest first, then closed ones",
     "  norn workflow list --query \"ExecutionStatus = 'Running'\"", list_flags, true, true, false, cli_workflow_list},
    {"workflow count", NULL, 0, "Count workflows", NULL, count_flags, true, true, false, cli_workflow_count},
    {"workflow show", "[WORKFLOW_ID]", 1, "Show a workflow's history",
     "With --output json it is what SDKs replay. Times are UTC.", show_flags, true, true, false, cli_workflow_show},
    {"workflow describe", "[WORKFLOW_ID]", 1, "Show a workflow's state", NULL, run_flags, true, true, false,
     cli_workflow_describe},
    {"workflow explain", "[WORKFLOW_ID]", 1, "Say what a workflow waits for, and since when", NULL, run_flags, true, true, false,
     cli_workflow_explain},
    {"workflow result", "[WORKFLOW_ID]", 1, "Wait for a workflow's end and print its result",
     "Follows continue-as-new, retries and cron to the last run. The exit code is 0 only if it completed.", run_flags, true, true,
     false, cli_workflow_result},
    {"workflow signal", "[WORKFLOW_ID]", 1, "Send a signal", "  norn workflow signal order-7 --name approve --input true",
     signal_flags, true, true, false, cli_workflow_signal},
    {"workflow query", "[WORKFLOW_ID]", 1, "Ask a workflow", "  norn workflow query order-7 --name status", query_flags, true, true,
     false, cli_workflow_query},
    {"workflow cancel", "[WORKFLOW_ID]", 1, "Ask a workflow to cancel itself", NULL, reason_flags, true, true, false,
     cli_workflow_cancel},
    {"workflow terminate", "[WORKFLOW_ID]", 1, "End a workflow at once", NULL, reason_flags, true, true, false,
     cli_workflow_terminate},
    {"workflow delete", "[WORKFLOW_ID]", 1, "Delete a run and its history", NULL, run_flags, true, true, false,
     cli_workflow_delete},
    {"namespace create", "[NAME]", 1, "Create a namespace", "  norn namespace create payments --retention 30d",
     create_namespace_flags, true, true, false, cli_namespace_create},
    {"namespace list", NULL, 0, "List namespaces", NULL, NULL, true, true, false, cli_namespace_list},
    {"namespace describe", "[NAME]", 1, "Show a namespace", NULL, NULL, true, true, false, cli_namespace_describe},
    {"namespace update", "[NAME]", 1, "Change a namespace", NULL, namespace_flags, true, true, false, cli_namespace_update},
    {"task-queue describe", "[NAME]", 1, "Show a task queue's workers and backlog", NULL, queue_flags, true, true, false,
     cli_task_queue_describe},
    {"operator search-attribute create", NULL, 0, "Define search attributes",
     "  norn operator search-attribute create --name Customer --type Keyword", attribute_flags, true, true, false,
     cli_search_attribute_create},
    {"operator search-attribute list", NULL, 0, "List search attributes", NULL, NULL, true, true, false,
     cli_search_attribute_list},
    {"operator search-attribute remove", NULL, 0, "Remove search attributes", NULL, attribute_name_flags, true, true, false,
     cli_search_attribute_remove},
    {"health", NULL, 0, "Ask whether a server serves; the exit code tells", NULL, health_flags, true, true, false, cli_health},
    {"bench", NULL, 0, "Measure the throughput of one history shard and of several, on a running server",
     "Starts workflows that complete with their first task. They stay in the namespace until its retention ends:\n"
     "  norn namespace create bench --retention 1d && norn bench -n bench --shards 64", bench_flags, true, true, false,
     cli_bench},
    {"api", NULL, 0, "List what this build does of the Temporal API", NULL, api_flags, false, true, false, cli_api},
    {"api call", "METHOD [JSON]", 2, "Call any method of the API",
     "  norn api call DescribeNamespace '{\"namespace\": \"default\"}'", NULL, true, true, false, cli_api_call},
    {"config show", NULL, 0, "Show every setting of a server, its value and where that came from", NULL, NULL, false, true, true,
     cli_config_show},
    {"journal verify", NULL, 0, "Check a journal from its first record to its last",
     "  norn journal verify --data DIR\n\nOf a stopped server, or a copy of its folder. Changes nothing. Damage is told with its segment and offset.",
     NULL, false, false, true, cli_journal_verify},
    {"journal dump", NULL, 0, "Print a journal's records, a line of JSON each",
     "  norn journal dump --data DIR\n\nOf a stopped server, or a copy of its folder. Changes nothing.", dump_flags, false, false, true,
     cli_journal_dump},
    {"backup", "DIR", 1, "Copy the data of a serving server into a folder",
     "  norn backup monday\n\nThe folder is on the server's machine, below its setting backup.dir (which is DATA/backups unless set); it must be\n"
     "empty, or not there yet. What was acknowledged before the backup began is in it. The server goes on meanwhile.",
     backup_flags, true, true, false, cli_backup},
    {"restore", "BACKUP DATADIR", 2, "Copy a backup into a new data folder",
     "  norn restore /backups/monday /var/lib/norn\n\nEvery file is checked against the backup's list, and then the whole store. DATADIR must be empty, or not\n"
     "there yet. Then: norn server --data /var/lib/norn",
     NULL, false, true, false, cli_restore},
    {"checkpoint", NULL, 0, "Bring all that only the journal holds into the database", NULL, backup_flags, true, true, false,
     cli_checkpoint},
    {"completion", "bash|zsh|fish", 1, "Print a shell's completion script", "  source <(norn completion bash)", NULL, false, false,
     false, cli_completion},
    {"version", NULL, 0, "Print the version", NULL, NULL, false, true, false, cli_version},
    {"help", "[COMMAND]", CLI_ARGS_MAX, "Show help about a command", NULL, NULL, false, false, false, cli_help},
    /* For the completion scripts; not listed. */
    {"complete", NULL, CLI_ARGS_MAX, NULL, NULL, NULL, false, false, false, cli_complete},
};
const unsigned cli_command_count = ARRAY_LEN(cli_commands);
