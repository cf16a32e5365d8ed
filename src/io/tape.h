/* tape: the form of a recording, which the io_uring backend writes (uring_tape.c) and norn-replay reads.
 *
 * A recording is a folder:
 *   data/            what the data folder held when the recording began
 *   loop-N           the log of loop N
 *   helper-N-M       the log of the M-th helper that loop N started, from 0
 * A log is a header of TAPE_HEADER_SIZE bytes, then entries. It holds every input of its thread in the order taken.
 * Inputs of one thread follow from those of its own log and from the messages and work that others send it, so the
 * threads of a recording can be run again one by one, in any order in which a message is sent before it is received.
 * Helpers are the exception, as they share memory (SQLite's WAL index, its settings): while recording they take turns,
 * one runs at a time between two calls of io_help_*, and each turn has a number.
 *
 * Effects are not stored, but mixed into a chain, the trace hash of the thread: each submission with its bytes, each
 * message sent, each line printed. Entries hold the chain as it was, so a replay knows after which one it differs. */
#ifndef NORN_IO_TAPE_H
#define NORN_IO_TAPE_H

#include "base/bytes.h"
#include "io/io.h"

#define TAPE_MAGIC "NORNREC1"
enum { TAPE_HEADER_SIZE = 4096, TAPE_HEAD_MAX = 128, TAPE_PATH_MAX = IO_PATH_MAX + 64 };

struct tape_header {
    char magic[8];
    char version[24];               /* of the build */
    uint64_t len;                   /* bytes of entries; written after them, so a killed process leaves whole ones */
};

/* What a thread asks of io. Each is an effect; those of helpers, and the ones that end with `done`, give a result. */
#define TAPE_CALLS(X)                                                                                        \
    X(none) X(timer) X(defer) X(cancel) X(accept) X(connect) X(recv) X(buf_done) X(send) X(shutdown)           \
    X(sock_close) X(resolve) X(listen) X(open) X(close) X(read) X(write) X(datasync) X(allocate) X(truncate)   \
    X(size) X(unlink) X(rename) X(mkdir) X(rmdir) X(dir_sync) X(dir_list) X(disk_free) X(lock) X(helper_start) \
    X(helper_run) X(signals) X(post) X(print) X(exit) X(loop_start) X(exists) X(range_lock) X(sleep)
enum tape_call {
#define X(name) TAPE_CALL_##name,
    TAPE_CALLS(X)
#undef X
    TAPE_CALL_COUNT
};
const char *tape_call_name(unsigned call);

/* Inputs that are taken at once, without an op. */
#define TAPE_INPUTS(X)                                                                                       \
    X(none) X(argc) X(arg) X(env) X(cpu_count) X(hostname) X(pid) X(loop_index) X(random) X(listened) X(shared) \
    X(stats) X(terminal) X(width) X(stack) X(resident) X(cpu_ns) X(wall) X(clock) X(recording) X(env_at)
enum tape_input {
#define X(name) TAPE_INPUT_##name,
    TAPE_INPUTS(X)
#undef X
    TAPE_INPUT_COUNT
};
const char *tape_input_name(unsigned input);

enum tape_tag {
    TAPE_TURN = 1,                /* of a loop: now, wall */
    TAPE_DONE,                    /* an op's callback: sequence (how far back), more, result, payload */
    TAPE_MESSAGE,                 /* received: loop */
    TAPE_HOOK,                    /* the next armed hook runs */
    TAPE_VALUE,                   /* an input: what, value */
    TAPE_BYTES,                   /* an input: what, bytes */
    TAPE_JOB,                     /* of a helper: turn, loop, sequence of the op that it begins */
    TAPE_HELP,                    /* a blocking call came back: what (the call), turn, result, payload */
    TAPE_END,                     /* the thread came to its end */
};

enum tape_payload { TAPE_NOTHING, TAPE_DATA, TAPE_BUF, TAPE_SOCK, TAPE_PEER, TAPE_FILE, TAPE_ADDR, TAPE_SAME };

/* DATA is what was read without the zeros at its end, or the names in a folder. SAME: a helper's read gave what was
 * read or written there before (tape_page). */
struct tape_entry {
    enum tape_tag tag;
    enum tape_payload payload;
    bool more;
    unsigned what, loop;
    uint32_t chain;                 /* the low half of the chain before the entry */
    int64_t now, wall;              /* since the turn before */
    uint64_t sequence, turn, value; /* turn: since this helper's turn before */
    int64_t result;
    uint32_t buf_id;
    uint32_t slot, generation;      /* of a socket or file */
    struct io_addr addr;
    struct bytes bytes;
};

/* What io_listen gives, as the bytes of TAPE_INPUT_listened. */
struct tape_listened {
    int64_t result;
    struct io_sock sock;
    struct io_addr bound;
};

/* Writes all of the entry but its bytes, which come last. Gives the length. */
unsigned tape_encode(const struct tape_entry *entry, uint8_t head[TAPE_HEAD_MAX]);
/* Reads one entry, with its bytes borrowed. False when what is there is none. */
bool tape_decode(struct reader *reader, struct tape_entry *out);

/* SQLite reads again and again what it has read or written. Helpers' reads and writes of up to TAPE_PAGE_MAX bytes pass a
 * table, in the order of their turns: a place holds the one that came last. Gives the place for one, < TAPE_PAGES, and
 * its key there; false when its length is not kept. */
enum { TAPE_PAGES = 1 << 15, TAPE_PAGE_MAX = 1 << 16 };
bool tape_page(uint64_t path, uint64_t offset, size_t len, unsigned *place, uint64_t *key);

void tape_effect(uint64_t *chain, enum tape_call call, uint64_t a, uint64_t b, uint64_t c);
uint64_t tape_hash_text(const char *text);
uint64_t tape_hash_addr(const struct io_addr *addr);
uint64_t tape_hash_iov(const struct iovec *iov, unsigned count);
static inline uint64_t tape_handle(uint32_t slot, uint32_t generation) { return (uint64_t)slot << 32 | generation; }

#endif
