/* apply: the state change of one history event. Live transactions and src/replay both change state by it alone, so that
 * a state can be rebuilt from its history.
 *
 *   event                                    touches
 *   WorkflowExecutionStarted                 Start, Info, Memo, SearchAttributes
 *   WorkflowTaskScheduled                    WorkflowTask (new)
 *   WorkflowTaskStarted                      WorkflowTask
 *   WorkflowTaskCompleted                    WorkflowTask (gone), Info.completed_*
 *   WorkflowTaskFailed, TimedOut             WorkflowTask (gone)
 *   ActivityTaskScheduled                    Activity (new)                                  activity.h
 *   ActivityTaskStarted                      nothing: written when the activity has ended
 *   ActivityTaskCompleted, Failed, TimedOut, Canceled    Activity (gone)                    activity.h
 *   ActivityTaskCancelRequested              Activity                                        activity.h
 *   TimerStarted                             Timer (new)                                     timer.h
 *   TimerFired, TimerCanceled                Timer (gone)                                    timer.h
 *   WorkflowExecutionSignaled                Info.signal_count, SignalRequest (new)
 *   WorkflowExecutionCancelRequested         Info.cancel_*
 *   UpsertWorkflowSearchAttributes           SearchAttributes                                attributes.h
 *   WorkflowPropertiesModified               Memo                                            attributes.h
 *   WorkflowExecutionOptionsUpdated          Request (new)
 *   close events                             Info (status, close time, new run), WorkflowTask, Activity, Timer and
 *                                            Buffered (gone)
 *   MarkerRecorded and others                nothing
 *   every event                              Info.next_event_id, last_event_time, history_size (by txn_add_event)
 *
 * Changes that no event tells are patches only: transient workflow tasks, attempts and heartbeats of activities, sticky
 * queue, request ids of starts, dispatch stamps and nonces, first_task_at being over. */
#ifndef NORN_SHARD_APPLY_H
#define NORN_SHARD_APPLY_H

#include "shard/exec.h"

/* `event->event_id` is EVENT_ID_BUFFERED when the event is held back: state changes at arrival. */
void apply_event(struct exec *exec, const HistoryEvent *event);

#endif
