/* filter: Temporal's list filter as SQL. A recursive descent over
 *     filter := or [GROUP BY name]      or := and {OR and}      and := not {AND not}
 *     not := NOT not | ( or ) | comparison
 * whose depth is bounded; the first error ends it. */
#include "visibility/filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/timestamp.h"
#include "temporal/api/enums/v1/common.pb-c.h"
#include "temporal/api/enums/v1/workflow.pb-c.h"
#include "visibility/lexer.h"

#define TYPE(name) TEMPORAL__API__ENUMS__V1__INDEXED_VALUE_TYPE__INDEXED_VALUE_TYPE_##name
#define STATUS(name) TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name

/* How a field's value is written in SQL, and what its literals mean. */
enum meaning { MEANING_PLAIN, MEANING_STATUS, MEANING_UUID, MEANING_DURATION };

struct field {
    const char *name;
    const char *sql;            /* NULL: a custom attribute, read from search_attributes_json */
    int32_t type;
    enum meaning meaning;
};

static const struct field fields[] = {
    {"WorkflowId", "workflow_id", TYPE(KEYWORD), MEANING_PLAIN},
    {"RunId", "lower(hex(run_id))", TYPE(KEYWORD), MEANING_UUID},
    {"WorkflowType", "workflow_type", TYPE(KEYWORD), MEANING_PLAIN},
    {"TaskQueue", "task_queue", TYPE(KEYWORD), MEANING_PLAIN},
    {"ExecutionStatus", "status", TYPE(KEYWORD), MEANING_STATUS},
    {"StartTime", "start_time", TYPE(DATETIME), MEANING_PLAIN},
    {"ExecutionTime", "execution_time", TYPE(DATETIME), MEANING_PLAIN},
    {"CloseTime", "nullif(close_time, 0)", TYPE(DATETIME), MEANING_PLAIN},
    {"ExecutionDuration", "(CASE WHEN close_time > 0 THEN close_time - execution_time END)", TYPE(INT), MEANING_DURATION},
    {"HistoryLength", "history_length", TYPE(INT), MEANING_PLAIN},
    {"HistorySizeBytes", "history_size", TYPE(INT), MEANING_PLAIN},
    {"StateTransitionCount", "state_transitions", TYPE(INT), MEANING_PLAIN},
    {"ParentWorkflowId", "nullif(parent_workflow_id, '')", TYPE(KEYWORD), MEANING_PLAIN},
    {"RootWorkflowId", "nullif(root_workflow_id, '')", TYPE(KEYWORD), MEANING_PLAIN},
    {"TemporalChangeVersion", NULL, TYPE(KEYWORD_LIST), MEANING_PLAIN},
    {"BinaryChecksums", NULL, TYPE(KEYWORD_LIST), MEANING_PLAIN},
    {"BuildIds", NULL, TYPE(KEYWORD_LIST), MEANING_PLAIN},
    {"TemporalReportedProblems", NULL, TYPE(KEYWORD_LIST), MEANING_PLAIN},
    {"TemporalExternalPayloadCount", NULL, TYPE(INT), MEANING_PLAIN},
    {"TemporalExternalPayloadSizeBytes", NULL, TYPE(INT), MEANING_PLAIN},
    {"TemporalPauseInfo", NULL, TYPE(KEYWORD_LIST), MEANING_PLAIN},
    {"TemporalNamespaceDivision", NULL, TYPE(KEYWORD), MEANING_PLAIN},
    {"TemporalScheduledById", NULL, TYPE(KEYWORD), MEANING_PLAIN},
    {"TemporalScheduledStartTime", NULL, TYPE(DATETIME), MEANING_PLAIN},
    {"TemporalSchedulePaused", NULL, TYPE(BOOL), MEANING_PLAIN},
};

struct parser {
    struct lexer lexer;
    struct arena *arena;
    filter_type_fn *type;
    void *ctx;
    struct buf sql;
    struct store_param *params;
    unsigned param_count;
    unsigned depth;
    struct status status;       /* of the first error */
};

static bool fail(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parser *parser, const char *format, ...) {
    if (!status_ok(parser->status)) return false;
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(parser->arena, format, args);
    va_end(args);
    parser->status = status_make(parser->arena, STATUS_INVALID_ARGUMENT, "invalid query: %s", text);
    return false;
}

