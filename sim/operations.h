/* operations: the calls that simulated clients and workers make, counted when they are answered, so that a batch of
 * seeds can tell which were never made.
 *
 * X(method, reach): of so many seeds of the default workload one must have it answered. */
#ifndef NORN_SIM_OPERATIONS_H
#define NORN_SIM_OPERATIONS_H

#define OPERATIONS(X)                                                                                          \
    X(RegisterNamespace, 20)                                                                                   \
    X(StartWorkflowExecution, 1)                                                                               \
    X(SignalWorkflowExecution, 5)                                                                              \
    X(SignalWithStartWorkflowExecution, 20)                                                                    \
    X(TerminateWorkflowExecution, 20)                                                                          \
    X(DeleteWorkflowExecution, 20)                                                                             \
    X(DescribeWorkflowExecution, 1)                                                                            \
    X(Explain, 1)                                                                                              \
    X(RequestCancelWorkflowExecution, 20)                                                                      \
    X(QueryWorkflow, 20)                                                                                       \
    X(ListWorkflowExecutions, 20)                                                                              \
    X(GetWorkflowExecutionHistory, 1)                                                                          \
    X(PollWorkflowTaskQueue, 1)                                                                                \
    X(RespondWorkflowTaskCompleted, 1)                                                                         \
    X(RespondWorkflowTaskFailed, 20)                                                                           \
    X(RespondQueryTaskCompleted, 20)                                                                           \
    X(PollActivityTaskQueue, 1)                                                                                \
    X(RecordActivityTaskHeartbeat, 20)                                                                         \
    X(RespondActivityTaskCompleted, 1)                                                                         \
    X(RespondActivityTaskCompletedById, 20)                                                                    \
    X(RespondActivityTaskCanceled, 20)                                                                         \
    X(RespondActivityTaskFailed, 20)

enum operation {
#define X(method, reach) OPERATION_##method,
    OPERATIONS(X)
#undef X
    OPERATION_COUNT
};

#endif
