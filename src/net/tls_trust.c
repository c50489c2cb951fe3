/* SPDX-License-Identifier: MIT */
/* Trust: loaded CA files, and the name, pins and versions of one upstream.
 *
 * Invariants: a trust is not written to once tls_trust_new gave it. `stores` holds every loaded CA file that
 * some trust uses; `stores` and each store's `uses` are touched under `stores_lock` only, its credentials are
 * immutable. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/verifytime.h"
#include "tls_private.h"

/* Where distributions keep the system's trust as one file; only used to see whether it changed. */
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* A CA file in memory. A file replaced on disk is another store: a reload takes the new one up. */
struct tls_store {
    struct list_link link;
    unsigned uses;
    char *ca_file; /* as in the options; "": no CA, for pins alone */
    struct stat file;
    uint8_t digest[DIGEST_LEN]; /* of its certificates */
    gnutls_certificate_credentials_t credentials;
};

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list stores = {{&stores.head, &stores.head}};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void store_free(struct tls_store *store)
{
    if (store->credentials)
        gnutls_certificate_free_credentials(store->credentials);
    mem_free(store->ca_file);
    mem_free(store);
}

/* Looks at the file without reading it: 0 or a negative errno. The system's trust need not be a file. */
static int inspect(const char *ca_file, struct stat *out)
{
    *out = (struct stat){0};
    if (!ca_file[0])
        return 0;
    bool system = strcmp(ca_file, "system") == 0;
    if (stat(system ? SYSTEM_CA_FILE : ca_file, out) < 0) {
        *out = (struct stat){0};
        return system ? 0 : -errno;
    }
    if (system)
        return 0;
    if (!S_ISREG(out->st_mode))
        return S_ISDIR(out->st_mode) ? -EISDIR : -EINVAL;
    return access(ca_file, R_OK) < 0 ? -errno : 0;
}

/* 0, -ENOMEM, or -ENOENT: no certificate in it. */
static int load(gnutls_certificate_credentials_t credentials, const char *ca_file)
{
    int count;
    if (!ca_file[0])
        return 0;
    if (strcmp(ca_file, "system") == 0)
        count = gnutls_certificate_set_x509_system_trust(credentials);
    else
        count = gnutls_certificate_set_x509_trust_file(credentials, ca_file, GNUTLS_X509_FMT_PEM);
    if (count > 0)
        return 0;
    return count == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -ENOENT;
}

/* `digest` becomes that of itself and what is added. */
static int digest_add(uint8_t digest[DIGEST_LEN], const void *data, size_t len)
{
    struct buffer both = {NULL, 0, 0, 0};
    int result = buffer_append(&both, digest, DIGEST_LEN);
    if (result == 0 && len > 0)
        result = buffer_append(&both, data, len);
    if (result == 0)
        digest_bytes(digest, buffer_bytes(&both).data, both.len);
    buffer_free(&both);
    return result;
}

static int digest_add_certificate(uint8_t digest[DIGEST_LEN], gnutls_x509_crt_t certificate)
{
    gnutls_datum_t der = {0};
    if (gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der) < 0)
        return -ENOMEM;
    int result = digest_add(digest, der.data, der.size);
    gnutls_free(der.data);
    return result;
}

/* The library gives them in an order that depends on nothing but themselves. */
static int digest_certificates(struct tls_store *store)
{
    gnutls_x509_trust_list_t list;
    gnutls_x509_trust_list_iter_t at = NULL;
    gnutls_x509_crt_t certificate;
    int result = 0;
    gnutls_certificate_get_trust_list(store->credentials, &list);
    while (result == 0 && gnutls_x509_trust_list_iter_get_ca(list, &at, &certificate) == 0) {
        result = digest_add_certificate(store->digest, certificate);
        gnutls_x509_crt_deinit(certificate);
    }
    gnutls_x509_trust_list_iter_deinit(at);
    return result;
}

static int store_new(struct tls_store **out, const char *ca_file, const struct stat *file)
{
    int result = -ENOMEM;
    struct tls_store *store = mem_zalloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->uses = 1;
    store->file = *file;
    store->ca_file = mem_strdup(ca_file);
    if (!store->ca_file || gnutls_certificate_allocate_credentials(&store->credentials) < 0)
        goto fail;
    /* No stapled OCSP: its signature is a stranger's, made by a key as costly as he likes, and a stale one
     * must not make a good server unreachable. */
    gnutls_certificate_set_verify_flags(store->credentials, GNUTLS_VERIFY_DISABLE_CRL_CHECKS);
    result = load(store->credentials, ca_file);
    if (result == 0)
        result = digest_certificates(store);
    if (result < 0)
        goto fail;
    *out = store;
    return 0;
fail:
    store_free(store);
    return result;
}

static struct tls_store *store_find(const char *ca_file, const struct stat *file)
{
    list_for_each(link, &stores) {
        struct tls_store *store = container_of(link, struct tls_store, link);
        if (strcmp(store->ca_file, ca_file) == 0 && same_file(&store->file, file))
            return store;
    }
    return NULL;
}

