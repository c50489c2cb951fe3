/* SPDX-License-Identifier: MIT */
#include "net/tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "base/mem.h"
#include "net/tls.h"
#include "tls_private.h"

enum {
    TICKET_KEY = 64, /* bytes, as the library wants them */
    TICKET_FILE_MIN = 32,
    TICKET_FILE_MAX = 4096,
    TICKET_LIFE_S = 8 * 3600, /* the library changes the key after three times this: each day */
    DIGEST = 64,
};

struct tls_identity {
    atomic_uint refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    bool needs_client;          /* clients need a certificate */
    uint8_t master[TICKET_KEY]; /* ticket keys are derived from it */
    uint8_t content[DIGEST];    /* of all that a ticket is bound to, except for the listener and the server name */
};

/* --- the files --- */

/* The library would wait for a writer of a FIFO. 0 or a negative errno. */
int tls_file_load(struct tls_file *out, const char *path, size_t most)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    uint8_t *data = mem_alloc(most + 1);
    ssize_t len = data ? read_to_end(fd, data, most + 1) : -ENOMEM;
    close(fd);
    if (len >= 0 && (size_t)len > most)
        len = -EFBIG;
    if (len < 0) {
        mem_free(data);
        return (int)len;
    }
    *out = (struct tls_file){data, (size_t)len};
    return 0;
}

void tls_file_free(struct tls_file *file)
{
    if (file->data)
        gnutls_memset(file->data, 0, file->len);
    mem_free(file->data);
    *file = (struct tls_file){NULL, 0};
}

static int cannot_read(FILE *errors, const char *option, const char *path, int status)
{
    if (status != -ENOMEM)
        fprintf(errors, "tls-server.%s: cannot read %s: %s; name a PEM file that dotstub's user can read\n", option,
                path, error_text(status));
    return status;
}

/* Adds a digest of the data to `content`. */
static int bind_to(struct tls_identity *identity, const void *data, size_t len)
{
    uint8_t both[2 * DIGEST];
    memcpy(both, identity->content, DIGEST);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA512, data, len, both + DIGEST) < 0)
        return -ENOMEM;
    return gnutls_hash_fast(GNUTLS_DIG_SHA512, both, sizeof both, identity->content) < 0 ? -ENOMEM : 0;
}

static int add_certificate(struct tls_identity *identity, const char *certificate, const char *key, FILE *errors)
{
    struct tls_file chain = {NULL, 0}, secret = {NULL, 0};
    int status = tls_file_load(&chain, certificate, TLS_PEM_MAX);
    if (status < 0) {
        cannot_read(errors, "certificate", certificate, status);
        goto end;
    }
    status = tls_file_load(&secret, key, TLS_PEM_MAX);
    if (status < 0) {
        cannot_read(errors, "key", key, status);
        goto end;
    }
    const gnutls_datum_t pem = {chain.data, (unsigned)chain.len}, pem_key = {secret.data, (unsigned)secret.len};
    int result =
        gnutls_certificate_set_x509_key_mem2(identity->credentials, &pem, &pem_key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        fprintf(errors, "tls-server.key: %s is not the key of the certificate in %s; name the key that belongs to it\n",
                key, certificate);
        status = -EINVAL;
    } else if (result < 0) {
        fprintf(
            errors,
            "tls-server.certificate: cannot use %s with the key in %s: %s; name PEM files, the key without a password\n",
            certificate, key, gnutls_strerror(result));
        status = result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
    } else {
        status = bind_to(identity, chain.data, chain.len);
    }
end:
    tls_file_free(&chain);
    tls_file_free(&secret);
    return status;
}

