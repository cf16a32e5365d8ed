/* Helpers: order of work, the blocking calls, range locks, and memory that travels. */
#include "contract.h"

#include <string.h>

enum { READ = IO_OPEN_READ, WRITE = IO_OPEN_WRITE, BOTH = READ | WRITE, CREATE = IO_OPEN_CREATE };
enum { LINES_MAX = 64 };

/* What a helper has to say is kept, and said on the loop: only loop 0 speaks. */
struct report {
    struct {
        const char *name;
        int64_t result;
        bool count;
    } lines[LINES_MAX];
    unsigned used;
};

static void note(struct report *report, const char *name, int64_t result) {
    CHECK(report->used < LINES_MAX);
    report->lines[report->used].name = name;
    report->lines[report->used++].result = result;
}

static void note_count(struct report *report, const char *name, int64_t result) {
    note(report, name, result);
    report->lines[report->used - 1].count = true;
}

static void note_if(struct report *report, const char *name, bool holds) { note(report, name, holds ? 0 : -IO_EIO); }

static void say_report(struct io *io, struct io_helper *helper, io_helper_fn *fn) {
    struct report report = {0};
    CHECK(fiber_help(io, helper, fn, &report) == 0);
    for (unsigned i = 0; i < report.used; i++)
        (report.lines[i].count ? say_count : say_result)(io, report.lines[i].name, report.lines[i].result);
}

struct work {
    struct probe probe;
    int number;
    struct work_log *log;
};
struct work_log {
    int order[8];
    int count;
};

static void work_fn(struct io_helper *helper, void *arg) {
    struct work *work = arg;
    if (work->number == 0) io_help_sleep(helper, 5 * MS);
    work->log->order[work->log->count++] = work->number;
}

static void work_is_done_in_order(struct io *io) {
    struct io_helper *helper = io_helper_start(io, "order");
    struct work_log log = {.count = 0};
    struct work works[8];
    for (int i = 0; i < 8; i++) {
        works[i] = (struct work){.number = i, .log = &log};
        probe_init(&works[i].probe, NULL);
        PROBE(&works[i].probe, io_helper_run(io, &works[i].probe.op, helper, work_fn, &works[i]));
    }
    for (int i = 0; i < 8; i++) CHECK(probe_wait(io, &works[i].probe) == 0 && works[i].probe.calls == 1);
    for (int i = 0; i < 8; i++) say(io, "  %d", log.order[i]);
}

static void sleep_fn(struct io_helper *helper, void *arg) {
    (void)arg;
    io_help_sleep(helper, 60 * MS);
}

static void a_busy_helper_holds_up_neither_loop_nor_helpers(struct io *io) {
    struct io_helper *first = io_helper_start(io, "first"), *second = io_helper_start(io, "second");
    struct probe a, b;
    probe_init(&a, NULL);
    probe_init(&b, NULL);
    int64_t begin = io_now(io);
    io_helper_run(io, &a.op, first, sleep_fn, NULL);
    io_helper_run(io, &b.op, second, sleep_fn, NULL);
    sleep_ms(io, 1);
    EXPECT(io, "the loop went on", a.op.busy && b.op.busy);
    probe_wait(io, &a);
    probe_wait(io, &b);
    EXPECT(io, "it took its time", io_now(io) - begin >= 60 * MS);
}

static void canceling_work(struct io *io) {
    struct io_helper *helper = io_helper_start(io, "cancel");
    struct work_log log = {.count = 0};
    struct work work = {.number = 0, .log = &log};
    probe_init(&work.probe, NULL);
    io_helper_run(io, &work.probe.op, helper, work_fn, &work);
    io_cancel(io, &work.probe.op);
    int64_t result = probe_wait(io, &work.probe);
    EXPECT(io, "it ran, or was canceled and did not",
           (result == 0 && log.count == 1) || (result == -IO_ECANCELED && log.count == 0));
}

static void file_fn(struct io_helper *helper, void *arg) {
    struct report *report = arg;
    struct io_file file, other;
    char data[32] = {0};
    note(report, "open what is missing", io_help_open(helper, "file", READ, &file));
    note(report, "create", io_help_open(helper, "file", BOTH | CREATE | IO_OPEN_EXCLUSIVE, &file));
    note(report, "create again", io_help_open(helper, "file", BOTH | CREATE | IO_OPEN_EXCLUSIVE, &other));
    note_count(report, "write", io_help_write(helper, file, "hello", 5, 3));
    note_count(report, "size", io_help_size(helper, file));
    note_count(report, "read", io_help_read(helper, file, data, sizeof data, 0));
    note_if(report, "the same bytes", memcmp(data, "\0\0\0hello", 8) == 0);
    note_count(report, "read past the end", io_help_read(helper, file, data, sizeof data, 100));
    note(report, "sync", io_help_sync(helper, file));
    note(report, "sync of the folder", io_help_dir_sync(helper, "."));
    note(report, "sync of a missing folder", io_help_dir_sync(helper, "missing"));
    note(report, "truncate", io_help_truncate(helper, file, 4));
    note_count(report, "size", io_help_size(helper, file));
    note(report, "truncate to more", io_help_truncate(helper, file, 9));
    note_count(report, "size", io_help_size(helper, file));
    note_count(report, "exists", io_help_exists(helper, "file"));
    note(report, "unlink", io_help_unlink(helper, "file"));
    note(report, "unlink again", io_help_unlink(helper, "file"));
    note_count(report, "exists", io_help_exists(helper, "file"));
    note_count(report, "read of the unlinked file", io_help_read(helper, file, data, 4, 0));
    note(report, "close", io_help_close(helper, file));
    note(report, "open a folder", io_help_open(helper, ".", READ, &file));
}

