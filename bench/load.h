/* load: one run of one scenario against one server.
 *
 * The run is one loop and one fiber. Starters and workers are callbacks on two connections of their own, raw gRPC, so
 * that the load costs little beside the server. What a workflow does is its script, which the worker reads from the
 * history in its task, so nothing is remembered for each workflow but when it was due.
 *
 *   load.c         connections, calls, errors
 *   load_start.c   starting workflows: closed loop, or open at a fixed rate
 *   load_worker.c  workflow tasks, activity tasks, signals
 *   load_polls.c   many idle polls
 *   load_list.c    lists of workflows
 *   load_run.c     the phases of a scenario
 *   process.c      what the server used, from /proc
 *   report.c       the result as one line of JSON
 *   disk.c         the raw disk, to compare with */
#ifndef NORN_BENCH_LOAD_H
#define NORN_BENCH_LOAD_H

#include "fiber/fiber.h"
#include "histogram.h"
#include "net/client.h"
#include "process.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define WS_INIT(name) TEMPORAL__API__WORKFLOWSERVICE__V1__##name##__INIT
#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

enum { POLLERS_MAX = 1024, OPEN_MAX = 20000, COUNT_MAX = 20000000, ERROR_TEXT_MAX = 200 };

/* What one workflow does: `steps` times it waits for `wide` events, each of which it has asked for. */
enum script_kind { SCRIPT_ACTIVITY, SCRIPT_TIMER, SCRIPT_SIGNAL };
enum { SCRIPT_TIMER_MS = 100 };
struct script {
    enum script_kind kind;
    uint32_t steps, wide;
};

enum phase_kind {
    PHASE_LOOP,                       /* workflows from start to end, for a while */
    PHASE_BACKLOG,                    /* starts without a worker, then the worker drains them */
    PHASE_IDLE,                       /* --count workflows that wait for a signal which does not come */
    PHASE_LISTS,                      /* as PHASE_LOOP, with lists beside it; their latency counts */
    PHASE_POLLS,                      /* idle long polls: what they cost in memory */
    PHASE_SERVING,                    /* waits for the server's first answer */
    PHASE_MICRO,                      /* no server: parts of it, alone */
    PHASE_DISK,                       /* no server: writes and data syncs */
};
struct scenario {
    const char *name, *what;
    enum phase_kind phase;
    struct script script;
};

struct load_options {
    struct io_addr address;
    const struct scenario *scenario;
    uint32_t in_flight, pollers, polls;
    double rate;                      /* starts a second; 0: closed loop of in_flight */
    double seconds, warm_up;
    const char *pid, *file;
    uint32_t bytes, connections, count;
    const char *ns;                   /* namespace; one that is not there is registered */
    const char *part;                 /* of PHASE_MICRO; NULL: all */
    uint32_t rounds;                  /* of PHASE_MICRO; 0: for `seconds` */
};

/* Results of one stretch of time. */
struct window {
    struct hdr latency;         /* of what the scenario measures */
    struct process_sample from, to;
    uint64_t started, completed;
};

struct load {
    struct io *io;
    struct fiber *fiber;
    struct load_options options;
    struct grpc_client *starter, *worker;
    char queue[64];                   /* of this run: tasks of an earlier one are not taken */
    uint64_t run;
    struct buf due;                   /* int64_t: when workflow N was to start (io_now) */
    uint64_t open;                    /* started, not completed */
    uint64_t ended;                   /* completed, measured or not */
    uint64_t starting;                /* start calls on their way */
    bool starts, stopping, measures, measures_starts;
    struct io_op tick;                /* open loop */
    int64_t opened_at;                /* of the open loop */
    uint64_t opened;
    uint64_t overloaded;              /* starts left out: too many were open */
    struct window window, second;     /* the second: a drain after a backlog */
    uint64_t errors;
    uint64_t lists;
    char error[ERROR_TEXT_MAX];       /* the first */
    uint64_t polls_open, polls_failed;
    double serving_at;                /* wall clock, s */
};

/* load.c */
char *text_of(const char *text);      /* generated structs have char pointers; the texts are only read */
void load_connect(struct load *load);
void load_call(struct load *load, struct grpc_client *client, const char *method, const ProtobufCMessage *request,
               int64_t timeout, grpc_done_fn *done, void *ctx);
void load_error(struct load *load, const char *what, struct status status);

/* load_start.c */
void load_start_begin(struct load *load);       /* starts, until load->starts is false */
void load_start_one(struct load *load, int64_t due);
/* Whether as many have been started as were asked for (--count). */
bool load_has_all(const struct load *load);
int64_t load_due(const struct load *load, uint32_t number);

/* load_worker.c */
void load_worker_begin(struct load *load);

/* load_list.c */
void load_list_begin(struct load *load);        /* asks for lists, until load->starts is false */

/* load_polls.c */
void load_polls(struct load *load);

/* load_run.c: on the fiber. False: what was asked for does not exist. */
bool load_run(struct load *load);

/* disk.c */
void disk_run(struct load *load);

/* report.c */
void report_print(struct load *load);
void report_progress(struct load *load, const char *phase);

#endif
