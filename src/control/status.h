/* SPDX-License-Identifier: MIT */
/* JSON replies as text; dotstubctl(8) documents them.
 *
 * Owns:    Nothing; the caller frees the returned text. NULL: out of memory.
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_STATUS_H
#define DOTSTUB_CONTROL_STATUS_H

#include "view.h"

char *status_text(const struct view *view, const struct gather_sum *sum);
/* For the status page: status_text without private members, plus the latest slow and failed queries. */
enum status_names { NAMES_HIDDEN, NAMES_FOR_TOKEN /* a token is needed and was not given */, NAMES_SHOWN };
char *status_page(const struct view *view, const struct gather_sum *sum, enum status_names names);
char *status_counters(const struct view *view);
char *status_config(const struct view *view);
/* All cache entries for name, type and class of `key`, in all groups. */
char *status_cache(const struct view *view, const struct key *key);
char *status_flushed(uint64_t entries);
char *status_fleet_flushed(const struct flush_result *result);
char *status_log(void);
/* The reply to POST /reload. */
char *status_reloaded(const struct reload_result *result);
char *status_draining(uint64_t ms);
/* {"error": sentence}; if `paths` is given (ends with NULL), also the list of paths that exist. */
char *status_error(const char *sentence, const char *const *paths);

#endif
