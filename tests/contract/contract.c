/* contract: the runner of the contract tests. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static struct {
    const struct scenario *scenarios;
    unsigned count;
    struct io *io;
} suite;

void say(struct io *io, const char *format, ...) {
    CHECK(io_loop_index(io) == 0);
    struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    buf_append_u8(&line, '\n');
    io_print(io, IO_STDOUT, line.data, line.len);
    buf_free(&line);
}

void say_result(struct io *io, const char *name, int64_t result) {
    if (result > 0)
        say(io, "  %s: %lld", name, (long long)result);
    else
        say(io, "  %s: %s", name, io_error_text(result));
}

void say_count(struct io *io, const char *name, int64_t result) {
    if (result == 0)
        say(io, "  %s: 0", name);
    else
        say_result(io, name, result);
}

void contract_expect(struct io *io, const char *name, bool holds, const char *text, int line) {
    if (holds)
        say(io, "  %s: as expected", name);
    else
        say(io, "  %s: WRONG, line %d: %s", name, line, text);
}

static void run_all(void *arg) {
    struct io *io = arg;
    for (unsigned i = 0; i < suite.count; i++) {
        say(io, "%s", suite.scenarios[i].name);
        suite.scenarios[i].run(io);
    }
    say(io, "end");
    io_exit(io, 0);
}

static void start(struct io *io, void *arg) {
    (void)arg;
    CHECK(fiber_start(io, "contract", run_all, io, FIBER_STACK_LARGE));
}

int contract_main(int argc, char **argv, const struct scenario *scenarios, unsigned count) {
    suite.scenarios = scenarios;
    suite.count = count;
    return io_main(argc, argv, start, NULL);
}

static void probe_done(struct io *io, struct io_op *op) {
    struct probe *probe = op->ctx;
    probe->calls++;
    probe->last = op->result;
    if (probe->submitting) probe->nested = true;
    if (!op->more) probe->finals++;
    if (probe->name) say_result(io, probe->name, op->result);
    if (!op->more && probe->waiter) fiber_wake(io, probe->waiter);
}

void probe_init(struct probe *probe, const char *name) {
    *probe = (struct probe){.name = name};
    probe->op.done = probe_done;
    probe->op.ctx = probe;
}

int64_t probe_wait(struct io *io, struct probe *probe) {
    probe->waiter = fiber_current(io);
    while (probe->op.busy) fiber_park(io);
    probe->waiter = NULL;
    CHECK(!probe->nested);
    return probe->last;
}

void sleep_ms(struct io *io, int64_t ms) { fiber_sleep_until(io, io_now(io) + ms * MS); }

static uint8_t pattern_at(uint64_t offset) { return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 16)); }

void pattern_fill(uint8_t *data, size_t len, uint64_t offset) {
    for (size_t i = 0; i < len; i++) data[i] = pattern_at(offset + i);
}

bool pattern_matches(const uint8_t *data, size_t len, uint64_t offset) {
    for (size_t i = 0; i < len; i++)
        if (data[i] != pattern_at(offset + i)) return false;
    return true;
}
