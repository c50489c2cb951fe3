/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

const uint16_t histogram_bounds[HISTOGRAM_BOUNDS] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
        histogram->bucket[i] += other->bucket[i];
    histogram->sum += other->sum;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += histogram->bucket[i];
    return count;
}
