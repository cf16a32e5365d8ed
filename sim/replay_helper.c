/* replay_helper: helpers, which take the turns that they had. */
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "replay.h"

enum { HELP_HELPER, HELP_FN, HELP_ARG, HELP_STATE };         /* op->args */
enum { WORK_WAITS = 1, WORK_DONE };

bool helper_work_done(const struct io_op *op) { return op->args[HELP_STATE] == WORK_DONE; }

/* ---- turns ------------------------------------------------------------------------------------------------------ */

/* The next entry, when its turn has come; taken. */
static struct tape_entry take_turn(struct io_helper *helper) {
    while (helper->node->turn + 1 != helper->turn + reel_peek(&helper->reel)->turn)
        reel_wait(&helper->reel, "another helper's turn");
    struct tape_entry entry = *reel_peek(&helper->reel);
    helper->node->turn++;
    helper->turn += entry.turn;
    reel_take(&helper->reel);
    return entry;
}

static struct io_op *work_of(struct io_helper *helper, const struct tape_entry *entry) {
    struct io_node *node = helper->node;
    if (entry->tag == TAPE_END) reel_take(&helper->reel);
    if (entry->tag != TAPE_JOB) reel_differs(&helper->reel, "no work is under way");
    struct io_op *op;
    while (entry->loop >= node->loop_count || !(op = op_find(node->loops[entry->loop], entry->sequence)))
        reel_wait(&helper->reel, "work of a loop");
    if (op->kind != TAPE_CALL_helper_run || op->args[HELP_HELPER] != (uintptr_t)helper)
        reel_differs(&helper->reel, "the op is no work of this helper");
    return op;
}

static void helper_main(void *arg) {
    struct io_helper *helper = arg;
    for (;;) {
        struct io_op *op = work_of(helper, reel_peek(&helper->reel));
        take_turn(helper);
        io_helper_fn *fn = (io_helper_fn *)(uintptr_t)op->args[HELP_FN];
        fn(helper, (void *)(uintptr_t)op->args[HELP_ARG]);
        op->args[HELP_STATE] = WORK_DONE;
    }
}

struct io_helper *io_helper_start(struct io *io, const char *name) {
    struct io_node *node = io->node;
    CHECK(node->helper_count < HELPERS_MAX);
    struct io_helper *helper = MEM_NEW(struct io_helper);
    char file[32];
    helper->node = node;
    reel_effect(&io->reel, TAPE_CALL_helper_start, tape_hash_text(name), 0, 0);
    snprintf(file, sizeof file, "helper-%u-%u", io->index, io->helpers_started++);
    reel_open(&helper->reel, node, file, helper_main);
    node->helpers[node->helper_count++] = helper;
    return helper;
}

void io_helper_run(struct io *io, struct io_op *op, struct io_helper *helper, io_helper_fn *fn, void *arg) {
    op->args[HELP_HELPER] = (uintptr_t)helper;
    op->args[HELP_FN] = (uintptr_t)fn;
    op->args[HELP_ARG] = (uintptr_t)arg;
    op->args[HELP_STATE] = WORK_WAITS;
    op_submit(io, op, TAPE_CALL_helper_run, 0, 0, 0);
}

/* ---- blocking calls ------------------------------------------------------------------------------------------------- */

static uint64_t of_file(struct io_file file) { return tape_handle(file.slot, file.generation); }

static struct tape_entry call(struct io_helper *helper, enum tape_call call, uint64_t a, uint64_t b, uint64_t c) {
    reel_effect(&helper->reel, call, a, b, c);
    const struct tape_entry *entry = reel_peek(&helper->reel);
    if (entry->tag != TAPE_HELP || entry->what != call)
        reel_differs(&helper->reel, "the code calls %s", tape_call_name(call));
    return take_turn(helper);
}

static uint64_t path_of(const struct io_helper *helper, struct io_file file) {
    CHECK(file.slot < HELPER_FILES_MAX);
    return helper->paths[file.slot];
}

