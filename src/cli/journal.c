/* journal: `norn journal dump` and `norn journal verify`, on the data folder of a stopped server, or a copy of one. They
 * change nothing. */
#include "store/journal_scan.h"

#include "base/base64.h"
#include "base/civil.h"
#include "base/json_text.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "config/config.h"
#include "fiber/fiber.h"

struct journal {
    struct cli *cli;
    struct journal_scan scan;
    struct io_file lock;
    bool locked;
    uint64_t flights, records, bytes;
    int64_t wall;                          /* of the flight whose records come next */
    uint64_t segment, offset;
    bool payloads;
};

/* ---- opening --------------------------------------------------------------------------------------------------------- */

/* A copy of a folder may have no lock file; then nobody serves it. */
static int lock_folder(struct journal *journal, const char *dir) {
    struct cli *cli = journal->cli;
    int64_t result = fiber_open(cli->io, arena_printf(&cli->arena, "%s/" STORE_LOCK_FILE, dir), IO_OPEN_READ | IO_OPEN_WRITE, &journal->lock);
    if (result == -IO_ENOENT) return CLI_OK;
    journal->locked = result >= 0;
    if (journal->locked) result = fiber_lock(cli->io, journal->lock);
    if (result >= 0) return CLI_OK;
    if (result == -IO_ELOCKED)
        return cli_fail(cli, CLI_FAILED, "a server has %s open: stop it, or look at a copy", dir);
    return cli_fail(cli, CLI_FAILED, "cannot lock %s/LOCK: %s", dir, io_error_text(result));
}

static int open_journal(struct journal *journal) {
    struct cli *cli = journal->cli;
    struct config config;
    struct status status = cli_load_config(cli, &config);
    if (!status_ok(status)) return cli_usage(cli, "%s", status.message);
    journal->scan = (struct journal_scan){.io = cli->io, .folder.dir = config.data, .ctx = journal};
    int code = lock_folder(journal, config.data);
    if (code != CLI_OK) return code;
    status = journal_scan_list(&journal->scan, &cli->arena);
    if (!status_ok(status)) return cli_fail(cli, CLI_FAILED, "%s", status.message);
    /* What came before the oldest segment is in the database alone. */
    for (size_t i = scan_count(&journal->scan); i-- > 0;) {
        const struct scan_segment *segment = &scan_segments(&journal->scan)[i];
        if (segment->first_sequence) journal->scan.applied = journal->scan.durable = segment->first_sequence - 1;
    }
    return CLI_OK;
}

static void close_journal(struct journal *journal) {
    journal_scan_free(&journal->scan);
    if (journal->locked) fiber_close(journal->cli->io, journal->lock);
}

static void saw_flight(void *ctx, const struct scan_segment *segment, uint64_t offset, const struct flight_header *header) {
    struct journal *journal = ctx;
    journal->flights++;
    journal->records += header->count;
    journal->bytes += header->body_len;
    journal->wall = header->wall;
    journal->segment = segment->number;
    journal->offset = offset;
}

/* ---- verify ------------------------------------------------------------------------------------------------------------ */

static int verify(struct journal *journal) {
    struct cli *cli = journal->cli;
    journal->scan.flight = saw_flight;
    struct status status = journal_scan_run(&journal->scan, &cli->arena);
    if (!status_ok(status)) return cli_fail(cli, CLI_FAILED, "%s", status.message);
    buf_printf(&cli->out, "whole: %llu records (up to %llu) in %llu flights, %llu bytes, %zu segments\n",
               (unsigned long long)journal->records, (unsigned long long)journal->scan.end_sequence,
               (unsigned long long)journal->flights, (unsigned long long)journal->bytes, scan_count(&journal->scan));
    return CLI_OK;
}

int cli_journal_verify(struct cli *cli) {
    struct journal journal = {.cli = cli};
    int code = open_journal(&journal);
    if (code == CLI_OK) code = verify(&journal);
    close_journal(&journal);
    return code;
}

/* ---- dump -------------------------------------------------------------------------------------------------------------- */

static const char *kind_name(enum store_record_kind kind) {
    switch ((int)kind) {
    case STORE_RECORD_EXECUTION: return "execution";
    case STORE_RECORD_DELETE: return "delete";
    case STORE_RECORD_NODE: return "node";
    case RECORD_EPOCH: return "epoch";
    case RECORD_CLOSED: return "closed";
    default: return "unknown";
    }
}

static void put_payload(struct buf *out, struct bytes payload) {
    buf_append_str(out, ",\"payload\":\"");
    base64_append(out, payload);
    buf_append_u8(out, '"');
}

/* One line of JSON. What users gave to workflows is in the payload, which is shown only when asked for. */
static void print_record(void *ctx, const struct store_record *record) {
    enum { PRINT_AT = 1 << 16 };
    struct journal *journal = ctx;
    struct buf *out = &journal->cli->out;
    char time[CIVIL_TEXT_MAX], namespace[UUID_TEXT_SIZE];
    civil_format(journal->wall, time);
    uuid_text(record->namespace_id, namespace);
    buf_printf(out, "{\"sequence\":%llu,\"segment\":%llu,\"flight\":%llu,\"time\":\"%s\",\"kind\":\"%s\"",
               (unsigned long long)record->sequence, (unsigned long long)journal->segment,
               (unsigned long long)journal->offset, time, kind_name(record->kind));
    if (record->kind == STORE_RECORD_EXECUTION || record->kind == STORE_RECORD_DELETE)
        buf_printf(out, ",\"execution\":%llu,\"hash\":\"%016llx\",\"version\":%llu,\"namespace\":\"%s\"",
                   (unsigned long long)record->execution, (unsigned long long)record->hash,
                   (unsigned long long)record->version, namespace);
    if (record->kind == STORE_RECORD_NODE) {
        buf_append_str(out, ",\"name\":");
        buf_append_json(out, record->name);
    }
    buf_printf(out, ",\"bytes\":%zu", record->payload.len);
    if (journal->payloads) put_payload(out, record->payload);
    buf_append_str(out, "}\n");
    if (out->len >= PRINT_AT) cli_flush(journal->cli);
}

int cli_journal_dump(struct cli *cli) {
    struct journal journal = {.cli = cli, .payloads = cli_has(cli, "payloads")};
    int code = open_journal(&journal);
    journal.scan.flight = saw_flight;
    journal.scan.record = print_record;
    struct status status = code == CLI_OK ? journal_scan_run(&journal.scan, &cli->arena) : STATUS_GOOD;
    if (!status_ok(status)) code = cli_fail(cli, CLI_FAILED, "%s", status.message);
    close_journal(&journal);
    return code;
}
