/* markdown: the table of settings as text for docs/configuration.md, which a test compares with this. */
#include "config/config.h"

static const char *type_name(enum config_type type) {
    switch (type) {
    case CONFIG_TEXT: return "text";
    case CONFIG_ADDR: return "address";
    case CONFIG_COUNT: return "number";
    case CONFIG_BYTES: return "size";
    case CONFIG_DURATION: return "time";
    case CONFIG_BOOL: return "switch";
    case CONFIG_CHOICE: return "choice";
    }
    UNREACHABLE("setting type %d", (int)type);
}

void config_markdown(struct buf *out) {
    buf_append_str(out, "| setting and flag | environment | type | default | allowed | for each | meaning |\n"
                        "|---|---|---|---|---|---|---|\n");
    for (unsigned id = 0; id < CONFIG_SETTING_COUNT; id++) {
        char env[CONFIG_ENV_NAME_MAX];
        struct config_setting setting = config_setting((enum config_id)id, env);
        const char *value = *setting.default_text ? setting.default_text : "(empty)";
        buf_printf(out, "| `%s` | `%s` | %s | %s | ", setting.name, setting.env, type_name(setting.type), value);
        config_allowed_text(&setting, out);
        buf_printf(out, " | %s | %s |\n", setting.scope, setting.help);
    }
}
