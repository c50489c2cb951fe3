/* SPDX-License-Identifier: MIT */
/* What is known of a server: how long answers take, and when one is late; what it bears; when it closes resting sessions.
 *
 * Two views: a smoothed time, to choose between servers; and the latest SAMPLES times, whose quantiles say how long a session may be silent
 * and when a question is worth asking again: later than five quarters of the median and than nine of ten answers. (Twice the median would bring the second answer
 * after three times the usual wait; a p95 fails when five in a hundred are slow. The budget bounds what this costs.)
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "group.h"

#define RECOMPUTE_EVERY 16    /* samples, at low rates; */
#define RECOMPUTE_MS    50    /* at high ones */
#define FORGET_HALF_MS  60000 /* a time this old counts half */

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
    server->median_ms = sorted[count / 2];
    server->recomputed_ms = server->sampled_ms;
    unsigned late = server->median_ms * 5u / 4;
    unsigned p90 = sorted[count * 9 / 10] + 1u;
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
    bool due =
        server->sample_count % RECOMPUTE_EVERY == 0 && server->sampled_ms >= server->recomputed_ms + RECOMPUTE_MS;
    if (due || server->sample_count == 4)
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
    uint64_t limit = 4u * server->median_ms;
    return limit < SILENCE_MIN ? SILENCE_MIN : limit > SILENCE_MAX ? SILENCE_MAX : limit;
}

/* --- what it lost --- */

/* How many attempts next to this one on its session, in one direction, were sent at about the same time; counted up to LOSS_MIN. */
static unsigned neighbours(const struct attempt *attempt, bool later)
{
    const struct list *sent = &attempt->session->sent;
    const struct list_link *link = &attempt->link;
    unsigned count = 0;
    while (count < LOSS_MIN && (link = later ? list_next(sent, link) : list_previous(sent, link))) {
        uint64_t other_ms = container_of(link, const struct attempt, link)->sent_ms;
        if (other_ms > attempt->sent_ms + LOSS_SPAN || other_ms + LOSS_SPAN < attempt->sent_ms)
            break;
        count++;
    }
    return count;
}

static void server_note_loss(struct server *server, uint64_t sent_ms)
{
    if (sent_ms > server->lost_to_ms + LOSS_SPAN || sent_ms + LOSS_SPAN < server->lost_from_ms) { /* another one */
        server->lost_from_ms = server->lost_to_ms = sent_ms;
        return;
    }
    if (sent_ms < server->lost_from_ms)
        server->lost_from_ms = sent_ms;
    if (sent_ms > server->lost_to_ms)
        server->lost_to_ms = sent_ms;
}

bool server_lost(struct server *server, const struct attempt *attempt)
{
    uint64_t sent_ms = attempt->sent_ms;
    if (attempt->state != ATTEMPT_SENT || server->answered_sent_ms <= sent_ms ||
        loop_now(server->group->loop) < sent_ms + server_silence(server))
        return false;
    if (neighbours(attempt, false) + 1 + neighbours(attempt, true) >= LOSS_MIN)
        server_note_loss(server, sent_ms);
    return server->lost_to_ms && sent_ms + LOSS_SPAN >= server->lost_from_ms &&
           sent_ms <= server->lost_to_ms + LOSS_SPAN;
}

/* --- how many questions a session of it outlives --- */

unsigned server_allowance(const struct server *server)
{
    if (!server->allowance)
        return UINT_MAX;
    uint64_t doublings = (loop_now(server->group->loop) - server->allowance_ms) / ALLOWANCE_DOUBLES;
    return doublings < 16 ? server->allowance << doublings : UINT_MAX;
}

static void server_set_allowance(struct server *server, unsigned questions)
{
    server->allowance = questions < IDS_MAX ? questions : 0;
    server->allowance_ms = loop_now(server->group->loop);
}

bool server_note_early_end(struct server *server, unsigned given, unsigned answered)
{
    bool its_way = answered > 0 && answered == server->last_life;
    unsigned outlived = answered > given / 8 ? answered : given / 8;
    server->last_life = answered;
    if (answered > 0 || server->failures > 1) /* nothing answered, once: an accident */
        server_set_allowance(server, outlived ? outlived : 1);
    return its_way;
}

void server_outlived(struct server *server, unsigned given)
{
    server_set_allowance(server, given * 2);
}

/* --- what it bears --- */

