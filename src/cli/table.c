/* table: text for people. */
#include "cli/table.h"

#include <stdio.h>

#include "base/json.h"
#include "base/json_text.h"
#include "base/pbjson.h"

enum { GAP = 2 };

/* ---- texts -------------------------------------------------------------------------------------------------------------- */

/* A copy on one line, without control characters or bytes that are not UTF-8; its width in characters. */
static const char *clean(struct cli *cli, const char *text, unsigned *width) {
    struct buf out = {0};
    struct bytes left = bytes_str(text);
    *width = 0;
    while (left.len) {
        uint32_t character;
        size_t len = utf8_next(left, &character);
        bool control = len == 0 || character < ' ' || (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
                       character == 0x2029 || (character >= 0x202a && character <= 0x202e);
        size_t before = out.len;
        if (!control) buf_append(&out, left.data, len), *width += 1;
        else if (character == '\n' && len) buf_append_str(&out, "\\n");
        else buf_printf(&out, "\\x%02x", len ? character : left.data[0]);
        if (control) *width += (unsigned)(out.len - before);
        if (len == 0) len = 1;
        left = bytes_of(left.data + len, left.len - len);
    }
    const char *copy = arena_text(&cli->arena, buf_bytes(&out));
    buf_free(&out);
    return copy;
}

static unsigned width_of(const char *text) {
    unsigned width = 0;
    for (; *text; text++) width += ((uint8_t)*text & 0xc0) != 0x80;
    return width;
}

/* The bytes of the first `width` characters. */
static size_t bytes_within(const char *text, unsigned width) {
    size_t len = 0;
    for (; text[len]; len++)
        if (((uint8_t)text[len] & 0xc0) != 0x80 && width-- == 0) break;
    return len;
}

void cli_print_heading(struct cli *cli, const char *text) {
    buf_printf(&cli->out, cli->colours ? "\x1b[1m%s\x1b[0m\n" : "%s\n", text);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------- */

struct table table_new(struct cli *cli, const char *const *titles) {
    struct table table = {.cli = cli};
    for (; titles[table.column_count]; table.column_count++) {
        CHECK(table.column_count < TABLE_COLUMNS_MAX);
        table.titles[table.column_count] = titles[table.column_count];
        table.widths[table.column_count] = width_of(titles[table.column_count]);
    }
    return table;
}

static void add_row(struct table *table) {
    if (table->row_count == table->row_cap) {
        unsigned cap = table->row_cap ? table->row_cap * 2 : 16;
        const char **cells = arena_alloc(&table->cli->arena, (size_t)cap * table->column_count * sizeof *cells);
        if (table->row_count) memcpy(cells, table->cells, (size_t)table->row_count * table->column_count * sizeof *cells);
        table->cells = cells;
        table->row_cap = cap;
    }
    table->row_count++;
}

void table_cell(struct table *table, const char *text) {
    unsigned width;
    if (table->cell == 0) add_row(table);
    const char *cell = clean(table->cli, text && *text ? text : "-", &width);
    if (width > table->widths[table->cell]) table->widths[table->cell] = width;
    table->cells[(table->row_count - 1) * table->column_count + table->cell] = cell;
    table->cell = (table->cell + 1) % table->column_count;
}

void table_cellf(struct table *table, const char *format, ...) {
    va_list args;
    va_start(args, format);
    table_cell(table, arena_vprintf(&table->cli->arena, format, args));
    va_end(args);
}

static unsigned last_width(const struct table *table) {
    unsigned before = 0, last = table->column_count - 1, width = table->cli->width;
    for (unsigned i = 0; i < last; i++) before += table->widths[i] + GAP;
    enum { LEAST = 20 };
    return width > before + LEAST ? width - before : LEAST;
}

/* `style` is an escape sequence; "" for none. */
static void print_cell(const struct table *table, unsigned column, const char *text, const char *style) {
    struct buf *out = &table->cli->out;
    bool coloured = table->cli->colours && *style;
    bool last = column + 1 == table->column_count;
    unsigned width = width_of(text), room = last_width(table);
    if (coloured) buf_append_str(out, style);
    if (last && table->cli->terminal && !table->uncut && width > room) {
        buf_append(out, text, bytes_within(text, room - 1));
        buf_append_str(out, "\xe2\x80\xa6");
    } else {
        buf_append_str(out, text);
    }
    if (coloured) buf_append_str(out, "\x1b[0m");
    if (!last) buf_printf(out, "%*s", (int)(table->widths[column] - width + GAP), "");
}

static const char *style_of(const char *text) {
    static const char *const styles[][2] = {
        {"Running", "\x1b[34m"},   {"Completed", "\x1b[32m"}, {"Failed", "\x1b[31m"},  {"TimedOut", "\x1b[31m"},
        {"Terminated", "\x1b[31m"}, {"Canceled", "\x1b[33m"}, {"serving", "\x1b[32m"}, {"done", "\x1b[32m"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(styles); i++)
        if (strcmp(text, styles[i][0]) == 0) return styles[i][1];
    return "";
}

/* The rows as objects, whose members are named by the titles: {"task queue": "..."} without the empty ones. */
static void print_rows_json(struct table *table) {
    struct buf text = {0};
    bool lines = table->cli->output == CLI_JSONL;
    if (!lines) buf_append_u8(&text, '[');
    for (unsigned row = 0; row < table->row_count; row++) {
        if (row && !lines) buf_append_u8(&text, ',');
        buf_append_u8(&text, '{');
        for (unsigned i = 0, members = 0; i < table->column_count; i++) {
            const char *cell = table->cells[row * table->column_count + i];
            if (strcmp(cell, "-") == 0) continue;
            char title[32];
            size_t len = 0;
            for (const char *c = table->titles[i]; *c && len + 1 < sizeof title; c++)
                title[len++] = (char)(*c == ' ' ? '_' : *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
            if (members++) buf_append_u8(&text, ',');
            buf_append_json(&text, bytes_of(title, len));
            buf_append_u8(&text, ':');
            buf_append_json(&text, bytes_str(cell));
        }
        buf_append_str(&text, lines ? "}\n" : "}");
    }
    if (!lines) buf_append_u8(&text, ']');
    if (lines) buf_append_bytes(&table->cli->out, buf_bytes(&text));
    else cli_print_json(table->cli, buf_bytes(&text));
    buf_free(&text);
}

void table_print(struct table *table) {
    struct buf *out = &table->cli->out;
    if (table->cli->output != CLI_TEXT) {
        print_rows_json(table);
        return;
    }
    for (unsigned i = 0; !table->untitled && i < table->column_count; i++)
        print_cell(table, i, table->titles[i], "\x1b[1m");
    if (!table->untitled) buf_append_u8(out, '\n');
    for (unsigned row = 0; row < table->row_count; row++) {
        for (unsigned i = 0; i < table->column_count; i++) {
            const char *text = table->cells[row * table->column_count + i];
            print_cell(table, i, text, table->untitled && i == 0 ? "\x1b[2m" : style_of(text));
        }
        buf_append_u8(out, '\n');
    }
}

struct table pairs_new(struct cli *cli) {
    struct table table = table_new(cli, (const char *const[]){"", "", NULL});
    table.untitled = table.uncut = true;
    return table;
}

void pair(struct table *table, const char *name, const char *value) {
    if (!value || !*value) return;
    table_cell(table, name);
    table_cell(table, value);
}

void pairf(struct table *table, const char *name, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pair(table, name, arena_vprintf(&table->cli->arena, format, args));
    va_end(args);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

void cli_print_json(struct cli *cli, struct bytes json) {
    if (cli->output == CLI_JSONL) json_compact(json, &cli->out);
    else json_indent(json, &cli->out);
    buf_append_u8(&cli->out, '\n');
}

void cli_print_message(struct cli *cli, const ProtobufCMessage *message) {
    struct buf text = {0};
    pbjson_write(&text, message, PBJSON_SHORTHAND);
    cli_print_json(cli, buf_bytes(&text));
    buf_free(&text);
}
