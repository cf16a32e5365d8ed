/* tls_boringssl_session: one connection on BoringSSL.
 *
 * Bytes pass without a buffer between: BoringSSL reads what was fed from where it lies, and writes to the output that
 * the wire takes. An idle connection holds neither. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_boringssl.h"

enum { AGAIN = 0, DONE = 1, CLOSED = -1, FAILED = -2 };   /* as in tls_session.h */

/* ---- BoringSSL's view of the bytes ----------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *data, int len) {
    struct boring_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t count = (size_t)len < session->in_len ? (size_t)len : session->in_len;
    memcpy(data, session->in, count);
    session->in += count;
    session->in_len -= count;
    return (int)count;
}

static int bio_write(BIO *bio, const char *data, int len) {
    struct boring_session *session = BIO_get_data(bio);
    size_t need = session->out_len + (size_t)len;
    if (need > session->out_cap) {
        size_t cap = session->out_cap * 2 > need ? session->out_cap * 2 : need;
        session->out = realloc(session->out, cap);
        if (!session->out) abort();
        session->out_cap = cap;
    }
    memcpy(session->out + session->out_len, data, (size_t)len);
    session->out_len = need;
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) { return command == BIO_CTRL_FLUSH; }

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static BIO *new_bio(struct boring_session *session) {
    BIO_METHOD *method = BIO_meth_new(0, "norn");
    BIO_meth_set_create(method, bio_create);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO *bio = BIO_new(method);
    if (!bio) abort();
    BIO_set_data(bio, session);
    session->method = method;
    return bio;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static bool is_address(const char *name) {
    uint8_t raw[16];
    return inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1;
}

/* What the peer's certificate is checked against: our time, and the server's name. */
static void set_checks(struct boring_session *session) {
    struct boring_context *context = session->context;
    X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);
    const char *name = context->server_name;
    X509_VERIFY_PARAM_set_time(param, (time_t)(context->wall(context->wall_ctx) / 1000000000));
    if (context->server || !name) return;
    if (is_address(name)) {
        X509_VERIFY_PARAM_set1_ip_asc(param, name);
    } else {
        X509_VERIFY_PARAM_set1_host(param, name, strlen(name));
        SSL_set_tlsext_host_name(session->ssl, name);
    }
}

static void *session_create(void *given) {
    struct boring_context *context = given;
    struct boring_session *session = calloc(1, sizeof *session);
    if (!session) abort();
    session->context = context;
    context->references++;
    boring_enter(context);
    session->ssl = SSL_new(context->ssl);
    if (!session->ssl) abort();
    BIO *bio = new_bio(session);
    SSL_set_bio(session->ssl, bio, bio);
    set_checks(session);
    if (context->server) SSL_set_accept_state(session->ssl);
    else SSL_set_connect_state(session->ssl);
    return session;
}

static void session_destroy(void *given) {
    struct boring_session *session = given;
    boring_enter(session->context);
    SSL_free(session->ssl);
    BIO_meth_free(session->method);
    boring_context_release(session->context);
    free(session->out);
    free(session->peer_subject);
    free(session->peer_names);
    free(session);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void session_feed(void *given, const void *data, size_t len) {
    struct boring_session *session = given;
    session->in = data;
    session->in_len = len;
}

static int64_t failed(struct boring_session *session) {
    long verify = SSL_get_verify_result(session->ssl);
    const char *reason = boring_reason();
    if (verify == X509_V_OK) snprintf(session->error, sizeof session->error, "TLS: %s", reason);
    else snprintf(session->error, sizeof session->error, "TLS: the peer's certificate is refused: %s",
                  X509_verify_cert_error_string(verify));
    session->in_len = 0;
    return FAILED;
}

static int64_t outcome(struct boring_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_NONE: return result;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return AGAIN;
    case SSL_ERROR_ZERO_RETURN: return CLOSED;
    default: return failed(session);
    }
}

static void note_peer(struct boring_session *session) {
    X509 *certificate = SSL_get_peer_certificate(session->ssl);
    if (!certificate) return;
    session->peer_subject = boring_subject(certificate);
    session->peer_names = boring_names(certificate);
    X509_free(certificate);
}

static int64_t session_handshake(void *given) {
    struct boring_session *session = given;
    boring_enter(session->context);
    ERR_clear_error();
    int64_t step = outcome(session, SSL_do_handshake(session->ssl));
    if (step != DONE) return step == AGAIN ? AGAIN : FAILED;
    note_peer(session);
    return DONE;
}

static int64_t session_read(void *given, void *data, size_t len) {
    struct boring_session *session = given;
    boring_enter(session->context);
    ERR_clear_error();
    return outcome(session, SSL_read(session->ssl, data, (int)len));
}

static bool session_write(void *given, const void *data, size_t len) {
    struct boring_session *session = given;
    boring_enter(session->context);
    ERR_clear_error();
    return outcome(session, SSL_write(session->ssl, data, (int)len)) == (int64_t)len;
}

static void session_close_notify(void *given) {
    struct boring_session *session = given;
    boring_enter(session->context);
    SSL_shutdown(session->ssl);
    ERR_clear_error();
}

static size_t session_output(void *given, const void **data) {
    struct boring_session *session = given;
    *data = session->out;
    return session->out_len;
}

static void session_output_taken(void *given) {
    struct boring_session *session = given;
    free(session->out);
    session->out = NULL;
    session->out_len = session->out_cap = 0;
}

/* ---- what is known --------------------------------------------------------------------------------------------- */

static bool session_is_h2(const void *given) {
    const struct boring_session *session = given;
    const uint8_t *name;
    unsigned len;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static const char *session_peer_subject(const void *given) {
    const struct boring_session *session = given;
    return session->peer_subject;
}

static const char *session_peer_names(const void *given) {
    const struct boring_session *session = given;
    return session->peer_names;
}

static const char *session_error(const void *given) {
    const struct boring_session *session = given;
    return session->error;
}

void boring_fill_sessions(struct tls_library *library) {
    library->session_create = session_create;
    library->session_destroy = session_destroy;
    library->session_feed = session_feed;
    library->session_handshake = session_handshake;
    library->session_read = session_read;
    library->session_write = session_write;
    library->session_close_notify = session_close_notify;
    library->session_output = session_output;
    library->session_output_taken = session_output_taken;
    library->session_is_h2 = session_is_h2;
    library->session_peer_subject = session_peer_subject;
    library->session_peer_names = session_peer_names;
    library->session_error = session_error;
}
