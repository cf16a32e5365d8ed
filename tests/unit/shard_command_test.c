/* Commands: what is refused, and how; what they write (temporal-surface.md 3). */
#include "shard_world.h"

/* Starts a workflow; its first task answers with the commands, which are refused with this text. */
#define EXPECT_REFUSED(world, text, ...)                                                                       \
    do {                                                                                                       \
        start(world, "w");                                                                                     \
        expect_status(respond(world, poll_workflow(world, "tq"), NULL, __VA_ARGS__, NULL),                     \
                      STATUS_INVALID_ARGUMENT, text);                                                          \
    } while (0)

static void a_timer_needs_an_id(struct world *world) {
    EXPECT_REFUSED(world, "BadStartTimerAttributes: TimerId is not set on StartTimerCommand.",
                   start_timer(world, "", SECOND));
    expect_history(world, "w", "4 WorkflowTaskFailed cause 4\n");
}

static void attributes_must_be_there(struct world *world) {
    Command *c = command(world, COMMAND(START_TIMER));
    EXPECT_REFUSED(world,
                   "BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.",
                   marker(world, "m"), c);
    /* What went before the bad command leaves no trace either. */
    expect_history(world, "w", "4 WorkflowTaskFailed cause 4\n");
}

static void a_timer_id_is_used_once(struct world *world) {
    EXPECT_REFUSED(world,
                   "StartTimerDuplicateId: invalid history builder state for action: add-timer-started-event, "
                   "TimerID: t",
                   start_timer(world, "t", SECOND), start_timer(world, "t", SECOND));
    /* Cancelled in between, it is free again. */
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, start_timer(world, "t", SECOND), cancel_timer(world, "t"),
                      start_timer(world, "t", SECOND), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskFailed cause 12\n5 WorkflowTaskScheduled attempt 2\n6 WorkflowTaskStarted\n"
                   "7 WorkflowTaskCompleted\n8 TimerStarted\n9 TimerCanceled t started 8\n10 TimerStarted\n");
}

static void an_unknown_timer_is_not_cancelled(struct world *world) {
    EXPECT_REFUSED(world,
                   "BadCancelTimerAttributes: invalid history builder state for action: add-timer-canceled-event, "
                   "TimerID: t",
                   cancel_timer(world, "t"));
}

static void an_activity_id_is_used_once(struct world *world) {
    EXPECT_REFUSED(world,
                   "ScheduleActivityDuplicateId: invalid history builder state for action: "
                   "add-activitytask-scheduled-event, ActivityID: a",
                   schedule_activity(world, "a", SECOND, 0, 0), schedule_activity(world, "a", SECOND, 0, 0));
}

static void an_activity_needs_a_timeout(struct world *world) {
    EXPECT_REFUSED(world,
                   "BadScheduleActivityAttributes: a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on "
                   "the activity. ActivityId=a ActivityType=Charge",
                   schedule_activity(world, "a", 0, 0, 0));
}

static void an_unknown_activity_is_not_cancelled(struct world *world) {
    EXPECT_REFUSED(world,
                   "BadRequestCancelActivityAttributes: invalid history builder state for action: "
                   "add-activitytask-cancel-requested-event, ScheduledEventID: 99",
                   cancel_activity(world, 99));
}

/* One of the same completion can be: its event id is known before. */
static void a_new_activity_is_cancelled_at_once(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, schedule_activity(world, "a", SECOND, 0, 0),
                      cancel_activity(world, 5), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 ActivityTaskCancelRequested\n"
                   "7 ActivityTaskCanceled scheduled 5 started 0 request 6\n8 WorkflowTaskScheduled\n");
    assert_null(poll_activity(world, "tq"));
}

static void nothing_follows_a_closing_command(struct world *world) {
    EXPECT_REFUSED(world,
                   "invalid command sequence: [CompleteWorkflowExecution, StartTimer], command "
                   "CompleteWorkflowExecution must be the last command.",
                   complete_workflow(world), start_timer(world, "t", SECOND));
    expect_history(world, "w", "");
}

static void an_unknown_command_is_refused(struct world *world) {
    EXPECT_REFUSED(world, "unknown command type: 77", command(world, 77));
    expect_history(world, "w", "");
}

static void an_oversize_payload_terminates(struct world *world) {
    Command *c = schedule_activity(world, "a", SECOND, 0, 0);
    char *text = arena_alloc(&world->arena, 3 << 20);
    memset(text, 'x', (2 << 20) + 1);
    c->schedule_activity_task_command_attributes->input = json(world, text);
    EXPECT_REFUSED(world,
                   "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit.", c);
    expect_history(world, "w", "4 WorkflowTaskFailed cause 2\n5 WorkflowExecutionTerminated\n");
}

/* ---- what is only written down -------------------------------------------------------------------------------------- */

