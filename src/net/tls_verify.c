/* SPDX-License-Identifier: MIT */
/* Verification of the peer. Resumption skips GnuTLS's verification, and GnuTLS accepts a common name as a host name,
 * so all checks are here, after every handshake, full or resumed (the resumed session contains the
 * certificate).
 *
 * Invariants: the result is 0 only if the chain, the name and the pins all match the trust, now or, for the same
 * chain, within the last TLS_VERIFIED_S; an unreadable certificate is refused. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "net/verifytime.h"
#include "tls_private.h"

/* A host name has at most 253 bytes; a longer one in a certificate cannot match. */
enum { NAME_MAX_BYTES = 253 };
/* Verifying one signature with an RSA key of 16384 bits and an exponent of that length takes 0.7 s, with a key of
 * this limit 0.5 ms. */
enum { RSA_MODULUS_MAX_BYTES = 1024 + 1, RSA_EXPONENT_MAX_BYTES = 8 };

static int leaf_certificate(gnutls_session_t session, gnutls_x509_crt_t *out)
{
    unsigned count = 0;
    if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) != GNUTLS_CRT_X509)
        return ERROR_TLS_UNTRUSTED;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0)
        return ERROR_TLS_UNTRUSTED;
    gnutls_x509_crt_t leaf;
    if (gnutls_x509_crt_init(&leaf) < 0)
        return -ENOMEM;
    if (gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER) < 0) {
        gnutls_x509_crt_deinit(leaf);
        return ERROR_TLS_UNTRUSTED;
    }
    *out = leaf;
    return 0;
}

static bool is_rsa(int algorithm)
{
    return algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS;
}

static bool is_key_costly(gnutls_x509_crt_t certificate)
{
    gnutls_pubkey_t key;
    gnutls_datum_t modulus = {0}, exponent = {0};
    int result = gnutls_pubkey_init(&key);
    if (result == 0) {
        result = gnutls_pubkey_import_x509(key, certificate, 0);
        if (result == 0 && is_rsa(gnutls_pubkey_get_pk_algorithm(key, NULL)))
            result = gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0);
        gnutls_pubkey_deinit(key);
    }
    bool costly = result < 0 || modulus.size > RSA_MODULUS_MAX_BYTES || exponent.size > RSA_EXPONENT_MAX_BYTES;
    gnutls_free(modulus.data);
    gnutls_free(exponent.data);
    return costly;
}

bool tls_peer_keys_are_costly(gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    bool costly = !chain || count > TLS_CHAIN_MAX ||
                  gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) != GNUTLS_CRT_X509;
    for (unsigned i = 0; i < count && !costly; i++) {
        gnutls_x509_crt_t certificate;
        if (gnutls_x509_crt_init(&certificate) < 0)
            return true;
        costly = gnutls_x509_crt_import(certificate, &chain[i], GNUTLS_X509_FMT_DER) < 0 || is_key_costly(certificate);
        gnutls_x509_crt_deinit(certificate);
    }
    return costly;
}

/* Logs the key, so that the operator can compare it with the published pins. */
static void show_pin(const struct tls_trust *trust, const uint8_t id[32])
{
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)];
    uint64_t key, suppressed;
    memcpy(&key, id, sizeof key);
    if (!log_repeat_allowed(&repeats, key | 1, false, clock_ms(), &suppressed))
        return;
    sodium_bin2base64(text, sizeof text, id, 32, sodium_base64_VARIANT_ORIGINAL);
    log_warning("tls", "the key of %s does not match any pin; the server's key is sha256/%s",
                trust->name ? trust->name : "a server", text);
}

static int check_pins(gnutls_x509_crt_t leaf, struct tls_trust *trust)
{
    uint8_t id[sizeof trust->pins->sha256];
    size_t len = sizeof id;
    if (gnutls_x509_crt_get_key_id(leaf, GNUTLS_KEYID_USE_SHA256, id, &len) < 0 || len != sizeof id)
        return ERROR_TLS_PIN;
    for (unsigned i = 0; i < trust->pin_count; i++) {
        if (memcmp(id, trust->pins[i].sha256, sizeof id) == 0)
            return 0;
    }
    show_pin(trust, id);
    return ERROR_TLS_PIN;
}

