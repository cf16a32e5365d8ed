/* load: reading executions back from SQLite. What waits is read in one run of the helper that loads. */
#include "base/check.h"
#include "base/mem.h"
#include "store/embedded.h"

static void run_loads(struct io_helper *helper, void *arg) {
    struct reader_work *work = arg;
    struct database *db = &work->store->loader;
    db->vfs.helper = helper;
    for (struct load_request *load = work->loads_running; load; load = load->next)
        load->result = database_load(db, &load->key, &load->arena, &load->image, &load->error);
}

static void found(struct io *io, struct io_msg *msg) {
    (void)io;
    struct load_request *load = CONTAINER_OF(msg, struct load_request, msg);
    CHECKF(load->result == DATABASE_OK, "reading %s failed: %s; stopping", load->loop->store->database_path,
           load->error);
    load->found(load->ctx, load->image);
    arena_free(&load->arena);
    mem_free(load);
}

static void start_loading(struct reader_work *work) {
    if (work->op.busy || !work->loads) return;
    work->loads_running = work->loads;
    work->loads = NULL;
    work->loads_last = &work->loads;
    io_helper_run(work->store->io, &work->op, work->store->load_helper, run_loads, work);
}

static void on_loaded(struct io *io, struct io_op *op) {
    struct reader_work *work = op->ctx;
    struct load_request *load = work->loads_running;
    if (work->store->loader.vfs.crashed) return;
    work->loads_running = NULL;
    for (struct load_request *next; load; load = next) {
        next = load->next;
        work->store->loads++;
        load->msg.receive = found;
        io_post(io, load->loop->index, &load->msg);
    }
    start_loading(work);
}

static void load_came(struct io *io, struct io_msg *msg) {
    (void)io;
    struct load_request *load = CONTAINER_OF(msg, struct load_request, msg);
    struct reader_work *work = &load->loop->store->load_work;
    *work->loads_last = load;
    work->loads_last = &load->next;
    start_loading(work);
}

void embedded_load(struct store_loop *base, const struct store_key *key,
                   void (*done)(void *ctx, const struct store_image *image), void *ctx) {
    struct load_request *load = MEM_NEW(struct load_request);
    load->loop = (struct embedded_loop *)base;
    load->key = *key;
    load->key.workflow_id = arena_strdup(&load->arena, key->workflow_id);
    load->found = done;
    load->ctx = ctx;
    load->msg.receive = load_came;
    io_post(load->loop->io, 0, &load->msg);
}

void load_init(struct embedded *store) {
    struct reader_work *work = &store->load_work;
    *work = (struct reader_work){.store = store, .op = {.done = on_loaded, .ctx = work}};
    work->loads_last = &work->loads;
}
