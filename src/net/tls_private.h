/* SPDX-License-Identifier: MIT */
/* Private declarations of the files of net/tls; no other file uses GnuTLS's types. */
#ifndef DOTSTUB_NET_TLS_PRIVATE_H
#define DOTSTUB_NET_TLS_PRIVATE_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/hash.h"
#include "net/certificate.h"

struct tls_authorities;
struct tls_credential;
struct tls_identity;
struct tls_pin;
struct tls_store;
struct tls_tickets;
struct tls_verified;

/* The files of the certificate with which we authenticate to a server, and what was loaded from them last
 * (tls_credential.c). */
struct tls_own {
    char *certificate, *key;        /* PEM files */
    struct tls_credential *current; /* NULL: they could not be loaded yet */
    uint64_t seen, checked_ms;      /* the state of the files (file_state), and when it was looked at */
    int missing;                    /* the error for which they could not be loaded last; 0: they were */
};

/* tls_trust.c says which members may change. */
struct tls_trust {
    atomic_uint refs;
    struct tls_store *store; /* the loaded CA file */
    uint64_t checked_ms;     /* when the CA file was last checked because a peer was not trusted; 0: never */
    uint8_t min_version;
    gnutls_priority_t priority;
    char *name; /* NULL: only pins are checked */
    struct tls_pin *pins;
    unsigned pin_count;
    uint8_t identity[DIGEST_LEN];
    struct tls_own *own; /* NULL: none */
};

/* One session; tls.c says how its members change. */
struct tls {
    gnutls_session_t session;
    struct tls_trust *trust;           /* of a client session */
    struct tls_identity *identity;     /* of a server session */
    struct tls_store *store;           /* the store that verifies the peer */
    struct tls_credential *credential; /* of a client session: our certificate; NULL: none */
    struct tls_tickets *tickets;
    struct bytes input;
    struct buffer *output; /* borrowed */
    bool begun;            /* the handshake has begun */
    bool verified;
    bool keyed;                         /* server: the ticket key was chosen */
    uint8_t listener[80];               /* server: the address of its listener */
    bool early;                         /* verified by a chain that is not valid yet */
    struct tls_certificate certificate; /* of a verified server */
    bool over;
    int reason;
    bool starved;             /* the library wanted input when there was none */
    bool no_memory;           /* out of memory for output */
    bool oversized;           /* the handshake or its Certificate message is too large */
    size_t handshake_left;    /* bytes that the library may still pull before `verified` */
    unsigned tickets_left;    /* the number of tickets that the session may still store */
    uint32_t ticket_life_s;   /* of the ticket being received */
    uint64_t used_expires_ms; /* of the ticket that this session used */
};

#define TLS_CHAIN_MAX 16 /* certificates; the library refuses longer chains */
/* The most bytes of a handshake, from a peer that is not verified yet. The library keeps an incomplete message, so
 * clients, of which many may shake hands at a time, have less: a hello with a ticket and post-quantum keys takes 3 KiB. */
#define HANDSHAKE_MAX        65536
#define HANDSHAKE_CLIENT_MAX 16384 /* of a client, beside its Certificate message */
/* The most bytes of a Certificate message, from a peer that is not verified yet. Chains of public servers take 3 to
 * 6 KiB. */
#define CERTIFICATE_MAX 16384

/* tls.c: makes the library's session over byte buffers; `flags`: GNUTLS_CLIENT or GNUTLS_SERVER. 0 or the library's
 * error. */
int tls_begin(struct tls *tls, unsigned flags, struct buffer *output) __attribute__((warn_unused_result));
/* tls.c: a hook for handshake messages: refuses certificates that are too large, and keys that are too costly. */
int tls_limit_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *message) __attribute__((warn_unused_result));
/* tls_server.c: drops a reference; NULL does nothing. */
void tls_identity_unref(struct tls_identity *identity);
/* tls_server.c: the handshake of a server session is done. 0, or the error: its client was not accepted. */
int tls_accept_client(struct tls *tls) __attribute__((warn_unused_result));

/* tls_trust.c: the priorities for TLS of at least this version (12 or 13). 0, -ENOMEM or -ENOTSUP. */
int tls_priority_new(gnutls_priority_t *out, unsigned min_version) __attribute__((warn_unused_result));
/* tls_trust.c: takes a reference to the current store of the trust, for one session. */
struct tls_store *tls_trust_hold_store(const struct tls_trust *trust);
void tls_store_release(struct tls_store *store);
/* For a session; they trust no authority. */
gnutls_certificate_credentials_t tls_store_credentials(const struct tls_store *store);
/* To verify this chain: they trust the authorities that may have issued it. The caller frees them. 0 or -ENOMEM. */
int tls_store_credentials_for(const struct tls_store *store, const gnutls_datum_t *chain, unsigned count,
                              gnutls_certificate_credentials_t *out) __attribute__((warn_unused_result));
