/* command_record: commands that only write down something: markers, search attributes, memo. */
#include "shard/attributes.h"
#include "shard/command.h"
#include "shard/core.h"

/* ---- RecordMarker -------------------------------------------------------------------------------------------------- */

bool command_marker_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES);
    const Temporal__Api__Command__V1__RecordMarkerCommandAttributes *a = command->record_marker_command_attributes;
    if (text_empty(a->marker_name)) return command_fail(check, bad, "MarkerName is not set on RecordMarkerCommand.");
    size_t len = strlen(a->marker_name);
    if (len > command_id_max(check))
        return command_fail(check, bad,
                            "MarkerName on RecordMarkerCommand exceeds length limit. MarkerName=%s Length=%zu Limit=%u",
                            a->marker_name, len, command_id_max(check));
    size_t size = 0;
    for (size_t i = 0; i < a->n_details; i++) size += strlen(a->details[i]->key) + pb_size(a->details[i]->value);
    if (size > command_blob_max(check))
        return command_terminate(check, bad, "RecordMarkerCommandAttributes.Details exceeds size limit.");
    return true;
}

void command_marker_apply(struct completion *completion, const Command *command) {
    typedef Temporal__Api__History__V1__MarkerRecordedEventAttributes__DetailsEntry Entry;
    const Temporal__Api__Command__V1__RecordMarkerCommandAttributes *a = command->record_marker_command_attributes;
    struct arena *arena = &completion->txn->arena;
    EVENT_NEW(MarkerRecorded, marker_recorded, marker);
    marker.marker_name = a->marker_name;
    marker.header = a->header;
    marker.failure = a->failure;
    marker.workflow_task_completed_event_id = completion->completed_event_id;
    marker.n_details = a->n_details;
    marker.details = arena_alloc(arena, a->n_details * sizeof(*marker.details));
    for (size_t i = 0; i < a->n_details; i++) {
        Entry *entry = PB_NEW(arena, temporal__api__history__v1__marker_recorded_event_attributes__details_entry);
        entry->key = a->details[i]->key;
        entry->value = a->details[i]->value;
        marker.details[i] = entry;
    }
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, MARKER_RECORDED, marker_recorded, &marker);
    command_add_event(completion, command, &event);
}

/* ---- UpsertWorkflowSearchAttributes -------------------------------------------------------------------------------- */

/* Names and payloads, as the limit of one blob counts them. */
static size_t attributes_size(const SearchAttributes *attributes) {
    size_t size = 0;
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        const SearchAttributesEntry *entry = attributes->indexed_fields[i];
        size += strlen(entry->key) + (entry->value ? entry->value->data.len : 0);
    }
    return size;
}

bool command_upsert_search_attributes_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_SEARCH_ATTRIBUTES);
    SearchAttributes **attributes = &command->upsert_workflow_search_attributes_command_attributes->search_attributes;
    if (!*attributes)
        return command_fail(check, bad, "SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.");
    if ((*attributes)->n_indexed_fields == 0)
        return command_fail(check, bad, "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.");
    struct engine *engine = check->completion->engine;
    const uint8_t *namespace_id = check->exec->start->namespace_id.data;
    struct status status = attributes_check_values(engine, namespace_id, *attributes, check->arena);
    if (!status_ok(status)) return command_fail_status(check, bad, status);
    if (attributes_size(*attributes) > command_blob_max(check))
        return command_terminate(check, bad, "UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.");
    *attributes = attributes_typed(engine, namespace_id, *attributes, check->arena);
    check->search_attributes = search_attributes_merge(check->arena, check->search_attributes, *attributes);
    status = search_attributes_check_size(check->arena, check->search_attributes);
    if (!status_ok(status)) return command_terminate(check, bad, "%s", status.message);
    return true;
}

void command_upsert_search_attributes_apply(struct completion *completion, const Command *command) {
    EVENT_NEW(UpsertWorkflowSearchAttributes, upsert_workflow_search_attributes, upsert);
    upsert.search_attributes = command->upsert_workflow_search_attributes_command_attributes->search_attributes;
    upsert.workflow_task_completed_event_id = completion->completed_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, upsert_workflow_search_attributes, &upsert);
    command_add_event(completion, command, &event);
}

/* ---- ModifyWorkflowProperties -------------------------------------------------------------------------------------- */

bool command_modify_properties_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES);
    const Memo *memo = command->modify_workflow_properties_command_attributes->upserted_memo;
    if (!memo) return command_fail(check, bad, "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.");
    if (memo->n_fields == 0)
        return command_fail(check, bad, "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.");
    size_t size = 0;
    for (size_t i = 0; i < memo->n_fields; i++)
        size += strlen(memo->fields[i]->key) + (memo->fields[i]->value ? memo->fields[i]->value->data.len : 0);
    if (size > command_blob_max(check))
        return command_terminate(check, bad, "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.");
    check->memo = memo_merge(check->arena, check->memo, memo);
    if (pb_size(check->memo) > command_memo_max(check))
        return command_terminate(check, bad, "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.");
    return true;
}

void command_modify_properties_apply(struct completion *completion, const Command *command) {
    EVENT_NEW(WorkflowPropertiesModified, workflow_properties_modified, modified);
    modified.upserted_memo = command->modify_workflow_properties_command_attributes->upserted_memo;
    modified.workflow_task_completed_event_id = completion->completed_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, WORKFLOW_PROPERTIES_MODIFIED, workflow_properties_modified, &modified);
    command_add_event(completion, command, &event);
}
