/* io_disk: a disk that forgets what was not synced.
 *
 * Each file has two images made of 4 KiB pages: what the node reads now, and what is durable. A page that is the same
 * in both is shared. Writes are remembered as extents until a sync covers them. A sync covers the writes whose `done`
 * ran before it was submitted; for any other the dice decide. Without a sync an extent can still become durable at any
 * time, in any order (write-back), so that an older state of a rewritten block can be the one that a crash leaves.
 *
 * When power is lost, each extent that is left is kept, lost, or torn at 512 bytes (a prefix, a suffix, or any sectors
 * of it), and so is the file's size: it can survive without the bytes, which then read as zeros. Each seed prefers
 * other odds at each crash. Folder entries are the same: creations, renames and removals are pending until a sync of
 * their folder, and are kept or lost one by one (a rename within a folder or between two is one).
 *
 * Blocks are counted; beyond the limit writes, allocations and new entries get IO_ENOSPC. */
#include <stdlib.h>

#include "io_sim.h"

enum { PAGE = 4096, SECTOR = 512, EXTENTS_MAX = 4096 };

struct extent {
    uint64_t offset, len, id, done;     /* done: the disk's clock when its completion ran; UINT64_MAX before */
};

struct entry {
    char *name;
    struct inode *inode;
};
struct entries {
    struct entry *items;
    size_t count, cap;
};
struct change {                         /* pending: the name now means inode, or nothing */
    char *name;
    struct inode *inode;
    uint64_t group;                     /* changes of one group are kept or lost together */
};

struct range_lock {
    uint64_t owner, offset, len;
    bool exclusive;
};

struct inode {
    struct list link;                   /* disk.inodes, in order of creation */
    uint64_t number;
    uint32_t refs;
    bool is_dir;
    uint8_t **now, **durable;           /* pages; NULL is a hole, zero_page an allocated one without bytes */
    size_t page_count;
    uint64_t size, durable_size;
    uint64_t bad_from, bad_to;          /* cannot be read until it is written */
    struct extent *extents;
    size_t extent_count, extent_cap;
    struct entries entries, durable_entries;
    struct change *changes;
    size_t change_count, change_cap;
    uint64_t lock_owner;
    struct range_lock *ranges;
    size_t range_count;
};

struct disk {
    struct world *world;
    struct list inodes;
    struct inode *root;
    uint64_t pages_used, pages_max;
    uint64_t clock, last_inode, last_group;
    int64_t ghost_until;
    uint8_t **spare;                    /* free pages */
    size_t spare_count, spare_cap;
};

static uint8_t zero_page[PAGE];         /* never written */

static struct prng *dice(struct disk *disk) { return &disk->world->streams[PRNG_DISK]; }

/* ---- pages ---- */

static uint8_t *page_take(struct disk *disk) {
    if (disk->spare_count) return disk->spare[--disk->spare_count];
    return world_realloc(NULL, PAGE);
}

static void page_give(struct disk *disk, uint8_t *page) {
    if (!page || page == zero_page) return;
    if (disk->spare_count == disk->spare_cap) {
        disk->spare_cap = disk->spare_cap ? disk->spare_cap * 2 : 256;
        disk->spare = world_realloc(disk->spare, disk->spare_cap * sizeof *disk->spare);
    }
    disk->spare[disk->spare_count++] = page;
}

static bool pages_fit(const struct disk *disk, uint64_t more) {
    return disk->pages_used + more <= disk->pages_max;
}

static void pages_room(struct inode *inode, size_t count) {
    if (count <= inode->page_count) return;
    size_t cap = inode->page_count ? inode->page_count : 4;
    while (cap < count) cap *= 2;
    inode->now = world_realloc(inode->now, cap * sizeof *inode->now);
    inode->durable = world_realloc(inode->durable, cap * sizeof *inode->durable);
    memset(inode->now + inode->page_count, 0, (cap - inode->page_count) * sizeof *inode->now);
    memset(inode->durable + inode->page_count, 0, (cap - inode->page_count) * sizeof *inode->durable);
    inode->page_count = cap;
}

/* Another page in the present image. */
static void set_now(struct disk *disk, struct inode *inode, size_t index, uint8_t *page) {
    uint8_t *old = inode->now[index];
    if (old == page) return;
    disk->pages_used += (page != NULL);
    disk->pages_used -= (old != NULL);
    if (old != inode->durable[index]) page_give(disk, old);
    inode->now[index] = page;
}

