/* help: texts made from the table of commands. */
#include <stdio.h>

#include "config/config.h"
#include "cli/cli.h"

static void heading(struct cli *cli, const char *text) {
    buf_printf(&cli->out, cli->colours ? "\n\x1b[1m%s\x1b[0m\n" : "\n%s\n", text);
}

/* `text` in lines of at most the terminal's width, each after `indent` spaces; the first goes on the present line. */
static void wrapped(struct cli *cli, const char *text, unsigned indent) {
    unsigned width = cli->width < 60 ? 60 : cli->width > 120 ? 120 : cli->width, column = indent;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > indent && column + 1 + word > width) {
            buf_printf(&cli->out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent) buf_append_u8(&cli->out, ' '), column++;
        buf_append(&cli->out, text, word);
        column += (unsigned)word;
        text += word + strspn(text + word, " ");
    }
    buf_append_u8(&cli->out, '\n');
}

/* A command may have a flag of the connection or of the output with a default of its own: then that is shown. */
static void help_flags(struct cli *cli, const struct cli_command *command, const char *title, const struct cli_flag *flags) {
    enum { INDENT = 30 };
    if (!flags || !flags->name) return;
    heading(cli, title);
    for (; flags->name; flags++) {
        if (cli_find_flag(command, flags->name, strlen(flags->name), false) != flags) continue;
        char left[80];
        int len = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", flags->letter ? '-' : ' ',
                           flags->letter ? flags->letter : ' ', flags->letter ? "," : " ", flags->name,
                           flags->value ? " " : "", flags->value ? flags->value : "");
        buf_printf(&cli->out, "%-*s", INDENT, left);
        if (len >= INDENT) buf_printf(&cli->out, "\n%*s", INDENT, "");
        const char *fallback = flags->fallback ? arena_printf(&cli->arena, " (default: %s)", flags->fallback) : "";
        const char *env = flags->env ? arena_printf(&cli->arena, " [$%s]", flags->env) : "";
        wrapped(cli, arena_printf(&cli->arena, "%s%s%s", flags->help, fallback, env), INDENT);
    }
}

static void help_settings(struct cli *cli) {
    enum { INDENT = 6 };
    heading(cli, "Settings, as flags; all of them can stand in the environment or in the YAML file of --config too");
    buf_append_str(&cli->out, "  --config FILE [$NORN_CONFIG]\n");
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        struct config_setting setting = config_setting((enum config_id)id, env);
        const char *fallback = *setting.default_text ? setting.default_text : "empty";
        buf_printf(&cli->out, "  --%s (default: %s) [$%s]\n%*s", setting.name, fallback, env, INDENT, "");
        wrapped(cli, setting.help, INDENT);
    }
}

void cli_help_command(struct cli *cli, const struct cli_command *command) {
    buf_printf(&cli->out, "%s\n", command->summary);
    heading(cli, "Usage");
    buf_printf(&cli->out, "  norn %s%s%s%s\n", command->name, command->arguments ? " " : "",
               command->arguments ? command->arguments : "",
               command->flags || command->connects || command->prints || command->settings ? " [FLAG]..." : "");
    if (command->help) buf_printf(&cli->out, "\n%s\n", command->help);
    help_flags(cli, command, "Flags", command->flags);
    if (command->connects) help_flags(cli, command, "Flags of the connection", cli_connection_flags);
    if (command->prints) help_flags(cli, command, "Flags of the output", cli_output_flags);
    if (command->settings) help_settings(cli);
}

static bool begins_with_args(const struct cli *cli, const char *name) {
    for (unsigned i = 0; i < cli->arg_count; i++) {
        size_t len = strcspn(name, " ");
        if (strlen(cli->args[i]) != len || memcmp(cli->args[i], name, len) != 0) return false;
        name += len + (name[len] == ' ');
    }
    return true;
}

bool cli_help_group(struct cli *cli) {
    bool any = false;
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        if (!command->summary || !begins_with_args(cli, command->name)) continue;
        if (!any && cli->arg_count == 0)
            buf_append_str(&cli->out, "norn " NORN_VERSION ", a durable workflow server that speaks the Temporal API.\n");
        if (!any) heading(cli, "Commands");
        any = true;
        buf_printf(&cli->out, "  %-36s%s\n", command->name, command->summary);
    }
    if (any) buf_append_str(&cli->out, "\nMore about one: norn help COMMAND\n");
    return any;
}

/* norn help [COMMAND] */
int cli_help(struct cli *cli) {
    unsigned used;
    const struct cli_command *command = cli_find_command(cli->args, cli->arg_count, &used);
    if (command && used == cli->arg_count) {
        cli_help_command(cli, command);
        return CLI_OK;
    }
    return cli_help_group(cli) ? CLI_OK : cli_usage(cli, "there is no command \"%s\"", cli->args[0]);
}
