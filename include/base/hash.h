/* SPDX-License-Identifier: MIT */
/* Keyed hashing (SipHash-2-4 of libsodium), so that an attacker cannot choose colliding keys.
 *
 * Does:    makes one random key per process (hash_init); also random numbers for ids and jitter, and digests
 *          without a key (BLAKE2b), which are the same in every process, for files.
 * Threads: hash_init once before there are other threads; the rest from any thread.
 */
#ifndef DOTSTUB_BASE_HASH_H
#define DOTSTUB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

/* 0, or a negative error if the system provides no randomness. A second call does nothing. */
int hash_init(void) MUST_CHECK;
/* Sets a fixed key, for repeatable tests. */
void hash_init_fixed(const uint8_t key[16]);
uint64_t hash_bytes(const void *data, size_t len);
/* The same with the caller's key. */
uint64_t hash_keyed(const uint8_t key[16], const void *data, size_t len);
/* 128 bits with the process's key, for sets that store a hash in place of what was hashed. */
struct wide_hash {
    uint64_t first, second;
};
struct wide_hash hash_wide(const void *data, size_t len);

#define DIGEST_LEN 16
void digest_bytes(uint8_t out[DIGEST_LEN], const void *data, size_t len);

/* An unpredictable number below `bound`, for ids and choices; `bound` 0 means the whole 32-bit range. */
uint32_t random_below(uint32_t bound);

#endif
