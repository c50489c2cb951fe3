/* SPDX-License-Identifier: MIT */
/* Excludes messages that ldns reads wrongly. */
#ifndef DOTSTUB_TESTS_LDNS_READS_H
#define DOTSTUB_TESTS_LDNS_READS_H

#include "dns/message.h"

#include <ldns/ldns.h>

/* Types that ldns reads differently, and data that is shorter than it accepts. */
static inline bool ldns_can_read_type(uint16_t type, size_t rdlength)
{
    switch (type) {
    case LDNS_RR_TYPE_NSAP_PTR:
    case LDNS_RR_TYPE_SINK:
    case LDNS_RR_TYPE_HINFO:
    case 261: /* RESINFO and WALLET: unknown to ldns before 1.8.4, as to dotstub */
    case 262:
        return false;
    case LDNS_RR_TYPE_TXT:
    case LDNS_RR_TYPE_SPF:
    case LDNS_RR_TYPE_AVC:
    case LDNS_RR_TYPE_NINFO:
    case LDNS_RR_TYPE_NSAP:
    case LDNS_RR_TYPE_DHCID:
    case LDNS_RR_TYPE_OPENPGPKEY:
        return rdlength > 0;
    case LDNS_RR_TYPE_SSHFP:
        return rdlength > 2;
    case LDNS_RR_TYPE_DS:
    case LDNS_RR_TYPE_CDS:
    case LDNS_RR_TYPE_DLV:
        return rdlength > 4;
    case LDNS_RR_TYPE_LOC:
        return rdlength == 16;
    case LDNS_RR_TYPE_HIP: /* it refuses 256 rendezvous servers, but no other number of them */
        return rdlength < 256;
    default:
        return true;
    }
}

static inline bool ldns_can_read(const struct answer *answer)
{
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        const uint8_t *ttl = answer->wire + answer->ttl_offsets[i];
        if (!ldns_can_read_type(read_u16(ttl - 4), read_u16(ttl + 4)))
            return false;
    }
    return true;
}

#endif
