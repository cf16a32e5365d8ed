/* load: reading executions back from SQLite. What waits is read in one run of the helper that loads. */
#include "base/check.h"
#include "base/mark.h"
#include "base/mem.h"
#include "store/embedded.h"

static void run_loads(struct io_helper *helper, void *arg) {
    struct reader_work *work = arg;
    struct database *db = &work->store->loader;
    db->vfs.helper = helper;
    for (struct load_request *load = work->loads_running; load; load = load->next)
        load->result = database_load(db, &load->key, &load->arena, &load->image, &load->error);
}

/* A damaged row stops the process: served, it would be a wrong answer, and passed over a lost run. */
static void answer(struct io *io, struct io_msg *msg) {
    (void)io;
    struct load_request *load = CONTAINER_OF(msg, struct load_request, msg);
    struct status status = STATUS_GOOD;
    CHECKF(load->result != DATABASE_DAMAGED, "%s is damaged: %s; stopping", load->loop->store->database_path, load->error);
    if (load->result != DATABASE_OK) status = status_make(&load->arena, STATUS_UNAVAILABLE, "%s", load->error);
    load->loaded(load->ctx, status, load->image);
    arena_free(&load->arena);
    mem_free(load);
}

void embedded_read_failed(struct embedded *store, const char *error) {
    const struct store_options *options = &store->options;
    mark(MARK_READ_FAILED);
    store->read_errors++;
    if (!options->reads_fail || io_now(store->io) < store->tell_at) return;
    options->reads_fail(options->reads_fail_ctx, error, store->read_errors - store->read_errors_told);
    store->read_errors_told = store->read_errors;
    store->tell_at = io_now(store->io) + STORE_TELL_NS;
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
        if (load->result != DATABASE_OK) embedded_read_failed(work->store, load->error);
        load->msg.receive = answer;
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

void embedded_load(struct store_loop *base, const struct store_key *key, store_loaded_fn *done, void *ctx) {
    struct load_request *load = MEM_NEW(struct load_request);
    load->loop = (struct embedded_loop *)base;
    load->key = *key;
    load->key.workflow_id = arena_strdup(&load->arena, key->workflow_id);
    load->loaded = done;
    load->ctx = ctx;
    load->msg.receive = load_came;
    io_post(load->loop->io, 0, &load->msg);
}

void load_init(struct embedded *store) {
    struct reader_work *work = &store->load_work;
    *work = (struct reader_work){.store = store, .op = {.done = on_loaded, .ctx = work}};
    work->loads_last = &work->loads;
}
