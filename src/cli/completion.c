/* completion: `norn completion SHELL` prints a script that asks `norn complete WORDS...` for what can come next, so that
 * the shells know all that the table of commands knows. */
#include "cli/cli.h"
#include "config/config.h"

static const char bash_script[] =
    "# norn completion bash; in ~/.bashrc:  source <(norn completion bash)\n"
    "_norn() { local IFS=$'\\n'; COMPREPLY=($(norn complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)); }\n"
    "complete -o default -F _norn norn\n";
static const char zsh_script[] =
    "#compdef norn\n"
    "# norn completion zsh; in ~/.zshrc:  source <(norn completion zsh)\n"
    "_norn() { compadd -- ${(f)\"$(norn complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"} }\n"
    "compdef _norn norn\n";
static const char fish_script[] =
    "# norn completion fish; norn completion fish > ~/.config/fish/completions/norn.fish\n"
    "complete -c norn -f -a '(norn complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'\n";

int cli_completion(struct cli *cli) {
    static const char *const scripts[][2] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (unsigned i = 0; cli->arg_count && i < ARRAY_LEN(scripts); i++) {
        if (strcmp(cli->args[0], scripts[i][0]) != 0) continue;
        buf_append_str(&cli->out, scripts[i][1]);
        return CLI_OK;
    }
    return cli_usage(cli, "which shell? bash, zsh or fish");
}

/* ---- candidates ------------------------------------------------------------------------------------------------------------ */

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static void candidate(struct cli *cli, const char *text, size_t len, const char *prefix) {
    struct bytes line = bytes_of(text, len), have = buf_bytes(&cli->out);
    if (len < strlen(prefix) || memcmp(text, prefix, strlen(prefix)) != 0) return;
    bool repeated = have.len > len && have.data[have.len - 1] == '\n' &&
                    memcmp(have.data + have.len - 1 - len, text, len) == 0 &&
                    (have.len == len + 1 || have.data[have.len - 2 - len] == '\n');
    if (repeated) return;
    buf_append_bytes(&cli->out, line);
    buf_append_u8(&cli->out, '\n');
}

/* The next word of every command that begins with the words before the last. */
static void complete_command(struct cli *cli) {
    unsigned before = cli->arg_count - 1;
    for (unsigned i = 0; i < cli_command_count; i++) {
        const char *name = cli_commands[i].name;
        unsigned word = 0;
        for (; cli_commands[i].summary && word < before; word++) {
            size_t len = strcspn(name, " ");
            if (strlen(cli->args[word]) != len || memcmp(name, cli->args[word], len) != 0 || !name[len]) break;
            name += len + 1;
        }
        if (cli_commands[i].summary && word == before) candidate(cli, name, strcspn(name, " "), cli->args[before]);
    }
}

static void complete_flags(struct cli *cli, const struct cli_flag *flags, const char *prefix) {
    for (; flags && flags->name; flags++) {
        const char *text = arena_printf(&cli->arena, "--%s", flags->name);
        candidate(cli, text, strlen(text), prefix);
    }
}

static void complete_settings(struct cli *cli, const char *prefix) {
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        const char *text = arena_printf(&cli->arena, "--%s", config_setting((enum config_id)id, env).name);
        candidate(cli, text, strlen(text), prefix);
    }
}

/* The choices "a|b|c" of the flag before the last word. */
static bool complete_value(struct cli *cli, const struct cli_command *command) {
    const char *word = cli->arg_count > 1 ? cli->args[cli->arg_count - 2] : "";
    const struct cli_flag *flag = begins(word, "--") ? cli_find_flag(command, word + 2, strlen(word + 2), false) : NULL;
    if (!flag || !flag->value) return false;
    for (const char *choice = strchr(flag->value, '|') ? flag->value : ""; *choice;) {
        size_t len = strcspn(choice, "|");
        candidate(cli, choice, len, cli->args[cli->arg_count - 1]);
        choice += len + (choice[len] == '|');
    }
    return true;
}

int cli_complete(struct cli *cli) {
    if (cli->arg_count == 0) return CLI_OK;
    unsigned used;
    const char *last = cli->args[cli->arg_count - 1];
    const struct cli_command *command = cli_find_command(cli->args, cli->arg_count - 1, &used);
    if (command && complete_value(cli, command)) return CLI_OK;
    if (!command || last[0] != '-') {
        complete_command(cli);
        return CLI_OK;
    }
    complete_flags(cli, command->flags, last);
    if (command->connects) complete_flags(cli, cli_connection_flags, last);
    if (command->prints) complete_flags(cli, cli_output_flags, last);
    if (command->settings) complete_settings(cli, last);
    return CLI_OK;
}
