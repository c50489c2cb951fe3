/* SPDX-License-Identifier: MIT */
#include "net/tls_make.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <gnutls/x509-ext.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"
#include "tls_private.h"

enum { DAY_S = 86400, AUTHORITY_DAYS = 3650, EARLY_S = 3600 /* clocks differ */, SERIAL = 16, CHAIN_MAX = 16 };

void tls_pair_free(struct tls_pair *pair)
{
    if (pair->key)
        gnutls_memset(pair->key, 0, strlen(pair->key));
    mem_free(pair->key);
    mem_free(pair->certificate);
    *pair = (struct tls_pair){NULL, NULL};
}

static int error_of(int result)
{
    return result >= 0 ? 0 : result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

/* A certificate that is being made. */
struct unsigned_pair {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

static void pair_end(struct unsigned_pair *draft)
{
    if (draft->crt)
        gnutls_x509_crt_deinit(draft->crt);
    if (draft->key)
        gnutls_x509_privkey_deinit(draft->key);
}

static int set_serial(gnutls_x509_crt_t crt)
{
    uint8_t serial[SERIAL];
    int result = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, and of full length */
    return result < 0 ? result : gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
}

static int set_key_id(gnutls_x509_crt_t crt)
{
    uint8_t id[64];
    size_t len = sizeof id;
    int result = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &len);
    return result < 0 ? result : gnutls_x509_crt_set_subject_key_id(crt, id, len);
}

/* A key, and a certificate with what all have. */
static int pair_begin(struct unsigned_pair *draft, const char *common_name, int days, unsigned usage)
{
    time_t now_s = time(NULL);
    *draft = (struct unsigned_pair){NULL, NULL};
    int result = gnutls_x509_privkey_init(&draft->key);
    if (result == 0)
        result = gnutls_x509_privkey_generate(draft->key, GNUTLS_PK_ECDSA,
                                              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (result == 0)
        result = gnutls_x509_crt_init(&draft->crt);
    if (result == 0)
        result = gnutls_x509_crt_set_version(draft->crt, 3);
    if (result == 0)
        result = set_serial(draft->crt);
    if (result == 0)
        result = gnutls_x509_crt_set_activation_time(draft->crt, now_s - EARLY_S);
    if (result == 0)
        result = gnutls_x509_crt_set_expiration_time(draft->crt, now_s - EARLY_S + (time_t)days * DAY_S);
    if (result == 0)
        result = gnutls_x509_crt_set_dn_by_oid(draft->crt, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                               (unsigned)strlen(common_name));
    if (result == 0)
        result = gnutls_x509_crt_set_key(draft->crt, draft->key);
    if (result == 0)
        result = gnutls_x509_crt_set_key_usage(draft->crt, usage);
    return result == 0 ? set_key_id(draft->crt) : result;
}

static gnutls_datum_t address_bytes(const struct addr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return (gnutls_datum_t){(unsigned char *)&addr->in.sin_addr, 4};
    return (gnutls_datum_t){(unsigned char *)&addr->in6.sin6_addr, 16};
}

/* Of a certificate that is signed: its texts. */
static int take_texts(struct tls_pair *out, const struct unsigned_pair *draft, const char *authority)
{
    gnutls_datum_t crt = {NULL, 0}, key = {NULL, 0};
    size_t more = authority ? strlen(authority) : 0;
    int result = gnutls_x509_crt_export2(draft->crt, GNUTLS_X509_FMT_PEM, &crt);
    if (result == 0)
        result = gnutls_x509_privkey_export2_pkcs8(draft->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key);
    int status = error_of(result);
    if (status == 0) {
        out->certificate = mem_zalloc(1, crt.size + more + 1);
        out->key = mem_zalloc(1, key.size + 1);
        status = out->certificate && out->key ? 0 : -ENOMEM;
    }
    if (status == 0) {
        memcpy(out->certificate, crt.data, crt.size);
        memcpy(out->certificate + crt.size, authority ? authority : "", more);
        memcpy(out->key, key.data, key.size);
    }
    if (key.data)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(crt.data);
    gnutls_free(key.data);
    return status;
}

/* --- the authority --- */

static int permit_address(gnutls_x509_name_constraints_t constraints, const struct addr *addr)
{
    uint8_t both[32];
    gnutls_datum_t bytes = address_bytes(addr);
    memcpy(both, bytes.data, bytes.size);
    memset(both + bytes.size, 0xff, bytes.size); /* the mask: exactly this address */
    return gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_IPADDRESS,
                                                      &(gnutls_datum_t){both, 2 * bytes.size});
}

/* Names at and below the resolver's, and its addresses. A kind of names without a permitted one is not restricted, so
 * both families and mail get one that nobody has. */
static int set_constraints(gnutls_x509_crt_t crt, const struct tls_subject *subject)
{
    gnutls_x509_name_constraints_t constraints;
    gnutls_datum_t name = {(unsigned char *)subject->name, (unsigned)strlen(subject->name)};
    struct addr nothing = {.in = {.sin_family = AF_INET}}, nothing6 = {.in6 = {.sin6_family = AF_INET6}};
    int result = gnutls_x509_name_constraints_init(&constraints);
    if (result < 0)
        return result;
    result = gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name);
    if (result == 0)
        result = permit_address(constraints, &nothing);
    if (result == 0)
        result = permit_address(constraints, &nothing6);
    for (size_t i = 0; i < subject->address_count && result == 0; i++)
        result = permit_address(constraints, &subject->addresses[i]);
    if (result == 0)
        result = gnutls_x509_crt_set_name_constraints(crt, constraints, 1);
    gnutls_x509_name_constraints_deinit(constraints);
    return result;
}

