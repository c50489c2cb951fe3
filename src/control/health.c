/* SPDX-License-Identifier: MIT */
/* Relies on: the servers of one upstream are adjacent, in the configuration's order, and upstream names are
 * unique in each group.
 *
 * Invariant: samples are taken in the order of their times. */
#include "health.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"

/* --- upstreams --- */

static bool is_usable(const struct server_report *server)
{
    return server->state == SERVER_OPEN || server->state == SERVER_IDLE;
}

/* The servers of one upstream: their number, the one that failed last, and whether any is usable. */
struct upstream_health {
    size_t count;
    const struct server_report *failed;
    bool usable;
};

static struct upstream_health look(const struct gather_sum *sum, size_t first)
{
    struct upstream_health health = {.count = 0};
    const char *name = sum->servers[first].upstream, *group = sum->servers[first].group;
    for (size_t i = first; i < sum->server_count && strcmp(sum->servers[i].upstream, name) == 0 &&
                           strcmp(sum->servers[i].group, group) == 0;
         i++, health.count++) {
        const struct server_report *server = &sum->servers[i];
        health.usable |= is_usable(server);
        if (server->reserve)
            continue;
        if (server->state == SERVER_FAILING && (!health.failed || server->failed_ms > health.failed->failed_ms))
            health.failed = server;
    }
    return health;
}

static bool is_unusable(const struct upstream_health *health)
{
    return !health->usable && health->failed;
}

/* An upstream of several groups has servers in each of them; the first group in which it is unusable counts. */
static bool was_counted(const struct gather_sum *sum, size_t at)
{
    const struct server_report *servers = sum->servers;
    struct upstream_health health;
    for (size_t i = 0; i < at; i += health.count) {
        health = look(sum, i);
        if (is_unusable(&health) && strcmp(servers[i].upstream, servers[at].upstream) == 0 &&
            addr_equal(&servers[i].addr, &servers[at].addr))
            return true;
    }
    return false;
}

/* Calls `tell`, unless it is NULL, with a sentence for each upstream that failed and has no usable server; returns their number. If one
 * of its servers failed, the others were dialled as well. */
static unsigned each_unusable(const struct gather_sum *sum, void (*tell)(void *context, const char *sentence),
                              void *context)
{
    unsigned count = 0;
    struct upstream_health health;
    for (size_t i = 0; i < sum->server_count; i += health.count) {
        health = look(sum, i);
        if (!is_unusable(&health) || was_counted(sum, i))
            continue;
        char sentence[512], addr[ADDR_TEXT];
        snprintf(sentence, sizeof sentence, "upstream %s is unreachable: %s: %s", health.failed->upstream,
                 addr_format(&health.failed->addr, true, addr), error_text(health.failed->last_error));
        if (tell)
            tell(context, sentence);
        count++;
    }
    return count;
}

unsigned health_unusable(const struct gather_sum *sum)
{
    return each_unusable(sum, NULL, NULL);
}

/* --- the last minute --- */

static struct health_sample sample_of(const struct gather_sum *sum, uint64_t now_ms)
{
    return (struct health_sample){
        .at_ms = now_ms,
        .queries = sum->counters[COUNTER_queries_finished],
        .hits = sum->counters[COUNTER_cache_hits],
        .misses = sum->counters[COUNTER_cache_misses],
        .stale = sum->counters[COUNTER_responses_stale],
        .failed = sum->counters[COUNTER_queries_failed],
        .servfail = sum->counters[COUNTER_responses_servfail],
        .failures = sum->tally.failures,
    };
}

static const struct health_sample *newest(const struct daemon_health *health)
{
    return health->sample_count ? &health->samples[(health->sample_count - 1) % HEALTH_SAMPLES] : NULL;
}

static void keep(struct daemon_health *health, const struct health_sample *sample)
{
    const struct health_sample *last = newest(health);
    if (!last || sample->at_ms >= last->at_ms + HEALTH_STEP_MS)
        health->samples[health->sample_count++ % HEALTH_SAMPLES] = *sample;
}

/* The newest sample that is a minute old, or the oldest one; NULL: there is none. */
static const struct health_sample *a_minute_ago(const struct daemon_health *health, uint64_t now_ms)
{
    const struct health_sample *found = NULL;
    unsigned count = health->sample_count < HEALTH_SAMPLES ? health->sample_count : HEALTH_SAMPLES;
    for (unsigned i = health->sample_count - count; i < health->sample_count; i++) {
        const struct health_sample *sample = &health->samples[i % HEALTH_SAMPLES];
        if (!found || sample->at_ms + HEALTH_WINDOW_MS <= now_ms)
            found = sample;
    }
    return found;
}

