/* SPDX-License-Identifier: MIT */
/* A sealed value: version, kind, seal time, expiry (milliseconds since 1970, big-endian), nonce, ciphertext, tag. The
 * ciphertext is the content with the padding of ISO/IEC 7816-4.
 *
 * The nonce is 8 random bytes, drawn once in a millisecond, and a hash with a key of its own of all that is sealed
 * (version, kind, times, name, padded content), as in SIV (RFC 5297). Two values can only have the same nonce if they
 * are the same, or if their hashes of 128 bits collide. With random bytes alone a nonce would be used twice after a
 * virtual machine was started twice from one snapshot, which reveals both values and lets the store forge others; or
 * each value would cost a call of getrandom.
 *
 * Invariant: the length of the padding's block follows from the padded length, so it needs no field. */
#include "seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { VERSION = 1, SUBKEY_NAMES = 1, SUBKEY_VALUES = 2, SUBKEY_CONTROL = 3, SUBKEY_NONCES = 4, SALT = 8 };

_Static_assert(SEAL_KEY == crypto_kdf_KEYBYTES, "the fleet key is a key for derivation");
_Static_assert(SEAL_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "XChaCha20-Poly1305 has keys of 32 bytes");
_Static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "Poly1305 has a tag of 16 bytes");
_Static_assert(SEAL_HEADER == 18 + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the header ends with the nonce");
_Static_assert(SEAL_NONCE_KEY == crypto_shorthash_siphashx24_KEYBYTES, "SipHash has keys of 16 bytes");
_Static_assert(SALT + crypto_shorthash_siphashx24_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
               "a salt and a hash");
_Static_assert(SEAL_NAME <= crypto_generichash_BYTES_MAX, "BLAKE2b has up to 64 bytes");

/* --- keys --- */

static void derive(struct seal_key *out, const uint8_t master[SEAL_KEY])
{
    static const char context[crypto_kdf_CONTEXTBYTES + 1] = "dotstub1";
    crypto_kdf_derive_from_key(out->names, SEAL_KEY, SUBKEY_NAMES, context, master);
    crypto_kdf_derive_from_key(out->values, SEAL_KEY, SUBKEY_VALUES, context, master);
    crypto_kdf_derive_from_key(out->control, SEAL_KEY, SUBKEY_CONTROL, context, master);
    crypto_kdf_derive_from_key(out->nonces, SEAL_NONCE_KEY, SUBKEY_NONCES, context, master);
}

static int take_line(struct seal_keys *out, const char *line, size_t len, const char **why)
{
    uint8_t master[SEAL_KEY];
    size_t got = 0;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    if (len == 0 || line[0] == '#')
        return 0;
    if (out->count == SEAL_FLEET_KEYS) {
        *why = "has more than two keys; keep the one in use and the one before or after it";
        return -EINVAL;
    }
    int status = sodium_base642bin(master, sizeof master, line, len, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL);
    if (status == 0 && got == SEAL_KEY && !sodium_is_zero(master, sizeof master)) {
        derive(&out->key[out->count++], master);
    } else {
        *why = "has a line that is not a key; write 32 random bytes in base64, as openssl rand -base64 32 makes them";
        status = -EINVAL;
    }
    sodium_memzero(master, sizeof master);
    return status;
}

int seal_keys_parse(struct seal_keys *out, struct bytes text, const char **why)
{
    struct seal_keys keys = {.count = 0};
    const char *at = (const char *)text.data, *end = at + text.len;
    int status = sodium_init() < 0 ? -EIO : 0;
    while (status == 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        status = take_line(&keys, at, len, why);
        at = newline ? newline + 1 : end;
    }
    if (status == 0 && keys.count == 0) {
        *why = "has no key; write 32 random bytes in base64 to it, as openssl rand -base64 32 makes them";
        status = -EINVAL;
    }
    if (status == 0)
        *out = keys;
    seal_keys_wipe(&keys);
    return status;
}

void seal_keys_wipe(struct seal_keys *keys)
{
    sodium_memzero(keys, sizeof *keys);
}

/* --- names --- */

void seal_name(uint8_t out[SEAL_NAME], const struct seal_keys *keys, unsigned which, enum seal_kind kind,
               struct bytes of)
{
    crypto_generichash_state state;
    const uint8_t first[2] = {VERSION, (uint8_t)kind};
    crypto_generichash_init(&state, keys->key[which].names, SEAL_KEY, SEAL_NAME);
    crypto_generichash_update(&state, first, sizeof first);
    crypto_generichash_update(&state, of.data, of.len);
    crypto_generichash_final(&state, out, SEAL_NAME);
}

/* The store sees this text, so its time need not be constant, as libsodium's is at ten times the instructions. */
void seal_text(char out[SEAL_TEXT + 1], const uint8_t name[SEAL_NAME])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t whole[SEAL_NAME + 1] = {0};
    char *at = out + 8;
    _Static_assert(sizeof whole % 3 == 0 && 8 + sizeof whole / 3 * 4 == SEAL_TEXT + 1, "the last digit has no bits");
    memcpy(out, "dotstub:", 8);
    memcpy(whole, name, SEAL_NAME);
    for (size_t i = 0; i < sizeof whole; i += 3) {
        unsigned bits = (unsigned)whole[i] << 16 | (unsigned)whole[i + 1] << 8 | whole[i + 2];
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = digits[bits >> 6 & 63];
        *at++ = digits[bits & 63];
    }
    out[SEAL_TEXT] = '\0';
}

