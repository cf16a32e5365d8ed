/* server: composition, start, and end.
 *
 * Start: every loop gets its frontend and engine; the store opens and recovers into them; then each loop attaches its
 * side of the store and its queues; the engines begin, and the listeners open last, so that nobody is served too early.
 * End: no new calls, waiting polls end, open calls have their time, then engines, queues and the store are closed. */
#include "server/server.h"

#include <string.h>

#include "base/mark.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "server/budget.h"
#include "server/internal.h"
#include "telemetry/log.h"

unsigned server_loop_count(const struct server *server) { return server->loop_count; }
const struct server_loop *server_loop_at(const struct server *server, unsigned index) { return &server->loops[index]; }
struct store *server_store(const struct server *server) { return server->store; }
const struct tls_config *server_tls(const struct server *server) { return server->tls; }

/* ---- steps on every loop ------------------------------------------------------------------------------------------- */

/* A step on its way to a loop and its answer back; one for each loop. */
struct step {
    struct io_msg msg;
    struct server_loop *loop;
    server_step_fn *run;
};

static void answer_arrived(struct io *io, struct io_msg *msg) {
    struct step *step = CONTAINER_OF(msg, struct step, msg);
    struct server *server = step->loop->server;
    mem_free(step);
    CHECK(server->awaited > 0);
    if (--server->awaited == 0) fiber_wake(io, server->fiber);
}

static void step_arrived(struct io *io, struct io_msg *msg) {
    struct step *step = CONTAINER_OF(msg, struct step, msg);
    step->loop->io = io;
    step->run(step->loop);
    msg->receive = answer_arrived;
    io_post(io, 0, msg);
}

static void await_answers(struct server *server) {
    while (server->awaited) fiber_park(server->io);
}

void server_each(struct server *server, server_step_fn *run) {
    server->awaited = server->loop_count;
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct step *step = MEM_NEW(struct step);
        *step = (struct step){.msg.receive = step_arrived, .loop = &server->loops[i], .run = run};
        io_post(server->io, i, &step->msg);
    }
    await_answers(server);
}

static void held(struct io *io, struct io_msg *msg) {
    struct step *step = CONTAINER_OF(msg, struct step, msg);
    struct server *server = step->loop->server;
    mem_free(step);
    server->awaited++;
    (void)io;
}

void server_step_hold(struct server_loop *loop) {
    struct step *step = MEM_NEW(struct step);
    *step = (struct step){.msg.receive = held, .loop = loop};
    io_post(loop->io, 0, &step->msg);
}

void server_step_done(struct server_loop *loop) {
    struct step *step = MEM_NEW(struct step);
    *step = (struct step){.msg.receive = answer_arrived, .loop = loop};
    io_post(loop->io, 0, &step->msg);
}

/* ---- start --------------------------------------------------------------------------------------------------------- */

static void loop_started(struct io *io, void *arg) {
    (void)io, (void)arg;      /* all that it does comes by messages */
}

static struct engine_limits engine_limits_of(const struct server *server) {
    const struct config *config = server->config;
    return (struct engine_limits){
        .memory_bytes = memory_budget_of(config->memory, server->loop_count).heap,
        .blob_size_limit_error = (uint32_t)config->blob_size_error,
        .memo_size_limit_error = (uint32_t)config->memo_size_error,
        .id_length_max = (uint32_t)config->id_length_max,
        .pending_activities_max = (uint32_t)config->pending_activities_max,
        .pending_signals_max = (uint32_t)config->pending_signals_max,
        .signals_per_execution_max = (uint32_t)config->signals_per_execution_max,
        .history_count_max = (uint32_t)config->history_count_error,
        .history_size_max = config->history_size_error,
        .buffered_events_max = (uint32_t)config->buffered_events_max,
        .buffered_events_bytes_max = (uint32_t)config->buffered_events_bytes_max,
        .heartbeat_timeout_ns = (uint64_t)config->heartbeat_timeout,
        .buffered_queries_max = (uint32_t)config->buffered_queries_max,
        .task_problems_min = config->task_problems_min ? (uint32_t)config->task_problems_min : UINT32_MAX,
    };
}

