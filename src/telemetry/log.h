/* log: structured logs of one loop: a level, a time, a message and fields, a line each, on standard error.
 *
 * Lines are made in one buffer of the loop, which is there from log_open on: logging allocates nothing and cannot fail.
 * A value is cut at LOG_VALUE_MAX bytes and a line ends with the field that still fits. Field names that tools rely on:
 * correlation_id, namespace, workflow_id, run_id, activity_id, worker_identity, error.
 *
 *     LOG(io, LOG_WARN, "poll refused", LOG_TEXT("namespace", name), LOG_INT("waiting", count));
 */
#ifndef NORN_TELEMETRY_LOG_H
#define NORN_TELEMETRY_LOG_H

#include "base/status.h"
#include "io/io.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

enum { LOG_LINE_MAX = 8192, LOG_VALUE_MAX = 1024 };

struct log_field {
    const char *key;                       /* NULL ends a list */
    enum { LOG_KIND_BYTES, LOG_KIND_INT, LOG_KIND_UINT, LOG_KIND_BOOL, LOG_KIND_NS } kind;
    struct bytes bytes;
    int64_t integer;
    uint64_t unsigned_integer;
};

/* From here on this loop writes lines of `level` and above; before, and after log_close, none. */
void log_open(struct io *io, enum log_level level, enum log_format format);
void log_close(struct io *io);
bool log_enabled(const struct io *io, enum log_level level);
/* `fields` ends with a NULL key. Use LOG. */
void log_write(struct io *io, enum log_level level, const char *message, const struct log_field *fields);

#define LOG_TEXT(name, value) {.key = (name), .kind = LOG_KIND_BYTES, .bytes = bytes_str(value)}
#define LOG_BYTES(name, value) {.key = (name), .kind = LOG_KIND_BYTES, .bytes = (value)}
#define LOG_INT(name, value) {.key = (name), .kind = LOG_KIND_INT, .integer = (value)}
#define LOG_UINT(name, value) {.key = (name), .kind = LOG_KIND_UINT, .unsigned_integer = (value)}
#define LOG_BOOL(name, value) {.key = (name), .kind = LOG_KIND_BOOL, .integer = (value)}
/* A span of time, written in seconds. */
#define LOG_NS(name, value) {.key = (name), .kind = LOG_KIND_NS, .integer = (value)}
#define LOG_STATUS(status)                                                                                     \
    {.key = "code", .kind = LOG_KIND_BYTES, .bytes = bytes_str(status_code_name((status).code))},              \
        {.key = "error", .kind = LOG_KIND_BYTES, .bytes = bytes_str((status).message)}

#define LOG(io, level, message, ...)                                                                           \
    do {                                                                                                       \
        if (log_enabled((io), (level)))                                                                        \
            log_write((io), (level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});    \
    } while (0)

#endif
