/* Settings from the environment of a process, and variables that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "config/config.h"
#include "world.h"

struct trial {
    struct config config;
    struct arena arena;
    struct status status;
    void (*look)(const struct trial *trial);
};

static void start(struct io *io, void *arg) {
    struct trial *trial = arg;
    config_init(&trial->config);
    trial->status = config_read_environment(io, &trial->config, &trial->arena);
    trial->look(trial);
    arena_free(&trial->arena);
    io_exit(io, 0);
}

/* A process with this environment reads it. */
static void with(const char *const *env, void (*look)(const struct trial *trial)) {
    struct trial trial = {.look = look};
    struct world *world = world_create(&(struct world_options){.seed = 1});
    struct world_node spec = {.name = "node", .start = start, .arg = &trial, .env = (char **)(uintptr_t)env};
    unsigned node = world_add_node(world, &spec);
    world_start(world, node, 0);
    while (world_node_state(world, node) != NODE_EXITED) assert_true(world_step(world));
    world_destroy(world);
}

static void values_are_set(const struct trial *trial) {
    assert_true(status_ok(trial->status));
    assert_int_equal(trial->config.loops, 3);
    assert_int_equal(trial->config.id_length_max, 99);
    assert_int_equal(trial->config.from[CONFIG_ID_loops].source, CONFIG_FROM_ENV);
    assert_string_equal(trial->config.from[CONFIG_ID_loops].where, "NORN_LOOPS");
    assert_int_equal(trial->config.from[CONFIG_ID_memory].source, CONFIG_FROM_DEFAULT);
}

static void settings_are_read(void **state) {
    const char *const env[] = {"PATH=/bin", "NORN_LOOPS=3", "NORN=/usr/bin/norn", "NORNS=3", "NORN_LIMIT_MAX_ID_LENGTH=99", NULL};
    with(env, values_are_set);
    const char *const others[] = {
        "NORN_CONFIG=/etc/norn.yaml", "NORN_CACHE=/c", "NORN_NO_SETUP=1", "NORN_VENV=/v", "NORN_IO_TRACE=/t", "NORN_LOOPS=3",
        "NORN_SERVICE_HOST=10.0.0.1", "NORN_SERVICE_PORT_GRPC=7233", "NORN_PORT=tcp://10.0.0.1:7233",
        "NORN_UI_PORT_80_TCP_ADDR=10.0.0.1", "NORN_PORT_7233_TCP=tcp://10.0.0.1:7233", "NORN_LIMIT_MAX_ID_LENGTH=99", NULL};
    with(others, values_are_set);
}

static void wrong_value(const struct trial *trial) {
    assert_string_equal(trial->status.message, "NORN_LOOPS: loops is \"many\"; allowed: 0 to 256");
}
static void unknown(const struct trial *trial) {
    assert_string_equal(trial->status.message,
                        "there is no setting for the environment variable NORN_LOPS; the nearest is NORN_LOOPS");
}
static void unknown_port(const struct trial *trial) {
    assert_non_null(strstr(trial->status.message, "there is no setting for the environment variable NORN_PORT;"));
}

static void what_is_none_is_refused(void **state) {
    with((const char *const[]){"NORN_LOOPS=many", NULL}, wrong_value);
    with((const char *const[]){"NORN_MEMORY=64MiB", "NORN_LOPS=3", NULL}, unknown);
    with((const char *const[]){"NORN_PORT=7233", NULL}, unknown_port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
