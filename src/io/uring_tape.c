/* uring_tape: the logs of a recording. */
#include "io/uring_tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/uring_internal.h"

static bool is_over(const struct tape_log *log) { return atomic_load(&log->recording->state) == RECORDING_OVER; }

/* The first to call this gives the reason. Loop 0 tells of it. */
static void over(struct recording *recording, const char *why) {
    struct io_node *node = CONTAINER_OF(recording, struct io_node, recording);
    const char *none = NULL;
    atomic_compare_exchange_strong(&recording->why, &none, why);
    atomic_store(&recording->state, RECORDING_OVER);
    mailbox_ring(NULL, atomic_load(&node->loops[0]));
}

void tape_drop_pending(struct recording *recording) {
    if (atomic_load(&recording->state) == RECORDING_PENDING) over(recording, "");
}

/* ---- a log's file ----------------------------------------------------------------------------------------------- */

static size_t to_pages(size_t len) { return (len + 4095) & ~(size_t)4095; }

static void unmap_window(struct tape_log *log) {
    if (log->window) munmap(log->window, log->window_size);
    log->window = log->at = log->end = NULL;
}

/* Moves the window to where the next entry goes, with room for `need` bytes. The blocks are there before they are
 * mapped: a full disk is an error here, and no signal later. */
static bool move_window(struct tape_log *log, size_t need) {
    struct recording *recording = log->recording;
    uint64_t to = log->mapped + (uint64_t)(log->at - log->window), start = to & ~UINT64_C(4095);
    size_t size = to_pages((size_t)(to - start) + (need > TAPE_WINDOW ? need : TAPE_WINDOW));
    if (atomic_fetch_add(&recording->bytes, size) + size > recording->bytes_max) {
        over(recording, "it has reached its size");
        return false;
    }
    int error = posix_fallocate(log->fd, (off_t)start, (off_t)size);
    uint8_t *mapped = error ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, (off_t)start);
    if (mapped == MAP_FAILED) {
        over(recording, error == ENOSPC ? "the disk is full" : "its file cannot be written");
        return false;
    }
    madvise(mapped, size, MADV_POPULATE_WRITE);     /* one entry into the kernel instead of one for each page */
    unmap_window(log);
    log->window = mapped;
    log->window_size = size;
    log->mapped = start;
    log->at = mapped + (to - start);
    log->end = mapped + size;
    return true;
}

