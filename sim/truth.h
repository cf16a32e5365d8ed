/* truth: what the clients of a run know for certain, kept outside of every node, and what the judge compares histories
 * with. A lost answer is 'maybe', and stays so until it is known. */
#ifndef NORN_SIM_TRUTH_H
#define NORN_SIM_TRUTH_H

#include "flow.h"
#include "world.h"

enum known { KNOWN_NOT, KNOWN_MAYBE, KNOWN_YES };
enum { TRUTH_NAMESPACES_MAX = 3, TRUTH_ATTEMPTS_MAX = 4096, TRUTH_TASKS_MAX = 4096 };
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
    struct truth_flow *before;           /* the flow whose id it takes again; NULL is none */
    struct truth_run seen;               /* what readers saw of the first run while it was open */
    char id[24], script[FLOW_TEXT_MAX], run_id[FLOW_RUN_MAX];
    unsigned client;                     /* who starts it */
    int64_t start_at;
    unsigned signals_wanted, signal_next;
    bool cancel_wanted, has_again, taken, closed, judged;
    enum known started, cancelled, signals[TRUTH_SIGNALS_MAX];
    struct truth_run runs[TRUTH_RUNS_MAX];
    unsigned run_count;
    char at[24];                         /* what its client does now, for reports */
};

/* The last attempt of an activity, as workers know it. */
struct truth_attempt {
    char run_id[FLOW_RUN_MAX];
    int item, attempt, given;            /* given: how often this attempt was handed out */
    bool failed, beaten;
    int64_t failed_from, failed_to;      /* wall time: sent, and answered */
    unsigned heartbeat;                  /* the last that was acknowledged */
};

/* The newest workflow task of a run that a worker was given. */
struct truth_task {
    char run_id[FLOW_RUN_MAX];
    uint64_t token;                      /* its hash */
};

struct truth {
    struct world *world;
    struct truth_flow flows[TRUTH_FLOWS_MAX];
    unsigned flow_count, closed_count, judged_count;
    unsigned server, clients[4], client_count, workers[4], worker_count;
    char plant[64], *server_env[2];      /* the server's environment: a planted bug */
    const char *namespaces[TRUTH_NAMESPACES_MAX];
    enum known namespace_known[TRUTH_NAMESPACES_MAX];
    unsigned namespace_count;
    struct truth_attempt attempts[TRUTH_ATTEMPTS_MAX];
    struct truth_task newest[TRUTH_TASKS_MAX];
    unsigned attempt_count, task_count;
    bool strict;                         /* a seed without outside faults: the server has no excuse */
    bool small;                          /* no mischief, and one configuration */
    bool calm;                           /* clients fetch histories now */
    uint64_t lists, starts, signals, cancels, queries, tasks, activities, heartbeats, histories, duplicates, dropped;
    unsigned told[16];
};

struct truth_attempt *truth_attempt(struct truth *truth, const char *run_id, int item);
struct truth_task *truth_task(struct truth *truth, const char *run_id);
void truth_run_add(struct truth_run *run, const struct flow_event *event);
void truth_free(struct truth *truth);
/* world_fail when what was read now takes back what was read before; keeps it then. */
void judge_seen(struct truth *truth, struct truth_flow *flow, const struct truth_run *run);
/* world_fail when the histories do not fit what clients know, or are wrong in themselves. */
void judge_flow(struct truth *truth, struct truth_flow *flow);

/* Entries of the nodes; arg is the truth. */
void worker_start(struct io *io, void *truth);
void client_start(struct io *io, void *truth);
void server_node_start(struct io *io, void *truth);

enum { GRPC_PORT = 7233 };
#define SIM_QUEUE "sim"

#endif
