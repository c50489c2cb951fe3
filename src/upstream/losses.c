/* SPDX-License-Identifier: MIT */
#include "losses.h"

void losses_note_response(struct losses *losses, uint64_t sent_ms)
{
    if (sent_ms > losses->answered_sent_ms)
        losses->answered_sent_ms = sent_ms;
    losses->probes = 0;
}

/* --- ends of sessions --- */

void losses_note_end(struct losses *losses, uint64_t now_ms)
{
    losses->end_ms[losses->ends++ % MANY_ENDS] = now_ms;
}

void losses_note_shared_end(struct losses *losses, uint64_t now_ms)
{
    losses->shared_end_ms = now_ms;
}

bool losses_coincide(const struct losses *losses, uint64_t begun_ms, uint64_t sent_ms)
{
    uint64_t shared_ms = losses->shared_end_ms;
    uint64_t many_ms = losses->ends >= MANY_ENDS ? losses->end_ms[losses->ends % MANY_ENDS] : 0; /* the oldest */
    uint64_t lost_ms = shared_ms > many_ms ? shared_ms : many_ms;
    return lost_ms > begun_ms && lost_ms + NOTICE_SPAN >= sent_ms;
}

void losses_note_lost(struct losses *losses, uint64_t now_ms)
{
    losses->lost_ms = now_ms;
}

bool losses_leave_doubt(const struct losses *losses, uint64_t dialed_ms, uint64_t opened_ms, uint64_t heard_ms,
                        uint64_t now_ms)
{
    uint64_t lost_ms = losses->lost_ms;
    return lost_ms && now_ms < lost_ms + DOUBT_SPAN && dialed_ms < lost_ms && opened_ms <= lost_ms &&
           heard_ms <= lost_ms + NOTICE_SPAN;
}

void losses_note_silence(struct losses *losses, uint64_t sent_ms)
{
    if (sent_ms > losses->silent_ms)
        losses->silent_ms = sent_ms;
}

/* --- unanswered queries --- */

void losses_note_unanswered(struct losses *losses, uint64_t sent_ms, unsigned count)
{
    if (count < LOSS_MIN)
        return;
    if (sent_ms > losses->to_ms + LOSS_SPAN || sent_ms + LOSS_SPAN < losses->from_ms) { /* another loss */
        losses->from_ms = losses->to_ms = sent_ms;
        return;
    }
    if (sent_ms < losses->from_ms)
        losses->from_ms = sent_ms;
    if (sent_ms > losses->to_ms)
        losses->to_ms = sent_ms;
}

bool losses_cover(const struct losses *losses, uint64_t sent_ms)
{
    return losses->to_ms && sent_ms + LOSS_SPAN >= losses->from_ms && sent_ms <= losses->to_ms + LOSS_SPAN;
}

/* --- hedges --- */

bool losses_may_probe(const struct losses *losses, uint64_t now_ms)
{
    return losses->probes == 0 || losses->probes % PROBES != 0 || now_ms >= losses->probe_at_ms;
}

void losses_note_probe(struct losses *losses, uint64_t now_ms, uint64_t patience_ms)
{
    unsigned doublings = losses->probes / PROBES;
    losses->probe_at_ms = now_ms + (patience_ms << (doublings < 8 ? doublings : 8));
    losses->probes++;
}