static int64_t open_file(struct tape_log *log, const char *name) {
    char path[TAPE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", log->recording->dir, name);
    log->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (log->fd < 0) return uring_error(errno);
    int error = posix_fallocate(log->fd, 0, TAPE_HEADER_SIZE);
    if (error) return uring_error(error);
    void *header = mmap(NULL, TAPE_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
    if (header == MAP_FAILED) return uring_error(errno);
    log->header = header;
    memcpy(log->header->magic, TAPE_MAGIC, sizeof log->header->magic);
    snprintf(log->header->version, sizeof log->header->version, "%s", NORN_VERSION);
    log->mapped = TAPE_HEADER_SIZE;
    return 0;
}

/* What a killed process leaves has zeros after the last entry; what ends well has not. */
static void close_file(struct tape_log *log) {
    if (!log->header) return;
    unmap_window(log);
    if (ftruncate(log->fd, (off_t)(TAPE_HEADER_SIZE + log->header->len)) != 0) log->header = NULL;
    close(log->fd);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static void put_pending(struct tape_log *log, const void *head, size_t head_len, struct bytes bytes) {
    if (log->pending.len + head_len + bytes.len > TAPE_PENDING_MAX) {
        over(log->recording, "");
        return;
    }
    buf_append(&log->pending, head, head_len);
    buf_append_bytes(&log->pending, bytes);
}

static void put_bytes(struct tape_log *log, const void *head, size_t head_len, struct bytes bytes) {
    size_t len = head_len + bytes.len;
    if ((size_t)(log->end - log->at) < len && !move_window(log, len)) return;
    memcpy(log->at, head, head_len);
    if (bytes.len) memcpy(log->at + head_len, bytes.data, bytes.len);
    log->at += len;
    __atomic_store_n(&log->header->len, log->header->len + len, __ATOMIC_RELEASE);
}

static void put(struct tape_log *log, struct tape_entry *entry) {
    if (is_over(log)) return;
    uint8_t head[TAPE_HEAD_MAX];
    entry->chain = (uint32_t)log->chain;
    unsigned len = tape_encode(entry, head);
    if (log->header)
        put_bytes(log, head, len, entry->bytes);
    else
        put_pending(log, head, len, entry->bytes);
}

uint64_t tape_value(struct tape_log *log, enum tape_input what, uint64_t value) {
    if (log) put(log, &(struct tape_entry){.tag = TAPE_VALUE, .what = what, .value = value});
    return value;
}

void tape_bytes(struct tape_log *log, enum tape_input what, const void *data, size_t len) {
    if (log) put(log, &(struct tape_entry){.tag = TAPE_BYTES, .what = what, .bytes = bytes_of(data, len)});
}

const char *tape_text(struct tape_log *log, enum tape_input what, const char *text) {
    if (text)
        tape_bytes(log, what, text, strlen(text) + 1);
    else
        tape_value(log, what, 0);
    return text;
}

/* ---- beginning -------------------------------------------------------------------------------------------------- */

static struct tape_log *log_new(struct recording *recording) {
    struct tape_log *log = MEM_NEW(struct tape_log);
    log->recording = recording;
    log->fd = -1;
    return log;
}

static struct tape_log *log_open(struct recording *recording, const char *name) {
    struct tape_log *log = log_new(recording);
    if (open_file(log, name) == 0) return log;
    over(recording, "a log cannot be made");
    mem_free(log);
    return NULL;
}

/* Of a loop that begins, on its own thread. */
struct tape_log *tape_loop_log(struct io *io) {
    struct recording *recording = &io->node->recording;
    int state = atomic_load(&recording->state);
    if (state == RECORDING_OVER) return NULL;
    if (state == RECORDING_PENDING) return log_new(recording);
    char name[32];
    snprintf(name, sizeof name, "loop-%u", io->index);
    return log_open(recording, name);
}

static int64_t make_folder(struct recording *recording, const struct io_record *record) {
    char data[TAPE_PATH_MAX];
    snprintf(data, sizeof data, "%s/data", record->dir);
    if (mkdir(record->dir, 0700) != 0) return uring_error(errno);
    recording->dir = mem_strdup(record->dir);
    int64_t result = tape_copy_folder(record->data, record->lock, data);
    if (result < 0) rmdir(record->dir);              /* unless a part was copied */
    return result;
}

static int64_t begin(struct io *io, const struct io_record *record) {
    struct recording *recording = &io->node->recording;
    struct tape_log *log = io->log;
    if (!log || is_over(log)) return -IO_EINVAL;
    int64_t result = make_folder(recording, record);
    if (result == 0) result = open_file(log, "loop-0");
    if (result < 0) return result;
    recording->bytes_max = record->bytes_max;
    recording->ended = record->ended;
    recording->pages = mem_alloc(TAPE_PAGES * sizeof *recording->pages);
    atomic_store(&recording->state, RECORDING_RUNS);
    put_bytes(log, log->pending.data, log->pending.len, (struct bytes){0});
    buf_free(&log->pending);
    return 0;
}

int64_t io_record(struct io *io, const struct io_record *record) {
    CHECKF(io->index == 0 && atomic_load(&io->node->loop_count) == 1, "a recording begins before other loops do");
    int64_t result = begin(io, record);
    if (result < 0) over(&io->node->recording, "");
    tape_value(io->log, TAPE_INPUT_recording, (uint64_t)result);
    return result;
}

/* ---- loops -------------------------------------------------------------------------------------------------------- */

static void stop(struct io *io) {
    struct recording *recording = &io->node->recording;
    close_file(io->log);
    buf_free(&io->log->pending);
    mem_free(io->log);
    io->log = NULL;
    if (io->index == 0 && recording->ended) recording->ended(io, atomic_load(&recording->why));
}

void tape_turn(struct io *io) {
    struct tape_log *log = io->log;
    put(log, &(struct tape_entry){.tag = TAPE_TURN, .now = io->now - log->now, .wall = io->wall - log->wall});
    log->now = io->now;
    log->wall = io->wall;
    if (is_over(log)) stop(io);
}

static void add_sock(struct tape_entry *entry, enum tape_payload payload, struct io_sock sock) {
    entry->payload = payload;
    entry->slot = sock.slot;
    entry->generation = sock.generation;
}

/* What was read, without the zeros at its end, which a journal's segments mostly are. The result tells how many. */
static struct bytes without_zeros(const void *data, size_t len) {
    const uint8_t *at = data;
    while (len >= 8 && load_u64(at + len - 8) == 0) len -= 8;
    while (len && at[len - 1] == 0) len--;
    return bytes_of(data, len);
}

/* What the op gives beyond its result. */
static void add_payload(struct tape_entry *entry, const struct io_op *op) {
    switch (op_kind(op)) {
    case KIND_ACCEPT:
        if (!entry->more) return;
        add_sock(entry, TAPE_PEER, op->sock);
        entry->addr = op->peer;
        return;
    case KIND_CONNECT: add_sock(entry, TAPE_SOCK, op->sock); return;
    case KIND_RECV:
        if (!entry->more) return;
        entry->payload = TAPE_BUF;
        entry->buf_id = op->buf.id;
        entry->bytes = bytes_of(op->buf.data, op->buf.len);
        return;
    case KIND_OPEN:
        entry->payload = TAPE_FILE;
        entry->slot = op->file.slot;
        entry->generation = op->file.generation;
        return;
    case KIND_READ:
        entry->payload = TAPE_DATA;
        entry->bytes = without_zeros(file_read_into(op), (size_t)entry->result);
        return;
    case KIND_PATH_BLOCKING:
        entry->payload = TAPE_DATA;
        entry->bytes = path_list_given(op);
        return;
    case KIND_RESOLVE:
        entry->payload = TAPE_ADDR;
        entry->addr = op->addr;
        return;
    default: return;
    }
}

void tape_done(struct io *io, const struct io_op *op, int64_t result, bool more) {
    struct tape_entry entry = {.tag = TAPE_DONE, .sequence = io->sequence - op->sequence, .more = more,
                                 .result = result};
    if (result >= 0) add_payload(&entry, op);
    put(io->log, &entry);
}

void tape_message(struct io *io, unsigned from) {
    put(io->log, &(struct tape_entry){.tag = TAPE_MESSAGE, .loop = from});
}

void tape_hook(struct io *io) { put(io->log, &(struct tape_entry){.tag = TAPE_HOOK}); }

void tape_loop_end(struct io *io) {
    put(io->log, &(struct tape_entry){.tag = TAPE_END});
    close_file(io->log);
}

/* ---- helpers ------------------------------------------------------------------------------------------------------ */

void tape_helper_open(struct io_helper *helper, struct io *starter) {
    struct recording *recording = &helper->node->recording;
    tape_drop_pending(recording);
    if (atomic_load(&recording->state) != RECORDING_RUNS) return;
    char name[32];
    snprintf(name, sizeof name, "helper-%u-%u", starter->index, starter->helpers_started);
    helper->log = log_open(recording, name);
}

static void begin_turn(struct tape_log *log, struct tape_entry *entry) {
    struct recording *recording = log->recording;
    pthread_mutex_lock(&recording->turns);
    uint64_t turn = ++recording->turn;
    entry->turn = turn - log->turn;
    log->turn = turn;
}

/* With its entry, the turn goes on until tape_helper_leave. */
static void put_turn(struct io_helper *helper, const struct tape_entry *given) {
    struct tape_log *log = helper->log;
    struct tape_entry entry = *given;
    put(log, &entry);
    if (!is_over(log)) return;
    pthread_mutex_unlock(&log->recording->turns);
    close_file(log);
    mem_free(log);
    helper->log = NULL;
}

static void take_turn(struct io_helper *helper, struct tape_entry *entry) {
    begin_turn(helper->log, entry);
    put_turn(helper, entry);
}

void tape_helper_begin(struct io_helper *helper, const struct io *from, const struct io_op *op) {
    if (!helper->log) return;
    take_turn(helper, &(struct tape_entry){.tag = TAPE_JOB, .loop = from->index, .sequence = op->sequence});
}

void tape_helper_leave(struct io_helper *helper) {
    if (helper->log) pthread_mutex_unlock(&helper->log->recording->turns);
}

int64_t tape_help(struct io_helper *helper, enum tape_call call, int64_t result) {
    if (helper->log) take_turn(helper, &(struct tape_entry){.tag = TAPE_HELP, .what = call, .result = result});
    return result;
}

/* True when the table has these bytes there; it has them now. */
static bool page_known(struct recording *recording, uint64_t path, uint64_t offset, size_t len, uint64_t hash) {
    unsigned place;
    uint64_t key;
    if (!tape_page(path, offset, len, &place, &key)) return false;
    struct tape_page_hash *page = &recording->pages[place], now = {key, hash};
    bool known = page->key == key && page->hash == hash;
    *page = now;
    return known;
}

int64_t tape_help_read(struct io_helper *helper, uint64_t path, void *data, uint64_t offset, int64_t result) {
    if (!helper->log) return result;
    size_t len = result < 0 ? 0 : (size_t)result;
    struct tape_entry entry = {.tag = TAPE_HELP, .what = TAPE_CALL_read, .result = result};
    uint64_t hash = hash64(data, len);
    begin_turn(helper->log, &entry);
    if (page_known(helper->log->recording, path, offset, len, hash)) {
        entry.payload = TAPE_SAME;
    } else if (result >= 0) {
        entry.payload = TAPE_DATA;
        entry.bytes = without_zeros(data, len);
    }
    put_turn(helper, &entry);
    return result;
}

void tape_help_write(struct io_helper *helper, uint64_t path, const void *data, uint64_t offset, size_t len) {
    if (helper->log) page_known(helper->log->recording, path, offset, len, hash64(data, len));
}

int64_t tape_help_file(struct io_helper *helper, enum tape_call call, int64_t result, const struct io_file *file) {
    if (helper->log)
        take_turn(helper, &(struct tape_entry){.tag = TAPE_HELP, .what = call, .result = result,
                                                 .payload = result < 0 ? TAPE_NOTHING : TAPE_FILE,
                                                 .slot = result < 0 ? 0 : file->slot,
                                                 .generation = result < 0 ? 0 : file->generation});
    return result;
}

void tape_helper_end(struct io_helper *helper) {
    if (!helper->log) return;
    put(helper->log, &(struct tape_entry){.tag = TAPE_END});
    close_file(helper->log);
}
