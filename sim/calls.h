/* calls: gRPC calls, read from the bytes that pass between nodes. */
#ifndef NORN_SIM_CALLS_H
#define NORN_SIM_CALLS_H

#include "log.h"

struct calls;

/* Where bytes come from. */
struct calls_part {
    uint32_t connection;
    bool dialed;                         /* they are the client's */
    uint16_t from, to;
    int64_t arrives;
};

struct calls *calls_create(struct log *log);
void calls_destroy(struct calls *calls);
/* Bytes of a connection, in their order. */
void calls_take(struct calls *calls, const struct calls_part *part, const struct iovec *iov, size_t amount);

#endif
