/* frontend: the API of one loop. Decodes, validates and routes gRPC calls; the table of all RPCs.
 *
 * A call arrives on its connection's loop, is decoded there, and goes to the loop that owns what it is about: the
 * execution (by the hash of namespace and workflow id), the task queue, or the node's values (loop 0). It may move on from
 * there (a poll goes from its queue to the execution whose task it gets), and ends back on the connection's loop. */
#ifndef NORN_FRONTEND_FRONTEND_H
#define NORN_FRONTEND_FRONTEND_H

#include "frontend/fair.h"
#include "frontend/namespaces.h"
#include "frontend/permission.h"
#include "net/rpc.h"
#include "queue/queue.h"
#include "shard/call.h"
#include "shard/engine.h"
#include "store/store.h"

struct frontend;
struct node_changes;
struct api_call;

typedef void api_fn(struct frontend *frontend, struct api_call *call);

/* Where a call belongs. */
enum api_route {
    API_LOCAL,            /* any loop will do */
    API_NODE,             /* loop 0, the owner of node values */
    API_WORKFLOW,         /* the execution's loop, by the workflow id in the request */
    API_TOKEN,            /* the execution's loop, by the task token in the request */
    API_QUEUE,            /* the task queue's loop */
};

/* What a caller must be allowed to do; roles are mapped onto these (permission.h). */
enum api_action {
    API_READ,
    API_WRITE,
    API_WORKER,
    API_ADMIN,            /* namespaces and search attributes */
    API_MAINTAIN,         /* the node: its store, its disk */
};

struct api_method {
    const char *service, *name;
    const ProtobufCMessageDescriptor *request, *response;
    bool done;                          /* false: answers UNIMPLEMENTED */
    enum api_route route;
    enum api_action action;
    api_fn *handler;                    /* one of these two, when done */
    engine_call_fn *engine;
    uint32_t index;
};

/* All RPCs of the Temporal API and of ours that this build knows, in the order of services and their files; `norn api` prints it. */
struct api_table;
struct api_table *api_table_create(void);
void api_table_destroy(struct api_table *table);
const struct api_method *api_table_methods(const struct api_table *table, size_t *count);
/* By the gRPC path "/service/method"; NULL when there is none. */
const struct api_method *api_table_find(const struct api_table *table, const char *path);
bool api_table_has_service(const struct api_table *table, struct bytes service);

struct api_call {
    struct call call;                   /* what engine and queues see */
    struct rpc_call *rpc;
    const struct api_method *method;
    struct frontend *origin;            /* of the connection's loop */
    uint64_t hash;                      /* of the execution or the queue */
    unsigned home;                      /* the loop where the call is; read with atomics, see frontend.c */
    struct io_msg move, back, cancel;
    bool cancel_posted, ended;          /* on the connection's loop */
    bool cancel_done;                   /* the cancellation has found the call */
    /* While it moves from a queue to an engine, or back. */
    struct queue_name queue_name;
    struct queue_task queue_task;
    bool poll_again;
    void *handler_state;                /* the handler's own, while it goes from loop to loop */
};

/* The node's, the same for all loops, constant while it serves. */
struct frontend_shared {
    const struct route *route;
    struct frontend *frontends[IO_LOOPS_MAX];   /* by loop; set before any call comes */
    uint8_t cluster_id[16];                     /* UUID of this installation */
    uint32_t blob_size_limit, memo_size_limit;
    bool reports_task_problems;        /* the search attribute TemporalReportedProblems is set */
    struct store *store;
    struct permission_rules permissions;
    const char *backup_dir;                     /* backups are made below it */
};

struct frontend {
    struct io *io;
    struct frontend_shared *shared;
    struct engine *engine;
    struct queues *queues;
    struct namespaces *namespaces;
    struct store_loop *store;
    struct api_table *table;
    struct fair fair;                           /* of calls that came on this loop's connections */
    struct node_changes *changes;               /* loop 0 only; NULL elsewhere */
    uint64_t *requests;                         /* by method and status code: counted on this loop */
    uint64_t *latency_ns;                       /* by method: sum */
    bool stopping;                              /* new calls get UNAVAILABLE */
    unsigned backups;                           /* that run; the store must stay open for them */
};

enum { API_STATUS_CODES = 17 };

struct frontend *frontend_create(struct io *io, struct frontend_shared *shared);
void frontend_destroy(struct frontend *frontend);
/* net_handlers.rpc; ctx is the loop's frontend. */
void frontend_rpc(struct io *io, void *ctx, struct rpc_call *call);

/* Runs the call's handler on that loop: here at once, elsewhere by a message. The caller lets go of the call. */
void api_go_to(struct api_call *call, unsigned loop);

/* queue_host and engine_host over the routes; ctx is the loop's frontend. */
struct queue_host frontend_queue_host(struct frontend *frontend);
struct engine_host frontend_engine_host(struct frontend *frontend);

/* Handlers, by family. */
void api_get_system_info(struct frontend *frontend, struct api_call *call);
void api_get_cluster_info(struct frontend *frontend, struct api_call *call);
void api_get_search_attributes(struct frontend *frontend, struct api_call *call);
void api_register_namespace(struct frontend *frontend, struct api_call *call);
void api_describe_namespace(struct frontend *frontend, struct api_call *call);
void api_list_namespaces(struct frontend *frontend, struct api_call *call);
void api_update_namespace(struct frontend *frontend, struct api_call *call);
void api_deprecate_namespace(struct frontend *frontend, struct api_call *call);
void api_add_search_attributes(struct frontend *frontend, struct api_call *call);
void api_remove_search_attributes(struct frontend *frontend, struct api_call *call);
void api_list_search_attributes(struct frontend *frontend, struct api_call *call);
void api_poll_workflow_task_queue(struct frontend *frontend, struct api_call *call);
void api_poll_activity_task_queue(struct frontend *frontend, struct api_call *call);
void api_describe_task_queue(struct frontend *frontend, struct api_call *call);
void api_list_task_queue_partitions(struct frontend *frontend, struct api_call *call);
void api_shutdown_worker(struct frontend *frontend, struct api_call *call);
void api_list_workflow_executions(struct frontend *frontend, struct api_call *call);
void api_list_open_workflow_executions(struct frontend *frontend, struct api_call *call);
void api_list_closed_workflow_executions(struct frontend *frontend, struct api_call *call);
void api_count_workflow_executions(struct frontend *frontend, struct api_call *call);
void api_list_archived_workflow_executions(struct frontend *frontend, struct api_call *call);
void api_backup(struct frontend *frontend, struct api_call *call);
void api_checkpoint(struct frontend *frontend, struct api_call *call);
void api_list_clusters(struct frontend *frontend, struct api_call *call);

#endif
