/* agent: what simulated workers and clients share: a process with fibers, one gRPC connection, and an orderly end at
 * SIGTERM. */
#ifndef NORN_SIM_AGENT_H
#define NORN_SIM_AGENT_H

#include "fiber/fiber.h"
#include "net/client.h"
#include "shard/pb.h"
#include "truth.h"

struct agent {
    struct io *io;
    struct truth *truth;
    struct grpc_client *client;
    struct io_op signals, last;
    unsigned fibers, index;              /* index among its kind */
    bool ending, client_closed;
    void (*ended)(struct agent *agent);  /* frees what the agent has of its own, last */
};

/* A new message: AGENT_NEW(arena, start_workflow_execution_request). */
#define AGENT_NEW(arena, name) PB_NEW((arena), temporal__api__workflowservice__v1__##name)
#define AGENT_TYPE(name) (&temporal__api__workflowservice__v1__##name##__descriptor)

/* Connects to the server, as this kind of client, and waits for SIGTERM. */
void agent_begin(struct agent *agent, struct io *io, struct truth *truth, const char *client_name);
/* Starts a fiber that the end waits for; fn ends soon once agent->ending. */
void agent_fiber(struct agent *agent, const char *name, fiber_fn *fn, void *arg);
/* Called by such a fiber last. */
void agent_fiber_ends(struct agent *agent);

/* One call of WorkflowService. False unless OK: the status is in result, which is freed by the caller either way. */
bool agent_call(struct agent *agent, const char *method, const void *request, const ProtobufCMessageDescriptor *type,
                int64_t timeout, struct grpc_result *result, void *response);
/* The same of another service. */
bool agent_call_of(struct agent *agent, const char *service, const char *method, const void *request,
                   const ProtobufCMessageDescriptor *type, int64_t timeout, struct grpc_result *result, void *response);
/* The same, but the call is taken back after `patience`, as a client does that goes away. */
bool agent_call_cancel(struct agent *agent, const char *method, const void *request,
                       const ProtobufCMessageDescriptor *type, int64_t timeout, int64_t patience,
                       struct grpc_result *result, void *response);
/* Sleeps, in parts; ends early when the agent ends. */
void agent_sleep(struct agent *agent, int64_t ns);
/* 0 .. bound-1, from the process's entropy. */
uint32_t agent_dice(struct agent *agent, uint32_t bound);
/* True `per_thousand` times in a thousand; never in the calm. */
bool agent_mischief(struct agent *agent, uint32_t per_thousand);

/* Fibers of a client for the races that it takes part in. */
void racers_start(struct agent *agent);
/* Reads a run's history; the model compares. False when a call failed. */
bool client_look(struct agent *agent, const struct truth_flow *flow, const char *run_id);
/* The live state of a run (the newest when run_id is empty) is what its history tells. False when the call failed. */
bool client_check_state(struct agent *agent, const struct truth_flow *flow, const char *run_id);
/* A fiber for the audit, on the first client. */
void audit_start(struct agent *agent);
/* A fiber for the workflows of an older build's folder, if there is one; on the first client. */
void older_start(struct agent *agent);
/* Reads all runs that a list has of the id, which are to be closed, and compares each with its row. */
bool client_look_at_all(struct agent *agent, const struct truth_flow *flow);

/* Small messages. */
char *agent_text(struct arena *arena, const char *text);
Payloads *agent_payload(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As many spaces and letters, to make a payload large. */
const char *agent_padding(struct arena *arena, unsigned bytes);
PB(Common__V1__WorkflowExecution) *agent_execution(struct arena *arena, const char *id, const char *run);
PB(Taskqueue__V1__TaskQueue) *agent_queue(struct arena *arena, const char *name, bool sticky);
Google__Protobuf__Duration *agent_duration(struct arena *arena, int64_t ns);

#endif
