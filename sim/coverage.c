/* coverage: three tables of counts, from the runs' lines to the verdict. */
#include "coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

struct row {
    const char *name, *text;
    unsigned reach;
};

static struct row fault_row(unsigned i) {
    return (struct row){world_fault_name(i), world_fault_text(i), world_fault_reach(i)};
}
static struct row mark_row(unsigned i) {
    return (struct row){world_mark_name(i), world_mark_text(i), world_mark_reach(i)};
}
static struct row operation_row(unsigned i) {
    return (struct row){world_operation_name(i), "", world_operation_reach(i)};
}
static uint64_t fault_hits(const struct world *world, unsigned i) { return world_fault_hits(world, i); }
static uint64_t mark_hits(const struct world *world, unsigned i) { return world_mark_hits(world, i); }
static uint64_t operation_hits(const struct world *world, unsigned i) { return world_operation_hits(world, i); }

struct table {
    const char *label, *one, *verb;
    unsigned count;
    struct row (*row)(unsigned i);
    uint64_t (*hits)(const struct world *world, unsigned i);
    size_t place;                       /* of its counts in struct coverage */
};

enum { TABLES = 3 };

static struct table table_of(unsigned index) {
    const struct table tables[TABLES] = {
        {"faults", "fault", "injected", FAULT_COUNT, fault_row, fault_hits, offsetof(struct coverage, faults)},
        {"marks", "mark", "reached", world_mark_count(), mark_row, mark_hits, offsetof(struct coverage, marks)},
        {"operations", "operation", "answered", OPERATION_COUNT, operation_row, operation_hits,
         offsetof(struct coverage, operations)},
    };
    return tables[index];
}

static const uint64_t *counts_of(const struct coverage *coverage, const struct table *table) {
    return (const uint64_t *)(const void *)((const char *)coverage + table->place);
}

void coverage_tell(const struct world *world) {
    CHECK(world_mark_count() <= COVERAGE_MARKS_MAX);
    for (unsigned t = 0; t < TABLES; t++) {
        struct table table = table_of(t);
        printf("%s", table.label);
        for (unsigned i = 0; i < table.count; i++) printf(" %llu", (unsigned long long)table.hits(world, i));
        printf("\n");
    }
}

/* The line that begins with this label; NULL: there is none. */
static const char *find_line(const char *text, const char *label) {
    size_t len = strlen(label);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        if (strncmp(at, label, len) == 0 && at[len] == ' ') return at + len;
    }
    return NULL;
}

void coverage_add(struct coverage *coverage, const char *text) {
    coverage->seeds++;
    for (unsigned t = 0; t < TABLES; t++) {
        struct table table = table_of(t);
        uint64_t *counts = (uint64_t *)(uintptr_t)counts_of(coverage, &table);
        const char *at = find_line(text, table.label);
        for (unsigned i = 0; at && i < table.count; i++) {
            char *end;
            counts[i] += strtoull(at, &end, 10);
            at = end;
        }
    }
}

void coverage_print(const struct coverage *coverage) {
    for (unsigned t = 0; t < TABLES; t++) {
        struct table table = table_of(t);
        printf("\n%10s %s\n", table.verb, table.one);
        for (unsigned i = 0; i < table.count; i++) {
            struct row row = table.row(i);
            printf("%10llu %-22s %s\n", (unsigned long long)counts_of(coverage, &table)[i], row.name, row.text);
        }
    }
}

unsigned coverage_gaps(const struct coverage *coverage) {
    unsigned gaps = 0;
    for (unsigned t = 0; t < TABLES; t++) {
        struct table table = table_of(t);
        for (unsigned i = 0; i < table.count; i++) {
            struct row row = table.row(i);
            if (!row.reach || coverage->seeds < row.reach || counts_of(coverage, &table)[i]) continue;
            gaps++;
            fprintf(stderr, "%s %s was never %s in %llu seeds; one of %u should\n", table.one, row.name, table.verb,
                    (unsigned long long)coverage->seeds, row.reach);
        }
    }
    return gaps;
}
