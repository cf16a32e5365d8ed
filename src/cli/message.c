/* message: errors to standard error, and the output at the end. */
#include "cli/cli.h"

static void print_error(struct cli *cli, const char *format, va_list args, const char *more) {
    struct buf line = {0};
    bool red = io_is_terminal(cli->io, IO_STDERR) && cli->colours;
    cli_flush(cli);
    buf_append_str(&line, red ? "\x1b[31mnorn:\x1b[0m " : "norn: ");
    buf_vprintf(&line, format, args);
    buf_append_str(&line, more);
    buf_append_u8(&line, '\n');
    io_print(cli->io, IO_STDERR, line.data, line.len);
    buf_free(&line);
}

int cli_fail(struct cli *cli, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_error(cli, format, args, "");
    va_end(args);
    return code;
}

int cli_usage(struct cli *cli, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *more = cli->command ? arena_printf(&cli->arena, "\nTry: norn help %s", cli->command->name)
                                    : "\nTry: norn help";
    print_error(cli, format, args, more);
    va_end(args);
    return CLI_USAGE;
}

void cli_flush(struct cli *cli) {
    if (cli->out.len) io_print(cli->io, IO_STDOUT, cli->out.data, cli->out.len);
    buf_clear(&cli->out);
}
