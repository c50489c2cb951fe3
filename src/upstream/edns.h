/* SPDX-License-Identifier: MIT */
/* Whether one server supports EDNS.
 *
 * Does:    says which error responses may be due to the OPT record or an option in it, so that a retry without OPT
 *          is worth it; remembers for EDNS_RETEST ms that a server responds only without OPT. Some servers respond
 *          FORMERR, NOTIMP or BADVERS, with or without an OPT; some respond SERVFAIL or REFUSED, which counts only
 *          until the server has given a usable response to a query with an OPT, and not at once: the next try would
 *          often have been answered with an OPT as well.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 * RFC:     6891 section 7.
 */
#ifndef DOTSTUB_UPSTREAM_EDNS_H
#define DOTSTUB_UPSTREAM_EDNS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    EDNS_RETEST = 5 * 60 * 1000, /* ms for which a server is sent queries without OPT */
    EDNS_REFUSALS = 3,           /* consecutive refusals after which a server counts as one without EDNS */
};

struct edns {
    bool understood; /* it gave a usable response to a query with an OPT */
    /* Of queries with an OPT, since the latest usable response to one. FORMERR, NOTIMP or BADVERS of a server that has not
     * understood any counts as EDNS_REFUSALS. */
    unsigned refusals;
    uint64_t plain_until_ms; /* no OPT is sent until then */
};

/* True if queries to the server may have an OPT. */
bool edns_is_sent(const struct edns *edns, uint64_t now_ms);
/* The server responded with this code to a query with an OPT; `explained`: the response has an extended error, so
 * the server understood the OPT. True: the OPT may be the reason. */
bool edns_note_error(struct edns *edns, uint16_t rcode, bool explained);
/* A usable response came to a query with an OPT, or without. */
void edns_note_usable(struct edns *edns, uint64_t now_ms, bool with_opt);

#endif
