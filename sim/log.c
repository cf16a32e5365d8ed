/* log: lines, their filter, and what is kept of them. */
#include "log.h"

#include <stdarg.h>
#include <stdlib.h>

#include "calls.h"
#include "io_sim.h"

enum { LINE_MAX_BYTES = 1024, LINES_MAX = 2000000, IO_MAX = 20000000, HELPERS_FROM = 1000 };

/* ---- moments ---- */

bool moment_parse(const char *text, struct moment *out) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    char *end;
    *out = (struct moment){.given = true};
    if (*text < '0' || *text > '9') return false;
    out->event = strtoull(text, &end, 10);
    out->is_event = !*end;
    if (out->is_event) return true;
    double number = strtod(text, &end);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].name) != 0 || number * units[i].ns > 9e18) continue;
        out->time = (int64_t)(number * units[i].ns + 0.5);
        return true;
    }
    return false;
}

bool moment_reached(const struct moment *moment, uint64_t event, int64_t time) {
    return moment->given && (moment->is_event ? event >= moment->event : time >= moment->time);
}

/* ---- life ---- */

struct log *log_create(struct world *world, const struct log_filter *filter, bool keep_io) {
    struct log *log = world_alloc(sizeof *log);
    log->world = world;
    log->filter = *filter;
    log->keep_io = keep_io;
    log->calls = calls_create(log);
    return log;
}

void log_destroy(struct log *log) {
    calls_destroy(log->calls);
    for (size_t i = 0; i < log->line_count; i++) world_free(log->lines[i].text);
    for (uint32_t i = 0; i < log->workflow_count; i++) world_free(log->workflows[i].id);
    world_free(log->lines);
    world_free(log->io);
    world_free(log->workflows);
    world_free(log);
}

const char *log_node_name(const struct log *log, uint16_t node) {
    return node < log->world->node_count ? log->world->nodes[node]->spec.name : "-";
}

const char *log_what_name(enum log_what what) {
    static const char *const names[] = {"io", "call", "event", "fault", "node", "failure"};
    return names[what];
}

bool log_is_kind(const char *name) {
    for (uint32_t kind = 1; kind < SIM_KIND_COUNT; kind++)
        if (strcmp(sim_kind_name(kind), name) == 0) return true;
    return false;
}

void log_list_kinds(FILE *to) {
    fputs("call           a request or an answer of gRPC\n"
          "event          an event of a workflow, when an answer first shows it\n"
          "fault          a fault that was injected\n"
          "node           the life of nodes and links: start, crash, pause, cut, ...\n"
          "io             io events; one by one:\n", to);
    for (uint32_t kind = 1; kind < SIM_KIND_COUNT; kind++) fprintf(to, "  %s\n", sim_kind_name(kind));
}

/* ---- filter ---- */

static bool has_kind(const struct log_filter *filter, const char *kind, const char *group) {
    for (unsigned i = 0; i < filter->kind_count; i++)
        if (strcmp(filter->kinds[i], kind) == 0 || strcmp(filter->kinds[i], group) == 0) return true;
    return !filter->kind_count;
}

static bool wanted(const struct log *log, uint16_t node, uint16_t peer, uint32_t connection, uint32_t workflow) {
    const struct log_filter *filter = &log->filter;
    uint64_t event = log->world->events;
    int64_t now = log->world->now;
    if (filter->from.given && !moment_reached(&filter->from, event, now)) return false;
    if (filter->connection && filter->connection != connection) return false;
    if (filter->workflow && (!workflow || strcmp(log->workflows[workflow - 1].id, filter->workflow) != 0)) return false;
    return !filter->node || strcmp(log_node_name(log, node), filter->node) == 0 ||
           strcmp(log_node_name(log, peer), filter->node) == 0;
}

/* ---- io events ---- */

static void op_details(const struct trace_line *line, char *text, size_t size) {
    unsigned long long op = line->sequence;
    if (line->done && line->result < 0)
        snprintf(text, size, "op %llu: %s", op, io_error_text(line->result));
    else if (line->done && line->result)
        snprintf(text, size, "op %llu: %lld", op, (long long)line->result);
    else
        snprintf(text, size, "op %llu", op);
}

