/* SPDX-License-Identifier: MIT */
/* Counts reloads and keeps the result of the last one for /status.
 *
 * Owns:    Copies of the texts.
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_RELOADS_H
#define DOTSTUB_CONTROL_RELOADS_H

#include "control/ops.h"

/* Zeroed: no reload since the start. */
struct reloads {
    uint64_t good, failed;
    bool last_failed;
    uint64_t last_ms;    /* boot-time clock */
    int64_t last_wall_s; /* 0: never */
    char *mistakes;      /* of the last reload, one per line; NULL: none */
    char *postponed;     /* settings that the last successful reload left for the next start, likewise */
};

void reloads_note(struct reloads *reloads, const struct reload_result *result);
void reloads_fini(struct reloads *reloads);

#endif
