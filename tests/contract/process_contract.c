/* The process: its arguments, entropy, clocks of libraries, stacks, libraries, the terminal, signals, counters. */
#include "contract.h"

#include <nghttp2/nghttp2.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static void arguments(struct io *io) {
    say(io, "  arguments: %d", io_argc(io));
    EXPECT(io, "the program has a name", io_arg(io, 0)[0] != 0);
    EXPECT(io, "a variable that is not set", io_env(io, "NORN_NO_SUCH_VARIABLE") == NULL);
    EXPECT(io, "a machine has a processor", io_cpu_count(io) >= 1);
    EXPECT(io, "and a name", io_hostname(io)[0] != 0);
    EXPECT(io, "a process has a number", io_pid(io) > 0);
}

static void environment(struct io *io) {
    unsigned count = 0, named = 0, found = 0;
    char name[256];
    for (const char *entry; (entry = io_env_at(io, "", count)); count++) {
        const char *equals = strchr(entry, '=');
        if (!equals || equals == entry || equals - entry >= (int)sizeof name) continue;
        named++;
        memcpy(name, entry, (size_t)(equals - entry));
        name[equals - entry] = 0;
        const char *value = io_env(io, name);
        found += value && strcmp(value, equals + 1) == 0;
    }
    EXPECT(io, "there is an environment", count > 0);
    EXPECT(io, "each variable is found by its name", named > 0 && found == named);
    EXPECT(io, "nothing is behind the last", !io_env_at(io, "", count) && !io_env_at(io, "", UINT32_MAX));
    EXPECT(io, "some begin with a prefix", io_env_at(io, "PA", 0) && strncmp(io_env_at(io, "PA", 0), "PA", 2) == 0);
    EXPECT(io, "and none with another", !io_env_at(io, "NORN_NO_SUCH", 0));
}

static void entropy(struct io *io) {
    static const size_t sizes[] = {0, 1, 16, 200, 256, 257, 1024, 5000};
    uint8_t *data = mem_alloc(5000 + 1);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        memset(data, 0xaa, 5001);
        io_random(io, data, sizes[i]);
        CHECK(data[sizes[i]] == 0xaa);
    }
    unsigned counts[256] = {0}, seen = 0;
    for (int i = 0; i < 5000; i++) counts[data[i]]++;
    for (int i = 0; i < 256; i++) seen += counts[i] > 0;
    EXPECT(io, "all values come", seen > 250);
    uint64_t draws[64], equal = 0;
    for (int i = 0; i < 64; i++) io_random(io, &draws[i], sizeof draws[i]);
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < i; j++) equal += draws[i] == draws[j];
    EXPECT(io, "draws differ", equal == 0);
    mem_free(data);
}

/* nghttp2's own reading of the clock, for its rate limits; not in its header, and not in every version. */
extern uint64_t nghttp2_time_now_sec(void) __attribute__((weak));

/* Milliseconds from SQLite's epoch (noon, 24 November 4714 BC) to 1970. */
static const int64_t SQLITE_EPOCH_MS = 210866760000000;

static void libraries_themselves_land_in_io(struct io *io) {
    sqlite3_int64 ms = 0;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    CHECK(vfs && vfs->xCurrentTimeInt64(vfs, &ms) == SQLITE_OK);
    EXPECT(io, "SQLite's clock", ms - SQLITE_EPOCH_MS == io_wall(io) / 1000000);
    nghttp2_session_del(NULL);      /* links the part of nghttp2 that reads the clock */
    bool lands = !nghttp2_time_now_sec || (int64_t)nghttp2_time_now_sec() == io_now(io) / 1000000000;
    EXPECT(io, "nghttp2's clock", lands);
}