/* What the numbers of a line mean, by its kind. */
static void details(const struct trace_line *line, char *text, size_t size) {
    double seconds = (double)line->result / 1e9;
    unsigned long long sequence = line->sequence;
    long long result = line->result;
    switch (line->kind) {
    case SIM_node_start: snprintf(text, size, "life %llu", sequence); break;
    case SIM_node_crash:
        snprintf(text, size, "%s at boundary %llu", line->hash == CRASH_POWER ? "power lost" : "killed", sequence);
        break;
    case SIM_node_exit: snprintf(text, size, "code %lld", result); break;
    case SIM_node_stop: snprintf(text, size, "stopped itself at boundary %llu", sequence); break;
    case SIM_pause:
        if (result)
            snprintf(text, size, "frozen for %.6f s", seconds);
        else
            snprintf(text, size, "goes on");
        break;
    case SIM_wall_jump: snprintf(text, size, "%+.6f s", seconds); break;
    case SIM_signal: snprintf(text, size, "%s", result == IO_SIGNAL_TERM ? "SIGTERM" : "other than SIGTERM"); break;
    case SIM_post: snprintf(text, size, line->done ? "from loop %lld" : "to loop %lld", result); break;
    case SIM_state: snprintf(text, size, "of execution %llu, %lld bytes", sequence, result); break;
    case SIM_link:
        snprintf(text, size, "from node %llu to node %lld %s", sequence, result, line->done ? "cut" : "healed");
        break;
    default: op_details(line, text, size);
    }
}

void log_print_io(const struct trace_line *line, uint64_t event, const char *name, uint32_t connection, FILE *to) {
    char where[40], text[128];
    bool helper = line->loop >= HELPERS_FROM;
    snprintf(where, sizeof where, "%s/%s%u", name, helper ? "helper " : "", helper ? line->loop - HELPERS_FROM : line->loop);
    fprintf(to, "#%-8llu %15.9f %-12s %-13s %-4s ", (unsigned long long)event, (double)line->time / 1e9, where,
            sim_kind_name(line->kind), line->done && line->kind != SIM_link ? "done" : "");
    details(line, text, sizeof text);
    fputs(text, to);
    if (connection) fprintf(to, ", connection %u", connection);
    if (line->hash && line->kind != SIM_node_crash) fprintf(to, "  %016llx", (unsigned long long)line->hash);
    fputc('\n', to);
}

static void keep_io(struct log *log, const struct trace_line *line) {
    if (!log->keep_io || log->io_count == IO_MAX) return;
    if (log->io_count == log->io_cap) {
        log->io_cap = log->io_cap ? log->io_cap * 2 : 4096;
        log->io = world_realloc(log->io, log->io_cap * sizeof *log->io);
    }
    log->io[log->io_count++] = (struct log_io){line->time, line->node, line->kind};
}

/* Io events that people look for first: what becomes of nodes and links. */
static bool is_life(uint32_t kind) {
    return kind == SIM_node_start || kind == SIM_node_crash || kind == SIM_node_exit || kind == SIM_node_stop ||
           kind == SIM_pause || kind == SIM_link || kind == SIM_wall_jump || kind == SIM_signal;
}

static void keep(struct log *log, const struct log_line *about, const char *text);

static void keep_life(struct log *log, const struct trace_line *line) {
    char text[160];
    int used = snprintf(text, sizeof text, "%s ", sim_kind_name(line->kind));
    details(line, text + used, sizeof text - (size_t)used);
    keep(log, &(struct log_line){.what = LOG_NODE, .node = line->node, .peer = LOG_NO_NODE}, text);
}

void log_io(struct log *log, const struct trace_line *line, uint32_t connection) {
    bool life = is_life(line->kind);
    keep_io(log, line);
    if (life) keep_life(log, line);
    if (!log->filter.print || !has_kind(&log->filter, sim_kind_name(line->kind), life ? "node" : "io")) return;
    if (wanted(log, line->node, LOG_NO_NODE, connection, 0))
        log_print_io(line, log->world->events, log_node_name(log, line->node), connection, stderr);
}

/* ---- lines ---- */

