/* SPDX-License-Identifier: MIT */
/* The CA certificates of one file, as bytes. The library needs some 50 KB for each certificate that it has parsed, so
 * a verification parses only those that can be issuers in the chain at hand; a system has about 150.
 *
 * Invariants: immutable once tls_authorities_load has returned. An expired certificate is absent if another one of
 * the same subject is valid: the library may find it first, and refuse the chain. */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/mem.h"
#include "net/verifytime.h"
#include "tls_private.h"

/* Files in which distributions store the system's CA certificates; the first that exists is read. */
static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine without the package ca-certificates */
};

enum { FILE_MAX_BYTES = 8 << 20 };

/* Offsets into `bytes`. */
struct authority {
    size_t der, der_len, subject, subject_len;
    int64_t expires_s;
    bool superseded;
    uint8_t digest[DIGEST_LEN];
};

struct tls_authorities {
    struct buffer bytes;
    struct authority *item; /* in the order of the file: of equal names, the library takes the first */
    size_t count, room;
    int64_t expires_s;
    uint8_t digest[DIGEST_LEN];
};

const char *tls_authorities_file(const char *ca_file)
{
    struct stat file;
    if (strcmp(ca_file, "system") != 0)
        return ca_file;
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files; i++)
        if (stat(system_files[i], &file) == 0)
            return system_files[i];
    return NULL;
}

/* --- loading --- */

static int append(struct tls_authorities *all, const gnutls_datum_t *data, size_t *at, size_t *len)
{
    *at = all->bytes.len;
    *len = data->size;
    return buffer_append(&all->bytes, data->data, data->size);
}

/* 0, -ENOMEM, or -EINVAL: it has no readable subject. */
static int add(struct tls_authorities *all, gnutls_x509_crt_t certificate)
{
    gnutls_datum_t der = {0}, subject = {0};
    int result = -ENOMEM;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 16;
        struct authority *larger = mem_resize(all->item, room * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        all->item = larger;
        all->room = room;
    }
    struct authority *item = &all->item[all->count];
    item->expires_s = gnutls_x509_crt_get_expiration_time(certificate);
    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der) < 0)
        goto end;
    if (gnutls_x509_crt_get_raw_dn(certificate, &subject) < 0) {
        result = -EINVAL;
        goto end;
    }
    digest_bytes(item->digest, der.data, der.size);
    result = append(all, &der, &item->der, &item->der_len);
    if (result == 0)
        result = append(all, &subject, &item->subject, &item->subject_len);
    if (result == 0)
        all->count++;
end:
    gnutls_free(der.data);
    gnutls_free(subject.data);
    return result;
}

/* Where the next certificate in PEM begins, or NULL. */
static const uint8_t *next_block(const uint8_t *at, const uint8_t *end)
{
    static const char *const begins[] = {"-----BEGIN CERTIFICATE-----", "-----BEGIN X509 CERTIFICATE-----"};
    while ((at = memmem(at, (size_t)(end - at), "-----BEGIN ", 11))) {
        for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
            if ((size_t)(end - at) >= strlen(begins[i]) && memcmp(at, begins[i], strlen(begins[i])) == 0)
                return at;
        at += 11;
    }
    return NULL;
}

/* A certificate that the library cannot read is left out, as an authority that is not trusted. */
static int add_block(struct tls_authorities *all, const uint8_t *at, const uint8_t *end)
{
    const gnutls_datum_t pem = {(unsigned char *)at, (unsigned)(end - at)};
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return -ENOMEM;
    int result = gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM);
    if (result == GNUTLS_E_MEMORY_ERROR)
        result = -ENOMEM;
    else
        result = result < 0 ? -EINVAL : add(all, certificate);
    gnutls_x509_crt_deinit(certificate);
    if (result == -EINVAL)
        log_debug("tls", "a CA certificate cannot be read, and is not trusted");
    return result == -ENOMEM ? result : 0;
}

/* The memory for the file is as large as it needs: after the release of a large block, malloc keeps more free memory. */
static int read_file(struct tls_authorities *all, const char *path)
{
    struct tls_file file;
    struct stat now;
    if (stat(path, &now) < 0)
        return -errno;
    if (now.st_size > FILE_MAX_BYTES)
        return -EFBIG;
    int result = tls_file_load(&file, path, (size_t)now.st_size);
    if (result < 0)
        return result;
    const uint8_t *end = file.data + file.len, *at = next_block(file.data, end), *next;
    for (; at && result == 0; at = next) {
        next = next_block(at + 1, end);
        result = add_block(all, at, next ? next : end);
    }
    tls_file_free(&file);
    return result;
}

/* The system's trust is not in a file that is known here. */
static int read_library(struct tls_authorities *all)
{
    gnutls_x509_trust_list_t list;
    gnutls_x509_trust_list_iter_t at = NULL;
    gnutls_x509_crt_t certificate;
    int result = 0;
    if (gnutls_x509_trust_list_init(&list, 0) < 0)
        return -ENOMEM;
    if (gnutls_x509_trust_list_add_system_trust(list, 0, 0) < 0)
        result = -ENOENT;
    while (result == 0 && gnutls_x509_trust_list_iter_get_ca(list, &at, &certificate) == 0) {
        result = add(all, certificate);
        gnutls_x509_crt_deinit(certificate);
    }
    gnutls_x509_trust_list_iter_deinit(at);
    gnutls_x509_trust_list_deinit(list, 1);
    return result;
}

