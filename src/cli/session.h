/* session: a command's connection to a server. */
#ifndef NORN_CLI_SESSION_H
#define NORN_CLI_SESSION_H

#include "cli/cli.h"

/* Calls a method of the API by its short name ("ListNamespaces"), with a request in JSON. The response lives as long as
 * the session; NULL on failure, after an error message. The status is then in cli->status. */
const ProtobufCMessage *cli_call(struct cli *cli, const char *method, struct bytes request);
/* The same, but says nothing when the call fails. */
const ProtobufCMessage *cli_try_call(struct cli *cli, const char *method, struct bytes request);
/* Says why the last call failed; gives the exit code. */
int cli_call_failed(struct cli *cli, const char *method);
/* The exit code of a call that failed. */
int cli_exit_code(const struct cli *cli);
/* The connection, for a command that makes many calls at once; after a first call. Its calls end before the session. */
struct grpc_client;
struct grpc_client *cli_client(struct cli *cli);
/* How long each following call may take. */
void cli_set_timeout(struct cli *cli, int64_t ns);
void cli_session_close(struct cli *cli);

/* --namespace, --address. */
const char *cli_namespace(struct cli *cli);
const char *cli_address(struct cli *cli);
/* "norn-cli:PID@HOST". */
const char *cli_identity(struct cli *cli);

#endif
