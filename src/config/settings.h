/* settings: the one table of all settings. The struct of typed values, the readers of files, environment and flags,
 * `norn config show`, `norn help server` and docs/configuration.md are all made from it.
 *
 * X(type, field, name, default, least, most, choices, scope, help)
 *   type     how the text is read; gives the field's C type (config.h)
 *   name     the key in the file and, after "--", the flag; names of Temporal's dynamic configuration where it has one
 *   default  as text; read like any other value
 *   least, most  of the value; for texts the most is its length
 *   choices  of a CHOICE: "a|b|c", whose number is the value
 *   scope    what the value is for: the server, each loop, each connection, ...
 *
 * The environment's name is made from `name`: limit.maxIDLength is NORN_LIMIT_MAX_ID_LENGTH. */
#ifndef NORN_CONFIG_SETTINGS_H
#define NORN_CONFIG_SETTINGS_H

#define CONFIG_KIB 1024ll
#define CONFIG_MIB (1024 * CONFIG_KIB)
#define CONFIG_GIB (1024 * CONFIG_MIB)
#define CONFIG_MS 1000000ll
#define CONFIG_SECOND (1000 * CONFIG_MS)
#define CONFIG_HOUR (3600 * CONFIG_SECOND)
#define CONFIG_U32_MAX 4294967295ll

enum { CONFIG_TEXT_MAX = 4096 };

