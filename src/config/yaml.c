/* yaml: settings from a YAML file, by libyaml's events: no document is built, so that a hostile one costs no more than
 * its bytes. Anchors, tags and sequences mean nothing here and are refused. */
#include <stdio.h>
#include <yaml.h>

#include "config/config.h"

enum { DEPTH_MAX = 8, KEY_MAX = 256 };

struct yaml_reader {
    struct config *config;
    const char *file;
    struct arena *arena;
    struct status status;
    char key[KEY_MAX];               /* keys of the open mappings and the pending one, joined with dots */
    size_t key_len;
    size_t starts[DEPTH_MAX];        /* key_len where each open mapping began */
    unsigned depth;
    bool has_key;                    /* a key was read, its value comes next */
    bool seen[CONFIG_SETTING_COUNT];
};

static bool fail(struct yaml_reader *reader, const yaml_mark_t *mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(struct yaml_reader *reader, const yaml_mark_t *mark, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(reader->arena, format, args);
    va_end(args);
    reader->status = status_make(reader->arena, STATUS_INVALID_ARGUMENT, "%s:%zu: %s", reader->file, mark->line + 1, text);
    return false;
}

static bool begin_mapping(struct yaml_reader *reader, const yaml_mark_t *mark) {
    if (reader->depth > 0 && !reader->has_key) return fail(reader, mark, "a mapping cannot be a key");
    if (reader->depth == DEPTH_MAX) return fail(reader, mark, "more than %d mappings inside each other", DEPTH_MAX);
    reader->starts[reader->depth++] = reader->key_len;
    reader->has_key = false;
    return true;
}

static bool end_mapping(struct yaml_reader *reader) {
    reader->depth--;
    reader->key_len = reader->depth ? reader->starts[reader->depth - 1] : 0;
    reader->has_key = false;
    return true;
}

static bool read_key(struct yaml_reader *reader, struct bytes key, const yaml_mark_t *mark) {
    size_t dot = reader->key_len > 0;
    if (reader->key_len + dot + key.len >= KEY_MAX) return fail(reader, mark, "a key is longer than %d bytes", KEY_MAX);
    if (dot) reader->key[reader->key_len++] = '.';
    memcpy(reader->key + reader->key_len, key.data, key.len);
    reader->key_len += key.len;
    reader->has_key = true;
    return true;
}

static bool read_value(struct yaml_reader *reader, struct bytes value, const yaml_mark_t *mark) {
    struct bytes name = bytes_of(reader->key, reader->key_len);
    enum config_id id = config_find(name);
    if (id == CONFIG_SETTING_COUNT)
        return fail(reader, mark, "there is no setting \"%.*s\"; the nearest is \"%s\"", (int)name.len, reader->key,
                    config_nearest(name));
    if (reader->seen[id]) return fail(reader, mark, "\"%.*s\" is there twice", (int)name.len, reader->key);
    reader->seen[id] = true;
    const char *where = arena_printf(reader->arena, "%s:%zu", reader->file, mark->line + 1);
    reader->status = config_set(reader->config, id, value, CONFIG_FROM_FILE, where, reader->arena);
    reader->key_len = reader->starts[reader->depth - 1];
    reader->has_key = false;
    return status_ok(reader->status);
}

static bool handle(struct yaml_reader *reader, const yaml_event_t *event) {
    const yaml_mark_t *mark = &event->start_mark;
    switch (event->type) {
    case YAML_MAPPING_START_EVENT: return begin_mapping(reader, mark);
    case YAML_MAPPING_END_EVENT: return end_mapping(reader);
    case YAML_SCALAR_EVENT: {
        struct bytes text = bytes_of(event->data.scalar.value, event->data.scalar.length);
        if (reader->depth == 0) {
            if (text.len == 0) return true;                    /* an empty document */
            return fail(reader, mark, "expected \"setting: value\" lines");
        }
        return reader->has_key ? read_value(reader, text, mark) : read_key(reader, text, mark);
    }
    case YAML_SEQUENCE_START_EVENT: return fail(reader, mark, "no setting takes a list");
    case YAML_ALIAS_EVENT: return fail(reader, mark, "aliases are not supported");
    default: return true;
    }
}

struct status config_read_yaml(struct config *config, struct bytes text, const char *file, struct arena *arena) {
    struct yaml_reader reader = {.config = config, .file = file, .arena = arena};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return status_make(arena, STATUS_RESOURCE_EXHAUSTED, "%s: no memory", file);
    yaml_parser_set_input_string(&parser, text.data, text.len);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            fail(&reader, &parser.problem_mark, "%s", parser.problem ? parser.problem : "not YAML");
            break;
        }
        more = handle(&reader, &event) && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return reader.status;
}
