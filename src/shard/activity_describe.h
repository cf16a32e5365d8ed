/* activity_describe: a pending activity as DescribeWorkflowExecution shows it. */
#ifndef NORN_SHARD_ACTIVITY_DESCRIBE_H
#define NORN_SHARD_ACTIVITY_DESCRIBE_H

#include "shard/exec.h"

Temporal__Api__Workflow__V1__PendingActivityInfo *activity_describe(const struct item *activity, struct arena *arena);

#endif
