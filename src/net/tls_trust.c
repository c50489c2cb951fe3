/* SPDX-License-Identifier: MIT */
/* Trust: CA files in use, and the name, pins and versions of one upstream.
 *
 * Invariants: `stores` holds every loaded CA file that a trust or a session uses. `stores`, each store's `uses` and
 * `file`, and a trust's store, identity and checked_ms are accessed only under `stores_lock` once tls_trust_new has
 * returned; all else is immutable. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/verifytime.h"
#include "tls_private.h"

/* The shortest intervals between checks of a CA file: after peers were not trusted; while it cannot be loaded. */
#define CHECK_MS         (60 * 1000)
#define CHECK_WAITING_MS 3000

/* A CA file in memory. A file that was replaced on disk becomes another store at the next reload. */
struct tls_store {
    struct list_link link;
    unsigned uses;
    char *ca_file; /* as in the options; "": no CA, only pins */
    struct stat file;
    struct tls_authorities *authorities;          /* NULL: none */
    uint8_t digest[DIGEST_LEN];                   /* of the authorities; zero: none */
    int64_t expires_s;                            /* when the next certificate expires; 0: none does */
    int missing;                                  /* the error for which it has no certificates; 0: it has them */
    gnutls_certificate_credentials_t credentials; /* without the authorities */
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
    tls_authorities_free(store->authorities);
    mem_free(store->ca_file);
    mem_free(store);
}

/* Gets the file's status without reading it: 0 or a negative errno. The system's trust need not be a file. */
static int inspect(const char *ca_file, struct stat *out)
{
    *out = (struct stat){0};
    if (!ca_file[0])
        return 0;
    const char *path = tls_authorities_file(ca_file);
    if (!path)
        return 0;
    if (stat(path, out) < 0)
        return -errno;
    if (!S_ISREG(out->st_mode))
        return S_ISDIR(out->st_mode) ? -EISDIR : -EINVAL;
    return access(path, R_OK) < 0 ? -errno : 0;
}

/* Replaces `digest` with the digest of itself and the data. */
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

/* `missing`: the error for which the store remains without certificates. */
static int store_new(struct tls_store **out, const char *ca_file, const struct stat *file, int missing)
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
    gnutls_certificate_set_retrieve_function2(store->credentials, tls_credential_retrieve);
    store->missing = missing;
    if (ca_file[0] && !missing) {
        result = tls_authorities_load(&store->authorities, ca_file);
        if (result < 0)
            goto fail;
        memcpy(store->digest, tls_authorities_digest(store->authorities), DIGEST_LEN);
        store->expires_s = tls_authorities_expire_s(store->authorities);
    }
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

/* True if the file is unchanged. False: the certificates must be loaded again to see whether they changed (the file
 * is not known, or one has expired). */
static bool is_current(const struct tls_store *store)
{
    bool seen = store->file.st_ino != 0 || !store->ca_file[0];
    return seen && (!store->expires_s || verifytime_now() <= store->expires_s);
}

/* A store with the same certificates, loaded from an earlier file of that name. */
static struct tls_store *store_find_same(const struct tls_store *fresh)
{
    list_for_each(link, &stores) {
        struct tls_store *store = container_of(link, struct tls_store, link);
        if (strcmp(store->ca_file, fresh->ca_file) == 0 && memcmp(store->digest, fresh->digest, DIGEST_LEN) == 0)
            return store;
    }
    return NULL;
}

static int store_load(struct tls_store **out, const char *ca_file, const struct stat *file)
{
    struct tls_store *fresh;
    int result = store_new(&fresh, ca_file, file, 0);
    if (result < 0)
        return result;
    *out = store_find_same(fresh);
    if (!*out) {
        list_push_back(&stores, &fresh->link);
        *out = fresh;
        return 0;
    }
    (*out)->file = *file;
    (*out)->expires_s = fresh->expires_s;
    (*out)->uses++;
    store_free(fresh);
    return 0;
}

static int store_use(struct tls_store **out, const char *ca_file)
{
    struct stat file;
    int result = inspect(ca_file, &file);
    if (result < 0)
        return result;
    pthread_mutex_lock(&stores_lock);
    struct tls_store *store = store_find(ca_file, &file);
    if (store && is_current(store))
        store->uses++;
    else
        result = store_load(&store, ca_file, &file);
    pthread_mutex_unlock(&stores_lock);
    if (result == 0)
        *out = store;
    return result;
}

