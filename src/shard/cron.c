/* cron: the standard five fields (minute, hour, day of month, month, day of week), names of months and days, ranges,
 * lists and steps; @hourly and the like; @every with a Go duration. Times are UTC: CRON_TZ= and TZ= may only name UTC. */
#include "shard/cron.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

enum { SECOND = 1000000000, YEARS_AHEAD = 5 };

struct schedule {
    int64_t every;                     /* ns; 0: by fields */
    uint64_t minute, hour, day, month, weekday;
    bool any_day, any_weekday;         /* "*": with both restricted, either suffices */
};

/* ---- parsing ---- */

struct field {
    unsigned low, high;
    const char *const *names;
};
static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static bool parse_value(const char **at, const struct field *field, unsigned *value) {
    if (**at >= '0' && **at <= '9') {
        unsigned long number = strtoul(*at, (char **)(uintptr_t)at, 10);
        *value = number > 99 ? 99 : (unsigned)number;
        return true;
    }
    for (unsigned i = 0; field->names && field->names[i]; i++) {
        if (strncasecmp(*at, field->names[i], 3) == 0) {
            *value = field->low + i;
            *at += 3;
            return true;
        }
    }
    return false;
}

static bool parse_part(const char **at, const struct field *field, uint64_t *bits, bool *star) {
    unsigned from = field->low, to = field->high, step = 1;
    if (**at == '*' || **at == '?') {
        (*at)++;
        if (**at != '/') *star = true;
    } else {
        if (!parse_value(at, field, &from)) return false;
        to = from;
        if (**at == '-') {
            (*at)++;
            if (!parse_value(at, field, &to)) return false;
        } else if (**at == '/') to = field->high;
    }
    if (**at == '/') {
        (*at)++;
        if (**at < '1' || **at > '9') return false;
        step = (unsigned)strtoul(*at, (char **)(uintptr_t)at, 10);
    }
    if (from < field->low || to > field->high || from > to || step == 0) return false;
    for (unsigned value = from; value <= to; value += step) *bits |= 1ull << value;
    return true;
}

static bool parse_field(const char **at, const struct field *field, uint64_t *bits, bool *star) {
    while (**at == ' ' || **at == '\t') (*at)++;
    *bits = 0;
    *star = false;
    for (;;) {
        if (!parse_part(at, field, bits, star)) return false;
        if (**at != ',') break;
        (*at)++;
    }
    return **at == 0 || **at == ' ' || **at == '\t';
}

/* "1h30m", "90s", "1.5h" */
static bool parse_duration(const char *at, int64_t *ns) {
    static const struct { const char *unit; double ns; } units[] = {
        {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
    };
    double total = 0;
    if (!*at) return false;
    while (*at) {
        if (!((*at >= '0' && *at <= '9') || *at == '.')) return false;
        double number = strtod(at, (char **)(uintptr_t)&at);
        size_t i = 0, count = sizeof units / sizeof *units;
        while (i < count && strncmp(at, units[i].unit, strlen(units[i].unit)) != 0) i++;
        if (i == count) return false;
        at += strlen(units[i].unit);
        total += number * units[i].ns;
        if (!(total < 3e18)) return false;
    }
    *ns = (int64_t)total;
    if (*ns < SECOND) *ns = SECOND;
    *ns -= *ns % SECOND;
    return true;
}

static const char *shorthand(const char *text) {
    static const char *const table[][2] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
        {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) if (strcmp(text, table[i][0]) == 0) return table[i][1];
    return text;
}

static bool parse(const char *text, struct schedule *out) {
    static const struct field minute = {0, 59, NULL}, hour = {0, 23, NULL}, day = {1, 31, NULL}, month = {1, 12, months},
                              weekday = {0, 7, weekdays};
    *out = (struct schedule){0};
    if (strncmp(text, "CRON_TZ=", 8) == 0 || strncmp(text, "TZ=", 3) == 0) {
        const char *zone = strchr(text, '=') + 1, *end = strchr(zone, ' ');
        bool utc = end && ((end - zone == 3 && strncmp(zone, "UTC", 3) == 0) ||
                           (end - zone == 7 && strncmp(zone, "Etc/UTC", 7) == 0));
        if (!utc) return false;
        text = end;
        while (*text == ' ') text++;
    }
    if (strncmp(text, "@every ", 7) == 0) return parse_duration(text + 7, &out->every);
    const char *at = shorthand(text);
    bool star;
    bool good = parse_field(&at, &minute, &out->minute, &star) && parse_field(&at, &hour, &out->hour, &star) &&
                parse_field(&at, &day, &out->day, &out->any_day) && parse_field(&at, &month, &out->month, &star) &&
                parse_field(&at, &weekday, &out->weekday, &out->any_weekday);
    while (good && (*at == ' ' || *at == '\t')) at++;
    if (out->weekday & 1ull << 7) out->weekday |= 1;
    return good && *at == 0;
}

bool cron_valid(const char *schedule) {
    struct schedule parsed;
    return parse(schedule, &parsed);
}

/* ---- the calendar (days since 1970-01-01, proleptic Gregorian) ---- */

static void civil(int64_t days, int *year, unsigned *month, unsigned *day) {
    days += 719468;
    int64_t era = days / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int)(yoe + (unsigned)(era * 400)) + (*month <= 2);
}

static bool day_matches(const struct schedule *schedule, int64_t days) {
    int year;
    unsigned month, day;
    civil(days, &year, &month, &day);
    if (!(schedule->month & 1ull << month)) return false;
    bool by_day = schedule->day & 1ull << day, by_weekday = schedule->weekday & 1ull << ((days + 4) % 7);
    if (schedule->any_day || schedule->any_weekday) return by_day && by_weekday;
    return by_day || by_weekday;
}

/* The first matching second after `after` (both in seconds); -1: none in the next years. */
static int64_t next_after(const struct schedule *schedule, int64_t after) {
    int64_t minutes = after / 60 + 1;
    for (int64_t day = minutes / 1440, last = day + 366 * YEARS_AHEAD; day <= last; day++) {
        if (!day_matches(schedule, day)) continue;
        for (int64_t minute = day == minutes / 1440 ? minutes % 1440 : 0; minute < 1440; minute++) {
            if (!(schedule->hour & 1ull << (minute / 60))) {
                minute += 59 - minute % 60;
                continue;
            }
            if (schedule->minute & 1ull << (minute % 60)) return (day * 1440 + minute) * 60;
        }
    }
    return -1;
}

int64_t cron_backoff(const char *text, int64_t start, int64_t now) {
    struct schedule schedule;
    if (!parse(text, &schedule)) return -1;
    int64_t next;
    if (schedule.every) {
        int64_t base = start - start % SECOND;
        int64_t steps = now > base ? (now - base + schedule.every - 1) / schedule.every : 0;
        next = base + (steps ? steps : 1) * schedule.every;
    } else {
        int64_t from = now > start ? (now - 1) / SECOND : start / SECOND;   /* a slot at `now` itself is not missed */
        int64_t at = next_after(&schedule, from);
        if (at < 0) return -1;
        next = at * SECOND;
    }
    int64_t wait = next - now;
    return wait <= 0 ? 0 : (wait + SECOND - 1) / SECOND * SECOND;
}
