/* SPDX-License-Identifier: MIT */
#include "allowance.h"
#include <limits.h>
#include "upstream/transport/ids.h"

unsigned allowance_now(const struct allowance *allowance, uint64_t now_ms)
{
    if (!allowance->queries)
        return UINT_MAX;
    uint64_t doublings = (now_ms - allowance->set_ms) / ALLOWANCE_DOUBLES;
    return doublings < 16 ? allowance->queries << doublings : UINT_MAX;
}

/* Sets the limit. A session has IDS_MAX ids, so a higher limit means none. */
static void allowance_set(struct allowance *allowance, uint64_t now_ms, unsigned queries)
{
    allowance->queries = queries < IDS_MAX ? queries : 0;
    allowance->set_ms = now_ms;
}

bool allowance_note_end(struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered, bool habit)
{
    bool its_way = answered > 0 && answered == allowance->last_life;
    unsigned outlived = answered > given / 8 ? answered : given / 8;
    allowance->last_life = answered;
    if (answered > 0 || habit) /* a single end without a response says nothing about a limit */
        allowance_set(allowance, now_ms, outlived ? outlived : 1);
    return its_way;
}

void allowance_note_outlived(struct allowance *allowance, uint64_t now_ms, unsigned given)
{
    allowance_set(allowance, now_ms, given * 2);
}
