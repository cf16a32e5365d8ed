/* request: requests as JSON text, put together from flags. */
#include "cli/request.h"

#include <stdio.h>

#include "base/json.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "cli/session.h"
#include "fiber/fiber.h"

struct request request_begin(struct cli *cli) {
    struct request request = {.cli = cli};
    buf_append_u8(&request.text, '{');
    return request;
}

struct bytes request_end(struct request *request) {
    buf_append_u8(&request->text, '}');
    return buf_bytes(&request->text);
}

void request_free(struct request *request) { buf_free(&request->text); }

static void member(struct request *request, const char *name) {
    uint8_t last = request->text.data[request->text.len - 1];
    if (last != '{') buf_append_u8(&request->text, ',');
    buf_append_json(&request->text, bytes_str(name));
    buf_append_u8(&request->text, ':');
}

void request_text(struct request *request, const char *name, const char *value) {
    if (!value) return;
    member(request, name);
    buf_append_json(&request->text, bytes_str(value));
}

void request_bool(struct request *request, const char *name, bool value) {
    member(request, name);
    buf_append_str(&request->text, value ? "true" : "false");
}

void request_raw(struct request *request, const char *name, const char *json) {
    if (!json) return;
    member(request, name);
    buf_append_str(&request->text, json);
}

void request_named(struct request *request, const char *name, const char *value) {
    if (!value) return;
    member(request, name);
    buf_append_str(&request->text, "{\"name\":");
    buf_append_json(&request->text, bytes_str(value));
    buf_append_u8(&request->text, '}');
}

void request_duration(struct request *request, const char *name, const char *flag) {
    const char *text = cli_value(request->cli, flag);
    int64_t ns;
    if (!text) return;
    if (!duration_parse(text, &ns) || ns < 0) {
        cli_usage(request->cli, "--%s is \"%s\"; expected a time such as 30s, 1h30m or 7d", flag, text);
        request->bad = true;
        return;
    }
    member(request, name);
    buf_printf(&request->text, "\"%lld.%09llds\"", (long long)(ns / 1000000000), (long long)(ns % 1000000000));
}

void request_enum(struct request *request, const char *name, const char *prefix, const char *flag) {
    const char *text = cli_value(request->cli, flag);
    if (!text) return;
    char value[128];
    size_t len = (size_t)snprintf(value, sizeof value, "%s", prefix);
    for (const char *c = text; *c && len + 2 < sizeof value; c++) {
        bool upper = *c >= 'A' && *c <= 'Z', after_lower = c > text && c[-1] >= 'a' && c[-1] <= 'z';
        if (upper && after_lower) value[len++] = '_';
        value[len++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c == '-' ? '_' : *c;
    }
    value[len] = 0;
    request_text(request, name, value);
}

/* ---- payloads ---------------------------------------------------------------------------------------------------------- */

static bool is_json(struct cli *cli, struct bytes text, struct status *status) {
    return json_parse(text, &cli->arena, status) != NULL;
}

static void add_input(struct request *request, struct bytes json, const char *what, bool *any) {
    struct status status;
    if (!is_json(request->cli, json, &status)) {
        cli_usage(request->cli, "%s: %s; a text needs quotes: --input '\"text\"'", what, status.message);
        request->bad = true;
        return;
    }
    if (*any) buf_append_u8(&request->text, ',');
    buf_append_bytes(&request->text, json);
    *any = true;
}

static void add_input_file(struct request *request, const char *path, bool *any) {
    enum { INPUT_BYTES_MAX = 4 << 20 };
    struct buf content = {0};
    int64_t result = fiber_read_file(request->cli->io, path, INPUT_BYTES_MAX, &content);
    if (result < 0) {
        cli_fail(request->cli, CLI_USAGE, "cannot read %s: %s", path, io_error_text(result));
        request->bad = true;
    } else {
        add_input(request, buf_bytes(&content), path, any);
    }
    buf_free(&content);
}

void request_input(struct request *request, const char *name) {
    bool any = false;
    unsigned at = 0;
    if (!cli_has(request->cli, "input") && !cli_has(request->cli, "input-file")) return;
    member(request, name);
    buf_append_u8(&request->text, '[');
    for (const char *value; !request->bad && (value = cli_next_value(request->cli, "input", &at));)
        add_input(request, bytes_str(value), "--input", &any);
    at = 0;
    for (const char *path; !request->bad && (path = cli_next_value(request->cli, "input-file", &at));)
        add_input_file(request, path, &any);
    buf_append_u8(&request->text, ']');
}

void request_map(struct request *request, const char *name, const char *inner, const char *flag) {
    unsigned at = 0, count = 0;
    if (!cli_has(request->cli, flag)) return;
    member(request, name);
    buf_printf(&request->text, "{\"%s\":{", inner);
    for (const char *given; (given = cli_next_value(request->cli, flag, &at)); count++) {
        const char *equals = strchr(given, '=');
        struct status ignored;
        if (!equals) {
            cli_usage(request->cli, "--%s is \"%s\"; expected KEY=VALUE", flag, given);
            request->bad = true;
            return;
        }
        if (count) buf_append_u8(&request->text, ',');
        buf_append_json(&request->text, bytes_of(given, (size_t)(equals - given)));
        buf_append_u8(&request->text, ':');
        struct bytes value = bytes_str(equals + 1);
        if (is_json(request->cli, value, &ignored)) buf_append_bytes(&request->text, value);
        else buf_append_json(&request->text, value);
    }
    buf_append_str(&request->text, "}}");
}

/* ---- names ---------------------------------------------------------------------------------------------------------------- */

void request_namespace(struct request *request) { request_text(request, "namespace", cli_namespace(request->cli)); }

const char *workflow_id(struct cli *cli) {
    const char *id = cli->arg_count ? cli->args[0] : cli_value(cli, "workflow-id");
    if (!id) cli_usage(cli, "which workflow? give its id");
    return id;
}

void request_execution(struct request *request, const char *name) {
    const char *id = workflow_id(request->cli), *run_id = cli_value(request->cli, "run-id");
    request->bad |= !id;
    if (!id) return;
    member(request, name);
    buf_append_str(&request->text, "{\"workflowId\":");
    buf_append_json(&request->text, bytes_str(id));
    if (run_id) {
        buf_append_str(&request->text, ",\"runId\":");
        buf_append_json(&request->text, bytes_str(run_id));
    }
    buf_append_u8(&request->text, '}');
}

const char *new_uuid(struct cli *cli) {
    uint8_t raw[UUID_LEN];
    char text[UUID_TEXT_SIZE];
    io_random(cli->io, raw, sizeof raw);
    uuid_shape(raw);
    uuid_text(raw, text);
    return arena_strdup(&cli->arena, text);
}
