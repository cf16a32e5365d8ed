/* collect: the collectors of each loop, and a scrape's way over all loops: from the loop that was asked, over 0, 1, 2,
 * ..., and back, adding to one page, which belongs to whoever holds it. */
#include "base/mem.h"
#include "telemetry/page.h"
#include "telemetry/workload_internal.h"

struct metrics_loop {
    struct list collectors;
    struct workload *workload;
};

void metrics_open(struct io *io) {
    CHECK(!io_slot(io, IO_SLOT_METRICS));
    struct metrics_loop *loop = MEM_NEW(struct metrics_loop);
    list_init(&loop->collectors);
    loop->workload = workload_create();
    io_set_slot(io, IO_SLOT_METRICS, loop);
}

void metrics_close(struct io *io) {
    struct metrics_loop *loop = io_slot(io, IO_SLOT_METRICS);
    if (!loop) return;
    while (list_pop_front(&loop->collectors)) {}
    workload_destroy(loop->workload);
    mem_free(loop);
    io_set_slot(io, IO_SLOT_METRICS, NULL);
}

struct workload *workload_of(const struct io *io) {
    const struct metrics_loop *loop = io_slot(io, IO_SLOT_METRICS);
    return loop ? loop->workload : NULL;
}

void metrics_register(struct io *io, struct metrics_collector *collector) {
    struct metrics_loop *loop = io_slot(io, IO_SLOT_METRICS);
    CHECK(loop);
    list_push_back(&loop->collectors, &collector->link);
}

void metrics_collect(struct io *io, struct metrics_page *page) {
    struct metrics_loop *loop = io_slot(io, IO_SLOT_METRICS);
    if (!loop) return;
    LIST_EACH(link, &loop->collectors) {
        struct metrics_collector *collector = LIST_ENTRY(link, struct metrics_collector, link);
        collector->collect(io, collector->ctx, page);
    }
    workload_collect(loop->workload, page);
}

struct scrape {
    struct io_msg msg;
    struct metrics_page *page;
    unsigned origin, next;
    void (*done)(struct io *io, void *ctx, struct metrics_page *page);
    void *ctx;
};

static void finish(struct io *io, struct io_msg *msg) {
    struct scrape *scrape = CONTAINER_OF(msg, struct scrape, msg);
    scrape->done(io, scrape->ctx, scrape->page);
    mem_free(scrape);
}

static void visit(struct io *io, struct io_msg *msg) {
    struct scrape *scrape = CONTAINER_OF(msg, struct scrape, msg);
    metrics_collect(io, scrape->page);
    scrape->next++;
    bool more = scrape->next < io_loop_count(io);
    scrape->msg.receive = more ? visit : finish;
    io_post(io, more ? scrape->next : scrape->origin, &scrape->msg);
}

void metrics_scrape(struct io *io, void (*done)(struct io *io, void *ctx, struct metrics_page *page), void *ctx) {
    struct scrape *scrape = MEM_NEW(struct scrape);
    *scrape = (struct scrape){.msg.receive = visit, .page = metrics_page_create(), .origin = io_loop_index(io),
                              .done = done, .ctx = ctx};
    io_post(io, 0, &scrape->msg);
}
