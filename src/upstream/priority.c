/* SPDX-License-Identifier: MIT */
#include "priority.h"

void priority_note_failure(struct priority *priority, uint64_t now_ms)
{
    if (priority_is_low(priority, now_ms) || ++priority->failures < DEPRIORITIZED_AFTER)
        return;
    unsigned doublings = priority->failures - DEPRIORITIZED_AFTER;
    priority->low_until_ms = now_ms + (doublings < 3 ? DEPRIORITIZED_FIRST << doublings : DEPRIORITIZED_MAX);
}

void priority_note_success(struct priority *priority)
{
    priority->failures = 0;
}

bool priority_is_low(const struct priority *priority, uint64_t now_ms)
{
    return now_ms < priority->low_until_ms;
}
