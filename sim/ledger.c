/* ledger: a small server of numbers, its clients and their checker; it proves the simulated backend itself.
 *
 * The server appends each number that it is sent to a journal, syncs, and answers. Clients send every number until it
 * is answered, over connections that break. In the end each answered number is in the journal exactly once, and no
 * other than those that were sent. A helper keeps a summary beside it: the count of numbers that were durable then. */
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "fiber/fiber.h"
#include "workload.h"

/* An error of the disk ends the process, in the words that the world takes for its own doing. */
#define DISK(condition) CHECKF(condition, "the disk failed, stopping: %s", #condition)

enum { CLIENTS_MAX = 4, NUMBERS_MAX = 400, PORT = 7000, RECORD = 16, SUMMARY_EVERY = 20 };

struct run {                            /* the world's; what clients know for certain */
    struct world *world;
    unsigned server, clients[CLIENTS_MAX], client_count, numbers;
    bool sent[CLIENTS_MAX * NUMBERS_MAX], acked[CLIENTS_MAX * NUMBERS_MAX];
    unsigned acked_count;
    unsigned told[CLIENTS_MAX + 1];
};

static void put_record(struct buf *to, uint64_t number) {
    buf_append_u64(to, number);
    buf_append_u64(to, hash64(&number, sizeof number));
}

/* The number of a whole record; false when the bytes are no record. */
static bool get_record(const uint8_t *at, uint64_t *number) {
    *number = load_u64(at);
    return load_u64(at + 8) == hash64(number, sizeof *number) && *number < CLIENTS_MAX * NUMBERS_MAX;
}

/* ---- the server ---- */

struct conn {
    struct list link;
    struct server *server;
    struct fiber *fiber;
    struct io_sock sock;
    struct io_op recv;
    struct buf in, out;
    unsigned waiting;                   /* answers that are due to it */
    bool ended;
};

struct answer {
    struct conn *conn;
    uint64_t number;
};

enum { UNKNOWN, PENDING, DURABLE };

struct server {
    struct io *io;
    struct io_sock listener;
    struct io_op accept, signals;
    struct list conns;
    struct io_file log;
    uint64_t log_size, durable_count, summarized;
    uint8_t state[CLIENTS_MAX * NUMBERS_MAX];
    struct buf batch, answers;          /* records to write; struct answer */
    struct fiber *writer;
    struct io_helper *helper;
    bool ending;
};

static void on_conn_recv(struct io *io, struct io_op *op) {
    struct conn *conn = op->ctx;
    if (op->more) {
        buf_append(&conn->in, op->buf.data, op->buf.len);
        io_buf_done(io, op->buf);
    } else {
        conn->ended = true;
    }
    fiber_wake(io, conn->fiber);
}

static void take_request(struct conn *conn, uint64_t number) {
    struct server *server = conn->server;
    if (server->state[number] == DURABLE) {
        put_record(&conn->out, number);
        return;
    }
    if (server->state[number] == UNKNOWN) put_record(&server->batch, number);
    server->state[number] = PENDING;
    struct answer answer = {conn, number};
    buf_append(&server->answers, &answer, sizeof answer);
    conn->waiting++;
    fiber_wake(server->io, server->writer);
}

static void take_requests(struct conn *conn) {
    size_t used = 0;
    for (; conn->in.len - used >= RECORD; used += RECORD) {
        uint64_t number;
        CHECK(get_record(conn->in.data + used, &number));
        take_request(conn, number);
    }
    buf_consume(&conn->in, used);
}

static void conn_main(void *arg) {
    struct conn *conn = arg;
    struct server *server = conn->server;
    struct io *io = server->io;
    conn->recv.done = on_conn_recv;
    conn->recv.ctx = conn;
    io_recv(io, &conn->recv, conn->sock);
    while (!conn->ended && !server->ending) {
        take_requests(conn);
        if (conn->out.len) {
            struct buf out = conn->out;
            conn->out = (struct buf){0};
            if (fiber_send_all(io, conn->sock, out.data, out.len) < 0) conn->ended = true;
            buf_free(&out);
        } else {
            fiber_park(io);
        }
    }
    fiber_sock_close(io, conn->sock);
    while (conn->waiting) fiber_park(io);
    list_remove(&conn->link);
    buf_free(&conn->in);
    buf_free(&conn->out);
    mem_free(conn);
    fiber_wake(io, server->writer);
}

