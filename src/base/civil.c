/* civil: calendar dates in UTC. The day arithmetic is Howard Hinnant's (howardhinnant.github.io/date_algorithms.html):
 * years begin in March, so that the leap day is the last of its year. */
#include "base/civil.h"

#include <stdio.h>

enum { DAY_SECONDS = 86400, ERA_DAYS = 146097, EPOCH_DAYS = 719468 };

static void from_days(int64_t days, struct civil *out) {
    days += EPOCH_DAYS;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    unsigned day_of_era = (unsigned)(days - era * ERA_DAYS);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;                   /* from March */
    out->day = day_of_year - (153 * month + 2) / 5 + 1;
    out->month = month < 10 ? month + 3 : month - 9;
    out->year = (int64_t)year_of_era + era * 400 + (out->month <= 2);
}

static int64_t to_days(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + (int64_t)day_of_era - EPOCH_DAYS;
}

static struct civil civil_split(int64_t seconds, unsigned nanos) {
    struct civil out = {.nanosecond = nanos};
    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
    if (rest < 0) days--, rest += DAY_SECONDS;
    from_days(days, &out);
    out.hour = (unsigned)rest / 3600;
    out.minute = (unsigned)rest / 60 % 60;
    out.second = (unsigned)rest % 60;
    return out;
}

struct civil civil_of(int64_t wall_ns) {
    int64_t seconds = wall_ns / 1000000000, nanos = wall_ns % 1000000000;
    if (nanos < 0) seconds--, nanos += 1000000000;
    return civil_split(seconds, (unsigned)nanos);
}

static unsigned format(const struct civil *c, unsigned digits, char text[CIVIL_TEXT_MAX]) {
    int len = snprintf(text, CIVIL_TEXT_MAX, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)c->year, c->month, c->day,
                       c->hour, c->minute, c->second);
    unsigned fraction = c->nanosecond;
    for (unsigned i = digits; i < 9; i++) fraction /= 10;
    if (digits) len += snprintf(text + len, CIVIL_TEXT_MAX - (size_t)len, ".%0*u", (int)digits, fraction);
    len += snprintf(text + len, CIVIL_TEXT_MAX - (size_t)len, "Z");
    return (unsigned)len;
}

unsigned civil_format(int64_t wall_ns, char text[CIVIL_TEXT_MAX]) {
    struct civil c = civil_of(wall_ns);
    return format(&c, 3, text);
}

unsigned civil_format_exact(int64_t seconds, unsigned nanos, char text[CIVIL_TEXT_MAX]) {
    struct civil c = civil_split(seconds, nanos);
    return format(&c, nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9, text);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static unsigned read_digits(struct reader *reader, unsigned count) {
    unsigned value = 0;
    while (count--) {
        uint8_t c = read_u8(reader);
        if (c < '0' || c > '9') reader->bad = true;
        value = value * 10 + (unsigned)(c - '0') % 10;
    }
    return value;
}

static void expect(struct reader *reader, char c) {
    if (read_u8(reader) != (uint8_t)c) reader->bad = true;
}

static unsigned read_fraction(struct reader *reader) {
    unsigned value = 0, digits = 0;
    for (; digits < 9 && reader->left.len && reader->left.data[0] >= '0' && reader->left.data[0] <= '9'; digits++)
        value = value * 10 + (unsigned)(read_u8(reader) - '0');
    if (digits == 0) reader->bad = true;
    for (; digits < 9; digits++) value *= 10;
    return value;
}

static int64_t read_offset(struct reader *reader) {
    uint8_t sign = read_u8(reader);
    if (sign == 'Z' || sign == 'z') return 0;
    if (sign != '+' && sign != '-') reader->bad = true;
    unsigned hours = read_digits(reader, 2);
    expect(reader, ':');
    unsigned minutes = read_digits(reader, 2);
    if (hours > 23 || minutes > 59) reader->bad = true;
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    return sign == '-' ? -offset : offset;
}

static unsigned month_days(int64_t year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool civil_parse(struct bytes text, int64_t *seconds, unsigned *nanos) {
    struct reader reader = reader_of(text);
    int64_t year = read_digits(&reader, 4);
    expect(&reader, '-');
    unsigned month = read_digits(&reader, 2);
    expect(&reader, '-');
    unsigned day = read_digits(&reader, 2);
    uint8_t between = read_u8(&reader);
    if (between != 'T' && between != 't' && between != ' ') return false;
    unsigned hour = read_digits(&reader, 2);
    expect(&reader, ':');
    unsigned minute = read_digits(&reader, 2);
    expect(&reader, ':');
    unsigned second = read_digits(&reader, 2);
    *nanos = 0;
    if (reader.left.len && reader.left.data[0] == '.') {
        read_u8(&reader);
        *nanos = read_fraction(&reader);
    }
    int64_t offset = read_offset(&reader);
    if (reader.bad || reader.left.len) return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    *seconds = to_days(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    return true;
}
