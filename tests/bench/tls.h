/* SPDX-License-Identifier: MIT */
/* Does: a TLS session over a socket that the caller polls: one recv fills, one send drains, whatever number
 * of records that is. For the benchmark's own server and floor. Owns: the socket, the GnuTLS session, both
 * buffers of ciphertext.
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

/* `flags`: GNUTLS_CLIENT or GNUTLS_SERVER. Offers ALPN "dot". -1: no memory. */
int tls_init(struct tls *tls, int fd, unsigned flags, gnutls_certificate_credentials_t credentials);
void tls_fini(struct tls *tls);

/* One recv. 0: more may be read; -1: the connection is over. */
int tls_receive(struct tls *tls);
/* What one record held: its length; 0: nothing whole was received; -1: the connection is over. */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
/* Encrypts into the buffer, as few records as will do. */
int tls_write(struct tls *tls, const void *data, size_t len);
/* One send. 1: some of it is left, wait until the socket is writable. */
int tls_flush(struct tls *tls);

#endif
