/* timestamp: times and durations as text. */
#include "base/timestamp.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

/* Days since 1970-01-01 of a date; by counting in 400-year eras that begin in March, so that leap days come last. */
static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = years + era * 400 + (*month <= 2);
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

static bool offset(const char **text, int64_t *seconds) {
    *seconds = 0;
    if (accept(text, 'Z') || accept(text, 'z')) return true;
    bool west = **text == '-';
    if (!west && **text != '+') return false;
    (*text)++;
    int hours = digits(text, 2);
    if (hours < 0 || !accept(text, ':')) return false;
    int minutes = digits(text, 2);
    if (hours > 23 || minutes < 0 || minutes > 59) return false;
    *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool timestamp_parse(const char *text, int64_t *ns) {
    int year = digits(&text, 4);
    if (year < 0 || !accept(&text, '-')) return false;
    int month = digits(&text, 2);
    if (month < 1 || month > 12 || !accept(&text, '-')) return false;
    int day = digits(&text, 2);
    if (day < 1 || day > days_in(year, month)) return false;
    if (!accept(&text, 'T') && !accept(&text, 't') && !accept(&text, ' ')) return false;
    int hour = digits(&text, 2);
    if (hour < 0 || hour > 23 || !accept(&text, ':')) return false;
    int minute = digits(&text, 2);
    if (minute < 0 || minute > 59 || !accept(&text, ':')) return false;
    int second = digits(&text, 2);
    int64_t nanos, east;
    if (second < 0 || second > 60 || !fraction(&text, &nanos) || !offset(&text, &east) || *text) return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
    if (seconds > INT64_MAX / SECOND - 1 || seconds < INT64_MIN / SECOND + 1) return false;
    *ns = seconds * SECOND + nanos;
    return true;
}

/* Date and time of day, without the fraction; gives the fraction and the length. */
static int format_seconds(int64_t ns, char text[TIMESTAMP_TEXT_MAX], int *nanos) {
    int64_t seconds = ns / SECOND, rest = ns % SECOND;
    if (rest < 0) rest += SECOND, seconds--;
    *nanos = (int)rest;
    int64_t days = seconds / 86400, of_day = seconds % 86400, year;
    if (of_day < 0) of_day += 86400, days--;
    int month, day;
    date_of(days, &year, &month, &day);
    return snprintf(text, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
                    (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}

const char *timestamp_format(int64_t ns, char text[TIMESTAMP_TEXT_MAX]) {
    int nanos, len = format_seconds(ns, text, &nanos);
    char *to = text + len;
    size_t room = TIMESTAMP_TEXT_MAX - (size_t)len;
    if (nanos == 0) snprintf(to, room, "Z");
    else if (nanos % 1000000 == 0) snprintf(to, room, ".%03dZ", nanos / 1000000);
    else if (nanos % 1000 == 0) snprintf(to, room, ".%06dZ", nanos / 1000);
    else snprintf(to, room, ".%09dZ", nanos);
    return text;
}

const char *timestamp_format_fixed(int64_t ns, char text[TIMESTAMP_TEXT_MAX]) {
    int nanos, len = format_seconds(ns, text, &nanos);
    snprintf(text + len, TIMESTAMP_TEXT_MAX - (size_t)len, ".%09dZ", nanos);
    return text;
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
