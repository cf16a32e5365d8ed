/* timestamp: times and durations as text. */
#include "base/timestamp.h"

#include <stdio.h>
#include <string.h>

#include "base/civil.h"

#define SECOND INT64_C(1000000000)

bool timestamp_parse(const char *text, int64_t *ns) {
    int64_t seconds;
    unsigned nanos;
    if (!civil_parse(bytes_str(text), &seconds, &nanos)) return false;
    if (seconds > INT64_MAX / SECOND - 1 || seconds < INT64_MIN / SECOND + 1) return false;
    *ns = seconds * SECOND + nanos;
    return true;
}

const char *timestamp_format_fixed(int64_t ns, char text[TIMESTAMP_TEXT_MAX]) {
    struct civil at = civil_of(ns);
    snprintf(text, TIMESTAMP_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02u.%09uZ", (int)at.year, at.month, at.day, at.hour,
             at.minute, at.second, at.nanosecond);
    return text;
}

/* Exactly `count` digits; -1 when they are not there. */
static int digits(const char **text, int count) {
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool accept(const char **text, char c) {
    if (**text != c) return false;
    (*text)++;
    return true;
}

static bool fraction(const char **text, int64_t *ns) {
    *ns = 0;
    if (!accept(text, '.')) return true;
    int count = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++, count++)
        if (count < 9) *ns = *ns * 10 + (**text - '0');
    for (int i = count; i < 9; i++) *ns *= 10;
    return count > 0;
}

static bool clock_form(const char *text, int64_t *ns) {
    int hours = digits(&text, 2);
    if (hours < 0 || !accept(&text, ':')) return false;
    int minutes = digits(&text, 2);
    if (minutes < 0 || minutes > 59 || !accept(&text, ':')) return false;
    int seconds = digits(&text, 2);
    if (seconds < 0 || seconds > 59 || *text) return false;
    *ns = (int64_t)(hours * 3600 + minutes * 60 + seconds) * SECOND;
    return true;
}

static int64_t unit(const char **text) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"µs", 1000}, {"ms", 1000000}, {"s", SECOND},
                 {"m", 60 * SECOND}, {"h", 3600 * SECOND}, {"d", 86400 * SECOND}};
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*text, units[i].name, len) != 0) continue;
        *text += len;
        return units[i].ns;
    }
    return 0;
}

bool duration_parse(const char *text, int64_t *ns) {
    if (clock_form(text, ns)) return true;
    bool negative = accept(&text, '-');
    int64_t total = 0;
    if (!*text) return false;
    while (*text) {
        int64_t value = 0, nanos;
        const char *start = text;
        for (; *text >= '0' && *text <= '9'; text++) {
            if (value > INT64_MAX / 10 - 1) return false;
            value = value * 10 + (*text - '0');
        }
        if (text == start || !fraction(&text, &nanos)) return false;
        int64_t scale = unit(&text);
        if (!scale || value > (INT64_MAX - SECOND) / scale) return false;
        int64_t part = value * scale + (int64_t)((__int128)nanos * scale / SECOND);
        if (total > INT64_MAX - part) return false;
        total += part;
    }
    *ns = negative ? -total : total;
    return true;
}
