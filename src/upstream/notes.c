/* SPDX-License-Identifier: MIT */
#include "notes.h"

void notes_add_opened(struct notes *notes, uint64_t now_ms, bool resumed)
{
    notes->opened++;
    notes->resumed += resumed;
    notes->opened_ms = now_ms;
}

void notes_add_dial(struct notes *notes, uint64_t connect_ms, uint64_t handshake_ms)
{
    histogram_add(&notes->connect, connect_ms, 1);
    histogram_add(&notes->handshake, handshake_ms, 1);
}

void notes_add_failure(struct notes *notes, uint64_t now_ms, int reason)
{
    reasons_note(&notes->failures, reason);
    notes->last_error = reason;
    notes->failed_ms = now_ms;
    if (!notes->failing_since_ms)
        notes->failing_since_ms = now_ms;
}

void notes_add_recovery(struct notes *notes)
{
    notes->failing_since_ms = 0;
}
