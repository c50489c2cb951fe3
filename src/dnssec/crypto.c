/* SPDX-License-Identifier: MIT */
/* Invariants: the length of each part of a key or signature is checked before GnuTLS sees it. The cost of a
 * verification is bounded by the largest RSA modulus and exponent that are accepted. */
#include "crypto.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

enum {
    RSA_LEAST = 512 / 8, /* bytes of a modulus, RFC 5702 section 2.1 */
    RSA_MOST = 4096 / 8,
    RSA_EXPONENT_MOST = 5, /* bytes; larger ones only make verification slow */
    P256 = 32,             /* bytes of a coordinate */
    P384 = 48,
    ED25519_KEY = 32,
    ED448_KEY = 57,
};

static gnutls_sign_algorithm_t sign_of(uint8_t algorithm)
{
    switch (algorithm) {
    case ALGORITHM_RSASHA1:
    case ALGORITHM_RSASHA1_NSEC3:
        return GNUTLS_SIGN_RSA_SHA1;
    case ALGORITHM_RSASHA256:
        return GNUTLS_SIGN_RSA_SHA256;
    case ALGORITHM_RSASHA512:
        return GNUTLS_SIGN_RSA_SHA512;
    case ALGORITHM_ECDSAP256:
        return GNUTLS_SIGN_ECDSA_SHA256;
    case ALGORITHM_ECDSAP384:
        return GNUTLS_SIGN_ECDSA_SHA384;
    case ALGORITHM_ED25519:
        return GNUTLS_SIGN_EDDSA_ED25519;
    case ALGORITHM_ED448:
        return GNUTLS_SIGN_EDDSA_ED448;
    default:
        return GNUTLS_SIGN_UNKNOWN;
    }
}

static gnutls_digest_algorithm_t digest_of(uint8_t digest)
{
    switch (digest) {
    case DIGEST_SHA1:
        return GNUTLS_DIG_SHA1;
    case DIGEST_SHA256:
        return GNUTLS_DIG_SHA256;
    case DIGEST_SHA384:
        return GNUTLS_DIG_SHA384;
    default:
        return GNUTLS_DIG_UNKNOWN;
    }
}

bool crypto_supports_algorithm(uint8_t algorithm)
{
    gnutls_sign_algorithm_t sign = sign_of(algorithm);
    return sign != GNUTLS_SIGN_UNKNOWN && gnutls_sign_is_secure(sign);
}

bool crypto_supports_digest(uint8_t digest)
{
    return digest_of(digest) != GNUTLS_DIG_UNKNOWN;
}

static gnutls_datum_t datum(const uint8_t *data, size_t len)
{
    return (gnutls_datum_t){(unsigned char *)data, (unsigned)len};
}

/* The exponent has a length of one byte, or of three that begin with 0 (RFC 3110 section 2). */
static int import_rsa(gnutls_pubkey_t out, struct bytes key)
{
    struct cursor cursor = cursor_over(key);
    size_t len = cursor_u8(&cursor);
    if (len == 0)
        len = cursor_u16(&cursor);
    const uint8_t *exponent = cursor_take(&cursor, len), *modulus = cursor.at;
    size_t modulus_len = cursor_left(&cursor);
    if (cursor.failed || len == 0)
        return GNUTLS_E_PARSING_ERROR;
    for (; len > 0 && *exponent == 0; len--)
        exponent++;
    for (; modulus_len > 0 && *modulus == 0; modulus_len--)
        modulus++;
    if (len == 0 || len > RSA_EXPONENT_MOST || modulus_len < RSA_LEAST || modulus_len > RSA_MOST)
        return GNUTLS_E_PARSING_ERROR;
    gnutls_datum_t m = datum(modulus, modulus_len), e = datum(exponent, len);
    return gnutls_pubkey_import_rsa_raw(out, &m, &e);
}

static int import_ecdsa(gnutls_pubkey_t out, struct bytes key, gnutls_ecc_curve_t curve, size_t half)
{
    if (key.len != 2 * half)
        return GNUTLS_E_PARSING_ERROR;
    gnutls_datum_t x = datum(key.data, half), y = datum(key.data + half, half);
    return gnutls_pubkey_import_ecc_raw(out, curve, &x, &y);
}

static int import_eddsa(gnutls_pubkey_t out, struct bytes key, gnutls_ecc_curve_t curve, size_t len)
{
    if (key.len != len)
        return GNUTLS_E_PARSING_ERROR;
    gnutls_datum_t x = datum(key.data, len);
    return gnutls_pubkey_import_ecc_raw(out, curve, &x, NULL);
}

