/* plant: planted bugs, to prove that tests find such bugs.
 *
 * PLANT(io, NAME) is false, a constant, unless the build has -Dplants. There it is true on loops where that bug was
 * chosen: by the environment variable NORN_PLANT (read through io_env, once for each loop), or by plant_select. One bug
 * at a time. `io` is not evaluated without -Dplants, and a plant is one expression within ordinary code: what it does
 * must be a mistake that someone could make.
 *
 * Code that runs on a helper has no loop: ask on the loop, and hand the answer over.
 *
 * docs/plants.md has the table for people; the two are kept alike. */
#ifndef NORN_BASE_PLANT_H
#define NORN_BASE_PLANT_H

#include <stdbool.h>

struct io;

/* X(NAME, text, needs a particular interleaving or crash point, what is wrong) */
#define PLANTS(X)                                                                                              \
    /* journal, checkpoint, recovery */                                                                        \
    X(NO_DATASYNC, "no-datasync", true, "a flight of the journal is taken for durable when it is written")     \
    X(SEGMENT_FREED_EARLY, "segment-freed-early", true, "journal segments are freed before SQLite is synced")  \
    X(CHECKPOINT_AHEAD, "checkpoint-ahead", true, "the applied position is one record ahead")                  \
    X(IMAGE_VERSION_AHEAD, "image-version-ahead", true, "an image says one version more than it holds")        \
    X(EVICT_BEFORE_IMAGE, "evict-before-image", true, "a run may leave memory before its image is written")    \
    X(RECOVERY_LOSES_LAST, "recovery-loses-last", true, "recovery skips the journal's last record")            \
    X(TORN_TAIL_ACCEPTED, "torn-tail-accepted", true, "a flight's body is not checked against its hash")       \
    X(RECOVERED_VALUE_LOST, "recovered-value-lost", true,                                                      \
      "node values that recovery found in the journal are left out of the next checkpoint")                    \
    X(IMAGE_FORGETS_TASKS, "image-forgets-tasks", true, "an image does not say that activity tasks wait")      \
    X(TASKS_NOT_SENT_AGAIN, "tasks-not-sent-again", true, "after a start, activity tasks go to no queue")      \
    /* replies and reads */                                                                                    \
    X(REPLY_BEFORE_SYNC, "reply-before-sync", true, "replies leave before their record is durable")            \
    X(READ_BEFORE_SYNC, "read-before-sync", true, "reads and refusals do not wait for the state that they saw") \
    X(ONCE_STARTED_TWICE, "once-started-twice", true,                                                          \
      "the task of an activity with one attempt leaves before its start is durable")                           \
    X(REPLY_LOST_WHEN_BUSY, "reply-lost-when-busy", true, "a reply is dropped while its connection sends")     \
    /* executions in memory */                                                                                 \
    X(LOADED_TWICE, "loaded-twice", true, "a run that came while it was loaded is made a second time")         \
    X(WRONG_RUN_AFTER_LOAD, "wrong-run-after-load", true, "whatever run is loaded counts as the id's newest")  \
    X(WRONG_RUN_AFTER_START, "wrong-run-after-start", true,                                                    \
      "after a start, the newest run in SQLite counts as the id's newest, though the journal has a newer one") \
    /* time */                                                                                                 \
    X(TIMERS_LOST_BY_LOAD, "timers-lost-by-load", true, "the deadlines of a run that is loaded are not set")   \
    X(IDLE_TIMERS_LOST, "idle-timers-lost", true, "after a start, runs that stay in SQLite have no deadlines") \
    X(TIMER_SET_LATE, "timer-set-late", false, "the clock is not set again for an earlier deadline")           \
    X(CLOCK_JUMP_MISSED, "clock-jump-missed", true, "after a jump of the wall clock, deadlines come late")     \
    X(TIMER_FIRES_TWICE, "timer-fires-twice", true, "the record does not say that a timer is gone")            \
    X(HEAP_LOSES_EVICTED, "heap-loses-evicted", true, "compaction drops deadlines of runs not in memory")      \
    /* activities */                                                                                           \
    X(BACKOFF_OF_NEXT_ATTEMPT, "backoff-of-next-attempt", false, "the backoff is that of the attempt to come") \
    X(SCHEDULE_TO_CLOSE_RESTARTS, "schedule-to-close-restarts", false,                                         \
      "schedule-to-close counts from the latest attempt")                                                      \
    X(HEARTBEAT_LOST_BY_RETRY, "heartbeat-lost-by-retry", false, "the next attempt has no heartbeat details")  \
    X(STALE_ACTIVITY_TOKEN, "stale-activity-token", true, "the token of an earlier attempt is accepted")       \
    /* workflow tasks */                                                                                       \
    X(STALE_TASK_TOKEN, "stale-task-token", true, "the dispatch nonce of a workflow task is not compared")     \
    X(STICKY_NOT_CLEARED, "sticky-not-cleared", false, "a failed or timed out task leaves the sticky queue set") \
    X(STICKY_NEVER_TIMES_OUT, "sticky-never-times-out", false, "sticky tasks have no schedule-to-start timeout") \
    X(BUFFERED_LOST_BY_FAILURE, "buffered-lost-by-failure", false,                                             \
      "what was held back while a workflow task ran is dropped when it fails")                                 \
    X(BUFFERED_REVERSED, "buffered-reversed", false, "events that were held back get their ids in reverse order") \
    X(CONTINUE_LOSES_SIGNAL, "continue-loses-signal", true,                                                    \
      "continue-as-new closes the run over events that the workflow has not seen")                             \
    /* requests */                                                                                             \
    X(REQUEST_ID_NOT_KEPT, "request-id-not-kept", true, "the record of a start lacks its request id")          \
    X(SIGNAL_IDS_NOT_LOADED, "signal-ids-not-loaded", true, "request ids of signals are not read back")        \
    X(HISTORY_PAGE_GAP, "history-page-gap", false, "the next page of a history leaves out one event")          \
    X(QUERY_OF_OLD_STATE, "query-of-old-state", true, "a query overtakes the workflow task before it")         \
    X(VISIBILITY_OLD_VERSION, "visibility-old-version", true,                                                  \
      "after an image, the row of a list has that image's version, and loses to it")                           \
    /* matching */                                                                                             \
    X(HANDOFF_LOST, "handoff-lost", true, "a task is dropped when its poller has gone before it was started")  \
    X(PARKED_TASK_LOST, "parked-task-lost", true, "a task is dropped when its poller goes while its run is loaded") \
    X(CANCELLED_POLL_GETS_TASK, "cancelled-poll-gets-task", false, "a poll that was cancelled stays in its queue") \
    /* connections */                                                                                          \
    X(WINDOW_NOT_GIVEN_BACK, "window-not-given-back", false, "no WINDOW_UPDATE is sent, and requests stall")   \
    X(BUFFER_NOT_GIVEN_BACK, "buffer-not-given-back", true,                                                    \
      "bytes that come while a connection closes keep their receive buffer")                                   \
    /* namespaces, with several loops */                                                                       \
    X(NAMESPACE_ON_ONE_LOOP, "namespace-on-one-loop", false, "a change of a namespace reaches loop 0 only")    \
    X(NAMESPACE_ACKED_EARLY, "namespace-acked-early", true, "a namespace is acknowledged when one loop has it")

#define X(name, text, interleaving, what) PLANT_##name,
enum plant { PLANTS(X) PLANT_COUNT };
#undef X

#ifdef NORN_PLANTS
#define PLANT(io, NAME) plant_on((io), PLANT_##NAME)
bool plant_on(struct io *io, enum plant plant);
/* Chooses a bug for this loop, instead of NORN_PLANT; "" or NULL: none. False: there is none of that name. */
bool plant_select(struct io *io, const char *name);
#else
#define PLANT(io, NAME) false
#endif

#endif
