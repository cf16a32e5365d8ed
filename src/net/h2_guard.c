/* h2_guard: frame heads (RFC 9113 section 4.1). */
#include "net/h2_guard.h"

static uint32_t stream_of(const uint8_t *head) {
    return ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) & 0x7fffffff;
}

static int32_t cost_of(uint8_t type, uint8_t flags, uint32_t len) {
    bool ends = flags & NGHTTP2_FLAG_END_STREAM;
    switch (type) {
    case NGHTTP2_RST_STREAM: return 5;   /* a request begun and thrown away costs more than it takes to do so */
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS: return flags & NGHTTP2_FLAG_ACK ? 0 : 1;
    case NGHTTP2_HEADERS: return 0;
    case NGHTTP2_DATA: return len < 16 && !ends;
    default: return 1;                   /* PRIORITY, CONTINUATION, WINDOW_UPDATE and what we do not know */
    }
}

static bool has_ended(const struct h2_guard *guard, uint32_t stream) {
    for (int i = 0; i < H2_GUARD_ENDED; i++)
        if (guard->ended[i] == stream) return true;
    return false;
}

static enum h2_verdict judge(struct h2_guard *guard, uint8_t type, uint8_t flags, uint32_t stream) {
    bool carries = type == NGHTTP2_DATA || type == NGHTTP2_HEADERS;
    if (!stream) return H2_PASS;
    if (carries && has_ended(guard, stream)) return H2_STREAM_CLOSED;
    bool old = type == NGHTTP2_HEADERS && stream <= guard->last_stream;
    if (stream > guard->last_stream && type == NGHTTP2_HEADERS) guard->last_stream = stream;
    if ((carries && (flags & NGHTTP2_FLAG_END_STREAM)) || type == NGHTTP2_RST_STREAM)
        guard->ended[guard->next++ % H2_GUARD_ENDED] = stream;
    return old ? H2_CHECK : H2_PASS;
}

enum h2_verdict h2_guard_scan(struct h2_guard *guard, struct bytes data, size_t *taken, int32_t *cost,
                              uint32_t *stream) {
    size_t at = 0;
    while (at < data.len) {
        if (guard->payload_left) {
            size_t skip = data.len - at < guard->payload_left ? data.len - at : guard->payload_left;
            guard->payload_left -= (uint32_t)skip;
            at += skip;
            continue;
        }
        guard->head[guard->head_len++] = data.data[at++];
        if (guard->head_len < sizeof guard->head) continue;
        const uint8_t *head = guard->head;
        guard->head_len = 0;
        guard->payload_left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        *cost += cost_of(head[3], head[4], guard->payload_left);
        *stream = stream_of(head);
        enum h2_verdict verdict = judge(guard, head[3], head[4], *stream);
        if (verdict != H2_PASS) {
            *taken = at;
            return verdict;
        }
    }
    *taken = at;
    return H2_PASS;
}
