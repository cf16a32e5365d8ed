/* truth: what the clients of a run know for certain, kept outside of every node, and what the judge compares histories
 * with. A lost answer is 'maybe', and stays so until it is known. */
#ifndef NORN_SIM_TRUTH_H
#define NORN_SIM_TRUTH_H

#include "model.h"

enum { TRUTH_NAMESPACES_MAX = 3, TRUTH_RACES_MAX = 3, TRUTH_RACERS_MAX = 3 };
enum { TRUTH_SIGNALS_MAX = 8, TRUTH_FLOWS_MAX = 256, TRUTH_RUNS_MAX = 4 };

struct truth_run {
    char run_id[FLOW_RUN_MAX];
    struct flow_event *events;           /* the whole history, fetched after the faults */
    size_t count, cap;
    bool whole;
};

struct truth_flow {
    const char *namespace;
    unsigned number, padding;            /* bytes that its payloads have more */
    unsigned delay_ms;                   /* of its first workflow task */
    struct truth_flow *before;           /* the flow whose id it takes again; NULL is none */
    char id[24], script[FLOW_TEXT_MAX], run_id[FLOW_RUN_MAX];
    unsigned client;                     /* who starts it */
    int64_t start_at;
    unsigned signals_wanted, signal_next;
    bool cancel_wanted, has_again, taken, closed, judged;
    bool unwatched;                      /* its client does not look at it before it has ended, most likely */
    bool delete_wanted;                  /* once it is judged */
    enum known deleted, started, cancelled, signals[TRUTH_SIGNALS_MAX];
    struct truth_run runs[TRUTH_RUNS_MAX];
    unsigned run_count;
    char at[24];                         /* what its client does now, for reports */
    char waits[200];                     /* and what the server waits for, asked long after the last fault */
};

/* A start of a race, tried until its answer is certain. */
struct truth_start {
    unsigned number, tries, script;
    bool with_signal;
    enum model_reuse reuse;
    enum model_conflict conflict;
};

/* A workflow id that several clients fight for (racer.c). */
struct truth_race {
    struct truth_flow flow;              /* its namespace and id; its run_id is one that was described */
    unsigned requests, pace;
    bool absent, over;                   /* absent: as last described */
};

struct truth_racer {
    struct truth_race *race;
    unsigned client, steps;
    bool last;                           /* it ends the race */
    struct truth_start start;
};

/* The audit's phases: it is done once (audit.c). */
enum truth_audit { AUDIT_WAITS, AUDIT_BEFORE, AUDIT_RESTART, AUDIT_AFTER, AUDIT_DONE };

/* The workflows of an older build's folder (older.c). */
enum truth_older { OLDER_NONE, OLDER_WAITS, OLDER_DONE };

/* What was answered about a run before the audit's restart: hashes. */
struct truth_answer {
    const struct model_run *run;
    uint64_t description, row;
};

/* The places in `told`. The audit ends the server once before its time. */
enum { TOLD_CLIENTS, TOLD_WORKERS = 4, TOLD_SERVER = 8, TOLD_SERVER_BY_AUDIT, TOLD_HOSTILE, TOLD_COUNT };

struct truth {
    struct world *world;
    struct model *model;
    struct truth_flow flows[TRUTH_FLOWS_MAX];
    struct truth_race races[TRUTH_RACES_MAX];
    struct truth_racer racers[TRUTH_RACES_MAX * TRUTH_RACERS_MAX];
    unsigned race_count, racer_count;
    unsigned flow_count, closed_count, judged_count;
    unsigned server, clients[4], client_count, workers[4], worker_count, hostile;
    struct damage *damage;               /* to the server's disk; NULL in a small run */
    char plant[64], *server_env[2];      /* the server's environment: a planted bug */
    const char *namespaces[TRUTH_NAMESPACES_MAX];
    enum known namespace_known[TRUTH_NAMESPACES_MAX];
    unsigned namespace_count;
    bool strict;                         /* a seed without outside faults: the server has no excuse */
    bool tight;                          /* so little memory that runs are loaded for each step: all may be late */
    bool small;                          /* no mischief, and one configuration */
    bool calm;                           /* clients fetch histories now */
    int64_t calm_at;
    enum truth_audit audit;
    enum truth_older older;
    struct truth_answer *answers;
    unsigned answer_count, restart_from; /* the server's life before the audit's restart */
    uint64_t terminations, describes, lists, starts, signals, cancels, queries, tasks, activities, heartbeats, histories, duplicates, dropped;
    unsigned told[TOLD_COUNT];           /* in which life each was told to end */
};

void truth_run_add(struct truth_run *run, const struct flow_event *event);
/* How many still take part. */
unsigned truth_racing(const struct truth *truth, const struct truth_race *race);
void truth_free(struct truth *truth);
/* world_fail when the histories do not fit what clients know, or are wrong in themselves. */
void judge_flow(struct truth *truth, struct truth_flow *flow);

/* The folder of an older build, for the server's first start, when the seed wants it. */
void older_put(struct truth *truth);

/* Entries of the nodes; arg is the truth. */
void worker_start(struct io *io, void *truth);
void client_start(struct io *io, void *truth);
void server_node_start(struct io *io, void *truth);

enum { GRPC_PORT = 7233 };
#define SIM_QUEUE "sim"

#endif
