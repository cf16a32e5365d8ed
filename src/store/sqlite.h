/* sqlite: the documented tables, and what is done with them. Everything here runs on a helper.
 *
 * Three connections: one writes, one loads executions, one lists; each has a helper of its own, so that a long list
 * holds up neither the checkpoint nor loads. No transaction is synced by itself (synchronous=NORMAL in WAL mode):
 * the journal holds what SQLite may lose, until database_sync. */
#ifndef NORN_STORE_SQLITE_H
#define NORN_STORE_SQLITE_H

#include "base/arena.h"
#include "store/record.h"
#include "store/sqlite_vfs.h"
#include "store/store.h"

enum { DATABASE_FORMAT = 1 };

enum database_statement {
    SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_META_GET, SQL_META_SET, SQL_NODE_SET, SQL_NODE_DELETE, SQL_IMAGE_PUT,
    SQL_HISTORY_PUT, SQL_VISIBILITY_PUT, SQL_IMAGE_DELETE, SQL_HISTORY_DELETE, SQL_VISIBILITY_DELETE,
    SQL_LOAD_NUMBER, SQL_LOAD_RUN, SQL_LOAD_NEWEST, SQL_LOAD_HISTORY, SQL_LOAD_VISIBILITY,
    SQL_NODE_VALUES, SQL_HASHES, SQL_IDLE, SQL_WITH_TASKS, SQL_STATEMENTS,
};

struct database {
    struct vfs vfs;
    sqlite3 *sql;                             /* NULL: not connected */
    sqlite3_stmt *statements[SQL_STATEMENTS]; /* prepared when first used */
};

/* What the database knows of the store. */
struct database_meta {
    bool present;                             /* false: a new database */
    uint32_t format;
    uint8_t store_id[STORE_ID_LEN];
    uint64_t applied;                         /* every record up to this sequence is in the tables */
    struct flight_place needed;               /* a flight that begins at or before applied + 1; to read from */
    uint64_t execution_max;
    uint64_t epoch;
    uint64_t durable;                         /* the journal was durable up to here at the last transaction */
};

enum database_result {
    DATABASE_OK,
    DATABASE_LOCKED,          /* another process has it open */
    DATABASE_FULL,            /* no space; nothing was changed */
    DATABASE_CRASHED,         /* simulator: unwind, touch nothing */
    DATABASE_NEWER,           /* the format is of a later build */
    DATABASE_REFUSED,         /* a filter or a page token that makes no sense; the text says why */
    DATABASE_UNREAD,          /* a read failed; nothing was changed, and it may be tried again */
    DATABASE_DAMAGED,         /* what was read cannot be right */
    DATABASE_FAILED,          /* the text says how */
};

/* One change for the tables, kept in a list in an arena. */
struct put {
    struct put *next;
    enum { PUT_IMAGE, PUT_DELETE, PUT_VISIBILITY, PUT_NODE } kind;
    struct store_image image;                 /* DELETE: the number only */
    struct bytes name, value;                 /* NODE; an empty value removes it */
};

enum database_role {
    DATABASE_WRITES,          /* the first to connect: makes the tables, refuses other processes */
    DATABASE_READS,
    DATABASE_CHECKS,          /* alone, on a stopped store: refuses other processes, changes nothing */
};

/* Connects. The writer makes the file and its tables when they are not there. *error is in the arena. */
enum database_result database_open(struct database *db, enum database_role role, struct vfs_shared *shared,
                                   struct io_helper *helper, const char *path, struct arena *arena, const char **error);
/* Bounds the connection's page cache; less than the usual one. */
void database_limit_cache(struct database *db, uint64_t bytes);
/* Closes; the last connection to close moves the WAL into the database and removes it. */
void database_close(struct database *db);

enum database_result database_meta_read(struct database *db, struct database_meta *out, struct arena *arena,
                                        const char **error);
/* One transaction, not synced: the changes in order; with `meta`, its values (but for `durable`); and `durable`, so
 * that recovery knows that a journal which ends below it is damaged. */
enum database_result database_apply(struct database *db, const struct put *puts, const struct database_meta *meta,
                                    uint64_t durable, struct arena *arena, const char **error);
/* Moves the WAL into the database file and syncs it. *whole: all of it; false while a reader still needs the rest. */
enum database_result database_sync(struct database *db, bool *whole, struct arena *arena, const char **error);

/* Loads one execution into the arena; *image is NULL when there is none. */
enum database_result database_load(struct database *db, const struct store_key *key, struct arena *arena,
                                   const struct store_image **image, const char **error);
enum database_result database_list(struct database *db, const struct store_list *list, struct arena *arena,
                                   struct store_rows *out, const char **error);
/* SQLite's integrity check; *problems is its text, empty when all is well. */
enum database_result database_verify(struct database *db, struct arena *arena, const char **problems,
                                     const char **error);
enum database_result database_count(struct database *db, const struct store_list *list, struct arena *arena,
                                    const struct store_count **counts, size_t *count, const char **error);

/* The prepared statement, reset; NULL when it cannot be prepared. */
sqlite3_stmt *database_statement(struct database *db, enum database_statement which);
/* What the last call on the connection means; the text goes into the arena. */
enum database_result database_failed(struct database *db, struct arena *arena, const char **error);
struct bytes column_bytes(sqlite3_stmt *statement, int column, struct arena *arena);

#endif
