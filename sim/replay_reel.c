/* replay_reel: reading a thread's log, and comparing what its code does with what it did. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "replay.h"

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static _Noreturn void unusable(const char *path, const char *why) {
    fprintf(stderr, "norn-replay: %s: %s\n", path, why);
    exit(REPLAY_USAGE);
}

/* A log that was never made is of a thread that began after the recording had ended. */
static void read_log(struct reel *reel, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return;
    struct buf text = {0};
    for (size_t got = 1; got;) {
        buf_reserve(&text, 1 << 20);
        got = fread(text.data + text.len, 1, 1 << 20, file);
        text.len += got;
    }
    fclose(file);
    struct tape_header header;
    if (text.len < TAPE_HEADER_SIZE) unusable(path, "shorter than a log's header");
    memcpy(&header, text.data, sizeof header);
    if (memcmp(header.magic, TAPE_MAGIC, sizeof header.magic) != 0) unusable(path, "not a log of a recording");
    if (header.len > text.len - TAPE_HEADER_SIZE) unusable(path, "shorter than its header says");
    if (strncmp(header.version, NORN_VERSION, sizeof header.version) != 0)
        fprintf(stderr, "norn-replay: %s was made by version %.23s, this is %s\n", path, header.version, NORN_VERSION);
    reel->len = header.len;
    reel->reader = reader_of(bytes_of(text.data + TAPE_HEADER_SIZE, header.len));
}

