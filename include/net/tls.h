/* SPDX-License-Identifier: MIT */
/* TLS for client sessions over byte buffers: the only file that knows GnuTLS.
 *
 * Does:    TLS 1.2 and 1.3 only (default priorities, -VERS-ALL, %PROFILE_MEDIUM); chain, dates and host name verified
 *          (see net/verifytime.h), and a DNS SAN must match (a CN alone is not enough); pins (SHA-256 of the
 *          key) checked after every handshake, full or resumed; ALPN offered, not required; tickets stored per
 *          server and trust, each used once. No 0-RTT, no renegotiation.
 * Owns:    struct tls_trust is ref-counted, and immutable except for its CA certificates, which a handshake may
 *          reload; struct tls belongs to its byte layer; a ticket store to its server.
 * Threads: trust from any; the rest on one loop's thread.
 * RFC:     7858, 8310 (strict profile), 8446, 5077, 6125, 7301.
 */
#ifndef DOTSTUB_NET_TLS_H
#define DOTSTUB_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "net/certificate.h"

struct tls_pin {
    uint8_t sha256[32];
};

struct tls_trust_options {
    const char *ca_file;  /* "system" or a PEM file */
    const char *tls_name; /* host name or address literal; NULL: only the pins are checked */
    const struct tls_pin *pins;
    unsigned pin_count;
    unsigned min_version;    /* 12 or 13 */
    bool ca_may_be_missing;  /* files that cannot be loaded are waited for: see tls_trust_is_waiting */
    const char *certificate; /* PEM file with our certificate and its chain, for servers that want one; NULL: none */
    const char *key;         /* PEM file with its key, without a password; set if `certificate` is */
    int *certificate_error;  /* NULL, or gets the reason for ERROR_TLS_NO_CERTIFICATE: -EINVAL: not in PEM, or the chain
                                is out of order; -EKEYREJECTED: the key belongs to another certificate; others */
};

/* The trust in one upstream. A CA file is loaded once for all trusts that use it, as long as one of them exists and
 * the file is not replaced. */
struct tls_trust;
/* 0, -EINVAL (neither name nor pin), -ENOENT and others (the CA file is unreadable or contains no certificate;
 * "system" on a machine without a system store gives -ENOENT), -ENOTSUP (forbidden by the system's TLS policy),
 * -ENOMEM; ERROR_TLS_NO_CERTIFICATE. With pins alone the CA file is not read. */
int tls_trust_new(struct tls_trust **out, const struct tls_trust_options *options) MUST_CHECK;
/* A trust like another one, but with these pins, at least one. 0, -ENOMEM or -ENOTSUP. */
int tls_trust_with_pins(struct tls_trust **out, const struct tls_trust *like, const struct tls_pin *pins,
                        unsigned count) MUST_CHECK;
/* A trust like another one, but for the certificate of this name, without pins and without a certificate of ours. It needs
 * no access to the CA file. 0, -ENOMEM or -ENOTSUP. */
int tls_trust_with_name(struct tls_trust **out, const struct tls_trust *like, const char *name) MUST_CHECK;
/* The error for which no CA certificate is loaded; 0: they are. Until they are, each handshake fails with
 * ERROR_TLS_NO_CA and looks for them again, at most every 3 s. */
int tls_trust_is_waiting(const struct tls_trust *trust);
/* The same for our certificate and its key: until they are loaded, each handshake fails with ERROR_TLS_NO_CERTIFICATE.
 * They are loaded again when they have changed, which is looked at once a minute. */
int tls_trust_lacks_certificate(const struct tls_trust *trust);
struct tls_trust *tls_trust_ref(struct tls_trust *trust);
void tls_trust_unref(struct tls_trust *trust);
/* A digest that identifies the trust under which a ticket was received: name, pins, lowest version, our certificate, the
 * certificates of the CA file, and the library's version, on which the format of tickets depends. The same in every
 * process. */
void tls_trust_identity(const struct tls_trust *trust, uint8_t out[DIGEST_LEN]);

/* The chain that was verified last. A session resumed within TLS_VERIFIED_S with the same chain and the same
 * certificates of the CA file is accepted without verifying it again, which would take half of the CPU time of the
 * handshake. */
#define TLS_VERIFIED_S 60
struct tls_verified {
    uint8_t chain[DIGEST_LEN], trust[DIGEST_LEN], store[DIGEST_LEN]; /* store: the certificates of the CA file */
    int64_t at_s;                                                    /* the time that it was verified with; 0: none */
    struct tls_certificate certificate;
};

/* Tickets of one server under one trust: at most TLS_TICKETS, newest used first. Zeroed memory is an empty store. */
#define TLS_TICKETS 4
struct tls_tickets {
    struct tls_verified verified;
    uint8_t own[DIGEST_LEN]; /* of our certificate in the sessions that they resume; zero: none */
    struct {
        uint8_t *data;
        size_t len;
        uint64_t expires_ms; /* boot-time clock */
        /* False: an observer could link it to this network (RFC 8446 appendix C.4), so it is not used on another
         * one. */
        bool tls13;
    } item[TLS_TICKETS];
    unsigned count;
};
void tls_tickets_clear(struct tls_tickets *tickets);
/* Drops tickets that could be linked to this network. */
void tls_tickets_drop_linkable(struct tls_tickets *tickets);
/* Stores a copy as the newest ticket; out of memory the ticket is lost, which costs one full handshake. */
void tls_tickets_put(struct tls_tickets *tickets, const void *data, size_t len, uint64_t expires_ms, bool tls13);

/* Facts of a finished handshake, for reports and the log. */
struct tls_facts {
    char version[16], cipher[64], alpn[8];
    struct tls_certificate certificate;
    bool pinned; /* the key matches a configured pin */
    bool resumed;
    bool early; /* the certificate is not valid yet: accepted because the clock may be behind */
};

/* The parameters of a client session. */
struct tls_client {
    struct tls_trust *trust;     /* kept by reference */
    struct tls_tickets *tickets; /* source and destination of tickets; must outlive the session */
    const char *alpn;            /* the protocol to offer (RFC 7301); NULL: none */
};

struct tls;
/* A client session before its handshake. The handshake uses a ticket if there is one; the session stores new
 * tickets. Bytes for the peer are appended to `output`, which must outlive the session. NULL if out of memory. */
struct tls *tls_new(const struct tls_client *client, struct buffer *output) MUST_CHECK;
void tls_free(struct tls *tls);

/* Sets the ciphertext received from the peer, borrowed until tls_read or tls_handshake returns -EAGAIN (then all of
 * it is consumed). */
void tls_input(struct tls *tls, struct bytes ciphertext);

/* Continues the handshake: 0 when it is done AND the peer is verified; -EAGAIN: needs more input; else an error
 * (ERROR_TLS_..., -ENOMEM): the session has ended, and `output` may contain an alert. */
int tls_handshake(struct tls *tls) MUST_CHECK;
/* Reads clear bytes: > 0 the number; -EAGAIN: the input is used up; 0: the peer closed cleanly (close_notify); else
 * an error. Call it until the result is not positive. */
int tls_read(struct tls *tls, uint8_t *out, size_t cap) MUST_CHECK;
/* Encrypts the data into the output, as one record (several if longer than TLS_RECORD). 0 or an error. */
#define TLS_RECORD 16384
int tls_write(struct tls *tls, const uint8_t *data, size_t len) MUST_CHECK;
/* Appends close_notify to the output. */
void tls_bye(struct tls *tls);
void tls_get_facts(struct tls *tls, struct tls_facts *out);

#endif
