/* uring_mark: in production nobody counts marks, and the code takes its usual way. */
#include "base/mark.h"

void mark(enum mark mark) { (void)mark; }
bool nudge(enum nudge nudge) {
    (void)nudge;
    return false;
}
