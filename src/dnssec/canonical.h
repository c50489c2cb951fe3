/* SPDX-License-Identifier: MIT */
/* The canonical form and order of names and of the data of records.
 *
 * Does:    all functions work on a message that the strict walk has accepted, so names end, and data fills RDLENGTH.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     4034 section 6, 6840 section 5.1, 3597 section 7.
 */
#ifndef DOTSTUB_DNSSEC_CANONICAL_H
#define DOTSTUB_DNSSEC_CANONICAL_H

#include "base/bytes.h"
#include "dns/name.h"

/* Copies the name at this offset of the message, uncompressed and in lower case. Returns its length. */
size_t canonical_name(const uint8_t *wire, size_t at, uint8_t out[NAME_MAX_WIRE]);
/* The offset behind the name at `at`. */
size_t canonical_name_end(const uint8_t *wire, size_t at);

/* The longest canonical form of data of `len` bytes. */
static inline size_t canonical_room(size_t len)
{
    return len + 2 * NAME_MAX_WIRE;
}
/* Writes the canonical form of data that begins at this offset; `out` has canonical_room. Returns its length. */
size_t canonical_rdata(const uint8_t *wire, uint16_t type, size_t at, size_t len, uint8_t *out);

/* Compares two uncompressed names in lower case in canonical order: negative, 0, positive. */
int canonical_compare(const uint8_t *a, const uint8_t *b);
/* The number of labels that two names have in common at their ends, without the root. */
unsigned canonical_common(const uint8_t *a, const uint8_t *b);
/* The ancestor of the name with this number of labels (at most its own), in the same memory. */
const uint8_t *canonical_ancestor(const uint8_t *name, unsigned labels);
/* The length of an uncompressed name that is valid. */
size_t canonical_len(const uint8_t *name);

#endif
