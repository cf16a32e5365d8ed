/* events: what kinds of events there are, as far as ids, buffering and closing depend on it (temporal-surface 2). */
#ifndef NORN_SHARD_EVENTS_H
#define NORN_SHARD_EVENTS_H

#include "shard/api.h"

/* The id that txn_add_event gives for an event that was held back. */
enum { EVENT_ID_BUFFERED = -123 };

/* Sets type and attributes of an event. Example:
 *     HistoryEvent event = EVENT_INIT;
 *     EVENT_ATTRIBUTES(TimerFired) fired = ...__INIT;
 *     EVENT_SET(&event, TIMER_FIRED, timer_fired, &fired);
 *     txn_add_event(txn, &event);                                                                             */
#define EVENT_INIT TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__INIT
#define EVENT_SET(event, NAME, name, attributes)                                                               \
    ((event)->event_type = EVENT(NAME),                                                                        \
     (event)->attributes_case =                                                                                \
         TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES,                      \
     (event)->name##_event_attributes = (attributes))
/* An initialised attributes message:  EVENT_NEW(TimerFired, timer_fired, fired);  declares `fired` on the stack. */
#define EVENT_NEW(Name, name, variable)                                                                        \
    EVENT_ATTRIBUTES(Name) variable;                                                                           \
    temporal__api__history__v1__##name##_event_attributes__init(&variable)

/* Never held back while a workflow task runs: start and close, workflow task events, direct results of commands. */
bool event_is_direct(int32_t type);
bool event_is_close(int32_t type);
/* Goes to the end when held back events get their ids: results of activities, children and Nexus operations. */
bool event_is_late(int32_t type);
/* Carries nothing for workflow code: SDKs that do not know it may pass it over. */
bool event_may_be_ignored(int32_t type);
/* "WORKFLOW_TASK_SCHEDULED". */
const char *event_name(int32_t type);

#endif
