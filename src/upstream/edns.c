/* SPDX-License-Identifier: MIT */
#include "edns.h"
#include "dns/codes.h"

bool edns_is_sent(const struct edns *edns, uint64_t now_ms)
{
    return now_ms >= edns->plain_until_ms;
}

bool edns_note_error(struct edns *edns, uint16_t rcode, bool explained)
{
    bool refusal = rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP || rcode == RCODE_BADVERS;
    bool failure = rcode_is_failure(rcode) && !explained && !edns->understood;
    if (refusal && !edns->understood)
        edns->refusals = EDNS_REFUSALS;
    else
        edns->refusals += refusal || failure;
    return refusal || failure;
}

void edns_note_usable(struct edns *edns, uint64_t now_ms, bool with_opt)
{
    if (with_opt) {
        edns->understood = true;
        edns->refusals = 0;
    } else if (edns->refusals >= EDNS_REFUSALS) {
        edns->plain_until_ms = now_ms + EDNS_RETEST;
        edns->refusals = 0;
    }
}
