/* SPDX-License-Identifier: MIT */
/* Questions of the daemon's control side to the block lists.
 *
 * Does:    reports on the lists, tests a name, and unblocks a name for some time.
 * Owns:    names that are unblocked belong to the process: they survive a reload, not a restart.
 * Threads: any. `snapshot` is that of step_block and may be NULL.
 */
#ifndef DOTSTUB_POLICY_BLOCKING_H
#define DOTSTUB_POLICY_BLOCKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/check.h"
#include "config/config.h"
#include "dns/name.h"

#define BLOCK_LISTS_MAX 64

struct block_list_report {
    char name[CONFIG_BLOCK_NAME];
    const char *format;
    char source[512]; /* file or URL, cut */
    uint64_t names, networks, bytes, hits;
    uint64_t lines_unsupported, lines_bad;
    int64_t read_s;  /* wall clock; 0: never */
    char error[256]; /* why it could not be read lately; "" */
};

/* Writes at most BLOCK_LISTS_MAX reports and gives their number. */
size_t block_report(const void *snapshot, struct block_list_report out[BLOCK_LISTS_MAX]);

/* The fate of queries for a name. */
enum block_fate { BLOCK_FATE_NONE, BLOCK_FATE_ALLOWED, BLOCK_FATE_BLOCKED };
struct block_test {
    enum block_fate fate;
    char list[CONFIG_BLOCK_NAME]; /* whose rule decides; "": block.exceptions, or unblocked */
    char rule[NAME_MAX_TEXT];     /* its name, with "*." if it is only for names below it */
    const char *action; /* "block", "nxdomain", "nodata", "drop", "tcp-only", "data", "passthru", "exception" */
};
/* `name` is in lower case. */
void block_test(const void *snapshot, const uint8_t *name, size_t len, struct block_test *out);

#define BLOCK_UNBLOCKED_MAX 64
/* Until `until_ms` (clock_ms) the name and those below it are not blocked; a time in the past ends that. 0, or -ENOSPC:
 * BLOCK_UNBLOCKED_MAX names are unblocked. */
int block_unblock(const uint8_t *name, size_t len, uint64_t until_ms) MUST_CHECK;
struct block_unblocked {
    uint8_t name[NAME_MAX_WIRE];
    size_t len;
    uint64_t until_ms;
};
/* The names that are unblocked now; gives their number. */
size_t block_unblocked(struct block_unblocked out[BLOCK_UNBLOCKED_MAX]);

#endif
