/* puts: what the engine hands over for SQLite, copied into a batch. */
#include "store/puts.h"

#include "base/check.h"

void put_list_init(struct put_list *list) { *list = (struct put_list){.last = &list->first}; }

void put_list_free(struct put_list *list) {
    arena_free(&list->arena);
    put_list_init(list);
}

struct put *put_list_add(struct put_list *list, int kind) {
    struct put *put = ARENA_NEW(&list->arena, struct put);
    put->kind = kind;
    *list->last = put;
    list->last = &put->next;
    return put;
}

bool put_list_ask_images(struct put_list *list, struct store_loop *loop, const struct store_engine *engine, bool first,
                         size_t budget) {
    CHECK(!loop->putting);
    loop->putting = list;
    bool ends = engine->images(engine->ctx, loop, first, budget);
    loop->putting = NULL;
    return ends;
}

void put_list_ask_visibility(struct put_list *list, struct store_loop *loop, const struct store_engine *engine) {
    CHECK(!loop->putting);
    loop->putting = list;
    engine->visibility(engine->ctx, loop);
    loop->putting = NULL;
}

static struct put_list *open_list(struct store_loop *loop) {
    CHECKF(loop->putting, "images and visibility are put only when the store asks for them");
    return loop->putting;
}

static void copy(struct arena *arena, struct bytes *bytes) {
    bytes->data = bytes->len ? arena_copy(arena, bytes->data, bytes->len) : NULL;
}

static void copy_visibility(struct arena *arena, struct store_visibility *v) {
    struct bytes *texts[] = {&v->workflow_type, &v->task_queue, &v->parent_workflow_id, &v->root_workflow_id, &v->memo,
                             &v->search_attributes, &v->search_attributes_json};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) copy(arena, texts[i]);
}

void store_image_put(struct store_loop *loop, const struct store_image *image) {
    struct put_list *list = open_list(loop);
    struct arena *arena = &list->arena;
    CHECK(image->execution && image->version);
    struct put *put = put_list_add(list, PUT_IMAGE);
    put->image = *image;
    copy(arena, &put->image.workflow_id);
    copy(arena, &put->image.state);
    copy_visibility(arena, &put->image.visibility);
    struct store_history_batch *batches = arena_copy(arena, image->batches, image->batch_count * sizeof *batches);
    for (size_t i = 0; i < image->batch_count; i++) copy(arena, &batches[i].events);
    put->image.batches = batches;
}

void store_image_delete(struct store_loop *loop, uint64_t execution) {
    struct put *put = put_list_add(open_list(loop), PUT_DELETE);
    put->image.execution = execution;
}

void store_visibility_put(struct store_loop *loop, const struct store_image *image) {
    struct put_list *list = open_list(loop);
    CHECK(image->execution && image->version);
    struct put *put = put_list_add(list, PUT_VISIBILITY);
    put->image = *image;
    put->image.state = (struct bytes){0};
    put->image.batches = NULL;
    put->image.batch_count = 0;
    copy(&list->arena, &put->image.workflow_id);
    copy_visibility(&list->arena, &put->image.visibility);
}
