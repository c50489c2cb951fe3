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

static bool is_pardoned(struct store_health *health, uint64_t now_ms)
{
    if (health->pardoned_ms > 0 && now_ms < health->pardoned_ms + HEALTH_HICCUP_MS)
        return true;
    if (now_ms < health->pardoned_ms + HEALTH_CALM_MS || now_ms < health->usable_since_ms + HEALTH_CALM_MS)
        return false;
    health->pardoned_ms = now_ms;
    return true;
}

void health_note_late(struct store_health *health, uint64_t now_ms, bool tried)
{
    bool proven = now_ms >= health->usable_since_ms + HEALTH_PROVEN_MS;
    if (health->alone_until_ms > 0 && !tried)
        return; /* it was sent before the pause */
    if (!tried && is_pardoned(health, now_ms))
        return;
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