static Command *upsert(struct world *world, const char *name, const char *value) {
    COMMAND_NEW(world, c, UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, upsert_workflow_search_attributes);
    SearchAttributes *all = PB_NEW(&world->arena, temporal__api__common__v1__search_attributes);
    SearchAttributesEntry *one = PB_NEW(&world->arena, temporal__api__common__v1__search_attributes__indexed_fields_entry);
    one->key = text_of(world, name);
    one->value = payload_json(&world->arena, bytes_str(value));
    all->n_indexed_fields = 1;
    all->indexed_fields = ARENA_NEW(&world->arena, SearchAttributesEntry *);
    all->indexed_fields[0] = one;
    c->upsert_workflow_search_attributes_command_attributes->search_attributes = all;
    return c;
}
static Command *modify_memo(struct world *world, const char *name, const char *value) {
    COMMAND_NEW(world, c, MODIFY_WORKFLOW_PROPERTIES, modify_workflow_properties);
    Memo *memo = PB_NEW(&world->arena, temporal__api__common__v1__memo);
    MemoEntry *one = PB_NEW(&world->arena, temporal__api__common__v1__memo__fields_entry);
    one->key = text_of(world, name);
    one->value = payload_json(&world->arena, bytes_str(value));
    memo->n_fields = 1;
    memo->fields = ARENA_NEW(&world->arena, MemoEntry *);
    memo->fields[0] = one;
    c->modify_workflow_properties_command_attributes->upserted_memo = memo;
    return c;
}

static void attributes_and_memo_are_merged(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, upsert(world, "CustomIntField", "7"),
                      upsert(world, "CustomKeywordField", "\"k\""), modify_memo(world, "a", "1"),
                      modify_memo(world, "b", "2"), upsert(world, "CustomIntField", "null"),
                      modify_memo(world, "a", "null"), marker(world, "m"), NULL));
    WS(DescribeWorkflowExecutionRequest) *r = REQUEST_NEW(world, describe_workflow_execution);
    WS(DescribeWorkflowExecutionResponse) * d;
    r->execution = execution(world, "w");
    expect_ok(CALL(world, describe_workflow_execution, r, &d));
    const SearchAttributes *attributes = d->workflow_execution_info->search_attributes;
    assert_int_equal(attributes->n_indexed_fields, 2);
    assert_string_equal(attributes->indexed_fields[0]->key, "BuildIds");
    assert_string_equal(attributes->indexed_fields[1]->key, "CustomKeywordField");
    assert_true(bytes_equal(payload_metadata(attributes->indexed_fields[1]->value, "type"), bytes_str("Keyword")));
    assert_int_equal(d->workflow_execution_info->memo->n_fields, 1);
    assert_string_equal(d->workflow_execution_info->memo->fields[0]->key, "b");
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 UpsertWorkflowSearchAttributes\n6 UpsertWorkflowSearchAttributes\n"
                   "7 WorkflowPropertiesModified\n8 WorkflowPropertiesModified\n9 UpsertWorkflowSearchAttributes\n"
                   "10 WorkflowPropertiesModified\n11 MarkerRecorded\n");
}

static void an_undefined_attribute_is_refused(struct world *world) {
    EXPECT_REFUSED(world, "BadSearchAttributes: Namespace default has no mapping defined for search attribute Nope", upsert(world, "Nope", "1"));
    expect_history(world, "w", "4 WorkflowTaskFailed cause 23\n");
}

static void a_marker_needs_a_name(struct world *world) {
    EXPECT_REFUSED(world, "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand.", marker(world, ""));
}

static void metadata_of_commands_goes_to_their_events(struct world *world) {
    Command *c = start_timer(world, "t", SECOND);
    c->user_metadata = PB_NEW(&world->arena, temporal__api__sdk__v1__user_metadata);
    c->user_metadata->summary = payload_json(&world->arena, bytes_str("\"why\""));
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, c, NULL));
    WS(GetWorkflowExecutionHistoryRequest) *r = REQUEST_NEW(world, get_workflow_execution_history);
    WS(GetWorkflowExecutionHistoryResponse) * response;
    r->execution = execution(world, "w");
    expect_ok(CALL(world, get_workflow_execution_history, r, &response));
    assert_non_null(response->history->events[4]->user_metadata);
}

/* ---- continue as new ------------------------------------------------------------------------------------------------ */

static void a_run_continues_as_new(struct world *world) {
    start(world, "w");
    COMMAND_NEW(world, c, CONTINUE_AS_NEW_WORKFLOW_EXECUTION, continue_as_new_workflow_execution);
    c->continue_as_new_workflow_execution_command_attributes->input = json(world, "\"more\"");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, c, NULL));
    wait(world, 1100 * MS);
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_non_null(task);
    const HistoryEvent *first = task->history->events[0];
    assert_string_equal(first->workflow_execution_started_event_attributes->workflow_type->name, "Order");
    assert_string_equal(first->workflow_execution_started_event_attributes->task_queue->name, "tq");
    expect_ok(respond(world, task, NULL, complete_workflow(world), NULL));
}

static void a_child_is_not_supported_yet(struct world *world) {
    COMMAND_NEW(world, c, START_CHILD_WORKFLOW_EXECUTION, start_child_workflow_execution);
    EXPECT_REFUSED(world, "FeatureDisabled: StartChildWorkflowExecutionCommand is not supported by this server.", c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_timer_needs_an_id),
        TEST(attributes_must_be_there),
        TEST(a_timer_id_is_used_once),
        TEST(an_unknown_timer_is_not_cancelled),
        TEST(an_activity_id_is_used_once),
        TEST(an_activity_needs_a_timeout),
        TEST(an_unknown_activity_is_not_cancelled),
        TEST(a_new_activity_is_cancelled_at_once),
        TEST(nothing_follows_a_closing_command),
        TEST(an_unknown_command_is_refused),
        TEST(an_oversize_payload_terminates),
        TEST(attributes_and_memo_are_merged),
        TEST(an_undefined_attribute_is_refused),
        TEST(a_marker_needs_a_name),
        TEST(metadata_of_commands_goes_to_their_events),
        TEST(a_run_continues_as_new),
        TEST(a_child_is_not_supported_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
