/* SPDX-License-Identifier: MIT */
#include "rtt.h"

#define RECOMPUTE_EVERY 16    /* samples, at low rates */
#define RECOMPUTE_MS    50    /* ms, at high rates */
#define FORGET_HALF_MS  60000 /* the weight of a sample halves in this time */

/* By insertion: for so few numbers it takes a quarter of the instructions of qsort. */
static void copy_sorted(uint16_t *sorted, const uint16_t *samples, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && sorted[at - 1] > samples[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = samples[i];
    }
}

static void rtt_recompute(struct rtt *rtt)
{
    uint16_t sorted[SAMPLES];
    unsigned count = rtt->sample_count < SAMPLES ? rtt->sample_count : SAMPLES;
    copy_sorted(sorted, rtt->samples, count);
    rtt->median_ms = sorted[count / 2];
    rtt->recomputed_ms = rtt->sampled_ms;
    unsigned late = rtt->median_ms * 5u / 4;
    unsigned p90 = sorted[count * 9 / 10] + 1u;
    if (late < p90)
        late = p90;
    rtt->patience_ms = (uint16_t)(late < PATIENCE_MIN ? PATIENCE_MIN : late > UINT16_MAX ? UINT16_MAX : late);
}

static void rtt_smooth(struct rtt *rtt, uint64_t now_ms, uint16_t took_ms, uint32_t weight)
{
    uint32_t sample = took_ms * 16u + 8;
    rtt->smoothed_ms16 =
        rtt->smoothed_ms16 ? rtt->smoothed_ms16 - rtt->smoothed_ms16 / weight + sample / weight : sample;
    rtt->sampled_ms = now_ms;
}

void rtt_note(struct rtt *rtt, uint64_t now_ms, uint64_t took_ms)
{
    uint16_t capped = took_ms > UINT16_MAX ? UINT16_MAX : (uint16_t)took_ms;
    rtt_smooth(rtt, now_ms, capped, 8);
    rtt->samples[rtt->sample_count++ % SAMPLES] = capped;
    bool due = rtt->sample_count % RECOMPUTE_EVERY == 0 && now_ms >= rtt->recomputed_ms + RECOMPUTE_MS;
    if (due || rtt->sample_count == 4)
        rtt_recompute(rtt);
}

/* Weighs more than a response, because the response would have taken even longer. */
void rtt_note_overtaken(struct rtt *rtt, uint64_t now_ms, uint64_t waited_ms)
{
    rtt_smooth(rtt, now_ms, waited_ms > UINT16_MAX ? UINT16_MAX : (uint16_t)waited_ms, 4);
}

uint32_t rtt_expected(const struct rtt *rtt, uint64_t now_ms)
{
    if (!rtt->smoothed_ms16)
        return UNKNOWN_RTT_MS * 16;
    uint64_t age_ms = now_ms - rtt->sampled_ms;
    return (uint32_t)((uint64_t)rtt->smoothed_ms16 * FORGET_HALF_MS / (FORGET_HALF_MS + age_ms));
}

uint64_t rtt_patience(const struct rtt *rtt)
{
    return rtt->patience_ms ? rtt->patience_ms : PATIENCE_UNKNOWN;
}

/* Uses the smoothed time until there are quantiles. */
uint64_t rtt_overdue(const struct rtt *rtt)
{
    uint64_t limit = rtt->patience_ms ? 3u * rtt->median_ms : rtt->smoothed_ms16 * 3 / 16;
    if (!rtt->smoothed_ms16)
        return PATIENCE_UNKNOWN;
    return limit < OVERDUE_MIN ? OVERDUE_MIN : limit > SILENCE_MAX ? SILENCE_MAX : limit;
}

uint64_t rtt_silence(const struct rtt *rtt)
{
    uint64_t limit = 4u * rtt->median_ms;
    return limit < SILENCE_MIN ? SILENCE_MIN : limit > SILENCE_MAX ? SILENCE_MAX : limit;
}