int tls_make_authority(struct tls_pair *out, const struct tls_subject *subject)
{
    struct unsigned_pair draft;
    char common_name[64];
    snprintf(common_name, sizeof common_name, "dotstub %.40s", subject->name);
    *out = (struct tls_pair){NULL, NULL};
    int result = pair_begin(&draft, common_name, AUTHORITY_DAYS, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (result == 0)
        result = gnutls_x509_crt_set_basic_constraints(draft.crt, 1, 0);
    if (result == 0)
        result = set_constraints(draft.crt, subject);
    if (result == 0)
        result = gnutls_x509_crt_sign2(draft.crt, draft.crt, draft.key, GNUTLS_DIG_SHA256, 0);
    int status = error_of(result);
    if (status == 0)
        status = take_texts(out, &draft, NULL);
    pair_end(&draft);
    if (status < 0)
        tls_pair_free(out);
    return status;
}

/* --- the certificate --- */

static int load_authority(struct unsigned_pair *out, const struct tls_pair *authority)
{
    const gnutls_datum_t crt = {(unsigned char *)authority->certificate, (unsigned)strlen(authority->certificate)},
                         key = {(unsigned char *)authority->key, (unsigned)strlen(authority->key)};
    uint8_t ids[2][64];
    size_t lens[2] = {sizeof ids[0], sizeof ids[1]};
    *out = (struct unsigned_pair){NULL, NULL};
    int result = gnutls_x509_crt_init(&out->crt);
    if (result == 0)
        result = gnutls_x509_privkey_init(&out->key);
    if (result == 0)
        result = gnutls_x509_crt_import(out->crt, &crt, GNUTLS_X509_FMT_PEM);
    if (result == 0)
        result = gnutls_x509_privkey_import(out->key, &key, GNUTLS_X509_FMT_PEM);
    if (result == 0)
        result = gnutls_x509_crt_get_key_id(out->crt, 0, ids[0], &lens[0]);
    if (result == 0)
        result = gnutls_x509_privkey_get_key_id(out->key, 0, ids[1], &lens[1]);
    if (result == 0 && (lens[0] != lens[1] || memcmp(ids[0], ids[1], lens[0]) != 0))
        result = GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
    return result;
}

static int set_names(gnutls_x509_crt_t crt, const struct tls_subject *subject)
{
    int result = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, subject->name,
                                                      (unsigned)strlen(subject->name), GNUTLS_FSAN_APPEND);
    for (size_t i = 0; i < subject->address_count && result == 0; i++) {
        gnutls_datum_t bytes = address_bytes(&subject->addresses[i]);
        result =
            gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, bytes.data, bytes.size, GNUTLS_FSAN_APPEND);
    }
    return result;
}

static int set_issuer_id(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    uint8_t id[64];
    size_t len = sizeof id;
    int result = gnutls_x509_crt_get_subject_key_id(issuer, id, &len, NULL);
    return result < 0 ? result : gnutls_x509_crt_set_authority_key_id(crt, id, len);
}

/* 0 or -EKEYREJECTED: the constraints of the authority do not permit the names, or it has expired. The certificate is
 * read from its text, since the library verifies only what it has parsed. */
