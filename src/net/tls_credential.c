/* SPDX-License-Identifier: MIT */
/* The certificate with which we authenticate to a server.
 *
 * Invariant: `current`, `seen`, `checked_ms` and `missing` of a struct tls_own are accessed only under `own_lock`; a
 * credential is immutable and reference-counted. */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tls_private.h"

enum {
    CHAIN_MAX = 16,             /* certificates */
    CHECK_MS = 60 * 1000,       /* the shortest interval between checks of the files */
    CHECK_WAITING_MS = 3 * 1000 /* the same while they cannot be loaded */
};

struct tls_credential {
    atomic_uint refs;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    uint8_t digest[DIGEST_LEN];
};

static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

void tls_credential_release(struct tls_credential *credential)
{
    if (!credential || atomic_fetch_sub_explicit(&credential->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (unsigned i = 0; i < credential->count; i++)
        gnutls_pcert_deinit(&credential->chain[i]);
    if (credential->key)
        gnutls_privkey_deinit(credential->key);
    mem_free(credential);
}

/* --- loading --- */

static int error_of(int result)
{
    return result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

static int load_chain(struct tls_credential *credential, const struct tls_file *pem)
{
    const gnutls_datum_t data = {pem->data, (unsigned)pem->len};
    unsigned count = CHAIN_MAX;
    int result = gnutls_pcert_list_import_x509_raw(credential->chain, &count, &data, GNUTLS_X509_FMT_PEM,
                                                   GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (result < 0)
        return error_of(result);
    credential->count = count;
    digest_bytes(credential->digest, pem->data, pem->len);
    return count > 0 ? 0 : -EINVAL;
}

static int load_key(struct tls_credential *credential, const struct tls_file *pem)
{
    const gnutls_datum_t data = {pem->data, (unsigned)pem->len};
    int result = gnutls_privkey_init(&credential->key);
    if (result == 0)
        result = gnutls_privkey_import_x509_raw(credential->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
    return result < 0 ? error_of(result) : 0;
}

enum { KEY_ID = 32 /* SHA-256 */ };

static int key_id(gnutls_pubkey_t key, uint8_t out[KEY_ID])
{
    size_t len = KEY_ID;
    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, out, &len);
}

/* -EKEYREJECTED: the key belongs to another certificate. */
static int check_pair(const struct tls_credential *credential)
{
    uint8_t ours[KEY_ID] = {0}, theirs[KEY_ID] = {0};
    gnutls_pubkey_t key;
    int result = gnutls_pubkey_init(&key);
    if (result < 0)
        return error_of(result);
    result = gnutls_pubkey_import_privkey(key, credential->key, 0, 0);
    if (result == 0)
        result = key_id(key, ours);
    gnutls_pubkey_deinit(key);
    if (result == 0)
        result = key_id(credential->chain[0].pubkey, theirs);
    if (result < 0)
        return error_of(result);
    return memcmp(ours, theirs, KEY_ID) == 0 ? 0 : -EKEYREJECTED;
}

static int credential_new(struct tls_credential **out, const struct tls_own *own)
{
    struct tls_file chain = {NULL, 0}, key = {NULL, 0};
    struct tls_credential *credential = mem_zalloc(1, sizeof *credential);
    int status = credential ? tls_file_load(&chain, own->certificate, TLS_PEM_MAX) : -ENOMEM;
    if (status == 0)
        status = tls_file_load(&key, own->key, TLS_PEM_MAX);
    if (credential)
        atomic_init(&credential->refs, 1);
    if (status == 0)
        status = load_chain(credential, &chain);
    if (status == 0)
        status = load_key(credential, &key);
    if (status == 0)
        status = check_pair(credential);
    tls_file_free(&chain);
    tls_file_free(&key);
    if (status < 0)
        tls_credential_release(credential);
    else
        *out = credential;
    return status;
}

/* --- the files of one upstream --- */

static uint64_t state_of(const struct tls_own *own)
{
    return file_state(own->key, file_state(own->certificate, 0));
}

int tls_own_new(struct tls_own **out, const char *certificate, const char *key)
{
    struct tls_own *own = mem_zalloc(1, sizeof *own);
    if (!own)
        return -ENOMEM;
    own->certificate = mem_strdup(certificate);
    own->key = mem_strdup(key);
    own->missing = -ENOMEM;
    if (own->certificate && own->key) {
        own->checked_ms = clock_ms();
        own->seen = state_of(own);
        own->missing = credential_new(&own->current, own);
    }
    if (own->missing == -ENOMEM) {
        tls_own_free(own);
        return -ENOMEM;
    }
    *out = own;
    return 0;
}

void tls_own_free(struct tls_own *own)
{
    if (!own)
        return;
    tls_credential_release(own->current);
    mem_free(own->certificate);
    mem_free(own->key);
    mem_free(own);
}

static void tell(const struct tls_own *own, int status)
{
    if (status == 0)
        log_info("tls", "loaded the client certificate %s", own->certificate);
    else
        log_warning("tls", "cannot load the client certificate %s with the key %s: %s; %s", own->certificate, own->key,
                    error_text(status),
                    own->current ? "the one loaded before stays in use" : "its server cannot be used");
}

/* Loads the files if they have changed since they were loaded. A failure is told once for each change. */
static void refresh(struct tls_own *own)
{
    struct tls_credential *fresh;
    uint64_t now_ms = clock_ms(), state;
    if (now_ms < own->checked_ms + (own->missing ? CHECK_WAITING_MS : CHECK_MS))
        return;
    own->checked_ms = now_ms;
    state = state_of(own);
    if (state == own->seen)
        return;
    int status = credential_new(&fresh, own);
    own->seen = status == -ENOMEM ? own->seen : state;
    tell(own, status);
    own->missing = status;
    if (status < 0)
        return;
    tls_credential_release(own->current);
    own->current = fresh;
}

struct tls_credential *tls_own_hold(struct tls_own *own)
{
    if (!own)
        return NULL;
    pthread_mutex_lock(&own_lock);
    refresh(own);
    struct tls_credential *held = own->current;
    if (held)
        atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&own_lock);
    return held;
}

int tls_own_is_missing(struct tls_own *own)
{
    if (!own)
        return 0;
    pthread_mutex_lock(&own_lock);
    int missing = own->current ? 0 : own->missing;
    pthread_mutex_unlock(&own_lock);
    return missing;
}

const uint8_t *tls_credential_digest(const struct tls_credential *credential)
{
    static const uint8_t none[DIGEST_LEN];
    return credential ? credential->digest : none;
}

/* --- the handshake --- */

int tls_credential_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                            unsigned *count, gnutls_privkey_t *key)
{
    const struct tls *tls = gnutls_session_get_ptr(session);
    struct tls_credential *credential = tls->credential;
    (void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
    *count = 0;
    if (!credential)
        return 0;
    *chain = credential->chain;
    *count = credential->count;
    *key = credential->key;
    return 0;
}