static enum log_format log_format(struct io *io, const struct config *config) {
    if (config->log_format == CONFIG_LOG_AUTO) return io_is_terminal(io, IO_STDERR) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    return config->log_format == CONFIG_LOG_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
}

static void make_engine(struct server_loop *loop) {
    struct server *server = loop->server;
    log_open(loop->io, (enum log_level)server->config->log_level, log_format(loop->io, server->config));
    metrics_open(loop->io);
    loop->frontend = frontend_create(loop->io, &server->shared);
    struct engine_host host = frontend_engine_host(loop->frontend);
    struct engine_limits limits = engine_limits_of(server);
    loop->engine = engine_create(loop->io, &host, &limits);
    loop->frontend->engine = loop->engine;
}

/* On loop 0 the node's values wait for the store as well. */
static void store_durable_both(void *ctx, uint64_t number) {
    struct server_loop *loop = ctx;
    struct store_engine hooks = engine_store_hooks(loop->engine);
    hooks.durable(hooks.ctx, number);
    if (loop->server->changes) node_changes_durable(loop->server->changes, number);
}
static void store_failed_engine(void *ctx, uint64_t number, bool unknown) {
    struct store_engine hooks = engine_store_hooks(((struct server_loop *)ctx)->engine);
    hooks.failed(hooks.ctx, number, unknown);
}
static bool store_images_engine(void *ctx, struct store_loop *store, bool first, size_t budget) {
    struct store_engine hooks = engine_store_hooks(((struct server_loop *)ctx)->engine);
    return hooks.images(hooks.ctx, store, first, budget);
}
static void store_imaged_engine(void *ctx, uint64_t execution, uint64_t version) {
    struct store_engine hooks = engine_store_hooks(((struct server_loop *)ctx)->engine);
    hooks.imaged(hooks.ctx, execution, version);
}
static void store_visibility_engine(void *ctx, struct store_loop *store) {
    struct store_engine hooks = engine_store_hooks(((struct server_loop *)ctx)->engine);
    hooks.visibility(hooks.ctx, store);
}

static void attach(struct server_loop *loop) {
    struct server *server = loop->server;
    unsigned index = io_loop_index(loop->io);
    struct store_engine hooks = engine_store_hooks(loop->engine);
    if (index == 0)
        hooks = (struct store_engine){.durable = store_durable_both, .failed = store_failed_engine,
                                      .images = store_images_engine, .imaged = store_imaged_engine,
                                      .visibility = store_visibility_engine, .ctx = loop};
    loop->store = store_attach(server->store, loop->io, &hooks);
    loop->frontend->store = loop->store;
    struct queue_host host = frontend_queue_host(loop->frontend);
    loop->queues = queues_create(loop->io, &host);
    loop->frontend->queues = loop->queues;
    /* Numbers interleave by loop, above all that were ever given. */
    engine_set_numbers(loop->engine, store_execution_max(server->store) + 1 + index, server->loop_count);
    engine_attach(loop->engine, loop->store, store_epoch(server->store));
}

static void begin(struct server_loop *loop) { engine_start(loop->engine); }

static bool healthy(struct io *io, void *ctx, const char *name, bool *known) {
    static const char *const services[] = {"", "temporal.api.workflowservice.v1.WorkflowService",
                                           "temporal.api.operatorservice.v1.OperatorService",
                                           "temporal.api.adminservice.v1.AdminService",
                                           "norn.admin.v1.AdminService"};
    const struct server_loop *loop = ctx;
    (void)io;
    *known = false;
    for (size_t i = 0; i < ARRAY_LEN(services); i++) *known |= strcmp(name, services[i]) == 0;
    return !loop->frontend->stopping;
}

static void rpc(struct io *io, void *ctx, struct rpc_call *call) {
    frontend_rpc(io, ((struct server_loop *)ctx)->frontend, call);
}

