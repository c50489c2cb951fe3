/* SPDX-License-Identifier: MIT */
/* Responses to put into a cache: A records of a numbered name. */
#ifndef DOTSTUB_BENCH_SAMPLES_H
#define DOTSTUB_BENCH_SAMPLES_H

#include "cache/cache.h"

#define SAMPLE_RECORDS 50 /* at most */

struct sample {
    struct key key;
    uint64_t hash;
    struct answer answer;
    uint8_t wire[MESSAGE_HEADER + NAME_MAX_WIRE + 4 + 16 * SAMPLE_RECORDS];
    uint16_t ttl_offsets[SAMPLE_RECORDS];
};

/* The sample points into itself: do not copy it. Names of all numbers below 90 million have the same length. */
void sample_make(struct sample *sample, uint32_t number, unsigned records, uint32_t ttl_s);

#endif
