/* tls_boringssl_names: who a certificate says its holder is, as text. */
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_boringssl.h"

static char *text_of(BIO *bio) {
    const uint8_t *data;
    size_t len;
    if (!BIO_mem_contents(bio, &data, &len)) len = 0;
    char *text = calloc(1, len + 1);
    if (!text) abort();
    if (len) memcpy(text, data, len);
    return text;
}

char *boring_subject(X509 *certificate) {
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char *text = text_of(bio);
    BIO_free(bio);
    return text;
}

/* A name must not be able to look like two: separators and what cannot be printed are replaced. */
static void put(BIO *bio, const char *kind, const uint8_t *data, size_t len) {
    if (BIO_number_written(bio)) BIO_write(bio, ", ", 2);
    BIO_write(bio, kind, (int)strlen(kind));
    for (size_t i = 0; i < len; i++) {
        bool good = data[i] > 0x20 && data[i] < 0x7f && data[i] != ',';
        BIO_write(bio, good ? (const char *)data + i : "?", 1);
    }
}

static void put_address(BIO *bio, const uint8_t *raw, int len) {
    char text[INET6_ADDRSTRLEN];
    if ((len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6, raw, text, sizeof text))
        put(bio, "IP:", (const uint8_t *)text, strlen(text));
}

static void put_name(BIO *bio, const GENERAL_NAME *name) {
    const ASN1_STRING *text = name->d.ia5;
    switch (name->type) {
    case GEN_DNS: put(bio, "DNS:", ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)); break;
    case GEN_URI: put(bio, "URI:", ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)); break;
    case GEN_EMAIL: put(bio, "email:", ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)); break;
    case GEN_IPADD: put_address(bio, ASN1_STRING_get0_data(name->d.ip), ASN1_STRING_length(name->d.ip)); break;
    default: break;
    }
}

char *boring_names(X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    if (!names) return NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < sk_GENERAL_NAME_num(names); i++) put_name(bio, sk_GENERAL_NAME_value(names, i));
    char *text = text_of(bio);
    BIO_free(bio);
    GENERAL_NAMES_free(names);
    return text;
}
