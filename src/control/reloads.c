/* SPDX-License-Identifier: MIT */
#include "reloads.h"
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

void reloads_note(struct reloads *reloads, const struct reload_result *result)
{
    reloads->last_failed = result->status < 0;
    reloads->last_ms = clock_ms();
    reloads->last_wall_s = clock_wall_s();
    free(reloads->mistakes);
    reloads->mistakes = NULL;
    if (result->status < 0) {
        reloads->failed++;
        reloads->mistakes = strdup(result->mistakes);
        return;
    }
    reloads->good++;
    free(reloads->postponed);
    reloads->postponed = strdup(result->postponed);
}

void reloads_fini(struct reloads *reloads)
{
    free(reloads->mistakes);
    free(reloads->postponed);
}
