/* queue: matching of tasks and polls, for the queues of one loop. */
#include "queue/queue.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "cluster/route.h"
#include "telemetry/workload.h"

#define SECOND INT64_C(1000000000)

#define RATE_MAX 1e6                                          /* more is no limit */
#define REFILL_NS_MAX (3600.0 * (double)SECOND)               /* the next token is looked for this often at least */

enum { POLLER_RECORDS_MAX = 128, PRIORITY_DEFAULT = 3 };
static const int64_t POLL_NS_MAX = 60 * SECOND;              /* matching.longPollExpirationInterval */
static const int64_t POLL_MARGIN_NS = SECOND;                /* answered this long before the client's deadline */
static const int64_t POLLER_RECORD_NS = 300 * SECOND;        /* a poller is shown this long after its last poll */
static const int64_t QUEUE_IDLE_NS = 600 * SECOND;           /* an unused queue is forgotten after this */

/* Something that is due at a time: a poll's expiry, a queue's next token. */
struct timed {
    struct heap_node node;          /* queues.timers */
    void (*due)(struct timed *timed);
};

/* A task that waits. */
struct task {
    struct map_node node;           /* queue.tasks */
    struct heap_node heap;          /* queue.backlog[priority] */
    struct queue_task task;
};

/* Who polled, for DescribeTaskQueue. */
struct poller_record {
    struct list link;               /* queue.records, oldest access first */
    char *identity;
    int64_t accessed;               /* io_now */
    double rate;
};

struct queue {
    struct map_node node;           /* queues.by_name */
    struct list link;               /* queues.all, least recently used first */
    struct list ready;              /* queues.ready: has both tasks and polls, perhaps */
    struct queues *queues;
    struct queue_name name;         /* name.name is owned */
    struct map tasks;
    struct heap backlog[5];         /* by priority */
    struct list polls;              /* of struct poll, oldest first */
    struct list records;
    unsigned record_count;
    uint64_t backlog_count;
    int64_t used;                   /* io_now */
    int64_t polled;                 /* io_now; 0: never */
    double rate;                    /* tasks a second that workers asked for; < 0: no limit */
    double allowance;               /* tokens, at allowance_at */
    int64_t allowance_at;
    struct timed refill;            /* when the next token is there */
    double added_rate, dispatched_rate;   /* decayed over 30 s */
    int64_t rates_at;
};

/* A poll that waits; in its call's arena, at call->waiter. */
struct poll {
    struct list link;               /* queue.polls */
    struct timed expiry;
    struct queue *queue;            /* NULL while a task is being started for it */
    struct queues *queues;
    struct call *call;
    struct queue_poll options;
    int64_t expires;                /* io_now */
};

struct queues {
    struct io *io;
    struct queue_host host;
    struct map by_name;
    struct list all;
    struct list ready;
    struct heap timers;             /* of struct timed */
    uint64_t tie;
    struct io_op match, timer;      /* match: deferred while `ready` is not empty */
    int64_t timer_at;               /* what the timer is set for; 0: none */
    bool closing;
};

static void match_due(struct io *io, struct io_op *op);
static void timer_due(struct io *io, struct io_op *op);

struct queues *queues_create(struct io *io, const struct queue_host *host) {
    struct queues *queues = MEM_NEW(struct queues);
    queues->io = io;
    queues->host = *host;
    list_init(&queues->all);
    list_init(&queues->ready);
    queues->match = (struct io_op){.done = match_due, .ctx = queues};
    queues->timer = (struct io_op){.done = timer_due, .ctx = queues};
    return queues;
}

/* ---- finding ------------------------------------------------------------------------------------------------------- */

uint64_t queue_hash(const struct queue_name *name) {
    return route_hash(name->namespace_id, name->type == QUEUE_WORKFLOW ? ROUTE_WORKFLOW_QUEUE : ROUTE_ACTIVITY_QUEUE,
                      name->name);
}

static bool name_equal(const struct map_node *node, const void *key) {
    const struct queue *queue = CONTAINER_OF(node, struct queue, node);
    const struct queue_name *name = key;
    return queue->name.type == name->type && bytes_equal(queue->name.name, name->name) &&
           memcmp(queue->name.namespace_id, name->namespace_id, NAMESPACE_ID_LEN) == 0;
}

