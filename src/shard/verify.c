/* verify: live states against their histories. */
#include "shard/core.h"

void engine_verify(struct engine *engine) {}
