/* uring_helper: threads for work that blocks. A helper takes ops from its queue one by one, and gives each back through
 * the mailbox of the loop that sent it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/uring_internal.h"

/* op->args; the first ones belong to the op's kind. */
enum { HELP_FN = 5, HELP_ARG, HELP_LOOP };

static void run(struct io_helper *helper, struct io_op *op) {
    io_helper_fn *fn = (io_helper_fn *)(uintptr_t)op->args[HELP_FN];
    struct io *loop = (struct io *)(uintptr_t)op->args[HELP_LOOP];
    tape_helper_begin(helper, loop, op);
    fn(helper, (void *)(uintptr_t)op->args[HELP_ARG]);
    tape_helper_leave(helper);
    mailbox_complete(loop, op);
}

static void *helper_main(void *arg) {
    struct io_helper *helper = arg;
    uring_set_thread_helper(helper);
    pthread_mutex_lock(&helper->mutex);
    for (;;) {
        while (list_empty(&helper->queue) && !helper->stop) pthread_cond_wait(&helper->work, &helper->mutex);
        if (helper->stop) break;
        struct io_op *op = LIST_ENTRY(list_pop_front(&helper->queue), struct io_op, link);
        helper->working = true;
        pthread_mutex_unlock(&helper->mutex);
        run(helper, op);
        pthread_mutex_lock(&helper->mutex);
        helper->working = false;
    }
    pthread_mutex_unlock(&helper->mutex);
    tape_helper_end(helper);
    return NULL;
}

/* `starter` is NULL for the node's own helpers, whose work is no part of a recording: its results are. */
static struct io_helper *helper_start(struct io_node *node, const char *name, struct io *starter) {
    struct io_helper *helper = MEM_NEW(struct io_helper);
    helper->node = node;
    helper->file_free = UINT32_MAX;
    snprintf(helper->name, sizeof helper->name, "%s", name);
    list_init(&helper->queue);
    pthread_mutex_init(&helper->mutex, NULL);
    pthread_cond_init(&helper->work, NULL);
    helper->next = node->helpers;
    node->helpers = helper;
    if (starter) tape_helper_open(helper, starter);
    int error = uring_thread_start(&helper->thread, helper->name, helper_main, helper);
    CHECKF(!error, "a thread could not be started: %s", strerror(error));
    return helper;
}

struct io_helper *io_helper_start(struct io *io, const char *name) {
    struct io_node *node = io->node;
    TAPE_EFFECT(io, helper_start, tape_hash_text(name), 0, 0);
    pthread_mutex_lock(&node->mutex);
    struct io_helper *helper = helper_start(node, name, io);
    io->helpers_started++;
    pthread_mutex_unlock(&node->mutex);
    return helper;
}

static void enqueue(struct io *io, struct io_op *op, struct io_helper *helper, io_helper_fn *fn, void *arg) {
    op->args[HELP_FN] = (uintptr_t)fn;
    op->args[HELP_ARG] = (uintptr_t)arg;
    op->args[HELP_LOOP] = (uintptr_t)io;
    op_set_place(op, PLACE_HELPER);
    pthread_mutex_lock(&helper->mutex);
    list_push_back(&helper->queue, &op->link);
    pthread_cond_signal(&helper->work);
    pthread_mutex_unlock(&helper->mutex);
}

void io_helper_run(struct io *io, struct io_op *op, struct io_helper *helper, io_helper_fn *fn, void *arg) {
    TAPE_EFFECT(io, helper_run, 0, 0, 0);
    op_begin(io, op, KIND_HELP);
    enqueue(io, op, helper, fn, arg);
}

void help_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)result, (void)flags;
    op_finish(io, op, 0);
}

void blocking_submit(struct io *io, struct io_op *op, struct io_helper **helper, const char *name, io_helper_fn *fn) {
    struct io_node *node = io->node;
    pthread_mutex_lock(&node->mutex);
    if (!*helper) *helper = helper_start(node, name, NULL);
    struct io_helper *chosen = *helper;
    pthread_mutex_unlock(&node->mutex);
    enqueue(io, op, chosen, fn, op);
}

/* Work under way is waited for, except a name lookup: it holds nothing, and may take long. */
static bool stop(struct io_node *node, struct io_helper *helper) {
    pthread_mutex_lock(&helper->mutex);
    helper->stop = true;
    bool leave = helper == node->name_helper && helper->working;
    pthread_cond_signal(&helper->work);
    pthread_mutex_unlock(&helper->mutex);
    if (leave)
        pthread_detach(helper->thread);
    else
        pthread_join(helper->thread, NULL);
    return !leave;
}

bool helpers_stop(struct io_node *node) {
    bool all = true;
    for (struct io_helper *helper = node->helpers; helper; helper = helper->next) all = stop(node, helper) && all;
    return all;
}
