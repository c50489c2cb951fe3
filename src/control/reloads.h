/* SPDX-License-Identifier: MIT */
/* What came of reading the configuration again, for those who ask later.
 *
 * Owns:    copies of the sentences.
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_RELOADS_H
#define DOTSTUB_CONTROL_RELOADS_H

#include "control/ops.h"

/* Zeroed memory: the configuration was read at the start only. */
struct reloads {
    uint64_t good, failed;
    bool last_failed;
    uint64_t last_ms;    /* boot-time clock */
    int64_t last_wall_s; /* 0: never */
    char *mistakes;      /* of the last one, in lines; NULL: none */
    char *postponed;     /* by the last good one, likewise */
};

void reloads_note(struct reloads *reloads, const struct reload_result *result);
void reloads_fini(struct reloads *reloads);

#endif
