/* json_layout: copies good JSON text with other spaces. */
#include "base/json.h"

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* The index past the string that begins at `at`. */
static size_t string_end(struct bytes json, size_t at) {
    for (at++; at < json.len && json.data[at] != '"'; at++)
        if (json.data[at] == '\\') at++;
    return at < json.len ? at + 1 : json.len;
}

void json_compact(struct bytes json, struct buf *out) {
    for (size_t at = 0; at < json.len;) {
        size_t end = json.data[at] == '"' ? string_end(json, at) : at + 1;
        if (!is_space(json.data[at])) buf_append(out, json.data + at, end - at);
        at = end;
    }
}

static void new_line(struct buf *out, unsigned depth) {
    buf_append_u8(out, '\n');
    for (unsigned i = 0; i < depth; i++) buf_append_str(out, "  ");
}

static uint8_t next_visible(struct bytes json, size_t at) {
    while (at < json.len && is_space(json.data[at])) at++;
    return at < json.len ? json.data[at] : 0;
}

void json_indent(struct bytes json, struct buf *out) {
    unsigned depth = 0;
    for (size_t at = 0; at < json.len;) {
        uint8_t c = json.data[at];
        size_t end = c == '"' ? string_end(json, at) : at + 1;
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        if (closes && depth && out->len && out->data[out->len - 1] != (c == '}' ? '{' : '[')) new_line(out, depth - 1);
        if (closes && depth) depth--;
        if (!is_space(c)) buf_append(out, json.data + at, end - at);
        if (opens) depth++;
        uint8_t next = next_visible(json, end);
        if (c == ',' || (opens && next != '}' && next != ']')) new_line(out, depth);
        if (c == ':') buf_append_u8(out, ' ');
        at = end;
    }
}
