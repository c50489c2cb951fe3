/* SPDX-License-Identifier: MIT */
/* Rotation: the order of the records of an RRset changes from response to response, so that clients that use the
 * first record are spread over all.
 *
 * Does:    swaps the data of the records in place. Owners, TTLs, the order of the chain and the length of the
 *          message stay.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     1794, 2181 section 5 (an RRset has no order), 4034 section 6.3 (nor does its signature depend on one).
 */
#ifndef DOTSTUB_DNS_ROTATE_H
#define DOTSTUB_DNS_ROTATE_H

#include "dns/message.h"

/* True if the first RRset of A, AAAA or MX records in the answer section has several records whose data can be
 * exchanged: all of the same length, and no name of the message is in the data. */
bool rotate_is_possible(const struct answer *answer);

/* For such a message: writes the RRset's data to `out`, a copy of `wire`, rotated by turn / 2^32 of the number of
 * its records. */
void rotate_rrset(uint8_t *out, const uint8_t *wire, const uint16_t *ttl_offsets, uint32_t turn);

#endif