/* The present page becomes the durable one; they are shared then. */
static void settle_page(struct disk *disk, struct inode *inode, size_t index) {
    if (inode->durable[index] == inode->now[index]) return;
    page_give(disk, inode->durable[index]);
    inode->durable[index] = inode->now[index];
}

/* A page of the present image that may be written. */
static uint8_t *own_now(struct disk *disk, struct inode *inode, size_t index, bool whole) {
    uint8_t *page = inode->now[index];
    if (page && page != zero_page && page != inode->durable[index]) return page;
    uint8_t *fresh = page_take(disk);
    if (!whole) memcpy(fresh, page ? page : zero_page, PAGE);
    set_now(disk, inode, index, fresh);
    return fresh;
}

static uint8_t *own_durable(struct disk *disk, struct inode *inode, size_t index) {
    uint8_t *page = inode->durable[index];
    if (page && page != zero_page && page != inode->now[index]) return page;
    uint8_t *fresh = page_take(disk);
    memcpy(fresh, page ? page : zero_page, PAGE);
    inode->durable[index] = fresh;
    return fresh;
}

/* ---- what becomes durable ---- */

static void settle_sectors(struct disk *disk, struct inode *inode, uint64_t from, uint64_t to) {
    from = from / SECTOR * SECTOR;
    to = (to + SECTOR - 1) / SECTOR * SECTOR;
    while (from < to) {
        size_t index = from / PAGE;
        uint64_t end = (uint64_t)(index + 1) * PAGE < to ? (uint64_t)(index + 1) * PAGE : to;
        if (index >= inode->page_count) return;
        if (from % PAGE == 0 && end - from == PAGE) {
            settle_page(disk, inode, index);
        } else if (inode->durable[index] != inode->now[index]) {
            const uint8_t *page = inode->now[index] ? inode->now[index] : zero_page;
            memcpy(own_durable(disk, inode, index) + from % PAGE, page + from % PAGE, end - from);
        }
        from = end;
    }
}

static void settle_extent(struct disk *disk, struct inode *inode, const struct extent *extent) {
    settle_sectors(disk, inode, extent->offset, extent->offset + extent->len);
    uint64_t end = extent->offset + extent->len;
    if (end > inode->size) end = inode->size;
    if (end > inode->durable_size) inode->durable_size = end;
}

/* Some sectors of it. */
static void tear_extent(struct disk *disk, struct inode *inode, const struct extent *extent) {
    uint64_t first = extent->offset / SECTOR, last = (extent->offset + extent->len + SECTOR - 1) / SECTOR;
    uint64_t cut = first + prng_below(dice(disk), last - first + 1);
    switch (prng_below(dice(disk), 3)) {
    case 0:
        settle_sectors(disk, inode, first * SECTOR, cut * SECTOR);
        break;
    case 1:
        settle_sectors(disk, inode, cut * SECTOR, last * SECTOR);
        break;
    default:
        for (uint64_t sector = first; sector < last; sector++)
            if (prng_chance(dice(disk), 500000)) settle_sectors(disk, inode, sector * SECTOR, (sector + 1) * SECTOR);
    }
    uint64_t end = extent->offset + extent->len;
    if (end > inode->size) end = inode->size;
    if (end > inode->durable_size && prng_chance(dice(disk), 500000)) inode->durable_size = end;
}

static void drop_extent(struct inode *inode, size_t index) {
    inode->extent_count--;
    memmove(inode->extents + index, inode->extents + index + 1, (inode->extent_count - index) * sizeof *inode->extents);
}

static void write_back(struct disk *disk, struct inode *inode) {
    size_t index = prng_below(dice(disk), inode->extent_count);
    settle_extent(disk, inode, &inode->extents[index]);
    drop_extent(inode, index);
}

static uint64_t add_extent(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t len) {
    if (inode->extent_count >= EXTENTS_MAX)
        while (inode->extent_count > EXTENTS_MAX / 2) write_back(disk, inode);
    if (inode->extent_count && fault_strikes(disk->world, FAULT_WRITEBACK, PRNG_DISK, 60000)) write_back(disk, inode);
    if (inode->extent_count == inode->extent_cap) {
        inode->extent_cap = inode->extent_cap ? inode->extent_cap * 2 : 16;
        inode->extents = world_realloc(inode->extents, inode->extent_cap * sizeof *inode->extents);
    }
    inode->extents[inode->extent_count++] = (struct extent){offset, len, ++disk->clock, UINT64_MAX};
    return disk->clock;
}