static struct net_limits net_limits_of(const struct config *config) {
    return (struct net_limits){
        .connections_max = (uint32_t)config->net_connections_max,
        .streams_per_connection_max = (uint32_t)config->net_streams_max,
        .header_bytes_max = (uint32_t)config->net_header_bytes_max,
        .request_bytes_max = (uint32_t)config->net_request_bytes_max,
        .send_buffer_bytes_max = (uint32_t)config->net_send_buffer_bytes_max,
        .handshake_ns_max = config->net_handshake_max,
        .idle_ns_max = config->net_idle_max,
        .keepalive_ns = config->net_keepalive,
        .keepalive_answer_ns = config->net_keepalive_answer,
        .drain_ns_max = config->net_drain_max,
    };
}

static void make_net(struct server_loop *loop) {
    struct net_limits limits = net_limits_of(loop->server->config);
    struct net_handlers handlers = {.rpc = rpc, .http = server_http, .healthy = healthy, .ctx = loop};
    list_init(&loop->scrapers);
    loop->net = net_server_create(loop->io, &limits, &handlers);
    server_collect(loop);
}

/* The other loops share loop 0's gRPC address, whose port is known by then. */
static void listen_too(struct server_loop *loop) {
    struct server *server = loop->server;
    struct io_addr bound;
    if (io_loop_index(loop->io) == 0) return;
    int64_t result = net_server_listen(loop->net, &server->grpc, true, server->tls, &bound);
    if (result < 0)
        LOG(loop->io, LOG_ERROR, "cannot listen on another loop", LOG_TEXT("error", io_error_text(result)));
}

static bool listen_on(struct server *server, const char *what, const struct io_addr *wanted, struct io_addr *bound) {
    char text[IO_ADDR_TEXT_MAX];
    bool grpc = wanted == &server->config->grpc;
    int64_t result = net_server_listen(server->loops[0].net, wanted, grpc && server->loop_count > 1,
                                       grpc ? server->tls : NULL, bound);
    if (result >= 0) return true;
    struct buf line = {0};
    buf_printf(&line, "norn: cannot listen on %s for %s: %s; choose another with --%s ADDRESS:PORT (port 0 takes a "
                      "free one)\n", io_addr_text(wanted, text), what, io_error_text(result), what);
    io_print(server->io, IO_STDERR, line.data, line.len);
    buf_free(&line);
    return false;
}

static bool listen_all(struct server *server) {
    const struct config *config = server->config;
    server_each(server, make_net);
    if (!listen_on(server, "grpc", &config->grpc, &server->grpc) ||
        !listen_on(server, "http", &config->http, &server->http) ||
        !listen_on(server, "metrics", &config->metrics, &server->metrics))
        return false;
    if (server->loop_count > 1) server_each(server, listen_too);
    return true;
}

/* What --insecure has allowed. */
static void warn_of_open_addresses(struct server *server) {
    const struct config *config = server->config;
    bool mutual_tls = server->tls && config->tls_client_ca[0];
    const struct {
        const char *what;
        const struct io_addr *addr;
    } listeners[] = {{"grpc", &server->grpc}, {"http", &server->http}, {"metrics", &server->metrics}};
    for (size_t i = 0; i < ARRAY_LEN(listeners) && !mutual_tls; i++) {
        char text[IO_ADDR_TEXT_MAX];
        if (io_addr_is_loopback(listeners[i].addr)) continue;
        LOG(server->io, LOG_WARN, "listening beyond loopback without mutual TLS, as --insecure allows",
            LOG_TEXT("listener", listeners[i].what), LOG_TEXT("address", io_addr_text(listeners[i].addr, text)));
    }
}

static void print_start(struct server *server) {
    char grpc[IO_ADDR_TEXT_MAX], http[IO_ADDR_TEXT_MAX], metrics[IO_ADDR_TEXT_MAX];
    struct buf text = {0};
    io_addr_text(&server->grpc, grpc);
    buf_printf(&text, "norn: grpc listening on %s%s\n", grpc,
               !server->tls ? "" : server->config->tls_client_ca[0] ? " (mutual TLS)" : " (TLS)");
    buf_printf(&text, "norn: http listening on %s (/health)\n", io_addr_text(&server->http, http));
    buf_printf(&text, "norn: metrics listening on %s (/metrics)\n", io_addr_text(&server->metrics, metrics));
    buf_printf(&text, "norn: data in %s\n", server->config->data);
    const char *program = io_argc(server->io) > 0 ? io_arg(server->io, 0) : "norn";
    buf_printf(&text, "norn: try  %s workflow list --address %s   or point a Temporal SDK at it\n", program, grpc);
    io_print(server->io, IO_STDOUT, text.data, text.len);
    buf_free(&text);
}

