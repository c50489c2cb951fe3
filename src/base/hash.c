/* SPDX-License-Identifier: MIT */
/* Invariant: once `ready` is set only a test changes the key. */
#include "base/hash.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16, "SipHash-2-4 has a key of 16 bytes");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash-2-4 produces 8 bytes");

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == sizeof(uint64_t[2]) &&
                   crypto_shorthash_siphashx24_BYTES == sizeof(struct wide_hash),
               "SipHash-2-4-128 has the same key and produces 16 bytes");

_Static_assert(DIGEST_LEN == crypto_generichash_BYTES_MIN, "BLAKE2b can produce 16 bytes");

static uint8_t hash_key[crypto_shorthash_KEYBYTES];
static bool ready;

int hash_init(void)
{
    if (ready)
        return 0;
    if (sodium_init() < 0)
        return -EIO;
    randombytes_buf(hash_key, sizeof(hash_key));
    ready = true;
    return 0;
}

void hash_init_fixed(const uint8_t key[16])
{
    memcpy(hash_key, key, sizeof(hash_key));
    ready = true;
}

uint64_t hash_keyed(const uint8_t key[16], const void *data, size_t len)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, data, len, key);
    return hash;
}

uint64_t hash_bytes(const void *data, size_t len)
{
    return hash_keyed(hash_key, data, len);
}

struct wide_hash hash_wide(const void *data, size_t len)
{
    struct wide_hash hash;
    crypto_shorthash_siphashx24((unsigned char *)&hash, data, len, hash_key);
    return hash;
}

void digest_bytes(uint8_t out[DIGEST_LEN], const void *data, size_t len)
{
    crypto_generichash(out, DIGEST_LEN, data, len, NULL, 0);
}

uint32_t random_below(uint32_t bound)
{
    return bound > 0 ? randombytes_uniform(bound) : randombytes_random();
}
