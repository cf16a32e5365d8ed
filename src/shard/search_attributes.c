#include "shard/search_attributes.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "shard/validate.h"

/* ---- decoding --------------------------------------------------------------------------------------------------- */

enum decoded {
    DECODED_VALUE,
    DECODED_NULL,        /* null, an empty list, or no payload: removes the attribute */
    DECODED_WRONG,
};

/* No value is an object or has one in it. Objects are refused before parsing: the library seeds its table of names
 * from the clock and the kernel's entropy with the first one. */
static bool has_object(struct bytes json) {
    bool quoted = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = (char)json.data[i];
        if (quoted && c == '\\') i++;
        else if (c == '"') quoted = !quoted;
        else if (c == '{' && !quoted) return true;
    }
    return false;
}

static json_t *parse(struct bytes json) {
    if (json.len == 0 || has_object(json)) return NULL;
    json_error_t error;
    return json_loadb((const char *)json.data, json.len, JSON_DECODE_ANY, &error);
}

static bool is_null(const Payload *payload) {
    return !payload || bytes_equal(payload_metadata(payload, "encoding"), bytes_str("binary/null"));
}

static bool scalar_fits(const json_t *value, enum search_attribute_type type) {
    int64_t ns;
    switch (type) {
    case SA_TEXT:
    case SA_KEYWORD:
    case SA_KEYWORD_LIST: return json_is_string(value);
    case SA_INT: return json_is_integer(value);
    case SA_DOUBLE: return json_is_number(value) && isfinite(json_number_value(value));
    case SA_BOOL: return json_is_boolean(value);
    case SA_DATETIME: return json_is_string(value) && timestamp_parse(json_string_value(value), &ns);
    default: return false;
    }
}

static enum decoded decode_list(json_t **value, enum search_attribute_type type) {
    size_t count = json_array_size(*value);
    if (count == 0) return DECODED_NULL;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(*value, i);
        if (!scalar_fits(item, type)) return DECODED_WRONG;
    }
    if (type == SA_KEYWORD_LIST) return DECODED_VALUE;
    /* Anything else is one value; a list with one is accepted for it. */
    if (count > 1) return DECODED_WRONG;
    json_t *only = json_incref(json_array_get(*value, 0));
    json_decref(*value);
    *value = only;
    return DECODED_VALUE;
}

/* *value: a reference for the caller, for DECODED_VALUE; else NULL. */
static enum decoded decode(const Payload *payload, enum search_attribute_type type, json_t **value) {
    *value = NULL;
    if (is_null(payload)) return DECODED_NULL;
    if (!bytes_equal(payload_metadata(payload, "encoding"), bytes_str("json/plain"))) return DECODED_WRONG;
    json_t *json = parse(pb_bytes(payload->data));
    if (!json) return DECODED_WRONG;
    enum decoded decoded;
    if (json_is_null(json)) decoded = DECODED_NULL;
    else if (json_is_array(json)) decoded = decode_list(&json, type);
    else decoded = scalar_fits(json, type) ? DECODED_VALUE : DECODED_WRONG;
    if (decoded == DECODED_VALUE) *value = json;
    else json_decref(json);
    return decoded;
}

/* ---- checking --------------------------------------------------------------------------------------------------- */

/* How a refused value is shown. */
static const char *value_text(struct arena *arena, const Payload *payload) {
    json_t *json = parse(pb_bytes(payload->data));
    const char *text;
    if (json && json_is_string(json)) text = arena_strdup(arena, json_string_value(json));
    else if (utf8_valid(pb_bytes(payload->data))) text = arena_text(arena, pb_bytes(payload->data));
    else text = "value that is not text";
    json_decref(json);
    return text;
}

static struct status check_one(struct arena *arena, const struct search_attribute_types *types,
                               const SearchAttributesEntry *attribute) {
    const struct search_attribute_definition *known = search_attribute_find(attribute->key);
    if (known && known->kind != SA_PREDEFINED)
        return status_invalid(arena, "%s attribute can't be set in SearchAttributes",
                           attribute->key);
    enum search_attribute_type type = search_attribute_type_find(types, attribute->key);
    if (type == SA_UNDEFINED && types->namespace_name)
        return status_invalid(arena, "Namespace %s has no mapping defined for search attribute %s", types->namespace_name,
                              attribute->key);
    if (type == SA_UNDEFINED) return status_invalid(arena, "search attribute %s is not defined", attribute->key);
    json_t *value;
    enum decoded decoded = decode(attribute->value, type, &value);
    json_decref(value);
    if (decoded == DECODED_WRONG)
        return status_invalid(arena, "invalid value for search attribute %s of type %s: %s",
                           attribute->key, search_attribute_type_text(type), value_text(arena, attribute->value));
    return STATUS_GOOD;
}

