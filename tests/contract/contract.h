/* contract: what the contract tests share. Each program is a list of scenarios, run one after the other on a fiber of
 * loop 0; what they say must be the same on both backends, so nothing that may differ (times, addresses, sizes of
 * pieces, winners of races) is said. */
#ifndef NORN_TESTS_CONTRACT_H
#define NORN_TESTS_CONTRACT_H

#include "base/check.h"
#include "base/mem.h"
#include "fiber/fiber.h"
#include "io/io.h"

struct scenario {
    const char *name;
    void (*run)(struct io *io);
};

/* Runs them all and ends the process. For main(). */
int contract_main(int argc, char **argv, const struct scenario *scenarios, unsigned count);
#define CONTRACT_MAIN(scenarios)                                                                               \
    int main(int argc, char **argv) { return contract_main(argc, argv, scenarios, ARRAY_LEN(scenarios)); }

/* One line of the transcript. Loop 0 only. */
void say(struct io *io, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "NAME: success", "NAME: 12", or "NAME: the error's text". */
void say_result(struct io *io, const char *name, int64_t result);
/* As say_result, for calls that give a count: zero is "0". */
void say_count(struct io *io, const char *name, int64_t result);
/* Says "NAME: as expected" when it holds, and "NAME: WRONG" (with the line) otherwise. */
#define EXPECT(io, name, condition) contract_expect(io, name, condition, #condition, __LINE__)
void contract_expect(struct io *io, const char *name, bool holds, const char *text, int line);

/* An op that counts its completions and wakes the fiber that waits for it. */
struct probe {
    struct io_op op;
    struct fiber *waiter;
    unsigned calls, finals;
    bool submitting;            /* set around the submitting call, to see that done does not run inside */
    bool nested;
    int64_t last;
    const char *name;           /* says each completion when set */
};
void probe_init(struct probe *probe, const char *name);
int64_t probe_wait(struct io *io, struct probe *probe);       /* until it is final */
/* Submits CALL with the probe's op and checks that done did not run inside. */
#define PROBE(probe, call)                                                                                     \
    do {                                                                                                       \
        (probe)->submitting = true;                                                                            \
        call;                                                                                                  \
        (probe)->submitting = false;                                                                           \
    } while (0)

static const int64_t MS = 1000000;
void sleep_ms(struct io *io, int64_t ms);

/* Bytes that tell their place in a stream. */
void pattern_fill(uint8_t *data, size_t len, uint64_t offset);
bool pattern_matches(const uint8_t *data, size_t len, uint64_t offset);

#endif
