/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - The message was walked: no name includes a TTL, so no name that starts before the first record's RDLENGTH
 *   extends into its data.
 * - The RRset is the first run of records of one rotating type; rotate_is_possible has checked that all have the
 *   same owner.
 */
#include "dns/rotate.h"

#include <ldns/ldns.h>
#include <string.h>

#include "walk.h"

enum {
    DATA = 6,           /* offset of the data from the TTL */
    POINTERS_MAX = 2000 /* pointers followed in one message; a message with more is not rotated */
};

static uint16_t type_at(const uint8_t *wire, uint16_t ttl)
{
    return read_u16(wire + ttl - 4);
}

static size_t end_of(const uint8_t *wire, uint16_t ttl)
{
    return ttl + (size_t)DATA + read_u16(wire + ttl + 4);
}

static bool type_rotates(uint16_t type)
{
    return type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_MX;
}

/* Finds the run; returns the number of its records, 0: none. */
static unsigned find_run(const uint8_t *wire, const uint16_t *ttl_offsets, unsigned *first)
{
    unsigned answers = read_u16(wire + LDNS_ANCOUNT_OFF), i = 0;
    while (i < answers && !type_rotates(type_at(wire, ttl_offsets[i])))
        i++;
    *first = i;
    while (i < answers && type_at(wire, ttl_offsets[i]) == type_at(wire, ttl_offsets[*first]))
        i++;
    return i - *first;
}

/* True if no pointer of the name leads into [from, to). False also if there are too many pointers. */
static bool name_avoids(const uint8_t *wire, size_t at, size_t from, size_t to, unsigned *pointers)
{
    for (;;) {
        while (wire[at] > 0 && wire[at] < 0xC0)
            at += 1 + (size_t)wire[at];
        if (wire[at] == 0)
            return true;
        at = read_u16(wire + at) & 0x3FFF;
        if ((at >= from && at < to) || ++*pointers > POINTERS_MAX)
            return false;
    }
}

static bool record_avoids(const uint8_t *wire, size_t owner, uint16_t ttl, size_t from, size_t to, unsigned *pointers)
{
    size_t names[RDATA_NAMES];
    unsigned count = rdata_names(wire, type_at(wire, ttl), ttl + (size_t)DATA, names);
    bool avoids = name_avoids(wire, owner, from, to, pointers);
    for (unsigned i = 0; i < count && avoids; i++)
        avoids = name_avoids(wire, names[i], from, to, pointers);
    return avoids;
}

/* True if the record has the class and data length of the first one, and an owner with the same bytes or a pointer
 * to the first owner. */
static bool is_like(const uint8_t *wire, size_t owner, uint16_t ttl, size_t first_owner, uint16_t first_ttl)
{
    size_t len = ttl - 4 - owner, first_len = first_ttl - 4 - first_owner;
    return read_u16(wire + ttl - 2) == read_u16(wire + first_ttl - 2) &&
           read_u16(wire + ttl + 4) == read_u16(wire + first_ttl + 4) &&
           ((len == first_len && memcmp(wire + owner, wire + first_owner, len) == 0) ||
            (len == 2 && read_u16(wire + owner) == (0xC000 | first_owner)));
}

bool rotate_is_possible(const struct answer *answer)
{
    const uint8_t *wire = answer->wire;
    const uint16_t *ttls = answer->ttl_offsets;
    unsigned first, run = 0, pointers = 0;
    if (answer->ttl_count > 1 && read_u16(wire + LDNS_ANCOUNT_OFF) <= answer->ttl_count)
        run = find_run(wire, ttls, &first);
    if (run < 2)
        return false;
    size_t first_owner = first > 0 ? end_of(wire, ttls[first - 1]) : message_question_end(answer);
    size_t from = ttls[first] + 4u, to = end_of(wire, ttls[first + run - 1]);
    for (unsigned i = first; i < answer->ttl_count; i++) {
        size_t owner = i > first ? end_of(wire, ttls[i - 1]) : first_owner;
        if ((i < first + run && !is_like(wire, owner, ttls[i], first_owner, ttls[first])) ||
            !record_avoids(wire, owner, ttls[i], from, to, &pointers))
            return false;
    }
    return true;
}

void rotate_rrset(uint8_t *out, const uint8_t *wire, const uint16_t *ttl_offsets, uint32_t turn)
{
    unsigned first, run = find_run(wire, ttl_offsets, &first), from = (unsigned)((uint64_t)turn * run >> 32);
    const uint16_t *ttl = ttl_offsets + first;
    size_t len = read_u16(wire + ttl[0] + 4);
    for (unsigned to = 0; to < run; to++) {
        memcpy(out + ttl[to] + DATA, wire + ttl[from] + DATA, len);
        from = from + 1 < run ? from + 1 : 0;
    }
}
