/* tls: opens libnorn_tls.so when TLS is configured, and passes calls through its table. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_library.h"
#include "net/tls_session.h"

struct tls_config {
    struct io *io;
    const struct tls_library *library;
    void *context;
};

struct tls_session {
    const struct tls_library *library;
    void *inner;
};

/* ---- configuration --------------------------------------------------------------------------------------------- */

static int64_t wall(void *io) { return io_wall(io); }

static const struct tls_library *open_library(struct io *io, struct arena *arena, struct status *status) {
    const char *error = "";
    const struct tls_library *library = io_library(io, TLS_LIBRARY_FILE, TLS_LIBRARY_SYMBOL, &error);
    if (!library)
        *status = status_make(arena, STATUS_FAILED_PRECONDITION, "%s cannot be opened: %s", TLS_LIBRARY_FILE, error);
    else if (library->version != TLS_LIBRARY_VERSION)
        *status = status_make(arena, STATUS_FAILED_PRECONDITION, "%s is of another build (version %u, not %d)",
                              TLS_LIBRARY_FILE, library->version, TLS_LIBRARY_VERSION);
    else return library;
    return NULL;
}

static struct tls_pem pem(struct bytes data, const char *name, const char *otherwise) {
    return (struct tls_pem){name ? name : otherwise, data.data, data.len};
}

static void *make_context(struct io *io, const struct tls_library *library, const struct tls_options *options,
                          struct arena *arena, struct status *status) {
    char error[TLS_ERROR_MAX] = "";
    struct tls_setup setup = {
        .server = options->server,
        .certificate = pem(options->certificate_pem, options->certificate_name, "the certificate"),
        .key = pem(options->key_pem, options->key_name, "the key"),
        .ca = pem(options->ca_pem, options->ca_name, "the CA certificates"),
        .server_name = options->server_name,
        .wall = wall,
        .wall_ctx = io,
    };
    void *context = library->context_create(&setup, error);
    *status = context ? STATUS_GOOD : status_make(arena, STATUS_INVALID_ARGUMENT, "TLS: %s", error);
    return context;
}

struct tls_config *tls_config_create(struct io *io, const struct tls_options *options, struct arena *arena,
                                     struct status *status) {
    const struct tls_library *library = open_library(io, arena, status);
    void *context = library ? make_context(io, library, options, arena, status) : NULL;
    if (!context) return NULL;
    struct tls_config *config = MEM_NEW(struct tls_config);
    *config = (struct tls_config){io, library, context};
    return config;
}

struct status tls_config_reload(struct tls_config *config, const struct tls_options *options, struct arena *arena) {
    struct status status;
    void *context = make_context(config->io, config->library, options, arena, &status);
    if (!context) return status;
    config->library->context_destroy(config->context);
    config->context = context;
    return status;
}

void tls_config_destroy(struct tls_config *config) {
    config->library->context_destroy(config->context);
    mem_free(config);
}

int64_t tls_config_not_after(const struct tls_config *config) {
    return config->library->context_not_after(config->context);
}

/* ---- sessions -------------------------------------------------------------------------------------------------- */

struct tls_session *tls_session_create(struct tls_config *config) {
    struct tls_session *session = MEM_NEW(struct tls_session);
    session->library = config->library;
    session->inner = config->library->session_create(config->context);
    return session;
}

void tls_session_free(struct tls_session *session) {
    session->library->session_destroy(session->inner);
    mem_free(session);
}

void tls_session_feed(struct tls_session *session, struct bytes data) {
    session->library->session_feed(session->inner, data.data, data.len);
}

int64_t tls_session_handshake(struct tls_session *session) {
    return session->library->session_handshake(session->inner);
}

int64_t tls_session_read(struct tls_session *session, void *data, size_t len) {
    return session->library->session_read(session->inner, data, len);
}

bool tls_session_write(struct tls_session *session, struct bytes data) {
    return session->library->session_write(session->inner, data.data, data.len);
}

void tls_session_close_notify(struct tls_session *session) { session->library->session_close_notify(session->inner); }

void tls_session_output(struct tls_session *session, struct buf *out) {
    const void *data;
    size_t len = session->library->session_output(session->inner, &data);
    if (len == 0) return;
    buf_append(out, data, len);
    session->library->session_output_taken(session->inner);
}

bool tls_session_is_h2(const struct tls_session *session) { return session->library->session_is_h2(session->inner); }

const char *tls_session_peer_subject(const struct tls_session *session) {
    return session->library->session_peer_subject(session->inner);
}

const char *tls_session_peer_names(const struct tls_session *session) {
    return session->library->session_peer_names(session->inner);
}

const char *tls_session_error(const struct tls_session *session) {
    return session->library->session_error(session->inner);
}