static bool has_expired(const struct authority *item)
{
    return item->expires_s < verifytime_now();
}

static bool has_subject(const struct tls_authorities *all, const struct authority *item, const void *name, size_t len)
{
    return item->subject_len == len && memcmp(buffer_bytes(&all->bytes).data + item->subject, name, len) == 0;
}

static bool is_superseded(const struct tls_authorities *all, const struct authority *item)
{
    if (!has_expired(item))
        return false;
    for (size_t i = 0; i < all->count; i++)
        if (!has_expired(&all->item[i]) &&
            has_subject(all, &all->item[i], buffer_bytes(&all->bytes).data + item->subject, item->subject_len))
            return true;
    return false;
}

static void drop_superseded(struct tls_authorities *all)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        all->item[i].superseded = is_superseded(all, &all->item[i]);
    for (size_t i = 0; i < all->count; i++)
        if (!all->item[i].superseded)
            all->item[kept++] = all->item[i];
    all->count = kept;
    for (size_t i = 0; i < all->count; i++)
        if (!has_expired(&all->item[i]) && (!all->expires_s || all->item[i].expires_s < all->expires_s))
            all->expires_s = all->item[i].expires_s;
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_LEN);
}

/* Of all certificates, whatever their order in the file. */
static int digest_all(struct tls_authorities *all)
{
    uint8_t *digests = mem_alloc(all->count * DIGEST_LEN);
    if (!digests)
        return -ENOMEM;
    for (size_t i = 0; i < all->count; i++)
        memcpy(digests + i * DIGEST_LEN, all->item[i].digest, DIGEST_LEN);
    qsort(digests, all->count, DIGEST_LEN, compare_digests);
    digest_bytes(all->digest, digests, all->count * DIGEST_LEN);
    mem_free(digests);
    return 0;
}

int tls_authorities_load(struct tls_authorities **out, const char *ca_file)
{
    const char *path = tls_authorities_file(ca_file);
    struct tls_authorities *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    int result = path ? read_file(all, path) : read_library(all);
    if (result == 0 && all->count == 0)
        result = -ENOENT;
    if (result == 0) {
        drop_superseded(all);
        result = digest_all(all);
    }
    if (result < 0) {
        tls_authorities_free(all);
        return result;
    }
    *out = all;
    return 0;
}

void tls_authorities_free(struct tls_authorities *all)
{
    if (!all)
        return;
    buffer_free(&all->bytes);
    mem_free(all->item);
    mem_free(all);
}

const uint8_t *tls_authorities_digest(const struct tls_authorities *all)
{
    return all->digest;
}

int64_t tls_authorities_expire_s(const struct tls_authorities *all)
{
    return all->expires_s;
}

/* --- verification --- */

struct names {
    gnutls_datum_t item[2 * TLS_CHAIN_MAX];
    unsigned count;
};

/* The names of subject and issuer of each certificate of a chain. One that cannot be read adds none: the library
 * refuses its chain. */
static void read_names(struct names *names, const gnutls_datum_t *chain, unsigned count)
{
    for (unsigned i = 0; i < count && i < TLS_CHAIN_MAX; i++) {
        gnutls_x509_crt_t certificate;
        if (gnutls_x509_crt_init(&certificate) < 0)
            return;
        if (gnutls_x509_crt_import(certificate, &chain[i], GNUTLS_X509_FMT_DER) == 0) {
            if (gnutls_x509_crt_get_raw_dn(certificate, &names->item[names->count]) == 0)
                names->count++;
            if (gnutls_x509_crt_get_raw_issuer_dn(certificate, &names->item[names->count]) == 0)
                names->count++;
        }
        gnutls_x509_crt_deinit(certificate);
    }
}

static bool is_named(const struct tls_authorities *all, const struct authority *item, const struct names *names)
{
    for (unsigned i = 0; i < names->count; i++)
        if (has_subject(all, item, names->item[i].data, names->item[i].size))
            return true;
    return false;
}

static int add_to_list(gnutls_x509_trust_list_t list, const struct tls_authorities *all, const struct authority *item)
{
    const gnutls_datum_t der = {(unsigned char *)buffer_bytes(&all->bytes).data + item->der, (unsigned)item->der_len};
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return -ENOMEM;
    if (gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_trust_list_add_cas(list, &certificate, 1, 0) == 1)
        return 0;
    gnutls_x509_crt_deinit(certificate);
    return -ENOMEM;
}

int tls_authorities_of_chain(const struct tls_authorities *all, const gnutls_datum_t *chain, unsigned count,
                             gnutls_x509_trust_list_t *out)
{
    struct names names = {.count = 0};
    gnutls_x509_trust_list_t list;
    int result = 0;
    if (gnutls_x509_trust_list_init(&list, 0) < 0)
        return -ENOMEM;
    read_names(&names, chain, count);
    for (size_t i = 0; all && result == 0 && i < all->count; i++)
        if (is_named(all, &all->item[i], &names))
            result = add_to_list(list, all, &all->item[i]);
    for (unsigned i = 0; i < names.count; i++)
        gnutls_free(names.item[i].data);
    if (result == 0)
        *out = list;
    else
        gnutls_x509_trust_list_deinit(list, 1);
    return result;
}
