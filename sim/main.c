/* norn-sim: runs simulated worlds by seed. */
#include <stdio.h>

#include "world.h"

int main(void) {
    puts("norn-sim: nothing to run yet");
    return WORLD_USAGE;
}
