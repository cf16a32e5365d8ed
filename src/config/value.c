/* value: how each type of setting is read from text and written as text. */
#include <stdio.h>

#include "config/config.h"

static void *field_of(const struct config *config, const struct config_setting *setting) {
    return (char *)(uintptr_t)config + setting->offset;
}

/* ---- numbers with units --------------------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
    bool written;                  /* used when a value is written */
};
static const struct unit no_units[] = {{"", 1, true}, {NULL, 0, false}};
static const struct unit byte_units[] = {
    {"", 1, true},           {"KiB", CONFIG_KIB, true}, {"MiB", CONFIG_MIB, true}, {"GiB", CONFIG_GIB, true},
    {"B", 1, false},         {"K", CONFIG_KIB, false},  {"M", CONFIG_MIB, false},  {"G", CONFIG_GIB, false},
    {"KB", 1000, false},     {"MB", 1000000, false},    {"GB", 1000000000, false}, {NULL, 0, false},
};
static const struct unit time_units[] = {
    {"ns", 1, true},
    {"us", 1000, true},
    {"ms", CONFIG_MS, true},
    {"s", CONFIG_SECOND, true},
    {"m", 60 * CONFIG_SECOND, true},
    {"h", CONFIG_HOUR, true},
    {"d", 24 * CONFIG_HOUR, false},
    {NULL, 0, false},
};

static const struct unit *unit_find(const struct unit *units, struct bytes name) {
    for (; units->name; units++)
        if (bytes_equal(name, bytes_str(units->name))) return units;
    return NULL;
}

/* "<digits>[.<digits>]<unit>", exact; "1.5s". False when it is not that, or does not fit. */
static bool read_number(struct bytes text, const struct unit *units, int64_t *out) {
    size_t at = 0;
    int64_t whole = 0, part = 0, scale = 1;
    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, text.data[at] - '0', &whole))
            return false;
    if (at == 0) return false;
    if (at < text.len && text.data[at] == '.') {
        size_t first = ++at;
        for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
            if (at - first >= 9) return false;
            part = part * 10 + (text.data[at] - '0');
            scale *= 10;
        }
        if (at == first) return false;
    }
    const struct unit *unit = unit_find(units, bytes_of(text.data + at, text.len - at));
    if (!unit && whole == 0 && part == 0 && at == text.len) unit = units;      /* 0 needs no unit */
    if (!unit || (unit->factor < scale && part)) return false;
    int64_t value;
    if (__builtin_mul_overflow(whole, unit->factor, &value)) return false;
    int64_t fraction = (int64_t)((__int128)part * unit->factor / scale);
    if (part && (__int128)fraction * scale != (__int128)part * unit->factor) return false;
    return !__builtin_add_overflow(value, fraction, out);
}

/* In the largest unit that divides the value; `zero` is how 0 is written. */
static void write_number(int64_t value, const struct unit *units, const char *zero, struct buf *out) {
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name; unit++)
        if (unit->written && value % unit->factor == 0) best = unit;
    if (value == 0)
        buf_append_str(out, zero);
    else
        buf_printf(out, "%lld%s", (long long)(value / best->factor), best->name);
}
static void write_bytes(int64_t value, struct buf *out) { write_number(value, byte_units, "0", out); }
static void write_duration(int64_t ns, struct buf *out) { write_number(ns, time_units, "0s", out); }

/* ---- the other types ------------------------------------------------------------------------------------------------ */

static bool read_bool(struct bytes text, bool *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (!bytes_equal(text, bytes_str(words[i]))) continue;
        *out = i % 2;
        return true;
    }
    return false;
}

static bool read_choice(const char *choices, struct bytes text, uint32_t *out) {
    uint32_t index = 0;
    for (const char *at = choices; at; index++) {
        const char *end = strchr(at, '|');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (bytes_equal(text, bytes_of(at, len))) {
            *out = index;
            return true;
        }
        at = end ? end + 1 : NULL;
    }
    return false;
}

static void write_choice(const char *choices, uint32_t index, struct buf *out) {
    const char *at = choices;
    while (index--) at = strchr(at, '|') + 1;
    buf_append(out, at, strcspn(at, "|"));
}

/* As io_addr_parse, and localhost:PORT. */
static bool read_addr(struct bytes text, struct io_addr *out) {
    char copy[IO_ADDR_TEXT_MAX];
    static const char local[] = "localhost:";
    size_t local_len = sizeof local - 1;
    bool is_local = text.len > local_len && memcmp(text.data, local, local_len) == 0;
    const char *host = is_local ? "127.0.0.1:" : "";
    struct bytes rest = is_local ? bytes_of(text.data + local_len, text.len - local_len) : text;
    if (rest.len + strlen(host) >= sizeof copy || (rest.len && memchr(rest.data, 0, rest.len))) return false;
    snprintf(copy, sizeof copy, "%s%.*s", host, (int)rest.len, (const char *)rest.data);
    return io_addr_parse(copy, out);
}