static int add_client_ca(struct tls_identity *identity, const char *path, FILE *errors)
{
    struct tls_file file;
    int status = tls_file_load(&file, path, TLS_PEM_MAX);
    if (status < 0)
        return cannot_read(errors, "client-ca", path, status);
    const gnutls_datum_t pem = {file.data, (unsigned)file.len};
    int result = gnutls_certificate_set_x509_trust_mem(identity->credentials, &pem, GNUTLS_X509_FMT_PEM);
    if (result <= 0) {
        fprintf(errors, "tls-server.client-ca: %s contains no certificate: %s; name a PEM file\n", path,
                result < 0 ? gnutls_strerror(result) : "it is empty");
        status = result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
    } else {
        identity->needs_client = true;
        status = bind_to(identity, file.data, file.len);
    }
    tls_file_free(&file);
    return status;
}

/* --- ticket keys --- */

static uint8_t process_key[TICKET_KEY];
static int process_key_status;

static void make_process_key(void)
{
    process_key_status = gnutls_rnd(GNUTLS_RND_KEY, process_key, sizeof process_key);
}

static int choose_master(struct tls_identity *identity, const char *path, FILE *errors)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls_file file;
    if (!path) {
        pthread_once(&once, make_process_key);
        memcpy(identity->master, process_key, sizeof process_key);
        return process_key_status < 0 ? -EIO : 0;
    }
    int status = tls_file_load(&file, path, TICKET_FILE_MAX);
    if (status < 0)
        return cannot_read(errors, "ticket-key-file", path, status);
    if (file.len < TICKET_FILE_MIN) {
        fprintf(errors, "tls-server.ticket-key-file: %s has %zu bytes; write at least %d random ones to it\n", path,
                file.len, TICKET_FILE_MIN);
        status = -EINVAL;
    } else if (gnutls_hash_fast(GNUTLS_DIG_SHA512, file.data, file.len, identity->master) < 0) {
        status = -ENOMEM;
    }
    tls_file_free(&file);
    return status;
}

/* The server name of the client hello, which follows two lengths and a type (RFC 6066 section 3). */
static int take_server_name(void *context, unsigned type, const unsigned char *data, unsigned len)
{
    gnutls_datum_t *name = context;
    if (type == 0 && len > 5)
        *name = (gnutls_datum_t){(unsigned char *)data + 5, len - 5};
    return 0;
}

/* The ticket key of this listener and server name. The library changes it with the time. */
static int choose_ticket_key(struct tls *tls, const gnutls_datum_t *hello)
{
    const struct tls_identity *identity = tls->identity;
    gnutls_datum_t name = {NULL, 0}, key = {NULL, TICKET_KEY};
    uint8_t bound[DIGEST + sizeof tls->listener], out[TICKET_KEY];
    (void)gnutls_ext_raw_parse(&name, take_server_name, hello, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
    memcpy(bound, identity->content, DIGEST);
    memcpy(bound + DIGEST, tls->listener, sizeof tls->listener);
    gnutls_hmac_hd_t hmac;
    int result = gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA512, identity->master, sizeof identity->master);
    if (result < 0)
        return result;
    result = gnutls_hmac(hmac, bound, sizeof bound);
    if (result == 0 && name.size > 0)
        result = gnutls_hmac(hmac, name.data, name.size);
    gnutls_hmac_deinit(hmac, out);
    key.data = out;
    if (result == 0)
        result = gnutls_session_ticket_enable_server(tls->session, &key);
    gnutls_memset(out, 0, sizeof out);
    return result;
}

static int on_client_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                             const gnutls_datum_t *message)
{
    struct tls *tls = gnutls_session_get_ptr(session);
    if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && when == GNUTLS_HOOK_PRE && incoming && !tls->keyed) {
        tls->keyed = true; /* a second hello comes after a retry request */
        int result = choose_ticket_key(tls, message);
        if (result < 0)
            return result;
    }
    return tls_limit_message(session, type, when, incoming, message);
}

/* --- identities --- */

static void identity_free(struct tls_identity *identity)
{
    if (identity->credentials)
        gnutls_certificate_free_credentials(identity->credentials);
    if (identity->priority)
        gnutls_priority_deinit(identity->priority);
    gnutls_memset(identity->master, 0, sizeof identity->master);
    mem_free(identity);
}

