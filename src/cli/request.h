/* request: requests as JSON text, put together from flags. */
#ifndef NORN_CLI_REQUEST_H
#define NORN_CLI_REQUEST_H

#include "cli/cli.h"

/* An object that is being written. Members are added in order; request_end closes what is open. */
struct request {
    struct cli *cli;
    struct buf text;
    bool bad;                              /* a message was printed; the command ends with CLI_USAGE */
};

struct request request_begin(struct cli *cli);
struct bytes request_end(struct request *request);
void request_free(struct request *request);

/* Members; a NULL value adds none. */
void request_text(struct request *request, const char *name, const char *value);
void request_bool(struct request *request, const char *name, bool value);
void request_raw(struct request *request, const char *name, const char *json);
/* {"name": value} */
void request_named(struct request *request, const char *name, const char *value);
/* "1h30m" of a flag as protobuf's "5400s". */
void request_duration(struct request *request, const char *name, const char *flag);
/* A choice such as RejectDuplicate or reject-duplicate as PREFIX_REJECT_DUPLICATE. */
void request_enum(struct request *request, const char *name, const char *prefix, const char *flag);
/* All of --input (JSON each) and --input-file, as payloads. */
void request_input(struct request *request, const char *name);
/* The KEY=JSON pairs of a flag as {name: {inner: {KEY: JSON}}}; a value that is not JSON is a text. */
void request_map(struct request *request, const char *name, const char *inner, const char *flag);
/* namespace. */
void request_namespace(struct request *request);
/* {"workflowId", "runId"} from the argument or --workflow-id, and --run-id. */
void request_execution(struct request *request, const char *name);
/* A random UUID. */
const char *new_uuid(struct cli *cli);

/* The argument, or --workflow-id; NULL after a message. */
const char *workflow_id(struct cli *cli);

#endif
