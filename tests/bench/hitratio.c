/* SPDX-License-Identifier: MIT */
/* Hit ratios of the real cache, beside those of other policies with room for the same number of names.
 *
 *     hitratio [ROW]      ROW: only rows whose name begins with this
 *
 * Traces follow Zipf's law. "scans": each fifth request is for a name that is requested only once, in runs of half the cache.
 * "TTLs": 1,000 requests a second, names live for 30 s, 5 min, an hour or a day. Fails where the cache is more than half a point
 * below the best of LRU, SIEVE and S3-FIFO, or is not better than LRU.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../tools/names.h"
#include "policies.h"
#include "samples.h"

enum { CACHE_BYTES = 4 << 20, REQUESTS = 6000000, FOR_EVER = 1 << 30 };

/* --- the real cache --- */

static struct cache *new_cache(void)
{
    struct cache *cache = cache_new(CACHE_BYTES);
    if (!cache) {
        perror("hitratio");
        exit(2);
    }
    return cache;
}

/* Looks the name up and stores it if it is missing; true: a hit. */
static bool ask(struct cache *cache, struct sample *sample, uint64_t now_ms)
{
    uint8_t out[512];
    struct cache_found found;
    if (cache_get(cache, &sample->key, sample->hash, now_ms, CACHE_FRESH, 0, out, sizeof out, &found) == CACHE_HIT)
        return true;
    if (cache_put(cache, &sample->key, sample->hash, &sample->answer, now_ms, cache_epoch(cache)) < 0)
        exit(2);
    return false;
}

/* Number of such names that the cache can hold. */
static uint32_t capacity_of_cache(void)
{
    struct cache *cache = new_cache();
    struct cache_stats stats;
    struct sample sample;
    for (uint32_t i = 0; i < 200000; i++) {
        sample_make(&sample, i, 1, 1000);
        ask(cache, &sample, 1);
    }
    cache_stats(cache, &stats);
    cache_free(cache);
    return (uint32_t)stats.entries;
}

/* Runs the cache over a trace, like a policy; one request each millisecond. */
static double run_cache(const struct trace *trace)
{
    struct cache *cache = new_cache();
    struct sample sample;
    uint32_t hits = 0;
    for (uint32_t now = 0; now < trace->len; now++) {
        uint32_t name = trace->requests[now];
        sample_make(&sample, name, 1, trace->ttl[name] / 1000);
        hits += ask(cache, &sample, 1 + now) && now >= trace->len / 2;
    }
    cache_free(cache);
    return (double)hits / (trace->len - trace->len / 2);
}

/* --- traces --- */

struct row {
    double zipf;
    const char *kind;
    unsigned percent; /* of the names that the cache has room for */
};

static void make_ttls(struct trace *trace, struct draw *draw)
{
    static const uint32_t lives[] = {30000, 300000, 3600000, 86400000};
    for (uint32_t i = 0; i < trace->names; i++)
        trace->ttl[i] = lives[(unsigned)(draw_share(draw) * 4)];
}

/* Writes runs of names that are requested once; returns their number. */
static void add_scans(struct trace *trace, uint32_t first, uint32_t run)
{
    for (uint32_t at = 4 * run; at < trace->len; at += 4 * run)
        for (uint32_t end = at + run; at < end && at < trace->len; at++)
            trace->requests[at] = first++;
}

static struct trace make_trace(const struct row *row, uint32_t capacity)
{
    bool scans = strcmp(row->kind, "scans") == 0;
    uint32_t distinct = capacity * 100 / row->percent;
    struct trace trace = {.len = REQUESTS, .names = distinct + (scans ? REQUESTS / 5 + capacity : 0)};
    double *sums = policy_memory(distinct, sizeof *sums);
    struct draw draw;
    draw_init(&draw, distinct, row->zipf, sums);
    trace.requests = policy_memory(trace.len, sizeof *trace.requests);
    trace.ttl = policy_memory(trace.names, sizeof *trace.ttl);
    for (uint32_t i = 0; i < trace.len; i++)
        trace.requests[i] = draw_next(&draw);
    for (uint32_t i = 0; i < trace.names; i++)
        trace.ttl[i] = FOR_EVER;
    if (scans)
        add_scans(&trace, distinct, capacity / 2);
    if (strcmp(row->kind, "TTLs") == 0)
        make_ttls(&trace, &draw);
    free(sums);
    return trace;
}

/* --- the table --- */

/* Prints a row; true if its hit ratio is as required. */
static bool run_row(const char *name, const struct row *row, uint32_t capacity)
{
    struct trace trace = make_trace(row, capacity);
    double ours = 100 * run_cache(&trace), lru = 100 * policies[0].run(&trace, capacity), best = lru;
    printf("%-22s %8.2f %8.2f", name, ours, lru);
    for (const struct policy *policy = policies + 1; policy->name; policy++) {
        double theirs = 100 * policy->run(&trace, capacity);
        if (theirs > best && policy[1].name)
            best = theirs;
        printf(" %8.2f", theirs);
    }
    bool good = ours >= best - 0.5 && ours > lru;
    printf("   %+.2f%s\n", ours - best, good ? "" : "  TOO LOW");
    fflush(stdout);
    free(trace.requests);
    free(trace.ttl);
    return good;
}

static bool run_rows(const char *only, uint32_t capacity)
{
    static const double zipfs[] = {0.8, 1.0};
    static const char *const kinds[] = {"plain", "scans", "TTLs"};
    static const unsigned percents[] = {1, 10, 50};
    bool good = true;
    for (unsigned i = 0; i < 18; i++) {
        struct row row = {zipfs[i / 9], kinds[i / 3 % 3], percents[i % 3]};
        char name[64];
        snprintf(name, sizeof name, "%.1f %s %u %%", row.zipf, row.kind, row.percent);
        if (strncmp(name, only, strlen(only)) == 0)
            good = run_row(name, &row, capacity) && good;
    }
    return good;
}

int main(int argc, char **argv)
{
    static const uint8_t key[16] = "hit ratios, same";
    hash_init_fixed(key);
    uint32_t capacity = capacity_of_cache();
    printf("Hits in percent; room for %u names\n%-22s %8s", capacity, "zipf, trace, room", "dotstub");
    for (const struct policy *policy = policies; policy->name; policy++)
        printf(" %8s", policy->name);
    printf("   to the best of three\n");
    return run_rows(argc > 1 ? argv[1] : "", capacity) ? 0 : 1;
}
