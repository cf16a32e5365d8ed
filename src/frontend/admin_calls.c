/* admin_calls: what operators do with the node: backup and checkpoint (norn.admin.v1). */
#include "base/mem.h"
#include "fiber/fiber.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"
#include "store/tools.h"

struct backup {
    struct frontend *frontend;
    struct api_call *call;
    const char *directory;
};

/* ---- where to -------------------------------------------------------------------------------------------------- */

/* No part of it leads elsewhere. */
static bool is_plain_path(struct bytes path) {
    struct bytes part;
    bool any = false;
    for (; bytes_split(&path, '/', &part); any = true) {
        bool odd = part.len == 0 || bytes_equal(part, bytes_str(".")) || bytes_equal(part, bytes_str(".."));
        if (odd) return false;
    }
    return any;
}

/* The folder that a request names: below the folder of backups, absolute or from there. NULL when it is elsewhere. */
static const char *directory_of(const struct frontend *frontend, struct call *call) {
    const Norn__Admin__V1__BackupRequest *request = (const void *)call->request;
    const char *dir = frontend->shared->backup_dir, *name = request->directory;
    size_t len = strlen(dir);
    if (len > 1 && dir[len - 1] == '/') len--;
    if (name[0] == '/' && (strncmp(name, dir, len) != 0 || name[len] != '/')) return NULL;
    if (name[0] == '/') name += len + 1;
    if (!is_plain_path(bytes_str(name)) || len + strlen(name) + 32 > IO_PATH_MAX) return NULL;
    return arena_printf(call->arena, "%.*s/%s", (int)len, dir, name);
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

static void run_backup(void *arg) {
    struct backup backup = *(struct backup *)arg;
    struct call *call = &backup.call->call;
    struct store_backup made;
    mem_free(arg);
    struct status status = store_backup(backup.frontend->shared->store, backup.directory, &made, call->arena);
    backup.frontend->backups--;
    if (!status_ok(status)) {
        call_fail_status(call, status);
        return;
    }
    Norn__Admin__V1__BackupResponse response = NORN__ADMIN__V1__BACKUP_RESPONSE__INIT;
    response.files = (int64_t)made.files;
    response.bytes = (int64_t)made.bytes;
    response.last_sequence = (int64_t)made.last_sequence;
    response.directory = (char *)backup.directory;
    call_reply(call, &response.base);
}

/* On loop 0. A client that goes away does not end it: the copy becomes whole. */
void api_backup(struct frontend *frontend, struct api_call *call) {
    const Norn__Admin__V1__BackupRequest *request = (const void *)call->call.request;
    const char *directory = directory_of(frontend, &call->call);
    if (!directory) {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT,
                  "directory is \"%s\"; backups are made below %s on the server's machine (its setting backup.dir)",
                  request->directory, frontend->shared->backup_dir);
        return;
    }
    struct backup *backup = MEM_NEW(struct backup);
    *backup = (struct backup){frontend, call, directory};
    frontend->backups++;
    if (fiber_start(frontend->io, "backup", run_backup, backup, FIBER_STACK_LARGE)) return;
    frontend->backups--;
    mem_free(backup);
    call_fail(&call->call, STATUS_RESOURCE_EXHAUSTED, "too many fibers");
}

static void checkpoint_ended(void *ctx) {
    Norn__Admin__V1__CheckpointResponse response = NORN__ADMIN__V1__CHECKPOINT_RESPONSE__INIT;
    call_reply(ctx, &response.base);
}

void api_checkpoint(struct frontend *frontend, struct api_call *call) {
    store_checkpoint(frontend->store, checkpoint_ended, &call->call);
}
