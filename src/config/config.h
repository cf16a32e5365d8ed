/* config: the settings of a server, from a YAML file, the environment and flags, each of which overrules the one before.
 *
 * The table is in settings.h. A key that is not in it is an error that names the nearest one that is. A bad value is an
 * error that names the setting, where the value came from, the value, and what is allowed. */
#ifndef NORN_CONFIG_CONFIG_H
#define NORN_CONFIG_CONFIG_H

#include "base/status.h"
#include "config/settings.h"
#include "io/io.h"

enum config_type { CONFIG_TEXT, CONFIG_ADDR, CONFIG_COUNT, CONFIG_BYTES, CONFIG_DURATION, CONFIG_BOOL, CONFIG_CHOICE };

typedef const char *config_text;           /* "" when empty, never NULL */
typedef struct io_addr config_addr;
typedef uint64_t config_count;
typedef uint64_t config_bytes;
typedef int64_t config_duration;           /* ns */
typedef bool config_bool;
typedef uint32_t config_choice;            /* the index in the table's choices */
#define CONFIG_CTYPE_TEXT config_text
#define CONFIG_CTYPE_ADDR config_addr
#define CONFIG_CTYPE_COUNT config_count
#define CONFIG_CTYPE_BYTES config_bytes
#define CONFIG_CTYPE_DURATION config_duration
#define CONFIG_CTYPE_BOOL config_bool
#define CONFIG_CTYPE_CHOICE config_choice

enum config_id {
#define X(type, field, ...) CONFIG_ID_##field,
    CONFIG_SETTINGS(X)
#undef X
    CONFIG_SETTING_COUNT
};

/* Numbers of the choices. */
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_JSON, CONFIG_LOG_TEXT };

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

struct config {
#define X(type, field, ...) CONFIG_CTYPE_##type field;
    CONFIG_SETTINGS(X)
#undef X
    const char *file;                      /* the file that was read; NULL: none */
    struct {
        enum config_source source;
        const char *where;                 /* "default", "norn.yaml:12", "NORN_GRPC", "--grpc" */
    } from[CONFIG_SETTING_COUNT];
};

struct config_setting {
    enum config_type type;
    const char *name, *env, *default_text;
    int64_t least, most;
    const char *choices, *scope, *help;
    size_t offset;                         /* of the field in struct config */
};

enum { CONFIG_FILE_BYTES_MAX = 1 << 20, CONFIG_ENV_NAME_MAX = 112, CONFIG_VALUE_MAX = CONFIG_TEXT_MAX + 1 };

/* Row `id` of the table; env is written to `env_name`. */
struct config_setting config_setting(enum config_id id, char env_name[CONFIG_ENV_NAME_MAX]);
/* CONFIG_SETTING_COUNT when there is no such setting. */
enum config_id config_find(struct bytes name);
/* The known name with the fewest edits; never NULL. */
const char *config_nearest(struct bytes name);
/* The same among the names of the environment; written to `out`. */
void config_nearest_env(struct bytes name, char out[CONFIG_ENV_NAME_MAX]);

/* All defaults. */
void config_init(struct config *config);
/* Reads a value of one setting. Texts are copied to the arena, which the config needs from then on. */
struct status config_set(struct config *config, enum config_id id, struct bytes value, enum config_source source,
                         const char *where, struct arena *arena);
/* The content of a YAML file. Keys may be nested: {limit: {maxIDLength: 500}} is limit.maxIDLength. */
struct status config_read_yaml(struct config *config, struct bytes text, const char *file, struct arena *arena);
/* The variables NORN_*. One that is no setting is an error, as it is in a file. */
struct status config_read_environment(struct io *io, struct config *config, struct arena *arena);
/* Rules that concern several settings, and defaults that depend on the environment. After all sources. */
struct status config_finish(struct config *config, const char *xdg_data_home, const char *home, struct arena *arena);

/* A flag "--name=value", "--name value" or, for a BOOL, "--name". */
struct config_flag {
    const char *name;                      /* without the dashes */
    const char *value;                     /* NULL: none was given */
};
/* Everything: the file (named by the flag or environment variable "config"), the environment, the flags. On a fiber. */
struct status config_load(struct io *io, const struct config_flag *flags, size_t flag_count, struct arena *arena,
                          struct config *out);

/* The value as text that config_set reads back. */
void config_value_text(const struct config *config, enum config_id id, struct buf *out);
/* What a value may be: "1 to 256", "debug, info, ...". */
void config_allowed_text(const struct config_setting *setting, struct buf *out);
/* The table as Markdown: the table part of docs/configuration.md. */
void config_markdown(struct buf *out);

#endif