/* The symbols that libraries call are io's: they give the time of the batch, to the nanosecond. */
static void libraries_read_io_clocks(struct io *io) {
    struct timespec monotonic, wall;
    struct timeval day;
    time_t out;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &monotonic) == 0 && clock_gettime(CLOCK_REALTIME, &wall) == 0);
    CHECK(gettimeofday(&day, NULL) == 0);
    EXPECT(io, "monotonic", monotonic.tv_sec * 1000000000 + monotonic.tv_nsec == io_now(io));
    EXPECT(io, "wall", wall.tv_sec * 1000000000 + wall.tv_nsec == io_wall(io));
    EXPECT(io, "seconds", time(&out) == io_wall(io) / 1000000000 && out == time(NULL));
    EXPECT(io, "microseconds", day.tv_sec * 1000000 + day.tv_usec == io_wall(io) / 1000);
    sleep_ms(io, 2);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &monotonic) == 0);
    EXPECT(io, "later too", monotonic.tv_sec * 1000000000 + monotonic.tv_nsec == io_now(io));
}

static void stacks(struct io *io) {
    enum { SIZE = 65536, COUNT = 200 };
    uint8_t *all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i] = io_stack_alloc(io, SIZE);
        CHECK(all[i]);
        all[i][0] = 1;
        all[i][SIZE - 1] = 2;
    }
    for (int i = 0; i < COUNT; i++) io_stack_free(io, all[i], SIZE);
    EXPECT(io, "they are aligned", ((uintptr_t)all[0] & 4095) == 0);
}

static void a_missing_library(struct io *io) {
    const char *error = NULL;
    EXPECT(io, "nothing", io_library(io, "no-such-library.so", "symbol", &error) == NULL);
    EXPECT(io, "and a reason", error && error[0]);
}

static void the_terminal(struct io *io) {
    EXPECT(io, "output is no terminal here", !io_is_terminal(io, IO_STDOUT));
    say(io, "  width: %u", io_terminal_width(io));
}

static void signals_can_be_given_up(struct io *io) {
    for (int i = 0; i < 2; i++) {
        struct probe probe;
        probe_init(&probe, "signals");
        PROBE(&probe, io_signals(io, &probe.op));
        sleep_ms(io, 1);
        EXPECT(io, "none came", probe.op.busy && probe.calls == 0);
        io_cancel(io, &probe.op);
        probe_wait(io, &probe);
    }
}

static void counters(struct io *io) {
    struct io_stats before = *io_stats(io);
    struct io_file file;
    CHECK(fiber_open(io, "file", IO_OPEN_WRITE | IO_OPEN_CREATE, &file) == 0);
    CHECK(fiber_write(io, file, "12345", 5, 0) == 5);
    CHECK(fiber_datasync(io, file) == 0);
    CHECK(fiber_close(io, file) == 0);
    CHECK(fiber_unlink(io, "file") == 0);
    const struct io_stats *after = io_stats(io);
    say(io, "  data syncs: %llu", (unsigned long long)(after->datasyncs - before.datasyncs));
    say(io, "  bytes written: %llu", (unsigned long long)(after->bytes_written - before.bytes_written));
    EXPECT(io, "ops and turns are counted", after->ops >= before.ops + 5 && after->turns > before.turns);
}

static void memory_is_counted(struct io *io) {
    uint64_t before = mem_used();
    uint8_t *data = mem_alloc(1 << 20);
    EXPECT(io, "taken", mem_used() >= before + (1 << 20));
    EXPECT(io, "zeroed", data[0] == 0 && data[(1 << 20) - 1] == 0);
    data[5] = 7;
    data = mem_realloc(data, 3 << 20);
    EXPECT(io, "grown", mem_used() >= before + (3 << 20) && data[5] == 7);
    mem_free(data);
    EXPECT(io, "freed", mem_used() < before + (1 << 20));
    mem_free(NULL);
    void *a = mem_alloc(0), *b = mem_realloc(NULL, 10);
    EXPECT(io, "empty ones are unique", a && b && a != b);
    mem_free(a);
    mem_free(b);
}

static const struct scenario scenarios[] = {
    {"arguments", arguments},
    {"environment", environment},
    {"entropy", entropy},
    {"libraries read io's clocks", libraries_read_io_clocks},
    {"libraries themselves land in io", libraries_themselves_land_in_io},
    {"stacks", stacks},
    {"a missing library", a_missing_library},
    {"the terminal", the_terminal},
    {"signals can be given up", signals_can_be_given_up},
    {"counters", counters},
    {"memory is counted", memory_is_counted},
};
CONTRACT_MAIN(scenarios)