static bool read_into(const struct config_setting *setting, struct bytes text, void *field, struct arena *arena) {
    int64_t number = 0;
    switch (setting->type) {
    case CONFIG_TEXT:
        if (text.len > (uint64_t)setting->most || (text.len && memchr(text.data, 0, text.len))) return false;
        *(config_text *)field = arena_text(arena, text);
        return true;
    case CONFIG_ADDR: return read_addr(text, field);
    case CONFIG_BOOL: return read_bool(text, field);
    case CONFIG_CHOICE: return read_choice(setting->choices, text, field);
    case CONFIG_COUNT:
    case CONFIG_BYTES:
        if (!read_number(text, setting->type == CONFIG_COUNT ? no_units : byte_units, &number)) return false;
        if (number < setting->least || number > setting->most) return false;
        *(uint64_t *)field = (uint64_t)number;
        return true;
    case CONFIG_DURATION:
        if (!read_number(text, time_units, &number)) return false;
        if (number < setting->least || number > setting->most) return false;
        *(config_duration *)field = number;
        return true;
    }
    UNREACHABLE("setting type %d", (int)setting->type);
}

/* ---- the module's functions ----------------------------------------------------------------------------------------- */

void config_allowed_text(const struct config_setting *setting, struct buf *out) {
    switch (setting->type) {
    case CONFIG_TEXT: buf_printf(out, "a text of at most %lld bytes", (long long)setting->most); return;
    case CONFIG_ADDR: buf_append_str(out, "ADDRESS:PORT, such as 127.0.0.1:7233 or [::1]:0"); return;
    case CONFIG_BOOL: buf_append_str(out, "true or false"); return;
    case CONFIG_CHOICE:
        for (const char *c = setting->choices; *c; c++) {
            if (*c == '|') buf_append_str(out, ", ");
            else buf_append_u8(out, (uint8_t)*c);
        }
        return;
    case CONFIG_COUNT:
        buf_printf(out, "%lld to %lld", (long long)setting->least, (long long)setting->most);
        return;
    case CONFIG_BYTES:
        write_bytes(setting->least, out);
        buf_append_str(out, " to ");
        write_bytes(setting->most, out);
        return;
    case CONFIG_DURATION:
        write_duration(setting->least, out);
        buf_append_str(out, " to ");
        write_duration(setting->most, out);
        return;
    }
}

void config_value_text(const struct config *config, enum config_id id, struct buf *out) {
    char env[CONFIG_ENV_NAME_MAX], addr[IO_ADDR_TEXT_MAX];
    struct config_setting setting = config_setting(id, env);
    const void *field = field_of(config, &setting);
    switch (setting.type) {
    case CONFIG_TEXT: buf_append_str(out, *(const config_text *)field); return;
    case CONFIG_ADDR: buf_append_str(out, io_addr_text(field, addr)); return;
    case CONFIG_BOOL: buf_append_str(out, *(const bool *)field ? "true" : "false"); return;
    case CONFIG_CHOICE: write_choice(setting.choices, *(const config_choice *)field, out); return;
    case CONFIG_COUNT: buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)field); return;
    case CONFIG_BYTES: write_bytes((int64_t)*(const uint64_t *)field, out); return;
    case CONFIG_DURATION: write_duration(*(const int64_t *)field, out); return;
    }
}

static struct status bad_value(const struct config_setting *setting, struct bytes value, const char *where,
                               struct arena *arena) {
    enum { SHOWN_MAX = 100 };
    struct buf allowed = {0};
    config_allowed_text(setting, &allowed);
    struct status status = status_make(arena, STATUS_INVALID_ARGUMENT, "%s: %s is \"%.*s\"%s; allowed: %s", where,
                                       setting->name, (int)(value.len > SHOWN_MAX ? SHOWN_MAX : value.len),
                                       (const char *)value.data, value.len > SHOWN_MAX ? "..." : "",
                                       buf_cstr(&allowed));
    buf_free(&allowed);
    return status;
}

struct status config_set(struct config *config, enum config_id id, struct bytes value, enum config_source source,
                         const char *where, struct arena *arena) {
    char env[CONFIG_ENV_NAME_MAX];
    struct config_setting setting = config_setting(id, env);
    if (!read_into(&setting, value, field_of(config, &setting), arena)) return bad_value(&setting, value, where, arena);
    config->from[id].source = source;
    config->from[id].where = where;
    return STATUS_GOOD;
}

void config_init(struct config *config) {
    memset(config, 0, sizeof *config);
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        struct config_setting setting = config_setting((enum config_id)id, env);
        config->from[id].where = "default";
        void *field = field_of(config, &setting);
        /* Texts that are borrowed from the table need no arena. */
        if (setting.type == CONFIG_TEXT)
            *(config_text *)field = setting.default_text;
        else
            CHECKF(read_into(&setting, bytes_str(setting.default_text), field, NULL), "default of %s", setting.name);
    }
}
