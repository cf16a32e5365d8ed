/* mark: places that tests must reach, nudges that take the code off its usual way, and states that are looked at.
 *
 * All are answered by the IO backend, as memory is (base/mem.h), so that the simulator runs the very objects that
 * ship: in production mark() does nothing and nudge() says no; norn-sim counts marks, and says yes now and then, by the
 * seed, and puts a hash of each state into the trace. They may be called on loops and on helpers.
 *
 * A mark stands in a branch that is easily never tested. Each has a reach: of so many seeds of norn-sim's default
 * workload one must come here, or the batch fails. A nudge asks for what is legal at any time and rare in life: a
 * small batch, an early checkpoint, a run that leaves memory at once. It never makes a wrong answer right or a right
 * one wrong. */
#ifndef NORN_BASE_MARK_H
#define NORN_BASE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, reach, what the code does there). Reach 0: other tests come here, norn-sim's default workload need not. */
#define MARKS(X)                                                                                               \
    X(SERVING, 1, "the server began to serve")                                                                 \
    /* store */                                                                                                \
    X(TORN_TAIL, 600, "recovery cut a flight that a crash had torn")                                           \
    X(SEGMENT_ROLLED, 50, "the journal went on in its next segment")                                           \
    X(SEGMENT_RECYCLED, 50, "a free segment of the journal was used again")                                    \
    X(SEGMENT_REMOVED, 100, "a free segment of the journal was removed")                                       \
    X(JOURNAL_BLOCKED, 600, "the disk had no room for the next segment")                                       \
    X(RESERVE_GIVEN, 100, "the reserve was given up for a full disk")                                          \
    X(FULL_REFUSED, 200, "a write was refused because the disk is full")                                       \
    X(FOLDER_LOCK_WAITED, 50, "the lock of the process before was waited for")                                 \
    X(CHECKPOINT, 1, "a checkpoint was finished")                                                              \
    X(CHECKPOINT_BY_BYTES, 50, "a checkpoint began because the journal had grown")                             \
    X(CHECKPOINT_HELD, 50, "images waited until their records were durable")                                   \
    X(IDLE_RECOVERED, 50, "recovery left a run in SQLite")                                                     \
    X(VALUE_RECOVERED, 50, "recovery found a node value in the journal")                                       \
    X(DAMAGE_TOLD, 200, "damage of the journal was reported")                                                  \
    X(READ_FAILED, 0, "a read of the database failed, and the store went on")                                  \
    X(WRITE_UNREAD, 0, "a transaction was tried again, as a read in it failed")                                \
    /* executions in memory */                                                                                 \
    X(EVICTED, 50, "a run left memory")                                                                        \
    X(LOADED, 50, "a run came back from SQLite")                                                               \
    X(LOAD_BEATEN, 100, "a run came into memory while it was being loaded")                                    \
    X(LOAD_FAILED, 0, "a run could not be read")                                                               \
    X(LOAD_AGAIN, 0, "a run that could not be read was asked for again")                                       \
    X(TASK_PUT_BACK, 0, "a task went back to its queue, as its run could not be read")                         \
    X(LOAD_STALE, 2000, "a load was asked for again, as the run had changed meanwhile")                        \
    X(CALL_PARKED, 50, "a call waited for a load")                                                             \
    X(TASK_PARKED, 50, "a task and its poll waited for a load")                                                \
    X(PARKED_POLL_GONE, 600, "a poll went away while its run was loaded; the task went back")                  \
    X(SUCCESSOR_DROPPED, 0, "recovery removed a successor whose predecessor is open")                          \
    X(SUCCESSOR_IN_DOUBT, 0, "a successor waited until its predecessor was read")                              \
    X(EFFECT_WAITED, 1, "an answer waited for its record")                                                     \
    X(CLOCK_WENT_BACK, 50, "a run's time stood still as the wall clock had gone back")                         \
    /* starts and signals */                                                                                   \
    X(START_KNOWN, 50, "a start's request id was known")                                                       \
    X(START_REFUSED_CLOSED, 50, "a start met a closed run and was refused")                                    \
    X(SIGNAL_KNOWN, 50, "a signal's request id was known")                                                     \
    /* workflow tasks */                                                                                       \
    X(BUFFERED, 1, "an event was held back while a workflow task ran")                                         \
    X(BUFFERED_FLUSHED, 1, "events that were held back got their ids")                                         \
    X(STICKY_PASSED_OVER, 50, "a task passed its sticky queue over, as nobody polls there")                    \
    X(STICKY_TAKEN_OVER, 50, "another worker than the sticky one got a task")                                  \
    X(TASK_TIMED_OUT, 50, "a workflow task was not answered in time")                                          \
    X(STICKY_TIMED_OUT, 50, "a task on a sticky queue was not started in time")                                \
    X(TASK_TRANSIENT, 50, "a workflow task that failed again left no events")                                  \
    X(TASK_TOKEN_STALE, 50, "the token of a workflow task was refused")                                        \
    X(TASK_STALE, 600, "a queue handed out a task that its run no longer had")                                 \
    X(HANDOFF_GONE, 1000, "a poll went away between its queue and the run; the task went back")                \
    X(TASK_INLINE, 50, "the next workflow task left with the answer to the one before")                        \
    X(CLOSE_UNHANDLED, 200, "a run could not close over events that its workflow had not seen")                \
    /* activities */                                                                                           \
    X(ACTIVITY_RETRIED, 1, "an activity got another attempt")                                                  \
    X(ACTIVITY_TIMED_OUT, 50, "an activity was not answered in time")                                          \
    X(ACTIVITY_TOKEN_STALE, 50, "the token of an activity was refused")                                        \
    /* queries */                                                                                              \
    X(QUERY_FELL_BACK, 400, "a query left the sticky queue for the normal one")                                \
    X(QUERY_CLIENT_GONE, 400, "the client of a query went away")                                               \
    /* queues */                                                                                               \
    X(POLL_EMPTY, 50, "a poll waited to its end")                                                              \
    X(POLL_CANCELLED, 50, "a waiting poll was cancelled")                                                      \
    X(TASK_TWICE_IN_QUEUE, 0, "a queue had a task that came once more")                                        \
    /* connections */                                                                                          \
    X(DRAINED, 50, "every connection was drained before the end")                                              \
    X(DRAIN_CUT, 1000, "connections were cut, as the drain took too long")                                     \
    X(ACCEPT_FAILED, 50, "accept failed and was tried again")                                                  \
    X(KEEPALIVE_LOST, 600, "a connection was closed, as it did not answer a ping")                             \
    X(CALM_DOWN, 200, "a peer that asked for work and brought none was sent away")                             \
    X(FRAME_REFUSED, 50, "a connection that broke HTTP/2 was ended")                                           \
    X(REQUEST_RESET, 50, "a request was reset by its client")

