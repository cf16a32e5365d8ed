/* session: connects once, at the first call: finds the address, sets TLS up, and keeps the responses until the end. */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pbjson.h"
#include "base/timestamp.h"
#include "fiber/fiber.h"
#include "frontend/frontend.h"
#include "net/client.h"
#include "net/tls.h"

enum { PEM_BYTES_MAX = 1 << 20, HOST_MAX = 256 };

struct reply {
    struct reply *next;
    struct grpc_result result;
};

struct cli_session {
    struct grpc_client *client;
    struct tls_config *tls;
    struct api_table *table;
    struct reply *replies;
    int64_t timeout_ns;
    struct fiber *fiber;
    bool closed;
};

const char *cli_namespace(struct cli *cli) { return cli_value(cli, "namespace"); }
const char *cli_address(struct cli *cli) { return cli_value(cli, "address"); }

const char *cli_identity(struct cli *cli) {
    return arena_printf(&cli->arena, "norn-cli:%llu@%s", (unsigned long long)io_pid(cli->io), io_hostname(cli->io));
}

/* ---- connecting -------------------------------------------------------------------------------------------------------- */

static struct status bad_address(struct cli *cli) {
    return status_make(&cli->arena, STATUS_INVALID_ARGUMENT, "--address is \"%s\"; expected HOST:PORT", cli_address(cli));
}

static struct status find_address(struct cli *cli, struct io_addr *addr, const char **host) {
    const char *address = cli_address(cli), *colon = strrchr(address, ':');
    *host = NULL;
    if (io_addr_parse(address, addr)) return STATUS_GOOD;
    if (!colon || colon == address || (size_t)(colon - address) >= HOST_MAX) return bad_address(cli);
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || end == colon + 1 || port == 0 || port > UINT16_MAX) return bad_address(cli);
    *host = arena_text(&cli->arena, bytes_of(address, (size_t)(colon - address)));
    int64_t result = fiber_resolve(cli->io, *host, (uint16_t)port, addr);
    if (result >= 0) return STATUS_GOOD;
    return status_make(&cli->arena, STATUS_UNAVAILABLE, "cannot find %s: %s", *host, io_error_text(result));
}

static struct status read_pem(struct cli *cli, const char *flag, struct buf *out) {
    const char *path = cli_value(cli, flag);
    if (!path) return STATUS_GOOD;
    int64_t result = fiber_read_file(cli->io, path, PEM_BYTES_MAX, out);
    if (result >= 0) return STATUS_GOOD;
    return status_make(&cli->arena, STATUS_INVALID_ARGUMENT, "--%s: cannot read %s: %s", flag, path, io_error_text(result));
}

static struct status set_up_tls(struct cli *cli, const char *host) {
    if (cli_has(cli, "tls") && !cli_value(cli, "tls-ca-path"))
        return status_make(&cli->arena, STATUS_INVALID_ARGUMENT,
                           "--tls needs --tls-ca-path FILE: the authorities that the server's certificate may come from");
    bool wanted = cli_has(cli, "tls") || cli_value(cli, "tls-ca-path") || cli_value(cli, "tls-cert-path");
    if (!wanted) return STATUS_GOOD;
    struct buf ca = {0}, certificate = {0}, key = {0};
    struct status status = read_pem(cli, "tls-ca-path", &ca);
    if (status_ok(status)) status = read_pem(cli, "tls-cert-path", &certificate);
    if (status_ok(status)) status = read_pem(cli, "tls-key-path", &key);
    if (status_ok(status)) {
        const char *name = cli_value(cli, "tls-server-name");
        struct tls_options options = {.certificate_pem = buf_bytes(&certificate), .key_pem = buf_bytes(&key),
                                      .ca_pem = buf_bytes(&ca), .server_name = name ? name : host};
        cli->session->tls = tls_config_create(cli->io, &options, &cli->arena, &status);
    }
    buf_free(&ca);
    buf_free(&certificate);
    buf_free(&key);
    return status;
}

static struct status read_timeout(struct cli *cli) {
    const char *text = cli_value(cli, "command-timeout");
    if (duration_parse(text, &cli->session->timeout_ns) && cli->session->timeout_ns > 0) return STATUS_GOOD;
    return status_make(&cli->arena, STATUS_INVALID_ARGUMENT, "--command-timeout is \"%s\"; expected a time such as 10s", text);
}

static struct status open_session(struct cli *cli) {
    struct cli_session *session = cli->session = MEM_NEW(struct cli_session);
    session->table = api_table_create();
    struct io_addr addr;
    const char *host;
    struct status status = read_timeout(cli);
    if (status_ok(status)) status = find_address(cli, &addr, &host);
    if (status_ok(status)) status = set_up_tls(cli, host);
    if (!status_ok(status)) return status;
    struct grpc_client_options options = {.authority = cli_address(cli), .tls = session->tls, .client_name = "norn-cli",
                                          .client_version = NORN_VERSION};
    session->client = grpc_client_create(cli->io, &addr, &options);
    return STATUS_GOOD;
}

