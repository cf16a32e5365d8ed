/* h2: nghttp2 with our memory and on our buffers. */
#include "net/h2.h"

#include "base/check.h"
#include "base/mem.h"

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static void *h2_malloc(size_t size, void *ctx) { return mem_realloc(NULL, size ? size : 1); }
static void *h2_calloc(size_t count, size_t size, void *ctx) { return mem_alloc(count * size); }

static void *h2_realloc(void *pointer, size_t size, void *ctx) {
    struct h2_memory *memory = ctx;
    bool is_frame = memory->opening && !pointer && size >= 16 * 1024 && size <= sizeof memory->frame;
    if (is_frame) return memory->frame;
    CHECK(pointer != memory->frame);
    return mem_realloc(pointer, size ? size : 1);
}

static void h2_free(void *pointer, void *ctx) {
    struct h2_memory *memory = ctx;
    if (pointer != memory->frame) mem_free(pointer);
}

struct h2_memory *h2_memory_create(void) {
    struct h2_memory *memory = MEM_NEW(struct h2_memory);
    memory->hooks = (nghttp2_mem){memory, h2_malloc, h2_free, h2_calloc, h2_realloc};
    return memory;
}

void h2_memory_destroy(struct h2_memory *memory) { mem_free(memory); }

/* ---- sessions -------------------------------------------------------------------------------------------------- */

nghttp2_session *h2_open(struct h2_memory *memory, bool server, const nghttp2_session_callbacks *callbacks,
                         const nghttp2_option *option, void *ctx) {
    nghttp2_session *session;
    memory->opening = true;
    int error = server ? nghttp2_session_server_new3(&session, callbacks, ctx, option, &memory->hooks)
                       : nghttp2_session_client_new3(&session, callbacks, ctx, option, &memory->hooks);
    memory->opening = false;
    CHECK(!error);
    return session;
}

nghttp2_option *h2_options(void) {
    nghttp2_option *option;
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_settings(option, 32);
    nghttp2_option_set_max_outbound_ack(option, 1000);
    nghttp2_option_set_max_continuations(option, 8);
    return option;
}

nghttp2_session_callbacks *h2_callbacks(void) {
    nghttp2_session_callbacks *callbacks;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    return callbacks;
}

bool h2_pump(nghttp2_session *session, struct wire *wire) {
    while (!wire_full(wire)) {
        const uint8_t *data;
        ssize_t count = nghttp2_session_mem_send(session, &data);
        if (count < 0) return false;
        if (count == 0) break;
        buf_append(wire_out(wire), data, (size_t)count);
    }
    return true;
}

void h2_widen(nghttp2_session *session) {
    CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW) == 0);
}

nghttp2_nv h2_header(const char *name, struct bytes value) {
    const void *text = value.data ? (const void *)value.data : "";
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)text, strlen(name), value.len,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}