static bool fail_here(struct parser *parser, const char *expected) {
    const struct token *token = &parser->lexer.token;
    if (token->kind == TOKEN_END) return fail(parser, "expected %s at the end", expected);
    return fail(parser, "expected %s at character %zu, not '%s'", expected, token->at + 1, token->text);
}

/* ---- parameters ---------------------------------------------------------------------------------------------------- */

static bool add_param(struct parser *parser, struct store_param param) {
    if (parser->param_count == FILTER_PARAMS_MAX)
        return fail(parser, "more than %d values", FILTER_PARAMS_MAX);
    parser->params[parser->param_count++] = param;
    buf_append_str(&parser->sql, "?");
    return true;
}

static bool add_text(struct parser *parser, const char *text) {
    return add_param(parser, (struct store_param){.type = STORE_PARAM_TEXT, .text = bytes_str(text)});
}
static bool add_int(struct parser *parser, int64_t value) {
    return add_param(parser, (struct store_param){.type = STORE_PARAM_INT, .integer = value});
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

static bool find_predefined(const char *name, struct field *out) {
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].name, name) != 0) continue;
        *out = fields[i];
        return true;
    }
    return false;
}

/* Predefined names may leave out "Temporal" when no custom attribute has the short name. */
static bool find_field(struct parser *parser, const char *name, struct field *out) {
    if (find_predefined(name, out)) return true;
    int32_t type = parser->type(parser->ctx, name);
    if (type) {
        *out = (struct field){.name = name, .type = type};
        return true;
    }
    return find_predefined(arena_printf(parser->arena, "Temporal%s", name), out) ||
           fail(parser, "unable to convert filter expression: column name '%s' is not a valid search attribute", name);
}

/* The JSON path of a custom attribute, as a parameter. */
static bool add_path(struct parser *parser, const struct field *field) {
    if (strchr(field->name, '"')) return fail(parser, "a name with a double quote cannot be searched for");
    return add_text(parser, arena_printf(parser->arena, "$.\"%s\"", field->name));
}

static bool add_field(struct parser *parser, const struct field *field) {
    if (field->sql) {
        buf_append_str(&parser->sql, field->sql);
        return true;
    }
    buf_append_str(&parser->sql, "json_extract(search_attributes_json, ");
    if (!add_path(parser, field)) return false;
    buf_append_str(&parser->sql, ")");
    return true;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static bool status_value(struct parser *parser, const struct token *token) {
    static const struct {
        const char *name;
        int32_t value;
    } names[] = {{"Running", STATUS(RUNNING)}, {"Completed", STATUS(COMPLETED)}, {"Failed", STATUS(FAILED)},
                 {"Canceled", STATUS(CANCELED)}, {"Terminated", STATUS(TERMINATED)},
                 {"ContinuedAsNew", STATUS(CONTINUED_AS_NEW)}, {"TimedOut", STATUS(TIMED_OUT)}, {"Paused", STATUS(PAUSED)}};
    if (token->kind == TOKEN_NUMBER) return add_int(parser, strtoll(token->text, NULL, 10));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(token->text, names[i].name) == 0) return add_int(parser, names[i].value);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(
        &temporal__api__enums__v1__workflow_execution_status__descriptor, token->text);
    if (value) return add_int(parser, value->value);
    return fail(parser, "'%s' is not an execution status (Running, Completed, Failed, Canceled, Terminated, "
                        "ContinuedAsNew, TimedOut, Paused)", token->text);
}

static bool uuid_value(struct parser *parser, const struct token *token) {
    char *plain = arena_strdup(parser->arena, token->text), *to = plain;
    for (const char *from = plain; *from; from++)
        if (*from != '-') *to++ = *from >= 'A' && *from <= 'F' ? (char)(*from + 32) : *from;
    *to = 0;
    return add_text(parser, plain);
}

/* Columns hold nanoseconds, the JSON of custom attributes holds text of fixed width. */
static bool time_value(struct parser *parser, const struct field *field, const struct token *token) {
    int64_t ns = 0;
    char text[TIMESTAMP_TEXT_MAX];
    if (token->kind == TOKEN_NUMBER) ns = strtoll(token->text, NULL, 10);
    if (token->kind == TOKEN_NUMBER || timestamp_parse(token->text, &ns))
        return field->sql ? add_int(parser, ns)
                          : add_text(parser, arena_strdup(parser->arena, timestamp_format_fixed(ns, text)));
    return fail(parser, "'%s' is not a time (RFC 3339, as '2026-01-02T15:04:05Z', or nanoseconds)", token->text);
}

