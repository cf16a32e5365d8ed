/* table: the rows of the table of settings, their names, and finding one. */
#include <stdio.h>

#include "config/config.h"

static const struct config_setting settings[] = {
#define X(type, field, name, def, least, most, choices, scope, help)                                           \
    {CONFIG_##type, name, NULL, def, least, most, choices, scope, help, offsetof(struct config, field)},
    CONFIG_SETTINGS(X)
#undef X
};
_Static_assert(ARRAY_LEN(settings) == CONFIG_SETTING_COUNT, "one row for each setting");

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/* limit.maxIDLength -> NORN_LIMIT_MAX_ID_LENGTH: a hump begins a word, as does the last capital of several. */
static void env_name(const char *name, char out[CONFIG_ENV_NAME_MAX]) {
    size_t len = (size_t)snprintf(out, CONFIG_ENV_NAME_MAX, "NORN_");
    for (const char *c = name; *c; c++) {
        CHECK(len + 3 < CONFIG_ENV_NAME_MAX);
        bool begins_word = is_upper(*c) && c > name && (is_lower(c[-1]) || (is_upper(c[-1]) && is_lower(c[1])));
        if (begins_word) out[len++] = '_';
        if (is_lower(*c))
            out[len++] = (char)(*c - 'a' + 'A');
        else
            out[len++] = *c == '.' || *c == '-' ? '_' : *c;
    }
    out[len] = 0;
}

struct config_setting config_setting(enum config_id id, char name[CONFIG_ENV_NAME_MAX]) {
    CHECK(id < CONFIG_SETTING_COUNT);
    struct config_setting setting = settings[id];
    env_name(setting.name, name);
    setting.env = name;
    return setting;
}

enum config_id config_find(struct bytes name) {
    unsigned id = 0;
    while (id < CONFIG_SETTING_COUNT && !bytes_equal(name, bytes_str(settings[id].name))) id++;
    return (enum config_id)id;
}

enum { NAME_COMPARED_MAX = 80 };

/* Levenshtein's distance, over the first NAME_COMPARED_MAX bytes, by rows. */
static unsigned edits(struct bytes a, struct bytes b) {
    unsigned row[NAME_COMPARED_MAX + 1];
    if (a.len > NAME_COMPARED_MAX) a.len = NAME_COMPARED_MAX;
    if (b.len > NAME_COMPARED_MAX) b.len = NAME_COMPARED_MAX;
    for (unsigned j = 0; j <= b.len; j++) row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned above = row[j], best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b.len];
}

void config_nearest_env(struct bytes name, char out[CONFIG_ENV_NAME_MAX]) {
    unsigned best_edits = UINT32_MAX;
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        env_name(settings[id].name, env);
        unsigned count = edits(name, bytes_str(env));
        if (count >= best_edits) continue;
        best_edits = count;
        memcpy(out, env, sizeof env);
    }
}

const char *config_nearest(struct bytes name) {
    unsigned best = 0, best_edits = edits(name, bytes_str(settings[0].name));
    for (unsigned id = 1; id < CONFIG_SETTING_COUNT; id++) {
        unsigned count = edits(name, bytes_str(settings[id].name));
        if (count < best_edits) best = id, best_edits = count;
    }
    return settings[best].name;
}