void reel_open(struct reel *reel, struct io_node *node, const char *name, context_fn *fn) {
    char path[TAPE_PATH_MAX];
    reel->node = node;
    snprintf(reel->name, sizeof reel->name, "%s", name);
    snprintf(reel->last, sizeof reel->last, "its start");
    snprintf(path, sizeof path, "%s/%s", node->dir, name);
    read_log(reel, path);
    reel->stack = replay_stack(REPLAY_STACK);
    context_make(&reel->context, reel->stack, REPLAY_STACK, fn, reel);
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

static void describe(const struct tape_entry *entry, char *out, size_t size) {
    switch (entry->tag) {
    case TAPE_TURN: snprintf(out, size, "a turn, %lld ns after the one before", (long long)entry->now); return;
    case TAPE_DONE:
        snprintf(out, size, "op (the last but %llu) %s with %lld, %zu bytes", (unsigned long long)entry->sequence,
                 entry->more ? "gives" : "ends", (long long)entry->result, entry->bytes.len);
        return;
    case TAPE_MESSAGE: snprintf(out, size, "a message of loop %u", entry->loop); return;
    case TAPE_HOOK: snprintf(out, size, "a hook runs"); return;
    case TAPE_VALUE:
        snprintf(out, size, "%s is %llu", tape_input_name(entry->what), (unsigned long long)entry->value);
        return;
    case TAPE_BYTES: snprintf(out, size, "%s is %zu bytes", tape_input_name(entry->what), entry->bytes.len); return;
    case TAPE_JOB:
        snprintf(out, size, "work of loop %u begins (op %llu)", entry->loop, (unsigned long long)entry->sequence);
        return;
    case TAPE_HELP:
        snprintf(out, size, "%s gives %lld", tape_call_name(entry->what), (long long)entry->result);
        return;
    case TAPE_END: snprintf(out, size, "the end"); return;
    }
}

static void show_effects(const struct reel *reel) {
    uint64_t first = reel->effect_count > EFFECTS_KEPT ? reel->effect_count - EFFECTS_KEPT : 0;
    fprintf(stderr, "  since then its code did %llu things%s\n", (unsigned long long)reel->effect_count,
            first ? ", the last ones:" : reel->effect_count ? ":" : ".");
    for (uint64_t i = first; i < reel->effect_count; i++) {
        const struct effect *effect = &reel->effects[i % EFFECTS_KEPT];
        fprintf(stderr, "    %-12s %llx %llx %llx\n", tape_call_name(effect->call), (unsigned long long)effect->a,
                (unsigned long long)effect->b, (unsigned long long)effect->c);
    }
}

_Noreturn void reel_differs(struct reel *reel, const char *format, ...) {
    char next[160] = "its end";
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "norn-replay: %s differs from the recording at entry %llu: ", reel->name,
            (unsigned long long)reel->taken + 1);
    vfprintf(stderr, format, args);
    va_end(args);
    if (reel->ahead) describe(&reel->entry, next, sizeof next);
    fprintf(stderr, "\n  the entry is: %s\n  the one before: %s\n", next, reel->last);
    show_effects(reel);
    fprintf(stderr, "  to stop there under a debugger: --break %s:%llu\n", reel->name, (unsigned long long)reel->taken);
    exit(REPLAY_DIFFERS);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static _Noreturn void leave(struct reel *reel, enum reel_state state) {
    reel->state = state;
    context_exit_to(&reel->context, &reel->outside);
}

const struct tape_entry *reel_peek(struct reel *reel) {
    if (reel->ahead) return &reel->entry;
    if (reel->reader.left.len == 0) leave(reel, REEL_CUT);
    if (!tape_decode(&reel->reader, &reel->entry)) reel_differs(reel, "the log is damaged");
    reel->ahead = true;
    return &reel->entry;
}

static bool has_chain(enum tape_tag tag) {
    return tag != TAPE_HOOK && tag != TAPE_VALUE && tag != TAPE_BYTES;
}

void reel_take(struct reel *reel) {
    const struct tape_entry *entry = &reel->entry;
    const struct io_node *node = reel->node;
    if (has_chain(entry->tag) && entry->chain != (uint32_t)reel->chain)
        reel_differs(reel, "the effects before it are others");
    reel->taken++;
    reel->ahead = false;
    reel->effect_count = 0;
    describe(entry, reel->last, sizeof reel->last);
    if (node->trace)
        printf("%-12s %10llu %08x %s\n", reel->name, (unsigned long long)reel->taken, (unsigned)reel->chain, reel->last);
    if (node->break_log && reel->taken == node->break_entry && strcmp(reel->name, node->break_log) == 0)
        __builtin_debugtrap();
    if (entry->tag == TAPE_END) leave(reel, REEL_ENDED);
}

void reel_effect(struct reel *reel, enum tape_call call, uint64_t a, uint64_t b, uint64_t c) {
    reel->effects[reel->effect_count++ % EFFECTS_KEPT] = (struct effect){call, a, b, c};
    tape_effect(&reel->chain, call, a, b, c);
}

static const struct tape_entry *take_input(struct reel *reel, enum tape_input what) {
    const struct tape_entry *entry = reel_peek(reel);
    bool is_input = entry->tag == TAPE_VALUE || entry->tag == TAPE_BYTES;
    if (!is_input || entry->what != what) reel_differs(reel, "the code asks for %s", tape_input_name(what));
    reel_take(reel);
    return entry;
}

uint64_t reel_value(struct reel *reel, enum tape_input what) { return take_input(reel, what)->value; }

struct bytes reel_bytes(struct reel *reel, enum tape_input what) { return take_input(reel, what)->bytes; }

const char *reel_text(struct reel *reel, enum tape_input what) { return (const char *)reel_bytes(reel, what).data; }

void reel_fill(struct reel *reel, const struct tape_entry *entry, void *data, size_t len) {
    size_t got = (size_t)entry->result;
    if (got > len || entry->bytes.len > got) reel_differs(reel, "more was read than is asked for");
    if (entry->bytes.len) memcpy(data, entry->bytes.data, entry->bytes.len);
    memset((uint8_t *)data + entry->bytes.len, 0, got - entry->bytes.len);
}

/* ---- taking turns --------------------------------------------------------------------------------------------------- */

void reel_wait(struct reel *reel, const char *what) {
    reel->waits_for = what;
    context_switch(&reel->context, &reel->outside);
    reel->waits_for = NULL;
}

bool reel_resume(struct reel *reel) {
    if (reel->state != REEL_RUNS) return false;
    uint64_t before = reel->taken;
    reel->node->current = reel;
    context_switch(&reel->outside, &reel->context);
    reel->node->current = NULL;
    return reel->taken != before || reel->state != REEL_RUNS;
}