static int import_key(gnutls_pubkey_t out, uint8_t algorithm, struct bytes key)
{
    switch (algorithm) {
    case ALGORITHM_ECDSAP256:
        return import_ecdsa(out, key, GNUTLS_ECC_CURVE_SECP256R1, P256);
    case ALGORITHM_ECDSAP384:
        return import_ecdsa(out, key, GNUTLS_ECC_CURVE_SECP384R1, P384);
    case ALGORITHM_ED25519:
        return import_eddsa(out, key, GNUTLS_ECC_CURVE_ED25519, ED25519_KEY);
    case ALGORITHM_ED448:
        return import_eddsa(out, key, GNUTLS_ECC_CURVE_ED448, ED448_KEY);
    default:
        return import_rsa(out, key);
    }
}

static int verify(gnutls_pubkey_t key, uint8_t algorithm, const gnutls_datum_t *data, const gnutls_datum_t *signature)
{
    bool sha1 = algorithm == ALGORITHM_RSASHA1 || algorithm == ALGORITHM_RSASHA1_NSEC3;
    return gnutls_pubkey_verify_data2(key, sign_of(algorithm), sha1 ? GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 : 0, data,
                                      signature);
}

/* The two numbers of an ECDSA signature have a form of their own (RFC 6605 section 4). */
static int verify_ecdsa(gnutls_pubkey_t key, uint8_t algorithm, const gnutls_datum_t *data, struct bytes signature)
{
    size_t half = algorithm == ALGORITHM_ECDSAP256 ? P256 : P384;
    if (signature.len != 2 * half)
        return GNUTLS_E_PK_SIG_VERIFY_FAILED;
    gnutls_datum_t r = datum(signature.data, half), s = datum(signature.data + half, half), encoded;
    int status = gnutls_encode_rs_value(&encoded, &r, &s);
    if (status < 0)
        return status;
    status = verify(key, algorithm, data, &encoded);
    gnutls_free(encoded.data);
    return status;
}

enum crypto_result crypto_verify(uint8_t algorithm, struct bytes key, struct bytes data, struct bytes signature)
{
    enum crypto_result result = CRYPTO_UNUSABLE;
    gnutls_pubkey_t imported;
    if (!crypto_supports_algorithm(algorithm) || gnutls_pubkey_init(&imported) < 0)
        return CRYPTO_UNUSABLE;
    if (import_key(imported, algorithm, key) >= 0) {
        gnutls_datum_t signed_data = datum(data.data, data.len), raw = datum(signature.data, signature.len);
        bool is_ecdsa = algorithm == ALGORITHM_ECDSAP256 || algorithm == ALGORITHM_ECDSAP384;
        int status = is_ecdsa ? verify_ecdsa(imported, algorithm, &signed_data, signature)
                              : verify(imported, algorithm, &signed_data, &raw);
        result = status >= 0 ? CRYPTO_VALID : CRYPTO_WRONG;
    }
    gnutls_pubkey_deinit(imported);
    return result;
}

unsigned crypto_cost(uint8_t algorithm)
{
    switch (algorithm) {
    case ALGORITHM_ECDSAP256:
    case ALGORITHM_ED25519:
        return 4;
    case ALGORITHM_ECDSAP384:
    case ALGORITHM_ED448:
        return 12;
    default:
        return 1;
    }
}

size_t crypto_digest(uint8_t digest, struct bytes owner, struct bytes dnskey, uint8_t out[CRYPTO_DIGEST_MAX])
{
    gnutls_digest_algorithm_t algorithm = digest_of(digest);
    gnutls_hash_hd_t hash;
    if (algorithm == GNUTLS_DIG_UNKNOWN || gnutls_hash_init(&hash, algorithm) < 0)
        return 0;
    bool done = gnutls_hash(hash, owner.data, owner.len) >= 0 && gnutls_hash(hash, dnskey.data, dnskey.len) >= 0;
    gnutls_hash_deinit(hash, out);
    return done ? gnutls_hash_get_len(algorithm) : 0;
}

/* RFC 5155 section 5. */
bool crypto_hash(struct bytes name, struct bytes salt, unsigned iterations, uint8_t out[CRYPTO_HASH])
{
    uint8_t input[255 + 255];
    if (name.len > 255 || salt.len > 255)
        return false;
    memcpy(input, name.data, name.len);
    size_t len = name.len;
    for (unsigned i = 0; i <= iterations; i++) {
        if (salt.len > 0)
            memcpy(input + len, salt.data, salt.len);
        if (gnutls_hash_fast(GNUTLS_DIG_SHA1, input, len + salt.len, out) < 0)
            return false;
        memcpy(input, out, CRYPTO_HASH);
        len = CRYPTO_HASH;
    }
    return true;
}