void health_last_minute(const struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms,
                        struct health_minute *out)
{
    static const struct health_sample start = {.at_ms = 0};
    const struct health_sample now = sample_of(sum, now_ms), *before = a_minute_ago(health, now_ms);
    if (!before)
        before = &start;
    *out = (struct health_minute){
        .span_ms = now_ms - before->at_ms,
        .queries = now.queries - before->queries,
        .hits = now.hits - before->hits,
        .misses = now.misses - before->misses,
        .stale = now.stale - before->stale,
        .failed = now.failed - before->failed,
        .servfail = now.servfail - before->servfail,
        .failures = now.failures,
    };
    reasons_subtract(&out->failures, &before->failures);
}

/* --- the state --- */

struct facts {
    size_t servers, failing; /* of the root group, which comes first; failing: not usable, and known to be so */
    unsigned unusable;       /* upstreams */
    uint64_t queries, failed;
};

static bool is_down(const struct facts *facts)
{
    return facts->servers > 0 && facts->failing == facts->servers;
}

static bool is_failing(const struct facts *facts)
{
    return facts->queries >= 20 && facts->failed * 20 > facts->queries;
}

static bool is_reduced(const struct facts *facts)
{
    return facts->unusable > 0;
}

static bool is_ok(const struct facts *facts)
{
    (void)facts;
    return true;
}

/* The first line that holds is the state. `alarm`: somebody has to act, so the log has a line for it and for its end. */
static const struct rule {
    enum health_state state;
    const char *name;
    bool (*holds)(const struct facts *facts);
    bool alarm;
} rules[HEALTH_STATES] = {
    {HEALTH_DOWN, "down", is_down, true},
    {HEALTH_FAILING, "failing", is_failing, true},
    {HEALTH_REDUCED, "reduced", is_reduced, false},
    {HEALTH_OK, "ok", is_ok, false},
};

static const struct rule *rule_of(enum health_state state)
{
    const struct rule *rule = rules;
    while (rule->state != state)
        rule++;
    return rule;
}

const char *health_name(enum health_state state)
{
    return rule_of(state)->name;
}

static struct facts facts_of(const struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms)
{
    struct health_minute minute;
    struct facts facts = {.unusable = health_unusable(sum)};
    health_last_minute(health, sum, now_ms, &minute);
    facts.queries = minute.queries;
    facts.failed = minute.failed;
    for (size_t i = 0; i < sum->server_count; i++) {
        bool is_root = strcmp(sum->servers[i].group, sum->servers[0].group) == 0;
        is_root &= !sum->servers[i].reserve;
        facts.servers += is_root;
        facts.failing += is_root && sum->servers[i].state == SERVER_FAILING;
    }
    return facts;
}

static void put_first(void *context, const char *sentence)
{
    char *text = context;
    if (!text[0])
        snprintf(text, 512, ": %s", sentence);
}

/* Alarms and their ends; ever fewer lines while the state goes to and fro. */
static void log_state(struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms)
{
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    const struct rule *rule = rule_of(health->state);
    char why[512] = "";
    uint64_t suppressed;
    if (health->state == health->logged || (!rule->alarm && !rule_of(health->logged)->alarm) ||
        !log_repeat_allowed(&repeats, 1 + (uint64_t)rule->state, true, now_ms, &suppressed))
        return;
    health->logged = health->state;
    health_why(health, sum, now_ms, put_first, why);
    log_write(rule->alarm ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "control", "the state is %s%s", rule->name, why);
}

void health_observe(struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms)
{
    const struct facts facts = facts_of(health, sum, now_ms);
    const struct health_sample sample = sample_of(sum, now_ms);
    const struct rule *rule = rules;
    while (!rule->holds(&facts))
        rule++;
    if (rule->state != health->state || !health->since_ms) {
        health->state = rule->state;
        health->since_ms = now_ms;
        health->since_wall_s = clock_wall_s();
    }
    keep(health, &sample);
    log_state(health, sum, now_ms);
}

void health_begin(struct daemon_health *health, uint64_t now_ms)
{
    health->since_ms = now_ms;
    health->since_wall_s = clock_wall_s();
    keep(health, &(struct health_sample){.at_ms = now_ms});
}

void health_rest(struct daemon_health *health, uint64_t now_ms)
{
    const struct health_sample *last = newest(health);
    if (!last)
        return;
    struct health_sample again = *last;
    again.at_ms = now_ms;
    keep(health, &again);
}

void health_why(const struct daemon_health *health, const struct gather_sum *sum, uint64_t now_ms,
                void (*tell)(void *context, const char *sentence), void *context)
{
    struct health_minute minute;
    char sentence[256];
    health_last_minute(health, sum, now_ms, &minute);
    const struct reason_count *top = reasons_top(&minute.failures);
    if (health->state == HEALTH_DOWN)
        tell(context, "no upstream is usable; only the cache and local names are answered");
    if (health->state == HEALTH_FAILING) {
        snprintf(sentence, sizeof sentence,
                 "%" PRIu64 " of %" PRIu64 " queries within the last minute were not answered by any upstream%s%s",
                 minute.failed, minute.queries, top ? "; most often: " : "", top ? top->text : "");
        tell(context, sentence);
    }
    if (health->state != HEALTH_OK)
        (void)each_unusable(sum, tell, context);
}