static void rights_fn(struct io_helper *helper, void *arg) {
    struct report *report = arg;
    struct io_file reader, writer;
    char byte = 0;
    CHECK(io_help_open(helper, "rights", WRITE | CREATE, &writer) == 0);
    CHECK(io_help_open(helper, "rights", READ, &reader) == 0);
    note(report, "reader writes", io_help_write(helper, reader, "x", 1, 0));
    note(report, "reader truncates", io_help_truncate(helper, reader, 1));
    note(report, "writer reads", io_help_read(helper, writer, &byte, 1, 0));
    note(report, "reader locks", io_help_range_lock(helper, reader, IO_RANGE_EXCLUSIVE, 0, 1));
    note(report, "reader shares", io_help_range_lock(helper, reader, IO_RANGE_SHARED, 0, 1));
    note(report, "writer shares", io_help_range_lock(helper, writer, IO_RANGE_SHARED, 0, 1));
    note(report, "reader unlocks", io_help_range_lock(helper, reader, IO_RANGE_UNLOCK, 0, 1));
    note(report, "writer locks", io_help_range_lock(helper, writer, IO_RANGE_EXCLUSIVE, 0, 1));
    CHECK(io_help_close(helper, reader) == 0 && io_help_close(helper, writer) == 0);
    CHECK(io_help_unlink(helper, "rights") == 0);
}

static void a_file_is_used_as_it_was_opened(struct io *io) { say_report(io, io_helper_start(io, "rights"), rights_fn); }

static void blocking_calls_on_files(struct io *io) {
    say_report(io, io_helper_start(io, "files"), file_fn);
}

static void large_fn(struct io_helper *helper, void *arg) {
    enum { LEN = 3 << 20 };
    struct report *report = arg;
    struct io_file file;
    uint8_t *data = mem_alloc(LEN);
    pattern_fill(data, LEN, 0);
    CHECK(io_help_open(helper, "large", BOTH | CREATE, &file) == 0);
    note_count(report, "write", io_help_write(helper, file, data, LEN, 77));
    memset(data, 0, LEN);
    note_count(report, "read", io_help_read(helper, file, data, LEN, 77));
    note_if(report, "the same bytes", pattern_matches(data, LEN, 0));
    mem_free(data);
    CHECK(io_help_close(helper, file) == 0 && io_help_unlink(helper, "large") == 0);
}

static void large_transfers_are_whole(struct io *io) { say_report(io, io_helper_start(io, "large"), large_fn); }

static void write_for_loop(struct io_helper *helper, void *arg) {
    (void)arg;
    struct io_file file;
    CHECK(io_help_open(helper, "shared", BOTH | CREATE, &file) == 0);
    CHECK(io_help_write(helper, file, "from the helper", 15, 0) == 15);
    CHECK(io_help_close(helper, file) == 0);
}

static void loops_and_helpers_see_the_same_files(struct io *io) {
    struct io_helper *helper = io_helper_start(io, "shared");
    CHECK(fiber_help(io, helper, write_for_loop, NULL) == 0);
    struct buf out = {0};
    say_count(io, "read", fiber_read_file(io, "shared", 100, &out));
    say(io, "  \"%s\"", buf_cstr(&out));
    buf_free(&out);
    CHECK(fiber_unlink(io, "shared") == 0);
}

/* As SQLite takes them: a pending byte, a reserved byte, and a range of 510 shared ones. */
enum { PENDING = 0x40000000, RESERVED = PENDING + 1, SHARED = PENDING + 2, SHARED_LEN = 510 };

