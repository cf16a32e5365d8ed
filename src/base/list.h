/* list: intrusive doubly linked list with a sentinel. A node is in at most one list; a zeroed node is in none. */
#ifndef NORN_BASE_LIST_H
#define NORN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list *head) { return head->next == head; }
static inline bool list_linked(const struct list *node) { return node->next != NULL; }

static inline void list_insert_before(struct list *place, struct list *node) {
    CHECK(!list_linked(node));
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}
static inline void list_push_back(struct list *head, struct list *node) { list_insert_before(head, node); }
static inline void list_push_front(struct list *head, struct list *node) { list_insert_before(head->next, node); }

/* Unlinks; a node in no list stays so. */
static inline void list_remove(struct list *node) {
    if (!list_linked(node)) return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}
/* The first node, unlinked; NULL when empty. */
static inline struct list *list_pop_front(struct list *head) {
    if (list_empty(head)) return NULL;
    struct list *node = head->next;
    list_remove(node);
    return node;
}
/* Moves all of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from) {
    if (list_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
/* Safe against removal of `it` itself. */
#define LIST_EACH(it, head)                                                                                    \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