static bool duration_value(struct parser *parser, const struct token *token) {
    int64_t ns;
    if (token->kind == TOKEN_NUMBER) return add_int(parser, strtoll(token->text, NULL, 10));
    if (duration_parse(token->text, &ns)) return add_int(parser, ns);
    return fail(parser, "'%s' is not a duration (as '1h30m', '01:30:00', or nanoseconds)", token->text);
}

static bool number_value(struct parser *parser, const struct field *field, const struct token *token) {
    char *end;
    if (token->kind != TOKEN_NUMBER)
        return fail(parser, "'%s' is not a number, as %s needs", token->text, field->name);
    if (field->type == TYPE(INT)) {
        long long value = strtoll(token->text, &end, 10);
        if (*end) return fail(parser, "'%s' is not a whole number, as %s needs", token->text, field->name);
        return add_int(parser, value);
    }
    double value = strtod(token->text, &end);
    if (*end) return fail(parser, "'%s' is not a number, as %s needs", token->text, field->name);
    return add_param(parser, (struct store_param){.type = STORE_PARAM_DOUBLE, .real = value});
}

static bool bool_value(struct parser *parser, const struct field *field, const struct token *token) {
    bool yes = strcasecmp(token->text, "true") == 0;
    if (!yes && strcasecmp(token->text, "false") != 0)
        return fail(parser, "'%s' is not true or false, as %s needs", token->text, field->name);
    return add_int(parser, yes);
}

/* The present token as a value of the field; moves past it. */
static bool value(struct parser *parser, const struct field *field) {
    struct token token = parser->lexer.token;
    bool literal = token.kind == TOKEN_STRING || token.kind == TOKEN_NUMBER ||
                   (token.kind == TOKEN_NAME && field->type == TYPE(BOOL));
    if (!literal) return fail_here(parser, "a value");
    lexer_next(&parser->lexer);
    if (field->meaning == MEANING_STATUS) return status_value(parser, &token);
    if (field->meaning == MEANING_UUID) return uuid_value(parser, &token);
    if (field->meaning == MEANING_DURATION) return duration_value(parser, &token);
    if (field->type == TYPE(DATETIME)) return time_value(parser, field, &token);
    if (field->type == TYPE(INT) || field->type == TYPE(DOUBLE)) return number_value(parser, field, &token);
    if (field->type == TYPE(BOOL)) return bool_value(parser, field, &token);
    if (token.kind != TOKEN_STRING) return fail(parser, "%s needs a quoted value, not %s", field->name, token.text);
    return add_text(parser, token.text);
}

/* ---- comparisons --------------------------------------------------------------------------------------------------- */

/* A list of keywords holds a value: field = 'x', field IN (...). */
static bool list_comparison(struct parser *parser, const struct field *field) {
    struct lexer *lexer = &parser->lexer;
    bool negated = lexer_accept(lexer, "NOT");
    bool many = lexer_accept(lexer, "IN");
    if (!many && (negated || !(lexer_accept(lexer, "=") || (negated = lexer_accept(lexer, "!=")))))
        return fail(parser, "%s is a list of keywords: only =, !=, IN, NOT IN and IS NULL fit it", field->name);
    buf_append_str(&parser->sql, negated ? "NOT EXISTS" : "EXISTS");
    buf_append_str(&parser->sql, "(SELECT 1 FROM json_each(search_attributes_json, ");
    if (!add_path(parser, field)) return false;
    buf_append_str(&parser->sql, ") WHERE json_each.value IN (");
    if (many && !lexer_accept(lexer, "(")) return fail_here(parser, "(");
    do {
        if (parser->sql.data[parser->sql.len - 1] == '?') buf_append_str(&parser->sql, ", ");
        if (lexer->token.kind != TOKEN_STRING) return fail_here(parser, "a quoted value");
        if (!add_text(parser, lexer->token.text)) return false;
        lexer_next(lexer);
    } while (many && lexer_accept(lexer, ","));
    if (many && !lexer_accept(lexer, ")")) return fail_here(parser, ")");
    buf_append_str(&parser->sql, "))");
    return true;
}

