/* SPDX-License-Identifier: MIT */
#include "flushes.h"

#include <string.h>

#include "dns/aliases.h"

static bool same(const struct store_flush *a, const struct store_flush *b)
{
    return a->at_ms == b->at_ms && a->below == b->below && a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

void flushes_add_all(struct flushes *flushes, int64_t before_ms)
{
    if (before_ms > flushes->all_ms)
        flushes->all_ms = before_ms;
    if (before_ms > flushes->newest_ms)
        flushes->newest_ms = before_ms;
}

bool flushes_add(struct flushes *flushes, const struct store_flush *flush)
{
    unsigned at = flushes->count;
    if (flush->at_ms + FLUSHES_SKEW_MS <= flushes->all_ms)
        return false; /* it would change nothing */
    for (; at > 0 && flushes->flush[at - 1].at_ms >= flush->at_ms; at--)
        if (same(&flushes->flush[at - 1], flush))
            return false;
    if (flushes->count == FLUSHES_MOST) {
        const struct store_flush *oldest = at == 0 ? flush : &flushes->flush[0];
        flushes_add_all(flushes, oldest->at_ms + FLUSHES_SKEW_MS);
        if (at == 0)
            return true;
        memmove(&flushes->flush[0], &flushes->flush[1], (at - 1) * sizeof flushes->flush[0]);
        at--;
    } else {
        memmove(&flushes->flush[at + 1], &flushes->flush[at], (flushes->count - at) * sizeof flushes->flush[0]);
        flushes->count++;
    }
    flushes->flush[at] = *flush;
    if (flush->at_ms + FLUSHES_SKEW_MS > flushes->newest_ms)
        flushes->newest_ms = flush->at_ms + FLUSHES_SKEW_MS;
    return true;
}

bool flushes_exclude(const struct flushes *flushes, const struct key *key, const struct answer *answer,
                     int64_t sealed_ms)
{
    if (sealed_ms >= flushes->newest_ms)
        return false;
    if (sealed_ms < flushes->all_ms)
        return true;
    for (unsigned i = flushes->count; i-- > 0 && sealed_ms < flushes->flush[i].at_ms + FLUSHES_SKEW_MS;)
        if (answer_concerns(answer, (struct bytes){key->name, key->name_len},
                            (struct bytes){flushes->flush[i].name, flushes->flush[i].len}, flushes->flush[i].below))
            return true;
    return false;
}
