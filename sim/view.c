/* view: sim/view.html with the log of the run in it. The page draws; here is only what it draws from. Lines are as the
 * log has them, and io events are counts of each node in equal parts of the time. */
#include "view.h"

#include <stdio.h>
#include <string.h>

#include "base/commit.h"
#include "view_page.h"

enum { BUCKETS = 2000 };

static void put_text(FILE *to, const char *text) {
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < ' ' || *at == '"' || *at == '\\' || *at == '<' || *at > '~')
            fprintf(to, "\\u%04x", *at);
        else
            fputc(*at, to);
    }
    fputc('"', to);
}

static int index_of(uint16_t node) { return node == LOG_NO_NODE ? -1 : node; }

static void put_lines(const struct log *log, FILE *to) {
    fputs("\"lines\":[", to);
    for (size_t i = 0; i < log->line_count; i++) {
        const struct log_line *line = &log->lines[i];
        fprintf(to, "%s\n[%llu,%lld,%lld,%d,%d,%d,%u,%u,", i ? "," : "", (unsigned long long)line->event,
                (long long)line->time, (long long)line->arrives, line->what, index_of(line->node), index_of(line->peer),
                line->connection, line->workflow);
        put_text(to, line->text);
        fputc(']', to);
    }
    fputs("],\n", to);
}

static void put_io(const struct log *log, unsigned nodes, int64_t end, FILE *to) {
    int64_t size = end / BUCKETS + 1;
    uint32_t *counts = world_alloc((size_t)nodes * BUCKETS * sizeof *counts);
    for (size_t i = 0; i < log->io_count; i++)
        if (log->io[i].node < nodes) counts[log->io[i].node * BUCKETS + log->io[i].time / size]++;
    fprintf(to, "\"io\":{\"size\":%lld,\"buckets\":[", (long long)size);
    for (unsigned node = 0; node < nodes; node++) {
        fprintf(to, "%s[", node ? "," : "");
        for (unsigned i = 0; i < BUCKETS; i++) fprintf(to, "%s%u", i ? "," : "", counts[node * BUCKETS + i]);
        fputc(']', to);
    }
    fputs("]},\n", to);
    world_free(counts);
}

static void put_failure(const struct log *log, const struct world_end *end, FILE *to) {
    fprintf(to, "\"verdict\":\"%s\",\"oracle\":", end->verdict == WORLD_PASS ? "passed" : "failed");
    put_text(to, end->oracle);
    if (end->verdict != WORLD_PASS) {
        fprintf(to, ",\"failure\":{\"node\":%d,\"workflow\":%u,\"text\":", world_current_node(), log_named(log, end->text));
        put_text(to, end->text);
        fputc('}', to);
    }
    fputs("}\n", to);
}

static void put_data(const struct run_options *options, const struct world *world, const struct world_end *end, FILE *to) {
    const struct log *log = world_log(world);
    struct words words = {0};
    run_words(options, &words);
    char *command = words_line(&words, options->plant ? "norn-sim-planted" : "norn-sim");
    fprintf(to, "{\"seed\":\"%llu\",\"workload\":\"%s\",\"commit\":\"%s\",\"events\":%llu,\"end\":%lld,\"command\":",
            (unsigned long long)options->seed, options->workload->name, norn_commit,
            (unsigned long long)world_events(world), (long long)world_now(world));
    put_text(to, command);
    fputs(",\n\"nodes\":[", to);
    unsigned nodes = world_node_count(world);
    for (unsigned i = 0; i < nodes; i++) fputs(i ? "," : "", to), put_text(to, log_node_name(log, (uint16_t)i));
    fputs("],\n\"workflows\":[", to);
    for (uint32_t i = 0; i < log->workflow_count; i++) fputs(i ? "," : "", to), put_text(to, log->workflows[i].id);
    fputs("],\n", to);
    put_lines(log, to);
    put_io(log, nodes, world_now(world), to);
    put_failure(log, end, to);
    world_free(command);
    words_free(&words);
}

void view_write(const struct run_options *options, struct world *world, const struct world_end *end) {
    static const char place[] = "/*DATA*/null";
    const char *gap = strstr(view_page, place);
    FILE *to = fopen(options->view, "w");
    if (!to) {
        fprintf(stderr, "norn-sim: cannot write %s\n", options->view);
        return;
    }
    fwrite(view_page, 1, (size_t)(gap - view_page), to);
    put_data(options, world, end, to);
    fputs(gap + strlen(place), to);
    if (fclose(to) != 0) fprintf(stderr, "norn-sim: %s is not whole\n", options->view);
}
