/* puts: what the engine hands over for SQLite, copied into a batch. */
#include "base/check.h"
#include "base/mem.h"
#include "store/embedded.h"

struct put_batch *put_batch_make(struct embedded_loop *loop) {
    struct put_batch *batch = MEM_NEW(struct put_batch);
    batch->loop = loop;
    batch->last = &batch->first;
    return batch;
}

void put_batch_clear(struct put_batch *batch) {
    arena_free(&batch->arena);
    batch->first = NULL;
    batch->last = &batch->first;
    batch->next = NULL;
}

void put_batch_free(struct put_batch *batch) {
    arena_free(&batch->arena);
    mem_free(batch);
}

static struct put *add(struct put_batch *batch, int kind) {
    struct put *put = ARENA_NEW(&batch->arena, struct put);
    put->kind = kind;
    *batch->last = put;
    batch->last = &put->next;
    return put;
}

static void copy(struct arena *arena, struct bytes *bytes) {
    bytes->data = bytes->len ? arena_copy(arena, bytes->data, bytes->len) : NULL;
}

static void copy_visibility(struct arena *arena, struct store_visibility *v) {
    struct bytes *texts[] = {&v->workflow_type, &v->task_queue, &v->parent_workflow_id, &v->root_workflow_id, &v->memo,
                             &v->search_attributes, &v->search_attributes_json};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) copy(arena, texts[i]);
}

static struct put_batch *open_batch(struct store_loop *base) {
    struct put_batch *batch = ((struct embedded_loop *)base)->putting;
    CHECKF(batch, "images and visibility are put only when the store asks for them");
    return batch;
}

void embedded_image_put(struct store_loop *base, const struct store_image *image) {
    struct put_batch *batch = open_batch(base);
    struct arena *arena = &batch->arena;
    CHECK(image->execution && image->version);
    struct put *put = add(batch, PUT_IMAGE);
    put->image = *image;
    copy(arena, &put->image.workflow_id);
    copy(arena, &put->image.state);
    copy_visibility(arena, &put->image.visibility);
    struct store_history_batch *batches = arena_copy(arena, image->batches, image->batch_count * sizeof *batches);
    for (size_t i = 0; i < image->batch_count; i++) copy(arena, &batches[i].events);
    put->image.batches = batches;
}

void embedded_image_delete(struct store_loop *base, uint64_t execution) {
    struct put *put = add(open_batch(base), PUT_DELETE);
    put->image.execution = execution;
}

void embedded_visibility_put(struct store_loop *base, const struct store_image *image) {
    struct put_batch *batch = open_batch(base);
    CHECK(image->execution && image->version);
    struct put *put = add(batch, PUT_VISIBILITY);
    put->image = *image;
    put->image.state = (struct bytes){0};
    put->image.batches = NULL;
    put->image.batch_count = 0;
    copy(&batch->arena, &put->image.workflow_id);
    copy_visibility(&batch->arena, &put->image.visibility);
}
