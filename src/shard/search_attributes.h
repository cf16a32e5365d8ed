/* search_attributes: values of search attributes: types, checks, merging, and the JSON that filters read
 * (temporal-surface.md 7.3).
 *
 * A value on the wire is a payload with encoding json/plain, whose metadata may name its type. In the JSON for filters
 * a Datetime is UTC text of fixed width ("2026-01-02T03:04:05.000000000Z"), so that comparing texts compares times; a
 * KeywordList is an array; the rest are plain JSON values. */
#ifndef NORN_SHARD_SEARCH_ATTRIBUTES_H
#define NORN_SHARD_SEARCH_ATTRIBUTES_H

#include "base/status.h"
#include "shard/pb.h"

/* temporal.api.enums.v1.IndexedValueType */
enum search_attribute_type {
    SA_UNDEFINED = 0,
    SA_TEXT = 1,
    SA_KEYWORD = 2,
    SA_INT = 3,
    SA_DOUBLE = 4,
    SA_BOOL = 5,
    SA_DATETIME = 6,
    SA_KEYWORD_LIST = 7,
};
/* "KeywordList" and so on; NULL for none of them. */
const char *search_attribute_type_text(enum search_attribute_type type);
enum search_attribute_type search_attribute_type_of_text(struct bytes text);

/* Attributes that every namespace has. */
struct search_attribute_definition {
    const char *name;
    enum search_attribute_type type;
    enum {
        SA_SYSTEM,          /* kept by the server; a column of its own */
        SA_PREDEFINED,      /* may be set by anyone */
        SA_INTERNAL,        /* predefined, set by the server only */
    } kind;
};
extern const struct search_attribute_definition search_attribute_definitions[];
extern const size_t search_attribute_definition_count;
/* NULL when there is none of this name. */
const struct search_attribute_definition *search_attribute_find(const char *name);
/* Whether no custom attribute may have this name. */
bool search_attribute_reserved(const char *name);

/* The declared type of a namespace's custom attribute; SA_UNDEFINED. */
typedef int32_t search_attribute_lookup(void *ctx, const char *name);
struct search_attribute_types {
    search_attribute_lookup *custom;
    void *ctx;
    const char *namespace_name;       /* for refusals; NULL: they name none */
};
enum search_attribute_type search_attribute_type_find(const struct search_attribute_types *types, const char *name);

enum { SA_COUNT_MAX = 100, SA_VALUE_SIZE_MAX = 2048, SA_TOTAL_SIZE_MAX = 40960 };

/* Number, names and values. */
struct status search_attributes_check(struct arena *arena, const struct search_attribute_types *types,
                                      const SearchAttributes *attributes);
/* Sizes of the values and of all. */
struct status search_attributes_check_size(struct arena *arena, const SearchAttributes *attributes);

/* A copy whose values name their type in their metadata, as clients expect of what they read. What is done with it later
 * (merging, JSON) then needs no look at the declared types, which may have changed. NULL gives NULL. */
SearchAttributes *search_attributes_typed(struct arena *arena, const struct search_attribute_types *types,
                                          const SearchAttributes *attributes);

/* Puts a value that the server sets into the list, which has room: a KeywordList of `count` texts, an Int. */
void search_attributes_add_keywords(struct arena *arena, SearchAttributes *list, const char *name,
                                    const char *const *texts, size_t count);
void search_attributes_add_int(struct arena *arena, SearchAttributes *list, const char *name, int64_t value);

/* `base` with `changes` on top: a value of null, an empty list or no payload removes its name. Sorted by name, so that
 * equal ones have equal bytes. NULL when none are left. */
SearchAttributes *search_attributes_merge(struct arena *arena, const SearchAttributes *base,
                                          const SearchAttributes *changes);

/* The JSON object for filters, of typed values. */
void search_attributes_json(const SearchAttributes *attributes, struct buf *out);

/* `base` with `changes` on top; a field without payload, or with encoding binary/null, or a JSON null, is removed.
 * Sorted by name. NULL when no field is left. */
Memo *memo_merge(struct arena *arena, const Memo *base, const Memo *changes);

#endif
