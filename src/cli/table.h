/* table: text for people: tables, and lists of names with values. Bytes from the server are shown with control characters
 * escaped, so that no workflow can send escape sequences to somebody's terminal. */
#ifndef NORN_CLI_TABLE_H
#define NORN_CLI_TABLE_H

#include "cli/cli.h"

enum { TABLE_COLUMNS_MAX = 8 };

struct table {
    struct cli *cli;
    const char *titles[TABLE_COLUMNS_MAX];
    unsigned column_count;
    const char **cells;                    /* row by row */
    unsigned row_count, row_cap;
    unsigned cell;                         /* the next one of the row that is being filled */
    unsigned widths[TABLE_COLUMNS_MAX];    /* of the widest cell */
    bool untitled;
    bool uncut;                            /* the last column may be wider than the terminal */
};

/* Titles end with NULL. */
struct table table_new(struct cli *cli, const char *const *titles);
/* The next cell, row by row; NULL or "" is shown as "-". Copied. */
void table_cell(struct table *table, const char *text);
void table_cellf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints to cli->out. On a terminal the last column is cut at its edge. With --output json: an array of objects. */
void table_print(struct table *table);

/* A list of names with values, as a table of two columns without titles. */
struct table pairs_new(struct cli *cli);
void pair(struct table *table, const char *name, const char *value);
void pairf(struct table *table, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A bold line. */
void cli_print_heading(struct cli *cli, const char *text);
/* A response: JSON as --output has it. */
void cli_print_message(struct cli *cli, const ProtobufCMessage *message);
void cli_print_json(struct cli *cli, struct bytes json);

#endif
