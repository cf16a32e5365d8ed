/* mem: copies, on the backend's heap. */
#include "base/mem.h"

#include <string.h>

void *mem_copy(const void *data, size_t len) {
    void *copy = mem_realloc(NULL, len);
    if (len) memcpy(copy, data, len);
    return copy;
}

char *mem_strdup(const char *text) {
    return text ? mem_copy(text, strlen(text) + 1) : NULL;
}