static int store_use(struct tls_store **out, const char *ca_file)
{
    struct stat file;
    int result = inspect(ca_file, &file);
    if (result < 0)
        return result;
    pthread_mutex_lock(&stores_lock);
    struct tls_store *store = store_find(ca_file, &file);
    if (store)
        store->uses++;
    else if ((result = store_new(&store, ca_file, &file)) == 0)
        list_push_back(&stores, &store->link);
    pthread_mutex_unlock(&stores_lock);
    if (result == 0)
        *out = store;
    return result;
}

static void store_release(struct tls_store *store)
{
    pthread_mutex_lock(&stores_lock);
    bool last = --store->uses == 0;
    if (last)
        list_remove(&store->link);
    pthread_mutex_unlock(&stores_lock);
    if (last)
        store_free(store);
}

/* Added to the library's (or the system's) default. PROFILE_MEDIUM: RSA of 2048 bits at least, no SHA-1.
 * Elliptic curves alone exchange keys: a server could choose finite fields so large that they stop the loop.
 */
#define PRIORITY_COMMON ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-GROUP-DH-ALL:%PROFILE_MEDIUM"

static int choose_priority(gnutls_priority_t *out, unsigned min_version)
{
    const char *wanted = min_version >= 13 ? "-VERS-ALL:+VERS-TLS1.3" PRIORITY_COMMON
                                           : "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_COMMON;
    int result = gnutls_priority_init2(out, wanted, NULL, GNUTLS_PRIORITY_INIT_DEF_APPEND);
    if (result == 0)
        return 0;
    log_error("tls", "the system's TLS policy does not allow \"%s\": %s", wanted, gnutls_strerror(result));
    return result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -ENOTSUP;
}

static time_t verification_time(time_t *out)
{
    time_t now = (time_t)verifytime_now();
    if (out)
        *out = now;
    return now;
}

static void set_verification_time(void)
{
    gnutls_global_set_time_function(verification_time);
}

static int copy_identity(struct tls_trust *trust, const struct tls_trust_options *options)
{
    if (options->tls_name && !(trust->name = mem_strdup(options->tls_name)))
        return -ENOMEM;
    if (options->pin_count > 0) {
        trust->pins = mem_zalloc(options->pin_count, sizeof *trust->pins);
        if (!trust->pins)
            return -ENOMEM;
        memcpy(trust->pins, options->pins, options->pin_count * sizeof *trust->pins);
        trust->pin_count = options->pin_count;
    }
    return 0;
}

static void trust_free(struct tls_trust *trust)
{
    if (trust->priority)
        gnutls_priority_deinit(trust->priority);
    if (trust->store)
        store_release(trust->store);
    mem_free(trust->pins);
    mem_free(trust->name);
    mem_free(trust);
}

static int digest_identity(struct tls_trust *trust, unsigned min_version)
{
    const char *library = gnutls_check_version(NULL);
    uint8_t version = (uint8_t)min_version;
    memcpy(trust->identity, trust->store->digest, DIGEST_LEN);
    int result = digest_add(trust->identity, library, strlen(library));
    if (result == 0)
        result = digest_add(trust->identity, trust->name, trust->name ? strlen(trust->name) : 0);
    if (result == 0)
        result = digest_add(trust->identity, trust->pins, trust->pin_count * sizeof *trust->pins);
    return result < 0 ? result : digest_add(trust->identity, &version, sizeof version);
}

int tls_trust_new(struct tls_trust **out, const struct tls_trust_options *options)
{
    static pthread_once_t time_is_set = PTHREAD_ONCE_INIT;
    pthread_once(&time_is_set, set_verification_time);
    if (!options->tls_name && options->pin_count == 0)
        return -EINVAL;
    struct tls_trust *trust = mem_zalloc(1, sizeof *trust);
    if (!trust)
        return -ENOMEM;
    atomic_init(&trust->refs, 1);
    int result = copy_identity(trust, options);
    if (result < 0)
        goto fail;
    result = store_use(&trust->store, options->tls_name ? options->ca_file : "");
    if (result < 0)
        goto fail;
    trust->credentials = trust->store->credentials;
    result = digest_identity(trust, options->min_version);
    if (result < 0)
        goto fail;
    result = choose_priority(&trust->priority, options->min_version);
    if (result < 0)
        goto fail;
    *out = trust;
    return 0;
fail:
    trust_free(trust);
    return result;
}

void tls_trust_identity(const struct tls_trust *trust, uint8_t out[DIGEST_LEN])
{
    memcpy(out, trust->identity, DIGEST_LEN);
}

struct tls_trust *tls_trust_ref(struct tls_trust *trust)
{
    atomic_fetch_add_explicit(&trust->refs, 1, memory_order_relaxed);
    return trust;
}

void tls_trust_unref(struct tls_trust *trust)
{
    if (trust && atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) == 1)
        trust_free(trust);
}
