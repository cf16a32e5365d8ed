/* record: names of nodes first, then events as they are in memory. */
#include "record.h"

#include <string.h>

#include "io_sim.h"
#include "log.h"

enum { NAME_MAX = 24, AROUND = 20 };

struct names {
    char text[WORLD_NODES_MAX][NAME_MAX];
};

FILE *record_open(const char *path) {
    static const struct names none;
    FILE *record = fopen(path, "wb");
    if (!record || fwrite(&none, sizeof none, 1, record) != 1) fprintf(stderr, "norn-sim: cannot write %s\n", path);
    return record;
}

void record_add(FILE *record, const struct trace_line *line) { fwrite(line, sizeof *line, 1, record); }

void record_close(FILE *record, const struct world *world) {
    struct names names = {0};
    for (unsigned i = 0; i < world->node_count; i++)
        snprintf(names.text[i], sizeof names.text[i], "%s", world->nodes[i]->spec.name);
    bool whole = fseek(record, 0, SEEK_SET) == 0 && fwrite(&names, sizeof names, 1, record) == 1;
    whole &= fclose(record) == 0;
    if (!whole) fprintf(stderr, "norn-sim: the record is not whole\n");
}

static void print(const struct names *names, const struct trace_line *line, uint64_t event, FILE *to) {
    const char *name = line->node < WORLD_NODES_MAX ? names->text[line->node] : "-";
    log_print_io(line, event, name, 0, to);
}

static void print_rest(FILE *record, const struct names *names, const struct trace_line *first, bool have,
                       uint64_t event, FILE *to) {
    if (!have) {
        fprintf(to, "  (it ends here)\n");
        return;
    }
    struct trace_line line = *first;
    for (unsigned i = 0; i < AROUND; i++) {
        print(names, &line, event + i, to);
        if (fread(&line, sizeof line, 1, record) != 1) break;
    }
}

static bool compare(FILE *const files[2], FILE *to) {
    struct names names[2];
    struct trace_line lines[2], before[AROUND];
    bool have[2];
    for (int i = 0; i < 2; i++)
        if (fread(&names[i], sizeof names[i], 1, files[i]) != 1) return false;
    uint64_t count = 0;
    for (;; count++) {
        for (int i = 0; i < 2; i++) have[i] = fread(&lines[i], sizeof lines[i], 1, files[i]) == 1;
        if (!have[0] && !have[1]) return false;
        if (!have[0] || !have[1] || memcmp(&lines[0], &lines[1], sizeof lines[0]) != 0) break;
        before[count % AROUND] = lines[0];
    }
    fprintf(to, "The first io event that differs is #%llu. Both have before it:\n", (unsigned long long)count + 1);
    for (uint64_t i = count < AROUND ? 0 : count - AROUND; i < count; i++)
        print(&names[0], &before[i % AROUND], i + 1, to);
    for (int i = 0; i < 2; i++) {
        fprintf(to, "run %d goes on with:\n", i + 1);
        print_rest(files[i], &names[i], &lines[i], have[i], count + 1, to);
    }
    return true;
}

bool record_compare(const char *first, const char *second, FILE *to) {
    FILE *files[2] = {fopen(first, "rb"), fopen(second, "rb")};
    bool differ = files[0] && files[1] && compare(files, to);
    for (int i = 0; i < 2; i++)
        if (files[i]) fclose(files[i]);
    return differ;
}
