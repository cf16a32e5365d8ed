/* cli: the `norn` command: its commands, their flags, and what they print.
 *
 * A command is one row of the table in commands.c: names, flags, help, and a function. It runs once, on a fiber of loop 0,
 * writes what it has to say to cli->out, which is printed when it ends, and gives the exit code. Commands about workflows
 * make their requests as JSON (base/pbjson.h) and read the responses as messages. */
#ifndef NORN_CLI_CLI_H
#define NORN_CLI_CLI_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/status.h"
#include "io/io.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,                        /* the server refused, or the workflow did not complete */
    CLI_USAGE = 2,                         /* the command line or the configuration is wrong */
    CLI_UNAVAILABLE = 3,                   /* no server answers there */
};

enum { CLI_FLAGS_MAX = 256, CLI_ARGS_MAX = 16 };

struct cli;
typedef int cli_fn(struct cli *cli);

struct cli_flag {
    const char *name;                      /* without the dashes; NULL ends a list */
    char letter;                           /* -x; 0: none */
    const char *value;                     /* what it takes, for help: "ID", "a|b|c"; NULL: a switch */
    const char *env, *fallback;            /* where its value comes from when it is not given; NULL: nowhere */
    const char *help;
};

struct cli_command {
    const char *name;                      /* "workflow start" */
    const char *arguments;                 /* for help: "[WORKFLOW_ID]"; NULL: none */
    unsigned args_max;
    const char *summary;                   /* one line */
    const char *help;                      /* more, with examples; or NULL */
    const struct cli_flag *flags;          /* its own; or NULL */
    bool connects;                         /* takes cli_connection_flags */
    bool prints;                           /* takes cli_output_flags */
    bool settings;                         /* takes every setting of the server as a flag */
    cli_fn *run;
};

struct cli_given {
    const char *name, *value;              /* value NULL: a switch */
};

enum cli_output { CLI_TEXT, CLI_JSON, CLI_JSONL };

struct cli_session;

struct cli {
    struct io *io;
    const struct cli_command *command;
    struct arena arena;                    /* for the whole run */
    const char *args[CLI_ARGS_MAX];
    unsigned arg_count;
    struct cli_given given[CLI_FLAGS_MAX];
    unsigned given_count;
    enum cli_output output;
    bool colours, terminal;
    unsigned width;                        /* of the terminal */
    struct buf out;
    struct cli_session *session;           /* session.c; NULL until the first call */
    struct status status;                  /* of the last call that failed */
};

/* ---- the table and the command line (commands.c, parse.c) ----------------------------------------------------------- */

extern const struct cli_command cli_commands[];
extern const unsigned cli_command_count;
extern const struct cli_flag cli_connection_flags[], cli_output_flags[];

/* io_start_fn: runs what the arguments of the process say, and ends it. */
void cli_start(struct io *io, void *arg);
/* Fills command, args and given from words (without the program's name). CLI_OK, or CLI_USAGE after a message. *help:
 * help was asked for, of cli->command or (NULL) of the commands whose names begin with cli->args. */
int cli_parse(struct cli *cli, const char *const *words, unsigned count, bool *help);
/* The command with the longest name that the words begin with, and how many words that are; NULL when there is none. */
const struct cli_command *cli_find_command(const char *const *words, unsigned count, unsigned *used);
/* The flag of a command by name (len bytes) or, with len 1 and `letter`, by its letter; NULL when there is none. */
const struct cli_flag *cli_find_flag(const struct cli_command *command, const char *name, size_t len, bool letter);
/* A flag's value: as given last, else from its environment, else its fallback, else NULL. */
const char *cli_value(struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);
/* The values of a flag that may be given several times: the one after index *at, which starts at 0. NULL at the end. */
const char *cli_next_value(const struct cli *cli, const char *name, unsigned *at);

/* ---- messages (message.c) -------------------------------------------------------------------------------------------- */

/* "norn: ..." on standard error; gives the exit code. */
int cli_fail(struct cli *cli, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* CLI_USAGE, with where help is. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_flush(struct cli *cli);

/* ---- help (help.c, completion.c) ------------------------------------------------------------------------------------ */

void cli_help_command(struct cli *cli, const struct cli_command *command);
/* Of all commands whose names begin with the words in cli->args; false when there are none. */
bool cli_help_group(struct cli *cli);

cli_fn cli_help, cli_completion, cli_complete;

/* The settings that a command with `settings` was given, with those of the file and the environment. */
struct config;
struct status cli_load_config(struct cli *cli, struct config *config);

/* ---- the commands ------------------------------------------------------------------------------------------------------ */

cli_fn cli_backup, cli_restore, cli_checkpoint, cli_journal_dump, cli_journal_verify, cli_server, cli_version, cli_config_show, cli_health, cli_api, cli_api_call;

cli_fn cli_workflow_start, cli_workflow_execute, cli_workflow_list, cli_workflow_count, cli_workflow_show,
    cli_workflow_describe, cli_workflow_signal, cli_workflow_cancel, cli_workflow_terminate, cli_workflow_delete,
    cli_workflow_query, cli_workflow_result, cli_workflow_explain;
cli_fn cli_namespace_create, cli_namespace_list, cli_namespace_describe, cli_namespace_update;
cli_fn cli_search_attribute_create, cli_search_attribute_list, cli_search_attribute_remove;
cli_fn cli_task_queue_describe;
cli_fn cli_bench;

#endif
