/* uring_resolve: name lookup, by the C library on a helper of the node. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "io/uring_internal.h"

enum { ARG_HOST, ARG_PORT };

static bool first_address(const struct addrinfo *list, struct io_addr *out) {
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        struct sockaddr_storage name = {0};
        if (at->ai_addrlen > sizeof name) continue;
        memcpy(&name, at->ai_addr, at->ai_addrlen);
        *out = uring_from_sockaddr(&name);
        if (out->family) return true;
    }
    return false;
}

static void look_up(struct io_helper *helper, void *arg) {
    (void)helper;
    struct io_op *op = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    op->result = -IO_ENAME;
    if (getaddrinfo((const char *)(uintptr_t)op->args[ARG_HOST], NULL, &hints, &list) != 0) return;
    if (first_address(list, &op->addr)) op->result = 0;
    op->addr.port = (uint16_t)op->args[ARG_PORT];
    freeaddrinfo(list);
}

void io_resolve(struct io *io, struct io_op *op, const char *host, uint16_t port) {
    TAPE_EFFECT(io, resolve, tape_hash_text(host), port, 0);
    op_begin(io, op, KIND_RESOLVE);
    op->args[ARG_HOST] = (uintptr_t)mem_strdup(host);
    op->args[ARG_PORT] = port;
    blocking_submit(io, op, &io->node->name_helper, "norn-names", look_up);
}

void resolve_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)result, (void)flags;
    mem_free((void *)(uintptr_t)op->args[ARG_HOST]);
    op_finish(io, op, op->result);
}
