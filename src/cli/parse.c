/* parse: the command line: words into a command, its arguments and flags. */
#include "config/config.h"
#include "cli/cli.h"

/* ---- finding the command ---------------------------------------------------------------------------------------------- */

/* How many words `name` has when words begin with them; 0 when they do not. */
static unsigned matches(const char *name, const char *const *words, unsigned count) {
    unsigned used = 0;
    while (*name && used < count) {
        size_t len = strcspn(name, " ");
        if (strlen(words[used]) != len || memcmp(words[used], name, len) != 0) return 0;
        used++;
        name += len + (name[len] == ' ');
    }
    return *name ? 0 : used;
}

const struct cli_command *cli_find_command(const char *const *words, unsigned count, unsigned *used) {
    const struct cli_command *found = NULL;
    *used = 0;
    for (unsigned i = 0; i < cli_command_count; i++) {
        unsigned len = matches(cli_commands[i].name, words, count);
        if (len > *used) found = &cli_commands[i], *used = len;
    }
    return found;
}

/* ---- flags ----------------------------------------------------------------------------------------------------------------- */

static const struct cli_flag *find_in(const struct cli_flag *flags, const char *name, size_t len, bool letter) {
    for (; flags && flags->name; flags++) {
        bool same = letter ? flags->letter == *name : strlen(flags->name) == len && memcmp(flags->name, name, len) == 0;
        if (same) return flags;
    }
    return NULL;
}

const struct cli_flag *cli_find_flag(const struct cli_command *command, const char *name, size_t len, bool letter) {
    const struct cli_flag *found = find_in(command->flags, name, len, letter);
    if (!found && command->connects) found = find_in(cli_connection_flags, name, len, letter);
    if (!found && command->prints) found = find_in(cli_output_flags, name, len, letter);
    return found;
}

/* A flag of the server: 1 takes a value, 0 is a switch, -1 is none. */
static int setting_takes_value(const char *name, size_t len) {
    if (len == strlen("config") && memcmp(name, "config", len) == 0) return 1;
    enum config_id id = config_find(bytes_of(name, len));
    if (id == CONFIG_SETTING_COUNT) return -1;
    char env[CONFIG_ENV_NAME_MAX];
    return config_setting(id, env).type != CONFIG_BOOL;
}

static int unknown_flag(struct cli *cli, const char *word) {
    if (!cli->command->settings) return cli_usage(cli, "there is no flag %s", word);
    const char *name = word + strspn(word, "-");
    return cli_usage(cli, "there is no flag %s; the nearest is --%s", word,
                     config_nearest(bytes_of(name, strcspn(name, "="))));
}

/* "--name value", "--name=value", "-n value", "-nvalue", or a switch. *at is on its first word, and is left on its last. */
static int take_flag(struct cli *cli, const char *const *words, unsigned count, unsigned *at) {
    const char *word = words[*at], *name = word + strspn(word, "-");
    bool letter = word[1] != '-';
    size_t len = letter ? 1 : strcspn(name, "=");
    const struct cli_flag *flag = cli_find_flag(cli->command, name, len, letter);
    int setting = !flag && !letter && cli->command->settings ? setting_takes_value(name, len) : -1;
    if (!flag && setting < 0) return unknown_flag(cli, word);
    bool takes_value = flag ? flag->value != NULL : setting == 1;
    const char *value = letter ? (name[1] ? name + 1 : NULL) : name[len] == '=' ? name + len + 1 : NULL;
    if (flag && !takes_value && value) return cli_usage(cli, "%s takes no value", flag->name);
    if (takes_value && !value) {
        if (*at + 1 == count) return cli_usage(cli, "%s needs a value", word);
        value = words[++*at];
    }
    if (cli->given_count == CLI_FLAGS_MAX) return cli_usage(cli, "more than %d flags", CLI_FLAGS_MAX);
    const char *full = flag ? flag->name : arena_text(&cli->arena, bytes_of(name, len));
    cli->given[cli->given_count++] = (struct cli_given){full, value};
    return CLI_OK;
}

static int take_argument(struct cli *cli, const char *word) {
    if (cli->arg_count == cli->command->args_max)
        return cli_usage(cli, cli->command->args_max ? "one argument too many: %s" : "takes no argument: %s", word);
    cli->args[cli->arg_count++] = word;
    return CLI_OK;
}

static bool asks_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

static int take_words(struct cli *cli, const char *const *words, unsigned count, bool *help) {
    bool only_arguments = false;
    int code = CLI_OK;
    for (unsigned at = 0; at < count && code == CLI_OK; at++) {
        if (only_arguments || words[at][0] != '-' || !words[at][1]) code = take_argument(cli, words[at]);
        else if (strcmp(words[at], "--") == 0) only_arguments = true;
        else if (asks_help(words[at])) *help = true;
        else code = take_flag(cli, words, count, &at);
    }
    return code;
}

/* No command: "norn", "norn workflow", "norn --help", or a mistake. */
static int no_command(struct cli *cli, const char *const *words, unsigned count, bool *help) {
    for (unsigned i = 0; i < count && cli->arg_count < CLI_ARGS_MAX; i++) {
        if (asks_help(words[i])) *help = true;
        else cli->args[cli->arg_count++] = words[i];
    }
    *help |= cli->arg_count == 0;
    return CLI_OK;
}

int cli_parse(struct cli *cli, const char *const *words, unsigned count, bool *help) {
    unsigned used;
    *help = false;
    const char *const version[] = {"version"};
    if (count == 1 && strcmp(words[0], "--version") == 0) words = version;
    cli->command = cli_find_command(words, count, &used);
    if (!cli->command) return no_command(cli, words, count, help);
    return take_words(cli, words + used, count - used, help);
}

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

const char *cli_value(struct cli *cli, const char *name) {
    for (unsigned i = cli->given_count; i-- > 0;)
        if (strcmp(cli->given[i].name, name) == 0) return cli->given[i].value;
    const struct cli_flag *flag = cli_find_flag(cli->command, name, strlen(name), false);
    const char *value = flag && flag->env ? io_env(cli->io, flag->env) : NULL;
    return value && *value ? value : flag ? flag->fallback : NULL;
}

bool cli_has(const struct cli *cli, const char *name) {
    for (unsigned i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].name, name) == 0) return true;
    return false;
}

const char *cli_next_value(const struct cli *cli, const char *name, unsigned *at) {
    while (*at < cli->given_count) {
        const struct cli_given *given = &cli->given[(*at)++];
        if (strcmp(given->name, name) == 0) return given->value;
    }
    return NULL;
}
