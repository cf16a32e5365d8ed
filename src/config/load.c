/* load: the sources in their order (defaults, file, environment, flags), and the rules over all settings. */
#include <stdio.h>

#include "config/config.h"
#include "fiber/fiber.h"

static struct status invalid(struct arena *arena, const char *text) {
    return status_make(arena, STATUS_INVALID_ARGUMENT, "%s", text);
}

static struct status read_file(struct io *io, struct config *config, struct arena *arena) {
    struct buf text = {0};
    int64_t result = fiber_read_file(io, config->file, CONFIG_FILE_BYTES_MAX, &text);
    struct status status;
    if (result == -IO_EINVAL)
        status = status_make(arena, STATUS_INVALID_ARGUMENT, "%s: larger than %d bytes", config->file,
                             CONFIG_FILE_BYTES_MAX);
    else if (result < 0)
        status = status_make(arena, STATUS_INVALID_ARGUMENT, "cannot read the configuration file %s: %s", config->file,
                             io_error_text(result));
    else
        status = config_read_yaml(config, buf_bytes(&text), config->file, arena);
    buf_free(&text);
    return status;
}

static struct status read_flag(struct config *config, const struct config_flag *flag, struct arena *arena) {
    enum config_id id = config_find(bytes_str(flag->name));
    if (id == CONFIG_SETTING_COUNT)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "there is no flag --%s; the nearest is --%s", flag->name,
                           config_nearest(bytes_str(flag->name)));
    char env[CONFIG_ENV_NAME_MAX];
    bool is_switch = config_setting(id, env).type == CONFIG_BOOL;
    if (!flag->value && !is_switch)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "--%s needs a value", flag->name);
    return config_set(config, id, bytes_str(flag->value ? flag->value : "true"), CONFIG_FROM_FLAG,
                      arena_printf(arena, "--%s", flag->name), arena);
}

struct status config_load(struct io *io, const struct config_flag *flags, size_t flag_count, struct arena *arena,
                          struct config *out) {
    config_init(out);
    out->file = io_env(io, "NORN_CONFIG");
    for (size_t i = 0; i < flag_count; i++)
        if (strcmp(flags[i].name, "config") == 0) out->file = flags[i].value;
    if (out->file && !*out->file) out->file = NULL;
    struct status status = out->file ? read_file(io, out, arena) : STATUS_GOOD;
    if (status_ok(status)) status = config_read_environment(io, out, arena);
    for (size_t i = 0; status_ok(status) && i < flag_count; i++)
        if (strcmp(flags[i].name, "config") != 0) status = read_flag(out, &flags[i], arena);
    if (status_ok(status)) status = config_finish(out, io_env(io, "XDG_DATA_HOME"), io_env(io, "HOME"), arena);
    return status;
}

/* ---- rules over several settings ---------------------------------------------------------------------------------- */

static struct status choose_data(struct config *config, const char *xdg_data_home, const char *home,
                                 struct arena *arena) {
    if (*config->data) return STATUS_GOOD;
    if (xdg_data_home && *xdg_data_home == '/')
        config->data = arena_printf(arena, "%s/norn", xdg_data_home);
    else if (home && *home)
        config->data = arena_printf(arena, "%s/.local/share/norn", home);
    else
        return invalid(arena, "there is no home folder to keep the data in; give one with --data DIR");
    return STATUS_GOOD;
}

static struct status check_addresses(const struct config *config, struct arena *arena) {
    bool mutual_tls = *config->tls_cert && *config->tls_client_ca;
    if (mutual_tls || config->insecure) return STATUS_GOOD;
    static const enum config_id ids[] = {CONFIG_ID_grpc, CONFIG_ID_http, CONFIG_ID_metrics};
    const struct io_addr *addrs[] = {&config->grpc, &config->http, &config->metrics};
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        if (io_addr_is_loopback(addrs[i])) continue;
        char text[IO_ADDR_TEXT_MAX], env[CONFIG_ENV_NAME_MAX];
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "%s: %s is %s, which other machines can reach: anybody there could start and read workflows. "
                           "Set tls-cert, tls-key and tls-client-ca (mutual TLS), or --insecure to allow it",
                           config->from[ids[i]].where, config_setting(ids[i], env).name, io_addr_text(addrs[i], text));
    }
    return STATUS_GOOD;
}

/* Names that no certificate can have are mistakes. */
static struct status check_admin_names(const struct config *config, struct arena *arena) {
    static const char *const kinds[] = {"CN=", "DNS:", "URI:", "email:", "IP:"};
    struct bytes rest = bytes_str(config->admin_names), name;
    const char *where = config->from[CONFIG_ID_admin_names].where;
    while (bytes_split(&rest, ',', &name)) {
        bool known = false;
        for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
            size_t len = strlen(kinds[i]);
            known |= name.len > len && memcmp(name.data, kinds[i], len) == 0;
        }
        if (!known)
            return status_make(arena, STATUS_INVALID_ARGUMENT,
                               "%s: admin.names has \"%.*s\"; allowed: CN=, DNS:, URI:, email: or IP:, and a name", where,
                               (int)name.len, (const char *)name.data);
    }
    if (!*config->admin_names || *config->tls_client_ca) return STATUS_GOOD;
    return status_make(arena, STATUS_INVALID_ARGUMENT,
                       "%s: admin.names needs mutual TLS: set tls-cert, tls-key and tls-client-ca", where);
}

static struct status choose_backup_dir(struct config *config, struct arena *arena) {
    if (!*config->backup_dir) config->backup_dir = arena_printf(arena, "%s/backups", config->data);
    else if (*config->backup_dir != '/')
        return status_make(arena, STATUS_INVALID_ARGUMENT, "%s: backup.dir is \"%s\"; it must be an absolute path",
                           config->from[CONFIG_ID_backup_dir].where, config->backup_dir);
    return STATUS_GOOD;
}

static bool inside(const char *path, const char *folder) {
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') len--;
    return strncmp(path, folder, len) == 0 && (path[len] == 0 || path[len] == '/');
}

struct status config_finish(struct config *config, const char *xdg_data_home, const char *home, struct arena *arena) {
    enum { MEMORY_LEAST = 32 << 20 };
    struct status status = choose_data(config, xdg_data_home, home, arena);
    if (!status_ok(status)) return status;
    if (!*config->tls_cert != !*config->tls_key) return invalid(arena, "tls-cert and tls-key go together: set both");
    if (*config->tls_client_ca && !*config->tls_cert) return invalid(arena, "tls-client-ca needs tls-cert and tls-key");
    if (*config->record && *config->tls_cert)
        return invalid(arena, "record and tls-cert do not go together: a handshake draws random bytes that are not recorded");
    if (*config->record && inside(config->record, config->data))
        return invalid(arena, "record is a folder inside of the data folder, which is copied into it: choose another");
    if (config->memory && config->memory < MEMORY_LEAST)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "%s: memory is %llu bytes; allowed: 0 (no limit), or 32MiB and more",
                           config->from[CONFIG_ID_memory].where, (unsigned long long)config->memory);
    status = choose_backup_dir(config, arena);
    if (status_ok(status)) status = check_admin_names(config, arena);
    return status_ok(status) ? check_addresses(config, arena) : status;
}
