/* SPDX-License-Identifier: MIT */
/* A TLS session over a socket that the caller polls, for the benchmark's server and floor.
 *
 * Does:    one recv and one send for any number of records.
 * Owns:    the socket, the GnuTLS session, both buffers of ciphertext.
 */
#ifndef DOTSTUB_BENCH_TLS_H
#define DOTSTUB_BENCH_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls {
    int fd;
    gnutls_session_t session;
    uint8_t *in, *out; /* ciphertext */
    size_t in_from, in_to, out_len, out_room;
};

/* The protocols that are offered by ALPN. */
enum tls_alpn { TLS_DOT, TLS_H2, TLS_DOT_AND_H2 };

/* `flags`: GNUTLS_CLIENT or GNUTLS_SERVER. -1: no memory. */
int tls_init(struct tls *tls, int fd, unsigned flags, gnutls_certificate_credentials_t credentials, enum tls_alpn alpn);
void tls_fini(struct tls *tls);

/* Calls recv once. 0: success; -1: the connection is closed. */
int tls_receive(struct tls *tls);
/* Reads the content of one record. Returns its length; 0: no complete record; -1: the connection is closed. */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
/* Encrypts into the buffer, in as few records as possible. */
int tls_write(struct tls *tls, const void *data, size_t len);
/* Calls send once. 1: some bytes are left, wait until the socket is writable. */
int tls_flush(struct tls *tls);

#endif