/* Text matches when it has any of the words, in any case. */
static bool text_comparison(struct parser *parser, const struct field *field) {
    struct lexer *lexer = &parser->lexer;
    bool negated = lexer_accept(lexer, "!=");
    if (!negated && !lexer_accept(lexer, "="))
        return fail(parser, "%s is a text: only =, != and IS NULL fit it", field->name);
    if (lexer->token.kind != TOKEN_STRING) return fail_here(parser, "a quoted value");
    char *words = arena_strdup(parser->arena, lexer->token.text), *rest;
    lexer_next(lexer);
    buf_append_str(&parser->sql, negated ? "NOT (0" : "(0");
    for (char *word = strtok_r(words, " ,.;", &rest); word; word = strtok_r(NULL, " ,.;", &rest)) {
        buf_append_str(&parser->sql, " OR instr(' ' || lower(");
        if (!add_field(parser, field)) return false;
        buf_append_str(&parser->sql, ") || ' ', ' ' || lower(");
        if (!add_text(parser, word)) return false;
        buf_append_str(&parser->sql, ") || ' ') > 0");
    }
    buf_append_str(&parser->sql, ")");
    return true;
}

static bool in_list(struct parser *parser, const struct field *field, bool negated) {
    if (!add_field(parser, field)) return false;
    buf_append_str(&parser->sql, negated ? " NOT IN (" : " IN (");
    if (!lexer_accept(&parser->lexer, "(")) return fail_here(parser, "(");
    if (!value(parser, field)) return false;
    while (lexer_accept(&parser->lexer, ",")) {
        buf_append_str(&parser->sql, ", ");
        if (!value(parser, field)) return false;
    }
    if (!lexer_accept(&parser->lexer, ")")) return fail_here(parser, ")");
    buf_append_str(&parser->sql, ")");
    return true;
}

static bool between(struct parser *parser, const struct field *field, bool negated) {
    if (!add_field(parser, field)) return false;
    buf_append_str(&parser->sql, negated ? " NOT BETWEEN " : " BETWEEN ");
    if (!value(parser, field)) return false;
    if (!lexer_accept(&parser->lexer, "AND")) return fail_here(parser, "AND");
    buf_append_str(&parser->sql, " AND ");
    return value(parser, field);
}

static bool starts_with(struct parser *parser, const struct field *field, bool negated) {
    struct token token = parser->lexer.token;
    if (field->type != TYPE(KEYWORD) || field->meaning != MEANING_PLAIN)
        return fail(parser, "STARTS_WITH fits keywords only, not %s", field->name);
    if (token.kind != TOKEN_STRING) return fail_here(parser, "a quoted value");
    lexer_next(&parser->lexer);
    buf_append_str(&parser->sql, negated ? "NOT substr(" : "substr(");
    if (!add_field(parser, field)) return false;
    buf_append_str(&parser->sql, ", 1, length(");
    if (!add_text(parser, token.text)) return false;
    buf_append_str(&parser->sql, ")) = ");
    return add_text(parser, token.text);
}

static bool is_null(struct parser *parser, const struct field *field) {
    bool negated = lexer_accept(&parser->lexer, "NOT");
    if (!lexer_accept(&parser->lexer, "NULL")) return fail_here(parser, "NULL");
    if (!add_field(parser, field)) return false;
    buf_append_str(&parser->sql, negated ? " IS NOT NULL" : " IS NULL");
    return true;
}

static bool operator(struct parser *parser, const struct field *field) {
    static const char *const symbols[] = {"=", "!=", "<>", "<=", ">=", "<", ">"};
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        if (!lexer_accept(&parser->lexer, symbols[i])) continue;
        bool order = i >= 3;
        if (order && (field->type == TYPE(BOOL) || field->meaning == MEANING_STATUS))
            return fail(parser, "operator '%s' does not fit %s", symbols[i], field->name);
        if (!add_field(parser, field)) return false;
        buf_printf(&parser->sql, " %s ", symbols[i]);
        return value(parser, field);
    }
    return fail_here(parser, "an operator");
}

static bool comparison(struct parser *parser) {
    struct lexer *lexer = &parser->lexer;
    struct field field;
    if (lexer->token.kind != TOKEN_NAME) return fail_here(parser, "a search attribute");
    if (!find_field(parser, lexer->token.text, &field)) return false;
    lexer_next(lexer);
    if (lexer_accept(lexer, "IS")) return is_null(parser, &field);
    if (field.type == TYPE(KEYWORD_LIST)) return list_comparison(parser, &field);
    if (field.type == TYPE(TEXT)) return text_comparison(parser, &field);
    bool negated = lexer_accept(lexer, "NOT");
    if (lexer_accept(lexer, "IN")) return in_list(parser, &field, negated);
    if (lexer_accept(lexer, "BETWEEN")) return between(parser, &field, negated);
    if (lexer_accept(lexer, "STARTS_WITH")) return starts_with(parser, &field, negated);
    return negated ? fail_here(parser, "IN, BETWEEN or STARTS_WITH") : operator(parser, &field);
}

