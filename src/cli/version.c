/* version: `norn version`. */
#include "cli/request.h"
#include "cli/table.h"

int cli_version(struct cli *cli) {
    if (cli->output == CLI_TEXT) {
        buf_append_str(&cli->out, "norn " NORN_VERSION "\n");
        return CLI_OK;
    }
    struct request out = request_begin(cli);
    request_text(&out, "version", NORN_VERSION);
    cli_print_json(cli, request_end(&out));
    request_free(&out);
    return CLI_OK;
}
