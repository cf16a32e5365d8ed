/* check: invariants, asserted in release builds too. Never used on input from outside. */
#ifndef NORN_BASE_CHECK_H
#define NORN_BASE_CHECK_H

/* Stops the process (in the simulator: fails the run) with file, line and text. Supplied by the IO backend. */
_Noreturn void io_die(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        if (__builtin_expect(!(condition), 0)) io_die(__FILE__, __LINE__, "CHECK failed: %s", #condition);     \
    } while (0)

#define CHECKF(condition, ...)                                                                                 \
    do {                                                                                                       \
        if (__builtin_expect(!(condition), 0)) io_die(__FILE__, __LINE__, __VA_ARGS__);                        \
    } while (0)

#define UNREACHABLE(...) io_die(__FILE__, __LINE__, __VA_ARGS__)

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
