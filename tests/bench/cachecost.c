/* SPDX-License-Identifier: MIT */
/* Measures the costs of the cache as it grows: nanoseconds per put, per single hit and per hit in a batch, bytes per entry.
 *
 *     cachecost ENTRIES RECORDS
 *
 * Prints one JSON object. Names are drawn at random, so that all but the smallest caches miss the caches of the processor.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "../tools/names.h"
#include "samples.h"

enum { BATCH = 16, HITS = 1000000 };

static struct sample samples[BATCH];
static struct cache *cache;
static uint32_t entries;
static unsigned records;

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cachecost: %s\n", what);
        exit(1);
    }
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static size_t resident(void)
{
    unsigned long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    must(file && fscanf(file, "%lu %lu", &size, &pages) == 2, "no /proc");
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Puts each name once; returns nanoseconds per put. */
static double fill(void)
{
    double spent = 0;
    for (uint32_t at = 0; at < entries; at += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            sample_make(&samples[i], at + i, records, 86400);
        double before = now_ns();
        for (unsigned i = 0; i < BATCH; i++)
            must(cache_put(cache, &samples[i].key, samples[i].hash, &samples[i].answer, 1, cache_epoch(cache)) == 0,
                 "no room");
        spent += now_ns() - before;
    }
    return spent / entries;
}

static void fetch_all(void)
{
    for (unsigned i = 0; i < BATCH; i++)
        cache_prefetch(cache, samples[i].hash);
    for (unsigned i = 0; i < BATCH; i++)
        cache_prefetch_entry(cache, samples[i].hash);
}

/* Nanoseconds per hit. */
static double hit(bool fetched)
{
    struct draw draw;
    struct cache_found found;
    uint8_t out[2048];
    double spent = 0;
    draw_init(&draw, entries, 0, NULL);
    for (uint32_t at = 0; at < HITS; at += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            sample_make(&samples[i], (uint32_t)(draw_share(&draw) * entries), records, 86400);
        double before = now_ns();
        if (fetched)
            fetch_all();
        for (unsigned i = 0; i < BATCH; i++)
            must(cache_get(cache, &samples[i].key, samples[i].hash, 1001, CACHE_FRESH, 0, out, sizeof out, &found) ==
                     CACHE_HIT,
                 "a name was lost");
        spent += now_ns() - before;
    }
    return spent / HITS;
}

int main(int argc, char **argv)
{
    must(argc == 3, "usage: cachecost ENTRIES RECORDS");
    entries = (uint32_t)strtoul(argv[1], NULL, 10) / BATCH * BATCH;
    records = (unsigned)strtoul(argv[2], NULL, 10);
    must(entries > 0 && records <= SAMPLE_RECORDS, "0 entries, or too many records");
    must(hash_init() == 0, "no random numbers");
    cache = cache_new((size_t)entries * (128 + 20 * records) + (64 << 20));
    must(cache, "no memory");
    size_t before = resident();
    double put_ns = fill();
    double bytes = (double)(resident() - before) / entries;
    double alone_ns = hit(false), batch_ns = hit(true);
    printf("{\"put_ns\": %.0f, \"alone_ns\": %.0f, \"batch_ns\": %.0f, \"bytes\": %.1f}\n", put_ns, alone_ns, batch_ns,
           bytes);
    cache_free(cache);
    return 0;
}
