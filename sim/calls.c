/* calls: gRPC calls, read from the bytes that pass between nodes.
 *
 * A passive reader of HTTP/2: it takes both directions of a connection apart into frames, unpacks header blocks, and
 * puts requests and answers together by stream. It knows a message's workflow by its field workflow_id, or by the task
 * token that an earlier answer gave; events of histories are told once, when an answer first shows them. What it cannot
 * read (other protocols, compressed or huge messages) it leaves out. */
#include "calls.h"

#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/check.h"
#include "frontend/norn_api_headers.h"
#include "io/io.h"

enum { FRAME_HEADER = 9, FRAME_MAX = 1 << 20, MESSAGE_MAX = 4 << 20, PREFACE = 24, TOKEN_BUCKETS = 4096, RUN_MAX = 40 };
enum { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RESET = 3, FRAME_GOAWAY = 7, FRAME_CONTINUATION = 9 };
enum { FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4, FLAG_PADDED = 8, FLAG_PRIORITY = 32 };
enum { SUMMARY_MAX = 400, DEPTH_MAX = 3 };

struct rpc {
    const char *service, *name;
    const ProtobufCMessageDescriptor *request, *response;
};

static const struct rpc rpcs[] = {
#define NORN_RPC(service, method, request, response, client_streams, server_streams)                           \
    {service, method, &request, &response},
#include "norn_rpcs.inc"
#undef NORN_RPC
};

struct bytes_in {                        /* grows; the log's memory, not a node's */
    uint8_t *data;
    size_t len, cap;
    bool lost;                           /* too long: it is not kept */
};

struct stream {
    struct stream *next;
    uint32_t id, workflow;
    const struct rpc *rpc;
    char path[96], status[8], message[128], run[RUN_MAX];
    struct bytes_in request, response;
    int64_t began;
    bool told;
};

struct side {                            /* one direction */
    nghttp2_hd_inflater *inflater;
    struct bytes_in in, block;
    bool begun;                          /* past the preface */
};

struct connection {
    struct connection *next;
    uint32_t number;
    bool other;                          /* not HTTP/2 */
    struct side sides[2];                /* 0: of the client */
    struct stream *streams;
};

struct token {
    struct token *next;
    uint64_t hash;
    uint32_t workflow;
};

struct run_seen {                        /* which events of a run were told */
    char id[RUN_MAX];
    int64_t last, ahead;                 /* all up to the last, and one that came before those between */
};

struct calls {
    struct log *log;
    struct connection *connections;
    struct token *tokens[TOKEN_BUCKETS];
    struct run_seen *runs;
    size_t run_count;
};

/* ---- memory ---- */

static void in_add(struct bytes_in *in, const uint8_t *data, size_t len, size_t limit) {
    if (in->lost || in->len + len > limit) {
        in->lost = true;
        return;
    }
    if (in->len + len > in->cap) {
        in->cap = (in->len + len) * 2;
        in->data = world_realloc(in->data, in->cap);
    }
    if (len) memcpy(in->data + in->len, data, len);
    in->len += len;
}

static void in_drop(struct bytes_in *in, size_t len) {
    memmove(in->data, in->data + len, in->len - len);
    in->len -= len;
}

static void in_free(struct bytes_in *in) { world_free(in->data); }

struct calls *calls_create(struct log *log) {
    struct calls *calls = world_alloc(sizeof *calls);
    calls->log = log;
    return calls;
}

static void stream_free(struct stream *stream) {
    in_free(&stream->request);
    in_free(&stream->response);
    world_free(stream);
}

static void connection_free(struct connection *connection) {
    for (struct stream *stream = connection->streams, *next; stream; stream = next) {
        next = stream->next;
        stream_free(stream);
    }
    for (int i = 0; i < 2; i++) {
        if (connection->sides[i].inflater) nghttp2_hd_inflate_del(connection->sides[i].inflater);
        in_free(&connection->sides[i].in);
        in_free(&connection->sides[i].block);
    }
    world_free(connection);
}

