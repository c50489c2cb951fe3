/* SPDX-License-Identifier: MIT */
/* For tests: certificates of every kind, and the server end of a TLS session over two buffers. */
#ifndef DOTSTUB_TESTS_TLS_SERVER_H
#define DOTSTUB_TESTS_TLS_SERVER_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include "base/bytes.h"
#include "net/tls.h"

/* Zero: the value of a valid certificate. */
struct certificate_spec {
    const char *common_name;
    const char *sans[3];
    struct bytes raw_san;    /* one more DNS name, of any bytes */
    const char *address_san; /* an IPv4 address */
    int64_t from_s, until_s; /* from now */
    const char *purpose;     /* the only extended key usage */
    unsigned rsa_bits;       /* P-256 otherwise */
    bool swapped_exponents;  /* RSA: the public one is as long as the modulus */
    bool enciphers;          /* RSA: allowed to receive keys as well */
    bool ca;
    const char *permitted;            /* name constraint of a CA */
    const struct certificate *issuer; /* NULL: signed by itself */
    const struct certificate *key_of; /* NULL: a key of its own */
};

struct certificate {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

struct certificate certificate_make(const struct certificate_spec *spec);
void certificate_free(struct certificate *certificate);
struct tls_pin certificate_pin(const struct certificate *certificate);
/* Writes a PEM file with `count` certificates; the path is the caller's (unlink, free). */
char *certificate_file(const struct certificate *certificates, size_t count);

struct tls_server_options {
    const struct certificate *chain; /* leaf first */
    unsigned chain_len;
    const char *priority;             /* NULL: NORMAL */
    const gnutls_datum_t *ticket_key; /* NULL: no tickets */
    const char *alpn;
    int life_s;           /* of tickets; 0: the library's default */
    gnutls_datum_t *kept; /* storage for the server's last session */
};

/* Bytes of the client go into `in`; bytes for the client appear in `out`. */
struct tls_server {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    struct buffer in, out;
    bool done;
    int error; /* the handshake's failure */
    char server_name[64];
};

void tls_server_init(struct tls_server *server, const struct tls_server_options *options);
void tls_server_fini(struct tls_server *server);
/* Continues the handshake as far as the input allows. */
void tls_server_step(struct tls_server *server);
void tls_server_send(struct tls_server *server, const void *data, size_t len);
/* Decrypts the input: returns its length, or GnuTLS's error (GNUTLS_E_AGAIN: no data). */
ssize_t tls_server_receive(struct tls_server *server, void *out, size_t cap);

#endif
