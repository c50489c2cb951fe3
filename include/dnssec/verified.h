/* SPDX-License-Identifier: MIT */
/* Signatures that were verified, so that the same one is not verified again when its RRset is fetched again.
 *
 * Does:    remembers a keyed hash of 128 bits of the signed data, the key and the signature; times are not part of it.
 * Owns:    a table of fixed size; a new signature takes the place of an old one.
 * Threads: one at a time.
 */
#ifndef DOTSTUB_DNSSEC_VERIFIED_H
#define DOTSTUB_DNSSEC_VERIFIED_H

#include "base/bytes.h"
#include "base/hash.h"

struct verified;

/* NULL: out of memory. */
struct verified *verified_new(void);
/* NULL does nothing. */
void verified_free(struct verified *verified);

/* The hash by which a signature is remembered. */
struct wide_hash verified_hash(struct bytes data, struct bytes key, struct bytes signature);
bool verified_has(const struct verified *verified, struct wide_hash hash);
void verified_add(struct verified *verified, struct wide_hash hash);

#endif
