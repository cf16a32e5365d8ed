/* tls_boringssl: certificates and rules, on BoringSSL; the entry of libnorn_tls.so. */
#include "net/tls_boringssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second = INT64_C(1000000000);

/* HTTP/2 forbids the older suites of TLS 1.2 (RFC 9113 section 9.2.2). Those of TLS 1.3 are not configured. */
static const char tls12_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* ---- time ------------------------------------------------------------------------------------------------------ */

static _Thread_local const struct boring_context *entered;

void boring_enter(const struct boring_context *context) { entered = context; }

static void current_time(const SSL *ssl, struct timeval *out) {
    int64_t now = entered->wall(entered->wall_ctx);
    *out = (struct timeval){.tv_sec = now / second, .tv_usec = now % second / 1000};
}

static int64_t ns_of(const ASN1_TIME *time) {
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool good = epoch && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return good ? ((int64_t)days * 86400 + seconds) * second : 0;
}

static void date_text(int64_t ns, char text[32]) {
    time_t seconds = (time_t)(ns / second);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &parts);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

const char *boring_reason(void) {
    uint32_t code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : "unknown";
}

static bool fail(char *error, const struct tls_pem *pem, const char *text) {
    snprintf(error, TLS_ERROR_MAX, "%s: %s", pem->what, text);
    ERR_clear_error();
    return false;
}

static bool fail_reason(char *error, const struct tls_pem *pem, const char *text) {
    snprintf(error, TLS_ERROR_MAX, "%s: %s (%s)", pem->what, text, boring_reason());
    return false;
}

/* ---- PEM ------------------------------------------------------------------------------------------------------- */

/* Keys with a passphrase are refused: nobody is there to type it. */
static int no_passphrase(char *buf, int size, int writing, void *encrypted) {
    *(bool *)encrypted = true;
    return -1;
}

/* A chain ends where no further PEM block begins; anything else is an error that must not pass for the end. */
static bool at_end(void) {
    uint32_t code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

static bool check_dates(struct boring_context *context, X509 *leaf, const struct tls_pem *pem, char *error) {
    char text[128], date[32];
    int64_t now = context->wall(context->wall_ctx);
    context->not_after = ns_of(X509_get0_notAfter(leaf));
    if (now < context->not_after) return true;
    date_text(context->not_after, date);
    snprintf(text, sizeof text, "the certificate ended at %s", date);
    return fail(error, pem, text);
}

static bool use_certificate(struct boring_context *context, const struct tls_pem *pem, char *error) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL), *more;
    bool good = leaf && SSL_CTX_use_certificate(context->ssl, leaf);
    if (!good) fail_reason(error, pem, "this is not a certificate in PEM");
    if (good) good = check_dates(context, leaf, pem, error);
    while (good && (more = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        good = SSL_CTX_add0_chain_cert(context->ssl, more);
        if (!good) X509_free(more);
    }
    if (good && !at_end()) good = fail_reason(error, pem, "a certificate of the chain is damaged");
    X509_free(leaf);
    BIO_free(bio);
    return good;
}

static bool use_key(struct boring_context *context, const struct tls_pem *pem, char *error) {
    bool encrypted = false;
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    BIO_free(bio);
    bool good = key && SSL_CTX_use_PrivateKey(context->ssl, key);
    if (encrypted) fail(error, pem, "the key has a passphrase; give one without");
    else if (!key) fail_reason(error, pem, "this is not a private key in PEM");
    else if (!good || !SSL_CTX_check_private_key(context->ssl))
        good = fail(error, pem, "the key does not belong to the certificate");
    EVP_PKEY_free(key);
    return good && !encrypted;
}

static bool use_ca(struct boring_context *context, const struct tls_pem *pem, char *error) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    X509 *ca;
    int count = 0;
    bool good = true;
    while (good && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        good = X509_STORE_add_cert(store, ca) && (!context->server || SSL_CTX_add_client_CA(context->ssl, ca));
        X509_free(ca);
        count++;
    }
    good = good && count && at_end();
    if (!good) fail_reason(error, pem, count ? "a certificate is damaged" : "this is not a certificate in PEM");
    BIO_free(bio);
    return good;
}

/* ---- rules ----------------------------------------------------------------------------------------------------- */

static const uint8_t alpn_h2[] = "\x02h2", alpn_both[] = "\x02h2\x08http/1.1";

static int choose_protocol(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in, unsigned in_len,
                           void *arg) {
    uint8_t *chosen;
    if (SSL_select_next_proto(&chosen, out_len, alpn_both, sizeof alpn_both - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(struct boring_context *context, const struct tls_setup *setup) {
    static const uint8_t session_id[] = "norn";
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_current_time_cb(ssl, current_time);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    bool peer = !setup->server || setup->ca.len;
    SSL_CTX_set_verify(ssl, peer ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) && SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) &&
           SSL_CTX_set_strict_cipher_list(ssl, tls12_ciphers) &&
           SSL_CTX_set_session_id_context(ssl, session_id, sizeof session_id - 1) &&
           SSL_CTX_set_alpn_protos(ssl, alpn_h2, sizeof alpn_h2 - 1) == 0;
}

static bool set_up(struct boring_context *context, const struct tls_setup *setup, char *error) {
    if (!set_rules(context, setup)) {
        snprintf(error, TLS_ERROR_MAX, "TLS cannot be set up: %s", boring_reason());
        return false;
    }
    const struct tls_pem *certificate = &setup->certificate, *key = &setup->key, *ca = &setup->ca;
    if (setup->server && !certificate->len) return fail(error, certificate, "a server needs a certificate");
    if (!setup->server && !ca->len) return fail(error, ca, "a client needs to know whom to trust");
    if (certificate->len && !key->len) return fail(error, key, "the certificate needs its key");
    if (certificate->len && !use_certificate(context, certificate, error)) return false;
    if (certificate->len && !use_key(context, key, error)) return false;
    return !ca->len || use_ca(context, ca, error);
}

void *boring_context_create(const struct tls_setup *setup, char *error) {
    struct boring_context *context = calloc(1, sizeof *context);
    if (!context) abort();
    context->references = 1;
    context->server = setup->server;
    context->server_name = setup->server_name ? strdup(setup->server_name) : NULL;
    context->wall = setup->wall;
    context->wall_ctx = setup->wall_ctx;
    context->ssl = SSL_CTX_new(TLS_method());
    ERR_clear_error();
    boring_enter(context);
    if (context->ssl && set_up(context, setup, error)) return context;
    boring_context_release(context);
    return NULL;
}

void boring_context_release(void *given) {
    struct boring_context *context = given;
    if (--context->references) return;
    SSL_CTX_free(context->ssl);
    free(context->server_name);
    free(context);
}

static int64_t context_not_after(const void *context) { return ((const struct boring_context *)context)->not_after; }

/* ---- the one symbol -------------------------------------------------------------------------------------------- */

__attribute__((visibility("default"))) struct tls_library norn_tls_library = {
    .version = TLS_LIBRARY_VERSION,
    .context_create = boring_context_create,
    .context_destroy = boring_context_release,
    .context_not_after = context_not_after,
};

__attribute__((constructor)) static void fill(void) { boring_fill_sessions(&norn_tls_library); }
