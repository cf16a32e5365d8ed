/* The table of settings, and how values are read from files and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"

struct fixture {
    struct config config;
    struct arena arena;
    struct status status;
};

static int setup(void **state) {
    struct fixture *fixture = MEM_NEW(struct fixture);
    config_init(&fixture->config);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    arena_free(&fixture->arena);
    mem_free(fixture);
    return 0;
}

static bool yaml(struct fixture *fixture, const char *text) {
    fixture->status = config_read_yaml(&fixture->config, bytes_str(text), "norn.yaml", &fixture->arena);
    return status_ok(fixture->status);
}

static void assert_fails(struct fixture *fixture, const char *text, const char *message) {
    assert_false(yaml(fixture, text));
    assert_string_equal(fixture->status.message, message);
}

static void reads_flat_and_nested_keys(void **state) {
    struct fixture *f = *state;
    assert_true(yaml(f, "grpc: 127.0.0.1:0\nlimit:\n  blobSize: {error: 1MiB}\n  maxIDLength: 500\n"
                        "limit.memoSize.error: 64KiB\nlog-format: json\ninsecure: true\nmemory: 512M\n"));
    assert_int_equal(f->config.grpc.port, 0);
    assert_int_equal(f->config.blob_size_error, 1 << 20);
    assert_int_equal(f->config.id_length_max, 500);
    assert_int_equal(f->config.memo_size_error, 64 << 10);
    assert_int_equal(f->config.log_format, CONFIG_LOG_JSON);
    assert_true(f->config.insecure);
    assert_int_equal(f->config.memory, 512ull << 20);
    assert_int_equal(f->config.from[CONFIG_ID_id_length_max].source, CONFIG_FROM_FILE);
    assert_string_equal(f->config.from[CONFIG_ID_id_length_max].where, "norn.yaml:4");
    assert_string_equal(f->config.from[CONFIG_ID_http].where, "default");
}

static void an_empty_file_changes_nothing(void **state) {
    struct fixture *f = *state;
    assert_true(yaml(f, ""));
    assert_true(yaml(f, "# nothing\n---\n"));
}

static void errors_name_what_is_wrong(void **state) {
    struct fixture *f = *state;
    assert_fails(f, "grcp: 1.2.3.4:5\n", "norn.yaml:1: there is no setting \"grcp\"; the nearest is \"grpc\"");
    assert_fails(f, "data: /x\nlimit: {blobsize: {error: 1}}",
                 "norn.yaml:2: there is no setting \"limit.blobsize.error\"; the nearest is \"limit.blobSize.error\"");
    assert_fails(f, "loops: many", "norn.yaml:1: loops is \"many\"; allowed: 0 to 256");
    assert_fails(f, "loops: 257", "norn.yaml:1: loops is \"257\"; allowed: 0 to 256");
    assert_fails(f, "log-level: loud", "norn.yaml:1: log-level is \"loud\"; allowed: debug, info, warn, error, off");
    assert_fails(f, "net: {idle-timeout: 5}", "norn.yaml:1: net.idle-timeout is \"5\"; allowed: 0s to 24h");
    assert_fails(f, "data: /a\ndata: /b", "norn.yaml:2: \"data\" is there twice");
    assert_fails(f, "data: [a]", "norn.yaml:1: no setting takes a list");
    assert_fails(f, "just text", "norn.yaml:1: expected \"setting: value\" lines");
    assert_fails(f, "a: &x b\nc: *x", "norn.yaml:1: there is no setting \"a\"; the nearest is \"data\"");
    assert_false(yaml(f, "a: {b"));
    assert_false(yaml(f, "a: b: c"));
    assert_false(yaml(f, "{[a]: b}"));
    assert_false(yaml(f, "a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}"));
}

static void reads_units(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"1.5s", 1500000000}, {"100ms", 100000000}, {"1m", 60000000000}, {"0", 0}, {"24h", 86400000000000}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct status status = config_set(&f->config, CONFIG_ID_net_idle_max, bytes_str(good[i].text), CONFIG_FROM_FLAG,
                                          "--net.idle-timeout", &f->arena);
        assert_true(status_ok(status));
        assert_int_equal(f->config.net_idle_max, good[i].ns);
    }
    static const char *const bad[] = {"", "s", "1", "1.s", "-1s", "1 s", "25h", "99999999999999999999s", "1.0000000001s",
                                      "0.1ns", "1e3s"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(status_ok(config_set(&f->config, CONFIG_ID_net_idle_max, bytes_str(bad[i]), CONFIG_FROM_FLAG,
                                          "--net.idle-timeout", &f->arena)));
}

static void every_value_written_is_read_back(void **state) {
    struct fixture *f = *state;
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        struct buf text = {0}, again = {0};
        config_value_text(&f->config, id, &text);
        assert_true(status_ok(config_set(&f->config, id, buf_bytes(&text), CONFIG_FROM_FLAG, "test", &f->arena)));
        config_value_text(&f->config, id, &again);
        assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
        buf_free(&text);
        buf_free(&again);
    }
}

static void names_are_unique_in_file_and_environment(void **state) {
    (void)state;
    for (unsigned a = 0; a < CONFIG_SETTING_COUNT; a++) {
        char env_a[CONFIG_ENV_NAME_MAX], env_b[CONFIG_ENV_NAME_MAX];
        struct config_setting first = config_setting(a, env_a);
        assert_int_equal(config_find(bytes_str(first.name)), a);
        for (unsigned b = 0; b < a; b++) {
            config_setting(b, env_b);
            assert_string_not_equal(env_a, env_b);
        }
    }
    char env[CONFIG_ENV_NAME_MAX];
    assert_string_equal(config_setting(CONFIG_ID_id_length_max, env).env, "NORN_LIMIT_MAX_ID_LENGTH");
    assert_string_equal(config_setting(CONFIG_ID_tls_client_ca, env).env, "NORN_TLS_CLIENT_CA");
}

static bool finish(struct fixture *f) {
    f->status = config_finish(&f->config, NULL, "/home/ann", &f->arena);
    return status_ok(f->status);
}

static void the_data_folder_is_in_the_home_folder(void **state) {
    struct fixture *f = *state;
    assert_true(finish(f));
    assert_string_equal(f->config.data, "/home/ann/.local/share/norn");
    config_init(&f->config);
    assert_true(status_ok(config_finish(&f->config, "/xdg", "/home/ann", &f->arena)));
    assert_string_equal(f->config.data, "/xdg/norn");
    config_init(&f->config);
    assert_false(status_ok(config_finish(&f->config, NULL, NULL, &f->arena)));
}

static void another_address_needs_mutual_tls_or_insecure(void **state) {
    struct fixture *f = *state;
    assert_true(yaml(f, "grpc: 0.0.0.0:7233"));
    assert_false(finish(f));
    assert_non_null(strstr(f->status.message, "norn.yaml:1: grpc is 0.0.0.0:7233"));
    assert_true(yaml(f, "insecure: true"));
    assert_true(finish(f));
    assert_true(yaml(f, "{insecure: false, tls-cert: c, tls-key: k}"));
    assert_false(finish(f));
    assert_true(yaml(f, "tls-client-ca: ca"));
    assert_true(finish(f));
    assert_true(yaml(f, "tls-key: ''"));
    assert_false(finish(f));
}

static void memory_is_none_or_enough(void **state) {
    struct fixture *f = *state;
    assert_true(yaml(f, "memory: 1MiB"));
    assert_false(finish(f));
    assert_true(yaml(f, "memory: 32MiB"));
    assert_true(finish(f));
}

static void administration_needs_good_names_and_a_folder(void **state) {
    struct fixture *f = *state;
    assert_true(finish(f));
    assert_string_equal(f->config.backup_dir, "/home/ann/.local/share/norn/backups");
    assert_true(f->config.admin_from_loopback);
    assert_true(yaml(f, "backup.dir: backups"));
    assert_false(finish(f));
    assert_string_equal(f->status.message, "norn.yaml:1: backup.dir is \"backups\"; it must be an absolute path");
    assert_true(yaml(f, "{backup.dir: /backups, admin.names: 'CN=ops'}"));
    assert_false(finish(f));
    assert_non_null(strstr(f->status.message, "admin.names needs mutual TLS"));
    assert_true(yaml(f, "{tls-cert: c, tls-key: k, tls-client-ca: ca, admin.names: 'CN=ops, DNS:ops.acme'}"));
    assert_true(finish(f));
    static const char *const bad[] = {"admin.names: ops", "admin.names: ',CN=ops'", "admin.names: 'CN='", "admin.names: O=Acme"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_true(yaml(f, bad[i]));
        assert_false(finish(f));
        assert_non_null(strstr(f->status.message, "allowed: CN=, DNS:, URI:, email: or IP:, and a name"));
    }
}

/* The part of docs/configuration.md between its two marks is the table. */
static void the_documentation_has_the_table(void **state) {
    (void)state;
    FILE *file = fopen("docs/configuration.md", "r");
    assert_non_null(file);
    static char text[1 << 17];
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    struct buf table = {0};
    config_markdown(&table);
    if (!strstr(text, buf_cstr(&table))) {
        printf("docs/configuration.md lacks the table as it is now:\n\n%s\n", buf_cstr(&table));
        fail();
    }
    buf_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_flat_and_nested_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_units, setup, teardown),
        cmocka_unit_test_setup_teardown(every_value_written_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_unique_in_file_and_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(the_data_folder_is_in_the_home_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(another_address_needs_mutual_tls_or_insecure, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_none_or_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(administration_needs_good_names_and_a_folder, setup, teardown),
        cmocka_unit_test(the_documentation_has_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
