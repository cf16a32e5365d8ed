/* cron: the standard five fields (minute, hour, day of month, month, day of week), names of months and days, ranges,
 * lists and steps; @hourly and the like; @every with a Go duration. CRON_TZ= or TZ= names a zone, else it is UTC: a
 * local time that a change of the clocks leaves out is no slot, one that comes twice is two. */
#include "shard/cron.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/zone.h"

enum { SECOND = 1000000000, YEARS_AHEAD = 5 };

struct schedule {
    int64_t every;                     /* ns; 0: by fields */
    uint64_t minute, hour, day, month, weekday;
    bool any_day, any_weekday;         /* "*": with both restricted, either suffices */
    const struct zone *zone;
};

static const char bad_schedule[] = "it needs five fields (minute, hour, day of month, month, day of week), or @hourly and the like, or @every"
                                   " with a duration";
static const char bad_zone[] = "CRON_TZ must name a zone of the IANA database, such as Europe/Berlin or UTC";

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

static bool parse_fields(const char *text, struct schedule *out) {
    static const struct field minute = {0, 59, NULL}, hour = {0, 23, NULL}, day = {1, 31, NULL}, month = {1, 12, months},
                              weekday = {0, 7, weekdays};
    const char *at = shorthand(text);
    bool star;
    bool good = parse_field(&at, &minute, &out->minute, &star) && parse_field(&at, &hour, &out->hour, &star) &&
                parse_field(&at, &day, &out->day, &out->any_day) && parse_field(&at, &month, &out->month, &star) &&
                parse_field(&at, &weekday, &out->weekday, &out->any_weekday);
    while (good && (*at == ' ' || *at == '\t')) at++;
    if (out->weekday & 1ull << 7) out->weekday |= 1;
    return good && *at == 0;
}

/* NULL, or what is wrong. */
static const char *parse(const char *text, struct schedule *out) {
    *out = (struct schedule){.zone = zone_find(bytes_str("UTC"))};
    if (strncmp(text, "CRON_TZ=", 8) == 0 || strncmp(text, "TZ=", 3) == 0) {
        const char *name = strchr(text, '=') + 1, *end = strchr(name, ' ');
        if (!end) return bad_schedule;
        out->zone = zone_find(bytes_of(name, (size_t)(end - name)));
        if (!out->zone) return bad_zone;
        text = end;
        while (*text == ' ') text++;
    }
    bool every = strncmp(text, "@every ", 7) == 0;
    bool good = every ? parse_duration(text + 7, &out->every) : parse_fields(text, out);
    return good ? NULL : bad_schedule;
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

/* The first matching second after `after` (both in seconds, of local time); -1: none in the next years. */
static int64_t next_local(const struct schedule *schedule, int64_t after) {
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

static bool matches(const struct schedule *schedule, int64_t local) {
    int64_t minute = local / 60 % 1440;
    return local % 60 == 0 && day_matches(schedule, local / 86400) && schedule->hour & 1ull << (minute / 60) &&
           schedule->minute & 1ull << (minute % 60);
}

/* The same in UTC: span by span in which the zone's offset is the same. */
static int64_t next_after(const struct schedule *schedule, int64_t after) {
    int64_t from = after, last = after + INT64_C(86400) * 366 * YEARS_AHEAD;
    while (from < last) {
        struct zone_span span = zone_span_at(schedule->zone, from);
        int64_t local = next_local(schedule, from + span.offset), at = local - span.offset;
        if (local >= 0 && at < span.end) return at;
        if (span.end == INT64_MAX) break;
        from = span.end;
        span = zone_span_at(schedule->zone, from);
        if (matches(schedule, from + span.offset)) return from;      /* a slot at the very change */
    }
    return -1;
}

const char *cron_check(const char *text, int64_t now) {
    struct schedule schedule;
    const char *wrong = parse(text, &schedule);
    if (wrong || schedule.every) return wrong;
    return next_after(&schedule, now / SECOND) < 0 ? "no time can be found to satisfy the schedule" : NULL;
}

int64_t cron_backoff(const char *text, int64_t start, int64_t now) {
    struct schedule schedule;
    if (parse(text, &schedule)) return -1;
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
