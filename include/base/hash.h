/* SPDX-License-Identifier: MIT */
/* Keyed hashing (SipHash-2-4 from libsodium), so that nobody outside can choose colliding keys.
 *
 * Does:    one random key per process, made by hash_init; also random numbers for ids and jitter, and digests without a key
 *          (BLAKE2b), which say the same in every process, for what lies in files.
 * Threads: hash_init once before any thread; the rest from any thread.
 */
#ifndef DOTSTUB_BASE_HASH_H
#define DOTSTUB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/check.h"

/* 0, or a negative error when the system gives no randomness. Calling it again does nothing. */
int hash_init(void) MUST_CHECK;
/* Sets the key by hand so that a test is repeatable. */
void hash_init_fixed(const uint8_t key[16]);
uint64_t hash_bytes(const void *data, size_t len);

#define DIGEST_LEN 16
void digest_bytes(uint8_t out[DIGEST_LEN], const void *data, size_t len);

/* Unpredictable, for ids and source of choice; `bound` 0 means the whole 32-bit range. */
uint32_t random_below(uint32_t bound);

#endif
