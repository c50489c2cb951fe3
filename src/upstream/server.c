/* What is known of a server from its answers: how long they take, and when one is late.
 *
 * Two views: a smoothed time, to choose between servers; and the latest SAMPLES times, whose quantiles say when a question is worth
 * asking again: later than three halves of the median and than nine of ten answers. (Twice the median would bring the second answer
 * after three times the usual wait; a p95 fails when five in a hundred are slow.)
 */
#include <stdlib.h>
#include <string.h>
#include "group.h"

#define RECOMPUTE_EVERY 16
#define FORGET_HALF_MS 60000 /* a time this old counts half */

static int compare(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void recompute_patience(struct server *server)
{
    uint16_t sorted[SAMPLES];
    unsigned count = server->sample_count < SAMPLES ? server->sample_count : SAMPLES;
    memcpy(sorted, server->samples, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    unsigned late = (unsigned)sorted[count / 2] * 3 / 2;
    unsigned p90 = sorted[count * 9 / 10];
    if (late < p90)
        late = p90;
    server->patience_ms = (uint16_t)(late < PATIENCE_MIN ? PATIENCE_MIN : late > UINT16_MAX ? UINT16_MAX : late);
}

void server_note_time(struct server *server, uint64_t took_ms, bool lost)
{
    uint64_t capped = took_ms > UINT16_MAX ? UINT16_MAX : took_ms;
    uint32_t sample = (uint32_t)capped * 16 + 8;
    uint32_t weight = lost ? 4 : 8; /* what was lost took longer still */
    server->rtt_ms16 = server->rtt_ms16 ? server->rtt_ms16 - server->rtt_ms16 / weight + sample / weight : sample;
    server->sampled_ms = loop_now(server->group->loop);
    if (lost)
        return;
    server->samples[server->sample_count++ % SAMPLES] = (uint16_t)capped;
    if (server->sample_count % RECOMPUTE_EVERY == 0 || server->sample_count == 4)
        recompute_patience(server);
}

uint32_t server_expected(const struct server *server, uint64_t now_ms)
{
    if (!server->rtt_ms16)
        return UNKNOWN_RTT_MS * 16;
    uint64_t age = now_ms - server->sampled_ms;
    return (uint32_t)((uint64_t)server->rtt_ms16 * FORGET_HALF_MS / (FORGET_HALF_MS + age));
}

uint64_t server_silence(const struct server *server)
{
    uint64_t limit = (uint64_t)server->rtt_ms16 * 4 / 16;
    return limit < SILENCE_MIN ? SILENCE_MIN : limit > SILENCE_MAX ? SILENCE_MAX : limit;
}