static void keep_page(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    unsigned place;
    uint64_t key;
    if (!tape_page(path_of(helper, file), offset, len, &place, &key)) return;
    struct page *page = &helper->node->pages[place];
    page->key = key;
    page->data = mem_realloc(page->data, len);
    memcpy(page->data, data, len);
}

static void read_page(struct io_helper *helper, struct io_file file, void *data, const struct tape_entry *entry,
                      size_t len, uint64_t offset) {
    unsigned place;
    uint64_t key;
    size_t got = (size_t)entry->result;
    bool kept = got <= len && tape_page(path_of(helper, file), offset, got, &place, &key);
    if (!kept || helper->node->pages[place].key != key || !helper->node->pages[place].data)
        reel_differs(&helper->reel, "nothing was read or written there before");
    memcpy(data, helper->node->pages[place].data, got);
}

int64_t io_help_open(struct io_helper *helper, const char *path, unsigned flags, struct io_file *out) {
    struct tape_entry entry = call(helper, TAPE_CALL_open, tape_hash_text(path), flags, 0);
    if (entry.result < 0) return entry.result;
    if (entry.slot >= HELPER_FILES_MAX) reel_differs(&helper->reel, "it has too many files");
    helper->paths[entry.slot] = tape_hash_text(path);
    *out = (struct io_file){entry.slot, entry.generation};
    return entry.result;
}
int64_t io_help_close(struct io_helper *helper, struct io_file file) {
    return call(helper, TAPE_CALL_close, of_file(file), 0, 0).result;
}
int64_t io_help_read(struct io_helper *helper, struct io_file file, void *data, size_t len, uint64_t offset) {
    struct tape_entry entry = call(helper, TAPE_CALL_read, of_file(file), len, offset);
    if (entry.payload == TAPE_SAME) read_page(helper, file, data, &entry, len, offset);
    else if (entry.result > 0) reel_fill(&helper->reel, &entry, data, len);
    if (entry.result > 0) keep_page(helper, file, data, (size_t)entry.result, offset);
    return entry.result;
}
int64_t io_help_write(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset) {
    keep_page(helper, file, data, len, offset);
    return call(helper, TAPE_CALL_write, of_file(file), hash64(data, len), offset).result;
}
int64_t io_help_sync(struct io_helper *helper, struct io_file file) {
    return call(helper, TAPE_CALL_datasync, of_file(file), 0, 0).result;
}
int64_t io_help_truncate(struct io_helper *helper, struct io_file file, uint64_t size) {
    return call(helper, TAPE_CALL_truncate, of_file(file), size, 0).result;
}
int64_t io_help_size(struct io_helper *helper, struct io_file file) {
    return call(helper, TAPE_CALL_size, of_file(file), 0, 0).result;
}
int64_t io_help_unlink(struct io_helper *helper, const char *path) {
    return call(helper, TAPE_CALL_unlink, tape_hash_text(path), 0, 0).result;
}
int64_t io_help_exists(struct io_helper *helper, const char *path) {
    return call(helper, TAPE_CALL_exists, tape_hash_text(path), 0, 0).result;
}
int64_t io_help_dir_sync(struct io_helper *helper, const char *path) {
    return call(helper, TAPE_CALL_dir_sync, tape_hash_text(path), 0, 0).result;
}
int64_t io_help_range_lock(struct io_helper *helper, struct io_file file, enum io_range_lock kind, uint64_t offset,
                           uint64_t len) {
    return call(helper, TAPE_CALL_range_lock, of_file(file), (uint64_t)kind << 62 | offset, len).result;
}
void io_help_sleep(struct io_helper *helper, int64_t ns) { call(helper, TAPE_CALL_sleep, (uint64_t)ns, 0, 0); }
int64_t io_help_wall(struct io_helper *helper) { return (int64_t)reel_value(&helper->reel, TAPE_INPUT_wall); }
void io_help_random(struct io_helper *helper, void *buf, size_t len) {
    struct bytes given = reel_bytes(&helper->reel, TAPE_INPUT_random);
    if (given.len != len) reel_differs(&helper->reel, "the code draws %zu random bytes", len);
    memcpy(buf, given.data, len);
}
