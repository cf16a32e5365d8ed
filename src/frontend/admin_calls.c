/* admin_calls: what operators do with the node: backup and checkpoint (norn.admin.v1). */
#include "base/mem.h"
#include "fiber/fiber.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"
#include "store/tools.h"

struct backup {
    struct frontend *frontend;
    struct api_call *call;
};

static void run_backup(void *arg) {
    struct backup backup = *(struct backup *)arg;
    struct call *call = &backup.call->call;
    const Norn__Admin__V1__BackupRequest *request = (const void *)call->request;
    struct store_backup made;
    mem_free(arg);
    struct status status = store_backup(backup.frontend->shared->store, request->directory, &made, call->arena);
    backup.frontend->backups--;
    if (!status_ok(status)) {
        call_fail_status(call, status);
        return;
    }
    Norn__Admin__V1__BackupResponse response = NORN__ADMIN__V1__BACKUP_RESPONSE__INIT;
    response.files = (int64_t)made.files;
    response.bytes = (int64_t)made.bytes;
    response.last_sequence = (int64_t)made.last_sequence;
    call_reply(call, &response.base);
}

/* On loop 0. A client that goes away does not end it: the copy becomes whole. */
void api_backup(struct frontend *frontend, struct api_call *call) {
    const Norn__Admin__V1__BackupRequest *request = (const void *)call->call.request;
    if (request->directory[0] != '/') {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT,
                  "directory is \"%s\"; it must be an absolute path on the server's machine", request->directory);
        return;
    }
    struct backup *backup = MEM_NEW(struct backup);
    *backup = (struct backup){frontend, call};
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