int tls_identity_new(struct tls_identity **out, const struct tls_identity_options *options, FILE *errors)
{
    struct tls_identity *identity = mem_zalloc(1, sizeof *identity);
    if (!identity)
        return -ENOMEM;
    atomic_init(&identity->refs, 1);
    int status = gnutls_certificate_allocate_credentials(&identity->credentials) < 0 ? -ENOMEM : 0;
    if (status == 0)
        status = choose_master(identity, options->ticket_file, errors);
    for (size_t i = 0; status == 0 && i < options->count; i++)
        status = add_certificate(identity, options->certificates[i], options->keys[i], errors);
    if (status == 0 && options->client_ca)
        status = add_client_ca(identity, options->client_ca, errors);
    if (status == 0)
        status = bind_to(identity, &options->min_version, sizeof options->min_version);
    if (status == 0 && (status = tls_priority_new(&identity->priority, options->min_version)) == -ENOTSUP)
        fprintf(errors, "tls.min-version: the system's TLS policy does not allow TLS %s\n",
                options->min_version >= 13 ? "1.3" : "1.2");
    if (status < 0)
        identity_free(identity);
    else
        *out = identity;
    return status;
}

struct tls_identity *tls_identity_ref(struct tls_identity *identity)
{
    if (identity)
        atomic_fetch_add_explicit(&identity->refs, 1, memory_order_relaxed);
    return identity;
}

void tls_identity_unref(struct tls_identity *identity)
{
    if (identity && atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) == 1)
        identity_free(identity);
}

/* --- sessions --- */

enum { PROTOCOLS_MAX = 2 };

static int offer_protocols(gnutls_session_t session, const char *const *alpn)
{
    gnutls_datum_t protocols[PROTOCOLS_MAX];
    unsigned count = 0;
    for (; alpn[count] && count < PROTOCOLS_MAX; count++)
        protocols[count] = (gnutls_datum_t){(unsigned char *)alpn[count], (unsigned)strlen(alpn[count])};
    return gnutls_alpn_set_protocols(session, protocols, count, GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
}

static int set_up_server(struct tls *tls, const char *const *alpn, struct buffer *output)
{
    const struct tls_identity *identity = tls->identity;
    int result = tls_begin(tls, GNUTLS_SERVER, output);
    if (result < 0)
        return result;
    tls->handshake_left = HANDSHAKE_CLIENT_MAX + (identity->needs_client ? CERTIFICATE_MAX : 0);
    gnutls_handshake_set_hook_function(tls->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, on_client_message);
    gnutls_db_set_cache_expiration(tls->session, TICKET_LIFE_S);
    if ((result = gnutls_priority_set(tls->session, identity->priority)) < 0)
        return result;
    if ((result = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, identity->credentials)) < 0)
        return result;
    gnutls_certificate_server_set_request(tls->session,
                                          identity->needs_client ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    return offer_protocols(tls->session, alpn);
}

struct tls *tls_new_server(struct tls_identity *identity, const struct tls_listener *listener, struct buffer *output)
{
    struct tls *tls = mem_is_short() ? NULL : mem_zalloc(1, sizeof *tls); /* as in tls_new */
    if (!tls)
        return NULL;
    tls->identity = tls_identity_ref(identity);
    char text[ADDR_TEXT];
    snprintf((char *)tls->listener, sizeof tls->listener, "%s", addr_format(&listener->addr, true, text));
    if (set_up_server(tls, listener->alpn, output) < 0) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

/* The certificate of a resumed session is verified again: it may have expired. */
int tls_accept_client(struct tls *tls)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, .size = 0};
    unsigned faults = 0;
    if (!tls->identity->needs_client)
        return 0;
    int result = gnutls_certificate_verify_peers(tls->session, &purpose, 1, &faults);
    if (result == 0 && faults == 0)
        return 0;
    (void)gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
    return faults & GNUTLS_CERT_EXPIRED ? ERROR_TLS_EXPIRED : ERROR_TLS_UNTRUSTED;
}
