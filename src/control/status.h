/* SPDX-License-Identifier: MIT */
/* The answers that are JSON, as text; docs/man/dotstubctl.8 says what is in them.
 *
 * Owns:    nothing; what is returned comes from malloc and is the caller's, NULL: memory is gone.
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_STATUS_H
#define DOTSTUB_CONTROL_STATUS_H

#include "view.h"

char *status_text(const struct view *view, const struct gather_sum *sum);
/* The same for the status page, without what is private, and with the latest slow and failed queries. */
enum status_names { NAMES_HIDDEN, NAMES_FOR_TOKEN /* which was not given */, NAMES_SHOWN };
char *status_page(const struct view *view, const struct gather_sum *sum, enum status_names names);
char *status_counters(const struct view *view);
char *status_config(const struct view *view);
/* What is kept for the question (without flags), with and without DNSSEC. */
char *status_cache(const struct view *view, const struct key *question);
char *status_flushed(uint64_t entries);
char *status_log(void);
/* To whoever asked for a reload. */
char *status_reloaded(const struct reload_result *result);
char *status_draining(uint64_t ms);
/* {"error": sentence}, and with `paths` (ends with NULL) what there is. */
char *status_error(const char *sentence, const char *const *paths);

#endif
