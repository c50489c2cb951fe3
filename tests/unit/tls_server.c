/* SPDX-License-Identifier: MIT */
#include "tls_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MUST(call) must((call) >= 0, #call)

static void must(bool fine, const char *call)
{
    if (!fine) {
        fprintf(stderr, "test set-up failed: %s\n", call);
        abort();
    }
}

/* --- certificates --- */

/* Encoded here, because the library would correct unusual names: appends one GeneralName (RFC 5280 section
 * 4.2.1.6). */
static void add_name(struct buffer *names, uint8_t tag, const void *name, size_t len)
{
    const uint8_t header[] = {(uint8_t)(0x80 | tag), 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    must(buffer_append(names, header, sizeof header) == 0, "buffer_append");
    must(buffer_append(names, name, len) == 0, "buffer_append");
}

static void set_alternative_names(gnutls_x509_crt_t crt, const struct certificate_spec *spec)
{
    struct buffer names = {0}, extension = {0};
    uint8_t address[4];
    for (size_t i = 0; i < 3 && spec->sans[i]; i++)
        add_name(&names, 2, spec->sans[i], strlen(spec->sans[i]));
    if (spec->raw_san.len > 0)
        add_name(&names, 2, spec->raw_san.data, spec->raw_san.len);
    if (spec->address_san && inet_pton(AF_INET, spec->address_san, address) == 1)
        add_name(&names, 7, address, sizeof address);
    if (names.len == 0)
        return;
    const uint8_t header[] = {0x30, 0x82, (uint8_t)(names.len >> 8), (uint8_t)names.len};
    must(buffer_append(&extension, header, sizeof header) == 0, "buffer_append");
    must(buffer_append(&extension, names.data + names.start, names.len) == 0, "buffer_append");
    MUST(gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", extension.data + extension.start, extension.len, 0));
    buffer_free(&names);
    buffer_free(&extension);
}

static void set_names(gnutls_x509_crt_t crt, const struct certificate_spec *spec, uint32_t serial)
{
    char unique[32];
    snprintf(unique, sizeof unique, "certificate %u", serial);
    const char *cn = spec->common_name ? spec->common_name : unique;
    MUST(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn)));
    set_alternative_names(crt, spec);
}

static void set_constraint(gnutls_x509_crt_t crt, const char *permitted)
{
    gnutls_x509_name_constraints_t constraints;
    const gnutls_datum_t name = {(unsigned char *)permitted, (unsigned)strlen(permitted)};
    MUST(gnutls_x509_name_constraints_init(&constraints));
    MUST(gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name));
    MUST(gnutls_x509_crt_set_name_constraints(crt, constraints, 1));
    gnutls_x509_name_constraints_deinit(constraints);
}

static void set_rights(gnutls_x509_crt_t crt, const struct certificate_spec *spec)
{
    MUST(gnutls_x509_crt_set_basic_constraints(crt, spec->ca, -1));
    unsigned usage = spec->ca ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE;
    MUST(gnutls_x509_crt_set_key_usage(crt, usage | (spec->enciphers ? GNUTLS_KEY_KEY_ENCIPHERMENT : 0)));
    if (spec->purpose)
        MUST(gnutls_x509_crt_set_key_purpose_oid(crt, spec->purpose, 0));
    if (spec->permitted)
        set_constraint(crt, spec->permitted);
}

/* A certificate made here lacks state that the library sets when it parses one. */
static gnutls_x509_crt_t read_again(gnutls_x509_crt_t made)
{
    gnutls_x509_crt_t crt;
    gnutls_datum_t der;
    MUST(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_DER, &der));
    MUST(gnutls_x509_crt_init(&crt));
    MUST(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER));
    gnutls_x509_crt_deinit(made);
    gnutls_free(der.data);
    return crt;
}

