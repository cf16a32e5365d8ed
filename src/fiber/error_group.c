/* error_group: a context, a wait group, and the first error. */
#include "fiber/error_group.h"

#include "base/check.h"
#include "base/mem.h"

struct task {
    struct error_group *group;
    error_group_fn *fn;
    void *arg;
};

struct starter {
    struct fiber_wait wait;
    struct list link;
};

void error_group_init(struct io *io, struct error_group *group, struct ctx *parent, unsigned limit) {
    *group = (struct error_group){.io = io, .limit = limit};
    ctx_init(io, &group->ctx, parent);
    list_init(&group->starters);
}

static void fail(struct error_group *group, int64_t error) {
    if (group->error) return;
    group->error = error;
    ctx_cancel_cause(&group->ctx, error);
}

static void let_one_start(struct error_group *group) {
    for (struct list *node; (node = list_pop_front(&group->starters));)
        if (fiber_wait_end(&LIST_ENTRY(node, struct starter, link)->wait, 0)) return;
}

static void run(void *arg) {
    struct task task = *(struct task *)arg;
    mem_free(arg);
    int64_t error = task.fn(task.group->io, &task.group->ctx, task.arg);
    if (error < 0) fail(task.group, error);
    let_one_start(task.group);
    wait_group_done(&task.group->running);
}

static int64_t wait_for_room(struct error_group *group) {
    while (group->limit && group->running.count >= group->limit) {
        struct starter starter = {0};
        fiber_wait_begin(group->io, &starter.wait);
        list_push_back(&group->starters, &starter.link);
        int64_t result = fiber_wait(group->io, &starter.wait, &group->ctx, FOREVER);
        list_remove(&starter.link);
        if (result < 0) break;
    }
    return ctx_cause(&group->ctx);
}

int64_t error_group_go(struct error_group *group, const char *name, error_group_fn *fn, void *arg) {
    int64_t error = wait_for_room(group);
    if (error) return error;
    struct task *task = MEM_NEW(struct task);
    *task = (struct task){group, fn, arg};
    wait_group_add(&group->running, 1);
    if (fiber_start(group->io, name, run, task, 0)) return 0;
    mem_free(task);
    fail(group, -IO_EFILES);
    wait_group_done(&group->running);
    return -IO_EFILES;
}

int64_t error_group_wait(struct error_group *group) {
    wait_group_wait(group->io, NULL, &group->running);
    int64_t error = group->error ? group->error : ctx_cause(&group->ctx);
    ctx_close(&group->ctx);
    return error;
}