void calls_destroy(struct calls *calls) {
    for (struct connection *connection = calls->connections, *next; connection; connection = next) {
        next = connection->next;
        connection_free(connection);
    }
    for (size_t i = 0; i < TOKEN_BUCKETS; i++)
        for (struct token *token = calls->tokens[i], *next; token; token = next) {
            next = token->next;
            world_free(token);
        }
    world_free(calls->runs);
    world_free(calls);
}

/* ---- a message in one line ---- */

struct summary {
    char text[SUMMARY_MAX];
    size_t len;
};

static void put(struct summary *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct summary *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int used = vsnprintf(out->text + out->len, sizeof out->text - out->len, format, args);
    va_end(args);
    if (used > 0) out->len += (size_t)used;
    if (out->len >= sizeof out->text) out->len = sizeof out->text - 1;
}

/* "TIMER_STARTED" of EVENT_TYPE_TIMER_STARTED: without as many words as the type's name has. */
static const char *enum_text(const ProtobufCEnumDescriptor *type, int value) {
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    if (!found) return "?";
    const char *at = found->name;
    for (const char *c = type->short_name; *c; c++) {
        const char *after = *c >= 'A' && *c <= 'Z' ? strchr(at, '_') : NULL;
        if (after) at = after + 1;
    }
    return at;
}

static void put_data(struct summary *out, const uint8_t *data, size_t len) {
    enum { SHOWN = 40 };
    for (size_t i = 0; i < len; i++)
        if (data[i] < ' ' || data[i] > '~') {
            put(out, "<%zu bytes>", len);
            return;
        }
    put(out, "'%.*s%s'", (int)(len < SHOWN ? len : SHOWN), (const char *)data, len > SHOWN ? "..." : "");
}

static bool is_type(const ProtobufCMessageDescriptor *type, const char *name) { return strcmp(type->name, name) == 0; }

static void describe(struct summary *out, const ProtobufCMessage *message, unsigned depth);

static void describe_message(struct summary *out, const char *name, const ProtobufCMessage *message, unsigned depth) {
    if (is_type(message->descriptor, "temporal.api.common.v1.Payloads")) {
        const Temporal__Api__Common__V1__Payloads *payloads = (const void *)message;
        if (!payloads->n_payloads) return;
        put(out, " %s=", name);
        put_data(out, payloads->payloads[0]->data.data, payloads->payloads[0]->data.len);
    } else if (is_type(message->descriptor, "google.protobuf.Duration")) {
        const Google__Protobuf__Duration *duration = (const void *)message;
        put(out, " %s=%gs", name, (double)duration->seconds + (double)duration->nanos / 1e9);
    } else if (depth < DEPTH_MAX && !is_type(message->descriptor, "google.protobuf.Timestamp")) {
        struct summary inner = {0};
        describe(&inner, message, depth + 1);
        if (inner.len) put(out, " %s={%s}", name, inner.text + (inner.text[0] == ' '));
    }
}

/* Says nothing of what every message has, or the line tells anyway. */
static bool is_dull(const char *name) {
    static const char *const dull[] = {"namespace", "identity", "workflow_id", "header", "worker_version_capabilities",
                                       "worker_heartbeat", "deployment_options", "history", "sdk_metadata",
                                       "event_id", "event_type", "version", "task_id", "namespace_id",
                                       "workflow_namespace", "link", "task_token", "workflow_type"};
    for (size_t i = 0; i < ARRAY_LEN(dull); i++)
        if (strcmp(name, dull[i]) == 0) return true;
    return false;
}