/* The most serious fault first: issuer, strength, dates, name. */
static int status_error(unsigned status)
{
    const unsigned known = GNUTLS_CERT_INVALID | GNUTLS_CERT_INSECURE_ALGORITHM | GNUTLS_CERT_EXPIRED |
                           GNUTLS_CERT_NOT_ACTIVATED | GNUTLS_CERT_UNEXPECTED_OWNER;
    if (status & ~known)
        return ERROR_TLS_UNTRUSTED;
    if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
        return ERROR_TLS_WEAK;
    if (status & GNUTLS_CERT_EXPIRED)
        return ERROR_TLS_EXPIRED;
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        return ERROR_TLS_NOT_YET;
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        return ERROR_TLS_NAME;
    return status ? ERROR_TLS_UNTRUSTED : 0;
}

/* The library verifies with the credentials of the session, so these are exchanged for the verification. */
static int check_chain(struct tls *tls)
{
    unsigned status = 0, count = 0;
    gnutls_typed_vdata_st wanted[] = {
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)tls->trust->name},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER},
    };
    gnutls_certificate_credentials_t credentials;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls->session, &count);
    if (!chain || tls_store_credentials_for(tls->store, chain, count, &credentials) < 0)
        return chain ? -ENOMEM : ERROR_TLS_UNTRUSTED;
    int result = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (result == 0) {
        result = gnutls_certificate_verify_peers(tls->session, wanted, 2, &status);
        if (gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls_store_credentials(tls->store)) < 0)
            abort(); /* replacing credentials of the same type needs no memory */
    }
    gnutls_certificate_free_credentials(credentials);
    if (result == GNUTLS_E_MEMORY_ERROR)
        return -ENOMEM;
    return result < 0 ? ERROR_TLS_UNTRUSTED : status_error(status);
}

/* When the last certificate of the peer's chain becomes valid; 0: the chain cannot be read. */
static int64_t latest_activation(gnutls_session_t session)
{
    unsigned count = 0;
    int64_t latest_s = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    for (unsigned i = 0; i < count; i++) {
        gnutls_x509_crt_t certificate;
        if (gnutls_x509_crt_init(&certificate) < 0)
            return 0;
        int64_t active_s = 0;
        if (gnutls_x509_crt_import(certificate, &chain[i], GNUTLS_X509_FMT_DER) == 0)
            active_s = gnutls_x509_crt_get_activation_time(certificate);
        gnutls_x509_crt_deinit(certificate);
        if (active_s <= 0)
            return 0;
        latest_s = active_s > latest_s ? active_s : latest_s;
    }
    return latest_s;
}

/* If the clock may be behind, a chain that is not valid yet is accepted when it passes all checks at the moment at
 * which all its certificates have become valid. */
static int check_chain_early(struct tls *tls)
{
    int64_t active_s = latest_activation(tls->session);
    if (active_s <= verifytime_now())
        return ERROR_TLS_NOT_YET;
    verifytime_assume(active_s);
    int result = check_chain(tls);
    verifytime_assume(0);
    return result;
}

static bool same_name(const char *a, const char *b, size_t len)
{
    return strlen(b) == len && strncasecmp(a, b, len) == 0;
}

/* RFC 6125 section 6.4.3, the strict reading: a star is the whole first label, matches exactly one label,
 * and is followed by at least two labels. */
static bool dns_name_matches(const char *pattern, size_t len, const char *name)
{
    if (len < 2 || memcmp(pattern, "*.", 2) != 0)
        return same_name(pattern, name, len);
    const char *rest = strchr(name, '.');
    return rest && rest > name && memchr(pattern + 2, '.', len - 2) && same_name(pattern + 1, rest, len - 1);
}

/* Parses a name that is an IP address literal; returns the number of address bytes, 0: a host name. */
static size_t address_bytes(const char *name, uint8_t out[16])
{
    if (inet_pton(AF_INET, name, out) == 1)
        return 4;
    return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

/* One subject alternative name (RFC 5280 section 4.2.1.6) against the configured name: > 0 it matches, 0 it does
 * not, < 0 the certificate must be refused. */
static int san_matches(unsigned type, const char *san, size_t len, const char *name)
{
    uint8_t address[16];
    size_t address_len = address_bytes(name, address);
    if (type == GNUTLS_SAN_IPADDRESS)
        return address_len > 0 && len == address_len && memcmp(san, address, len) == 0;
    if (type != GNUTLS_SAN_DNSNAME)
        return 0;
    if (memchr(san, '\0', len))
        return ERROR_TLS_NAME;
    return address_len == 0 && dns_name_matches(san, len, name);
}

/* GnuTLS falls back to the common name; here one of the alternative names must match. */
static int check_name(gnutls_x509_crt_t leaf, const char *name)
{
    bool matched = false;
    for (unsigned i = 0;; i++) {
        char san[NAME_MAX_BYTES + 1]; /* GnuTLS needs room for a NUL */
        size_t len = sizeof san;
        unsigned type = 0;
        int result = gnutls_x509_crt_get_subject_alt_name2(leaf, i, san, &len, &type, NULL);
        if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return matched ? 0 : ERROR_TLS_NAME;
        if (result == GNUTLS_E_SHORT_MEMORY_BUFFER && type != GNUTLS_SAN_DNSNAME)
            continue;
        if (result < 0)
            return ERROR_TLS_NAME;
        int match = san_matches(type, san, len, name);
        if (match < 0)
            return match;
        matched = matched || match > 0;
    }
}

static bool digest_chain(gnutls_session_t session, uint8_t out[DIGEST_LEN])
{
    uint8_t each[TLS_CHAIN_MAX][DIGEST_LEN];
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0 || count > TLS_CHAIN_MAX)
        return false;
    for (unsigned i = 0; i < count; i++)
        digest_bytes(each[i], chain[i].data, chain[i].size);
    digest_bytes(out, each, count * sizeof each[0]);
    return true;
}