static void budget_fill(struct budget *budget, uint64_t now_ms)
{
    uint64_t full = (uint64_t)budget->rate * 1000; /* a second's worth */
    if (budget->rate < budget->limit && now_ms >= budget->changed_ms + 1000) {
        budget->rate += budget->limit / 10 + 1;
        if (budget->rate > budget->limit)
            budget->rate = budget->limit;
        budget->changed_ms = now_ms;
    }
    budget->milli_tokens += (now_ms - budget->filled_ms) * budget->rate;
    if (budget->milli_tokens > full)
        budget->milli_tokens = full;
    budget->filled_ms = now_ms;
}

bool budget_has(struct server *server)
{
    struct budget *budget = server->budget;
    if (budget->limit == 0)
        return true;
    budget_fill(budget, loop_now(server->group->loop));
    return budget->milli_tokens >= 1000;
}

bool budget_take(struct server *server)
{
    if (!budget_has(server))
        return false;
    if (server->budget->limit)
        server->budget->milli_tokens -= 1000;
    return true;
}

uint64_t budget_wait(const struct server *server)
{
    struct budget *budget = server->budget;
    if (budget->limit == 0)
        return 0;
    budget_fill(budget, loop_now(server->group->loop));
    if (budget->milli_tokens >= 1000)
        return 0;
    return (1000 - budget->milli_tokens) / budget->rate + 1;
}

void budget_halve(struct server *server)
{
    struct budget *budget = server->budget;
    uint64_t now_ms = loop_now(server->group->loop);
    if (budget->limit == 0 || now_ms < budget->changed_ms + 1000 || budget->milli_tokens > budget->rate * 500ull)
        return; /* no limit, changed a moment ago, or not even half used: not the load */
    budget->rate = budget->rate / 2 ? budget->rate / 2 : 1;
    budget->changed_ms = now_ms;
    counter_add(server->group->counters, COUNTER_upstream_throttled, 1);
    news_throttled(server);
}

/* --- when it closes resting sessions --- */

#define IDLE_MARGIN_MIN_MS 50
#define IDLE_GOOD_RAISES   10

/* Ended so much earlier: a twentieth, so that hardly a dial more is needed, and time for the last question to arrive. */
static uint64_t before(uint64_t limit_ms)
{
    uint64_t margin = limit_ms / 20 > IDLE_MARGIN_MIN_MS ? limit_ms / 20 : IDLE_MARGIN_MIN_MS;
    return limit_ms > margin ? limit_ms - margin : 1;
}

uint64_t server_idle_limit(const struct server *server, uint64_t told_ms)
{
    uint64_t limit = server->group->config->tls.idle_ms;
    if (told_ms && before(told_ms) < limit)
        limit = before(told_ms);
    if (server->idle_limit_ms && before(server->idle_limit_ms) < limit)
        limit = before(server->idle_limit_ms);
    return limit;
}

void server_note_idle_close(struct server *server, uint64_t rested_ms)
{
    uint64_t lowest = UINT64_MAX, highest = 0;
    server->idle_closes[server->idle_close_count++ % 3] = rested_ms;
    server->idle_good = 0;
    if (server->idle_close_count < 3)
        return;
    for (int i = 0; i < 3; i++) {
        lowest = server->idle_closes[i] < lowest ? server->idle_closes[i] : lowest;
        highest = server->idle_closes[i] > highest ? server->idle_closes[i] : highest;
    }
    if (highest - lowest <= lowest / 5 && lowest > 2 * IDLE_MARGIN_MIN_MS)
        server->idle_limit_ms = lowest;
}

void server_note_idle_end(struct server *server)
{
    if (!server->idle_limit_ms || ++server->idle_good < IDLE_GOOD_RAISES)
        return;
    server->idle_limit_ms += server->idle_limit_ms / 4;
    server->idle_good = 0;
}

/* --- when its sessions are wanted again --- */

enum { RETURNS_SEEN = 6 };

void server_note_question(struct server *server)
{
    uint64_t now_ms = loop_now(server->group->loop), pause_ms = now_ms - server->asked_ms;
    if (server->asked_ms && server->rest_ms && pause_ms > server->rest_ms)
        server->returns = (uint8_t)(server->returns << 1 | (pause_ms < 2 * server->rest_ms));
    server->asked_ms = now_ms;
}

bool server_note_rest(struct server *server, uint64_t rest_ms)
{
    const uint8_t all = (1 << RETURNS_SEEN) - 1;
    server->rest_ms = rest_ms;
    return (server->returns & all) == all;
}