static int store_wait(struct tls_store **out, const char *ca_file, int missing)
{
    int result = store_new(out, ca_file, &(struct stat){.st_ino = 0}, missing);
    if (result < 0)
        return result;
    pthread_mutex_lock(&stores_lock);
    list_push_back(&stores, &(*out)->link);
    pthread_mutex_unlock(&stores_lock);
    return 0;
}

void tls_store_release(struct tls_store *store)
{
    pthread_mutex_lock(&stores_lock);
    bool last = --store->uses == 0;
    if (last)
        list_remove(&store->link);
    pthread_mutex_unlock(&stores_lock);
    if (last)
        store_free(store);
}

/* Appended to the library's (or the system's) default. PROFILE_MEDIUM: RSA of 2048 bits at least, no SHA-1.
 * Only elliptic curves for the key exchange: a server could choose finite fields so large that they block the loop.
 */
#define PRIORITY_COMMON ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-GROUP-DH-ALL:%PROFILE_MEDIUM"

int tls_priority_new(gnutls_priority_t *out, unsigned min_version)
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
        tls_store_release(trust->store);
    tls_own_free(trust->own);
    mem_free(trust->pins);
    mem_free(trust->name);
    mem_free(trust);
}

static int digest_identity(const struct tls_trust *trust, const struct tls_store *store, uint8_t identity[DIGEST_LEN])
{
    const char *library = gnutls_check_version(NULL);
    memcpy(identity, store->digest, DIGEST_LEN);
    int result = digest_add(identity, library, strlen(library));
    if (result == 0)
        result = digest_add(identity, trust->name, trust->name ? strlen(trust->name) : 0);
    if (result == 0)
        result = digest_add(identity, trust->pins, trust->pin_count * sizeof *trust->pins);
    return result < 0 ? result : digest_add(identity, &trust->min_version, sizeof trust->min_version);
}

static int load_own(struct tls_trust *trust, const struct tls_trust_options *options)
{
    int result = options->certificate ? tls_own_new(&trust->own, options->certificate, options->key) : 0;
    int missing = result == 0 ? tls_own_is_missing(trust->own) : 0;
    if (options->certificate_error)
        *options->certificate_error = missing;
    return missing && !options->ca_may_be_missing ? ERROR_TLS_NO_CERTIFICATE : result;
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
    result = load_own(trust, options);
    if (result < 0)
        goto fail;
    result = store_use(&trust->store, options->tls_name ? options->ca_file : "");
    if (result < 0 && result != -ENOMEM && options->ca_may_be_missing)
        result = store_wait(&trust->store, options->ca_file, result);
    if (result < 0)
        goto fail;
    trust->min_version = (uint8_t)options->min_version;
    result = digest_identity(trust, trust->store, trust->identity);
    if (result < 0)
        goto fail;
    result = tls_priority_new(&trust->priority, options->min_version);
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
    uint8_t both[2 * DIGEST_LEN];
    pthread_mutex_lock(&stores_lock);
    memcpy(both, trust->identity, DIGEST_LEN);
    pthread_mutex_unlock(&stores_lock);
    struct tls_credential *credential = tls_own_hold(trust->own);
    memcpy(both + DIGEST_LEN, tls_credential_digest(credential), DIGEST_LEN);
    if (credential)
        digest_bytes(out, both, sizeof both);
    else
        memcpy(out, both, DIGEST_LEN);
    tls_credential_release(credential);
}

/* --- the store of a session, and its replacement --- */

struct tls_store *tls_trust_hold_store(const struct tls_trust *trust)
{
    pthread_mutex_lock(&stores_lock);
    struct tls_store *store = trust->store;
    store->uses++;
    pthread_mutex_unlock(&stores_lock);
    return store;
}

gnutls_certificate_credentials_t tls_store_credentials(const struct tls_store *store)
{
    return store->credentials;
}

