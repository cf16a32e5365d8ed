#include "shard/rfc3339.h"

enum { NS = 1000000000, DAY = 86400 };

/* Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that leap days come last
 * (howardhinnant.github.io/date_algorithms.html). */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* Reads exactly `count` digits; -1 when they are not there. */
static int digits(const char **at, int count) {
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip(const char **at, char wanted) {
    if (**at != wanted) return false;
    (*at)++;
    return true;
}

/* Digits after the first nine are dropped. */
static bool read_fraction(const char **at, int64_t *nanos) {
    *nanos = 0;
    if (**at != '.') return true;
    (*at)++;
    int64_t unit = NS / 10;
    if (**at < '0' || **at > '9') return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10) *nanos += (**at - '0') * unit;
    return true;
}

static bool read_offset(const char **at, int64_t *seconds) {
    *seconds = 0;
    if (skip(at, 'Z')) return true;
    char sign = **at;
    if (sign != '+' && sign != '-') return false;
    (*at)++;
    int hours = digits(at, 2);
    if (hours < 0 || hours > 23 || !skip(at, ':')) return false;
    int minutes = digits(at, 2);
    if (minutes < 0 || minutes > 59) return false;
    *seconds = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static int month_days(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool rfc3339_parse(const char *text, int64_t *ns) {
    const char *at = text;
    int year = digits(&at, 4);
    if (year < 0 || !skip(&at, '-')) return false;
    int month = digits(&at, 2);
    if (month < 1 || month > 12 || !skip(&at, '-')) return false;
    int day = digits(&at, 2);
    if (day < 1 || day > month_days(year, month) || !skip(&at, 'T')) return false;
    int hour = digits(&at, 2);
    if (hour < 0 || hour > 23 || !skip(&at, ':')) return false;
    int minute = digits(&at, 2);
    if (minute < 0 || minute > 59 || !skip(&at, ':')) return false;
    int second = digits(&at, 2);
    if (second < 0 || second > 59) return false;
    int64_t nanos, offset;
    if (!read_fraction(&at, &nanos) || !read_offset(&at, &offset) || *at) return false;
    int64_t seconds = days_from_date(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    return !__builtin_mul_overflow(seconds, (int64_t)NS, ns) && !__builtin_add_overflow(*ns, nanos, ns);
}

const char *rfc3339_text(struct arena *arena, int64_t ns) {
    int64_t seconds = ns / NS, nanos = ns % NS;
    if (nanos < 0) {
        nanos += NS;
        seconds--;
    }
    int64_t days = seconds / DAY, rest = seconds % DAY;
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    int64_t year;
    int month, day;
    date_from_days(days, &year, &month, &day);
    return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, month, day, (int)(rest / 3600),
                        (int)(rest / 60 % 60), (int)(rest % 60), (int)nanos);
}
