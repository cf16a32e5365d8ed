#include <stdlib.h>

#include "shard/search_attributes.h"

static int by_name(const void *a, const void *b) {
    const MemoEntry *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

/* A memo's payloads are the user's: only these forms, which SDKs send for "nothing", mean that the field goes. */
static bool removes(const Payload *payload) {
    if (!payload) return true;
    struct bytes encoding = payload_metadata(payload, "encoding");
    if (bytes_equal(encoding, bytes_str("binary/null"))) return true;
    return bytes_equal(encoding, bytes_str("json/plain")) && bytes_equal(pb_bytes(payload->data), bytes_str("null"));
}

static size_t put(struct arena *arena, MemoEntry **fields, size_t count, const MemoEntry *from) {
    size_t at = 0;
    while (at < count && strcmp(fields[at]->key, from->key) != 0) at++;
    if (removes(from->value)) {
        if (at == count) return count;
        fields[at] = fields[count - 1];
        return count - 1;
    }
    fields[at] = PB_NEW(arena, temporal__api__common__v1__memo__fields_entry);
    fields[at]->key = arena_strdup(arena, from->key);
    fields[at]->value = pb_copy(arena, from->value);
    return at == count ? count + 1 : count;
}

Memo *memo_merge(struct arena *arena, const Memo *base, const Memo *changes) {
    size_t base_count = base ? base->n_fields : 0, change_count = changes ? changes->n_fields : 0;
    MemoEntry **fields = arena_alloc(arena, (base_count + change_count) * sizeof(*fields));
    size_t count = 0;
    for (size_t i = 0; i < base_count; i++) count = put(arena, fields, count, base->fields[i]);
    for (size_t i = 0; i < change_count; i++) count = put(arena, fields, count, changes->fields[i]);
    if (count == 0) return NULL;
    qsort(fields, count, sizeof(*fields), by_name);
    Memo *merged = PB_NEW(arena, temporal__api__common__v1__memo);
    merged->n_fields = count;
    merged->fields = fields;
    return merged;
}
