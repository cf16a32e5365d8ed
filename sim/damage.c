/* damage: choosing what is damaged, doing it, and putting it back. */
#include "damage.h"

#include <stdio.h>

#include "base/check.h"

enum { COPIES_MAX = 512, SECTOR = 512, BLOCK = 4096 };
#define FOLDER "/data/journal"

struct copy {
    char path[64];
    struct buf bytes;
};

struct folder {
    struct copy copies[COPIES_MAX];
    unsigned count;
};

struct damage {
    struct world *world;
    unsigned node;
    struct folder before, old;           /* as the journal was before the damage; and at an earlier end */
    bool pending;
    bool spoiled;                        /* a file has a sector that cannot be read; it may have got another name since */
    uint64_t serving;                    /* how often the server had begun to serve when it was done */
};

static struct prng *dice(struct damage *damage) { return world_prng(damage->world, PRNG_DAMAGE); }

static void folder_clear(struct folder *folder) {
    while (folder->count) buf_free(&folder->copies[--folder->count].bytes);
}

/* Leaves it empty when a file cannot be read: an older damage is there yet, and was harmless. */
static void folder_take(const struct damage *damage, struct folder *folder) {
    struct buf names = {0};
    folder_clear(folder);
    int64_t count = world_disk_list(damage->world, damage->node, FOLDER, &names);
    CHECK(count <= COPIES_MAX);
    const char *name = (const char *)names.data;
    for (int64_t i = 0; i < count; i++, name += strlen(name) + 1) {
        struct copy *copy = &folder->copies[folder->count++];
        *copy = (struct copy){0};
        snprintf(copy->path, sizeof copy->path, FOLDER "/%s", name);
        if (world_disk_read(damage->world, damage->node, copy->path, &copy->bytes) >= 0) continue;
        folder_clear(folder);
        break;
    }
    buf_free(&names);
}

static void folder_put(const struct damage *damage, const struct folder *folder) {
    struct buf names = {0};
    int64_t count = world_disk_list(damage->world, damage->node, FOLDER, &names);
    const char *name = (const char *)names.data;
    for (int64_t i = 0; i < count; i++, name += strlen(name) + 1) {
        char path[64];
        snprintf(path, sizeof path, FOLDER "/%s", name);
        world_disk_remove(damage->world, damage->node, path);
    }
    for (unsigned i = 0; i < folder->count; i++)
        world_disk_put(damage->world, damage->node, folder->copies[i].path, buf_bytes(&folder->copies[i].bytes));
    buf_free(&names);
}

/* ---- kinds ---- */

/* A place in what was written of a file: zeros at its end were never more. */
static uint64_t written(const struct copy *copy) {
    uint64_t end = copy->bytes.len;
    while (end && !copy->bytes.data[end - 1]) end--;
    return end;
}

static void rot(struct damage *damage, const struct copy *copy, uint64_t offset) {
    struct buf bytes = {0};
    buf_append_bytes(&bytes, buf_bytes(&copy->bytes));
    uint64_t bits = 1 + prng_below(dice(damage), 8);
    for (uint64_t i = 0; i < bits; i++) {
        uint64_t at = offset / SECTOR * SECTOR + prng_below(dice(damage), SECTOR);
        if (at < bytes.len) bytes.data[at] ^= (uint8_t)(1u << prng_below(dice(damage), 8));
    }
    world_disk_put(damage->world, damage->node, copy->path, buf_bytes(&bytes));
    buf_free(&bytes);
}

/* A block went to another place: it is not where it belongs, and covers what was there. */
static void misdirect(struct damage *damage, const struct copy *copy, uint64_t offset) {
    struct buf bytes = {0};
    buf_append_bytes(&bytes, buf_bytes(&copy->bytes));
    uint64_t blocks = bytes.len / BLOCK, from = offset / BLOCK, to = prng_below(dice(damage), blocks);
    memcpy(bytes.data + to * BLOCK, copy->bytes.data + from * BLOCK, BLOCK);
    if (to != from) memset(bytes.data + from * BLOCK, 0, BLOCK);
    world_disk_put(damage->world, damage->node, copy->path, buf_bytes(&bytes));
    buf_free(&bytes);
}

