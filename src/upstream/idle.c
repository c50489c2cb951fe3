/* SPDX-License-Identifier: MIT */
#include "idle.h"

#define MARGIN_MIN_MS 50
#define RAISE_AFTER   10 /* consecutive sessions that we ended first: the learned limit may be too low */
#define RETURNS_SEEN  6

/* The limit less a safety margin: a twentieth, small enough to cost hardly any extra dial, and the time that a last
 * query needs to arrive. */
static uint64_t before(uint64_t limit_ms)
{
    uint64_t margin = limit_ms / 20 > MARGIN_MIN_MS ? limit_ms / 20 : MARGIN_MIN_MS;
    return limit_ms > margin ? limit_ms - margin : 1;
}

uint64_t idle_lifetime(const struct idle *idle, uint64_t wanted_ms, uint64_t told_ms)
{
    uint64_t limit = wanted_ms;
    if (told_ms && before(told_ms) < limit)
        limit = before(told_ms);
    if (idle->limit_ms && before(idle->limit_ms) < limit)
        limit = before(idle->limit_ms);
    return limit;
}

/* Three closes after about the same idle time are the server's limit. */
void idle_note_close(struct idle *idle, uint64_t idle_ms)
{
    uint64_t lowest = UINT64_MAX, highest = 0;
    idle->closes[idle->close_count++ % 3] = idle_ms;
    idle->ended_first = 0;
    if (idle->close_count < 3)
        return;
    for (int i = 0; i < 3; i++) {
        lowest = idle->closes[i] < lowest ? idle->closes[i] : lowest;
        highest = idle->closes[i] > highest ? idle->closes[i] : highest;
    }
    if (highest - lowest <= lowest / 5 && lowest > 2 * MARGIN_MIN_MS)
        idle->limit_ms = lowest;
}

void idle_note_end(struct idle *idle)
{
    if (!idle->limit_ms || ++idle->ended_first < RAISE_AFTER)
        return;
    idle->limit_ms += idle->limit_ms / 4;
    idle->ended_first = 0;
}

void idle_note_query(struct idle *idle, uint64_t now_ms)
{
    uint64_t pause_ms = now_ms - idle->asked_ms;
    if (idle->asked_ms && idle->kept_ms && pause_ms > idle->kept_ms)
        idle->returns = (uint8_t)(idle->returns << 1 | (pause_ms < 2 * idle->kept_ms));
    idle->asked_ms = now_ms;
}

bool idle_wanted_again(struct idle *idle, uint64_t idle_ms)
{
    const uint8_t all = (1 << RETURNS_SEEN) - 1;
    idle->kept_ms = idle_ms;
    return (idle->returns & all) == all;
}

void idle_forget_server(struct idle *idle)
{
    idle->limit_ms = 0;
    idle->close_count = idle->ended_first = 0;
}
