/* call: one request on an HTTP/2 connection, from its headers to the last byte of its reply; behind it the unary call
 * of rpc.h.
 *
 * A call has two holders: its stream (until net_call_stream_closed) and the service (from the handler until rpc_reply
 * or rpc_fail). It is freed when both have let go. It lives in its own arena, so that a call is one allocation. */
#ifndef NORN_NET_CALL_H
#define NORN_NET_CALL_H

#include <nghttp2/nghttp2.h>

#include "net/connection.h"
#include "net/deadline.h"
#include "net/grpc.h"
#include "net/rpc.h"

struct header {
    struct header *next;
    struct bytes name, value;
};

/* An RPC with a stream of requests, which net answers itself (reflection). Replies go out by net_call_stream_send. */
struct net_call;
typedef void net_call_message_fn(struct net_call *call, struct bytes message);

struct net_call {
    struct rpc_call rpc;                 /* first: all that services see */
    struct net_server *server;
    struct connection *connection;       /* NULL when the stream is gone */
    struct list link;                    /* connection->calls */
    struct deadline deadline;
    int32_t stream_id;

    bool is_grpc, is_post, is_plain;     /* plain: an HTTP request that is not gRPC */
    bool gzip_request, gzip_accepted, encoding_unknown, timeout_malformed, headers_too_large;
    bool request_ended;                  /* the peer's END_STREAM */
    bool with_service, replied, lingers;
    uint16_t header_count;
    uint32_t header_bytes;
    struct header *headers, *headers_last;
    const char *method;
    struct bytes content_type, encoding;
    int64_t timeout_ns;

    uint8_t prefix[GRPC_PREFIX_LEN];     /* of the message that is arriving */
    uint8_t prefix_len;
    bool has_message;                    /* a whole one came */
    uint32_t message_len;
    struct buf body;                     /* what has arrived of it */
    size_t dropped;                      /* bytes that came while it lingers */
    size_t charged;                      /* in the connection's and the server's request_bytes */

    net_call_message_fn *on_message;         /* streaming RPC */
    struct buf queue;                    /* its replies */
    struct header *reply_headers;
    struct bytes reply;                  /* what is left to send */
    bool reply_open;                     /* more will follow */
    struct status status;                /* of the trailers */
};

/* ---- request.c ---- */
void net_call_header(struct net_call *call, struct bytes name, struct bytes value);
/* All headers are here. */
void net_call_begin(struct net_call *call);
/* Answers and gives true when the headers alone tell that this cannot be served. */
bool net_call_refuse_by_headers(struct net_call *call);
void net_call_data(struct net_call *call, struct bytes data);

/* ---- call.c ---- */
struct net_call *net_call_create(struct connection *connection, int32_t stream_id);
/* The peer has sent all. */
void net_call_request_ended(struct net_call *call);
/* The reply has been sent, and the request has not ended: the rest of it is dropped for a while, then the stream is
 * reset. At once would be allowed, but clients that are still sending (curl, proxies) then lose the reply. */
void net_call_linger(struct net_call *call);
/* The stream is gone; a call that has not ended is cancelled. */
void net_call_stream_closed(struct net_call *call);

void net_call_reset(struct net_call *call, uint32_t code);
/* Its request is no longer among those that are arriving. */
void net_call_uncharge(struct net_call *call);
/* Answers with a status and no message. */
void net_call_refuse(struct net_call *call, unsigned http_status, struct status status);
void net_call_stream_send(struct net_call *call, const ProtobufCMessage *message);
void net_call_stream_end(struct net_call *call, struct status status);

/* Takes the call back from its service, that ends it; false when nobody waits for the reply, and the call may be gone. */
bool net_call_take_back(struct io *io, struct net_call *call);

/* ---- plain.c ---- */
/* A whole plain HTTP request: on to the handler. */
void net_call_plain(struct net_call *call);
/* Answers in plain text; `http_status` 200 takes the one that `status` has in HTTP. */
void net_call_plain_refuse(struct net_call *call, unsigned http_status, struct status status);

/* ---- internal.c ---- */
/* Paths that net answers itself: true when this is one. `call->on_message` is set for a stream. */
bool net_call_is_internal(struct net_call *call);
/* A whole request for such a path. */
void net_call_internal(struct net_call *call);

/* ---- reply.c ---- */
/* Submits the reply: with `body` (gRPC: prefixed messages) and trailers, or trailers alone. */
void reply_message(struct net_call *call, struct bytes body, bool compressed);
void reply_status(struct net_call *call, unsigned http_status, struct status status);
void reply_http(struct net_call *call, const struct http_response *response);
/* The frame's payload, as nghttp2 asks for it. */
ssize_t reply_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length, uint32_t *flags,
                   nghttp2_data_source *source, void *ctx);
int reply_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
               nghttp2_data_source *source, void *ctx);

#endif