static void on_accept(struct io *io, struct io_op *op) {
    struct server *server = op->ctx;
    if (!op->more) return;
    struct conn *conn = MEM_NEW(struct conn);
    conn->server = server;
    conn->sock = op->sock;
    list_push_back(&server->conns, &conn->link);
    conn->fiber = fiber_start(io, "conn", conn_main, conn, 0);
}

static void write_summary(struct io_helper *helper, void *arg) {
    struct server *server = arg;
    struct io_file file;
    if (io_help_open(helper, "/data/summary", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &file) < 0) return;
    struct buf bytes = {0};
    put_record(&bytes, server->summarized);
    io_help_range_lock(helper, file, IO_RANGE_EXCLUSIVE, 0, 1);
    io_help_write(helper, file, bytes.data, bytes.len, 0);
    io_help_sync(helper, file);
    io_help_close(helper, file);
    io_help_dir_sync(helper, "/data");
    buf_free(&bytes);
}

static void give_answers(struct server *server, struct buf *answers) {
    struct answer *all = (struct answer *)answers->data;
    for (size_t i = 0; i < answers->len / sizeof *all; i++) {
        struct conn *conn = all[i].conn;
        server->state[all[i].number] = DURABLE;
        put_record(&conn->out, all[i].number);
        conn->waiting--;
        fiber_wake(server->io, conn->fiber);
    }
}

/* Until there is room: a full disk passes. */
static void write_whole(struct server *server, const struct buf *batch) {
    int64_t written;
    while ((written = fiber_write(server->io, server->log, batch->data, batch->len, server->log_size)) == -IO_ENOSPC)
        fiber_sleep_until(server->io, io_now(server->io) + 10 * SIM_MS);
    DISK(written == (int64_t)batch->len);
}

/* Writes what gathered while the last write was under way, syncs, and answers. */
static void flush(struct server *server) {
    struct io *io = server->io;
    struct buf batch = server->batch, answers = server->answers;
    server->batch = server->answers = (struct buf){0};
    if (batch.len) {
        write_whole(server, &batch);
        DISK(fiber_datasync(io, server->log) == 0);
        server->log_size += batch.len;
        server->durable_count += batch.len / RECORD;
    }
    give_answers(server, &answers);
    buf_free(&batch);
    buf_free(&answers);
    if (server->durable_count - server->summarized < SUMMARY_EVERY) return;
    server->summarized = server->durable_count;
    fiber_help(io, server->helper, write_summary, server);
}

/* Reads the journal, cuts its torn tail, and compares with the summary. */
static void recover(struct server *server) {
    struct io *io = server->io;
    int64_t made = fiber_mkdir(io, "/data");
    CHECK(made == 0 || made == -IO_EEXIST);
    DISK(fiber_open(io, "/data/log", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE, &server->log) == 0);
    DISK(fiber_dir_sync(io, "/") == 0 && fiber_dir_sync(io, "/data") == 0);
    struct buf bytes = {0};
    DISK(fiber_read_file(io, "/data/log", 1 << 20, &bytes) >= 0);
    uint64_t number;
    while (bytes.len - server->log_size >= RECORD && get_record(bytes.data + server->log_size, &number)) {
        CHECKF(server->state[number] == UNKNOWN, "a number is twice in the journal");
        server->state[number] = DURABLE;
        server->log_size += RECORD;
    }
    server->durable_count = server->log_size / RECORD;
    DISK(fiber_truncate(io, server->log, server->log_size) == 0 && fiber_datasync(io, server->log) == 0);
    buf_clear(&bytes);
    if (fiber_read_file(io, "/data/summary", 64, &bytes) >= 0 && bytes.len == RECORD) {
        CHECKF(get_record(bytes.data, &number) || !load_u64(bytes.data), "a torn summary");
        CHECKF(load_u64(bytes.data) <= server->durable_count, "the journal lost durable numbers");
    }
    server->summarized = server->durable_count;
    buf_free(&bytes);
}

static void on_signal(struct io *io, struct io_op *op) {
    struct server *server = op->ctx;
    if (!op->more) return;
    server->ending = true;
    LIST_EACH(it, &server->conns) fiber_wake(io, LIST_ENTRY(it, struct conn, link)->fiber);
    if (server->writer) fiber_wake(io, server->writer);
}

static void on_last(struct io *io, struct io_op *op) {
    struct server *server = op->ctx;
    fiber_shutdown(io);
    mem_free(server);
    io_exit(io, 0);
}

