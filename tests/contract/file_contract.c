/* Files and folders: opening, reading, writing, direct IO, syncing, locks, names, full disks (C4, C6-C8, C10). */
#include "contract.h"

#include <string.h>

enum { READ = IO_OPEN_READ, WRITE = IO_OPEN_WRITE, BOTH = READ | WRITE, CREATE = IO_OPEN_CREATE };

static struct io_file open_file(struct io *io, const char *path, unsigned flags) {
    struct io_file file;
    int64_t result = fiber_open(io, path, flags, &file);
    CHECKF(result == 0, "%s: %s", path, io_error_text(result));
    return file;
}

static void close_file(struct io *io, struct io_file file) { CHECK(fiber_close(io, file) == 0); }

static int64_t try_open(struct io *io, const char *path, unsigned flags) {
    struct io_file file;
    int64_t result = fiber_open(io, path, flags, &file);
    if (result >= 0) close_file(io, file);
    return result;
}

/* Memory at a multiple of IO_DIRECT_ALIGN; freed through *whole. */
static uint8_t *aligned(size_t len, void **whole) {
    *whole = mem_alloc(len + IO_DIRECT_ALIGN);
    uintptr_t at = ((uintptr_t)*whole + IO_DIRECT_ALIGN - 1) & ~(uintptr_t)(IO_DIRECT_ALIGN - 1);
    return (uint8_t *)at;
}

static bool all_zero(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (data[i]) return false;
    return true;
}

