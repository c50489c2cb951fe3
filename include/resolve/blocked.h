/* SPDX-License-Identifier: MIT */
/* Reports on block lists, from the step to the control side.
 *
 * Owns:    nothing; values.
 * Threads: any.
 */
#ifndef DOTSTUB_RESOLVE_BLOCKED_H
#define DOTSTUB_RESOLVE_BLOCKED_H

#include "config/config.h"
#include "dns/name.h"

#define BLOCK_LISTS_MAX 64

struct block_list_report {
    char name[CONFIG_BLOCK_NAME];
    const char *format;
    char source[512]; /* the file, cut */
    uint64_t names, networks, bytes, hits;
    uint64_t lines_unsupported, lines_bad;
    int64_t read_s;  /* wall clock; 0: never */
    char error[256]; /* why it could not be read lately; "" */
};

/* The fate of queries for a name. */
enum block_fate { BLOCK_FATE_NONE, BLOCK_FATE_ALLOWED, BLOCK_FATE_BLOCKED };
struct block_test {
    enum block_fate fate;
    char list[CONFIG_BLOCK_NAME]; /* whose rule decides; "": block.exceptions, or unblocked */
    char rule[NAME_MAX_TEXT];     /* its name, with "*." if it is only for names below it */
    bool views_only;              /* the list is for clients of some views only (default: no) */
    const char *action; /* "block", "nxdomain", "nodata", "drop", "tcp-only", "data", "passthru", "exception", or "" */
};

#define BLOCK_UNBLOCKED_MAX 64
struct block_unblocked {
    uint8_t name[NAME_MAX_WIRE];
    size_t len;
    uint64_t until_ms; /* clock_ms */
};

#endif
