/* words: a run as the command that replays it. One list of options for reports, for the processes of a batch and for
 * files of --repro. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

void words_add(struct words *words, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = world_alloc((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    words->items = world_realloc(words->items, (words->count + 2) * sizeof *words->items);
    words->items[words->count++] = text;
    words->items[words->count] = NULL;
}

static void add_number(struct words *out, const char *option, uint64_t value) {
    if (!value) return;
    words_add(out, "%s", option);
    words_add(out, "%llu", (unsigned long long)value);
}

static void add_ranges(struct words *out, const char *option, const char *prefix, const struct ranges *ranges) {
    if (!ranges->given) return;
    size_t size = ranges_print(ranges, NULL, 0) + 1;
    char *text = world_alloc(size);
    ranges_print(ranges, text, size);
    words_add(out, "%s", option);
    words_add(out, "%s%s", prefix, text);
    world_free(text);
}

static void add_faults(const struct run_options *options, struct words *out) {
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const char *name = world_fault_name((enum fault)fault);
        char prefix[40];
        snprintf(prefix, sizeof prefix, "%s:", name);
        if (options->off[fault]) words_add(out, options->off[fault] < 0 ? "--on" : "--off"), words_add(out, "%s", name);
        add_ranges(out, "--only", prefix, &options->only[fault]);
    }
}

void run_words(const struct run_options *options, struct words *out) {
    words_add(out, "--workload");
    words_add(out, "%s", options->workload->name);
    words_add(out, "--seed");
    words_add(out, "%llu", (unsigned long long)options->seed);
    if (options->calm) words_add(out, "--calm");
    if (options->plant) words_add(out, "--plant"), words_add(out, "%s", options->plant);
    if (options->calm_at) words_add(out, "--calm-at"), words_add(out, "%.9fs", (double)options->calm_at / 1e9);
    add_ranges(out, "--workflows", "", &options->workflows);
    add_number(out, "--clients", options->clients);
    add_number(out, "--workers", options->workers);
    add_number(out, "--crash-at", options->crash_at);
    add_number(out, "--crash-again", options->crash_again);
    add_faults(options, out);
}

char *words_line(const struct words *words, const char *program) {
    size_t size = strlen(program) + 1;
    for (size_t i = 0; i < words->count; i++) size += strlen(words->items[i]) + 1;
    char *line = world_alloc(size);
    size_t len = (size_t)snprintf(line, size, "%s", program);
    for (size_t i = 0; i < words->count; i++)
        len += (size_t)snprintf(line + len, size - len, "%s%s", len ? " " : "", words->items[i]);
    return line;
}

void words_free(struct words *words) {
    for (size_t i = 0; i < words->count; i++) world_free(words->items[i]);
    world_free(words->items);
    *words = (struct words){0};
}