static void opening(struct io *io) {
    say_result(io, "a missing file", try_open(io, "missing", READ));
    say_result(io, "create", try_open(io, "file", WRITE | CREATE));
    say_result(io, "create, when it is there", try_open(io, "file", WRITE | CREATE));
    say_result(io, "create exclusively", try_open(io, "file", WRITE | CREATE | IO_OPEN_EXCLUSIVE));
    say_result(io, "create in a missing folder", try_open(io, "no/file", WRITE | CREATE));
    say_result(io, "below a file", try_open(io, "file/x", READ));
    CHECK(fiber_mkdir(io, "folder") == 0);
    say_result(io, "a folder, to read", try_open(io, "folder", READ));
    say_result(io, "a folder, to write", try_open(io, "folder", WRITE));
    CHECK(fiber_rmdir(io, "folder") == 0);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void opening_with_truncate(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    CHECK(fiber_write(io, file, "12345", 5, 0) == 5);
    close_file(io, file);
    file = open_file(io, "file", BOTH);
    say_count(io, "size", fiber_size(io, file));
    close_file(io, file);
    file = open_file(io, "file", BOTH | IO_OPEN_TRUNCATE);
    say_count(io, "size after truncate", fiber_size(io, file));
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void the_path_is_copied(struct io *io) {
    char path[] = "copied";
    struct probe probe;
    probe_init(&probe, "open");
    PROBE(&probe, io_open(io, &probe.op, path, WRITE | CREATE));
    memset(path, 'x', sizeof path - 1);
    probe_wait(io, &probe);
    close_file(io, probe.op.file);
    say_result(io, "unlink", fiber_unlink(io, "copied"));
}

static void reading_and_writing(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    char data[16] = {0};
    say_count(io, "write", fiber_write(io, file, "hello", 5, 0));
    say_count(io, "read at the start", fiber_read(io, file, data, 5, 0));
    say(io, "  \"%s\"", data);
    say_count(io, "read over the end", fiber_read(io, file, data, 10, 3));
    say_count(io, "read at the end", fiber_read(io, file, data, 10, 5));
    say_count(io, "read past the end", fiber_read(io, file, data, 10, 500));
    say_count(io, "write past the end", fiber_write(io, file, "x", 1, 100));
    say_count(io, "size", fiber_size(io, file));
    uint8_t gap[95];
    CHECK(fiber_read(io, file, gap, sizeof gap, 5) == sizeof gap);
    EXPECT(io, "the gap reads as zeros", all_zero(gap, sizeof gap));
    say_count(io, "write of nothing", fiber_write(io, file, data, 0, 0));
    say_count(io, "read of nothing", fiber_read(io, file, data, 0, 0));
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void a_large_write_is_whole(struct io *io) {
    enum { LEN = 5 << 20, AT = 12345 };
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    uint8_t *data = mem_alloc(LEN);
    pattern_fill(data, LEN, 0);
    say_count(io, "write", fiber_write(io, file, data, LEN, AT));
    memset(data, 0, LEN);
    say_count(io, "read", fiber_read(io, file, data, LEN, AT));
    EXPECT(io, "the same bytes", pattern_matches(data, LEN, 0));
    mem_free(data);
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

/* More ops at once than a submission queue has entries. */
static void a_thousand_writes_at_once(struct io *io) {
    enum { COUNT = 1500, LEN = 512 };
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    struct probe *probes = mem_alloc(COUNT * sizeof *probes);
    uint8_t *data = mem_alloc(COUNT * LEN);
    pattern_fill(data, COUNT * LEN, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        probe_init(&probes[i], NULL);
        PROBE(&probes[i], io_write(io, &probes[i].op, file, data + i * LEN, LEN, i * LEN));
    }
    unsigned whole = 0;
    for (unsigned i = 0; i < COUNT; i++) whole += probe_wait(io, &probes[i]) == LEN && probes[i].calls == 1;
    say(io, "  whole: %u", whole);
    memset(data, 0, COUNT * LEN);
    say_count(io, "read", fiber_read(io, file, data, COUNT * LEN, 0));
    EXPECT(io, "the same bytes", pattern_matches(data, COUNT * LEN, 0));
    mem_free(probes);
    mem_free(data);
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void direct_files(struct io *io) {
    enum { LEN = 4 * IO_DIRECT_ALIGN };
    struct io_file file = open_file(io, "direct", BOTH | CREATE | IO_OPEN_EXCLUSIVE | IO_OPEN_DIRECT);
    void *whole;
    uint8_t *data = aligned(LEN, &whole);
    pattern_fill(data, LEN, 0);
    say_result(io, "allocate", fiber_allocate(io, file, 0, 1 << 20));
    say_count(io, "write", fiber_write(io, file, data, LEN, LEN));
    say_result(io, "data sync", fiber_datasync(io, file));
    memset(data, 0, LEN);
    say_count(io, "read", fiber_read(io, file, data, LEN, LEN));
    EXPECT(io, "the same bytes", pattern_matches(data, LEN, 0));
    say_count(io, "read before it", fiber_read(io, file, data, LEN, 0));
    EXPECT(io, "zeros", all_zero(data, LEN));
    say_result(io, "truncate", fiber_truncate(io, file, LEN + 100));
    say_count(io, "read over the end", fiber_read(io, file, data, LEN, LEN));
    say_count(io, "read past the end", fiber_read(io, file, data, LEN, 1 << 20));
    close_file(io, file);
    mem_free(whole);
    CHECK(fiber_unlink(io, "direct") == 0);
}

static void allocating_and_truncating(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    uint8_t data[64];
    CHECK(fiber_write(io, file, "0123456789", 10, 0) == 10);
    say_result(io, "allocate", fiber_allocate(io, file, 5, 995));
    say_count(io, "size", fiber_size(io, file));
    CHECK(fiber_read(io, file, data, sizeof data, 0) == sizeof data);
    EXPECT(io, "old bytes stay, new ones are zeros",
           memcmp(data, "0123456789", 10) == 0 && all_zero(data + 10, sizeof data - 10));
    say_result(io, "allocate what is there", fiber_allocate(io, file, 0, 10));
    say_count(io, "size", fiber_size(io, file));
    say_result(io, "truncate", fiber_truncate(io, file, 4));
    say_count(io, "size", fiber_size(io, file));
    say_result(io, "truncate to more", fiber_truncate(io, file, 40));
    say_count(io, "read", fiber_read(io, file, data, sizeof data, 0));
    EXPECT(io, "what was cut is zeros", memcmp(data, "0123", 4) == 0 && all_zero(data + 4, 36));
    say_result(io, "allocate nothing", fiber_allocate(io, file, 0, 0));
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void a_disk_can_be_full(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    say_result(io, "allocate 2^62 bytes", fiber_allocate(io, file, 0, (uint64_t)1 << 62));
    CHECK(fiber_truncate(io, file, 0) == 0);
    say_result(io, "the file is usable after that: write", fiber_write(io, file, "x", 1, 0));
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
    EXPECT(io, "there is room on the disk", fiber_disk_free(io, ".") > 0);
    say_result(io, "room of a missing folder", fiber_disk_free(io, "missing"));
}

static void writing_what_is_open_to_read(struct io *io) {
    close_file(io, open_file(io, "file", WRITE | CREATE));
    struct io_file file = open_file(io, "file", READ);
    char byte = 0;
    say_count(io, "write", fiber_write(io, file, "x", 1, 0));
    say_result(io, "truncate", fiber_truncate(io, file, 0));
    say_result(io, "allocate", fiber_allocate(io, file, 0, 1));
    say_result(io, "lock", fiber_lock(io, file));
    close_file(io, file);
    file = open_file(io, "file", WRITE);
    say_count(io, "read of what is open to write", fiber_read(io, file, &byte, 1, 0));
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void durability(struct io *io) {
    CHECK(fiber_mkdir(io, "d") == 0);
    struct io_file file = open_file(io, "d/new", BOTH | CREATE);
    say_count(io, "write", fiber_write(io, file, "record", 6, 0));
    say_result(io, "data sync", fiber_datasync(io, file));
    say_result(io, "folder sync", fiber_dir_sync(io, "d"));
    say_result(io, "rename", fiber_rename(io, "d/new", "d/name"));
    say_result(io, "folder sync", fiber_dir_sync(io, "d"));
    say_result(io, "data sync of the renamed file", fiber_datasync(io, file));
    say_result(io, "folder sync of a missing folder", fiber_dir_sync(io, "missing"));
    say_result(io, "folder sync of a file", fiber_dir_sync(io, "d/name"));
    close_file(io, file);
    CHECK(fiber_unlink(io, "d/name") == 0 && fiber_rmdir(io, "d") == 0);
}

static void names(struct io *io) {
    close_file(io, open_file(io, "a", WRITE | CREATE));
    struct io_file b = open_file(io, "b", WRITE | CREATE);
    CHECK(fiber_write(io, b, "bb", 2, 0) == 2);
    close_file(io, b);
    say_result(io, "rename over another", fiber_rename(io, "b", "a"));
    say_result(io, "the old name", try_open(io, "b", READ));
    b = open_file(io, "a", READ);
    say_count(io, "size under the new name", fiber_size(io, b));
    close_file(io, b);
    say_result(io, "rename what is missing", fiber_rename(io, "b", "c"));
    say_result(io, "rename into a missing folder", fiber_rename(io, "a", "no/a"));
    say_result(io, "make a folder", fiber_mkdir(io, "d"));
    say_result(io, "make it again", fiber_mkdir(io, "d"));
    say_result(io, "make one in a missing folder", fiber_mkdir(io, "no/d"));
    say_result(io, "rename into the folder", fiber_rename(io, "a", "d/a"));
    say_result(io, "remove a folder that is not empty", fiber_rmdir(io, "d"));
    say_result(io, "unlink a folder", fiber_unlink(io, "d"));
    say_result(io, "remove a file as a folder", fiber_rmdir(io, "d/a"));
    say_result(io, "unlink", fiber_unlink(io, "d/a"));
    say_result(io, "unlink again", fiber_unlink(io, "d/a"));
    say_result(io, "rename a folder", fiber_rename(io, "d", "e"));
    say_result(io, "remove the folder", fiber_rmdir(io, "e"));
    say_result(io, "remove it again", fiber_rmdir(io, "e"));
}

static void an_unlinked_file_lives_while_it_is_open(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    CHECK(fiber_write(io, file, "still", 5, 0) == 5);
    CHECK(fiber_unlink(io, "file") == 0);
    char data[6] = {0};
    say_count(io, "read", fiber_read(io, file, data, 5, 0));
    say(io, "  \"%s\"", data);
    close_file(io, file);
}

static void say_names(struct io *io, const char *path) {
    struct buf list = {0};
    int64_t count = fiber_dir_list(io, path, &list);
    say_count(io, "list", count);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        say(io, "    %s", (const char *)list.data + at);
        at += strlen((const char *)list.data + at) + 1;
    }
    CHECK(at == list.len);
    buf_free(&list);
}

static void folders_are_listed_in_order(struct io *io) {
    static const char *const files[] = {"d/b", "d/a", "d/B", "d/a.b", "d/10", "d/9", "d/.hidden", "d/ab", "d/\xc3\xa4"};
    CHECK(fiber_mkdir(io, "d") == 0);
    say_names(io, "d");
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) close_file(io, open_file(io, files[i], WRITE | CREATE));
    CHECK(fiber_mkdir(io, "d/folder") == 0);
    say_names(io, "d");
    say_names(io, "missing");
    say_names(io, "d/a");
    struct buf twice = {0};
    buf_append_str(&twice, "before");
    CHECK(fiber_dir_list(io, "d/folder", &twice) == 0);
    EXPECT(io, "names are appended", twice.len == 6);
    buf_free(&twice);
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) CHECK(fiber_unlink(io, files[i]) == 0);
    CHECK(fiber_rmdir(io, "d/folder") == 0 && fiber_rmdir(io, "d") == 0);
}

static void locks(struct io *io) {
    struct io_file first = open_file(io, "lock", BOTH | CREATE), second = open_file(io, "lock", BOTH);
    say_result(io, "first", fiber_lock(io, first));
    say_result(io, "first again", fiber_lock(io, first));
    say_result(io, "second", fiber_lock(io, second));
    close_file(io, first);
    say_result(io, "second, when the first is closed", fiber_lock(io, second));
    first = open_file(io, "lock", BOTH);
    say_result(io, "first, opened again", fiber_lock(io, first));
    close_file(io, first);
    first = open_file(io, "lock", BOTH);
    say_result(io, "and once more", fiber_lock(io, first));
    close_file(io, first);
    close_file(io, second);
    CHECK(fiber_unlink(io, "lock") == 0);
}

static void closing_with_writes_under_way(struct io *io) {
    enum { COUNT = 8, LEN = 1 << 20 };
    uint8_t *data = mem_alloc(LEN);
    unsigned ended = 0, legal = 0;
    for (int round = 0; round < 4; round++) {
        struct io_file file = open_file(io, "file", BOTH | CREATE);
        struct probe writes[COUNT], sync, close;
        for (int i = 0; i < COUNT; i++) {
            probe_init(&writes[i], NULL);
            io_write(io, &writes[i].op, file, data, LEN, (uint64_t)i * LEN);
        }
        probe_init(&sync, NULL);
        probe_init(&close, NULL);
        io_datasync(io, &sync.op, file);
        for (int yields = 0; yields < round; yields++) fiber_yield(io);
        PROBE(&close, io_close(io, &close.op, file));
        CHECK(probe_wait(io, &close) == 0);
        for (int i = 0; i < COUNT; i++) {
            ended += writes[i].finals == 1 && !writes[i].op.busy;
            legal += writes[i].last == LEN || writes[i].last == -IO_ECANCELED;
        }
        CHECK(!sync.op.busy && (sync.last == 0 || sync.last == -IO_ECANCELED));
    }
    say(io, "  writes that had ended: %u, whole or canceled: %u", ended, legal);
    mem_free(data);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void canceling_file_ops(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    uint8_t data[4096] = {0};
    for (int i = 0; i < 20; i++) {
        struct probe write, sync, open;
        probe_init(&write, NULL);
        probe_init(&sync, NULL);
        probe_init(&open, NULL);
        io_write(io, &write.op, file, data, sizeof data, 0);
        io_datasync(io, &sync.op, file);
        io_open(io, &open.op, "file", READ);
        if (i % 2) fiber_yield(io);
        io_cancel(io, &sync.op);
        io_cancel(io, &write.op);
        io_cancel(io, &open.op);
        int64_t wrote = probe_wait(io, &write), synced = probe_wait(io, &sync), opened = probe_wait(io, &open);
        CHECK(wrote == sizeof data || wrote == -IO_ECANCELED);
        CHECK(synced == 0 || synced == -IO_ECANCELED);
        CHECK(opened == 0 || opened == -IO_ECANCELED);
        if (opened == 0) close_file(io, open.op.file);
    }
    say(io, "  each had its result or was canceled");
    close_file(io, file);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void handles_are_used_again(struct io *io) {
    for (int i = 0; i < 200; i++) {
        struct io_file file = open_file(io, "file", BOTH | CREATE);
        CHECK(fiber_write(io, file, &i, sizeof i, 0) == sizeof i);
        close_file(io, file);
    }
    struct io_file files[100];
    for (int i = 0; i < 100; i++) files[i] = open_file(io, "file", READ);
    int value = 0;
    for (int i = 0; i < 100; i++) {
        CHECK(fiber_read(io, files[i], &value, sizeof value, 0) == sizeof value);
        close_file(io, files[i]);
    }
    say(io, "  value %d", value);
    CHECK(fiber_unlink(io, "file") == 0);
}

static void a_whole_file_is_read(struct io *io) {
    struct io_file file = open_file(io, "file", BOTH | CREATE);
    CHECK(fiber_write(io, file, "contents", 8, 0) == 8);
    close_file(io, file);
    struct buf out = {0};
    say_result(io, "over the limit", fiber_read_file(io, "file", 7, &out));
    say_result(io, "within the limit", fiber_read_file(io, "file", 8, &out));
    say(io, "  \"%s\"", buf_cstr(&out));
    say_result(io, "missing", fiber_read_file(io, "missing", 8, &out));
    buf_free(&out);
    CHECK(fiber_unlink(io, "file") == 0);
}

static const struct scenario scenarios[] = {
    {"opening", opening},
    {"opening with truncate", opening_with_truncate},
    {"the path is copied", the_path_is_copied},
    {"reading and writing", reading_and_writing},
    {"a large write is whole", a_large_write_is_whole},
    {"a thousand writes at once", a_thousand_writes_at_once},
    {"direct files", direct_files},
    {"allocating and truncating", allocating_and_truncating},
    {"a disk can be full", a_disk_can_be_full},
    {"writing what is open to read", writing_what_is_open_to_read},
    {"durability", durability},
    {"names", names},
    {"an unlinked file lives while it is open", an_unlinked_file_lives_while_it_is_open},
    {"folders are listed in order", folders_are_listed_in_order},
    {"locks", locks},
    {"closing with writes under way", closing_with_writes_under_way},
    {"canceling file ops", canceling_file_ops},
    {"handles are used again", handles_are_used_again},
    {"a whole file is read", a_whole_file_is_read},
};
CONTRACT_MAIN(scenarios)
