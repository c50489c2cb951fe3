/* SPDX-License-Identifier: MIT */
/* What the machine, the affinity mask and the cgroup leave to this process.
 *
 * Does:    counts processors and memory; cgroup v2, the process's own group and those above it.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_MACHINE_H
#define DOTSTUB_CONFIG_MACHINE_H

#include <stdint.h>

struct machine {
    unsigned processors; /* 1 at least */
    uint64_t memory;     /* bytes */
};

/* Reads them; `root` is put before /proc and /sys ("" but in tests). What cannot be read sets no limit. */
void machine_read(struct machine *out, const char *root);

#endif