/* A key whose public exponent is the private one: valid, but slow. */
static gnutls_x509_privkey_t with_swapped_exponents(gnutls_x509_privkey_t key)
{
    gnutls_datum_t m, e, d, p, q, u, e1, e2;
    MUST(gnutls_x509_privkey_export_rsa_raw2(key, &m, &e, &d, &p, &q, &u, &e1, &e2));
    gnutls_x509_privkey_deinit(key);
    MUST(gnutls_x509_privkey_init(&key));
    MUST(gnutls_x509_privkey_import_rsa_raw2(key, &m, &d, &e, &p, &q, &u, NULL, NULL));
    gnutls_datum_t parts[] = {m, e, d, p, q, u, e1, e2};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        gnutls_free(parts[i].data);
    return key;
}

struct certificate certificate_make(const struct certificate_spec *spec)
{
    static uint32_t serial;
    struct certificate made;
    time_t now = time(NULL);
    MUST(gnutls_x509_privkey_init(&made.key));
    if (spec->key_of)
        MUST(gnutls_x509_privkey_cpy(made.key, spec->key_of->key));
    else if (spec->rsa_bits)
        MUST(gnutls_x509_privkey_generate(made.key, GNUTLS_PK_RSA, spec->rsa_bits, 0));
    else
        MUST(gnutls_x509_privkey_generate(made.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                          0));
    if (spec->swapped_exponents)
        made.key = with_swapped_exponents(made.key);
    MUST(gnutls_x509_crt_init(&made.crt));
    MUST(gnutls_x509_crt_set_version(made.crt, 3));
    uint8_t number[4];
    write_u32(number, ++serial);
    MUST(gnutls_x509_crt_set_serial(made.crt, number, sizeof number));
    MUST(gnutls_x509_crt_set_activation_time(made.crt, now + (spec->from_s ? spec->from_s : -3600)));
    MUST(gnutls_x509_crt_set_expiration_time(made.crt, now + (spec->until_s ? spec->until_s : 3600)));
    MUST(gnutls_x509_crt_set_key(made.crt, made.key));
    set_names(made.crt, spec, serial);
    set_rights(made.crt, spec);
    const struct certificate *issuer = spec->issuer ? spec->issuer : &made;
    MUST(gnutls_x509_crt_sign2(made.crt, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0));
    made.crt = read_again(made.crt);
    return made;
}

void certificate_free(struct certificate *certificate)
{
    gnutls_x509_crt_deinit(certificate->crt);
    gnutls_x509_privkey_deinit(certificate->key);
}

struct tls_pin certificate_pin(const struct certificate *certificate)
{
    struct tls_pin pin;
    size_t len = sizeof pin.sha256;
    MUST(gnutls_x509_crt_get_key_id(certificate->crt, GNUTLS_KEYID_USE_SHA256, pin.sha256, &len));
    return pin;
}

char *certificate_file(const struct certificate *certificates, size_t count)
{
    char *path = strdup("/tmp/dotstub-test-ca-XXXXXX");
    int fd = mkstemp(path);
    must(fd >= 0, "mkstemp");
    for (size_t i = 0; i < count; i++) {
        gnutls_datum_t pem;
        MUST(gnutls_x509_crt_export2(certificates[i].crt, GNUTLS_X509_FMT_PEM, &pem));
        must(write(fd, pem.data, pem.size) == (ssize_t)pem.size, "write");
        gnutls_free(pem.data);
    }
    close(fd);
    return path;
}

/* --- the server end --- */

static ssize_t server_pull(gnutls_transport_ptr_t transport, void *out, size_t len)
{
    struct tls_server *server = transport;
    if (server->in.len == 0) {
        gnutls_transport_set_errno(server->session, EAGAIN);
        return -1;
    }
    if (len > server->in.len)
        len = server->in.len;
    memcpy(out, server->in.data + server->in.start, len);
    buffer_consume(&server->in, len);
    return (ssize_t)len;
}

static int server_pull_timeout(gnutls_transport_ptr_t transport, unsigned ms)
{
    (void)ms;
    return ((struct tls_server *)transport)->in.len > 0;
}