static void describe_value(struct summary *out, const ProtobufCFieldDescriptor *field, const void *at, unsigned depth) {
    const ProtobufCBinaryData *data = at;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)at;
        if (text && *text) put(out, " %s=%.48s", field->name, text);
        break;
    }
    case PROTOBUF_C_TYPE_BYTES:
        if (!data->len) break;
        put(out, " %s=", field->name);
        put_data(out, data->data, data->len);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if (*(const int *)at) put(out, " %s=%s", field->name, enum_text(field->descriptor, *(const int *)at));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        if (*(const protobuf_c_boolean *)at) put(out, " %s", field->name);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        if (*(const int32_t *)at) put(out, " %s=%d", field->name, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        if (*(const int64_t *)at) put(out, " %s=%lld", field->name, (long long)*(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (*(const ProtobufCMessage *const *)at)
            describe_message(out, field->name, *(const ProtobufCMessage *const *)at, depth);
        break;
    default: break;
    }
}

static void describe_list(struct summary *out, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message) {
    size_t count = *(const size_t *)((const uint8_t *)message + field->quantifier_offset);
    if (!count) return;
    put(out, " %s[%zu]", field->name, count);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) return;
    ProtobufCMessage *const *items = *(ProtobufCMessage *const *const *)((const uint8_t *)message + field->offset);
    if (!is_type(items[0]->descriptor, "temporal.api.command.v1.Command")) return;
    for (size_t i = 0; i < count; i++) {
        const Temporal__Api__Command__V1__Command *command = (const void *)items[i];
        put(out, "%s%s", i ? "," : "=",
            enum_text(&temporal__api__enums__v1__command_type__descriptor, (int)command->command_type));
    }
}

static bool is_set(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message) {
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) return true;
    return *(const uint32_t *)((const uint8_t *)message + field->quantifier_offset) == field->id;
}

static void describe(struct summary *out, const ProtobufCMessage *message, unsigned depth) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (is_dull(field->name) || !is_set(field, message)) continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            describe_list(out, field, message);
        else
            describe_value(out, field, (const uint8_t *)message + field->offset, depth);
    }
}

/* ---- whose message it is ---- */

static const void *field_of(const ProtobufCMessage *message, const char *name, ProtobufCType type) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    bool fits = field && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED && is_set(field, message);
    return fits ? (const uint8_t *)message + field->offset : NULL;
}

/* A text field of this name, in the message or in one that it holds; "" when there is none. */
static const char *find_text(const ProtobufCMessage *message, const char *name, unsigned depth) {
    const char *const *own = field_of(message, name, PROTOBUF_C_TYPE_STRING);
    if (own && *own && **own) return *own;
    for (unsigned i = 0; depth && i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_REPEATED) continue;
        if (!is_set(field, message)) continue;
        const ProtobufCMessage *inner = *(const ProtobufCMessage *const *)((const uint8_t *)message + field->offset);
        const char *found = inner ? find_text(inner, name, depth - 1) : "";
        if (*found) return found;
    }
    return "";
}

static uint64_t hash_of(const ProtobufCBinaryData *data) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < data->len; i++) hash = (hash ^ data->data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint32_t of_token(const struct calls *calls, const ProtobufCMessage *message) {
    const ProtobufCBinaryData *data = field_of(message, "task_token", PROTOBUF_C_TYPE_BYTES);
    if (!data || !data->len) return 0;
    uint64_t hash = hash_of(data);
    for (const struct token *token = calls->tokens[hash % TOKEN_BUCKETS]; token; token = token->next)
        if (token->hash == hash) return token->workflow;
    return 0;
}

static void note_token(struct calls *calls, const ProtobufCMessage *message, uint32_t workflow) {
    const ProtobufCBinaryData *data = field_of(message, "task_token", PROTOBUF_C_TYPE_BYTES);
    if (!data || !data->len || of_token(calls, message)) return;
    uint64_t hash = hash_of(data);
    struct token *token = world_alloc(sizeof *token);
    *token = (struct token){calls->tokens[hash % TOKEN_BUCKETS], hash, workflow};
    calls->tokens[hash % TOKEN_BUCKETS] = token;
}

static uint32_t workflow_of(struct calls *calls, const ProtobufCMessage *message) {
    const char *id = find_text(message, "workflow_id", 2);
    return *id ? log_workflow(calls->log, id, strlen(id)) : of_token(calls, message);
}

/* ---- events ---- */

static struct run_seen *run_of(struct calls *calls, const char *id) {
    for (size_t i = 0; i < calls->run_count; i++)
        if (strcmp(calls->runs[i].id, id) == 0) return &calls->runs[i];
    calls->runs = world_realloc(calls->runs, (calls->run_count + 1) * sizeof *calls->runs);
    struct run_seen *run = &calls->runs[calls->run_count++];
    *run = (struct run_seen){0};
    snprintf(run->id, sizeof run->id, "%s", id);
    return run;
}

static const ProtobufCMessage *attributes_of(const Temporal__Api__History__V1__HistoryEvent *event) {
    const ProtobufCMessage *message = &event->base;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && field->type == PROTOBUF_C_TYPE_MESSAGE && is_set(field, message))
            return *(const ProtobufCMessage *const *)((const uint8_t *)message + field->offset);
    }
    return NULL;
}

