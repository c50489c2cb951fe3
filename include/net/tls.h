/* SPDX-License-Identifier: MIT */
/* TLS for client sessions over byte buffers: the only file that knows GnuTLS.
 *
 * Does:    TLS 1.2 and 1.3 only (default priorities, -VERS-ALL, %PROFILE_MEDIUM); chain, dates and host name verified
 *          (see net/verifytime.h), and a DNS SAN must have matched (a CN alone is not enough); pins (SHA-256 of the
 *          key) checked after every handshake, full or resumed; ALPN offered, not required; tickets taken as they come,
 *          each used once, bound to the store they lie in. No 0-RTT, no renegotiation.
 * Owns:    struct tls_trust is ref-counted, and immutable but for its CA file, which a handshake may load again; struct
 *          tls belongs to its byte layer; a ticket store to its server.
 * Threads: trust from any; the rest on one loop's thread.
 * RFC:     7858, 8310 (strict profile), 8446, 5077, 6125, 7301.
 */
#ifndef DOTSTUB_NET_TLS_H
#define DOTSTUB_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/hash.h"

struct tls_pin {
    uint8_t sha256[32];
};

struct tls_trust_options {
    const char *ca_file;  /* "system" or a PEM file */
    const char *tls_name; /* host name or address literal; NULL: only the pins are looked at */
    const struct tls_pin *pins;
    unsigned pin_count;
    unsigned min_version; /* 12 or 13 */
};

/* The trust in one upstream. A CA file is loaded once for all trusts that name it, as long as one of them exists and the file
 * is not replaced. */
struct tls_trust;
/* 0, -EINVAL: neither name nor pin, -ENOENT and others: the CA file cannot be read or holds no certificate (on a
 * machine without a system store "system" gives -ENOENT), -ENOTSUP: forbidden by the system's TLS policy, -ENOMEM. With
 * pins alone the CA file is not looked at. */
int tls_trust_new(struct tls_trust **out, const struct tls_trust_options *options) MUST_CHECK;
struct tls_trust *tls_trust_ref(struct tls_trust *trust);
void tls_trust_unref(struct tls_trust *trust);
/* A digest of all that was trusted when a ticket was taken in: name, pins, lowest version, the certificates of the CA
 * file; and of the library's version, which says what a ticket looks like. The same in every process. */
void tls_trust_identity(const struct tls_trust *trust, uint8_t out[DIGEST_LEN]);

/* Tickets of one server under one trust: at most a few, newest used first. Zeroed memory is an empty store. */
#define TLS_TICKETS 4
struct tls_tickets {
    struct {
        uint8_t *data;
        size_t len;
        uint64_t expires_ms; /* boot-time clock */
        bool tls13; /* else it could be linked to this network and run (RFC 8446 appendix C.4): not taken to another */
    } item[TLS_TICKETS];
    unsigned count;
};
void tls_tickets_clear(struct tls_tickets *tickets);
/* Drops those that could be linked to this network. */
void tls_tickets_drop_linkable(struct tls_tickets *tickets);
/* Keeps a copy, as the newest; without memory the ticket is lost, which costs one full handshake. */
void tls_tickets_put(struct tls_tickets *tickets, const void *data, size_t len, uint64_t expires_ms, bool tls13);

/* Facts of a finished handshake, for people. */
struct tls_facts {
    char version[16], cipher[64], certificate_name[256], alpn[8];
    int64_t certificate_expires; /* wall clock seconds */
    bool resumed;
    bool early; /* the certificate is not valid yet: accepted because the clock may be behind */
};

/* The parameters of a client session. */
struct tls_client {
    struct tls_trust *trust;     /* kept by reference */
    struct tls_tickets *tickets; /* where tickets come from and go to; must outlive the session */
    const char *alpn;            /* the protocol to offer (RFC 7301); NULL: none */
};

struct tls;
/* A client session before its handshake, which uses a ticket if there is one; it stores new tickets as long as it exists. Bytes for
 * the peer are appended to `output`, which must outlive the session. NULL if out of memory. */
struct tls *tls_new(const struct tls_client *client, struct buffer *output) MUST_CHECK;
void tls_free(struct tls *tls);

/* The ciphertext side: bytes from the peer are borrowed until tls_read or tls_handshake returned -EAGAIN (all of them
 * are consumed then). */
void tls_input(struct tls *tls, struct bytes ciphertext);

/* Goes on with the handshake: 0 when it is done AND the peer is verified; -EAGAIN: needs more input; else the reason
 * (ERROR_TLS_..., -ENOMEM): an alert may lie in the output; the session is over. */
int tls_handshake(struct tls *tls) MUST_CHECK;
/* Reads clear bytes: > 0 the number; -EAGAIN: the input is used up; 0: the peer closed cleanly (close_notify); else the
 * reason. Call until it says other than > 0. */
int tls_read(struct tls *tls, uint8_t *out, size_t cap) MUST_CHECK;
/* Encrypts all of it into the output, as one record (several if longer than TLS_RECORD). 0 or the reason. */
#define TLS_RECORD 16384
int tls_write(struct tls *tls, const uint8_t *data, size_t len) MUST_CHECK;
/* Appends close_notify to the output. */
void tls_bye(struct tls *tls);
void tls_get_facts(struct tls *tls, struct tls_facts *out);

#endif