struct status search_attributes_check(struct arena *arena, const struct search_attribute_types *types,
                                      const SearchAttributes *attributes) {
    if (!attributes) return STATUS_GOOD;
    if (attributes->n_indexed_fields > SA_COUNT_MAX)
        return status_invalid(arena, "number of search attributes %zu exceeds limit %d",
                           attributes->n_indexed_fields, SA_COUNT_MAX);
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        struct status status = check_one(arena, types, attributes->indexed_fields[i]);
        if (!status_ok(status)) return status;
    }
    return STATUS_GOOD;
}

struct status search_attributes_check_size(struct arena *arena, const SearchAttributes *attributes) {
    if (!attributes) return STATUS_GOOD;
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        const SearchAttributesEntry *attribute = attributes->indexed_fields[i];
        if (attribute->value && attribute->value->data.len > SA_VALUE_SIZE_MAX)
            return status_invalid(arena, "search attribute %s value size %zu exceeds size limit %d",
                               attribute->key, attribute->value->data.len, SA_VALUE_SIZE_MAX);
    }
    size_t size = pb_size(attributes);
    if (size > SA_TOTAL_SIZE_MAX)
        return status_invalid(arena, "total size of search attributes %zu exceeds size limit %d",
                           size, SA_TOTAL_SIZE_MAX);
    return STATUS_GOOD;
}

/* ---- types -------------------------------------------------------------------------------------------------------- */

/* Metadata of the sender's is kept. */
static Payload *typed(struct arena *arena, const Payload *payload, enum search_attribute_type type) {
    Payload *copy = pb_copy(arena, payload);
    const char *text = search_attribute_type_text(type);
    if (!copy || !text || bytes_equal(payload_metadata(copy, "type"), bytes_str(text))) return copy;
    PayloadMetadata **metadata = arena_alloc(arena, (copy->n_metadata + 1) * sizeof(*metadata));
    size_t count = 0;
    for (size_t i = 0; i < copy->n_metadata; i++) {
        if (strcmp(copy->metadata[i]->key, "type") != 0) metadata[count++] = copy->metadata[i];
    }
    metadata[count] = PB_NEW(arena, temporal__api__common__v1__payload__metadata_entry);
    metadata[count]->key = arena_strdup(arena, "type");
    metadata[count]->value = pb_binary(bytes_str(text));
    copy->metadata = metadata;
    copy->n_metadata = count + 1;
    return copy;
}

static SearchAttributesEntry *entry_new(struct arena *arena, const char *name, Payload *value) {
    SearchAttributesEntry *entry = PB_NEW(arena, temporal__api__common__v1__search_attributes__indexed_fields_entry);
    entry->key = arena_strdup(arena, name);
    entry->value = value;
    return entry;
}

SearchAttributes *search_attributes_typed(struct arena *arena, const struct search_attribute_types *types,
                                          const SearchAttributes *attributes) {
    if (!attributes) return NULL;
    SearchAttributes *out = PB_NEW(arena, temporal__api__common__v1__search_attributes);
    out->n_indexed_fields = attributes->n_indexed_fields;
    out->indexed_fields = arena_alloc(arena, out->n_indexed_fields * sizeof(*out->indexed_fields));
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        const SearchAttributesEntry *from = attributes->indexed_fields[i];
        enum search_attribute_type type = search_attribute_type_find(types, from->key);
        out->indexed_fields[i] = entry_new(arena, from->key, typed(arena, from->value, type));
    }
    return out;
}

/* ---- the server's own --------------------------------------------------------------------------------------------- */

static void add(struct arena *arena, SearchAttributes *list, const char *name, struct buf *json,
                enum search_attribute_type type) {
    Payload *value = typed(arena, payload_json(arena, buf_bytes(json)), type);
    list->indexed_fields[list->n_indexed_fields++] = entry_new(arena, name, value);
    buf_free(json);
}

