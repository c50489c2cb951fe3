/* SPDX-License-Identifier: MIT */
#include "allowance.h"
#include <limits.h>
#include "upstream/transport/ids.h"

unsigned allowance_now(const struct allowance *allowance, uint64_t now_ms)
{
    if (!allowance->queries)
        return UINT_MAX;
    if (allowance->confirmed)
        return allowance->queries + (now_ms >= allowance->set_ms + (ALLOWANCE_PROBED << allowance->confirmed >> 1));
    uint64_t doublings = (now_ms - allowance->set_ms) / ALLOWANCE_DOUBLES;
    return doublings < 16 ? allowance->queries << doublings : UINT_MAX;
}

/* Sets the limit. A session has IDS_MAX ids, so a higher limit means none. */
static void allowance_set(struct allowance *allowance, uint64_t now_ms, unsigned queries)
{
    allowance->queries = queries < IDS_MAX ? queries : 0;
    allowance->set_ms = now_ms;
    allowance->confirmed = 0;
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

bool allowance_note_silence(struct allowance *allowance, uint64_t now_ms, unsigned answered, uint64_t dialed_ms,
                            uint64_t unanswered_ms)
{
    uint8_t confirmed = allowance->queries == answered ? allowance->confirmed : 0;
    bool again = answered == allowance->silent_life && dialed_ms >= allowance->silent_ms;
    allowance->silent_life = answered;
    allowance->silent_ms = unanswered_ms;
    if (answered == 0 || !(again || confirmed))
        return false;
    allowance_set(allowance, now_ms, answered);
    allowance->confirmed = confirmed < ALLOWANCE_CONFIRMED_MAX ? confirmed + 1 : confirmed;
    return true;
}

void allowance_forget_silence(struct allowance *allowance)
{
    allowance->silent_life = 0;
    if (allowance->confirmed)
        allowance->queries = allowance->confirmed = 0;
}

void allowance_note_probe(struct allowance *allowance, uint64_t now_ms)
{
    allowance->set_ms = now_ms;
}

/* False if the session has answered far more queries than the allowance, or has answered all and stayed open. If
 * sessions fall silent, staying open proves nothing. */
bool allowance_is_spent(const struct allowance *allowance, uint64_t now_ms, unsigned given, unsigned answered,
                        bool outlived)
{
    unsigned queries = allowance_now(allowance, now_ms);
    if (allowance->confirmed)
        return given >= queries && answered <= allowance->queries;
    return given >= queries && answered / 2 < queries && !outlived;
}

bool allowance_is_exhausted(const struct allowance *allowance, unsigned answered)
{
    return allowance->confirmed && answered == allowance->queries;
}

void allowance_note_outlived(struct allowance *allowance, uint64_t now_ms, unsigned given)
{
    allowance_set(allowance, now_ms, given * 2);
}
