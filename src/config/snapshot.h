/* SPDX-License-Identifier: MIT */
/* The storage of a struct config.
 *
 * Does:    holds the memory of a snapshot and the origin of each value.
 * Owns:    all of it, until the last reference is released.
 * Threads: as struct config.
 */
#ifndef DOTSTUB_CONFIG_SNAPSHOT_H
#define DOTSTUB_CONFIG_SNAPSHOT_H

#include "base/list.h"
#include "config/arena.h"
#include "config/config.h"

/* Where a value comes from. */
struct value_origin {
    const char *text;            /* "default", "file:line", or the variable */
    struct value_origin **items; /* OPTION_ITEMS: of each item, as the table of its options */
};

struct snapshot {
    struct config config;
    struct arena arena;
    struct config *started;       /* the snapshot whose restart-only settings were taken; NULL: none */
    struct config *base;          /* the snapshot to which routes were added; NULL: none */
    struct value_origin *origins; /* as options */
};

static inline const struct snapshot *snapshot_of(const struct config *config)
{
    return container_of(config, const struct snapshot, config);
}

/* Adds a remark to the origin of a value. 0 or -ENOMEM. */
int snapshot_remark(struct snapshot *snapshot, const char *key, const char *text) MUST_CHECK;

#endif
