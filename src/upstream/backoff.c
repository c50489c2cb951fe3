/* SPDX-License-Identifier: MIT */
#include "backoff.h"
#include "base/hash.h"

/* Reduced by up to a quarter at random, so that the workers and clients of a server do not dial at the same time. */
static uint64_t backoff_length(unsigned failures, bool distrusted)
{
    uint64_t base = BACKOFF_MAX;
    if (failures < 5 && (BACKOFF_FIRST << failures) < BACKOFF_MAX)
        base = BACKOFF_FIRST << failures;
    if (distrusted && failures >= BACKOFF_MISTAKES) { /* each dial costs the CPU time of a handshake */
        unsigned doublings = failures - BACKOFF_MISTAKES + 1;
        base = doublings < 4 ? (uint64_t)BACKOFF_MAX << doublings : BACKOFF_DISTRUST_MAX;
    }
    return base - random_below((uint32_t)(base / 4) + 1);
}

static void backoff_fail(struct backoff *backoff, uint64_t retry_at_ms)
{
    if (retry_at_ms > backoff->retry_at_ms) {
        backoff->retry_at_ms = retry_at_ms;
        backoff->alone_at_ms = 0;
    } else if (backoff->alone_at_ms && retry_at_ms > backoff->alone_at_ms) {
        backoff->alone_at_ms = retry_at_ms;
    }
    backoff->failures++;
}

void backoff_note_dial(struct backoff *backoff, uint64_t begun_ms, bool distrusted)
{
    backoff_fail(backoff, begun_ms + backoff_length(backoff->failures, distrusted));
}

void backoff_note_session(struct backoff *backoff, uint64_t begun_ms)
{
    backoff_fail(backoff, backoff->failures ? begun_ms + backoff_length(backoff->failures - 1, false) : 0);
}

void backoff_rest(struct backoff *backoff, uint64_t now_ms, uint64_t rest_ms)
{
    backoff->retry_at_ms = now_ms + rest_ms;
    backoff->alone_at_ms = now_ms + (rest_ms < BACKOFF_ALONE ? rest_ms : BACKOFF_ALONE);
}