void disk_done(struct inode *inode, uint64_t id) {
    for (size_t i = inode->extent_count; i-- > 0;) {
        if (inode->extents[i].id != id) continue;
        inode->extents[i].done = id;
        return;
    }
}

uint64_t disk_sync_mark(struct inode *inode) {
    /* Extents whose done ran are marked in place: the mark is the number of the newest extent that was there. */
    for (size_t i = 0; i < inode->extent_count; i++)
        if (inode->extents[i].done != UINT64_MAX) inode->extents[i].done = 0;
    return inode->extent_count ? inode->extents[inode->extent_count - 1].id : 0;
}

void disk_sync(struct disk *disk, struct inode *inode, uint64_t mark) {
    size_t kept = 0;
    for (size_t i = 0; i < inode->extent_count; i++) {
        struct extent extent = inode->extents[i];
        bool covered = extent.done == 0 && extent.id <= mark;
        if (covered || prng_chance(dice(disk), 500000))
            settle_extent(disk, inode, &extent);
        else
            inode->extents[kept++] = extent;
    }
    inode->extent_count = kept;
    if (!kept || inode->durable_size > inode->size) inode->durable_size = inode->size;
}

/* ---- the bytes of a file ---- */

int64_t disk_size(struct inode *inode) { return (int64_t)inode->size; }

int64_t disk_read(struct inode *inode, void *data, size_t len, uint64_t offset) {
    if (offset >= inode->size) return 0;
    if (len > inode->size - offset) len = inode->size - offset;
    if (offset < inode->bad_to && inode->bad_from < offset + len) return -IO_EIO;
    uint8_t *to = data;
    for (size_t left = len; left;) {
        size_t index = offset / PAGE, at = offset % PAGE, part = PAGE - at < left ? PAGE - at : left;
        const uint8_t *page = index < inode->page_count ? inode->now[index] : NULL;
        memcpy(to, (page ? page : zero_page) + at, part);
        to += part;
        offset += part;
        left -= part;
    }
    return (int64_t)len;
}

/* Pages of [offset, offset + len) that have no block yet. */
static uint64_t blocks_missing(const struct inode *inode, uint64_t offset, uint64_t len) {
    uint64_t missing = 0;
    for (uint64_t index = offset / PAGE; index * PAGE < offset + len; index++)
        missing += index >= inode->page_count || !inode->now[index];
    return missing;
}

int64_t disk_write(struct disk *disk, struct inode *inode, const void *data, size_t len, uint64_t offset,
                   uint64_t *extent) {
    if (inode->is_dir) return -IO_EISDIR;
    if (!len) return 0;
    if (!pages_fit(disk, blocks_missing(inode, offset, len))) return -IO_ENOSPC;
    pages_room(inode, (offset + len + PAGE - 1) / PAGE);
    const uint8_t *from = data;
    uint64_t place = offset;
    for (size_t left = len; left;) {
        size_t index = place / PAGE, at = place % PAGE, part = PAGE - at < left ? PAGE - at : left;
        memcpy(own_now(disk, inode, index, part == PAGE) + at, from, part);
        from += part;
        place += part;
        left -= part;
    }
    if (offset < inode->bad_to && inode->bad_from < offset + len) inode->bad_from = inode->bad_to = 0;
    if (offset + len > inode->size) inode->size = offset + len;
    uint64_t id = add_extent(disk, inode, offset, len);
    if (extent)
        *extent = id;
    else
        disk_done(inode, id);
    return (int64_t)len;
}

int64_t disk_allocate(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t len) {
    /* At least so many are missing; told before the pages of an absurd length are looked at one by one. */
    uint64_t whole = len / PAGE;
    if (whole > inode->page_count && !pages_fit(disk, whole - inode->page_count)) return -IO_ENOSPC;
    if (!pages_fit(disk, blocks_missing(inode, offset, len))) return -IO_ENOSPC;
    pages_room(inode, (offset + len + PAGE - 1) / PAGE);
    for (uint64_t index = offset / PAGE; index * PAGE < offset + len; index++)
        if (!inode->now[index]) set_now(disk, inode, index, zero_page);
    uint64_t from = inode->size < offset ? inode->size : offset;
    if (offset + len > inode->size) inode->size = offset + len;
    disk_done(inode, add_extent(disk, inode, from, offset + len - from));
    return 0;
}

