/* SPDX-License-Identifier: MIT */
/* A histogram of durations.
 *
 * Does:    counts values in buckets, and their sum. Each histogram has its own unit (milliseconds, tens of
 *          microseconds).
 * Owns:    nothing; a value.
 * Threads: none; copies may be read anywhere.
 */
#ifndef DOTSTUB_BASE_HISTOGRAM_H
#define DOTSTUB_BASE_HISTOGRAM_H

#include <stdint.h>

/* Steps of about 1.5, so that a percentile is known to within a third. Bucket i counts values up to histogram_bounds[i] that no earlier bucket counts; the last bucket counts larger
 * values. */
#define HISTOGRAM_BOUNDS 22
extern const uint16_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t bucket[HISTOGRAM_BOUNDS + 1];
    uint64_t sum;
};

/* Adds `value` `times` times. */
static inline void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times)
{
    unsigned i = 0;
    while (i < HISTOGRAM_BOUNDS && value > histogram_bounds[i])
        i++;
    histogram->bucket[i] += times;
    histogram->sum += value * times;
}

/* Adds the counts of `other`. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/* The number of values added. */
uint64_t histogram_count(const struct histogram *histogram);

#endif
