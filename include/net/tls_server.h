/* SPDX-License-Identifier: MIT */
/* TLS for connections of clients: the server's certificates, and the handshakes of one worker.
 *
 * Does:    TLS 1.2 and 1.3 with the priorities of net/tls.h. ALPN by the listener, as "dot" (RFC 7858) or "h2": a client that offers other protocols
 *          only is refused, one that offers none is not. Of several certificates the one that names the server name of
 *          the client is used, else the first. Clients need a certificate of client_ca, if that is set; it is verified
 *          after each handshake, full or resumed. Tickets are bound to the address of the listener, the server name,
 *          the certificates, the client CA and the lowest version; their key changes each day, and the one before is
 *          accepted too. No 0-RTT, no renegotiation. A handshake costs up to a millisecond of CPU time, so handshakes
 *          wait in a queue, of which each turn of the loop takes a few: other work is not held up by many of them.
 * Owns:    an identity is ref-counted and immutable.
 * Threads: identities: any; the rest on one loop's thread.
 * RFC:     7858, 8446, 5077, 6066 (SNI), 7301 (ALPN).
 */
#ifndef DOTSTUB_NET_TLS_SERVER_H
#define DOTSTUB_NET_TLS_SERVER_H

#include <stdio.h>
#include <uv.h>
#include "base/addr.h"
#include "base/bytes.h"
#include "base/list.h"
#include "net/loop.h"

struct tls_identity;

struct tls_identity_options {
    char *const *certificates; /* PEM files with a certificate and the chain up to the root's */
    char *const *keys;         /* PEM files with the key of each, as many as certificates */
    size_t count;
    const char *client_ca;   /* PEM file; NULL: clients need no certificate */
    const char *ticket_file; /* at least 32 bytes that servers of a fleet share; NULL: a random key of this process */
    unsigned min_version;    /* 12 or 13 */
};

/* Loads the files. 0, or negative after one line to `errors` with the remedy (except for -ENOMEM). */
int tls_identity_new(struct tls_identity **out, const struct tls_identity_options *options, FILE *errors) MUST_CHECK;
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
/* NULL does nothing. */
void tls_identity_unref(struct tls_identity *identity);

/* The handshakes of one worker; layer_config of the streams of byte_layer_tls_server points to a struct
 * tls_listener. */
struct tls_handshakes {
    struct tls_identity *identity; /* of new connections; NULL: they are refused */
    struct list waiting;           /* connections with input for their handshake, in the order of arrival */
    uv_idle_t turn;                /* active while some wait, so that the loop does not sleep */
};

struct tls_listener {
    struct tls_handshakes *server;
    struct addr addr;
    const char *const *alpn; /* the protocols of the listener (RFC 7301), at most two; ends with NULL */
};

void tls_handshakes_init(struct tls_handshakes *server, struct loop *loop);
/* Connections that are open keep the identity that they began with. Takes over the reference; NULL: none. */
void tls_handshakes_use(struct tls_handshakes *server, struct tls_identity *identity);
/* Starts to close the handle; a second call does nothing. No stream may be accepted any more. */
void tls_handshakes_close(struct tls_handshakes *server);

struct tls;
/* A server session before its handshake; bytes for the client are appended to `output`. NULL: out of memory. */
struct tls *tls_new_server(struct tls_identity *identity, const struct tls_listener *listener,
                           struct buffer *output) MUST_CHECK;

#endif
