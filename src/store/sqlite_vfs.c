/* sqlite_vfs: SQLite's files, locks, memory and entropy on the io seam. */
#include "store/sqlite_vfs.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct vfs_file {
    sqlite3_file base;
    struct vfs *vfs;
    struct io_file file;
    const char *path;                /* SQLite's, lives as long as the file */
    bool is_database;
    bool folder_unsynced;            /* just created: its name is durable only after the folder's sync */
    bool delete_on_close;
    int lock;                        /* SQLITE_LOCK_* on the database file */
    bool uses_index;
    uint16_t index_shared, index_exclusive;      /* bits of the WAL index's locks */
};

static struct vfs_file *file_of(sqlite3_file *file) { return (struct vfs_file *)file; }
static struct vfs *vfs_of(sqlite3_vfs *base) { return CONTAINER_OF(base, struct vfs, base); }

static void lock_shared(struct vfs_shared *shared) {
    while (atomic_flag_test_and_set_explicit(&shared->busy, memory_order_acquire)) {}
}
static void unlock_shared(struct vfs_shared *shared) {
    atomic_flag_clear_explicit(&shared->busy, memory_order_release);
}

/* SQLite's code for an io result; remembers what it was. */
static int code_of(struct vfs *vfs, int64_t result, int otherwise) {
    if (result >= 0) return SQLITE_OK;
    vfs->error = result;
    if (result == -IO_ECRASHED) vfs->crashed = true;
    if (result == -IO_ENOSPC) return SQLITE_FULL;
    return otherwise;
}

