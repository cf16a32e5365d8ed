/* grpc: the parts of gRPC over HTTP/2 that are only bytes (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md):
 * timeouts, messages of statuses, binary headers, the prefix of a message. No IO, no state. */
#ifndef NORN_NET_GRPC_H
#define NORN_NET_GRPC_H

#include "base/arena.h"
#include "base/status.h"

enum {
    GRPC_PREFIX_LEN = 5,                 /* compressed flag, length (big-endian) */
    GRPC_MESSAGE_TEXT_MAX = 4000,        /* of grpc-message, before it is encoded */
};

/* "application/grpc", or with "+..." or ";..." behind. */
bool grpc_content_type(struct bytes value);
/* "10S", "250m", ...: nanoseconds, at most INT64_MAX; -1 when malformed. */
int64_t grpc_timeout_parse(struct bytes value);
/* At least this long; `text` holds up to 8 digits and a unit. */
void grpc_timeout_format(int64_t ns, char text[16]);

void grpc_prefix_store(uint8_t prefix[GRPC_PREFIX_LEN], bool compressed, uint32_t len);
uint32_t grpc_prefix_len(const uint8_t prefix[GRPC_PREFIX_LEN]);

/* Values of -bin headers: base64, written without padding, read with or without it. False when malformed. */
struct bytes grpc_base64_encode(struct arena *arena, struct bytes data);
bool grpc_base64_decode(struct arena *arena, struct bytes text, struct bytes *out);

/* grpc-message: bytes outside printable ASCII, and '%', as %XX. Decoding never fails. */
struct bytes grpc_percent_encode(struct arena *arena, const char *text);
const char *grpc_percent_decode(struct arena *arena, struct bytes text);

/* A google.rpc.Status with the status's code, message and one detail, and back: only the first detail is taken. */
struct bytes grpc_status_pack(struct arena *arena, struct status status);
void grpc_status_unpack(struct arena *arena, struct bytes packed, struct status *status);

/* The code that stands for an HTTP status of a reply that is not gRPC. */
enum status_code grpc_code_of_http(unsigned http_status);

#endif
