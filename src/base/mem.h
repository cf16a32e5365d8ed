/* mem: heap memory of this process.
 *
 * The functions are the IO backend's (src/io, sim/): in production they are malloc; in the simulator each node has a
 * heap of its own, which a crash drops whole and whose leaks are reported at the end of a run. Nothing else in src/
 * calls malloc. All functions stop the process when memory is exhausted past the hard limit, so callers never see NULL;
 * the engine refuses new work long before (design: --memory). */
#ifndef NORN_BASE_MEM_H
#define NORN_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory of `size` bytes; size 0 gives a unique pointer. Freed with mem_free. */
void *mem_alloc(size_t size);
/* As realloc; new bytes are not zeroed. */
void *mem_realloc(void *pointer, size_t size);
/* NULL is allowed. */
void mem_free(void *pointer);
/* Bytes in use by this node now, as handed out. */
uint64_t mem_used(void);

/* What tables vary the places of their entries by, so that a use of their order shows. Constant within a process. */
uint64_t mem_salt(void);

/* For a process with a limit of memory: from now on freed memory goes back to the system early, at some cost in time. */
void mem_keep_tight(void);
/* Gives back what is free. */
void mem_give_back(void);

/* Copies. The results are freed with mem_free. */
void *mem_copy(const void *data, size_t len);
char *mem_strdup(const char *text);            /* NULL gives NULL */

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))

#endif