/* X(NAME, what it asks for) */
#define NUDGES(X)                                                                                              \
    X(CHECKPOINT_NOW, "a checkpoint begins after this change already")                                         \
    X(EVICT_NOW, "a run leaves memory as soon as it may")                                                      \
    X(SEGMENT_ENDS, "the journal goes on in its next segment before this one is full")                         \
    X(SHORT_PAGE, "a page of a history ends early")                                                            \
    X(POLL_ENDS, "a poll ends empty at once")                                                                  \
    X(TURN_WAITS, "a call waits for its turn though its loop keeps up")

/* Of what a state is: X(NAME, what the number beside it is) */
#define OBSERVED(X) X(EXECUTION, "an execution's after a change, by its number")

#define X(name, reach, what) MARK_##name,
enum mark { MARKS(X) MARK_COUNT };
#undef X
#define X(name, what) NUDGE_##name,
enum nudge { NUDGES(X) NUDGE_COUNT };
#undef X
#define X(name, what) OBSERVED_##name,
enum observed { OBSERVED(X) OBSERVED_COUNT };
#undef X

void mark(enum mark mark);
bool nudge(enum nudge nudge);
/* Whether anybody looks at states; no in production, so that nothing is encoded for it. */
bool observing(void);
/* A state, in bytes that depend on nothing but what it means: neither addresses nor the order of a table. */
void observe(enum observed what, uint64_t number, const void *state, size_t len);

#endif
