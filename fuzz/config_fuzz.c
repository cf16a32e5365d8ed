/* The configuration's YAML reader: any text is taken or refused with a message; what is taken is written as text that reads
 * back as the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written_values(const struct config *config, struct arena *arena) {
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        struct config again;
        struct buf text = {0}, text_again = {0};
        config_init(&again);
        config_value_text(config, (enum config_id)id, &text);
        struct status status = config_set(&again, (enum config_id)id, buf_bytes(&text), CONFIG_FROM_FLAG, "again", arena);
        CHECKF(status_ok(status), "%s", status.message);
        config_value_text(&again, (enum config_id)id, &text_again);
        CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&text_again)));
        buf_free(&text);
        buf_free(&text_again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    struct arena arena = {0};
    config_init(&config);
    struct status status = config_read_yaml(&config, bytes_of(data, size), "fuzz.yaml", &arena);
    CHECK(status_ok(status) || (status.message && *status.message));
    if (status_ok(status)) check_written_values(&config, &arena);
    config_finish(&config, NULL, "/home", &arena);
    arena_free(&arena);
    return 0;
}
