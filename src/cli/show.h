/* show: how values of the API look to people. */
#ifndef NORN_CLI_SHOW_H
#define NORN_CLI_SHOW_H

#include "cli/cli.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

typedef Google__Protobuf__Timestamp pb_timestamp;
typedef Google__Protobuf__Duration pb_duration;

/* All texts live as long as the command; "" when there is nothing. */
const char *show_time(struct cli *cli, const pb_timestamp *time);             /* "2026-11-21 10:20:30.123" UTC */
const char *show_ago(struct cli *cli, const pb_timestamp *time);              /* "3m12s ago", "in 5s" */
const char *show_duration(struct cli *cli, const pb_duration *duration);      /* "1h30m" */
const char *show_ns(struct cli *cli, int64_t ns);
int64_t ns_of_time(const pb_timestamp *time);                                 /* 0: none */
/* The name of an enum's value without its prefix, in CamelCase: "TimedOut". */
const char *show_enum(struct cli *cli, const ProtobufCEnumDescriptor *type, int value);
/* One payload or several, as JSON. */
const char *show_message(struct cli *cli, const ProtobufCMessage *message);
/* A failure and its causes on one line: "message (ApplicationError: type): cause". */
const char *show_failure(struct cli *cli, const Temporal__Api__Failure__V1__Failure *failure);
const char *show_status(struct cli *cli, int status);                         /* of a workflow */

#endif
