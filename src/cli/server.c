/* server: `norn server` and `norn config show`, which read the same flags. */
#include "server/server.h"

#include "cli/cli.h"
#include "cli/table.h"
#include "config/config.h"
#include "fiber/fiber.h"

struct status cli_load_config(struct cli *cli, struct config *config) {
    struct config_flag flags[CLI_FLAGS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < cli->given_count; i++) {
        const char *name = cli->given[i].name;
        if (cli_find_flag(cli->command, name, strlen(name), false)) continue;        /* the command's own */
        flags[count++] = (struct config_flag){name, cli->given[i].value};
    }
    return config_load(cli->io, flags, count, &cli->arena, config);
}

/* The folders above the data folder; the store makes the last one. */
static int make_parents(struct cli *cli, const char *path) {
    char *copy = arena_strdup(&cli->arena, path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int64_t result = fiber_mkdir(cli->io, copy);
        if (result < 0 && result != -IO_EEXIST && result != -IO_EISDIR)
            return cli_fail(cli, CLI_FAILED, "cannot make the folder %s for the data: %s", copy, io_error_text(result));
        *slash = '/';
    }
    return CLI_OK;
}

int cli_server(struct cli *cli) {
    struct config config;
    struct status status = cli_load_config(cli, &config);
    if (!status_ok(status)) return cli_usage(cli, "%s", status.message);
    int code = make_parents(cli, config.data);
    return code == CLI_OK ? server_main(cli->io, &config) : code;
}

int cli_config_show(struct cli *cli) {
    struct config config;
    struct status status = cli_load_config(cli, &config);
    if (!status_ok(status)) return cli_usage(cli, "%s", status.message);
    struct table table = table_new(cli, (const char *const[]){"SETTING", "VALUE", "SOURCE", NULL});
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        struct buf value = {0};
        config_value_text(&config, (enum config_id)id, &value);
        table_cell(&table, config_setting((enum config_id)id, env).name);
        table_cell(&table, buf_cstr(&value));
        table_cell(&table, config.from[id].where);
        buf_free(&value);
    }
    table_print(&table);
    return CLI_OK;
}
