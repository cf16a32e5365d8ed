/* clock: the engine's time of day.
 *
 * It is the system's, but it never goes back: when that is set back, the engine's goes on at the monotonic clock's rate
 * until the system's has caught up. So a correction of the clock delays no timeout, and no timer of a run waits for an
 * hour that has already been. It may go forward by any step. */
#include "shard/core.h"

int64_t engine_wall(struct engine *engine) {
    int64_t wall = io_wall(engine->io), now = io_now(engine->io);
    int64_t least = engine->clock_wall + (now - engine->clock_now);
    engine->clock_wall = engine->clock_now && wall < least ? least : wall;
    engine->clock_now = now;
    return engine->clock_wall;
}
