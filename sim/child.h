/* child: norn-sim as a process of its own, so that a node that dies ends one run and not the batch. */
#ifndef NORN_SIM_CHILD_H
#define NORN_SIM_CHILD_H

#include <sys/types.h>

#include "run.h"

struct child_options {
    const struct run_options *run;
    bool second;                         /* other bytes in fresh memory, and another environment */
    bool report;                         /* a failure is told in full */
    const char *record;                  /* a file for the binary trace; NULL is none */
    const char *output;                  /* a file for what it prints */
};

/* Starts it. */
pid_t child_start(const struct child_options *options);
/* The code of a run that has ended, by waitpid's status: a signal counts as a node that died. */
int child_code(int status);
/* Starts it, waits, and gives its code. */
int child_run(const struct child_options *options);

/* What it printed: the whole file, "" when there is none; freed by world_free. */
char *child_output(const char *path);
/* What follows the last `name` in the text. */
const char *child_value(const char *text, const char *name);
/* Prints the last lines on stderr. */
void child_print_tail(const char *text, unsigned lines);
/* The name of a file that nobody else uses, in TMPDIR or /tmp. */
void child_path(char *path, size_t size, const char *what, unsigned index);

#endif
