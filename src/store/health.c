/* SPDX-License-Identifier: MIT */
#include "health.h"

enum health_use health_use(struct store_health *health, uint64_t now_ms, uint64_t owed_ms)
{
    if (owed_ms >= HEALTH_SILENT_MS)
        return HEALTH_LEAVE;
    if (health->alone_until_ms == 0)
        return HEALTH_WAIT;
    if (now_ms < health->alone_until_ms)
        return HEALTH_LEAVE;
    health->alone_until_ms = now_ms + health->pause_ms;
    return HEALTH_TRY;
}

void health_note_late(struct store_health *health, uint64_t now_ms, bool tried)
{
    bool proven = now_ms >= health->usable_since_ms + HEALTH_PROVEN_MS;
    if (health->alone_until_ms > 0 && !tried)
        return; /* it was sent before the pause */
    health->pause_ms = health->pause_ms == 0 || (proven && !tried) ? HEALTH_FIRST_MS : health->pause_ms * 2;
    if (health->pause_ms > HEALTH_LONGEST_MS)
        health->pause_ms = HEALTH_LONGEST_MS;
    health->alone_until_ms = now_ms + health->pause_ms;
}

void health_note_in_time(struct store_health *health, uint64_t now_ms, bool tried)
{
    if (health->alone_until_ms == 0 || !tried)
        return;
    health->alone_until_ms = 0;
    health->usable_since_ms = now_ms;
}