struct grpc_client *cli_client(struct cli *cli) { return cli->session->client; }

static void closed(struct io *io, void *ctx) {
    struct cli_session *session = ctx;
    session->closed = true;
    fiber_wake(io, session->fiber);
}

void cli_session_close(struct cli *cli) {
    struct cli_session *session = cli->session;
    session->fiber = fiber_current(cli->io);
    if (session->client) grpc_client_close(session->client, closed, session);
    while (session->client && !session->closed) fiber_park(cli->io);
    for (struct reply *reply = session->replies, *next; reply; reply = next) {
        next = reply->next;
        grpc_result_free(&reply->result);
        mem_free(reply);
    }
    if (session->tls) tls_config_destroy(session->tls);
    api_table_destroy(session->table);
    mem_free(session);
    cli->session = NULL;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------- */

static const struct api_method *find_method(const struct api_table *table, const char *name) {
    size_t count;
    const struct api_method *methods = api_table_methods(table, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(methods[i].name, name) == 0) return &methods[i];
    return NULL;
}

static const ProtobufCMessage *call(struct cli *cli, const struct api_method *method, const ProtobufCMessage *request) {
    struct cli_session *session = cli->session;
    struct reply *reply = MEM_NEW(struct reply);
    reply->next = session->replies;
    session->replies = reply;
    ProtobufCMessage *response;
    grpc_call_wait(session->client, arena_printf(&cli->arena, "/%s/%s", method->service, method->name), request,
                   method->response, io_now(cli->io) + session->timeout_ns, &reply->result, &response);
    cli->status = reply->result.status;
    return response;
}

const ProtobufCMessage *cli_try_call(struct cli *cli, const char *name, struct bytes request) {
    cli->status = cli->session ? STATUS_GOOD : open_session(cli);
    if (!status_ok(cli->status)) return NULL;
    const struct api_method *method = find_method(cli->session->table, name);
    if (!method) {
        cli->status = status_make(&cli->arena, STATUS_INVALID_ARGUMENT, "the API has no method %s; see: norn api", name);
        return NULL;
    }
    const ProtobufCMessage *message = pbjson_read(request, method->request, &cli->arena, &cli->status);
    return message ? call(cli, method, message) : NULL;
}

const ProtobufCMessage *cli_call(struct cli *cli, const char *method, struct bytes request) {
    const ProtobufCMessage *response = cli_try_call(cli, method, request);
    if (!response) cli_call_failed(cli, method);
    return response;
}

void cli_set_timeout(struct cli *cli, int64_t ns) {
    if (cli->session) cli->session->timeout_ns = ns;
}

int cli_exit_code(const struct cli *cli) {
    if (cli->status.code == STATUS_UNAVAILABLE) return CLI_UNAVAILABLE;
    return cli->status.code == STATUS_INVALID_ARGUMENT && (!cli->session || !cli->session->replies) ? CLI_USAGE : CLI_FAILED;
}

/* A server that wants TLS, or another certificate, ends the connection without a word in clear text. */
static const char *hint(const char *message) {
    if (strncmp(message, "TLS:", 4) == 0) return "";
    if (strstr(message, "connection refused")) return "; is the server running? start it with: norn server";
    if (strstr(message, "closed the connection") || strstr(message, "reset by peer"))
        return "; if it wants TLS or a client's certificate, give --tls-ca-path, --tls-cert-path and --tls-key-path";
    return "";
}

int cli_call_failed(struct cli *cli, const char *method) {
    int code = cli_exit_code(cli);
    const char *message = cli->status.message ? cli->status.message : "";
    switch (cli->status.code) {
    case STATUS_UNAVAILABLE: return cli_fail(cli, code, "cannot connect to %s: %s%s", cli_address(cli), message, hint(message));
    case STATUS_UNIMPLEMENTED:
        return cli_fail(cli, code, "the server at %s does not do %s yet (%s); see: norn api", cli_address(cli), method,
                        message);
    case STATUS_DEADLINE_EXCEEDED:
        return cli_fail(cli, code, "no answer from %s in time (%s); wait longer with --command-timeout", cli_address(cli),
                        cli_value(cli, "command-timeout"));
    case STATUS_INVALID_ARGUMENT:
        if (code == CLI_USAGE) return cli_fail(cli, code, "%s", message);
        break;
    default: break;
    }
    return cli_fail(cli, code, "%s: %s", status_code_name(cli->status.code), message);
}