static void close_all(struct server *server) {
    struct io *io = server->io;
    fiber_sock_close(io, server->listener);
    while (server->answers.len || !list_empty(&server->conns)) {
        LIST_EACH(it, &server->conns) fiber_wake(io, LIST_ENTRY(it, struct conn, link)->fiber);
        if (server->answers.len)
            flush(server);
        else
            fiber_park(io);
    }
    fiber_close(io, server->log);
    io_cancel(io, &server->signals);
    while (server->signals.busy) fiber_sleep_until(io, io_now(io) + SIM_US);
    buf_free(&server->batch);
    buf_free(&server->answers);
    server->accept = (struct io_op){.done = on_last, .ctx = server};
    io_timer(io, &server->accept, io_now(io) + SIM_MS);        /* after this fiber has ended */
}

static void server_main(void *arg) {
    struct server *server = arg;
    struct io *io = server->io;
    server->writer = fiber_current(io);
    recover(server);
    struct io_addr addr = {.family = 4, .port = PORT};
    if (io_listen(io, &addr, false, &server->listener, &addr) < 0) {
        io_exit(io, 1);
        return;
    }
    server->accept = (struct io_op){.done = on_accept, .ctx = server};
    io_accept(io, &server->accept, server->listener);
    while (!server->ending) {
        if (server->answers.len)
            flush(server);
        else
            fiber_park(io);
    }
    close_all(server);
}

static void server_start(struct io *io, void *arg) {
    (void)arg;
    struct server *server = MEM_NEW(struct server);
    server->io = io;
    list_init(&server->conns);
    server->signals = (struct io_op){.done = on_signal, .ctx = server};
    io_signals(io, &server->signals);
    server->helper = io_helper_start(io, "summary");
    server->writer = fiber_start(io, "writer", server_main, server, FIBER_STACK_LARGE);
}

/* ---- a client ---- */

struct client {
    struct io *io;
    struct run *run;
    unsigned base;                      /* its first number */
    struct fiber *fiber;
    struct io_op recv, signals;
    struct buf in;
    bool broken, ending;
};

static void on_client_recv(struct io *io, struct io_op *op) {
    struct client *client = op->ctx;
    if (op->more) {
        buf_append(&client->in, op->buf.data, op->buf.len);
        io_buf_done(io, op->buf);
    } else {
        client->broken = true;
    }
    fiber_wake(io, client->fiber);
}

static void on_client_signal(struct io *io, struct io_op *op) {
    struct client *client = op->ctx;
    if (!op->more) return;
    client->ending = true;
    fiber_wake(io, client->fiber);
}

static void take_answers(struct client *client) {
    struct run *run = client->run;
    for (; client->in.len >= RECORD; buf_consume(&client->in, RECORD)) {
        uint64_t number;
        CHECKF(get_record(client->in.data, &number) && run->sent[number], "an answer that is none");
        run->acked_count += !run->acked[number];
        run->acked[number] = true;
    }
}

/* The next numbers without an answer; 0 when there is none. */
static unsigned next_numbers(struct client *client, struct buf *out) {
    struct run *run = client->run;
    uint8_t dice;
    io_random(client->io, &dice, 1);
    unsigned count = 0;
    for (unsigned i = 0; i < run->numbers && count <= dice % 16; i++) {
        unsigned number = client->base + i;
        if (run->acked[number]) continue;
        run->sent[number] = true;
        put_record(out, number);
        count++;
    }
    return count;
}

static bool all_answered(const struct client *client, const struct buf *asked) {
    for (size_t at = 0; at < asked->len; at += RECORD)
        if (!client->run->acked[load_u64(asked->data + at)]) return false;
    return true;
}

/* Sends some and waits for their answers; gives up after a second. */
static bool exchange(struct client *client, struct io_sock sock) {
    struct io *io = client->io;
    struct buf asked = {0};
    unsigned count = next_numbers(client, &asked);
    bool good = count > 0 && fiber_send_all(io, sock, asked.data, asked.len) == 0;
    int64_t deadline = io_now(io) + SIM_SECOND;
    while (good && !client->broken && !client->ending && !all_answered(client, &asked)) {
        take_answers(client);
        if (io_now(io) >= deadline) good = false;
        fiber_sleep_until(io, io_now(io) + SIM_MS);
    }
    buf_free(&asked);
    return good && !client->broken;
}

static void talk(struct client *client, struct io_sock sock) {
    struct io *io = client->io;
    client->broken = false;
    client->recv = (struct io_op){.done = on_client_recv, .ctx = client};
    io_recv(io, &client->recv, sock);
    while (!client->ending && exchange(client, sock)) {
        uint16_t dice;
        io_random(io, &dice, sizeof dice);
        fiber_sleep_until(io, io_now(io) + dice * 10 * SIM_US);
    }
    fiber_sock_close(io, sock);
    buf_clear(&client->in);
}

