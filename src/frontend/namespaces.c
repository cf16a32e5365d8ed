/* namespaces: one loop's copy of the node's namespaces. */
#include "frontend/namespaces.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

struct namespace_entry {
    struct namespace_info info;          /* what others hold */
    Norn__Node__Namespace *record;
};

struct namespaces {
    const struct namespace_info **sorted;      /* by name */
    size_t count, cap;
};

static struct namespace_entry *entry_of(const struct namespace_info *info) {
    return CONTAINER_OF((struct namespace_info *)(uintptr_t)info, struct namespace_entry, info);
}

struct namespaces *namespaces_create(void) { return MEM_NEW(struct namespaces); }

const struct namespace_info *namespace_hold(const struct namespace_info *info) {
    entry_of(info)->info.references++;
    return info;
}

void namespace_release(const struct namespace_info *info) {
    struct namespace_entry *entry = entry_of(info);
    CHECK(entry->info.references > 0);
    if (--entry->info.references) return;
    norn__node__namespace__free_unpacked(entry->record, NULL);
    mem_free(entry);
}

void namespaces_destroy(struct namespaces *namespaces) {
    for (size_t i = 0; i < namespaces->count; i++) namespace_release(namespaces->sorted[i]);
    mem_free(namespaces->sorted);
    mem_free(namespaces);
}

const Norn__Node__Namespace *namespaces_record(const struct namespace_info *info) { return entry_of(info)->record; }

const struct namespace_info *const *namespaces_all(const struct namespaces *namespaces, size_t *count) {
    *count = namespaces->count;
    return namespaces->sorted;
}

/* The place of a name: its index, or where it would be. */
static size_t place_of(const struct namespaces *namespaces, const char *name, bool *found) {
    size_t low = 0, high = namespaces->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, namespaces->sorted[middle]->name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return low;
}

const struct namespace_info *namespaces_by_name(const struct namespaces *namespaces, const char *name) {
    bool found;
    size_t place = place_of(namespaces, name, &found);
    return found ? namespaces->sorted[place] : NULL;
}

const struct namespace_info *namespaces_by_id(const struct namespaces *namespaces, const uint8_t id[NAMESPACE_ID_LEN]) {
    for (size_t i = 0; i < namespaces->count; i++)
        if (memcmp(namespaces->sorted[i]->id, id, NAMESPACE_ID_LEN) == 0) return namespaces->sorted[i];
    return NULL;
}

static void remove_by_id(struct namespaces *namespaces, const uint8_t id[NAMESPACE_ID_LEN]) {
    for (size_t i = 0; i < namespaces->count; i++) {
        if (memcmp(namespaces->sorted[i]->id, id, NAMESPACE_ID_LEN) != 0) continue;
        namespace_release(namespaces->sorted[i]);
        namespaces->count--;
        memmove(namespaces->sorted + i, namespaces->sorted + i + 1,
                (namespaces->count - i) * sizeof(struct namespace_info *));
        return;
    }
}

static void insert(struct namespaces *namespaces, const struct namespace_info *info) {
    if (namespaces->count == namespaces->cap) {
        namespaces->cap = namespaces->cap ? namespaces->cap * 2 : 8;
        namespaces->sorted = mem_realloc(namespaces->sorted, namespaces->cap * sizeof(struct namespace_info *));
    }
    bool found;
    size_t place = place_of(namespaces, info->name, &found);
    CHECKF(!found, "two namespaces have the name %s", info->name);
    memmove(namespaces->sorted + place + 1, namespaces->sorted + place,
            (namespaces->count - place) * sizeof(struct namespace_info *));
    namespaces->sorted[place] = info;
    namespaces->count++;
}

static int64_t duration_ns(const Google__Protobuf__Duration *duration) {
    return duration ? duration->seconds * INT64_C(1000000000) + duration->nanos : 0;
}

void namespaces_apply(struct namespaces *namespaces, struct bytes payload) {
    Norn__Node__Namespace *record = norn__node__namespace__unpack(NULL, payload.len, payload.data);
    CHECKF(record && record->info && record->config, "a namespace's record cannot be decoded");
    struct namespace_entry *entry = MEM_NEW(struct namespace_entry);
    entry->record = record;
    CHECK(uuid_parse(record->info->id, entry->info.id));
    memcpy(entry->info.id_text, record->info->id, UUID_TEXT_SIZE);
    entry->info.name = record->info->name;
    entry->info.state = record->info->state;
    entry->info.retention_ns = duration_ns(record->config->workflow_execution_retention_ttl);
    entry->info.references = 1;
    remove_by_id(namespaces, entry->info.id);
    insert(namespaces, &entry->info);
}

int32_t namespaces_attribute_type(const struct namespaces *namespaces, const uint8_t id[NAMESPACE_ID_LEN],
                                  const char *name) {
    const struct namespace_info *info = namespaces_by_id(namespaces, id);
    if (!info) return 0;
    const Norn__Node__Namespace *record = namespaces_record(info);
    for (size_t i = 0; i < record->n_search_attributes; i++)
        if (strcmp(record->search_attributes[i]->key, name) == 0) return record->search_attributes[i]->value;
    return 0;
}

struct status namespace_not_found(struct arena *arena, const char *name) {
    Temporal__Api__Errordetails__V1__NamespaceNotFoundFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__NAMESPACE_NOT_FOUND_FAILURE__INIT;
    detail.namespace_ = arena_strdup(arena, name);
    return status_detail(arena, status_make(arena, STATUS_NOT_FOUND, "Namespace %s is not found.", name), &detail.base);
}