static struct queue *find(struct queues *queues, const struct queue_name *name) {
    struct map_node *node = map_find(&queues->by_name, queue_hash(name), name_equal, name);
    return node ? CONTAINER_OF(node, struct queue, node) : NULL;
}

static void free_record(struct queue *queue, struct poller_record *record) {
    list_remove(&record->link);
    queue->record_count--;
    mem_free(record->identity);
    mem_free(record);
}

static void free_queue(struct queue *queue) {
    struct queues *queues = queue->queues;
    CHECK(list_empty(&queue->polls) && queue->tasks.count == 0);
    LIST_EACH(node, &queue->records) free_record(queue, LIST_ENTRY(node, struct poller_record, link));
    heap_remove(&queues->timers, &queue->refill.node);
    for (size_t i = 0; i < ARRAY_LEN(queue->backlog); i++) heap_free(&queue->backlog[i]);
    map_free(&queue->tasks);
    map_remove(&queues->by_name, &queue->node);
    list_remove(&queue->link);
    list_remove(&queue->ready);
    mem_free((void *)(uintptr_t)queue->name.name.data);
    mem_free(queue);
}

/* Forgets the queues that nobody has used for long; a few at a time, whenever a new one is made. */
static void forget_idle(struct queues *queues) {
    for (int i = 0; i < 4 && !list_empty(&queues->all); i++) {
        struct queue *oldest = LIST_ENTRY(queues->all.next, struct queue, link);
        if (oldest->used > io_now(queues->io) - QUEUE_IDLE_NS) return;
        if (!list_empty(&oldest->polls) || oldest->tasks.count) {
            oldest->used = io_now(queues->io);
            list_remove(&oldest->link);
            list_push_back(&queues->all, &oldest->link);
            continue;
        }
        free_queue(oldest);
    }
}

static void refill_due(struct timed *timed);

static struct queue *find_or_make(struct queues *queues, const struct queue_name *name) {
    struct queue *queue = find(queues, name);
    if (!queue) {
        forget_idle(queues);
        queue = MEM_NEW(struct queue);
        queue->queues = queues;
        queue->name = *name;
        queue->name.name = bytes_of(mem_copy(name->name.data, name->name.len), name->name.len);
        queue->rate = -1;
        queue->refill.due = refill_due;
        list_init(&queue->polls);
        list_init(&queue->records);
        map_insert(&queues->by_name, &queue->node, queue_hash(name));
        list_push_back(&queues->all, &queue->link);
    }
    queue->used = io_now(queues->io);
    list_remove(&queue->link);
    list_push_back(&queues->all, &queue->link);
    return queue;
}

/* ---- timers -------------------------------------------------------------------------------------------------------- */

static void set_timer(struct queues *queues) {
    struct heap_node *top = heap_top(&queues->timers);
    int64_t at = top ? top->key : 0;
    if (queues->closing || at == queues->timer_at) return;
    if (queues->timer.busy) {
        /* Set again from timer_due, when the cancelled timer has completed. */
        if (at == 0 || at < queues->timer_at) io_cancel(queues->io, &queues->timer);
        return;
    }
    queues->timer_at = at;
    if (at) io_timer(queues->io, &queues->timer, at);
}

static void set_timed(struct queues *queues, struct timed *timed, int64_t at) {
    heap_remove(&queues->timers, &timed->node);
    heap_push(&queues->timers, &timed->node, at, ++queues->tie);
    set_timer(queues);
}

/* ---- matching ------------------------------------------------------------------------------------------------------ */

static void make_ready(struct queue *queue) {
    struct queues *queues = queue->queues;
    if (list_linked(&queue->ready) || list_empty(&queue->polls) || queue->backlog_count == 0) return;
    list_push_back(&queues->ready, &queue->ready);
    if (!queues->match.busy) io_defer(queues->io, &queues->match);
}

static void refill_due(struct timed *timed) { make_ready(CONTAINER_OF(timed, struct queue, refill)); }