int tls_store_credentials_for(const struct tls_store *store, const gnutls_datum_t *chain, unsigned count,
                              gnutls_certificate_credentials_t *out)
{
    gnutls_x509_trust_list_t list;
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return -ENOMEM;
    if (tls_authorities_of_chain(store->authorities, chain, count, &list) < 0) {
        gnutls_certificate_free_credentials(credentials);
        return -ENOMEM;
    }
    /* No stapled OCSP: the signer could make the verification of its signature arbitrarily expensive, and a stale
     * response must not make a server unreachable. */
    gnutls_certificate_set_verify_flags(credentials, GNUTLS_VERIFY_DISABLE_CRL_CHECKS);
    gnutls_certificate_set_trust_list(credentials, list, 0);
    *out = credentials;
    return 0;
}

const uint8_t *tls_store_digest(const struct tls_store *store)
{
    return store->digest;
}

bool tls_store_is_waiting(const struct tls_store *store)
{
    return store->missing != 0;
}

int tls_trust_is_waiting(const struct tls_trust *trust)
{
    struct tls_store *store = tls_trust_hold_store(trust);
    int missing = store->missing;
    tls_store_release(store);
    return missing;
}

int tls_trust_lacks_certificate(const struct tls_trust *trust)
{
    return tls_own_is_missing(trust->own);
}

static bool is_check_due(struct tls_trust *trust)
{
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&stores_lock);
    uint64_t interval_ms = trust->store->missing ? CHECK_WAITING_MS : CHECK_MS;
    bool due = trust->store->ca_file[0] && (!trust->checked_ms || now_ms >= trust->checked_ms + interval_ms);
    if (due)
        trust->checked_ms = now_ms;
    pthread_mutex_unlock(&stores_lock);
    return due;
}

void tls_trust_refresh(struct tls_trust *trust)
{
    static struct log_repeats repeats = LOG_REPEATS_INIT;
    struct tls_store *fresh, *replaced;
    uint8_t identity[DIGEST_LEN];
    uint64_t suppressed;
    if (!is_check_due(trust))
        return;
    struct tls_store *held = tls_trust_hold_store(trust);
    int result = store_use(&fresh, held->ca_file);
    if (result < 0) {
        if (log_repeat_allowed(&repeats, hash_bytes(held->ca_file, strlen(held->ca_file)) | 1, false, clock_ms(),
                               &suppressed))
            log_warning("tls", "cannot load the CA file %s: %s; %s", held->ca_file, error_text(result),
                        held->missing ? "no server that it verifies can be used"
                                      : "the certificates loaded before stay in use");
    } else if (fresh == held || digest_identity(trust, fresh, identity) < 0) {
        tls_store_release(fresh);
    } else {
        log_info("tls", held->missing ? "loaded the CA file %s" : "reloaded the CA file %s, which has changed",
                 held->ca_file);
        pthread_mutex_lock(&stores_lock);
        replaced = trust->store;
        trust->store = fresh;
        memcpy(trust->identity, identity, DIGEST_LEN);
        pthread_mutex_unlock(&stores_lock);
        tls_store_release(replaced);
    }
    tls_store_release(held);
}

static int trust_like(struct tls_trust **out, const struct tls_trust *like, const struct tls_trust_options *options)
{
    struct tls_trust *trust = mem_zalloc(1, sizeof *trust);
    if (!trust)
        return -ENOMEM;
    atomic_init(&trust->refs, 1);
    trust->min_version = like->min_version;
    trust->store = tls_trust_hold_store(like);
    int result = copy_identity(trust, options);
    if (result == 0)
        result = digest_identity(trust, trust->store, trust->identity);
    if (result == 0)
        result = tls_priority_new(&trust->priority, trust->min_version);
    if (result < 0)
        trust_free(trust);
    else
        *out = trust;
    return result;
}

int tls_trust_with_pins(struct tls_trust **out, const struct tls_trust *like, const struct tls_pin *pins,
                        unsigned count)
{
    const struct tls_trust_options options = {.tls_name = like->name, .pins = pins, .pin_count = count};
    return trust_like(out, like, &options);
}

int tls_trust_with_name(struct tls_trust **out, const struct tls_trust *like, const char *name)
{
    const struct tls_trust_options options = {.tls_name = name};
    return trust_like(out, like, &options);
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
