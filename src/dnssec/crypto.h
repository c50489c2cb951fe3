/* SPDX-License-Identifier: MIT */
/* Signatures and digests of DNSSEC, by GnuTLS.
 *
 * Does:    verifies one signature with one key; digests a key for a DS; hashes a name for NSEC3. Says which algorithms
 *          this build and the policy of the system support.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     3110 (RSA), 5702 (SHA-2), 6605 (ECDSA), 8080 (Ed25519, Ed448), 4509 and 6605 (digests), 5155 (NSEC3).
 */
#ifndef DOTSTUB_DNSSEC_CRYPTO_H
#define DOTSTUB_DNSSEC_CRYPTO_H

#include "base/bytes.h"

/* Algorithm numbers of DNSKEY, RRSIG and DS. */
enum {
    ALGORITHM_RSASHA1 = 5,
    ALGORITHM_RSASHA1_NSEC3 = 7,
    ALGORITHM_RSASHA256 = 8,
    ALGORITHM_RSASHA512 = 10,
    ALGORITHM_ECDSAP256 = 13,
    ALGORITHM_ECDSAP384 = 14,
    ALGORITHM_ED25519 = 15,
    ALGORITHM_ED448 = 16,
};
/* Digest types of DS. */
enum {
    DIGEST_SHA1 = 1,
    DIGEST_SHA256 = 2,
    DIGEST_SHA384 = 4,
};

#define CRYPTO_DIGEST_MAX 48 /* bytes of the longest digest */
#define CRYPTO_HASH       20 /* bytes of a NSEC3 hash */

/* RSASHA1 is supported unless the policy of the system forbids it. */
bool crypto_supports_algorithm(uint8_t algorithm);
bool crypto_supports_digest(uint8_t digest);

enum crypto_result {
    CRYPTO_VALID,
    CRYPTO_WRONG,    /* the signature is not of this data and key */
    CRYPTO_UNUSABLE, /* the key is malformed, or too large to be checked in reasonable time */
};
/* Verifies a signature in the form of the RRSIG with the public key in the form of the DNSKEY. */
enum crypto_result crypto_verify(uint8_t algorithm, struct bytes key, struct bytes data, struct bytes signature);
/* The cost of a verification, in units of the cheapest: RSA, about 40 us. */
unsigned crypto_cost(uint8_t algorithm);
/* Digests owner name and data of a DNSKEY, as for its DS. Returns the length; 0: the digest is not supported. */
size_t crypto_digest(uint8_t digest, struct bytes owner, struct bytes dnskey, uint8_t out[CRYPTO_DIGEST_MAX]);
/* The NSEC3 hash (SHA-1) of a name in canonical form. False: the library failed. */
bool crypto_hash(struct bytes name, struct bytes salt, unsigned iterations, uint8_t out[CRYPTO_HASH]) MUST_CHECK;

#endif
