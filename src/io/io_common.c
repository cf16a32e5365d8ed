/* io_common: the parts of io that need no kernel and are the same on both backends. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "io/io.h"

const char *io_error_text(int64_t result) {
    switch (result < 0 ? -result : result) {
    case IO_OK: return "success";
#define X(name, text)                                                                                          \
    case name: return text;
        IO_ERRORS(X)
#undef X
    default: return "unknown error";
    }
}

/* One decimal number up to `max`, at least one digit and no more than `digits`; false leaves *at anywhere. */
static bool parse_decimal(const char **at, unsigned digits, unsigned max, unsigned *out) {
    unsigned value = 0, count = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, count++) {
        if (count == digits) return false;
        value = value * 10 + (unsigned)(**at - '0');
    }
    *out = value;
    return count > 0 && value <= max;
}

static bool parse_ip4(const char **at, uint8_t ip[4]) {
    for (int i = 0; i < 4; i++) {
        unsigned value;
        if (i && *(*at)++ != '.') return false;
        if (!parse_decimal(at, 3, 255, &value)) return false;
        ip[i] = (uint8_t)value;
    }
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool parse_group(const char **at, unsigned *out) {
    unsigned value = 0, count = 0;
    for (int digit; (digit = hex_digit(**at)) >= 0; (*at)++, count++) {
        if (count == 4) return false;
        value = value << 4 | (unsigned)digit;
    }
    *out = value;
    return count > 0;
}

/* Bytes after "::" are parsed to the left end first, and moved to the right end when their number is known. */
static void expand_gap(uint8_t ip[16], unsigned used, unsigned gap) {
    unsigned tail = used - gap;
    memmove(ip + 16 - tail, ip + gap, tail);
    memset(ip + gap, 0, 16 - used);
}

/* Groups of hex digits, one "::", and an IPv4 address in the last 32 bits; ends at ']'. */
static bool parse_ip6(const char **at, uint8_t ip[16]) {
    unsigned used = 0;
    int gap = -1;
    if ((*at)[0] == ':' && (*at)[1] == ':') *at += 2, gap = 0;
    while (**at != ']') {
        const char *group_start = *at;
        unsigned value;
        if (used >= 16 || !parse_group(at, &value)) return false;
        if (**at == '.') {
            *at = group_start;
            if (used > 12 || !parse_ip4(at, ip + used)) return false;
            used += 4;
            break;
        }
        ip[used++] = (uint8_t)(value >> 8);
        ip[used++] = (uint8_t)value;
        if (**at != ':') break;
        ++*at;
        if (**at == ':') {
            if (gap >= 0) return false;
            gap = (int)used;
            ++*at;
        } else if (**at == ']') {
            return false;
        }
    }
    if (**at != ']' || (gap < 0 ? used != 16 : used >= 16)) return false;
    if (gap >= 0) expand_gap(ip, used, (unsigned)gap);
    return true;
}

bool io_addr_parse(const char *text, struct io_addr *out) {
    struct io_addr addr = {.family = 4};
    const char *at = text;
    if (*at == '[') {
        at++;
        addr.family = 6;
        if (!parse_ip6(&at, addr.ip)) return false;
        at++;
    } else if (!parse_ip4(&at, addr.ip)) {
        return false;
    }
    unsigned port;
    if (*at++ != ':' || !parse_decimal(&at, 5, 65535, &port) || *at) return false;
    addr.port = (uint16_t)port;
    *out = addr;
    return true;
}

static unsigned group_at(const struct io_addr *addr, unsigned index) {
    return (unsigned)addr->ip[2 * index] << 8 | addr->ip[2 * index + 1];
}

/* The longest run of two or more zero groups is written "::" (RFC 5952). Gives its length, 0 when there is none. */
static unsigned longest_zero_run(const struct io_addr *addr, unsigned *start) {
    unsigned best = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned len = 0;
        while (i + len < 8 && group_at(addr, i + len) == 0) len++;
        if (len > best) best = len, *start = i;
    }
    return best >= 2 ? best : 0;
}

const char *io_addr_text(const struct io_addr *addr, char text[IO_ADDR_TEXT_MAX]) {
    if (addr->family == 4) {
        snprintf(text, IO_ADDR_TEXT_MAX, "%u.%u.%u.%u:%u", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3],
                 addr->port);
        return text;
    }
    if (addr->family != 6) {
        snprintf(text, IO_ADDR_TEXT_MAX, "none");
        return text;
    }
    unsigned gap = 8, gap_len = longest_zero_run(addr, &gap);
    size_t at = 0;
    text[at++] = '[';
    for (unsigned i = 0; i < 8; i++) {
        if (gap_len && i == gap) {
            at += (size_t)snprintf(text + at, IO_ADDR_TEXT_MAX - at, "::");
            i += gap_len - 1;
            continue;
        }
        bool first = i == 0 || (gap_len && i == gap + gap_len);
        at += (size_t)snprintf(text + at, IO_ADDR_TEXT_MAX - at, first ? "%x" : ":%x", group_at(addr, i));
    }
    snprintf(text + at, IO_ADDR_TEXT_MAX - at, "]:%u", addr->port);
    return text;
}

bool io_addr_is_loopback(const struct io_addr *addr) {
    static const uint8_t loopback6[16] = {[15] = 1};
    static const uint8_t mapped4[12] = {[10] = 0xff, [11] = 0xff};
    if (addr->family == 4) return addr->ip[0] == 127;
    if (addr->family != 6) return false;
    if (memcmp(addr->ip, mapped4, sizeof mapped4) == 0) return addr->ip[12] == 127;
    return memcmp(addr->ip, loopback6, sizeof loopback6) == 0;
}
