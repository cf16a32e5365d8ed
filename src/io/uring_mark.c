/* uring_mark: in production nobody counts marks or looks at states, and the code takes its usual way. */
#include "base/mark.h"

void mark(enum mark mark) { (void)mark; }
bool nudge(enum nudge nudge) {
    (void)nudge;
    return false;
}
bool observing(void) { return false; }
void observe(enum observed what, uint64_t number, const void *state, size_t len) {
    (void)what, (void)number, (void)state, (void)len;
}
