/* recovery: what the store gives on loop 0 goes to the loop that owns it, in order. */
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "server/internal.h"

enum piece { PIECE_IMAGE, PIECE_RECORD, PIECE_IDLE, PIECE_NODE };

/* A piece of recovery on its way to another loop, with a copy of all that it borrows. */
struct delivery {
    struct io_msg msg;
    struct server_loop *loop;
    enum piece piece;
    struct store_image image;
    struct store_record record;
    uint64_t execution, hash;
    int64_t next_at;
    struct bytes payload;
    struct arena arena;
};

static void take(struct delivery *delivery) {
    struct server_loop *loop = delivery->loop;
    switch (delivery->piece) {
    case PIECE_IMAGE: engine_recover_image(loop->engine, &delivery->image); break;
    case PIECE_RECORD: engine_recover_record(loop->engine, &delivery->record); break;
    case PIECE_IDLE: engine_recover_idle(loop->engine, delivery->execution, delivery->hash, delivery->next_at); break;
    case PIECE_NODE: namespaces_apply(loop->frontend->namespaces, delivery->payload); break;
    }
}

static void arrived(struct io *io, struct io_msg *msg) {
    (void)io;
    struct delivery *delivery = CONTAINER_OF(msg, struct delivery, msg);
    take(delivery);
    arena_free(&delivery->arena);
    mem_free(delivery);
}

static struct bytes copy(struct arena *arena, struct bytes bytes) {
    return bytes_of(arena_copy(arena, bytes.data, bytes.len), bytes.len);
}

static void copy_image(struct store_image *image, struct arena *arena) {
    struct store_history_batch *batches = arena_copy(arena, image->batches, image->batch_count * sizeof *batches);
    for (size_t i = 0; i < image->batch_count; i++) batches[i].events = copy(arena, batches[i].events);
    image->batches = batches;
    image->workflow_id = copy(arena, image->workflow_id);
    image->state = copy(arena, image->state);
    /* Visibility is for writing; a loaded image's is not read. */
    image->visibility = (struct store_visibility){0};
}

/* To loop `index`: at once when it is this one, else as a copy. */
static void deliver(struct server *server, unsigned index, const struct delivery *piece) {
    struct delivery *delivery = mem_copy(piece, sizeof *piece);
    delivery->loop = &server->loops[index];
    if (index == io_loop_index(server->io)) {
        take(delivery);
        mem_free(delivery);
        return;
    }
    copy_image(&delivery->image, &delivery->arena);
    delivery->record.payload = copy(&delivery->arena, delivery->record.payload);
    delivery->payload = copy(&delivery->arena, delivery->payload);
    delivery->msg.receive = arrived;
    io_post(server->io, index, &delivery->msg);
}

static void image(void *ctx, const struct store_image *given) {
    struct server *server = ctx;
    deliver(server, route_loop(server->route, given->hash), &(struct delivery){.piece = PIECE_IMAGE, .image = *given});
}

static void record(void *ctx, const struct store_record *given) {
    struct server *server = ctx;
    deliver(server, route_loop(server->route, given->hash), &(struct delivery){.piece = PIECE_RECORD, .record = *given});
}

static void idle(void *ctx, uint64_t execution, uint64_t hash, int64_t next_at) {
    struct server *server = ctx;
    deliver(server, route_loop(server->route, hash),
            &(struct delivery){.piece = PIECE_IDLE, .execution = execution, .hash = hash, .next_at = next_at});
}

static void take_cluster(struct server *server, struct bytes payload) {
    Norn__Node__Cluster *cluster = norn__node__cluster__unpack(NULL, payload.len, payload.data);
    CHECKF(cluster && uuid_parse(cluster->id, server->shared.cluster_id), "the cluster's record cannot be decoded");
    norn__node__cluster__free_unpacked(cluster, NULL);
}

static void node_value(void *ctx, struct bytes name, struct bytes payload) {
    static const char prefix[] = "namespace/";
    struct server *server = ctx;
    if (bytes_equal(name, bytes_str(SERVER_CLUSTER))) take_cluster(server, payload);
    if (name.len < sizeof prefix - 1 || memcmp(name.data, prefix, sizeof prefix - 1) != 0) return;
    for (unsigned i = 0; i < server->loop_count; i++)
        deliver(server, i, &(struct delivery){.piece = PIECE_NODE, .payload = payload});
}

struct store_recovery server_recovery(struct server *server) {
    return (struct store_recovery){.node_value = node_value, .image = image, .record = record, .idle = idle,
                                   .ctx = server};
}