static int code_of_write(struct vfs *vfs, int64_t result, int otherwise) {
    if (result < 0 && result != -IO_ENOSPC) vfs->write_failed = true;
    return code_of(vfs, result, otherwise);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static int sync_folder(struct vfs *vfs, const char *path) {
    char folder[IO_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    CHECK(len < sizeof folder);
    memcpy(folder, path, len);
    folder[len] = 0;
    const char *name = !slash ? "." : len ? folder : "/";
    return code_of_write(vfs, io_help_dir_sync(vfs->helper, name), SQLITE_IOERR_DIR_FSYNC);
}

static int file_close(sqlite3_file *base) {
    struct vfs_file *file = file_of(base);
    struct vfs *vfs = file->vfs;
    base->pMethods = NULL;
    int code = code_of(vfs, io_help_close(vfs->helper, file->file), SQLITE_IOERR_CLOSE);
    if (file->delete_on_close) io_help_unlink(vfs->helper, file->path);
    return code;
}

static int file_read(sqlite3_file *base, void *data, int len, sqlite3_int64 offset) {
    struct vfs_file *file = file_of(base);
    int64_t got = io_help_read(file->vfs->helper, file->file, data, (size_t)len, (uint64_t)offset);
    if (got < 0) return code_of(file->vfs, got, SQLITE_IOERR_READ);
    if (got == len) return SQLITE_OK;
    memset((char *)data + got, 0, (size_t)(len - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset) {
    struct vfs_file *file = file_of(base);
    int64_t result = io_help_write(file->vfs->helper, file->file, data, (size_t)len, (uint64_t)offset);
    return code_of_write(file->vfs, result, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    struct vfs_file *file = file_of(base);
    int64_t result = io_help_truncate(file->vfs->helper, file->file, (uint64_t)size);
    return code_of_write(file->vfs, result, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags) {
    (void)flags;
    struct vfs_file *file = file_of(base);
    int64_t result = io_help_sync(file->vfs->helper, file->file);
    if (result == -IO_ENOSPC) result = -IO_EIO;      /* after a failed sync nothing is known of what was written */
    int code = code_of_write(file->vfs, result, SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK || !file->folder_unsynced) return code;
    code = sync_folder(file->vfs, file->path);
    if (code == SQLITE_OK) file->folder_unsynced = false;
    return code;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    struct vfs_file *file = file_of(base);
    int64_t result = io_help_size(file->vfs->helper, file->file);
    *size = result < 0 ? 0 : result;
    return code_of(file->vfs, result, SQLITE_IOERR_FSTAT);
}

static int file_control(sqlite3_file *base, int op, void *arg) {
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}
static int file_sector_size(sqlite3_file *base) { return (void)base, 4096; }
static int file_traits(sqlite3_file *base) { return (void)base, SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

/* ---- locks on the database file, between our own connections --------------------------------------------------- */

static bool may_lock(const struct vfs_shared *shared, const struct vfs_file *file, int level) {
    bool other_writes = shared->writer && shared->writer != file;
    if (level == SQLITE_LOCK_SHARED) return !(other_writes && shared->writer_is_exclusive);
    if (other_writes) return false;
    return level != SQLITE_LOCK_EXCLUSIVE || shared->readers == 1;
}

static int file_lock(sqlite3_file *base, int level) {
    struct vfs_file *file = file_of(base);
    struct vfs_shared *shared = file->vfs->shared;
    if (level <= file->lock) return SQLITE_OK;
    lock_shared(shared);
    bool granted = may_lock(shared, file, level);
    if (granted) {
        if (file->lock == SQLITE_LOCK_NONE) shared->readers++;
        if (level > SQLITE_LOCK_SHARED) shared->writer = file;
        if (level == SQLITE_LOCK_EXCLUSIVE) shared->writer_is_exclusive = true;
        file->lock = level;
    }
    unlock_shared(shared);
    return granted ? SQLITE_OK : SQLITE_BUSY;
}

static int file_unlock(sqlite3_file *base, int level) {
    struct vfs_file *file = file_of(base);
    struct vfs_shared *shared = file->vfs->shared;
    if (level >= file->lock) return SQLITE_OK;
    lock_shared(shared);
    if (shared->writer == file) {
        shared->writer = NULL;
        shared->writer_is_exclusive = false;
    }
    if (level == SQLITE_LOCK_NONE) shared->readers--;
    file->lock = level;
    unlock_shared(shared);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out) {
    struct vfs_shared *shared = file_of(base)->vfs->shared;
    lock_shared(shared);
    *out = shared->writer != NULL;
    unlock_shared(shared);
    return SQLITE_OK;
}

/* ---- the WAL index --------------------------------------------------------------------------------------------- */

static int index_map(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
    struct vfs_file *file = file_of(base);
    struct vfs_shared *shared = file->vfs->shared;
    *out = NULL;
    if (region >= WAL_INDEX_REGIONS_MAX) return SQLITE_FULL;
    lock_shared(shared);
    if (!file->uses_index) {
        file->uses_index = true;
        shared->region_users++;
    }
    while (extend && shared->region_count <= (unsigned)region)
        shared->regions[shared->region_count++] = mem_alloc((size_t)size);
    if ((unsigned)region < shared->region_count) *out = shared->regions[region];
    unlock_shared(shared);
    return SQLITE_OK;
}

static bool may_lock_index(const struct vfs_shared *shared, const struct vfs_file *file, int slot, bool exclusive) {
    unsigned others = shared->wal_shared[slot] - (file->index_shared >> slot & 1u);
    bool own = file->index_exclusive >> slot & 1;
    if (shared->wal_exclusive[slot] && !own) return false;
    return !exclusive || others == 0;
}

static void lock_index(struct vfs_shared *shared, struct vfs_file *file, int slot, int flags) {
    uint16_t bit = (uint16_t)(1u << slot);
    if (flags & SQLITE_SHM_EXCLUSIVE) {
        shared->wal_exclusive[slot] = flags & SQLITE_SHM_LOCK;
        if (flags & SQLITE_SHM_LOCK) file->index_exclusive |= bit;
        else file->index_exclusive &= (uint16_t)~bit;
    } else if (flags & SQLITE_SHM_LOCK) {
        if (!(file->index_shared & bit)) shared->wal_shared[slot]++;
        file->index_shared |= bit;
    } else {
        if (file->index_shared & bit) shared->wal_shared[slot]--;
        file->index_shared &= (uint16_t)~bit;
    }
}

static int index_lock(sqlite3_file *base, int first, int count, int flags) {
    struct vfs_file *file = file_of(base);
    struct vfs_shared *shared = file->vfs->shared;
    CHECK(first >= 0 && count >= 1 && first + count <= WAL_INDEX_LOCKS);
    lock_shared(shared);
    bool granted = true;
    for (int slot = first; slot < first + count && (flags & SQLITE_SHM_LOCK); slot++)
        granted = granted && may_lock_index(shared, file, slot, flags & SQLITE_SHM_EXCLUSIVE);
    for (int slot = first; slot < first + count && granted; slot++) lock_index(shared, file, slot, flags);
    unlock_shared(shared);
    return granted ? SQLITE_OK : SQLITE_BUSY;
}

static void index_barrier(sqlite3_file *base) {
    (void)base;
    atomic_thread_fence(memory_order_seq_cst);
}

/* The regions stay until vfs_shared_free, but once nobody uses them they must read as fresh. */
static int index_unmap(sqlite3_file *base, int delete) {
    (void)delete;
    struct vfs_file *file = file_of(base);
    struct vfs_shared *shared = file->vfs->shared;
    if (!file->uses_index) return SQLITE_OK;
    lock_shared(shared);
    for (int slot = 0; slot < WAL_INDEX_LOCKS; slot++) {
        if (file->index_exclusive >> slot & 1) shared->wal_exclusive[slot] = false;
        if (file->index_shared >> slot & 1) shared->wal_shared[slot]--;
    }
    file->index_exclusive = file->index_shared = 0;
    file->uses_index = false;
    if (--shared->region_users == 0) {
        while (shared->region_count) mem_free(shared->regions[--shared->region_count]);
    }
    unlock_shared(shared);
    return SQLITE_OK;
}

void vfs_shared_free(struct vfs_shared *shared) {
    while (shared->region_count) mem_free(shared->regions[--shared->region_count]);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = index_map,
    .xShmLock = index_lock,
    .xShmBarrier = index_barrier,
    .xShmUnmap = index_unmap,
};

/* ---- the file system ------------------------------------------------------------------------------------------- */

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags, int *out_flags) {
    struct vfs *vfs = vfs_of(base);
    struct vfs_file *file = file_of(out);
    *file = (struct vfs_file){.vfs = vfs, .path = path};
    if (!path) return SQLITE_CANTOPEN;       /* a temporary file; temp_store keeps those in memory */
    unsigned how = IO_OPEN_READ;
    if (flags & SQLITE_OPEN_READWRITE) how |= IO_OPEN_WRITE;
    if (flags & SQLITE_OPEN_CREATE) {
        int64_t there = io_help_exists(vfs->helper, path);
        if (there < 0) return code_of(vfs, there, SQLITE_CANTOPEN);
        how |= IO_OPEN_CREATE;
        file->folder_unsynced = !there;
    }
    int64_t result = io_help_open(vfs->helper, path, how, &file->file);
    if (result < 0) return code_of(vfs, result, SQLITE_CANTOPEN);
    bool locks = vfs->locks_out && (flags & SQLITE_OPEN_MAIN_DB);
    if (locks)
        result = io_help_range_lock(vfs->helper, file->file, IO_RANGE_EXCLUSIVE, SQLITE_LOCK_START, SQLITE_LOCK_LEN);
    if (result < 0) {
        io_help_close(vfs->helper, file->file);
        return code_of(vfs, result, SQLITE_CANTOPEN);
    }
    file->is_database = flags & SQLITE_OPEN_MAIN_DB;
    file->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
    file->base.pMethods = &methods;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync) {
    struct vfs *vfs = vfs_of(base);
    int64_t result = io_help_unlink(vfs->helper, path);
    if (result == -IO_ENOENT) return SQLITE_IOERR_DELETE_NOENT;
    if (result < 0) return code_of(vfs, result, SQLITE_IOERR_DELETE);
    return sync ? sync_folder(vfs, path) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *out) {
    (void)flags;
    struct vfs *vfs = vfs_of(base);
    int64_t there = io_help_exists(vfs->helper, path);
    *out = there > 0;
    return code_of(vfs, there, SQLITE_IOERR_ACCESS);
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int len, char *out) {
    (void)base;
    size_t path_len = strlen(path);
    if (path_len >= (size_t)len) return SQLITE_CANTOPEN;
    memcpy(out, path, path_len + 1);
    return SQLITE_OK;
}

static int vfs_sleep(sqlite3_vfs *base, int us) {
    io_help_sleep(vfs_of(base)->helper, (int64_t)us * 1000);
    return us;
}

static int vfs_time(sqlite3_vfs *base, sqlite3_int64 *julian_ms) {
    *julian_ms = io_help_wall(vfs_of(base)->helper) / 1000000 + 210866760000000;
    return SQLITE_OK;
}

static int vfs_time_old(sqlite3_vfs *base, double *julian) {
    sqlite3_int64 ms;
    int code = vfs_time(base, &ms);
    *julian = (double)ms / 86400000.0;
    return code;
}

static int vfs_last_error(sqlite3_vfs *base, int len, char *text) { return (void)base, (void)len, (void)text, 0; }

static int vfs_random(sqlite3_vfs *base, int len, char *out) {
    io_help_random(vfs_of(base)->helper, out, (size_t)len);
    return len;
}

int vfs_connect(struct vfs *vfs, struct vfs_shared *shared, struct io_helper *helper, bool locks_out, const char *path,
                int flags, sqlite3 **out) {
    *vfs = (struct vfs){
        .helper = helper,
        .shared = shared,
        .locks_out = locks_out,
        .base = {
            .iVersion = 2,
            .szOsFile = sizeof(struct vfs_file),
            .mxPathname = IO_PATH_MAX,
            .xOpen = vfs_open,
            .xDelete = vfs_delete,
            .xAccess = vfs_access,
            .xFullPathname = vfs_full_path,
            .xRandomness = vfs_random,
            .xSleep = vfs_sleep,
            .xCurrentTime = vfs_time_old,
            .xGetLastError = vfs_last_error,
            .xCurrentTimeInt64 = vfs_time,
        },
    };
    /* SQLite finds a VFS by name, in a list of the process. It is there only while the connection opens, under a name
     * that nobody else has, so that the list never holds memory of a node that is gone. */
    snprintf(vfs->name, sizeof vfs->name, "norn-%p", (void *)vfs);
    vfs->base.zName = vfs->name;
    int code = sqlite3_vfs_register(&vfs->base, 0);
    if (code != SQLITE_OK) return code;
    code = sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX, vfs->name);
    sqlite3_vfs_unregister(&vfs->base);
    return code;
}

/* ---- settings of the process ----------------------------------------------------------------------------------- */

enum { SIZE_ROOM = 16 };     /* before each block of memory: its size */

static void *sql_malloc(int size) {
    uint64_t *block = mem_realloc(NULL, (size_t)size + SIZE_ROOM);
    block[0] = (uint64_t)size;
    return (char *)block + SIZE_ROOM;
}
static int sql_size(void *data) { return data ? (int)*(uint64_t *)((char *)data - SIZE_ROOM) : 0; }
static void sql_free(void *data) { mem_free((char *)data - SIZE_ROOM); }
static void *sql_realloc(void *data, int size) {
    uint64_t *block = mem_realloc((char *)data - SIZE_ROOM, (size_t)size + SIZE_ROOM);
    block[0] = (uint64_t)size;
    return (char *)block + SIZE_ROOM;
}
static int sql_round(int size) { return (size + 7) & ~7; }
static int sql_init(void *ctx) { return (void)ctx, SQLITE_OK; }
static void sql_shutdown(void *ctx) { (void)ctx; }

static const sqlite3_mem_methods memory = {
    .xMalloc = sql_malloc, .xFree = sql_free, .xRealloc = sql_realloc, .xSize = sql_size,
    .xRoundup = sql_round, .xInit = sql_init, .xShutdown = sql_shutdown,
};

/* SQLite draws the seed of its own generator (WAL salts) from the default VFS, which serves nothing else. */
static uint8_t entropy[VFS_SEED_LEN];

static int seed_random(sqlite3_vfs *base, int len, char *out) {
    (void)base;
    for (int i = 0; i < len; i++) out[i] = (char)entropy[i % VFS_SEED_LEN];
    return len;
}
static int seed_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags, int *out_flags) {
    (void)base, (void)path, (void)flags, (void)out_flags;
    out->pMethods = NULL;
    return SQLITE_CANTOPEN;
}
static sqlite3_vfs seed_vfs = {
    .iVersion = 1, .szOsFile = sizeof(struct vfs_file), .mxPathname = 512, .zName = "norn-none",
    .xOpen = seed_open, .xFullPathname = vfs_full_path, .xRandomness = seed_random, .xGetLastError = vfs_last_error,
};

void vfs_setup(const uint8_t seed[VFS_SEED_LEN]) {
    static bool configured;
    if (!configured) {
        configured = true;
        CHECK(sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK);
        CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK);
        CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
        CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
        CHECK(sqlite3_initialize() == SQLITE_OK);
        CHECK(sqlite3_vfs_register(&seed_vfs, 1) == SQLITE_OK);
    }
    memcpy(entropy, seed, VFS_SEED_LEN);
    uint8_t first;
    sqlite3_randomness(0, NULL);
    sqlite3_randomness(1, &first);
}
