/* plant: which planted bug a loop has. The loop's slot holds its name. */
#include "base/plant.h"

#ifdef NORN_PLANTS
#include <string.h>

#include "base/check.h"
#include "io/io.h"

#define X(name, text, interleaving, what) text,
static const char *const names[] = {PLANTS(X)};
#undef X
static const char none[] = "";

bool plant_select(struct io *io, const char *name) {
    const char *chosen = name && name[0] ? NULL : none;
    for (size_t i = 0; i < ARRAY_LEN(names) && !chosen; i++) {
        if (strcmp(names[i], name) == 0) chosen = names[i];
    }
    if (chosen) io_set_slot(io, IO_SLOT_PLANT, (void *)(uintptr_t)chosen);
    return chosen != NULL;
}

bool plant_on(struct io *io, enum plant plant) {
    if (!io_slot(io, IO_SLOT_PLANT)) {
        const char *wanted = io_env(io, "NORN_PLANT");
        CHECKF(plant_select(io, wanted), "NORN_PLANT: there is no planted bug %s", wanted);
    }
    return io_slot(io, IO_SLOT_PLANT) == names[plant];
}
#endif
