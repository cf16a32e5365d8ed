/* permission: the rules for the maintenance of the node. */
#include "frontend/permission.h"

/* The next part of a subject in the form of RFC 2253, "CN=a,O=b+OU=c". A separator in a value has a backslash before it. */
static bool next_attribute(struct bytes *rest, struct bytes *part) {
    if (rest->len == 0) return false;
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ',' && rest->data[len] != '+') len += rest->data[len] == '\\' ? 2 : 1;
    if (len > rest->len) len = rest->len;
    *part = bytes_of(rest->data, len);
    size_t taken = len + (len < rest->len);
    *rest = bytes_of(rest->data + taken, rest->len - taken);
    return true;
}

static bool certificate_has(const struct rpc_peer *peer, struct bytes wanted) {
    struct bytes rest = bytes_str(peer->certificate_subject), part;
    while (next_attribute(&rest, &part))
        if (bytes_equal(part, wanted)) return true;
    rest = bytes_str(peer->certificate_names);      /* net lets no name have a comma */
    while (bytes_split(&rest, ',', &part))
        if (bytes_equal(part, wanted)) return true;
    return false;
}

static bool is_named(const struct permission_rules *rules, const struct rpc_peer *peer) {
    struct bytes rest = bytes_str(rules->admin_names), name;
    while (bytes_split(&rest, ',', &name))
        if (name.len && certificate_has(peer, name)) return true;
    return false;
}

struct status permission_maintain(const struct permission_rules *rules, const struct rpc_peer *peer, const char *method,
                                  struct arena *arena) {
    char addr[IO_ADDR_TEXT_MAX];
    if (peer->certificate_subject) {
        if (is_named(rules, peer)) return STATUS_GOOD;
        const char *names = peer->certificate_names;
        return status_make(arena, STATUS_PERMISSION_DENIED,
                           "%s is not for the client certificate %s%s%s%s. The server's setting admin.names lists those that "
                           "may call it", method, peer->certificate_subject, names ? " (" : "", names ? names : "",
                           names ? ")" : "");
    }
    if (!io_addr_is_loopback(&peer->addr))
        return status_make(arena, STATUS_PERMISSION_DENIED,
                           "%s is not for a client at %s without a certificate. Call it on loopback, or set up mutual TLS and "
                           "the server's setting admin.names", method, io_addr_text(&peer->addr, addr));
    if (rules->admin_from_loopback) return STATUS_GOOD;
    return status_make(arena, STATUS_PERMISSION_DENIED,
                       "%s is not for clients without a certificate: the server's setting admin.from-loopback is false", method);
}
