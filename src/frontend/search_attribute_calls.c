/* search_attribute_calls: the RPCs about search attributes (temporal-surface.md 7.3). */
#include <string.h>

#include "frontend/namespace_change.h"
#include "frontend/norn_api_headers.h"
#include "shard/search_attributes.h"

static bool has_attribute(const Norn__Node__Namespace *record, const char *name, int32_t *type) {
    for (size_t i = 0; i < record->n_search_attributes; i++) {
        if (strcmp(record->search_attributes[i]->key, name) != 0) continue;
        *type = record->search_attributes[i]->value;
        return true;
    }
    return false;
}

/* Adds those that are new; false when one is not allowed, and the call has failed. */
static bool add_attributes(struct call *call, Norn__Node__Namespace *record, const OS(AddSearchAttributesRequest) *request) {
    Norn__Node__Namespace__SearchAttributesEntry **entries =
        arena_alloc(call->arena, (record->n_search_attributes + request->n_search_attributes) * sizeof *entries);
    memcpy(entries, record->search_attributes, record->n_search_attributes * sizeof *entries);
    record->search_attributes = entries;
    for (size_t i = 0; i < request->n_search_attributes; i++) {
        char *name = request->search_attributes[i]->key;
        int32_t type = (int32_t)request->search_attributes[i]->value, old;
        if (!name[0] || search_attribute_reserved(name)) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "Search attribute %s is reserved by system.", name);
            return false;
        }
        if (type < SA_TEXT || type > SA_KEYWORD_LIST) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "Unable to parse search attribute type: %d.", type);
            return false;
        }
        if (has_attribute(record, name, &old)) continue;
        if (record->n_search_attributes >= SEARCH_ATTRIBUTES_PER_NAMESPACE_MAX) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "cannot have more than %d search attributes in a namespace",
                      SEARCH_ATTRIBUTES_PER_NAMESPACE_MAX);
            return false;
        }
        Norn__Node__Namespace__SearchAttributesEntry *entry = arena_alloc(call->arena, sizeof *entry);
        norn__node__namespace__search_attributes_entry__init(entry);
        entry->key = name;
        entry->value = type;
        entries[record->n_search_attributes++] = entry;
    }
    return true;
}

void api_add_search_attributes(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const OS(AddSearchAttributesRequest) *request = (const void *)call->request;
    if (request->n_search_attributes == 0) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "SearchAttributes are not set on request.");
        return;
    }
    const struct namespace_info *info = namespace_find_to_change(frontend, call, request->namespace_);
    if (!info) return;
    Norn__Node__Namespace *record = namespace_copy_record(info, call->arena);
    if (!add_attributes(call, record, request)) return;
    OS(AddSearchAttributesResponse) response = TEMPORAL__API__OPERATORSERVICE__V1__ADD_SEARCH_ATTRIBUTES_RESPONSE__INIT;
    if (record->n_search_attributes == namespaces_record(info)->n_search_attributes) call_reply(call, &response.base);
    else node_changes_put(frontend->changes, record, call, &response.base);
}

void api_remove_search_attributes(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const OS(RemoveSearchAttributesRequest) *request = (const void *)call->request;
    const struct namespace_info *info = namespace_find_to_change(frontend, call, request->namespace_);
    if (!info) return;
    Norn__Node__Namespace *record = namespace_copy_record(info, call->arena);
    for (size_t i = 0; i < request->n_search_attributes; i++) {
        const char *name = request->search_attributes[i];
        if (search_attribute_reserved(name)) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "Unable to remove non-custom search attributes: %s.", name);
            return;
        }
        for (size_t k = 0; k < record->n_search_attributes; k++) {
            if (strcmp(record->search_attributes[k]->key, name) != 0) continue;
            record->search_attributes[k] = record->search_attributes[--record->n_search_attributes];
            break;
        }
    }
    OS(RemoveSearchAttributesResponse) response =
        TEMPORAL__API__OPERATORSERVICE__V1__REMOVE_SEARCH_ATTRIBUTES_RESPONSE__INIT;
    node_changes_put(frontend->changes, record, call, &response.base);
}

void api_list_search_attributes(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    struct arena *arena = call->arena;
    (void)frontend;
    const Norn__Node__Namespace *record = namespaces_record(call->ns);
    OS(ListSearchAttributesResponse) response =
        TEMPORAL__API__OPERATORSERVICE__V1__LIST_SEARCH_ATTRIBUTES_RESPONSE__INIT;
    response.custom_attributes = arena_alloc(arena, record->n_search_attributes * sizeof(void *));
    for (size_t i = 0; i < record->n_search_attributes; i++) {
        OS(ListSearchAttributesResponse__CustomAttributesEntry) *entry = arena_alloc(arena, sizeof *entry);
        temporal__api__operatorservice__v1__list_search_attributes_response__custom_attributes_entry__init(entry);
        entry->key = record->search_attributes[i]->key;
        entry->value = (Temporal__Api__Enums__V1__IndexedValueType)record->search_attributes[i]->value;
        response.custom_attributes[response.n_custom_attributes++] = entry;
    }
    response.system_attributes = arena_alloc(arena, search_attribute_definition_count * sizeof(void *));
    for (size_t i = 0; i < search_attribute_definition_count; i++) {
        OS(ListSearchAttributesResponse__SystemAttributesEntry) *entry = arena_alloc(arena, sizeof *entry);
        temporal__api__operatorservice__v1__list_search_attributes_response__system_attributes_entry__init(entry);
        entry->key = (char *)(uintptr_t)search_attribute_definitions[i].name;
        entry->value = (Temporal__Api__Enums__V1__IndexedValueType)search_attribute_definitions[i].type;
        response.system_attributes[response.n_system_attributes++] = entry;
    }
    call_reply(call, &response.base);
}

/* The names and types of all namespaces' attributes: the RPC has no namespace. */
void api_get_search_attributes(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    struct arena *arena = call->arena;
    size_t count, room = search_attribute_definition_count;
    const struct namespace_info *const *all = namespaces_all(frontend->namespaces, &count);
    for (size_t i = 0; i < count; i++) room += namespaces_record(all[i])->n_search_attributes;
    WS(GetSearchAttributesResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_SEARCH_ATTRIBUTES_RESPONSE__INIT;
    response.keys = arena_alloc(arena, room * sizeof(void *));
    WS(GetSearchAttributesResponse__KeysEntry) *entries = arena_alloc(arena, room * sizeof *entries);
    for (size_t i = 0; i < search_attribute_definition_count; i++) {
        WS(GetSearchAttributesResponse__KeysEntry) *entry = &entries[response.n_keys];
        temporal__api__workflowservice__v1__get_search_attributes_response__keys_entry__init(entry);
        entry->key = (char *)(uintptr_t)search_attribute_definitions[i].name;
        entry->value = (Temporal__Api__Enums__V1__IndexedValueType)search_attribute_definitions[i].type;
        response.keys[response.n_keys++] = entry;
    }
    for (size_t i = 0; i < count; i++) {
        const Norn__Node__Namespace *record = namespaces_record(all[i]);
        for (size_t k = 0; k < record->n_search_attributes; k++) {
            WS(GetSearchAttributesResponse__KeysEntry) *entry = &entries[response.n_keys];
            temporal__api__workflowservice__v1__get_search_attributes_response__keys_entry__init(entry);
            entry->key = record->search_attributes[k]->key;
            entry->value = (Temporal__Api__Enums__V1__IndexedValueType)record->search_attributes[k]->value;
            response.keys[response.n_keys++] = entry;
        }
    }
    call_reply(call, &response.base);
}
