/* The command line: finding commands, reading flags, completing words, laying tables out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cli/request.h"
#include "cli/show.h"
#include "cli/table.h"
#include "fiber_run.h"

#define CHECK_TEXT(text, expected)                                                                             \
    do {                                                                                                       \
        const char *text_ = (text);                                                                            \
        CHECKF(text_ && strcmp(text_, (expected)) == 0, "\n%s\nis not\n%s", text_ ? text_ : "NULL", (expected)); \
    } while (0)

/* Each test runs on a fiber, for messages go through io. */
struct fixture {
    struct cli cli;
    bool help;
    int code;
};

static struct fixture *parse(struct io *io, const char *const *words, unsigned count) {
    struct fixture *f = MEM_NEW(struct fixture);
    f->cli.io = io;
    f->cli.width = 80;
    f->code = cli_parse(&f->cli, words, count, &f->help);
    return f;
}

static void done(struct fixture *f) {
    buf_free(&f->cli.out);
    arena_free(&f->cli.arena);
    mem_free(f);
}

#define PARSE(...)                                                                                             \
    parse(io, (const char *const[]){__VA_ARGS__}, (unsigned)ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void finds_commands_and_flags(struct io *io) {
    struct fixture *f = PARSE("workflow", "start", "order-1", "--type", "Order", "-tq", "--input=1", "-i", "[2]");
    CHECK(f->code == CLI_OK);
    CHECK_TEXT(f->cli.command->name, "workflow start");
    CHECK(f->cli.arg_count == 1);
    CHECK_TEXT(f->cli.args[0], "order-1");
    CHECK_TEXT(cli_value(&f->cli, "type"), "Order");
    CHECK_TEXT(cli_value(&f->cli, "task-queue"), "q");
    unsigned at = 0;
    CHECK_TEXT(cli_next_value(&f->cli, "input", &at), "1");
    CHECK_TEXT(cli_next_value(&f->cli, "input", &at), "[2]");
    CHECK(cli_next_value(&f->cli, "input", &at) == NULL);
    CHECK_TEXT(cli_value(&f->cli, "namespace"), "default");
    CHECK(cli_value(&f->cli, "cron") == NULL);
    done(f);
}

static void takes_settings_as_flags_of_the_server(struct io *io) {
    struct fixture *f = PARSE("server", "--insecure", "--limit.maxIDLength=10", "--grpc", "1.2.3.4:5");
    CHECK(f->code == CLI_OK);
    CHECK(f->cli.given_count == 3);
    CHECK_TEXT(f->cli.given[1].name, "limit.maxIDLength");
    CHECK_TEXT(f->cli.given[1].value, "10");
    done(f);
}

static void refuses_mistakes(struct io *io) {
    struct fixture *f = PARSE("workflow", "list", "--nope");
    CHECK(f->code == CLI_USAGE);
    done(f);
    f = PARSE("workflow", "list", "extra");
    CHECK(f->code == CLI_USAGE);
    done(f);
    f = PARSE("workflow", "list", "--query");
    CHECK(f->code == CLI_USAGE);
    done(f);
    f = PARSE("workflow", "show", "x", "--follow=1");
    CHECK(f->code == CLI_USAGE);
    done(f);
    f = PARSE("workflow", "dance");
    CHECK(f->code == CLI_OK);
    CHECK(f->cli.command == NULL);
    CHECK(f->cli.arg_count == 2);
    done(f);
}

static void asks_for_help_and_ends_flags(struct io *io) {
    struct fixture *f = PARSE("workflow", "show", "--help");
    CHECK(f->help);
    done(f);
    f = PARSE("workflow", "show", "--", "--id-with-dashes");
    CHECK(f->code == CLI_OK);
    CHECK_TEXT(f->cli.args[0], "--id-with-dashes");
    done(f);
    f = PARSE("--version");
    CHECK_TEXT(f->cli.command->name, "version");
    done(f);
}

static void assert_completes(struct io *io, const char *const *words, unsigned count, const char *expected) {
    struct fixture *f = MEM_NEW(struct fixture);
    f->cli.io = io;
    for (unsigned i = 0; i < count; i++) f->cli.args[f->cli.arg_count++] = words[i];
    CHECK(cli_complete(&f->cli) == CLI_OK);
    CHECK_TEXT(buf_cstr(&f->cli.out), expected);
    done(f);
}

#define COMPLETES(expected, ...)                                                                               \
    assert_completes(io, (const char *const[]){__VA_ARGS__}, (unsigned)ARRAY_LEN(((const char *const[]){__VA_ARGS__})), \
                     expected)

static void completes_commands_flags_and_choices(struct io *io) {
    COMPLETES("start\nshow\nsignal\n", "workflow", "s");
    COMPLETES("search-attribute\n", "operator", "");
    COMPLETES("--detailed\n", "workflow", "show", "--d");
    COMPLETES("json\njsonl\n", "workflow", "show", "--output", "j");
    COMPLETES("--tls-cert\n", "server", "--tls-cert");
}

static void every_command_can_be_found_and_has_help(struct io *io) {
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        struct fixture *f = MEM_NEW(struct fixture);
        f->cli.io = io;
        const char *words[8];
        unsigned count = 0;
        for (char *word = arena_strdup(&f->cli.arena, command->name), *space; word; word = space) {
            space = strchr(word, ' ');
            if (space) *space++ = 0;
            words[count++] = word;
        }
        unsigned used;
        CHECK(cli_find_command(words, count, &used) == command);
        CHECK(used == count);
        cli_help_command(&f->cli, &(struct cli_command){.name = command->name, .summary = command->name, .flags = command->flags});
        for (const struct cli_flag *flag = command->flags; flag && flag->name; flag++) {
            CHECK(flag->help);
            CHECK(cli_find_flag(command, flag->name, strlen(flag->name), false) == flag);
        }
        done(f);
    }
}

