/* report: the result of a run, as one line of JSON on standard output; and a line of progress on a terminal. */
#include <inttypes.h>
#include <stdio.h>

#include "load.h"

static void number(const char *name, double value) { printf(", \"%s\": %.6g", name, value); }

static void print_latency(const struct hdr *histogram) {
    static const struct { const char *name; double fraction; } points[] = {
        {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}};
    if (histogram->count == 0) return;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        number(points[i].name, (double)hdr_at(histogram, points[i].fraction) / 1e6);
    number("max_ms", (double)histogram->largest / 1e6);
    number("mean_ms", hdr_mean(histogram) / 1e6);
}

/* Of `count` workflows between the two samples. */
static void print_window(const struct window *window, uint64_t count) {
    const struct process_sample *from = &window->from, *to = &window->to;
    double seconds = (double)(to->at - from->at) / 1e9, each = count ? (double)count : 1;
    number("seconds", seconds);
    printf(", \"count\": %" PRIu64, count);
    number("per_second", seconds > 0 ? (double)count / seconds : 0);
    if (to->cpu_ns >= 0 && count) number("cpu_ms", (double)(to->cpu_ns - from->cpu_ns) / 1e6 / each);
    if (to->cpu_ns >= 0 && seconds > 0) number("cores", (double)(to->cpu_ns - from->cpu_ns) / 1e9 / seconds);
    if (to->write_bytes >= 0 && count) number("bytes_written", (double)(to->write_bytes - from->write_bytes) / each);
    if (to->resident_bytes >= 0) number("resident_mib", (double)to->resident_bytes / (1 << 20));
    print_latency(&window->latency);
}

static void print_text(const char *name, const char *text) {
    printf(", \"%s\": \"", name);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

void report_progress(struct load *load, const char *phase) {
    if (!io_is_terminal(load->io, IO_STDERR)) return;
    fprintf(stderr, "\r%s: %s: %" PRIu64 " completed, %" PRIu64 " open, p99 %.1f ms  ", load->options.scenario->name,
            phase, load->window.completed, load->open, (double)hdr_at(&load->window.latency, 0.99) / 1e6);
}

void report_print(struct load *load) {
    const struct window *window = &load->window;
    enum phase_kind phase = load->options.scenario->phase;
    if (io_is_terminal(load->io, IO_STDERR)) fprintf(stderr, "\n");
    printf("{\"scenario\": \"%s\"", load->options.scenario->name);
    if (phase == PHASE_SERVING) printf(", \"serving_at\": %.6f", load->serving_at);
    else print_window(window, phase == PHASE_BACKLOG ? window->started
                              : phase == PHASE_LISTS ? load->lists : window->completed);
    if (phase == PHASE_BACKLOG) {
        printf(", \"drain\": {\"open\": %" PRIu64, load->open);
        print_window(&load->second, load->second.completed);
        printf("}");
    }
    if (phase == PHASE_IDLE)
        number("more_mib", (double)(window->to.resident_bytes - window->from.resident_bytes) / (1 << 20));
    if (phase == PHASE_POLLS) {
        printf(", \"polls\": %" PRIu64 ", \"polls_failed\": %" PRIu64, load->polls_open, load->polls_failed);
        number("more_mib", (double)(window->to.resident_bytes - window->from.resident_bytes) / (1 << 20));
    }
    if (phase == PHASE_LOOP) printf(", \"left\": %" PRIu64 ", \"overloaded\": %" PRIu64, load->open, load->overloaded);
    number("load_cpu_s", (double)io_cpu_ns(load->io) / 1e9);
    printf(", \"errors\": %" PRIu64, load->errors);
    if (load->errors) print_text("error", load->error);
    printf("}\n");
}
