/* internal: the services that net answers itself. */
#include "net/call.h"

bool call_is_internal(struct call *call) { return false; }
void call_internal(struct call *call) { UNREACHABLE("not internal: %s", call->rpc.path); }