static ssize_t server_push(gnutls_transport_ptr_t transport, const void *data, size_t len)
{
    struct tls_server *server = transport;
    must(buffer_append(&server->out, data, len) == 0, "buffer_append");
    return (ssize_t)len;
}

static int remember(void *kept, gnutls_datum_t id, gnutls_datum_t session)
{
    gnutls_datum_t *slot = kept;
    (void)id;
    gnutls_free(slot->data);
    slot->data = gnutls_malloc(session.size);
    memcpy(slot->data, session.data, session.size);
    slot->size = session.size;
    return 0;
}

static gnutls_datum_t recall(void *kept, gnutls_datum_t id)
{
    const gnutls_datum_t *slot = kept;
    gnutls_datum_t copy = {gnutls_malloc(slot->size), slot->size};
    (void)id;
    if (slot->size > 0)
        memcpy(copy.data, slot->data, slot->size);
    return copy;
}

void tls_server_init(struct tls_server *server, const struct tls_server_options *options)
{
    gnutls_x509_crt_t chain[8];
    *server = (struct tls_server){0};
    assert(options->chain_len <= 8);
    for (unsigned i = 0; i < options->chain_len; i++)
        chain[i] = options->chain[i].crt;
    MUST(gnutls_certificate_allocate_credentials(&server->credentials));
    MUST(gnutls_certificate_set_x509_key(server->credentials, chain, (int)options->chain_len, options->chain[0].key));
    MUST(gnutls_init(&server->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL));
    MUST(gnutls_priority_set_direct(server->session, options->priority ? options->priority : "NORMAL", NULL));
    MUST(gnutls_credentials_set(server->session, GNUTLS_CRD_CERTIFICATE, server->credentials));
    if (options->ticket_key)
        MUST(gnutls_session_ticket_enable_server(server->session, options->ticket_key));
    if (options->alpn) {
        const gnutls_datum_t alpn = {(unsigned char *)options->alpn, (unsigned)strlen(options->alpn)};
        MUST(gnutls_alpn_set_protocols(server->session, &alpn, 1, 0));
    }
    if (options->life_s)
        gnutls_db_set_cache_expiration(server->session, options->life_s);
    if (options->kept) {
        gnutls_db_set_ptr(server->session, options->kept);
        gnutls_db_set_store_function(server->session, remember);
        gnutls_db_set_retrieve_function(server->session, recall);
    }
    gnutls_transport_set_ptr(server->session, server);
    gnutls_transport_set_pull_function(server->session, server_pull);
    gnutls_transport_set_pull_timeout_function(server->session, server_pull_timeout);
    gnutls_transport_set_push_function(server->session, server_push);
}

void tls_server_fini(struct tls_server *server)
{
    gnutls_deinit(server->session);
    gnutls_certificate_free_credentials(server->credentials);
    buffer_free(&server->in);
    buffer_free(&server->out);
}

void tls_server_step(struct tls_server *server)
{
    if (server->done || server->error)
        return;
    int result = gnutls_handshake(server->session);
    if (result == 0) {
        size_t len = sizeof server->server_name - 1;
        unsigned type;
        server->done = true;
        if (gnutls_server_name_get(server->session, server->server_name, &len, &type, 0) < 0)
            server->server_name[0] = '\0';
    } else if (gnutls_error_is_fatal(result)) {
        server->error = result;
        (void)gnutls_alert_send_appropriate(server->session, result);
    }
}

void tls_server_send(struct tls_server *server, const void *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = gnutls_record_send(server->session, (const uint8_t *)data + at, len - at);
        MUST(sent);
        at += (size_t)sent;
    }
}

ssize_t tls_server_receive(struct tls_server *server, void *out, size_t cap)
{
    ssize_t result;
    do {
        result = gnutls_record_recv(server->session, out, cap);
    } while (result == GNUTLS_E_AGAIN && server->in.len > 0);
    return result;
}
