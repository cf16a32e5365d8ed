/* run: from the process's arguments to its exit code. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "fiber/fiber.h"

static bool read_output(struct cli *cli) {
    static const char *const names[] = {"text", "json", "jsonl"};
    const char *wanted = cli->command->prints ? cli_value(cli, "output") : "text";
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(wanted, names[i]) != 0) continue;
        cli->output = (enum cli_output)i;
        return true;
    }
    return false;
}

static bool read_colour(struct cli *cli) {
    const char *wanted = cli->command->prints ? cli_value(cli, "color") : "auto";
    const char *no_color = io_env(cli->io, "NO_COLOR");
    if (strcmp(wanted, "always") == 0) cli->colours = true;
    else if (strcmp(wanted, "never") == 0) cli->colours = false;
    else if (strcmp(wanted, "auto") == 0) cli->colours = cli->terminal && !(no_color && *no_color);
    else return false;
    return true;
}

static int run_command(struct cli *cli) {
    if (!read_output(cli)) return cli_usage(cli, "--output is \"%s\"; allowed: text, json, jsonl", cli_value(cli, "output"));
    if (!read_colour(cli)) return cli_usage(cli, "--color is \"%s\"; allowed: auto, always, never", cli_value(cli, "color"));
    int code = cli->command->run(cli);
    if (cli->session) cli_session_close(cli);
    return code;
}

/* The commands that begin with `group`, without it: "create, list, describe". */
static const char *commands_of(struct cli *cli, const char *group) {
    struct buf out = {0};
    size_t len = strlen(group);
    for (unsigned i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i].name;
        if (strncmp(name, group, len) == 0 && name[len] == ' ')
            buf_printf(&out, "%s%s", out.len ? ", " : "", name + len + 1);
    }
    const char *text = arena_text(&cli->arena, buf_bytes(&out));
    buf_free(&out);
    return text;
}

static int unknown_command(struct cli *cli) {
    const char *group = cli->args[0], *there = commands_of(cli, group);
    if (!*there) return cli_usage(cli, "there is no command \"%s\"", group);
    return cli_usage(cli, "there is no command \"%s %s\"; norn %s has: %s", group, cli->args[1], group, there);
}

static int run(struct cli *cli, const char *const *words, unsigned count) {
    bool help;
    int code = cli_parse(cli, words, count, &help);
    if (code != CLI_OK) return code;
    if (help && cli->command) {
        cli_help_command(cli, cli->command);
        return CLI_OK;
    }
    if (cli->command) return run_command(cli);
    return cli_help_group(cli) ? (help ? CLI_OK : CLI_USAGE) : unknown_command(cli);
}

static void cli_main(void *arg) {
    struct io *io = arg;
    struct cli *cli = MEM_NEW(struct cli);
    cli->io = io;
    cli->terminal = io_is_terminal(io, IO_STDOUT);
    cli->width = io_terminal_width(io);
    unsigned count = io_argc(io) > 0 ? (unsigned)io_argc(io) - 1 : 0;
    const char **words = arena_alloc(&cli->arena, (count + 1) * sizeof *words);
    for (unsigned i = 0; i < count; i++) words[i] = io_arg(io, (int)i + 1);
    int code = run(cli, words, count);
    cli_flush(cli);
    buf_free(&cli->out);
    arena_free(&cli->arena);
    mem_free(cli);
    io_exit(io, code);
}

void cli_start(struct io *io, void *arg) {
    (void)arg;
    fiber_start(io, "cli", cli_main, io, FIBER_STACK_LARGE);
}