/* --- values --- */

static void write_ms(uint8_t *at, int64_t ms)
{
    write_u32(at, (uint32_t)((uint64_t)ms >> 32));
    write_u32(at + 4, (uint32_t)(uint64_t)ms);
}

static int64_t read_ms(const uint8_t *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* Content of `len` bytes is padded to a multiple of this. */
static size_t block_of(size_t len)
{
    return len < 1024 ? 128 : len < 8192 ? 512 : 4096;
}

static size_t padded_len(size_t len)
{
    size_t block = block_of(len);
    return (len / block + 1) * block;
}

size_t seal_len(size_t len)
{
    return SEAL_HEADER + padded_len(len) + SEAL_TAG;
}

/* The padding was authentic: its time may depend on its length, as sodium_unpad's does not. */
static bool unpad(const uint8_t *text, size_t padded, size_t *len)
{
    size_t block = block_of(padded - 1), least = padded - block;
    if (padded % block != 0)
        return false;
    while (padded > least && text[padded - 1] == 0)
        padded--;
    if (padded == least || text[padded - 1] != 0x80)
        return false;
    *len = padded - 1;
    return true;
}

static const uint8_t *key_for(const struct seal_keys *keys, unsigned which, enum seal_kind kind)
{
    const struct seal_key *key = &keys->key[which];
    return kind == SEAL_ANSWER || kind == SEAL_POPULAR ? key->values : key->control;
}

enum { ASSOCIATED = 18 + SEAL_NAME };

/* The header up to the nonce, and the name of the entry. */
static void associate(uint8_t out[ASSOCIATED], const uint8_t *header, const uint8_t *name)
{
    memcpy(out, header, 18);
    memcpy(out + 18, name, SEAL_NAME);
}

static void salt(uint8_t out[SALT], int64_t now_ms)
{
    static _Thread_local struct {
        int64_t ms;
        uint8_t bytes[SALT];
    } drawn;
    if (drawn.ms != now_ms)
        randombytes_buf(drawn.bytes, SALT);
    drawn.ms = now_ms;
    memcpy(out, drawn.bytes, SALT);
}

/* `sealed` is complete up to the nonce, and its padded text is still clear. The hash of what is associated is put before
 * the text while that is hashed. The two hashes have one key, but never the same length of input. */
static void make_nonce(uint8_t *sealed, size_t padded, const uint8_t associated[ASSOCIATED],
                       const uint8_t key[SEAL_NONCE_KEY], int64_t now_ms)
{
    enum { HASH = crypto_shorthash_siphashx24_BYTES };
    uint8_t hash[HASH], *place = sealed + SEAL_HEADER - HASH;
    salt(sealed + 18, now_ms);
    crypto_shorthash_siphashx24(place, associated, ASSOCIATED, key);
    crypto_shorthash_siphashx24(hash, place, HASH + padded, key);
    memcpy(place, hash, HASH);
}

void seal(uint8_t *out, const struct seal_keys *keys, const struct seal_terms *terms, struct bytes content)
{
    uint8_t associated[ASSOCIATED];
    uint8_t *text = out + SEAL_HEADER;
    size_t padded = padded_len(content.len);
    out[0] = VERSION;
    out[1] = (uint8_t)terms->kind;
    write_ms(out + 2, terms->sealed_ms);
    write_ms(out + 10, terms->expires_ms);
    if (content.len > 0)
        memcpy(text, content.data, content.len);
    text[content.len] = 0x80;
    memset(text + content.len + 1, 0, padded - content.len - 1);
    associate(associated, out, terms->name);
    make_nonce(out, padded, associated, keys->key[0].nonces, terms->sealed_ms);
    crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, text, padded, associated, sizeof associated, NULL, out + 18,
                                               key_for(keys, 0, terms->kind));
}

enum seal_verdict unseal(uint8_t *sealed, size_t len, const struct seal_keys *keys, unsigned which, int64_t now_ms,
                         struct seal_terms *terms, struct bytes *content)
{
    uint8_t associated[ASSOCIATED];
    if (len < SEAL_HEADER + 128 + SEAL_TAG || sealed[0] != VERSION || sealed[1] != terms->kind)
        return SEAL_FOREIGN;
    uint8_t *text = sealed + SEAL_HEADER;
    size_t padded = len - SEAL_HEADER - SEAL_TAG, clear;
    int64_t sealed_ms = read_ms(sealed + 2), expires_ms = read_ms(sealed + 10);
    associate(associated, sealed, terms->name);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, text, padded + SEAL_TAG, associated,
                                                   sizeof associated, sealed + 18,
                                                   key_for(keys, which, terms->kind)) != 0 ||
        !unpad(text, padded, &clear))
        return SEAL_DAMAGED;
    if (sealed_ms < 0 || sealed_ms > now_ms + SEAL_AHEAD_MS)
        return SEAL_EARLY;
    if (expires_ms <= now_ms)
        return SEAL_EXPIRED;
    terms->sealed_ms = sealed_ms;
    terms->expires_ms = expires_ms;
    *content = (struct bytes){text, clear};
    return SEAL_OPENED;
}