void search_attributes_add_keywords(struct arena *arena, SearchAttributes *list, const char *name,
                                    const char *const *texts, size_t count) {
    struct buf json = {0};
    for (size_t i = 0; i < count; i++) {
        buf_append_u8(&json, i ? ',' : '[');
        buf_append_json(&json, bytes_str(texts[i]));
    }
    buf_append_u8(&json, ']');
    add(arena, list, name, &json, SA_KEYWORD_LIST);
}

void search_attributes_add_int(struct arena *arena, SearchAttributes *list, const char *name, int64_t value) {
    struct buf json = {0};
    buf_printf(&json, "%lld", (long long)value);
    add(arena, list, name, &json, SA_INT);
}

static enum search_attribute_type type_of(const Payload *payload) {
    return search_attribute_type_of_text(payload_metadata(payload, "type"));
}

/* ---- merging ------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b) {
    const SearchAttributesEntry *const *left = a, *const *right = b;
    return strcmp((*left)->key, (*right)->key);
}

static bool removes(const Payload *payload) {
    if (is_null(payload)) return true;
    if (!bytes_equal(payload_metadata(payload, "encoding"), bytes_str("json/plain"))) return false;
    json_t *json = parse(pb_bytes(payload->data));
    bool nothing = json_is_null(json) || (json_is_array(json) && json_array_size(json) == 0);
    json_decref(json);
    return nothing;
}

/* Puts the attribute into fields[0..count), or takes it out; gives the new count. */
static size_t put(struct arena *arena, SearchAttributesEntry **fields, size_t count,
                  const SearchAttributesEntry *attribute) {
    size_t at = 0;
    while (at < count && strcmp(fields[at]->key, attribute->key) != 0) at++;
    if (removes(attribute->value)) {
        if (at == count) return count;
        fields[at] = fields[count - 1];
        return count - 1;
    }
    fields[at] = entry_new(arena, attribute->key, pb_copy(arena, attribute->value));
    return at == count ? count + 1 : count;
}

SearchAttributes *search_attributes_merge(struct arena *arena, const SearchAttributes *base,
                                          const SearchAttributes *changes) {
    size_t base_count = base ? base->n_indexed_fields : 0, change_count = changes ? changes->n_indexed_fields : 0;
    SearchAttributesEntry **fields = arena_alloc(arena, (base_count + change_count) * sizeof(*fields));
    size_t count = 0;
    for (size_t i = 0; i < base_count; i++) count = put(arena, fields, count, base->indexed_fields[i]);
    for (size_t i = 0; i < change_count; i++) count = put(arena, fields, count, changes->indexed_fields[i]);
    if (count == 0) return NULL;
    qsort(fields, count, sizeof(*fields), by_name);
    SearchAttributes *merged = PB_NEW(arena, temporal__api__common__v1__search_attributes);
    merged->n_indexed_fields = count;
    merged->indexed_fields = fields;
    return merged;
}

/* ---- for filters -------------------------------------------------------------------------------------------------- */

static void dump(const json_t *value, struct buf *out) {
    size_t size = json_dumpb(value, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_reserve(out, size);
    out->len += json_dumpb(value, (char *)out->data + out->len, size, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void dump_name(const char *name, struct buf *out) {
    json_t *text = json_string(name);
    if (text) dump(text, out);
    json_decref(text);
}

static void dump_value(const json_t *value, enum search_attribute_type type, struct buf *out) {
    int64_t ns;
    char text[TIMESTAMP_TEXT_MAX];
    bool list = type == SA_KEYWORD_LIST && !json_is_array(value);
    if (list) buf_append_u8(out, '[');
    if (type == SA_DATETIME && timestamp_parse(json_string_value(value), &ns))
        buf_printf(out, "\"%s\"", timestamp_format_fixed(ns, text));
    else
        dump(value, out);
    if (list) buf_append_u8(out, ']');
}

void search_attributes_json(const SearchAttributes *attributes, struct buf *out) {
    bool first = true;
    buf_append_u8(out, '{');
    for (size_t i = 0; attributes && i < attributes->n_indexed_fields; i++) {
        const SearchAttributesEntry *attribute = attributes->indexed_fields[i];
        json_t *value;
        if (decode(attribute->value, type_of(attribute->value), &value) != DECODED_VALUE) continue;
        if (!first) buf_append_u8(out, ',');
        first = false;
        dump_name(attribute->key, out);
        buf_append_u8(out, ':');
        dump_value(value, type_of(attribute->value), out);
        json_decref(value);
    }
    buf_append_u8(out, '}');
}
