/* tls: not there yet. */
#include "net/tls.h"

#include "net/tls_session.h"

struct tls_session *tls_session_create(struct tls_config *config) { return NULL; }
void tls_session_free(struct tls_session *session) {}
void tls_session_feed(struct tls_session *session, struct bytes data) {}
int64_t tls_session_handshake(struct tls_session *session) { return TLS_FAILED; }
int64_t tls_session_read(struct tls_session *session, void *data, size_t len) { return TLS_FAILED; }
bool tls_session_write(struct tls_session *session, struct bytes data) { return false; }
void tls_session_close_notify(struct tls_session *session) {}
void tls_session_output(struct tls_session *session, struct buf *out) {}
bool tls_session_is_h2(const struct tls_session *session) { return false; }
const char *tls_session_peer(const struct tls_session *session) { return NULL; }
const char *tls_session_error(const struct tls_session *session) { return ""; }

struct tls_config *tls_config_create(struct io *io, const struct tls_options *options, struct arena *arena,
                                     struct status *status) {
    *status = status_make(arena, STATUS_UNIMPLEMENTED, "TLS is not there yet");
    return NULL;
}
struct status tls_config_reload(struct tls_config *config, const struct tls_options *options, struct arena *arena) {
    return (struct status){STATUS_UNIMPLEMENTED, "TLS is not there yet"};
}
void tls_config_destroy(struct tls_config *config) {}
int64_t tls_config_not_after(const struct tls_config *config) { return 0; }