static void do_damage(struct damage *damage, enum fault kind, const struct copy *copy, uint64_t offset) {
    switch (kind) {
    case FAULT_BIT_ROT:
        rot(damage, copy, offset);
        break;
    case FAULT_MISDIRECTED_WRITE:
        misdirect(damage, copy, offset);
        break;
    case FAULT_TRUNCATED_FILE:
        world_disk_put(damage->world, damage->node, copy->path, bytes_of(copy->bytes.data, offset));
        break;
    case FAULT_LATENT_SECTOR:
        world_disk_spoil(damage->world, damage->node, copy->path, offset / SECTOR * SECTOR, SECTOR);
        damage->spoiled = true;
        break;
    case FAULT_MISSING_FILE:
        world_disk_remove(damage->world, damage->node, copy->path);
        break;
    default:
        folder_put(damage, &damage->old);
    }
}

/* Without the newest segment that has records, the journal looks as if it ended before: nothing can tell. */
static bool is_newest(const struct folder *folder, const struct copy *copy) {
    for (const struct copy *it = folder->copies + folder->count; it-- > copy + 1;)
        if (strstr(it->path, ".log") && written(it) > BLOCK) return false;
    return true;
}

/* ---- when ---- */

void damage_strike(struct damage *damage) {
    static const enum fault kinds[] = {FAULT_BIT_ROT, FAULT_MISDIRECTED_WRITE, FAULT_TRUNCATED_FILE,
                                       FAULT_LATENT_SECTOR, FAULT_MISSING_FILE, FAULT_OLD_FILES};
    struct world *world = damage->world;
    enum fault kind = kinds[prng_below(dice(damage), ARRAY_LEN(kinds))];
    if (damage->pending && world_serving(world) != damage->serving) damage->pending = false;    /* it was harmless */
    if (world_is_calm(world) || damage->pending || !prng_chance(dice(damage), 500000)) return;
    if (!world_fault_on(world, kind)) return;
    folder_take(damage, &damage->before);
    const struct folder *folder = &damage->before;
    if (!folder->count) return;
    const struct copy *copy = &folder->copies[prng_below(dice(damage), folder->count)];
    uint64_t end = written(copy);
    bool possible = kind == FAULT_OLD_FILES ? damage->old.count > 0 : end >= BLOCK;
    if (kind == FAULT_MISSING_FILE && is_newest(folder, copy)) possible = false;
    if (possible && world_fault_happens(world, kind)) {
        do_damage(damage, kind, copy, prng_below(dice(damage), end ? end : 1));
        damage->pending = true;
        damage->serving = world_serving(world);
    } else if (prng_chance(dice(damage), 500000)) {
        folder_take(damage, &damage->old);
    }
}

/* A sector that no start had read before: the disk is mended as it is now, for the server has written since. */
static bool spoiled_told(struct damage *damage, struct bytes text) {
    static const char before[] = "cannot read journal segment ";
    const char *at = memmem(text.data, text.len, before, sizeof before - 1), *end = (const char *)text.data + text.len;
    if (!at || !damage->spoiled) return false;
    char path[64] = "";
    at += sizeof before - 1;
    for (size_t i = 0; i < sizeof path - 1 && at < end && *at != ':'; i++) path[i] = *at++;
    world_disk_spoil(damage->world, damage->node, path, 0, 0);
    damage->spoiled = false;
    return true;
}

bool damage_told(struct damage *damage, struct bytes text) {
    static const char *const words[] = {"the journal is damaged", "cannot read journal segment",
                                        "journal segments are missing", "has no segments"};
    bool told = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) told |= memmem(text.data, text.len, words[i], strlen(words[i])) != NULL;
    bool served = world_serving(damage->world) != damage->serving;     /* then it was harmless, and this is another matter */
    if (!damage->pending || served) return spoiled_told(damage, text);
    if (!told) return false;
    damage->pending = false;
    folder_put(damage, &damage->before);
    return true;
}

struct damage *damage_create(struct world *world, unsigned node) {
    struct damage *damage = world_alloc(sizeof *damage);
    damage->world = world;
    damage->node = node;
    return damage;
}

void damage_destroy(struct damage *damage) {
    folder_clear(&damage->before);
    folder_clear(&damage->old);
    world_free(damage);
}
