/* SPDX-License-Identifier: MIT */
/* Questions of the daemon's control side to the block lists.
 *
 * Does:    reports on the lists, tests a name, and unblocks a name for some time.
 * Owns:    names that are unblocked belong to the process: they survive a reload, not a restart.
 * Threads: any. `snapshot` is that of step_block and may be NULL.
 */
#ifndef DOTSTUB_POLICY_BLOCKING_H
#define DOTSTUB_POLICY_BLOCKING_H

#include "resolve/blocked.h"

/* Writes the reports and gives their number. */
size_t block_report(const void *snapshot, struct block_list_report out[BLOCK_LISTS_MAX]);
/* `name` is in lower case, as below. */
void block_test(const void *snapshot, const uint8_t *name, size_t len, struct block_test *out);
/* Until `until_ms` (clock_ms) the name and those below it are not blocked; a time in the past ends that. 0, or -ENOSPC:
 * BLOCK_UNBLOCKED_MAX names are unblocked. */
int block_unblock(const uint8_t *name, size_t len, uint64_t until_ms) MUST_CHECK;
/* The names that are unblocked now; gives their number. */
size_t block_unblocked(struct block_unblocked out[BLOCK_UNBLOCKED_MAX]);

/* Reads a list as the daemon does and counts its names (and networks), for a program that replaces it; hash_init was
 * called. 0; or negative, with a sentence in `error`. */
int block_count_names(const char *name, const char *path, enum config_block_format format, size_t max_names,
                      size_t *names, char *error, size_t cap) MUST_CHECK;

#endif