/* One token of the queue's rate limit; false when there is none yet, with a timer set for it. */
static bool take_token(struct queue *queue) {
    if (queue->rate < 0) return true;
    int64_t now = io_now(queue->queues->io);
    double burst = queue->rate < 1 ? 1 : queue->rate;
    queue->allowance += queue->rate * (double)(now - queue->allowance_at) / (double)SECOND;
    if (queue->allowance > burst) queue->allowance = burst;
    queue->allowance_at = now;
    if (queue->allowance >= 1) {
        queue->allowance -= 1;
        return true;
    }
    if (queue->rate > 0) {
        double wait = (1 - queue->allowance) / queue->rate * (double)SECOND;
        set_timed(queue->queues, &queue->refill, now + (int64_t)(wait < REFILL_NS_MAX ? wait : REFILL_NS_MAX) + 1);
    }
    return false;
}

/* Folds the time since the last event into both rates, and counts one event. */
static void count_rate(struct queue *queue, double *rate) {
    int64_t now = io_now(queue->queues->io);
    double passed = (double)(now - queue->rates_at) / (double)SECOND;
    double keep = passed >= 30 ? 0 : 1 - passed / 30;
    queue->added_rate *= keep;
    queue->dispatched_rate *= keep;
    queue->rates_at = now;
    if (rate) *rate += 1.0 / 30;
}

static struct task *first_task(struct queue *queue) {
    for (size_t i = 0; i < ARRAY_LEN(queue->backlog); i++) {
        struct heap_node *top = heap_top(&queue->backlog[i]);
        if (top) return CONTAINER_OF(top, struct task, heap);
    }
    return NULL;
}

static size_t level(const struct queue_task *task) {
    int32_t priority = task->priority < 1 || task->priority > 5 ? PRIORITY_DEFAULT : task->priority;
    return (size_t)priority - 1;
}

static void drop_task(struct queue *queue, struct task *task) {
    heap_remove(&queue->backlog[level(&task->task)], &task->heap);
    map_remove(&queue->tasks, &task->node);
    queue->backlog_count--;
    mem_free(task);
}

/* Takes a poll out of its queue; it is its holder's from then on. */
static void unlink_poll(struct poll *poll) {
    list_remove(&poll->link);
    heap_remove(&poll->queues->timers, &poll->expiry.node);
    poll->queue = NULL;
    poll->call->on_cancel = NULL;
}

static void match(struct queue *queue) {
    while (queue->backlog_count && !list_empty(&queue->polls)) {
        if (!take_token(queue)) return;
        struct task *task = first_task(queue);
        struct poll *poll = LIST_ENTRY(queue->polls.next, struct poll, link);
        struct queue_task matched = task->task;
        drop_task(queue, task);
        unlink_poll(poll);
        count_rate(queue, &queue->dispatched_rate);
        if (!matched.query)
            workload_task_matched(queue->queues->io, queue->name.name, queue->name.type == QUEUE_WORKFLOW ? "workflow" : "activity",
                                  io_wall(queue->queues->io) - matched.schedule_time);
        queue->queues->host.start(queue->queues->host.ctx, &poll->options.name, &matched, poll->call);
    }
}

static void match_due(struct io *io, struct io_op *op) {
    (void)io;
    struct queues *queues = op->ctx;
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &queues->ready);
    for (struct list *node; (node = list_pop_front(&batch));) match(LIST_ENTRY(node, struct queue, ready));
    set_timer(queues);
}

/* ---- tasks --------------------------------------------------------------------------------------------------------- */

static bool task_equal(const struct map_node *node, const void *key) {
    const struct queue_task *a = &CONTAINER_OF(node, struct task, node)->task, *b = key;
    return a->execution == b->execution && a->event_id == b->event_id && a->stamp == b->stamp && a->query == b->query;
}

static uint64_t task_hash(const struct queue_task *task) {
    uint64_t words[4] = {task->execution, (uint64_t)task->event_id, task->stamp, task->query};
    return hash64(words, sizeof words);
}

void queues_add(struct queues *queues, const struct queue_name *name, const struct queue_task *task) {
    struct queue *queue = find_or_make(queues, name);
    uint64_t hash = task_hash(task);
    if (map_find(&queue->tasks, hash, task_equal, task)) {
        mark(MARK_TASK_TWICE_IN_QUEUE);
        return;
    }
    struct task *waiting = MEM_NEW(struct task);
    waiting->task = *task;
    map_insert(&queue->tasks, &waiting->node, hash);
    heap_push(&queue->backlog[level(task)], &waiting->heap, task->schedule_time, ++queues->tie);
    queue->backlog_count++;
    count_rate(queue, &queue->added_rate);
    make_ready(queue);
}

