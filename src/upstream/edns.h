/* SPDX-License-Identifier: MIT */
/* Whether one server understands queries with an OPT.
 *
 * Does:    says which error responses may be due to the OPT or an option in it, so that the query is worth sending
 *          without; remembers a server that responds only then, for EDNS_RETEST ms. Some servers say FORMERR, NOTIMP or
 *          BADVERS, with an OPT or without; some say SERVFAIL or REFUSED, which counts only until the server has given
 *          a usable response to a query with an OPT.
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
    EDNS_REFUSALS = 3,           /* in a row make a server that once understood OPTs one that does not */
};

struct edns {
    bool understood;         /* it gave a usable response to a query with an OPT */
    unsigned refusals;       /* of OPTs, since the latest such response */
    uint64_t plain_until_ms; /* no OPT is sent before */
};

/* May a query to it have an OPT? */
bool edns_is_sent(const struct edns *edns, uint64_t now_ms);
/* The server responded with this code to a query with an OPT; `explained`: by an extended error, so it understood the
 * OPT. True: the OPT may be the reason. */
bool edns_note_error(struct edns *edns, uint16_t rcode, bool explained);
/* A usable response came to a query with an OPT, or without. */
void edns_note_usable(struct edns *edns, uint64_t now_ms, bool with_opt);

#endif