/* A digest of its certificates, DIGEST_LEN bytes. */
const uint8_t *tls_store_digest(const struct tls_store *store);
/* True if its certificates could not be loaded yet. */
bool tls_store_is_waiting(const struct tls_store *store);
/* A peer was not trusted: loads the CA file again if it has changed; checks it at most once a minute. */
void tls_trust_refresh(struct tls_trust *trust);

/* tls_server.c: reads a regular file, at most `most` bytes of it. 0 or a negative errno. */
struct tls_file {
    uint8_t *data;
    size_t len;
};
#define TLS_PEM_MAX (1 << 20)
int tls_file_load(struct tls_file *out, const char *path, size_t most) __attribute__((warn_unused_result));
/* Overwrites the contents first. */
void tls_file_free(struct tls_file *file);

/* tls_authorities.c: the CA certificates of a PEM file; of the system for "system". */
/* The file that is read; NULL: the library knows the system's trust. */
const char *tls_authorities_file(const char *ca_file);
/* 0, -ENOMEM, -ENOENT (there is no certificate), or why the file cannot be read. */
int tls_authorities_load(struct tls_authorities **out, const char *ca_file) __attribute__((warn_unused_result));
/* NULL does nothing. */
void tls_authorities_free(struct tls_authorities *authorities);
/* DIGEST_LEN bytes, which do not depend on the order of the certificates. */
const uint8_t *tls_authorities_digest(const struct tls_authorities *authorities);
/* When the next of them that is valid expires; 0: none. */
int64_t tls_authorities_expire_s(const struct tls_authorities *authorities);
/* The list of those that have the name of an issuer or a subject in the chain, which is all that the verification of
 * the chain can use. The caller frees it. 0 or -ENOMEM. Any thread. */
int tls_authorities_of_chain(const struct tls_authorities *authorities, const gnutls_datum_t *chain, unsigned count,
                             gnutls_x509_trust_list_t *out) __attribute__((warn_unused_result));

/* tls_credential.c: 0 or -ENOMEM. If the files cannot be loaded, `missing` has the error, and they are looked for again
 * at the next handshakes: -EINVAL: they are not in PEM, or the chain is out of order; -EKEYREJECTED: the key belongs to
 * another certificate. */
int tls_own_new(struct tls_own **out, const char *certificate, const char *key) __attribute__((warn_unused_result));
/* NULL does nothing. */
void tls_own_free(struct tls_own *own);
/* A reference to our certificate, loaded again if its files have changed; looks at them once a minute, every 3 s while
 * they cannot be loaded. NULL: `own` is NULL, or it cannot be loaded (tls_own_is_missing gives the error). Any thread. */
struct tls_credential *tls_own_hold(struct tls_own *own) __attribute__((warn_unused_result));
int tls_own_is_missing(struct tls_own *own);
/* NULL does nothing. */
void tls_credential_release(struct tls_credential *credential);
/* A digest of the certificate, DIGEST_LEN bytes; all zero for NULL. */
const uint8_t *tls_credential_digest(const struct tls_credential *credential);
/* The library's callback: gives it the certificate of the session. */
int tls_credential_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                            unsigned *count, gnutls_privkey_t *key);

/* tls_chain.c: counts the ASN.1 elements in the certificates of a Certificate message, up to the first malformed
 * one. */
unsigned tls_chain_elements(struct bytes message, bool tls13);

/* tls_verify.c: verifies the certificate of a session whose handshake is done, whether full or resumed: 0, -ENOMEM or
 * ERROR_TLS_... `*early`: the chain is not valid yet, which was accepted because the clock may be behind. */
int tls_verify_peer(struct tls *tls, bool *early) __attribute__((warn_unused_result));
/* True if the session was resumed, and its chain was verified less than TLS_VERIFIED_S ago with the same certificates. */
bool tls_was_verified(const struct tls *tls, const struct tls_verified *verified);
/* Notes the chain of a session that tls_verify_peer has just accepted. */
void tls_note_verified(const struct tls *tls, struct tls_verified *out);
/* True if a signature check with a key of the peer's chain would block the loop for long; called before a key is
 * used, when its owner is not yet known. */
bool tls_peer_keys_are_costly(gnutls_session_t session);
/* Describes the peer's certificate; all zero if it cannot be read. */
void tls_describe_peer(gnutls_session_t session, struct tls_certificate *out);

/* tls_tickets.c: removes and returns the newest ticket that has not expired; the caller owns the block (mem_free).
 * NULL: none. */
uint8_t *tls_tickets_take(struct tls_tickets *tickets, size_t *len, uint64_t *expires_ms);

#endif
