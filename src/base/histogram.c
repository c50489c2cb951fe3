/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

const uint16_t histogram_bounds[HISTOGRAM_BOUNDS] = {1,   2,   3,   5,   7,   10,  15,   20,   30,   50,   70,
                                                     100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000};

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