static void tables_escape_what_terminals_obey(struct io *io) {
    struct fixture *f = PARSE("workflow", "list");
    struct table table = table_new(&f->cli, (const char *const[]){"A", "LONG", NULL});
    table_cell(&table, "x\x1b[31m");
    table_cell(&table, "\xc3\xa9\n\xff");
    table_cell(&table, NULL);
    table_cell(&table, "b");
    table_print(&table);
    CHECK_TEXT(buf_cstr(&f->cli.out), "A          LONG\nx\\x1b[31m  \xc3\xa9\\n\\xff\n-          b\n");
    buf_clear(&f->cli.out);
    f->cli.output = CLI_JSONL;
    table_print(&table);
    CHECK_TEXT(buf_cstr(&f->cli.out), "{\"a\":\"x\\\\x1b[31m\",\"long\":\"\xc3\xa9\\\\n\\\\xff\"}\n{\"long\":\"b\"}\n");
    done(f);
}

static void terminals_cut_the_last_column(struct io *io) {
    struct fixture *f = PARSE("workflow", "list");
    f->cli.terminal = true;
    f->cli.width = 30;
    struct table table = table_new(&f->cli, (const char *const[]){"A", "B", NULL});
    table_cell(&table, "12345678");
    table_cell(&table, "abcdefghijklmnopqrstuvwxyz");
    table_print(&table);
    CHECK_TEXT(buf_cstr(&f->cli.out), "A         B\n12345678  abcdefghijklmnopqrs\xe2\x80\xa6\n");
    done(f);
}

static void makes_requests_from_flags(struct io *io) {
    struct fixture *f = PARSE("workflow", "start", "a\"b", "--input", "{\"x\": 1}", "--input", "null", "--run-timeout", "1m30s",
                              "--id-reuse-policy", "RejectDuplicate", "--memo", "k=text", "--memo", "n=5");
    struct request request = request_begin(&f->cli);
    request_namespace(&request);
    request_text(&request, "workflowId", workflow_id(&f->cli));
    request_input(&request, "input");
    request_duration(&request, "workflowRunTimeout", "run-timeout");
    request_duration(&request, "workflowTaskTimeout", "task-timeout");
    request_enum(&request, "workflowIdReusePolicy", "WORKFLOW_ID_REUSE_POLICY_", "id-reuse-policy");
    request_map(&request, "memo", "fields", "memo");
    request_end(&request);
    CHECK(!request.bad);
    CHECK_TEXT(buf_cstr(&request.text),
                        "{\"namespace\":\"default\",\"workflowId\":\"a\\\"b\",\"input\":[{\"x\": 1},null],"
                        "\"workflowRunTimeout\":\"90.000000000s\","
                        "\"workflowIdReusePolicy\":\"WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE\","
                        "\"memo\":{\"fields\":{\"k\":\"text\",\"n\":5}}}");
    request_free(&request);
    done(f);
    f = PARSE("workflow", "start", "--input", "text");
    request = request_begin(&f->cli);
    request_input(&request, "input");
    CHECK(request.bad);
    request_free(&request);
    done(f);
}

static void shows_spans_and_names(struct io *io) {
    struct fixture *f = PARSE("workflow", "list");
    CHECK_TEXT(show_ns(&f->cli, 12000000), "12ms");
    CHECK_TEXT(show_ns(&f->cli, 1500000000), "1.500s");
    CHECK_TEXT(show_ns(&f->cli, 90000000000), "1m30s");
    CHECK_TEXT(show_ns(&f->cli, 7200000000000), "2h");
    CHECK_TEXT(show_ns(&f->cli, 90000000000000), "1d1h");
    CHECK_TEXT(show_status(&f->cli, TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_TIMED_OUT),
                        "TimedOut");
    CHECK_TEXT(show_enum(&f->cli, &temporal__api__enums__v1__workflow_id_reuse_policy__descriptor, 3), "RejectDuplicate");
    CHECK_TEXT(show_status(&f->cli, 77), "77");
    done(f);
}

#define TEST(name) static void test_##name(void **state) { (void)state, fiber_run(name); }
TEST(finds_commands_and_flags)
TEST(takes_settings_as_flags_of_the_server)
TEST(refuses_mistakes)
TEST(asks_for_help_and_ends_flags)
TEST(completes_commands_flags_and_choices)
TEST(every_command_can_be_found_and_has_help)
TEST(tables_escape_what_terminals_obey)
TEST(terminals_cut_the_last_column)
TEST(makes_requests_from_flags)
TEST(shows_spans_and_names)
#undef TEST

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_commands_and_flags),
        cmocka_unit_test(test_takes_settings_as_flags_of_the_server),
        cmocka_unit_test(test_refuses_mistakes),
        cmocka_unit_test(test_asks_for_help_and_ends_flags),
        cmocka_unit_test(test_completes_commands_flags_and_choices),
        cmocka_unit_test(test_every_command_can_be_found_and_has_help),
        cmocka_unit_test(test_tables_escape_what_terminals_obey),
        cmocka_unit_test(test_terminals_cut_the_last_column),
        cmocka_unit_test(test_makes_requests_from_flags),
        cmocka_unit_test(test_shows_spans_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