/* True when it was not told; a close event may come alone. */
static bool is_news(struct run_seen *run, int64_t id) {
    bool told = id <= run->last || id == run->ahead;
    if (id == run->last + 1)
        run->last = id;
    else if (!told)
        run->ahead = id;
    return !told;
}

static void tell_events(struct calls *calls, struct stream *stream, const ProtobufCMessage *message, uint16_t node) {
    const Temporal__Api__History__V1__History *const *at = field_of(message, "history", PROTOBUF_C_TYPE_MESSAGE);
    if (!at || !*at || !(*at)->n_events || !stream->workflow) return;
    const ProtobufCMessage *first = attributes_of((*at)->events[0]);
    const char *original = first ? find_text(first, "original_execution_run_id", 0) : "";
    const char *run_id = *original ? original : stream->run;
    if (!*run_id) return;
    struct run_seen *run = run_of(calls, run_id);
    for (size_t i = 0; i < (*at)->n_events; i++) {
        const Temporal__Api__History__V1__HistoryEvent *event = (*at)->events[i];
        if (!is_news(run, event->event_id)) continue;
        struct summary summary = {0};
        const ProtobufCMessage *attributes = attributes_of(event);
        if (attributes) describe(&summary, attributes, 1);
        struct log_line about = {.what = LOG_EVENT, .node = node, .peer = LOG_NO_NODE, .workflow = stream->workflow};
        log_text(calls->log, &about, "%s/%.8s %lld %s%s", calls->log->workflows[stream->workflow - 1].id, run_id,
                 (long long)event->event_id,
                 enum_text(&temporal__api__enums__v1__event_type__descriptor, (int)event->event_type), summary.text);
    }
}

/* ---- requests and answers ---- */

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, const struct bytes_in *in) {
    enum { PREFIX = 5 };
    if (in->lost || in->len < PREFIX || in->data[0]) return NULL;
    size_t len = (size_t)in->data[1] << 24 | (size_t)in->data[2] << 16 | (size_t)in->data[3] << 8 | in->data[4];
    if (len != in->len - PREFIX) return NULL;
    return protobuf_c_message_unpack(type, NULL, len, in->data + PREFIX);
}

static void note_run(struct stream *stream, const ProtobufCMessage *message) {
    const char *run = find_text(message, "run_id", 2);
    if (*run) snprintf(stream->run, sizeof stream->run, "%s", run);
}

