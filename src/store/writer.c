/* writer: transactions on the helper that writes SQLite, strictly one after another, for a deletion may follow a row
 * that it removes. Without room they wait, and while the database cannot be read; while the store closes, not for long:
 * the job ends with DATABASE_FULL or DATABASE_UNREAD. Any other failure stops the process. */
#include "base/check.h"
#include "base/mark.h"
#include "store/embedded.h"

static void work(struct io_helper *helper, void *arg) {
    struct writer_job *job = arg;
    struct embedded *store = job->store;
    store->writer.vfs.helper = helper;
    job->error = NULL;
    if (job->syncs) job->result = database_sync(&store->writer, &job->whole, &job->arena, &job->error);
    else job->result = database_apply(&store->writer, job->puts, job->meta, job->durable, &job->arena, &job->error);
}

static void run_next(struct embedded *store) {
    struct writer_job *job = store->writer_jobs;
    if (!job || job->op.busy || job->retry.busy) return;
    job->durable = store->journal.durable;
    io_helper_run(store->io, &job->op, store->write_helper, work, job);
}

static void again(struct io *io, struct io_op *op) {
    (void)io;
    run_next(((struct writer_job *)op->ctx)->store);
}

/* Lists wait for a second try: a reserve that was given up may help, or the next read. */
static void refused(struct embedded *store, const struct writer_job *job) {
    if (job->result == DATABASE_FULL) journal_want_reserve(&store->journal);
    else {
        mark(MARK_WRITE_UNREAD);
        embedded_read_failed(store, job->error);
    }
    store->writer_refusal = job->result;
    if (++store->writer_refused > 1) round_refuse(store);
}

static void on_done(struct io *io, struct io_op *op) {
    enum { RETRY_NS = 250 * 1000 * 1000, LEAVING_TRIES = 4 };
    struct writer_job *job = op->ctx;
    struct embedded *store = job->store;
    if (job->result == DATABASE_CRASHED) return;
    bool unchanged = job->result == DATABASE_FULL || job->result == DATABASE_UNREAD;
    if (unchanged && !(store->leaving && ++job->tries > LEAVING_TRIES)) {
        refused(store, job);
        arena_free(&job->arena);
        io_timer(io, &job->retry, io_now(io) + RETRY_NS);
        return;
    }
    CHECKF(job->result == DATABASE_OK || unchanged, "writing %s failed: %s; stopping. Nothing acknowledged is lost: it is in the"
           " journal", store->database_path, job->error);
    store->writer_refused = 0;
    arena_free(&job->arena);
    store->writer_jobs = job->next;
    if (!store->writer_jobs) store->writer_jobs_last = &store->writer_jobs;
    job->done(store, job);
    run_next(store);
}

void writer_run(struct embedded *store, struct writer_job *job) {
    CHECK(!job->op.busy && !job->retry.busy && job->done);
    job->store = store;
    job->next = NULL;
    job->op = (struct io_op){.done = on_done, .ctx = job};
    job->retry = (struct io_op){.done = again, .ctx = job};
    if (!store->writer_jobs) store->writer_jobs_last = &store->writer_jobs;
    *store->writer_jobs_last = job;
    store->writer_jobs_last = &job->next;
    run_next(store);
}