static int check_permitted(const struct tls_pair *made, const struct unsigned_pair *issuer)
{
    const gnutls_datum_t pem = {(unsigned char *)made->certificate, (unsigned)strlen(made->certificate)};
    gnutls_x509_trust_list_t list;
    gnutls_x509_crt_t crt;
    unsigned faults = 0;
    if (gnutls_x509_crt_init(&crt) < 0)
        return -ENOMEM;
    int result = gnutls_x509_trust_list_init(&list, 0);
    if (result < 0) {
        gnutls_x509_crt_deinit(crt);
        return -ENOMEM;
    }
    result = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
    if (result == 0 && gnutls_x509_trust_list_add_cas(list, &issuer->crt, 1, 0) != 1)
        result = GNUTLS_E_MEMORY_ERROR;
    if (result == 0)
        result = gnutls_x509_trust_list_verify_crt(list, &crt, 1, 0, &faults, NULL);
    gnutls_x509_trust_list_deinit(list, 0);
    gnutls_x509_crt_deinit(crt);
    return result < 0 ? error_of(result) : faults ? -EKEYREJECTED : 0;
}

int tls_make_certificate(struct tls_pair *out, const struct tls_pair *authority, const struct tls_subject *subject)
{
    struct unsigned_pair draft = {NULL, NULL}, issuer;
    *out = (struct tls_pair){NULL, NULL};
    int result = load_authority(&issuer, authority);
    if (result == 0)
        result = pair_begin(&draft, subject->name, TLS_MADE_DAYS, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (result == 0)
        result = gnutls_x509_crt_set_basic_constraints(draft.crt, 0, -1);
    if (result == 0)
        result = set_names(draft.crt, subject);
    if (result == 0)
        result = gnutls_x509_crt_set_key_purpose_oid(draft.crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (result == 0)
        result = set_issuer_id(draft.crt, issuer.crt);
    if (result == 0)
        result = gnutls_x509_crt_sign2(draft.crt, issuer.crt, issuer.key, GNUTLS_DIG_SHA256, 0);
    int status = error_of(result);
    if (status == 0)
        status = take_texts(out, &draft, authority->certificate);
    if (status == 0)
        status = check_permitted(out, &issuer);
    pair_end(&draft);
    pair_end(&issuer);
    if (status < 0)
        tls_pair_free(out);
    return status;
}

/* --- a chain --- */

/* Letters, digits, hyphens and dots: the name is printed into profiles and commands. */
static bool is_host_name(const uint8_t *name, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t at = 0;
    while (at < len && name[at] && strchr(allowed, name[at]))
        at++;
    return len > 0 && at == len;
}

static void read_names(struct tls_chain_facts *out, gnutls_x509_crt_t crt)
{
    for (unsigned i = 0;; i++) {
        uint8_t data[sizeof out->name];
        size_t len = sizeof data - 1;
        struct addr addr;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, data, &len, NULL);
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (type < 0)
            return;
        if (type == GNUTLS_SAN_DNSNAME && !out->name[0] && is_host_name(data, len)) {
            memcpy(out->name, data, len);
            out->name[len] = '\0';
        }
        if (type != GNUTLS_SAN_IPADDRESS || (len != 4 && len != 16) || out->address_count == TLS_CHAIN_ADDRESSES)
            continue;
        addr =
            len == 4 ? (struct addr){.in = {.sin_family = AF_INET}} : (struct addr){.in6 = {.sin6_family = AF_INET6}};
        memcpy(address_bytes(&addr).data, data, len);
        out->addresses[out->address_count++] = addr;
    }
}

static int read_authority(struct tls_chain_facts *out, gnutls_x509_crt_t last)
{
    gnutls_datum_t pem = {NULL, 0};
    if (!gnutls_x509_crt_check_issuer(last, last))
        return 0;
    if (gnutls_x509_crt_export2(last, GNUTLS_X509_FMT_PEM, &pem) < 0)
        return -ENOMEM;
    out->authority = mem_zalloc(1, pem.size + 1);
    if (out->authority)
        memcpy(out->authority, pem.data, pem.size);
    gnutls_free(pem.data);
    return out->authority ? 0 : -ENOMEM;
}

int tls_chain_read(struct tls_chain_facts *out, const char *path)
{
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned count = CHAIN_MAX;
    struct tls_file file;
    int status = tls_file_load(&file, path, TLS_PEM_MAX);
    if (status < 0)
        return status;
    const gnutls_datum_t pem = {file.data, (unsigned)file.len};
    status = error_of(gnutls_x509_crt_list_import(chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0));
    tls_file_free(&file);
    if (status < 0)
        return status;
    *out = (struct tls_chain_facts){.expires_s = gnutls_x509_crt_get_expiration_time(chain[0])};
    read_names(out, chain[0]);
    if (count > 1 || gnutls_x509_crt_check_issuer(chain[0], chain[0]))
        status = read_authority(out, chain[count - 1]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    return status;
}
