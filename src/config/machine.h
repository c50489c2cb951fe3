/* SPDX-License-Identifier: MIT */
/* The processors and the memory that this process may use.
 *
 * Does:    counts processors (affinity mask) and memory, limited by cgroup v2: the process's own group and those
 *          above it.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_MACHINE_H
#define DOTSTUB_CONFIG_MACHINE_H

#include <stdint.h>
#include "base/check.h"

struct machine {
    unsigned processors; /* at least 1 */
    uint64_t memory;     /* bytes */
};

/* Reads the limits; `root` is put before /proc and /sys ("" except in tests). A value that cannot be read sets no
 * limit. 0 or -ENOMEM. */
int machine_read(struct machine *out, const char *root) MUST_CHECK;

#endif
