/* Who may maintain the node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "frontend/permission.h"

static const struct permission_rules usual = {"", true}, none = {"", false},
                                     named = {"CN=ops, DNS:ops.acme,URI:spiffe://acme/ops", true};

static bool may(const struct permission_rules *rules, const char *addr, const char *subject, const char *names,
                const char *message) {
    struct arena arena = {0};
    struct rpc_peer peer = {.tls = subject != NULL, .certificate_subject = subject, .certificate_names = names};
    assert_true(io_addr_parse(addr, &peer.addr));
    struct status status = permission_maintain(rules, &peer, "Backup", &arena);
    bool good = status_ok(status);
    if (!good) {
        assert_int_equal(status.code, STATUS_PERMISSION_DENIED);
        assert_non_null(strstr(status.message, message));
    }
    arena_free(&arena);
    return good;
}

static void loopback_may_without_certificates(void **state) {
    assert_true(may(&usual, "127.0.0.1:5", NULL, NULL, ""));
    assert_true(may(&usual, "[::1]:5", NULL, NULL, ""));
    assert_false(may(&usual, "10.0.0.1:5", NULL, NULL, "Backup is not for a client at 10.0.0.1:5 without a certificate"));
    assert_false(may(&none, "127.0.0.1:5", NULL, NULL, "admin.from-loopback is false"));
    assert_false(may(&none, "10.0.0.1:5", NULL, NULL, "admin.names"));
}

static void a_certificate_must_be_named(void **state) {
    static const char where[] = "10.0.0.1:5";
    assert_true(may(&named, where, "CN=ops,O=Acme", NULL, ""));
    assert_true(may(&named, where, "O=Acme,CN=ops", NULL, ""));
    assert_true(may(&named, where, "OU=x+CN=ops", NULL, ""));
    assert_true(may(&named, where, "CN=worker", "DNS:worker.acme, URI:spiffe://acme/ops", ""));
    assert_true(may(&named, where, "", "DNS:ops.acme", ""));
    assert_false(may(&named, where, "CN=opsy", "DNS:ops.acme.evil", "CN=opsy (DNS:ops.acme.evil)"));
    assert_false(may(&named, where, "cn=ops", NULL, "admin.names"));
    assert_false(may(&named, where, "O=x\\,CN=ops", NULL, "admin.names"));         /* part of another value */
    assert_false(may(&named, where, "O=x\\+CN=ops", NULL, "admin.names"));
    assert_false(may(&named, where, "O=x\\\\", "email:CN=ops", "admin.names"));
    assert_false(may(&named, where, "O=x\\", NULL, "admin.names"));
    assert_false(may(&named, where, "CN=DNS:ops.acme", NULL, "admin.names"));
    assert_false(may(&usual, "127.0.0.1:5", "CN=ops", NULL, "admin.names"));       /* loopback does not help it */
    assert_false(may(&usual, where, "", "", "admin.names"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_may_without_certificates),
        cmocka_unit_test(a_certificate_must_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