static void lock_fn(struct io_helper *helper, void *arg) {
    struct report *report = arg;
    struct io_file a, b;
    CHECK(io_help_open(helper, "db", BOTH | CREATE, &a) == 0 && io_help_open(helper, "db", BOTH, &b) == 0);
    note(report, "a reads", io_help_range_lock(helper, a, IO_RANGE_SHARED, SHARED, SHARED_LEN));
    note(report, "b reads", io_help_range_lock(helper, b, IO_RANGE_SHARED, SHARED, SHARED_LEN));
    note(report, "a reserves", io_help_range_lock(helper, a, IO_RANGE_EXCLUSIVE, RESERVED, 1));
    note(report, "b reserves", io_help_range_lock(helper, b, IO_RANGE_EXCLUSIVE, RESERVED, 1));
    note(report, "a writes while b reads", io_help_range_lock(helper, a, IO_RANGE_EXCLUSIVE, SHARED, SHARED_LEN));
    note(report, "a still reads; b takes one byte", io_help_range_lock(helper, b, IO_RANGE_EXCLUSIVE, SHARED + 5, 1));
    note(report, "b ends", io_help_range_lock(helper, b, IO_RANGE_UNLOCK, SHARED, SHARED_LEN));
    note(report, "a writes", io_help_range_lock(helper, a, IO_RANGE_EXCLUSIVE, SHARED, SHARED_LEN));
    note(report, "b reads while a writes", io_help_range_lock(helper, b, IO_RANGE_SHARED, SHARED, SHARED_LEN));
    note(report, "a reads again", io_help_range_lock(helper, a, IO_RANGE_SHARED, SHARED, SHARED_LEN));
    note(report, "b reads", io_help_range_lock(helper, b, IO_RANGE_SHARED, SHARED, SHARED_LEN));
    note(report, "a closes", io_help_close(helper, a));
    note(report, "b writes", io_help_range_lock(helper, b, IO_RANGE_EXCLUSIVE, SHARED, SHARED_LEN));
    note(report, "b reserves", io_help_range_lock(helper, b, IO_RANGE_EXCLUSIVE, RESERVED, 1));
    note(report, "b unlocks all", io_help_range_lock(helper, b, IO_RANGE_UNLOCK, PENDING, 1000));
    note(report, "b unlocks again", io_help_range_lock(helper, b, IO_RANGE_UNLOCK, PENDING, 1000));
    CHECK(io_help_close(helper, b) == 0 && io_help_unlink(helper, "db") == 0);
}

static void range_locks(struct io *io) { say_report(io, io_helper_start(io, "locks"), lock_fn); }

struct take {
    enum io_range_lock kind;
    bool close;
    struct io_file file;
    int64_t result;
};

static void take_fn(struct io_helper *helper, void *arg) {
    struct take *take = arg;
    if (!take->file.generation) CHECK(io_help_open(helper, "db", BOTH | CREATE, &take->file) == 0);
    take->result = io_help_range_lock(helper, take->file, take->kind, 0, 1);
    if (take->close) CHECK(io_help_close(helper, take->file) == 0);
}

static int64_t take(struct io *io, struct io_helper *helper, struct take *take, enum io_range_lock kind, bool close) {
    take->kind = kind;
    take->close = close;
    CHECK(fiber_help(io, helper, take_fn, take) == 0);
    return take->result;
}

static void locks_hold_between_helpers(struct io *io) {
    struct io_helper *first = io_helper_start(io, "first"), *second = io_helper_start(io, "second");
    struct take a = {0}, b = {0};
    say_result(io, "first", take(io, first, &a, IO_RANGE_EXCLUSIVE, false));
    say_result(io, "second", take(io, second, &b, IO_RANGE_EXCLUSIVE, false));
    say_result(io, "first unlocks", take(io, first, &a, IO_RANGE_UNLOCK, false));
    say_result(io, "second", take(io, second, &b, IO_RANGE_EXCLUSIVE, false));
    say_result(io, "first", take(io, first, &a, IO_RANGE_SHARED, true));
    say_result(io, "second unlocks", take(io, second, &b, IO_RANGE_UNLOCK, true));
    CHECK(fiber_unlink(io, "db") == 0);
}

struct values {
    int64_t wall, loop_wall;
    uint8_t a[40], b[40];
    char *text;
};

static void values_fn(struct io_helper *helper, void *arg) {
    struct values *values = arg;
    values->wall = io_help_wall(helper);
    io_help_random(helper, values->a, sizeof values->a);
    io_help_random(helper, values->b, sizeof values->b);
    mem_free(values->text);
    values->text = mem_strdup("taken by the helper, freed by the loop");
}

static void clocks_entropy_and_memory(struct io *io) {
    struct values values = {.loop_wall = io_wall(io), .text = mem_strdup("the other way round")};
    CHECK(fiber_help(io, io_helper_start(io, "values"), values_fn, &values) == 0);
    int64_t apart = values.wall - values.loop_wall;
    EXPECT(io, "its wall clock is the loop's", apart > -1000 * MS && apart < 10000 * MS);
    EXPECT(io, "two draws differ", memcmp(values.a, values.b, sizeof values.a) != 0);
    say(io, "  %s", values.text);
    mem_free(values.text);
}

static const struct scenario scenarios[] = {
    {"work is done in order", work_is_done_in_order},
    {"a busy helper holds up neither loop nor helpers", a_busy_helper_holds_up_neither_loop_nor_helpers},
    {"canceling work", canceling_work},
    {"blocking calls on files", blocking_calls_on_files},
    {"a file is used as it was opened", a_file_is_used_as_it_was_opened},
    {"large transfers are whole", large_transfers_are_whole},
    {"loops and helpers see the same files", loops_and_helpers_see_the_same_files},
    {"range locks", range_locks},
    {"locks hold between helpers", locks_hold_between_helpers},
    {"clocks, entropy and memory", clocks_entropy_and_memory},
};
CONTRACT_MAIN(scenarios)
