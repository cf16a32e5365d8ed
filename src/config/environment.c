/* environment: settings from variables NORN_*, and those that are no settings. */
#include "base/plant.h"             /* so the build compiles this folder again for the programs with planted bugs */
#include "config/config.h"

/* Variables NORN_* that are not a server's settings: the file; of the io layer; of ./zig, the build and its tests. */
static const char *const others[] = {
    "NORN_CONFIG",  "NORN_IO_TRACE", "NORN_IO_WITHOUT",
#ifdef NORN_PLANTS
    "NORN_PLANT",
#endif
    "NORN_CACHE",   "NORN_NO_SETUP", "NORN_VENV",        "NORN_CLANG",        "NORN_PYTHON",   "NORN_BENCH", "NORN_SIM",
    "NORN_PLANTED", "NORN_ONLY",     "NORN_SIM_PLANTED", "NORN_TEST_TIMEOUT", "NORN_TEST_TMP", "NORN_SIM_SEEDS",
};

static bool has(struct bytes text, const char *part) {
    return text.len && memmem(text.data, text.len, part, strlen(part)) != NULL;
}

static bool ends_with(struct bytes text, const char *end) {
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

/* Kubernetes gives every pod the addresses of the services around it: one that is called norn or norn-x makes
 * NORN_SERVICE_HOST, NORN_PORT=tcp://10.0.0.1:7233, NORN_X_PORT_7233_TCP_ADDR, and the like. */
static bool is_service_address(struct bytes name, const char *value) {
    if (ends_with(name, "_SERVICE_HOST") || has(name, "_SERVICE_PORT")) return true;
    if (!ends_with(name, "_PORT")) return has(name, "_TCP") || has(name, "_UDP") ? has(name, "_PORT_") : false;
    return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
}

static enum config_id find(struct bytes name, char env[CONFIG_ENV_NAME_MAX]) {
    unsigned id = 0;
    for (; id < CONFIG_SETTING_COUNT; id++) {
        config_setting((enum config_id)id, env);
        if (bytes_equal(name, bytes_str(env))) break;
    }
    return (enum config_id)id;
}

static struct status check_other(struct bytes name, const char *value, struct arena *arena) {
    char nearest[CONFIG_ENV_NAME_MAX];
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        if (bytes_equal(name, bytes_str(others[i]))) return STATUS_GOOD;
    if (is_service_address(name, value)) return STATUS_GOOD;
    config_nearest_env(name, nearest);
    return status_make(arena, STATUS_INVALID_ARGUMENT, "there is no setting for the environment variable %.*s; the nearest is %s",
                       (int)name.len, (const char *)name.data, nearest);
}

struct status config_read_environment(struct io *io, struct config *config, struct arena *arena) {
    const char *entry;
    struct status status = STATUS_GOOD;
    for (unsigned i = 0; status_ok(status) && (entry = io_env_at(io, "NORN_", i)); i++) {
        char env[CONFIG_ENV_NAME_MAX];
        size_t len = strcspn(entry, "=");
        struct bytes name = bytes_of(entry, len);
        const char *value = entry[len] ? entry + len + 1 : "";
        enum config_id id = find(name, env);
        status = id == CONFIG_SETTING_COUNT
                     ? check_other(name, value, arena)
                     : config_set(config, id, bytes_str(value), CONFIG_FROM_ENV, arena_strdup(arena, env), arena);
    }
    return status;
}
