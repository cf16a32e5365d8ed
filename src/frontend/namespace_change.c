/* namespace_change: what every change of a namespace begins with. */
#include "frontend/namespace_change.h"

bool namespace_may_change(struct frontend *frontend, struct call *call, const char *id_text, const char *name) {
    struct status room = store_admit(frontend->store, STORE_NORMAL, 4096, call->arena);
    if (!status_ok(room)) {
        call_fail_status(call, room);
        return false;
    }
    if (!node_changes_busy(frontend->changes, id_text, name)) return true;
    call_fail(call, STATUS_UNAVAILABLE, "namespace %s is being changed by another request, try again", name);
    return false;
}

Norn__Node__Namespace *namespace_copy_record(const struct namespace_info *info, struct arena *arena) {
    const Norn__Node__Namespace *record = namespaces_record(info);
    size_t len = norn__node__namespace__get_packed_size(record);
    uint8_t *packed = arena_alloc(arena, len);
    norn__node__namespace__pack(record, packed);
    return norn__node__namespace__unpack(arena_pb(arena), len, packed);
}

const struct namespace_info *namespace_find_to_change(struct frontend *frontend, struct call *call, const char *name) {
    if (!name[0]) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Namespace not set on request.");
        return NULL;
    }
    const struct namespace_info *info = namespaces_by_name(frontend->namespaces, name);
    if (!info) {
        call_fail_status(call, namespace_not_found(call->arena, name));
        return NULL;
    }
    return namespace_may_change(frontend, call, info->id_text, name) ? info : NULL;
}
