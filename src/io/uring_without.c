/* uring_without: NORN_IO_WITHOUT=ring-messages,direct-io has the backend do as if it were on a kernel or a file system
 * without these, so that the contract tests see the second ways on any machine; and a kernel's fault can be passed by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/uring_internal.h"

static const char *const names[] = {
#define X(name, text) text,
    URING_FEATURES(X)
#undef X
};

static int find(const char *name, size_t len) {
    for (int i = 0; i < URING_FEATURE_COUNT; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) return i;
    return -1;
}

bool uring_without_read(struct io_node *node) {
    const char *at = getenv("NORN_IO_WITHOUT");
    while (at && *at) {
        size_t len = strcspn(at, ",");
        int feature = find(at, len);
        if (feature < 0) {
            fprintf(stderr, "norn: NORN_IO_WITHOUT has \"%.*s\"; allowed, with commas between:", (int)len, at);
            for (int i = 0; i < URING_FEATURE_COUNT; i++) fprintf(stderr, " %s", names[i]);
            fprintf(stderr, "\n");
            return false;
        }
        node->without |= 1u << feature;
        at += len + (at[len] != 0);
    }
    return true;
}