static void fail_start(struct server *server, struct status status) {
    struct buf line = {0};
    buf_printf(&line, "norn: cannot start: %s\n", status.message);
    io_print(server->io, IO_STDERR, line.data, line.len);
    buf_free(&line);
}

static void reads_fail(void *ctx, const char *error, uint64_t count) {
    const struct server *server = ctx;
    LOG(server->io, LOG_ERROR, "the database could not be read", LOG_TEXT("error", error), LOG_UINT("failed", count));
}

static struct status open_store(struct server *server, struct arena *arena) {
    const struct config *config = server->config;
    struct store_options options = {.dir = config->data, .loops = server->loop_count,
                                    .segment_bytes = config->store_segment,
                                    .reserve_bytes = config->store_reserve,
                                    .checkpoint_bytes = config->store_checkpoint_bytes,
                                    .checkpoint_ns = config->store_checkpoint_interval,
                                    .cache_bytes = memory_budget_of(config->memory, server->loop_count).sqlite_cache,
                                    .no_datasync = config->store_no_datasync,
                                    .reads_fail = reads_fail, .reads_fail_ctx = server};
    struct store_recovery recovery = server_recovery(server);
    return store_open(server->io, &options, &recovery, arena, &server->store);
}

/* Draws the installation's id, once, and waits until it is durable. */
static void name_cluster(struct server *server) {
    struct store_loop *store = server->loops[0].store;
    uint8_t *id = server->shared.cluster_id, packed[128];
    char text[UUID_TEXT_SIZE];
    if (!uuid_is_zero(id)) return;
    io_random(server->io, id, UUID_LEN);
    uuid_shape(id);
    uuid_text(id, text);
    Norn__Node__Cluster cluster = NORN__NODE__CLUSTER__INIT;
    cluster.id = text;
    cluster.created_ns = io_wall(server->io);
    CHECK(norn__node__cluster__get_packed_size(&cluster) <= sizeof packed);
    struct store_record record = {.kind = STORE_RECORD_NODE, .name = bytes_str(SERVER_CLUSTER),
                                  .payload = bytes_of(packed, norn__node__cluster__pack(&cluster, packed))};
    uint64_t number = store_append(store, &record);
    while (store_durable(store) < number) fiber_sleep_until(server->io, io_now(server->io) + 1000000);
}

/* Everything but the listeners. */
static bool start(struct server *server) {
    struct arena arena = {0};
    if (server->config->memory) mem_keep_tight();
    server_each(server, make_engine);
    struct status status = server_load_tls(server, &arena);
    if (status_ok(status)) status = open_store(server, &arena);
    if (!status_ok(status)) fail_start(server, status);
    arena_free(&arena);
    if (!status_ok(status)) return false;
    server->shared.store = server->store;
    server_each(server, attach);
    name_cluster(server);
    struct frontend *first = server->loops[0].frontend;
    server->changes = node_changes_create(first);
    first->changes = server->changes;
    server_each(server, begin);
    node_changes_first_start(server->changes);
    while (!node_changes_idle(server->changes)) fiber_sleep_until(server->io, io_now(server->io) + 1000000);
    return true;
}

/* ---- end ----------------------------------------------------------------------------------------------------------- */

static void net_drained(struct io *io, void *ctx) {
    (void)io;
    server_step_done(ctx);
}

static void drain(struct server_loop *loop) {
    loop->frontend->stopping = true;
    queues_stop(loop->queues);
    engine_stop(loop->engine);
    if (!loop->net) return;
    server_step_hold(loop);
    net_server_drain(loop->net, net_drained, loop);
}

static void destroy(struct server_loop *loop) {
    if (loop->net) net_server_destroy(loop->net);
    if (loop->queues) queues_destroy(loop->queues);
    metrics_close(loop->io);
    log_close(loop->io);
    engine_destroy(loop->engine);
    frontend_destroy(loop->frontend);
}

