/* SPDX-License-Identifier: MIT */
#include "resolve/tally.h"

void tally_merge(struct tally *tally, const struct tally *other)
{
    for (unsigned i = 0; i < TALLY_SOURCES; i++)
        tally->source[i] += other->source[i];
    for (unsigned i = 0; i < TALLY_TYPES; i++)
        tally->type[i] += other->type[i];
    for (unsigned i = 0; i < TALLY_RCODES; i++)
        tally->rcode[i] += other->rcode[i];
    tally->other_rcode += other->other_rcode;
    histogram_merge(&tally->hits, &other->hits);
    histogram_merge(&tally->misses, &other->misses);
    reasons_merge(&tally->failures, &other->failures);
}
