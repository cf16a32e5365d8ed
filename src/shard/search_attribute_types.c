#include "base/check.h"
#include "shard/search_attributes.h"

static const char *const type_texts[] = {
    [SA_TEXT] = "Text",         [SA_KEYWORD] = "Keyword",  [SA_INT] = "Int",
    [SA_DOUBLE] = "Double",     [SA_BOOL] = "Bool",        [SA_DATETIME] = "Datetime",
    [SA_KEYWORD_LIST] = "KeywordList",
};

const char *search_attribute_type_text(enum search_attribute_type type) {
    return type >= SA_TEXT && type <= SA_KEYWORD_LIST ? type_texts[type] : NULL;
}

enum search_attribute_type search_attribute_type_of_text(struct bytes text) {
    for (int type = SA_TEXT; type <= SA_KEYWORD_LIST; type++) {
        if (bytes_equal(text, bytes_str(type_texts[type]))) return (enum search_attribute_type)type;
    }
    return SA_UNDEFINED;
}

const struct search_attribute_definition search_attribute_definitions[] = {
    {"WorkflowId", SA_KEYWORD, SA_SYSTEM},
    {"RunId", SA_KEYWORD, SA_SYSTEM},
    {"WorkflowType", SA_KEYWORD, SA_SYSTEM},
    {"StartTime", SA_DATETIME, SA_SYSTEM},
    {"ExecutionTime", SA_DATETIME, SA_SYSTEM},
    {"CloseTime", SA_DATETIME, SA_SYSTEM},
    {"ExecutionStatus", SA_KEYWORD, SA_SYSTEM},
    {"TaskQueue", SA_KEYWORD, SA_SYSTEM},
    {"HistoryLength", SA_INT, SA_SYSTEM},
    {"ExecutionDuration", SA_INT, SA_SYSTEM},
    {"StateTransitionCount", SA_INT, SA_SYSTEM},
    {"HistorySizeBytes", SA_INT, SA_SYSTEM},
    {"ParentWorkflowId", SA_KEYWORD, SA_SYSTEM},
    {"ParentRunId", SA_KEYWORD, SA_SYSTEM},
    {"RootWorkflowId", SA_KEYWORD, SA_SYSTEM},
    {"RootRunId", SA_KEYWORD, SA_SYSTEM},
    {"TemporalChangeVersion", SA_KEYWORD_LIST, SA_PREDEFINED},
    {"BinaryChecksums", SA_KEYWORD_LIST, SA_PREDEFINED},
    {"BuildIds", SA_KEYWORD_LIST, SA_PREDEFINED},
    {"BatcherNamespace", SA_KEYWORD, SA_PREDEFINED},
    {"BatcherUser", SA_KEYWORD, SA_PREDEFINED},
    {"TemporalScheduledStartTime", SA_DATETIME, SA_PREDEFINED},
    {"TemporalScheduledById", SA_KEYWORD, SA_PREDEFINED},
    {"TemporalSchedulePaused", SA_BOOL, SA_PREDEFINED},
    {"TemporalNamespaceDivision", SA_KEYWORD, SA_PREDEFINED},
    {"TemporalPauseInfo", SA_KEYWORD_LIST, SA_PREDEFINED},
    {"TemporalReportedProblems", SA_KEYWORD_LIST, SA_PREDEFINED},
    {"TemporalWorkerDeploymentVersion", SA_KEYWORD, SA_INTERNAL},
    {"TemporalWorkflowVersioningBehavior", SA_KEYWORD, SA_INTERNAL},
    {"TemporalWorkerDeployment", SA_KEYWORD, SA_INTERNAL},
    {"TemporalUsedWorkerDeploymentVersions", SA_KEYWORD_LIST, SA_INTERNAL},
    {"TemporalExternalPayloadCount", SA_INT, SA_INTERNAL},
    {"TemporalExternalPayloadSizeBytes", SA_INT, SA_INTERNAL},
};
const size_t search_attribute_definition_count = ARRAY_LEN(search_attribute_definitions);

const struct search_attribute_definition *search_attribute_find(const char *name) {
    for (size_t i = 0; i < search_attribute_definition_count; i++) {
        if (strcmp(search_attribute_definitions[i].name, name) == 0) return &search_attribute_definitions[i];
    }
    return NULL;
}

bool search_attribute_reserved(const char *name) {
    static const char *const reserved[] = {"NamespaceId", "MemoEncoding", "Memo", "VisibilityTaskKey"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(reserved[i], name) == 0) return true;
    }
    return strncmp(name, "Temporal", strlen("Temporal")) == 0 || search_attribute_find(name) != NULL;
}

enum search_attribute_type search_attribute_type_find(const struct search_attribute_types *types, const char *name) {
    const struct search_attribute_definition *definition = search_attribute_find(name);
    if (definition) return definition->type;
    return types->custom ? (enum search_attribute_type)types->custom(types->ctx, name) : SA_UNDEFINED;
}
