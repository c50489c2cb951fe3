/* SPDX-License-Identifier: MIT */
/* How long things take, in buckets.
 *
 * Does:    counts values of one unit (each histogram's own: milliseconds, tens of microseconds) and their sum.
 * Owns:    nothing; a value.
 * Threads: that of who adds; a copy is anybody's.
 */
#ifndef DOTSTUB_BASE_HISTOGRAM_H
#define DOTSTUB_BASE_HISTOGRAM_H

#include <stdint.h>

/* Bucket i holds what is at most histogram_bounds[i] and in no bucket before it; the last one holds what is more. */
#define HISTOGRAM_BOUNDS 12
extern const uint16_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t bucket[HISTOGRAM_BOUNDS + 1];
    uint64_t sum;
};

/* The same value, `times` times. */
static inline void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times)
{
    unsigned i = 0;
    while (i < HISTOGRAM_BOUNDS && value > histogram_bounds[i])
        i++;
    histogram->bucket[i] += times;
    histogram->sum += value * times;
}

/* All that is in the other one. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/* How many values there are. */
uint64_t histogram_count(const struct histogram *histogram);

#endif
