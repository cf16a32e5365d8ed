/* txn: one change of one execution, from the first moved field to the record.
 *
 * Everything is checked before a transaction begins; it cannot be taken back. It ends with txn_commit, which appends one
 * record (version + 1) and queues the effects behind it. */
#ifndef NORN_SHARD_TXN_H
#define NORN_SHARD_TXN_H

#include "shard/call.h"
#include "shard/events.h"
#include "shard/exec.h"
#include "queue/queue.h"

struct txn {
    struct engine *engine;
    struct exec *exec;
    int64_t now;                       /* wall time of the change; never before the run's last event */
    struct arena arena;                /* freed by txn_commit */
    bool hold;                         /* keep back events that are not direct (while commands run) */
    bool aside;                        /* a note of the server's own: no transition of the run */
    bool reserved;                     /* may use the store's reserve (terminate, delete, retention) */
    struct list replies;               /* calls to end when the record is durable */
    struct list sends;                 /* tasks for queues */
    struct txn *successor;             /* the next run, when this one closes with one; set and owned by close.c */
    struct arena_first memory;         /* of the arena; the last member, not cleared by txn_begin */
};

/* An execution is in one transaction at a time. */
void txn_begin(struct txn *txn, struct engine *engine, struct exec *exec);
/* Appends an event: sets its id, time and the rest, applies it to the state and encodes it; its payloads are borrowed
 * and only read. An event that must wait for the end of the workflow task is held back: the state changes now, the
 * event gets its id later, and the result is EVENT_ID_BUFFERED. event_time may be set by the caller (else it is now). */
int64_t txn_add_event(struct txn *txn, HistoryEvent *event);
/* Gives ids to what was held back (2.3): results last, started_event_id of results set right. */
void txn_flush(struct txn *txn);
/* Whether something is held back. */
bool txn_has_buffered(const struct txn *txn);
/* Ends `call` with this response when the record is durable. */
void txn_reply(struct txn *txn, struct call *call, const ProtobufCMessage *response);
void txn_reply_bytes(struct txn *txn, struct call *call, struct bytes response);
void txn_fail(struct txn *txn, struct call *call, struct status status);
/* Hands a task to its queue when the record is durable. The name's text is copied. */
void txn_send_task(struct txn *txn, const struct queue_name *name, const struct queue_task *task);
/* Takes a task that nobody may start any more out of its queue, or out of `fallback` (NULL: none), where it would stay
 * for ever if no worker polls there. */
void txn_withdraw_task(struct txn *txn, const struct queue_name *name, const struct queue_task *task, const char *fallback);
/* Appends the record (after that of a successor, in one cut), frees what the transaction holds, wakes history long
 * polls, sends queries that no workflow task will take; gives the record's number. */
uint64_t txn_commit(struct txn *txn);
/* The same for two executions whose records belong together (a run and its successor, which comes first in the
 * journal): effects of both leave when both are durable. */
void txn_commit_pair(struct txn *successor, struct txn *txn);

#endif