void queues_remove(struct queues *queues, const struct queue_name *name, const struct queue_task *task) {
    struct queue *queue = find(queues, name);
    if (!queue) return;
    struct map_node *node = map_find(&queue->tasks, task_hash(task), task_equal, task);
    if (node) drop_task(queue, CONTAINER_OF(node, struct task, node));
}

/* ---- polls --------------------------------------------------------------------------------------------------------- */

static void end_without_task(struct call *call) { call_reply_bytes(call, (struct bytes){0}); }

static void end_empty(struct poll *poll) {
    unlink_poll(poll);
    end_without_task(poll->call);
}

static void poll_expired(struct timed *timed) {
    mark(MARK_POLL_EMPTY);
    end_empty(CONTAINER_OF(timed, struct poll, expiry));
}

static void poll_cancelled(struct call *call) {
    struct poll *poll = call->waiter;
    mark(MARK_POLL_CANCELLED);
    unlink_poll(poll);
    call_fail(call, STATUS_CANCELLED, "the client cancelled the poll");
}

static void timer_due(struct io *io, struct io_op *op) {
    struct queues *queues = op->ctx;
    queues->timer_at = 0;
    if (queues->closing) return;
    for (struct heap_node *top; (top = heap_top(&queues->timers)) && top->key <= io_now(io);) {
        struct timed *timed = CONTAINER_OF(top, struct timed, node);
        heap_remove(&queues->timers, top);
        timed->due(timed);
    }
    set_timer(queues);
}

static void note_poller(struct queue *queue, const struct queue_poll *options) {
    int64_t now = io_now(queue->queues->io);
    struct poller_record *record = NULL;
    LIST_EACH(node, &queue->records) {
        struct poller_record *other = LIST_ENTRY(node, struct poller_record, link);
        if (strcmp(other->identity, options->identity) == 0) record = other;
    }
    if (!record) {
        if (queue->record_count >= POLLER_RECORDS_MAX)
            free_record(queue, LIST_ENTRY(queue->records.next, struct poller_record, link));
        record = MEM_NEW(struct poller_record);
        record->identity = mem_strdup(options->identity);
        queue->record_count++;
    }
    record->accessed = now;
    record->rate = options->rate_per_second;
    list_remove(&record->link);
    list_push_back(&queue->records, &record->link);
    queue->polled = now;
}

/* The latest worker's word on the queue's rate holds; none asked: no limit. */
static void set_rate(struct queue *queue, double rate) {
    if (queue->name.type != QUEUE_ACTIVITY || rate == queue->rate) return;
    if (queue->rate < 0 && rate >= 0) {
        queue->allowance = rate < 1 ? 1 : rate;
        queue->allowance_at = io_now(queue->queues->io);
    }
    queue->rate = rate;
}

/* Any number can come from a worker. */
static double sane_rate(double rate) { return rate >= 0 && rate <= RATE_MAX ? rate : -1; }

static void wait_in_queue(struct poll *poll) {
    struct queues *queues = poll->queues;
    poll->queue = find_or_make(queues, &poll->options.name);
    list_push_back(&poll->queue->polls, &poll->link);
    poll->call->on_cancel = PLANT(queues->io, CANCELLED_POLL_GETS_TASK) ? NULL : poll_cancelled;
    set_timed(queues, &poll->expiry, poll->expires);
    make_ready(poll->queue);
}

void queues_poll(struct queues *queues, struct call *call, const struct queue_poll *options) {
    struct poll *poll = ARENA_NEW(call->arena, struct poll);
    int64_t now = io_now(queues->io);
    poll->queues = queues;
    poll->call = call;
    poll->options = *options;
    poll->options.rate_per_second = sane_rate(options->rate_per_second);
    poll->expiry.due = poll_expired;
    poll->expires = call->deadline == INT64_MAX || call->deadline - now > POLL_NS_MAX ? now + POLL_NS_MAX : call->deadline;
    poll->expires -= POLL_MARGIN_NS;
    call->waiter = poll;
    struct queue *queue = find_or_make(queues, &options->name);
    note_poller(queue, &poll->options);
    set_rate(queue, poll->options.rate_per_second);
    if (poll->expires <= now || nudge(NUDGE_POLL_ENDS)) {
        end_without_task(call);
        return;
    }
    wait_in_queue(poll);
}

