/* certificates: reading them from the configured files, and again on SIGHUP. */
#include "server/internal.h"
#include "telemetry/log.h"

enum { PEM_BYTES_MAX = 1 << 20 };

/* The files' contents; freed by free_options. */
struct pem_files {
    struct buf certificate, key, ca;
};

static struct status read_pem(struct server *server, const char *setting, const char *path, struct buf *out,
                              struct arena *arena) {
    if (!path[0]) return STATUS_GOOD;
    int64_t result = fiber_read_file(server->io, path, PEM_BYTES_MAX, out);
    if (result >= 0) return STATUS_GOOD;
    return status_make(arena, STATUS_INVALID_ARGUMENT, "%s: cannot read %s: %s", setting, path, io_error_text(result));
}

static struct status read_files(struct server *server, struct pem_files *files, struct arena *arena) {
    const struct config *config = server->config;
    struct status status = read_pem(server, "tls-cert", config->tls_cert, &files->certificate, arena);
    if (status_ok(status)) status = read_pem(server, "tls-key", config->tls_key, &files->key, arena);
    if (status_ok(status)) status = read_pem(server, "tls-client-ca", config->tls_client_ca, &files->ca, arena);
    return status;
}

static void free_files(struct pem_files *files) {
    buf_free(&files->certificate);
    buf_free(&files->key);
    buf_free(&files->ca);
}

static struct tls_options options_of(const struct server *server, const struct pem_files *files) {
    const struct config *config = server->config;
    return (struct tls_options){.certificate_pem = buf_bytes(&files->certificate), .key_pem = buf_bytes(&files->key),
                                .ca_pem = buf_bytes(&files->ca), .certificate_name = config->tls_cert,
                                .key_name = config->tls_key, .ca_name = config->tls_client_ca, .server = true};
}

struct status server_load_tls(struct server *server, struct arena *arena) {
    if (!server->config->tls_cert[0]) return STATUS_GOOD;
    struct pem_files files = {0};
    struct status status = read_files(server, &files, arena);
    struct tls_options options = options_of(server, &files);
    if (status_ok(status)) server->tls = tls_config_create(server->io, &options, arena, &status);
    free_files(&files);
    return status;
}

static void reload(void *arg) {
    struct server *server = arg;
    struct arena arena = {0};
    struct pem_files files = {0};
    struct status status = read_files(server, &files, &arena);
    struct tls_options options = options_of(server, &files);
    if (status_ok(status)) status = tls_config_reload(server->tls, &options, &arena);
    if (status_ok(status)) LOG(server->io, LOG_INFO, "certificates read again");
    else LOG(server->io, LOG_ERROR, "certificates stay as they were", LOG_TEXT("error", status.message));
    free_files(&files);
    arena_free(&arena);
}

void server_reload_tls(struct server *server) {
    if (server->tls && !fiber_start(server->io, "reload certificates", reload, server, FIBER_STACK_LARGE))
        LOG(server->io, LOG_ERROR, "certificates stay as they were: too many fibers");
}
