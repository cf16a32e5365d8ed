/* failed: lines of options, each once. */
#include "failed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "child.h"

static bool is_none(const char *path) { return !path || strcmp(path, "none") == 0; }

static char *line_of(const struct run_options *run) {
    struct words words = {0};
    run_words(run, &words);
    char *line = words_line(&words, "");
    words_free(&words);
    return line;
}

/* Does the text have this line? */
static const char *find_line(const char *text, const char *line) {
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at += len)
        if ((at == text || at[-1] == '\n') && at[len] == '\n') return at;
    return NULL;
}

static void write_text(const char *path, const char *mode, const char *text, size_t len) {
    FILE *file = fopen(path, mode);
    bool good = file && fwrite(text, 1, len, file) == len;
    if (file) good &= fclose(file) == 0;
    if (!good) fprintf(stderr, "norn-sim: cannot write %s\n", path);
}

size_t failed_read(const char *path, const struct run_options *run, uint64_t **seeds) {
    *seeds = NULL;
    if (is_none(path)) return 0;
    char *text = child_output(path);
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, " --seed ")); at++) {
        struct run_options other = *run;
        other.seed = strtoull(at + strlen(" --seed "), NULL, 10);
        char *line = line_of(&other);
        const char *found = find_line(text, line);
        if (found && found <= at && at < found + strlen(line)) {
            *seeds = world_realloc(*seeds, (count + 1) * sizeof **seeds);
            (*seeds)[count++] = other.seed;
        }
        world_free(line);
    }
    world_free(text);
    return count;
}

void failed_add(const char *path, const struct run_options *run) {
    if (is_none(path)) return;
    if (strcmp(path, FAILED_FILE) == 0) {
        mkdir(".cache", 0777);           /* may be there; what matters is that the file can be written */
        mkdir(".cache/sim", 0777);
    }
    char *text = child_output(path), *line = line_of(run);
    size_t len = strlen(line);
    if (!find_line(text, line)) {
        line = world_realloc(line, len + 2);
        line[len++] = '\n';
        write_text(path, "a", line, len);
    }
    world_free(text);
    world_free(line);
}

void failed_remove(const char *path, const struct run_options *run) {
    if (is_none(path)) return;
    char *text = child_output(path), *line = line_of(run), *found = (char *)(uintptr_t)find_line(text, line);
    if (found) {
        memmove(found, found + strlen(line) + 1, strlen(found + strlen(line) + 1) + 1);
        write_text(path, "w", text, strlen(text));
    }
    world_free(text);
    world_free(line);
}
