/* not_yet: commands that error messages and documents speak of, and that are not there yet: they say what to do instead. */
#include "cli/cli.h"

int cli_not_yet(struct cli *cli) {
    return cli_fail(cli, CLI_FAILED,
                    "%s is not there yet. Stop the server and copy its whole data folder: that is a complete backup, and a "
                    "server started on such a copy restores it (docs/operations.md)",
                    cli->command->name);
}
