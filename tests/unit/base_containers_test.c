/* Lists, maps, heaps, arenas, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct item {
    struct list link;
    struct map_node node;
    struct heap_node heap;
    int number;
};

static void assert_order(struct list *head, const char *expected) {
    char text[32] = "";
    LIST_EACH(it, head) strcat(text, (char[]){(char)('0' + LIST_ENTRY(it, struct item, link)->number), 0});
    assert_string_equal(text, expected);
}

static void lists(void **state) {
    (void)state;
    struct list head, other;
    struct item items[6] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}, {.number = 5}};
    list_init(&head);
    list_init(&other);
    assert_true(list_empty(&head));
    assert_null(list_pop_front(&head));
    list_push_back(&head, &items[1].link);
    list_push_back(&head, &items[2].link);
    list_push_front(&head, &items[0].link);
    assert_order(&head, "012");
    list_insert_before(&items[2].link, &items[3].link);
    assert_order(&head, "0132");
    list_push_back(&other, &items[4].link);
    list_push_back(&other, &items[5].link);
    list_splice(&head, &other);
    assert_order(&head, "013245");
    assert_true(list_empty(&other));
    list_splice(&head, &other);
    list_remove(&items[3].link);
    list_remove(&items[3].link);
    assert_false(list_linked(&items[3].link));
    assert_order(&head, "01245");
    LIST_EACH(it, &head) {
        struct item *item = LIST_ENTRY(it, struct item, link);
        if (item->number % 2 == 0) list_remove(it);
    }
    assert_order(&head, "15");
    assert_ptr_equal(list_pop_front(&head), &items[1].link);
    assert_order(&head, "5");
}

static bool number_is(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct item, node)->number == *(const int *)key;
}

/* Hashes that collide often, so that buckets hold several. */
static uint64_t weak_hash(int number) { return (uint64_t)number % 17; }

static void maps(void **state) {
    (void)state;
    enum { COUNT = 500 };
    struct map map = {0};
    struct item *items = mem_alloc(COUNT * sizeof *items);
    int key = 5;
    assert_null(map_find(&map, 5, number_is, &key));
    for (int i = 0; i < COUNT; i++) {
        items[i].number = i;
        map_insert(&map, &items[i].node, weak_hash(i));
    }
    assert_int_equal(map.count, COUNT);
    for (int i = 0; i < COUNT; i += 2) map_remove(&map, &items[i].node);
    for (int i = 0; i < COUNT; i++) {
        struct map_node *found = map_find(&map, weak_hash(i), number_is, &i);
        assert_ptr_equal(found, i % 2 ? &items[i].node : NULL);
    }
    assert_int_equal(map.count, COUNT / 2);
    map_free(&map);
    assert_int_equal(map.count, 0);
    mem_free(items);
}

static void heaps(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct heap heap = {0};
    struct item *items = mem_alloc(COUNT * sizeof *items);
    uint32_t random = 7;
    assert_null(heap_top(&heap));
    for (uint64_t i = 0; i < COUNT; i++) {
        random = random * 1664525 + 1013904223;
        heap_push(&heap, &items[i].heap, random >> 26, i);
    }
    for (int i = 0; i < COUNT; i += 7) heap_remove(&heap, &items[i].heap);
    heap_remove(&heap, &items[0].heap);
    const struct heap_node *last = NULL;
    size_t popped = 0;
    for (struct heap_node *top; (top = heap_top(&heap)); last = top, popped++) {
        assert_true(heap_contains(top));
        if (last) assert_true(last->key < top->key || (last->key == top->key && last->tie < top->tie));
        heap_remove(&heap, top);
        assert_false(heap_contains(top));
    }
    assert_int_equal(popped, COUNT - (COUNT + 6) / 7);
    heap_free(&heap);
    mem_free(items);
}

/* A call's arena is on other loops between its first block and its end, and the pool belongs to one. */
static void pooled_arenas_leave_their_pool_alone(void **state) {
    (void)state;
    struct arena_pool pool = {0};
    struct arena arenas[3];
    for (int i = 0; i < 3; i++) {
        arena_begin_pooled(&arenas[i], &pool);
        arena_alloc(&arenas[i], 16);
    }
    for (int i = 0; i < 3; i++) arena_free(&arenas[i]);
    assert_int_equal(pool.count, 3);
    struct arena arena;
    arena_begin_pooled(&arena, &pool);
    arena_alloc(&arena, 16);
    assert_int_equal(pool.count, 2);
    for (int i = 0; i < 300; i++) arena_alloc(&arena, 100);
    assert_int_equal(pool.count, 2);
    arena_free(&arena);
    assert_true(pool.count >= 3);
    arena_pool_free(&pool);
}

static void arenas(void **state) {
    (void)state;
    struct arena arena = {0};
    uint64_t before = mem_used();
    for (size_t size = 0; size < 300; size++) {
        uint8_t *data = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)data % 16, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(data[i], 0);
        memset(data, 0xff, size);
    }
    uint8_t *large = arena_alloc(&arena, 100000);
    memset(large, 1, 100000);
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    assert_null(arena_strdup(&arena, NULL));
    assert_string_equal(arena_text(&arena, bytes_of("cut here", 3)), "cut");
    assert_string_equal(arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
    assert_memory_equal(arena_copy(&arena, "\1\2", 2), "\1\2", 2);
    arena_free(&arena);
    assert_null(arena.blocks);
    assert_true(mem_used() <= before);
    arena_free(&arena);
}

static void hashes_are_those_of_xxh3(void **state) {
    (void)state;
    assert_true(hash64("", 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(hash64("a", 1) != hash64("b", 1));
    assert_true(hash64_seed("a", 1, 0) == hash64("a", 1));
    assert_true(hash64_seed("a", 1, 1) != hash64("a", 1));
}

static void copies(void **state) {
    (void)state;
    char *text = mem_strdup("copy"), *data = mem_copy("\0x", 2);
    assert_string_equal(text, "copy");
    assert_memory_equal(data, "\0x", 2);
    assert_null(mem_strdup(NULL));
    mem_free(text);
    mem_free(data);
    mem_free(mem_copy(NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),  cmocka_unit_test(maps),
        cmocka_unit_test(heaps),  cmocka_unit_test(arenas),
        cmocka_unit_test(pooled_arenas_leave_their_pool_alone),
        cmocka_unit_test(copies), cmocka_unit_test(hashes_are_those_of_xxh3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