/* clang-format off */
#define CONFIG_SETTINGS(X)                                                                                             \
    X(TEXT, data, "data", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                                      \
      "Folder of the journal and the database; made when it is not there. Empty: $XDG_DATA_HOME/norn, else "           \
      "$HOME/.local/share/norn")                                                                                       \
    X(ADDR, grpc, "grpc", "127.0.0.1:7233", 0, 0, NULL, "server",                                                      \
      "Where gRPC clients and workers connect; port 0 takes a free one")                                               \
    X(ADDR, http, "http", "127.0.0.1:8080", 0, 0, NULL, "server",                                                      \
      "Where /health is; port 0 takes a free one")                                                                     \
    X(ADDR, metrics, "metrics", "127.0.0.1:9090", 0, 0, NULL, "server",                                                \
      "Where /metrics is; port 0 takes a free one")                                                                    \
    X(COUNT, loops, "loops", "1", 0, 256, NULL, "server",                                                              \
      "Threads that serve, each with a ring of its own; 0 is one for each core")                                       \
    X(BYTES, memory, "memory", "0", 0, 1024 * 1024 * CONFIG_GIB, NULL, "server",                                       \
      "Hard limit of memory: caches shrink, then starts, then signals are refused; 0 is none. At least 32MiB otherwise")\
    X(BOOL, insecure, "insecure", "false", 0, 1, NULL, "server",                                                       \
      "Allow addresses that are not loopback without mutual TLS")                                                      \
    X(TEXT, tls_cert, "tls-cert", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                              \
      "PEM file of the server's certificate chain; empty is clear text. Read again on SIGHUP")                         \
    X(TEXT, tls_key, "tls-key", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                                \
      "PEM file of the certificate's private key")                                                                     \
    X(TEXT, tls_client_ca, "tls-client-ca", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                    \
      "PEM file of the authorities whose client certificates are let in; set, every client needs one (mutual TLS)")    \
    X(TEXT, admin_names, "admin.names", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                        \
      "With mutual TLS: whose client certificates may call the admin service (backup, checkpoint); names with commas " \
      "between, each CN=, DNS:, URI:, email: or IP: and what the certificate says")                                    \
    X(BOOL, admin_from_loopback, "admin.from-loopback", "true", 0, 1, NULL, "server",                                  \
      "Without mutual TLS: whether clients on loopback may call the admin service; others never may")                  \
    X(TEXT, backup_dir, "backup.dir", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                          \
      "Folder that backups are made in, and nowhere else. Empty: backups, in the data folder")                         \
    X(TEXT, record, "record", "", 0, CONFIG_TEXT_MAX, NULL, "server",                                                  \
      "Folder, made anew, for a recording of this run, which norn-sim --replay runs again. It holds all that comes in,"\
      " payloads included; its files have mode 0600. Not with TLS")                                                    \
    X(BYTES, record_bytes_max, "record-bytes-max", "1GiB", 16 * CONFIG_MIB, 1024 * CONFIG_GIB, NULL, "server",         \
      "Size of a recording's logs; there it ends, and the server goes on")                                             \
    X(CHOICE, log_level, "log-level", "info", 0, 4, "debug|info|warn|error|off", "server",                             \
      "The least severe log line that is written")                                                                     \
    X(CHOICE, log_format, "log-format", "auto", 0, 2, "auto|json|text", "server",                                      \
      "Form of a log line on standard error; auto is text on a terminal, else json")                                   \
    X(COUNT, history_shards, "history-shards", "512", 1, 16384, NULL, "server",                                        \
      "History shards of a new data folder")                                                                           \
    X(BYTES, blob_size_error, "limit.blobSize.error", "2MiB", CONFIG_KIB, 64 * CONFIG_MIB, NULL, "request",            \
      "Size of one field with payloads (input, result, details, ...); more is refused")                                \
    X(BYTES, memo_size_error, "limit.memoSize.error", "2MiB", CONFIG_KIB, 64 * CONFIG_MIB, NULL, "request",            \
      "Size of a memo; more is refused")                                                                               \
    X(BYTES, id_length_max, "limit.maxIDLength", "1000", 16, 10000, NULL, "request",                                   \
      "Bytes of ids, names and reasons; longer ones are refused")                                                      \
    X(COUNT, pending_activities_max, "limit.numPendingActivities.error", "2000", 1, 1000000, NULL, "workflow",         \
      "Activities that one run may have open")                                                                         \
    X(COUNT, pending_signals_max, "limit.numPendingSignals.error", "2000", 1, 1000000, NULL, "workflow",               \
      "Signals to other workflows that one run may have open")                                                         \
    X(COUNT, signals_per_execution_max, "history.maximumSignalsPerExecution", "10000", 1, 10000000, NULL, "workflow",  \
      "Signals that one run may receive")                                                                              \
    X(COUNT, history_count_error, "limit.historyCount.error", "51200", 100, 10000000, NULL, "workflow",                \
      "Events of one run; a run that goes beyond is terminated")                                                       \
    X(BYTES, history_size_error, "limit.historySize.error", "50MiB", CONFIG_MIB, 4 * CONFIG_GIB, NULL, "workflow",     \
      "Size of one run's history; a run that goes beyond is terminated")                                               \
    X(COUNT, buffered_events_max, "history.maximumBufferedEventsBatch", "100", 1, 100000, NULL, "workflow",            \
      "Events that one run may hold back while a workflow task runs")                                                  \
    X(BYTES, buffered_events_bytes_max, "history.maximumBufferedEventsSizeInBytes", "2MiB", CONFIG_KIB,                \
      64 * CONFIG_MIB, NULL, "workflow", "Size of the events that one run may hold back while a workflow task runs")   \
    X(DURATION, heartbeat_timeout, "history.workflowTaskHeartbeatTimeout", "30m", CONFIG_SECOND, 24 * CONFIG_HOUR,     \
      NULL, "workflow", "Time for which a worker may heartbeat one workflow task (for local activities)")              \
    X(COUNT, buffered_queries_max, "history.maxBufferedQueryCount", "1", 1, 1000, NULL, "workflow",                    \
      "Queries that one run may have waiting for its next workflow task")                                              \
    X(COUNT, task_problems_min, "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute", "5", 0, 1000000,    \
      NULL, "workflow",                                                                                                \
      "Failed or timed out workflow tasks in a row after which TemporalReportedProblems is set; 0 is never")            \
    X(BYTES, store_segment, "store.segment-size", "64MiB", CONFIG_MIB, 4 * CONFIG_GIB, NULL, "server",                 \
      "Size of one file of the journal")                                                                               \
    X(BYTES, store_reserve, "store.reserve", "64MiB", CONFIG_MIB, 64 * CONFIG_GIB, NULL, "server",                     \
      "Disk space that is kept for deletes, terminations, retention and checkpoints")                                  \
    X(BYTES, store_checkpoint_bytes, "store.checkpoint-bytes", "64MiB", CONFIG_MIB, 64 * CONFIG_GIB, NULL, "server",   \
      "Bytes of journal after which a checkpoint begins")                                                              \
    X(DURATION, store_checkpoint_interval, "store.checkpoint-interval", "60s", 100 * CONFIG_MS, 24 * CONFIG_HOUR,      \
      NULL, "server", "Age of the oldest change that only the journal holds, after which a checkpoint begins")         \
    X(BOOL, store_no_datasync, "store.no-datasync", "false", 0, 1, NULL, "server",                                     \
      "Write without waiting for the disk: a crash loses acknowledged work. For tests only")                           \
    X(COUNT, net_connections_max, "net.connections-max", "20000", 1, 1000000, NULL, "loop",                            \
      "Connections; more are closed at once")                                                                          \
    X(COUNT, net_streams_max, "net.streams-per-connection-max", "1000", 1, 100000, NULL, "connection",                 \
      "Calls at the same time")                                                                                        \
    X(BYTES, net_header_bytes_max, "net.header-bytes-max", "32KiB", CONFIG_KIB, 16 * CONFIG_MIB, NULL, "request",      \
      "Bytes of one request's headers")                                                                                \
    X(BYTES, net_request_bytes_max, "net.request-bytes-max", "4160KiB", 64 * CONFIG_KIB, 256 * CONFIG_MIB, NULL,       \
      "request", "Bytes of one request message; more is RESOURCE_EXHAUSTED")                                           \
    X(BYTES, net_send_buffer_bytes_max, "net.send-buffer-bytes-max", "16MiB", 64 * CONFIG_KIB, CONFIG_GIB, NULL,       \
      "connection", "Bytes that wait for a peer to read; one that does not is closed")                                 \
    X(DURATION, net_handshake_max, "net.handshake-timeout", "10s", 100 * CONFIG_MS, CONFIG_HOUR, NULL, "connection",   \
      "Time for TLS and the first request")                                                                            \
    X(DURATION, net_idle_max, "net.idle-timeout", "0s", 0, 24 * CONFIG_HOUR, NULL, "connection",                       \
      "A connection without calls for so long is asked to go; 0 is never")                                             \
    X(DURATION, net_keepalive, "net.keepalive-interval", "60s", CONFIG_SECOND, 24 * CONFIG_HOUR, NULL, "connection",   \
      "Silence after which a PING is sent")                                                                            \
    X(DURATION, net_keepalive_answer, "net.keepalive-timeout", "20s", CONFIG_SECOND, CONFIG_HOUR, NULL, "connection",  \
      "Time for the PING's answer; then the connection is closed")                                                     \
    X(DURATION, net_drain_max, "net.drain-timeout", "10s", 100 * CONFIG_MS, CONFIG_HOUR, NULL, "server",                             \
      "Time that open calls have to end when the server stops")
/* clang-format on */

#endif