int64_t disk_truncate(struct disk *disk, struct inode *inode, uint64_t size) {
    uint64_t old = inode->size;
    inode->size = size;
    if (size >= old) {
        if (size > old) disk_done(inode, add_extent(disk, inode, old, size - old));
        pages_room(inode, (size + PAGE - 1) / PAGE);
        return 0;
    }
    for (size_t index = (size + PAGE - 1) / PAGE; index < inode->page_count; index++)
        set_now(disk, inode, index, NULL);
    if (size % PAGE && inode->now[size / PAGE])
        memset(own_now(disk, inode, size / PAGE, false) + size % PAGE, 0, PAGE - size % PAGE);
    disk_done(inode, add_extent(disk, inode, size, old - size));
    return 0;
}

/* ---- entries of a folder, sorted by name ---- */

static char *copy_name(const char *name) {
    size_t len = strlen(name) + 1;
    return memcpy(world_alloc(len), name, len);
}

static size_t entry_place(const struct entries *entries, const char *name, bool *found) {
    size_t low = 0, high = entries->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(entries->items[middle].name, name);
        if (order == 0) *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct inode *entry_find(const struct entries *entries, const char *name) {
    bool found;
    size_t place = entry_place(entries, name, &found);
    return found ? entries->items[place].inode : NULL;
}

static void inode_drop(struct disk *disk, struct inode *inode);

void inode_release(struct disk *disk, struct inode *inode) {
    CHECK(inode->refs);
    if (--inode->refs == 0) inode_drop(disk, inode);
}

/* The name means inode from now on; NULL removes it. */
static void entry_set(struct disk *disk, struct entries *entries, const char *name, struct inode *inode) {
    bool found;
    size_t place = entry_place(entries, name, &found);
    if (inode) inode->refs++;
    if (found && inode) {
        struct inode *old = entries->items[place].inode;
        entries->items[place].inode = inode;
        inode_release(disk, old);
    } else if (found) {
        struct entry old = entries->items[place];
        entries->count--;
        memmove(entries->items + place, entries->items + place + 1, (entries->count - place) * sizeof old);
        world_free(old.name);
        inode_release(disk, old.inode);
    } else if (inode) {
        if (entries->count == entries->cap) {
            entries->cap = entries->cap ? entries->cap * 2 : 8;
            entries->items = world_realloc(entries->items, entries->cap * sizeof *entries->items);
        }
        memmove(entries->items + place + 1, entries->items + place, (entries->count - place) * sizeof *entries->items);
        entries->items[place] = (struct entry){copy_name(name), inode};
        entries->count++;
    }
}

static void entries_clear(struct disk *disk, struct entries *entries) {
    struct entries old = *entries;
    *entries = (struct entries){0};
    for (size_t i = 0; i < old.count; i++) {
        world_free(old.items[i].name);
        inode_release(disk, old.items[i].inode);
    }
    world_free(old.items);
}

static void dir_set(struct disk *disk, struct inode *dir, const char *name, struct inode *inode, uint64_t group) {
    if (dir->change_count == dir->change_cap) {
        dir->change_cap = dir->change_cap ? dir->change_cap * 2 : 8;
        dir->changes = world_realloc(dir->changes, dir->change_cap * sizeof *dir->changes);
    }
    if (inode) inode->refs++;
    dir->changes[dir->change_count++] = (struct change){copy_name(name), inode, group};
    entry_set(disk, &dir->entries, name, inode);
}

static void changes_clear(struct disk *disk, struct inode *dir) {
    size_t count = dir->change_count;
    struct change *changes = dir->changes;
    dir->changes = NULL;
    dir->change_count = dir->change_cap = 0;
    for (size_t i = 0; i < count; i++) {
        world_free(changes[i].name);
        if (changes[i].inode) inode_release(disk, changes[i].inode);
    }
    world_free(changes);
}

/* ---- inodes ---- */

static struct inode *inode_create(struct disk *disk, bool is_dir) {
    struct inode *inode = world_alloc(sizeof *inode);
    inode->number = ++disk->last_inode;
    inode->is_dir = is_dir;
    list_push_back(&disk->inodes, &inode->link);
    return inode;
}

static void inode_drop(struct disk *disk, struct inode *inode) {
    list_remove(&inode->link);
    for (size_t i = 0; i < inode->page_count; i++) {
        set_now(disk, inode, i, NULL);
        page_give(disk, inode->durable[i]);
    }
    world_free(inode->now);
    world_free(inode->durable);
    world_free(inode->extents);
    world_free(inode->ranges);
    entries_clear(disk, &inode->entries);
    entries_clear(disk, &inode->durable_entries);
    changes_clear(disk, inode);
    world_free(inode);
}

struct disk *disk_create(struct world *world, uint64_t bytes) {
    struct disk *disk = world_alloc(sizeof *disk);
    disk->world = world;
    list_init(&disk->inodes);
    disk_limit(disk, bytes);
    disk->root = inode_create(disk, true);
    disk->root->refs = 1;
    dir_set(disk, disk->root, "tmp", inode_create(disk, true), 0);
    disk_settle(disk);
    return disk;
}

uint64_t disk_used(const struct disk *disk) { return disk->pages_used * PAGE; }
void disk_limit(struct disk *disk, uint64_t bytes) { disk->pages_max = bytes ? bytes / PAGE : UINT64_MAX / 2; }

void disk_destroy(struct disk *disk) {
    disk_process_ended(disk);
    inode_release(disk, disk->root);
    CHECKF(list_empty(&disk->inodes), "a file of the simulated disk is held by nobody");
    while (disk->spare_count) world_free(disk->spare[--disk->spare_count]);
    world_free(disk->spare);
    world_free(disk);
}

/* ---- paths ---- */

/* The folder that holds the last name of `path`, and that name; the name is empty for the root. */
static int64_t walk(struct disk *disk, const char *path, struct inode **dir, char name[IO_PATH_MAX]) {
    struct inode *at = disk->root;
    name[0] = 0;
    for (;;) {
        while (*path == '/') path++;
        size_t len = strcspn(path, "/");
        if (!len) break;
        if (len >= 256) return -IO_EINVAL;
        if (!(len == 1 && path[0] == '.')) {
            if (name[0]) {
                struct inode *next = entry_find(&at->entries, name);
                if (!next) return -IO_ENOENT;
                if (!next->is_dir) return -IO_ENOTDIR;
                at = next;
            }
            memcpy(name, path, len);
            name[len] = 0;
            if (strcmp(name, "..") == 0) return -IO_EINVAL;
        }
        path += len;
    }
    *dir = at;
    return 0;
}

/* What `path` names; NULL when its folder is there and it is not. */
static int64_t look_up(struct disk *disk, const char *path, struct inode **out) {
    struct inode *dir;
    char name[IO_PATH_MAX];
    if (!*path) return -IO_ENOENT;
    int64_t result = walk(disk, path, &dir, name);
    if (result < 0) return result;
    *out = name[0] ? entry_find(&dir->entries, name) : dir;
    return 0;
}

static int64_t create(struct disk *disk, const char *path, bool is_dir, struct inode **out) {
    struct inode *dir;
    char name[IO_PATH_MAX];
    int64_t result = walk(disk, path, &dir, name);
    if (result < 0) return result;
    if (!pages_fit(disk, 1)) return -IO_ENOSPC;
    *out = inode_create(disk, is_dir);
    dir_set(disk, dir, name, *out, ++disk->last_group);
    return 0;
}

int64_t disk_open(struct disk *disk, const char *path, unsigned flags, struct inode **out) {
    struct inode *inode;
    int64_t result = look_up(disk, path, &inode);
    if (result < 0) return result;
    if (inode && (flags & IO_OPEN_CREATE) && (flags & IO_OPEN_EXCLUSIVE)) return -IO_EEXIST;
    if (inode && inode->is_dir) return -IO_EISDIR;
    if (!inode) {
        if (!(flags & IO_OPEN_CREATE)) return -IO_ENOENT;
        result = create(disk, path, false, &inode);
        if (result < 0) return result;
    } else if ((flags & IO_OPEN_TRUNCATE) && inode->size) {
        disk_truncate(disk, inode, 0);
    }
    inode->refs++;
    *out = inode;
    return 0;
}

int64_t disk_exists(struct disk *disk, const char *path) {
    struct inode *inode;
    return look_up(disk, path, &inode) == 0 && inode;
}

int64_t disk_unlink(struct disk *disk, const char *path) {
    struct inode *dir, *inode;
    char name[IO_PATH_MAX];
    int64_t result = walk(disk, path, &dir, name);
    if (result < 0) return result;
    inode = name[0] ? entry_find(&dir->entries, name) : dir;
    if (!inode) return -IO_ENOENT;
    if (inode->is_dir) return -IO_EISDIR;
    dir_set(disk, dir, name, NULL, ++disk->last_group);
    return 0;
}

int64_t disk_rename(struct disk *disk, const char *from, const char *to) {
    struct inode *from_dir, *to_dir;
    char from_name[IO_PATH_MAX], to_name[IO_PATH_MAX];
    int64_t result = walk(disk, from, &from_dir, from_name);
    if (result == 0) result = walk(disk, to, &to_dir, to_name);
    if (result < 0) return result;
    struct inode *inode = from_name[0] ? entry_find(&from_dir->entries, from_name) : NULL;
    if (!inode) return -IO_ENOENT;
    if (!to_name[0]) return -IO_EINVAL;
    struct inode *target = entry_find(&to_dir->entries, to_name);
    if (target == inode) return 0;
    if (target && target->is_dir != inode->is_dir) return target->is_dir ? -IO_EISDIR : -IO_ENOTDIR;
    if (target && target->is_dir && target->entries.count) return -IO_ENOTEMPTY;
    uint64_t group = ++disk->last_group;
    inode->refs++;
    dir_set(disk, to_dir, to_name, inode, group);
    dir_set(disk, from_dir, from_name, NULL, group);
    inode_release(disk, inode);
    return 0;
}

int64_t disk_mkdir(struct disk *disk, const char *path) {
    struct inode *inode;
    int64_t result = look_up(disk, path, &inode);
    if (result < 0) return result;
    if (inode) return -IO_EEXIST;
    return create(disk, path, true, &inode);
}

int64_t disk_rmdir(struct disk *disk, const char *path) {
    struct inode *dir, *inode;
    char name[IO_PATH_MAX];
    int64_t result = walk(disk, path, &dir, name);
    if (result < 0) return result;
    if (!name[0]) return -IO_EINVAL;
    inode = entry_find(&dir->entries, name);
    if (!inode) return -IO_ENOENT;
    if (!inode->is_dir) return -IO_ENOTDIR;
    if (inode->entries.count) return -IO_ENOTEMPTY;
    dir_set(disk, dir, name, NULL, ++disk->last_group);
    return 0;
}

static int64_t find_dir(struct disk *disk, const char *path, struct inode **dir) {
    int64_t result = look_up(disk, path, dir);
    if (result < 0) return result;
    if (!*dir) return -IO_ENOENT;
    return (*dir)->is_dir ? 0 : -IO_ENOTDIR;
}

static void settle_dir(struct disk *disk, struct inode *dir) {
    for (size_t i = 0; i < dir->change_count; i++)
        entry_set(disk, &dir->durable_entries, dir->changes[i].name, dir->changes[i].inode);
    changes_clear(disk, dir);
}

int64_t disk_dir_sync(struct disk *disk, const char *path) {
    struct inode *dir;
    int64_t result = find_dir(disk, path, &dir);
    if (result == 0) settle_dir(disk, dir);
    return result;
}

int64_t disk_dir_list(struct disk *disk, const char *path, struct buf *out) {
    struct inode *dir;
    int64_t result = find_dir(disk, path, &dir);
    if (result < 0) return result;
    for (size_t i = 0; i < dir->entries.count; i++)
        buf_append(out, dir->entries.items[i].name, strlen(dir->entries.items[i].name) + 1);
    return (int64_t)dir->entries.count;
}

int64_t disk_free_bytes(const struct disk *disk) {
    return disk->pages_used >= disk->pages_max ? 0 : (int64_t)((disk->pages_max - disk->pages_used) * PAGE);
}

/* ---- locks: of open files, gone when they close ---- */

int64_t disk_lock(struct disk *disk, struct inode *inode, uint64_t owner) {
    if (disk->ghost_until > disk->world->now) return -IO_ELOCKED;
    if (inode->lock_owner && inode->lock_owner != owner) return -IO_ELOCKED;
    inode->lock_owner = owner;
    return 0;
}

static bool overlaps(const struct range_lock *lock, uint64_t offset, uint64_t len) {
    return lock->offset < offset + len && offset < lock->offset + lock->len;
}

static void range_add(struct inode *inode, uint64_t owner, bool exclusive, uint64_t from, uint64_t to) {
    if (from >= to) return;
    inode->ranges = world_realloc(inode->ranges, (inode->range_count + 1) * sizeof *inode->ranges);
    inode->ranges[inode->range_count++] = (struct range_lock){owner, from, to - from, exclusive};
}

int64_t disk_range_lock(struct inode *inode, uint64_t owner, enum io_range_lock kind, uint64_t offset, uint64_t len) {
    uint64_t end = len ? offset + len : UINT64_MAX;     /* as fcntl: length 0 is to the end */
    for (size_t i = 0; kind != IO_RANGE_UNLOCK && i < inode->range_count; i++) {
        const struct range_lock *lock = &inode->ranges[i];
        if (lock->owner == owner || !overlaps(lock, offset, end - offset)) continue;
        if (lock->exclusive || kind == IO_RANGE_EXCLUSIVE) return -IO_ELOCKED;
    }
    for (size_t i = 0; i < inode->range_count;) {       /* what this owner has of the range is replaced */
        struct range_lock lock = inode->ranges[i];
        if (lock.owner != owner || !overlaps(&lock, offset, end - offset)) {
            i++;
            continue;
        }
        inode->ranges[i] = inode->ranges[--inode->range_count];
        range_add(inode, owner, lock.exclusive, lock.offset, offset);
        range_add(inode, owner, lock.exclusive, end, lock.offset + lock.len);
    }
    if (kind != IO_RANGE_UNLOCK) range_add(inode, owner, kind == IO_RANGE_EXCLUSIVE, offset, end);
    return 0;
}

void disk_unlock_all(struct inode *inode, uint64_t owner) {
    if (inode->lock_owner == owner) inode->lock_owner = 0;
    for (size_t i = 0; i < inode->range_count;)
        if (inode->ranges[i].owner == owner)
            inode->ranges[i] = inode->ranges[--inode->range_count];
        else
            i++;
}

/* ---- the ends ---- */

void disk_process_ended(struct disk *disk) {
    LIST_EACH(it, &disk->inodes) {
        struct inode *inode = LIST_ENTRY(it, struct inode, link);
        inode->lock_owner = 0;
        inode->range_count = 0;
        for (size_t i = 0; i < inode->extent_count; i++) inode->extents[i].done = inode->extents[i].id;
    }
}

/* Of a disk whose node is down; there is always room. */
void disk_put(struct disk *disk, const char *path, struct bytes bytes) {
    struct inode *inode;
    uint64_t pages_max = disk->pages_max;
    disk_limit(disk, 0);
    CHECK(disk_open(disk, path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &inode) == 0);
    inode->bad_from = inode->bad_to = 0;
    CHECK(disk_write(disk, inode, bytes.data, bytes.len, 0, NULL) == (int64_t)bytes.len);
    inode_release(disk, inode);
    disk_settle(disk);
    disk->pages_max = pages_max;
}

void disk_spoil(struct disk *disk, const char *path, uint64_t offset, uint64_t len) {
    struct inode *inode;
    CHECK(disk_open(disk, path, IO_OPEN_READ, &inode) == 0);
    inode->bad_from = offset;
    inode->bad_to = offset + len;
    inode_release(disk, inode);
}

void disk_settle(struct disk *disk) {
    LIST_EACH(it, &disk->inodes) {
        struct inode *inode = LIST_ENTRY(it, struct inode, link);
        for (size_t i = 0; i < inode->page_count; i++) settle_page(disk, inode, i);
        inode->durable_size = inode->size;
        inode->extent_count = 0;
        if (inode->is_dir) settle_dir(disk, inode);
    }
}

struct odds {                           /* of one crash, per million */
    uint32_t keep, tear, entry;
};

static void crash_size(struct disk *disk, struct inode *inode, bool lost) {
    struct world *world = disk->world;
    if (inode->durable_size == inode->size) return;
    if (!prng_chance(dice(disk), 500000)) {
        world->fault_hits[FAULT_LOST_SIZE]++;
        return;
    }
    if (inode->size > inode->durable_size && lost) world->fault_hits[FAULT_ZERO_TAIL]++;
    inode->durable_size = inode->size;
}

static void crash_file(struct disk *disk, struct inode *inode, const struct odds *odds) {
    struct world *world = disk->world;
    bool lost = false;
    for (size_t i = 0; i < inode->extent_count; i++) {
        const struct extent *extent = &inode->extents[i];
        if (prng_chance(dice(disk), odds->keep)) {
            settle_extent(disk, inode, extent);
            world->fault_hits[FAULT_KEPT_WRITE]++;
        } else if (world->fault_on[FAULT_TORN_WRITE] && prng_chance(dice(disk), odds->tear)) {
            tear_extent(disk, inode, extent);
            world->fault_hits[FAULT_TORN_WRITE]++;
            lost = true;
        } else {
            world->fault_hits[FAULT_LOST_WRITE]++;
            lost = true;
        }
    }
    inode->extent_count = 0;
    crash_size(disk, inode, lost);
    inode->size = inode->durable_size;
    pages_room(inode, (inode->size + PAGE - 1) / PAGE);
    for (size_t i = 0; i < inode->page_count; i++) set_now(disk, inode, i, inode->durable[i]);
}

static void crash_dir(struct disk *disk, struct inode *dir, const struct odds *odds, uint64_t salt) {
    for (size_t i = 0; i < dir->change_count; i++) {
        const struct change *change = &dir->changes[i];
        struct prng own = prng_fork(salt, "entry", change->group);        /* one decision for a group */
        if (prng_chance(&own, odds->entry))
            entry_set(disk, &dir->durable_entries, change->name, change->inode);
        else
            disk->world->fault_hits[FAULT_LOST_ENTRY]++;
    }
    changes_clear(disk, dir);
}

/* The present image is the durable one. */
static void reload_dir(struct disk *disk, struct inode *dir) {
    struct entries fresh = {0};
    for (size_t i = 0; i < dir->durable_entries.count; i++)
        entry_set(disk, &fresh, dir->durable_entries.items[i].name, dir->durable_entries.items[i].inode);
    struct entries old = dir->entries;
    dir->entries = fresh;
    entries_clear(disk, &old);
}

/* Files and folders that no durable entry names. */
static void drop_unnamed(struct disk *disk) {
    for (bool again = true; again;) {
        again = false;
        LIST_EACH(it, &disk->inodes) {
            struct inode *inode = LIST_ENTRY(it, struct inode, link);
            if (inode->refs) continue;
            inode_drop(disk, inode);
            again = true;
            break;
        }
    }
}

void disk_crash(struct disk *disk) {
    static const uint32_t levels[] = {0, 100000, 500000, 900000, 1000000};
    struct prng *prng = dice(disk);
    struct odds odds;
    odds.keep = levels[prng_below(prng, ARRAY_LEN(levels))];
    odds.tear = levels[prng_below(prng, ARRAY_LEN(levels))];
    odds.entry = levels[prng_below(prng, ARRAY_LEN(levels))];
    uint64_t salt = prng_next(prng);
    disk_process_ended(disk);
    LIST_EACH(it, &disk->inodes) {
        struct inode *inode = LIST_ENTRY(it, struct inode, link);
        if (!inode->is_dir) crash_file(disk, inode, &odds);
    }
    /* Folders hold each other: none is freed while the list is walked. */
    LIST_EACH(it, &disk->inodes) LIST_ENTRY(it, struct inode, link)->refs++;
    LIST_EACH(it, &disk->inodes) {
        struct inode *inode = LIST_ENTRY(it, struct inode, link);
        if (inode->is_dir) crash_dir(disk, inode, &odds, salt);
    }
    LIST_EACH(it, &disk->inodes) {
        struct inode *inode = LIST_ENTRY(it, struct inode, link);
        if (inode->is_dir) reload_dir(disk, inode);
    }
    LIST_EACH(it, &disk->inodes) LIST_ENTRY(it, struct inode, link)->refs--;
    drop_unnamed(disk);
    if (fault_strikes(disk->world, FAULT_GHOST_LOCK, PRNG_DISK, 200000))
        disk->ghost_until = disk->world->now + prng_range(prng, SIM_MS, 300 * SIM_MS);
}
