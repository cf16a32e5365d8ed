/* record: the io events of a run in a file, 40 bytes each, to find where two runs part. */
#ifndef NORN_SIM_RECORD_H
#define NORN_SIM_RECORD_H

#include <stdbool.h>
#include <stdio.h>

struct trace_line;
struct world;

/* Opens the file; NULL when that fails, which is said on stderr. */
FILE *record_open(const char *path);
void record_add(FILE *record, const struct trace_line *line);
/* Adds the names of the nodes, and closes it. */
void record_close(FILE *record, const struct world *world);
/* Prints the first event that differs, with those before it and what follows in each. False when none differs. */
bool record_compare(const char *first, const char *second, FILE *to);

#endif