static bool has_more(const struct client *client) {
    for (unsigned i = 0; i < client->run->numbers; i++)
        if (!client->run->acked[client->base + i]) return true;
    return false;
}

static void on_client_last(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op->ctx);
    io_exit(io, 0);
}

static void client_main(void *arg) {
    struct client *client = arg;
    struct io *io = client->io;
    struct io_addr addr;
    world_node_addr(world_of(io), client->run->server, PORT, &addr);
    while (!client->ending) {
        struct io_sock sock;
        if (has_more(client) && fiber_connect(io, &addr, &sock) == 0) talk(client, sock);
        fiber_sleep_until(io, io_now(io) + 20 * SIM_MS);
    }
    io_cancel(io, &client->signals);
    while (client->signals.busy) fiber_sleep_until(io, io_now(io) + SIM_US);
    buf_free(&client->in);
    client->recv = (struct io_op){.done = on_client_last, .ctx = client};
    io_timer(io, &client->recv, io_now(io) + SIM_MS);
}

static void client_start(struct io *io, void *arg) {
    struct run *run = arg;
    struct client *client = MEM_NEW(struct client);
    client->io = io;
    client->run = run;
    for (unsigned i = 0; i < run->client_count; i++)
        if (run->clients[i] == world_node_of(io)) client->base = i * NUMBERS_MAX;
    client->signals = (struct io_op){.done = on_client_signal, .ctx = client};
    io_signals(io, &client->signals);
    client->fiber = fiber_start(io, "client", client_main, client, 0);
}

/* ---- the run ---- */

static void *begin(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    (void)options;
    static const char *const names[CLIENTS_MAX] = {"client-1", "client-2", "client-3", "client-4"};
    struct prng *prng = world_prng(world, PRNG_WORKLOAD);
    struct run *run = world_alloc(sizeof *run);
    run->world = world;
    run->client_count = 1 + (unsigned)prng_below(prng, CLIENTS_MAX);
    run->numbers = (unsigned)prng_range(prng, 10, NUMBERS_MAX);
    run->server = world_add_node(world, &(struct world_node){.name = "server", .start = server_start, .arg = run});
    nemesis_add(nemesis, run->server, 6);
    world_start(world, run->server, 0);
    for (unsigned i = 0; i < run->client_count; i++) {
        struct world_node spec = {.name = names[i], .start = client_start, .arg = run};
        run->clients[i] = world_add_node(world, &spec);
        nemesis_add(nemesis, run->clients[i], 1);
        world_start(world, run->clients[i], 0);
    }
    return run;
}

static bool finished(void *arg) {
    struct run *run = arg;
    return run->acked_count == run->client_count * run->numbers;
}

static const char *explain(void *arg) {
    struct run *run = arg;
    fprintf(stderr, "%u of %u numbers were answered\n", run->acked_count, run->client_count * run->numbers);
    return NULL;
}

static void check(void *arg) {
    struct run *run = arg;
    struct buf log = {0};
    if (world_disk_read(run->world, run->server, "/data/log", &log) < 0)
        world_fail(run->world, WORLD_INCORRECT, "the journal is gone");
    unsigned times[CLIENTS_MAX * NUMBERS_MAX] = {0};
    for (size_t at = 0; at + RECORD <= log.len; at += RECORD) {
        uint64_t number;
        if (!get_record(log.data + at, &number) || !run->sent[number])
            world_fail(run->world, WORLD_INCORRECT, "a number in the journal was never sent");
        times[number]++;
    }
    for (unsigned i = 0; i < CLIENTS_MAX * NUMBERS_MAX; i++)
        if (times[i] > 1 || times[i] < run->acked[i])
            world_fail(run->world, WORLD_INCORRECT, "number %u: answered %u, in the journal %u times", i, run->acked[i],
                       times[i]);
    buf_free(&log);
}

static bool ended(void *arg) {
    struct run *run = arg;
    bool all = true;
    for (unsigned i = 0; i <= run->client_count; i++) {
        unsigned node = i < run->client_count ? run->clients[i] : run->server;
        all &= workload_end_node(run->world, node, &run->told[i]);
    }
    return all;
}

const struct workload ledger_workload = {
    .name = "ledger", .text = "a small journal of numbers, to prove the simulator itself",
    .begin = begin, .finished = finished, .explain = explain, .check = check, .ended = ended, .destroy = world_free,
};