/* ---- the tree ------------------------------------------------------------------------------------------------------ */

static bool or_expression(struct parser *parser);

static bool not_expression(struct parser *parser) {
    if (parser->depth == FILTER_DEPTH_MAX) return fail(parser, "nested deeper than %d", FILTER_DEPTH_MAX);
    parser->depth++;
    bool good;
    if (lexer_accept(&parser->lexer, "NOT")) {
        buf_append_str(&parser->sql, "NOT (");
        good = not_expression(parser);
        buf_append_str(&parser->sql, ")");
    } else if (lexer_accept(&parser->lexer, "(")) {
        buf_append_str(&parser->sql, "(");
        good = or_expression(parser) && (lexer_accept(&parser->lexer, ")") || fail_here(parser, ")"));
        buf_append_str(&parser->sql, ")");
    } else {
        good = comparison(parser);
    }
    parser->depth--;
    return good;
}

static bool and_expression(struct parser *parser) {
    if (!not_expression(parser)) return false;
    while (lexer_accept(&parser->lexer, "AND")) {
        buf_append_str(&parser->sql, " AND ");
        if (!not_expression(parser)) return false;
    }
    return true;
}

static bool or_expression(struct parser *parser) {
    if (!and_expression(parser)) return false;
    while (lexer_accept(&parser->lexer, "OR")) {
        buf_append_str(&parser->sql, " OR ");
        if (!and_expression(parser)) return false;
    }
    return true;
}

/* Runs without a division are those of the empty one. */
#define DIVISION_SQL "coalesce(json_extract(search_attributes_json, '$.TemporalNamespaceDivision'), '')"

static bool group_by(struct parser *parser, bool counting, struct filter *out) {
    if (!lexer_accept(&parser->lexer, "GROUP")) return true;
    if (!counting) return fail(parser, "GROUP BY is for counting only");
    if (!lexer_accept(&parser->lexer, "BY")) return fail_here(parser, "BY");
    struct field field;
    if (parser->lexer.token.kind != TOKEN_NAME) return fail_here(parser, "a search attribute");
    if (!find_field(parser, parser->lexer.token.text, &field)) return false;
    lexer_next(&parser->lexer);
    if (parser->lexer.token.kind != TOKEN_END) return fail(parser, "'GROUP BY' clause supports only a single field");
    out->group_by_status = strcmp(field.name, "ExecutionStatus") == 0;
    if (out->group_by_status) out->group_by = "status";
    else if (strcmp(field.name, "TemporalNamespaceDivision") == 0) out->group_by = DIVISION_SQL;
    return out->group_by || fail(parser, "'GROUP BY' clause is not supported for search attribute %s (only for "
                                         "ExecutionStatus and TemporalNamespaceDivision)", field.name);
}

static bool whole(struct parser *parser, bool counting, struct filter *out) {
    struct lexer *lexer = &parser->lexer;
    if (lexer->token.kind != TOKEN_END && !lexer_is(lexer, "GROUP") && !lexer_is(lexer, "ORDER") && !or_expression(parser))
        return false;
    if (lexer_is(lexer, "ORDER")) return fail(parser, "'ORDER BY' clause is not supported");
    if (lexer_is(lexer, "LIMIT")) return fail(parser, "'LIMIT' clause is not supported");
    if (!group_by(parser, counting, out)) return false;
    return lexer->token.kind == TOKEN_END || fail_here(parser, "AND, OR or the end");
}

struct status filter_parse(const char *query, bool counting, filter_type_fn *type, void *ctx, struct arena *arena,
                           struct filter *out) {
    *out = (struct filter){.where = ""};
    if (strlen(query) > FILTER_LENGTH_MAX)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "invalid query: longer than %d bytes", FILTER_LENGTH_MAX);
    struct parser parser = {.arena = arena, .type = type, .ctx = ctx};
    parser.params = arena_alloc(arena, FILTER_PARAMS_MAX * sizeof *parser.params);
    lexer_init(&parser.lexer, query, arena);
    if (whole(&parser, counting, out)) {
        out->where = arena_text(arena, buf_bytes(&parser.sql));
        out->params = parser.params;
        out->param_count = parser.param_count;
    }
    buf_free(&parser.sql);
    return parser.status;
}
