/* child: starting runs as processes, and reading what they printed. */
#include "child.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct words words_of(const struct child_options *options) {
    struct words words = {0};
    words_add(&words, "norn-sim");
    run_words(options->run, &words);
    words_add(&words, "--fill");
    words_add(&words, "%u", options->second ? 0xa5u : 0u);
    words_add(&words, "--counters");
    if (!options->report) words_add(&words, "--brief");
    if (options->record) words_add(&words, "--record"), words_add(&words, "%s", options->record);
    return words;
}

pid_t child_start(const struct child_options *options) {
    static const char *const plain[] = {"NORN_SIM_RUN=1", NULL};
    static const char *const shifted[] = {"NORN_SIM_RUN=2", "NORN_SIM_PADDING=another length of the environment", NULL};
    struct words words = words_of(options);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, options->output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    int error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words.items,
                            (char *const *)(uintptr_t)(options->second ? shifted : plain));
    posix_spawn_file_actions_destroy(&actions);
    words_free(&words);
    if (error) {
        fprintf(stderr, "norn-sim: cannot start a run: %s\n", strerror(error));
        exit(WORLD_USAGE);
    }
    return pid;
}

int child_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : WORLD_DIED; }

int child_run(const struct child_options *options) {
    int status;
    waitpid(child_start(options), &status, 0);
    return child_code(status);
}

char *child_output(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = world_alloc(1);
    size_t len = 0;
    if (!file) return text;
    for (;;) {
        text = world_realloc(text, len + 65536 + 1);
        size_t part = fread(text + len, 1, 65536, file);
        if (!part) break;
        len += part;
    }
    fclose(file);
    text[len] = 0;
    return text;
}

const char *child_value(const char *text, const char *name) {
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, name)); at++) found = at + strlen(name);
    return found ? found : "";
}

void child_print_tail(const char *text, unsigned lines) {
    const char *at = text + strlen(text);
    while (at > text && lines)
        if (*--at == '\n' && at[1]) lines--;
    fputs(at, stderr);
}

void child_path(char *path, size_t size, const char *what, unsigned index) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/norn-sim-%d-%s-%u", folder && *folder ? folder : "/tmp", (int)getpid(), what, index);
}