bool tls_was_verified(const struct tls *tls, const struct tls_verified *verified)
{
    uint8_t chain[DIGEST_LEN], trust[DIGEST_LEN];
    int64_t age_s = verifytime_now() - verified->at_s;
    if (!verified->at_s || age_s < 0 || age_s >= TLS_VERIFIED_S || !gnutls_session_is_resumed(tls->session))
        return false;
    tls_trust_identity(tls->trust, trust);
    return memcmp(verified->trust, trust, DIGEST_LEN) == 0 &&
           memcmp(verified->store, tls_store_digest(tls->store), DIGEST_LEN) == 0 &&
           digest_chain(tls->session, chain) && memcmp(verified->chain, chain, DIGEST_LEN) == 0;
}

void tls_note_verified(const struct tls *tls, struct tls_verified *out)
{
    out->at_s = digest_chain(tls->session, out->chain) ? verifytime_now() : 0;
    tls_trust_identity(tls->trust, out->trust);
    memcpy(out->store, tls_store_digest(tls->store), DIGEST_LEN);
    out->certificate = tls->certificate;
}

int tls_verify_peer(struct tls *tls, bool *early)
{
    struct tls_trust *trust = tls->trust;
    gnutls_x509_crt_t leaf;
    *early = false;
    int result = leaf_certificate(tls->session, &leaf);
    if (result < 0)
        return result;
    if (trust->name)
        result = check_chain(tls);
    if (result == ERROR_TLS_NOT_YET && verifytime_may_be_behind()) {
        *early = true;
        result = check_chain_early(tls);
    }
    if (result == 0 && trust->name)
        result = check_name(leaf, trust->name);
    if (result == 0 && trust->pin_count > 0)
        result = check_pins(leaf, trust);
    gnutls_x509_crt_deinit(leaf);
    if (result == 0 && trust->name && !*early) /* with pins alone, dates are not verified */
        verifytime_note();
    return result;
}

/* The peer chose these bytes, and they are logged. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            *text = '?';
    }
}

static void describe_key(gnutls_x509_crt_t leaf, struct tls_certificate *out)
{
    static const char start[] = "sha256/";
    uint8_t id[32];
    size_t len = sizeof id;
    if (gnutls_x509_crt_get_key_id(leaf, GNUTLS_KEYID_USE_SHA256, id, &len) < 0 || len != sizeof id)
        return;
    memcpy(out->pin, start, sizeof start);
    sodium_bin2base64(out->pin + strlen(start), sizeof out->pin - strlen(start), id, sizeof id,
                      sodium_base64_VARIANT_ORIGINAL);
}

void tls_describe_peer(gnutls_session_t session, struct tls_certificate *out)
{
    *out = (struct tls_certificate){.expires_s = 0};
    gnutls_x509_crt_t leaf;
    if (leaf_certificate(session, &leaf) < 0)
        return;
    describe_key(leaf, out);
    out->expires_s = gnutls_x509_crt_get_expiration_time(leaf);
    char name[sizeof out->name] = "";
    size_t len = sizeof name;
    if (gnutls_x509_crt_get_subject_alt_name(leaf, 0, name, &len, NULL) != GNUTLS_SAN_DNSNAME) {
        len = sizeof name;
        if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) < 0)
            name[0] = '\0';
    }
    name[sizeof name - 1] = '\0';
    make_printable(name);
    memcpy(out->name, name, sizeof name);
    gnutls_x509_crt_deinit(leaf);
}
