/* version: `norn version`. */
#include "base/commit.h"
#include "cli/request.h"
#include "cli/table.h"

int cli_version(struct cli *cli) {
    if (cli->output == CLI_TEXT) {
        buf_printf(&cli->out, "norn " NORN_VERSION " (commit %s)\n", norn_commit);
        return CLI_OK;
    }
    struct request out = request_begin(cli);
    request_text(&out, "version", NORN_VERSION);
    request_text(&out, "commit", norn_commit);
    cli_print_json(cli, request_end(&out));
    request_free(&out);
    return CLI_OK;
}