void log_print(const struct log *log, const struct log_line *line, FILE *to) {
    fprintf(to, "#%-8llu %15.9f %-12s %-13s ", (unsigned long long)line->event, (double)line->time / 1e9,
            log_node_name(log, line->node), log_what_name(line->what));
    if (line->peer != LOG_NO_NODE) fprintf(to, "to %s: ", log_node_name(log, line->peer));
    fputs(line->text, to);
    if (line->connection) fprintf(to, "  (connection %u)", line->connection);
    fputc('\n', to);
}

static void keep(struct log *log, const struct log_line *about, const char *text) {
    if (log->line_count == LINES_MAX) return;
    if (log->line_count == log->line_cap) {
        log->line_cap = log->line_cap ? log->line_cap * 2 : 1024;
        log->lines = world_realloc(log->lines, log->line_cap * sizeof *log->lines);
    }
    struct log_line *line = &log->lines[log->line_count++];
    *line = *about;
    line->event = log->world->events;
    line->time = log->world->now;
    line->text = world_alloc(strlen(text) + 1);
    memcpy(line->text, text, strlen(text));
    if (line->workflow) log->workflows[line->workflow - 1].events++;
}

/* Prints it, if the filter lets it through. */
static void show(const struct log *log, const struct log_line *about, const char *text) {
    const char *kind = log_what_name(about->what);
    if (!log->filter.print || !has_kind(&log->filter, kind, kind) ||
        !wanted(log, about->node, about->peer, about->connection, about->workflow))
        return;
    struct log_line line = *about;
    line.event = log->world->events;
    line.time = log->world->now;
    line.text = (char *)(uintptr_t)text;
    log_print(log, &line, stderr);
}

void log_text(struct log *log, const struct log_line *about, const char *format, ...) {
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    keep(log, about, text);
    show(log, about, text);
}

/* What io.h allows anyway happens too often to be kept. */
void log_fault(struct log *log, int node, enum fault fault, uint64_t index) {
    struct log_line about = {.what = LOG_FAULT, .node = node < 0 ? LOG_NO_NODE : (uint16_t)node, .peer = LOG_NO_NODE};
    char text[128];
    snprintf(text, sizeof text, "%s:%llu %s", world_fault_name(fault), (unsigned long long)index,
             world_fault_text(fault));
    if (world_fault_group(fault) != FAULT_GROUP_CONTRACT) keep(log, &about, text);
    show(log, &about, text);
}

void log_sent(struct log *log, uint32_t connection, bool dialed, uint16_t from, uint16_t to, const struct iovec *iov,
              size_t amount, int64_t arrives) {
    calls_take(log->calls, &(struct calls_part){connection, dialed, from, to, arrives}, iov, amount);
}

/* ---- looking back ---- */

uint32_t log_workflow(struct log *log, const char *id, size_t len) {
    for (uint32_t i = 0; i < log->workflow_count; i++)
        if (strncmp(log->workflows[i].id, id, len) == 0 && !log->workflows[i].id[len]) return i + 1;
    log->workflows = world_realloc(log->workflows, (log->workflow_count + 1) * sizeof *log->workflows);
    char *copy = world_alloc(len + 1);
    memcpy(copy, id, len);
    log->workflows[log->workflow_count++] = (struct log_workflow){copy, 0};
    return log->workflow_count;
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

uint32_t log_named(const struct log *log, const char *text) {
    for (const char *at = text; *at; at++) {
        if (!is_word(*at) || (at > text && is_word(at[-1]))) continue;
        for (uint32_t i = 0; i < log->workflow_count; i++) {
            size_t len = strlen(log->workflows[i].id);
            if (len && strncmp(at, log->workflows[i].id, len) == 0 && !is_word(at[len])) return i + 1;
        }
    }
    return 0;
}

void log_print_last(const struct log *log, uint32_t workflow, size_t limit, FILE *to) {
    size_t first = log->line_count;
    for (size_t i = log->line_count; i-- > 0 && limit;)
        if (log->lines[i].workflow == workflow) first = i, limit--;
    for (size_t i = first; i < log->line_count; i++)
        if (log->lines[i].workflow == workflow || log->lines[i].what == LOG_NODE) log_print(log, &log->lines[i], to);
}
