/* SPDX-License-Identifier: MIT */
#include "silence.h"

void silence_note_query(struct silence *silence, uint64_t now_ms)
{
    if (silence->queries >= SILENCE_SEVERAL)
        return;
    if (silence->queries > 0 && now_ms > silence->first_ms + SILENCE_SPAN)
        silence->queries = 0;
    if (silence->queries++ == 0)
        silence->first_ms = now_ms;
    silence->last_ms = now_ms;
}

void silence_note_heard(struct silence *silence)
{
    silence->queries = 0;
}

uint64_t silence_due(const struct silence *silence, uint64_t overdue_ms)
{
    return silence_is_possible(silence) ? silence->last_ms + overdue_ms : UINT64_MAX;
}
