/* tools: looking at a store from outside, copying it while it serves, and bringing a copy back. For the `norn` command.
 * All on a fiber. */
#ifndef NORN_STORE_TOOLS_H
#define NORN_STORE_TOOLS_H

#include "store/store.h"

/* ---- journal dump: a stopped store, a backup, or a serving one as it is at the moment -------------------------- */

struct store_dump_record {
    const struct store_record *record;    /* its sequence is set; payload as stored */
    uint64_t segment, offset;             /* of the flight that carries it */
    int64_t wall;                         /* ns; when that was written */
    const char *kind;                     /* "execution", "delete", "node", "start", "stop" */
    uint64_t epoch;                       /* of "start" */
};
struct store_dump {
    uint64_t from, to;                    /* sequences; 0: from the oldest, to the newest */
    void (*record)(void *ctx, const struct store_dump_record *record);   /* borrowed for the call */
    void *ctx;
};
struct status store_journal_dump(struct io *io, const char *dir, const struct store_dump *dump, struct arena *arena);
/* One line of text for a record: envelope and place; of the payload only the size, so that no user's data shows. The
 * command adds the payload, decoded by the engine, with --payloads. */
void store_dump_line(const struct store_dump_record *record, struct buf *out);

/* ---- journal verify: a stopped store or a backup; reads everything, changes nothing ---------------------------- */

struct store_verify {
    uint64_t segments, flights, records, bytes;       /* of the journal, from the first record that is needed */
    uint64_t first_sequence, last_sequence;
    uint64_t applied;                     /* up to here everything is in norn.db */
    uint64_t executions, epoch;
    uint8_t store_id[16];
};
/* OK, or what is wrong: the first damage in the journal, or what SQLite's integrity check says. */
struct status store_verify(struct io *io, const char *dir, struct store_verify *out, struct arena *arena);

/* ---- backup and restore ---------------------------------------------------------------------------------------- */

struct store_backup {
    uint64_t files, bytes;
    uint64_t last_sequence;               /* it ends here; what was acknowledged when it began is in it */
};
/* Copies a serving store into `to`, a folder that is not there yet (then the one that it is in is made too, if need be) or
 * is empty; on loop 0. Commits go on meanwhile;
 * checkpoints wait. The copy is synced, and has a list of its files with checksums, BACKUP. */
struct status store_backup(struct store *store, const char *to, struct store_backup *out, struct arena *arena);
/* Copies a backup into `to`, a folder that is not there yet or is empty, checks every file against BACKUP, and then
 * verifies the store. On a failure `to` is not to be used. */
struct status store_restore(struct io *io, const char *from, const char *to, struct store_backup *out,
                            struct arena *arena);

#endif
