/* sqlite_vfs: SQLite's files on the io seam.
 *
 * Several connections of one process, each on a helper of its own, share one database. They share its WAL index in heap
 * memory (no -shm file) and its locks here in the process. Towards other processes the database is locked whole: the
 * store takes the byte ranges that SQLite's own VFS takes for writing, so an outside sqlite3 is refused at once and
 * cannot do harm; when the process ends, the kernel drops them. */
#ifndef NORN_STORE_SQLITE_VFS_H
#define NORN_STORE_SQLITE_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "io/io.h"

enum { WAL_INDEX_REGIONS_MAX = 4096, WAL_INDEX_LOCKS = SQLITE_SHM_NLOCK };

/* What the connections to one database share. Zeroed at first. */
struct vfs_shared {
    atomic_flag busy;                            /* a spin lock; never held over io */
    unsigned readers;                            /* connections with a lock on the database file */
    struct vfs_file *writer;                     /* the one with more than a shared lock */
    bool writer_is_exclusive;
    void *regions[WAL_INDEX_REGIONS_MAX];        /* the WAL index, allocated when first asked for */
    unsigned region_count, region_users;
    uint16_t wal_shared[WAL_INDEX_LOCKS];
    bool wal_exclusive[WAL_INDEX_LOCKS];
};

/* One connection's files. */
struct vfs {
    sqlite3_vfs base;
    char name[32];
    struct io_helper *helper;                    /* that runs the connection at present */
    struct vfs_shared *shared;
    bool write_failed;                           /* or a sync: nobody knows what the files hold */
    int64_t error;                               /* the last io error that SQLite was told of; for texts */
    bool locks_out;                              /* the first connection: refuses other processes while it is open */
    bool crashed;                                /* simulator: the node is gone, unwind quietly */
};

/* Settings of SQLite that hold for the process: memory, threads, entropy. `seed` is from io_random. Once, or again. */
enum { VFS_SEED_LEN = 64 };
void vfs_setup(const uint8_t seed[VFS_SEED_LEN]);

/* Opens a connection on this helper; as sqlite3_open_v2. With `locks_out` it fails with vfs->error -IO_ELOCKED when
 * another process has the database open. */
int vfs_connect(struct vfs *vfs, struct vfs_shared *shared, struct io_helper *helper, bool locks_out, const char *path,
                int flags, sqlite3 **out);
/* Frees the WAL index. When no connection is left. */
void vfs_shared_free(struct vfs_shared *shared);

/* The bytes of a database file that SQLite's unix VFS locks: pending, reserved, and the shared range. */
enum { SQLITE_LOCK_START = 0x40000000, SQLITE_LOCK_LEN = 512 };

#endif