void queues_poll_again(struct queues *queues, struct call *call) {
    struct poll *poll = call->waiter;
    if (call->cancelled) call_fail(call, STATUS_CANCELLED, "the client cancelled the poll");
    else if (queues->closing || poll->expires <= io_now(queues->io)) end_without_task(call);
    else wait_in_queue(poll);
}

void queues_shutdown_worker(struct queues *queues, const struct queue_name *sticky, const char *worker_instance_key) {
    LIST_EACH(node, &queues->all) {
        struct queue *queue = LIST_ENTRY(node, struct queue, link);
        bool whole = sticky && name_equal(&queue->node, sticky);
        LIST_EACH(waiting, &queue->polls) {
            struct poll *poll = LIST_ENTRY(waiting, struct poll, link);
            const char *key = poll->options.worker_instance_key;
            if (whole || (worker_instance_key[0] && key && strcmp(key, worker_instance_key) == 0)) end_empty(poll);
        }
        if (whole) queue->polled = 0;
    }
}

int64_t queues_last_poll(struct queues *queues, const struct queue_name *name) {
    struct queue *queue = find(queues, name);
    if (!queue) return 0;
    return list_empty(&queue->polls) ? queue->polled : io_now(queues->io);
}

/* ---- telling ------------------------------------------------------------------------------------------------------- */

/* Schedule time of the oldest task, found among the tops: each level is in order of schedule time. */
static int64_t oldest_schedule_time(const struct queue *queue) {
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(queue->backlog); i++) {
        struct heap_node *top = heap_top(&queue->backlog[i]);
        if (top && top->key < oldest) oldest = top->key;
    }
    return oldest;
}

struct queue_totals queues_totals(const struct queues *queues, enum queue_type type) {
    struct queue_totals totals = {0};
    int64_t oldest = INT64_MAX, wall = io_wall(queues->io);
    LIST_EACH(node, &queues->all) {
        const struct queue *queue = LIST_ENTRY(node, struct queue, link);
        if (queue->name.type != type) continue;
        totals.queues++;
        totals.backlog += queue->backlog_count;
        LIST_EACH(poll, &queue->polls) totals.polls++;
        int64_t at = oldest_schedule_time(queue);
        if (at < oldest) oldest = at;
    }
    if (oldest < wall) totals.backlog_age_ns = wall - oldest;
    return totals;
}

void queues_describe(struct queues *queues, const struct queue_name *name, struct arena *arena, struct queue_info *out) {
    *out = (struct queue_info){0};
    struct queue *queue = find(queues, name);
    if (!queue) return;
    int64_t now = io_now(queues->io), wall = io_wall(queues->io);
    count_rate(queue, NULL);
    out->backlog = queue->backlog_count;
    if (queue->backlog_count) out->backlog_age_ns = wall - oldest_schedule_time(queue);
    if (out->backlog_age_ns < 0) out->backlog_age_ns = 0;
    out->add_rate = queue->added_rate;
    out->dispatch_rate = queue->dispatched_rate;
    out->pollers = arena_alloc(arena, queue->record_count * sizeof *out->pollers);
    LIST_EACH(node, &queue->records) {
        struct poller_record *record = LIST_ENTRY(node, struct poller_record, link);
        if (record->accessed < now - POLLER_RECORD_NS) continue;
        out->pollers[out->poller_count++] = (struct queue_poller_info){
            arena_strdup(arena, record->identity), wall - (now - record->accessed), record->rate};
    }
}

void queues_destroy(struct queues *queues) {
    queues->closing = true;
    CHECK(!queues->match.busy && !queues->timer.busy);
    LIST_EACH(node, &queues->all) {
        struct queue *queue = LIST_ENTRY(node, struct queue, link);
        for (struct task *task; (task = first_task(queue));) drop_task(queue, task);
        free_queue(queue);
    }
    heap_free(&queues->timers);
    map_free(&queues->by_name);
    mem_free(queues);
}

void queues_stop(struct queues *queues) {
    queues->closing = true;
    LIST_EACH(node, &queues->all) {
        struct queue *queue = LIST_ENTRY(node, struct queue, link);
        LIST_EACH(waiting, &queue->polls) end_empty(LIST_ENTRY(waiting, struct poll, link));
    }
    io_cancel(queues->io, &queues->timer);
}
