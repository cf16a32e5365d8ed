/* replay_main: norn-replay, which `norn-sim --replay DIR` starts: runs a recorded node again, and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "replay.h"

static const char usage[] =
    "norn-sim --replay DIR        runs the node that `norn server --record DIR` recorded, and compares what it does\n"
    "\n"
    "  --print                    what the node prints, on stdout and stderr\n"
    "  --trace                    a line for each entry of the logs, on stdout\n"
    "  --break LOG:ENTRY          stops under a debugger when that entry was taken (loop-0:1234)\n"
    "\n"
    "Exit codes: 0 the same as recorded, as far as the logs reach; 74 it differs; the node's own when it dies.\n";

static _Noreturn void wrong(const char *what) {
    fprintf(stderr, "norn-replay: %s\n%s", what, usage);
    exit(REPLAY_USAGE);
}

static void take_break(struct io_node *node, const char *text) {
    char *colon = text ? strchr(text, ':') : NULL;
    char *end = NULL;
    if (colon) node->break_entry = strtoull(colon + 1, &end, 10);
    if (!colon || end == colon + 1 || *end) wrong("--break needs LOG:ENTRY, such as loop-0:1234");
    node->break_log = mem_strdup(text);
    *strchr(node->break_log, ':') = 0;
}

static void take_options(struct io_node *node, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0) node->print = true;
        else if (strcmp(argv[i], "--trace") == 0) node->trace = true;
        else if (strcmp(argv[i], "--break") == 0) take_break(node, i + 1 < argc ? argv[++i] : NULL);
        else if (argv[i][0] != '-' && !node->dir) node->dir = argv[i];
        else wrong("unknown option, or a second folder");
    }
    if (!node->dir) wrong("the folder of a recording is needed");
}

/* Each goes as far as it can, until none can go on. */
static void run(struct io_node *node) {
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = 0; i < node->loop_count; i++) moved |= reel_resume(&node->loops[i]->reel);
        for (unsigned i = 0; i < node->helper_count; i++) moved |= reel_resume(&node->helpers[i]->reel);
    }
}

static void report(const struct reel *reel, uint64_t *entries, uint64_t *trace) {
    const char *how = reel->state == REEL_ENDED ? "to its end" : reel->state == REEL_CUT ? "as far as its log reaches" : "";
    *entries += reel->taken;
    tape_effect(trace, TAPE_CALL_none, reel->chain, 0, 0);
    printf("norn-replay: %-12s %10llu entries %12zu bytes trace=%016llx %s%s%s\n", reel->name,
           (unsigned long long)reel->taken, reel->len - reel->reader.left.len, (unsigned long long)reel->chain, how,
           reel->state == REEL_RUNS ? "until it needs what another log lacks: " : "",
           reel->state == REEL_RUNS ? reel->waits_for : "");
}

/* A recording that was cut ends in one log at least. Where none does, what they wait for was not done this time. */
static void check_cut(struct io_node *node) {
    for (unsigned i = 0; i < node->loop_count; i++)
        if (node->loops[i]->reel.state != REEL_RUNS) return;
    for (unsigned i = 0; i < node->helper_count; i++)
        if (node->helpers[i]->reel.state != REEL_RUNS) return;
    struct reel *reel = &node->loops[0]->reel;
    reel_differs(reel, "it waits for %s, and no log ends here", reel->waits_for);
}

int main(int argc, char **argv) {
    struct io_node *node = MEM_NEW(struct io_node);
    take_options(node, argc, argv);
    replay_node = node;
    struct io *first = replay_loop(node, cli_start, NULL);
    if (!first->reel.len) wrong("there is no recording in this folder");
    run(node);
    uint64_t entries = 0, trace = 0;
    for (unsigned i = 0; i < node->loop_count; i++) report(&node->loops[i]->reel, &entries, &trace);
    for (unsigned i = 0; i < node->helper_count; i++) report(&node->helpers[i]->reel, &entries, &trace);
    check_cut(node);
    printf("norn-replay: the same as recorded: %llu entries, trace=%016llx\n", (unsigned long long)entries,
           (unsigned long long)trace);
    return REPLAY_SAME;
}
