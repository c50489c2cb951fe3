/* SPDX-License-Identifier: MIT */
/* Private declarations of the files of net/tls; no other file uses GnuTLS's types. */
#ifndef DOTSTUB_NET_TLS_PRIVATE_H
#define DOTSTUB_NET_TLS_PRIVATE_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/hash.h"

struct tls_facts;
struct tls_pin;
struct tls_store;
struct tls_tickets;

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
};

/* tls_trust.c: takes a reference to the current store of the trust, for one session. */
struct tls_store *tls_trust_hold_store(const struct tls_trust *trust);
void tls_store_release(struct tls_store *store);
gnutls_certificate_credentials_t tls_store_credentials(const struct tls_store *store);
/* A peer was not trusted: loads the CA file again if it has changed; checks it at most once a minute. */
void tls_trust_refresh(struct tls_trust *trust);

/* tls_chain.c: counts the ASN.1 elements in the certificates of a Certificate message, up to the first malformed
 * one. */
unsigned tls_chain_elements(struct bytes message, bool tls13);

/* tls_verify.c: verifies the certificate of a session whose handshake is done, whether full or resumed: 0, -ENOMEM or
 * ERROR_TLS_... `*early`: the chain is not valid yet, which was accepted because the clock may be behind. */
int tls_verify_peer(gnutls_session_t session, struct tls_trust *trust, bool *early) __attribute__((warn_unused_result));
/* True if a signature check with a key of the peer's chain would block the loop for long; called before a key is
 * used, when its owner is not yet known. */
bool tls_peer_keys_are_costly(gnutls_session_t session);
/* Sets the subject and the expiry date of the peer's certificate. */
void tls_describe_peer(gnutls_session_t session, struct tls_facts *facts);

/* tls_tickets.c: removes and returns the newest ticket that has not expired; the caller owns the block (mem_free).
 * NULL: none. */
uint8_t *tls_tickets_take(struct tls_tickets *tickets, size_t *len, uint64_t *expires_ms);

#endif
