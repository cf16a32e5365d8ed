/* show: how values of the API look to people. */
#include "cli/show.h"

#include <stdio.h>

#include "base/civil.h"
#include "base/pbjson.h"

int64_t ns_of_time(const pb_timestamp *time) {
    int64_t ns;
    if (!time || __builtin_mul_overflow(time->seconds, 1000000000, &ns)) return 0;
    return __builtin_add_overflow(ns, time->nanos, &ns) ? 0 : ns;
}

const char *show_time(struct cli *cli, const pb_timestamp *time) {
    char text[CIVIL_TEXT_MAX];
    int64_t ns = ns_of_time(time);
    if (!ns) return "";
    civil_format(ns, text);
    text[10] = ' ';
    text[23] = 0;                          /* without the Z: help says that times are UTC */
    return arena_strdup(&cli->arena, text);
}

/* The two largest units: "3d4h", "5m10s", "1.234s", "12ms". */
const char *show_ns(struct cli *cli, int64_t ns) {
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    int64_t seconds = ns / 1000000000;
    if (seconds < 1) return arena_printf(&cli->arena, "%lldms", (long long)(ns / 1000000));
    if (seconds < 60) {
        bool whole = ns % 1000000000 == 0;
        return whole ? arena_printf(&cli->arena, "%llds", (long long)seconds)
                     : arena_printf(&cli->arena, "%lld.%03llds", (long long)seconds, (long long)(ns / 1000000 % 1000));
    }
    unsigned i = 0;
    while (seconds < units[i].seconds) i++;
    int64_t first = seconds / units[i].seconds, second = seconds % units[i].seconds / units[i + 1].seconds;
    if (!second) return arena_printf(&cli->arena, "%lld%s", (long long)first, units[i].name);
    return arena_printf(&cli->arena, "%lld%s%lld%s", (long long)first, units[i].name, (long long)second, units[i + 1].name);
}

const char *show_ago(struct cli *cli, const pb_timestamp *time) {
    int64_t then = ns_of_time(time), passed = io_wall(cli->io) - then;
    if (!then) return "";
    return passed >= 0 ? arena_printf(&cli->arena, "%s ago", show_ns(cli, passed))
                       : arena_printf(&cli->arena, "in %s", show_ns(cli, -passed));
}

const char *show_duration(struct cli *cli, const pb_duration *duration) {
    int64_t ns;
    if (!duration || __builtin_mul_overflow(duration->seconds, 1000000000, &ns)) return "";
    ns += duration->nanos;
    return ns > 0 ? show_ns(cli, ns) : "";
}

/* The words that all values of an enum begin with ("WORKFLOW_EXECUTION_STATUS_") are its name in capitals. */
static size_t prefix_len(const ProtobufCEnumDescriptor *type) {
    size_t len = 0;
    for (const char *c = type->short_name; *c; c++)
        len += 1 + (*c >= 'A' && *c <= 'Z' && c > type->short_name);
    return len + 1;
}

const char *show_enum(struct cli *cli, const ProtobufCEnumDescriptor *type, int number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    if (!value) return arena_printf(&cli->arena, "%d", number);
    if (number == 0) return "";
    size_t skip = prefix_len(type);
    char *out = arena_alloc(&cli->arena, strlen(value->name) + 1), *at = out;
    const char *name = strlen(value->name) > skip && value->name[skip - 1] == '_' ? value->name + skip : value->name;
    for (bool first = true; *name; name++) {
        if (*name == '_') {
            first = true;
            continue;
        }
        *at++ = (char)(first || *name < 'A' || *name > 'Z' ? *name : *name - 'A' + 'a');
        first = false;
    }
    return out;
}

const char *show_status(struct cli *cli, int status) {
    return show_enum(cli, &temporal__api__enums__v1__workflow_execution_status__descriptor, status);
}

const char *show_message(struct cli *cli, const ProtobufCMessage *message) {
    if (!message) return "";
    struct buf text = {0};
    pbjson_write(&text, message, PBJSON_SHORTHAND);
    const char *copy = arena_text(&cli->arena, buf_bytes(&text));
    buf_free(&text);
    return copy;
}

const char *show_failure(struct cli *cli, const Temporal__Api__Failure__V1__Failure *failure) {
    enum { CAUSES_MAX = 20 };
    struct buf text = {0};
    for (unsigned i = 0; failure && i < CAUSES_MAX; i++, failure = failure->cause) {
        const char *type = "";
        if (failure->failure_info_case == TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
            type = failure->application_failure_info->type;
        buf_printf(&text, "%s%s%s%s%s", i ? ": " : "", failure->message, *type ? " (" : "", type, *type ? ")" : "");
    }
    const char *copy = arena_text(&cli->arena, buf_bytes(&text));
    buf_free(&text);
    return copy;
}
