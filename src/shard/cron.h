/* cron: schedules of cron workflows: five fields, or @every and the like, with an optional CRON_TZ=/TZ= prefix. */
#ifndef NORN_SHARD_CRON_H
#define NORN_SHARD_CRON_H

#include <stdbool.h>
#include <stdint.h>

/* NULL, or what is wrong with it. */
const char *cron_check(const char *schedule, int64_t now);
/* How long after `now` the next slot after `start` that has not passed comes, in whole seconds; -1: never. */
int64_t cron_backoff(const char *schedule, int64_t start, int64_t now);

#endif
