/* backup: `norn backup` and `norn checkpoint` of a serving server, and `norn restore`, which needs none. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"
#include "norn/admin.pb-c.h"
#include "store/tools.h"

static int print_copy(struct cli *cli, const char *done, const char *to, int64_t files, int64_t bytes, int64_t sequence) {
    struct request out = request_begin(cli);
    if (cli->output == CLI_TEXT) {
        buf_printf(&cli->out, "%s %s: %lld files, %lld bytes, up to record %lld.\n", done, to, (long long)files,
                   (long long)bytes, (long long)sequence);
    } else {
        request_text(&out, "directory", to);
        request_raw(&out, "files", arena_printf(&cli->arena, "%lld", (long long)files));
        request_raw(&out, "bytes", arena_printf(&cli->arena, "%lld", (long long)bytes));
        request_raw(&out, "lastSequence", arena_printf(&cli->arena, "%lld", (long long)sequence));
        cli_print_json(cli, request_end(&out));
    }
    request_free(&out);
    return CLI_OK;
}

int cli_backup(struct cli *cli) {
    if (cli->arg_count == 0) return cli_usage(cli, "into which folder? For example: norn backup monday");
    struct request request = request_begin(cli);
    request_text(&request, "directory", cli->args[0]);
    const Norn__Admin__V1__BackupResponse *response = (const void *)cli_call(cli, "Backup", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    return print_copy(cli, "Backed up into", response->directory, response->files, response->bytes, response->last_sequence);
}

int cli_checkpoint(struct cli *cli) {
    const ProtobufCMessage *response = cli_call(cli, "Checkpoint", bytes_str("{}"));
    if (!response) return cli_exit_code(cli);
    if (cli->output == CLI_TEXT) buf_append_str(&cli->out, "Checkpointed.\n");
    else cli_print_message(cli, response);
    return CLI_OK;
}

int cli_restore(struct cli *cli) {
    if (cli->arg_count < 2) return cli_usage(cli, "give the backup and the new data folder: norn restore BACKUP DATADIR");
    struct store_backup made;
    struct status status = store_restore(cli->io, cli->args[0], cli->args[1], &made, &cli->arena);
    if (!status_ok(status)) return cli_fail(cli, CLI_FAILED, "%s", status.message);
    return print_copy(cli, "Restored into", cli->args[1], (int64_t)made.files, (int64_t)made.bytes,
                      (int64_t)made.last_sequence);
}