static void tell(struct calls *calls, const struct calls_part *part, const struct stream *stream, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void tell(struct calls *calls, const struct calls_part *part, const struct stream *stream, const char *format, ...) {
    char text[SUMMARY_MAX + 300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct log_line about = {.what = LOG_CALL, .node = part->from, .peer = part->to, .arrives = part->arrives,
                             .connection = part->connection, .workflow = stream->workflow};
    const char *id = stream->workflow ? calls->log->workflows[stream->workflow - 1].id : "";
    log_text(calls->log, &about, "%s %s%s%s, stream %u", stream->rpc ? stream->rpc->name : stream->path, id,
             *id ? " " : "", text, stream->id);
}

static void tell_request(struct calls *calls, const struct calls_part *part, struct stream *stream) {
    if (stream->told) return;
    stream->told = true;
    struct summary summary = {0};
    ProtobufCMessage *message = stream->rpc ? unpack(stream->rpc->request, &stream->request) : NULL;
    if (message) {
        stream->workflow = workflow_of(calls, message);
        note_run(stream, message);
        describe(&summary, message, 0);
        if (!stream->workflow) stream->workflow = log_named(calls->log, summary.text);       /* as a list's query may */
        protobuf_c_message_free_unpacked(message, NULL);
    }
    tell(calls, part, stream, "asked%s", summary.text);
}

static void tell_answer(struct calls *calls, const struct calls_part *part, struct stream *stream) {
    static const char *const codes[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
                                        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
                                        "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
    unsigned long code = strtoul(stream->status, NULL, 10);
    const char *name = stream->status[0] && code < ARRAY_LEN(codes) ? codes[code] : "no status";
    struct summary summary = {0};
    ProtobufCMessage *message = stream->rpc ? unpack(stream->rpc->response, &stream->response) : NULL;
    if (message) {
        uint32_t workflow = workflow_of(calls, message);
        if (workflow) stream->workflow = workflow, note_token(calls, message, workflow), note_run(stream, message);
        describe(&summary, message, 0);
    }
    double ms = (double)(world_now(calls->log->world) - stream->began) / 1e6;
    tell(calls, part, stream, "answered %s after %.3f ms%s%s%s", name, ms, *stream->message ? ": " : "",
         stream->message, summary.text);
    if (!message) return;
    tell_events(calls, stream, message, part->to);
    protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- HTTP/2 ---- */

static struct stream *stream_of(struct calls *calls, struct connection *connection, uint32_t id) {
    for (struct stream *stream = connection->streams; stream; stream = stream->next)
        if (stream->id == id) return stream;
    struct stream *stream = world_alloc(sizeof *stream);
    stream->id = id;
    stream->began = world_now(calls->log->world);
    stream->next = connection->streams;
    connection->streams = stream;
    return stream;
}

static void stream_end(struct connection *connection, struct stream *stream) {
    struct stream **link = &connection->streams;
    while (*link != stream) link = &(*link)->next;
    *link = stream->next;
    stream_free(stream);
}

static const struct rpc *find_rpc(const char *path) {
    for (size_t i = 0; i < ARRAY_LEN(rpcs); i++) {
        size_t len = strlen(rpcs[i].service);
        if (path[0] == '/' && strncmp(path + 1, rpcs[i].service, len) == 0 && path[1 + len] == '/' &&
            strcmp(path + len + 2, rpcs[i].name) == 0)
            return &rpcs[i];
    }
    return NULL;
}

static void take_header(struct stream *stream, const nghttp2_nv *nv) {
    const struct {
        const char *name;
        char *to;
        size_t size;
    } known[] = {{":path", stream->path, sizeof stream->path}, {"grpc-status", stream->status, sizeof stream->status},
                 {"grpc-message", stream->message, sizeof stream->message}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (nv->namelen == strlen(known[i].name) && memcmp(nv->name, known[i].name, nv->namelen) == 0)
            snprintf(known[i].to, known[i].size, "%.*s", (int)nv->valuelen, (const char *)nv->value);
}

static void take_block(struct side *side, struct stream *stream) {
    const uint8_t *at = side->block.data;
    size_t left = side->block.len;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(side->inflater, &nv, &flags, at, left, 1);
        if (used < 0) break;
        at += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) take_header(stream, &nv);
        if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !left) break;
    }
    nghttp2_hd_inflate_end_headers(side->inflater);
    side->block.len = 0;
    stream->rpc = stream->rpc ? stream->rpc : find_rpc(stream->path);
}

struct frame {
    uint8_t type, flags;
    uint32_t stream;
    const uint8_t *data;
    size_t len;
};

/* Takes padding and priority off; false when they do not fit. */
static bool strip(struct frame *frame) {
    size_t padding = 0;
    if (frame->flags & FLAG_PADDED) {
        if (!frame->len) return false;
        padding = frame->data[0];
        frame->data++;
        frame->len--;
    }
    if (frame->type == FRAME_HEADERS && (frame->flags & FLAG_PRIORITY)) {
        if (frame->len < 5) return false;
        frame->data += 5;
        frame->len -= 5;
    }
    if (padding > frame->len) return false;
    frame->len -= padding;
    return true;
}

static void take_frame(struct calls *calls, struct connection *connection, const struct calls_part *part,
                       struct frame *frame) {
    struct side *side = &connection->sides[!part->dialed];
    if (!frame->stream || frame->type > FRAME_CONTINUATION) return;
    if (frame->type != FRAME_DATA && frame->type != FRAME_HEADERS && frame->type != FRAME_CONTINUATION &&
        frame->type != FRAME_RESET)
        return;
    struct stream *stream = stream_of(calls, connection, frame->stream);
    if (frame->type == FRAME_RESET) {
        if (stream->told) tell(calls, part, stream, "taken back");
        stream_end(connection, stream);
        return;
    }
    if (frame->type != FRAME_CONTINUATION && !strip(frame)) return;
    if (frame->type == FRAME_DATA) {
        in_add(part->dialed ? &stream->request : &stream->response, frame->data, frame->len, MESSAGE_MAX);
    } else {
        in_add(&side->block, frame->data, frame->len, FRAME_MAX);
        if (frame->flags & FLAG_END_HEADERS) take_block(side, stream);
    }
    if (!(frame->flags & FLAG_END_STREAM) || frame->type == FRAME_CONTINUATION) return;
    if (part->dialed) {
        tell_request(calls, part, stream);
    } else {
        tell_answer(calls, part, stream);
        stream_end(connection, stream);
    }
}

/* The client's first bytes: past them, or no HTTP/2 at all. False when more is needed. */
static bool pass_preface(struct connection *connection, struct side *side, bool dialed) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (dialed) {
        size_t len = side->in.len < PREFACE ? side->in.len : PREFACE;
        connection->other = memcmp(side->in.data, preface, len) != 0;
        if (connection->other || len < PREFACE) return false;
        in_drop(&side->in, PREFACE);
    }
    side->begun = true;
    return true;
}

static struct connection *connection_of(struct calls *calls, uint32_t number) {
    for (struct connection *connection = calls->connections; connection; connection = connection->next)
        if (connection->number == number) return connection;
    struct connection *connection = world_alloc(sizeof *connection);
    connection->number = number;
    connection->next = calls->connections;
    calls->connections = connection;
    for (int i = 0; i < 2; i++)
        if (nghttp2_hd_inflate_new(&connection->sides[i].inflater)) connection->other = true;
    return connection;
}

static void take_frames(struct calls *calls, struct connection *connection, const struct calls_part *part) {
    struct side *side = &connection->sides[!part->dialed];
    size_t at = 0;
    while (side->in.len - at >= FRAME_HEADER) {
        const uint8_t *head = side->in.data + at;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (len > FRAME_MAX) connection->other = true;
        if (connection->other || side->in.len - at - FRAME_HEADER < len) break;
        uint32_t stream = ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) & INT32_MAX;
        struct frame frame = {head[3], head[4], stream, head + FRAME_HEADER, len};
        take_frame(calls, connection, part, &frame);
        at += FRAME_HEADER + len;
    }
    in_drop(&side->in, at);
}

void calls_take(struct calls *calls, const struct calls_part *part, const struct iovec *iov, size_t amount) {
    struct connection *connection = connection_of(calls, part->connection);
    if (connection->other) return;
    struct side *side = &connection->sides[!part->dialed];
    for (size_t i = 0; amount; i++) {
        size_t len = iov[i].iov_len < amount ? iov[i].iov_len : amount;
        in_add(&side->in, iov[i].iov_base, len, 2 * FRAME_MAX);
        amount -= len;
    }
    if (side->in.lost) connection->other = true;
    if (connection->other || (!side->begun && !pass_preface(connection, side, part->dialed))) return;
    take_frames(calls, connection, part);
}
