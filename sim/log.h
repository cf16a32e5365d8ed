/* log: what happens in a run, as people read it.
 *
 * Lines are made beside the trace, from what passes by: io events, faults, and the gRPC calls in the bytes between
 * nodes, which name workflows and show their events. Nothing here draws from a generator, schedules anything or enters
 * the trace, so a run with a log is the run without it.
 *
 * A line is printed when a filter lets it through, and kept for the report of a failure and for --view. Io events are
 * kept for --view only, in short. */
#ifndef NORN_SIM_LOG_H
#define NORN_SIM_LOG_H

#include <stdio.h>
#include <sys/uio.h>

#include "world.h"

struct trace_line;

enum { LOG_KINDS_MAX = 16, LOG_NO_NODE = 0xffff };

/* A moment: the number of an io event, or a virtual time. */
struct moment {
    bool given, is_event;
    uint64_t event;
    int64_t time;
};
/* "1234" is an event; "12.5", "12.5s", "300ms", "20us", "1000ns" are times. False when it is neither. */
bool moment_parse(const char *text, struct moment *out);
bool moment_reached(const struct moment *moment, uint64_t event, int64_t time);

struct log_filter {
    bool print;                          /* to stderr; nothing is printed without */
    const char *node, *workflow;         /* NULL: all */
    uint64_t connection;                 /* 0: all */
    const char *kinds[LOG_KINDS_MAX];    /* io kinds, or call, event, fault, node */
    unsigned kind_count;
    struct moment from;
};

/* What a line is about. */
enum log_what { LOG_IO, LOG_CALL, LOG_EVENT, LOG_FAULT, LOG_NODE, LOG_FAILURE };

struct log_line {
    uint64_t event;                      /* io events before it */
    int64_t time, arrives;               /* arrives: of a call's message at its other end; 0 when it is none */
    enum log_what what;
    uint16_t node, peer;                 /* peer: the other end of a call; LOG_NO_NODE when there is none */
    uint32_t connection, workflow;       /* workflow: index of its name, from 1 */
    char *text;
};

struct log_io {
    int64_t time;
    uint16_t node, kind;
};

struct log_workflow {
    char *id;
    uint64_t events;                     /* how many lines are about it */
};

struct log {
    struct world *world;
    struct log_filter filter;
    bool keep_io;
    struct log_line *lines;
    size_t line_count, line_cap;
    struct log_io *io;
    size_t io_count, io_cap;
    struct log_workflow *workflows;
    uint32_t workflow_count;
    struct calls *calls;                 /* calls.c */
};

struct log *log_create(struct world *world, const struct log_filter *filter, bool keep_io);
void log_destroy(struct log *log);

/* ---- what happens ---- */

void log_io(struct log *log, const struct trace_line *line, uint32_t connection);
void log_fault(struct log *log, int node, enum fault fault, uint64_t index);
/* A line about a workflow (0 is none), a node (LOG_NO_NODE is none); times are now. */
void log_text(struct log *log, const struct log_line *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Bytes that a node puts on a connection; `dialed`: it is the one that connected. They arrive at `arrives`. */
void log_sent(struct log *log, uint32_t connection, bool dialed, uint16_t from, uint16_t to, const struct iovec *iov,
              size_t amount, int64_t arrives);

/* ---- looking back ---- */

/* The index of a workflow's name, from 1; made when it is new. */
uint32_t log_workflow(struct log *log, const char *id, size_t len);
/* The workflow that a text names first; 0 when it names none. */
uint32_t log_named(const struct log *log, const char *text);
/* The last lines about a workflow, at most `limit`, and what nodes and links went through meanwhile. */
void log_print_last(const struct log *log, uint32_t workflow, size_t limit, FILE *to);
void log_print(const struct log *log, const struct log_line *line, FILE *to);
/* An io event as a line; `name` is its node's. */
void log_print_io(const struct trace_line *line, uint64_t event, const char *name, uint32_t connection, FILE *to);
const char *log_node_name(const struct log *log, uint16_t node);
const char *log_what_name(enum log_what what);
/* The kinds that a filter takes, one a line; whether a name is one of io events. */
void log_list_kinds(FILE *to);
bool log_is_kind(const char *name);

#endif
