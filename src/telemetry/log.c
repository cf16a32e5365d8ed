/* log: structured logs of one loop. */
#include "telemetry/log.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/json_text.h"
#include "base/mem.h"

struct log {
    enum log_level level;
    enum log_format format;
    bool colours;
    size_t len;
    char line[LOG_LINE_MAX];
    char quoted[LOG_VALUE_MAX * 6 + 8];      /* the value at hand */
};

static struct log *log_of(const struct io *io) { return io_slot(io, IO_SLOT_LOG); }

void log_open(struct io *io, enum log_level level, enum log_format format) {
    struct log *log = log_of(io);
    if (!log) log = MEM_NEW(struct log);
    log->level = level;
    log->format = format;
    log->colours = format == LOG_FORMAT_TEXT && io_is_terminal(io, IO_STDERR) && !io_env(io, "NO_COLOR");
    io_set_slot(io, IO_SLOT_LOG, log);
}

void log_close(struct io *io) {
    mem_free(log_of(io));
    io_set_slot(io, IO_SLOT_LOG, NULL);
}

bool log_enabled(const struct io *io, enum log_level level) {
    const struct log *log = log_of(io);
    return log && level >= log->level && level < LOG_OFF;
}

/* ---- pieces of a line ------------------------------------------------------------------------------------------------ */

/* Room for what closes every line. */
enum { LINE_END_ROOM = 32 };

static bool put(struct log *log, const char *text, size_t len) {
    if (len > LOG_LINE_MAX - LINE_END_ROOM - log->len) return false;
    memcpy(log->line + log->len, text, len);
    log->len += len;
    return true;
}
static bool put_str(struct log *log, const char *text) { return put(log, text, strlen(text)); }

/* A JSON string, cut at a character's boundary. */
static bool put_json(struct log *log, struct bytes text) {
    char *quoted = log->quoted;
    bool cut = text.len > LOG_VALUE_MAX;
    if (cut) text.len = utf8_cut(text, LOG_VALUE_MAX);
    size_t len = json_quote(text, quoted, sizeof log->quoted);
    if (cut) {
        memcpy(quoted + len - 1, "...\"", 4);
        len += 3;
    }
    return put(log, quoted, len);
}

/* As it is when that is unmistakable, else quoted. */
static bool put_word(struct log *log, struct bytes text) {
    bool plain = text.len > 0 && text.len <= LOG_VALUE_MAX;
    for (size_t i = 0; plain && i < text.len; i++)
        plain = text.data[i] > ' ' && text.data[i] < 0x7f && text.data[i] != '"' && text.data[i] != '=';
    return plain ? put(log, (const char *)text.data, text.len) : put_json(log, text);
}

static bool put_value(struct log *log, const struct log_field *field) {
    char text[48];
    switch (field->kind) {
    case LOG_KIND_BYTES:
        return log->format == LOG_FORMAT_JSON ? put_json(log, field->bytes) : put_word(log, field->bytes);
    case LOG_KIND_INT: snprintf(text, sizeof text, "%lld", (long long)field->integer); break;
    case LOG_KIND_UINT: snprintf(text, sizeof text, "%llu", (unsigned long long)field->unsigned_integer); break;
    case LOG_KIND_BOOL: snprintf(text, sizeof text, "%s", field->integer ? "true" : "false"); break;
    case LOG_KIND_NS: snprintf(text, sizeof text, "%.9g", (double)field->integer / 1e9); break;
    }
    return put_str(log, text);
}

/* A field that does not fit whole is left out, with those after it. */
static bool put_field(struct log *log, const struct log_field *field) {
    size_t before = log->len;
    bool json = log->format == LOG_FORMAT_JSON;
    bool fits = put_str(log, json ? "," : " ") &&
                (json ? put_json(log, bytes_str(field->key)) : put_str(log, field->key)) &&
                put_str(log, json ? ":" : "=") && put_value(log, field);
    if (!fits) log->len = before;
    return fits;
}

/* ---- lines --------------------------------------------------------------------------------------------------------------- */

static const char *level_name(enum log_level level) {
    static const char *const names[] = {"debug", "info", "warn", "error", "off"};
    return names[level];
}

static void begin_line(struct log *log, struct io *io, enum log_level level, const char *message) {
    static const char *const colours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", ""};
    char time[CIVIL_TEXT_MAX];
    civil_format(io_wall(io), time);
    log->len = 0;
    if (log->format == LOG_FORMAT_JSON) {
        put_str(log, "{\"time\":\"");
        put_str(log, time);
        put_str(log, "\",\"level\":\"");
        put_str(log, level_name(level));
        put_str(log, "\",\"message\":");
        put_json(log, bytes_str(message));
        return;
    }
    put_str(log, time);
    put_str(log, " ");
    if (log->colours) put_str(log, colours[level]);
    char padded[8];
    snprintf(padded, sizeof padded, "%-5s", level_name(level));
    put_str(log, padded);
    if (log->colours) put_str(log, "\x1b[0m");
    put_str(log, " ");
    put(log, message, strlen(message) < LOG_VALUE_MAX ? strlen(message) : LOG_VALUE_MAX);
}

void log_write(struct io *io, enum log_level level, const char *message, const struct log_field *fields) {
    struct log *log = log_of(io);
    if (!log) return;
    begin_line(log, io, level, message);
    bool fits = true;
    for (; fits && fields->key; fields++) fits = put_field(log, fields);
    const char *end = log->format == LOG_FORMAT_JSON ? (fits ? "}\n" : ",\"cut\":true}\n") : (fits ? "\n" : " cut=true\n");
    memcpy(log->line + log->len, end, strlen(end));
    io_print(io, IO_STDERR, log->line, log->len + strlen(end));
}
