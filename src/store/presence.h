/* presence: a Bloom filter over the hashes of the ids that are in the database. It may say 'perhaps' too often, never
 * 'no' wrongly. One loop adds, any loop asks. About 10 bits for an id. */
#ifndef NORN_STORE_PRESENCE_H
#define NORN_STORE_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct presence_layer;
struct presence { struct presence_layer *_Atomic layers; };      /* newest first; zeroed is empty */

void presence_add(struct presence *presence, uint64_t hash);
bool presence_may_have(const struct presence *presence, uint64_t hash);
/* Makes room for `count` more at once. */
void presence_reserve(struct presence *presence, uint64_t count);
void presence_free(struct presence *presence);

#endif
