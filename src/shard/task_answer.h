/* task_answer: what a worker gets with a workflow task. Encoded by hand around the history, whose bytes are joined. */
#ifndef NORN_SHARD_TASK_ANSWER_H
#define NORN_SHARD_TASK_ANSWER_H

#include "shard/core.h"

/* PollWorkflowTaskQueueResponse of the started task. `partial`: the worker has the run cached, and gets what came after
 * its last completed task. Waiting queries are attached. */
struct bytes task_answer(struct engine *engine, struct exec *exec, struct arena *arena, bool partial);

/* Appends the fields `history` and (when there is more) `next_page_token` to an encoded PollWorkflowTaskQueueResponse:
 * events from `first` to the started event of the running task, or to the end. */
void task_answer_history(const struct exec *exec, struct arena *arena, int64_t first, struct buf *answer);

enum { HISTORY_PAGE_EVENTS = 256, HISTORY_PAGE_BYTES = 3 * 1024 * 1024 };

#endif