static void stop(struct server *server) {
    LOG(server->io, LOG_INFO, "draining");
    server_each(server, drain);
    while (server->loops[0].frontend->backups) fiber_sleep_until(server->io, io_now(server->io) + 10000000);
    store_close(server->store, true);
    node_changes_destroy(server->changes);
    LOG(server->io, LOG_INFO, "stopped");
    server_each(server, destroy);
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

static void signalled(struct io *io, struct io_op *op) {
    struct server *server = op->ctx;
    if (op->result == IO_SIGNAL_HUP) server_reload_tls(server);
    if (!op->more) fiber_wake(io, server->fiber);
    if (op->result != IO_SIGNAL_TERM && op->result != IO_SIGNAL_INT) return;
    server->stop_asked = true;
    fiber_wake(io, server->fiber);
}

/* The fiber that they wake is about to end. */
static void end_signals(struct server *server) {
    io_cancel(server->io, &server->signals);
    while (server->signals.busy) fiber_park(server->io);
}

static void init(struct server *server, struct io *io, const struct config *config) {
    *server = (struct server){.io = io, .config = config, .fiber = fiber_current(io), .started_at = io_now(io)};
    server->loop_count = config->loops ? (unsigned)config->loops : io_cpu_count(io);
    server->route = route_create((unsigned)config->history_shards, server->loop_count);
    server->shared = (struct frontend_shared){.route = server->route,
                                              .blob_size_limit = (uint32_t)config->blob_size_error,
                                              .reports_task_problems = config->task_problems_min > 0,
                                              .memo_size_limit = (uint32_t)config->memo_size_error,
                                              .permissions = {.admin_names = config->admin_names,
                                                              .admin_from_loopback = config->admin_from_loopback},
                                              .backup_dir = config->backup_dir};
    server->loops = mem_alloc(server->loop_count * sizeof *server->loops);
    for (unsigned i = 0; i < server->loop_count; i++) server->loops[i].server = server;
    server->loops[0].io = io;
    for (unsigned i = 1; i < server->loop_count; i++) CHECK(io_loop_start(io, loop_started, NULL) == i);
    server->signals = (struct io_op){.done = signalled, .ctx = server};
    io_signals(io, &server->signals);
}

static void recording_ended(struct io *io, const char *why) {
    LOG(io, LOG_WARN, "the recording has ended", LOG_TEXT("why", why));
}

/* Of all that follows, and of what came before (io_record). */
static bool start_recording(struct io *io, const struct config *config) {
    struct buf text = {0};
    buf_printf(&text, "%s/" STORE_LOCK_FILE, config->data);
    char *lock = mem_strdup(buf_cstr(&text));
    struct io_record record = {.dir = config->record, .data = config->data, .lock = lock,
                               .bytes_max = config->record_bytes_max, .ended = recording_ended};
    int64_t result = io_record(io, &record);
    mem_free(lock);
    buf_clear(&text);
    if (result < 0)
        buf_printf(&text, "norn: cannot record the data folder %s into %s, which must be a new folder: %s\n", config->data,
                   config->record, io_error_text(result));
    io_print(io, IO_STDERR, text.data, text.len);
    buf_free(&text);
    return result >= 0;
}

int server_main(struct io *io, const struct config *config) {
    if (*config->record && !start_recording(io, config)) return 1;
    struct server *server = MEM_NEW(struct server);
    init(server, io, config);
    if (!start(server)) {
        end_signals(server);
        return 1;
    }
    if (!listen_all(server)) {
        stop(server);
        end_signals(server);
        return 1;
    }
    mark(MARK_SERVING);
    LOG(io, LOG_INFO, "serving", LOG_INT("start_us", (io_now(io) - server->started_at) / 1000));
    warn_of_open_addresses(server);
    print_start(server);
    while (!server->stop_asked) fiber_park(io);
    stop(server);
    if (server->tls) tls_config_destroy(server->tls);
    end_signals(server);
    route_destroy(server->route);
    mem_free(server->loops);
    mem_free(server);
    return 0;
}
