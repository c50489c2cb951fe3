/* SPDX-License-Identifier: MIT */
/* Certificates of our own: a certification authority for one resolver, and its certificate; and what is in a
 * certificate file.
 *
 * Does:    makes keys (P-256) and certificates in PEM. The authority is limited by name constraints to the resolver's
 *          names and addresses, so its key is of no use for other sites.
 * Owns:    nothing; the caller frees the texts with mem_free.
 * Threads: any. Making a key takes a few milliseconds.
 * RFC:     5280.
 */
#ifndef DOTSTUB_NET_TLS_MAKE_H
#define DOTSTUB_NET_TLS_MAKE_H

#include <stdint.h>
#include "base/addr.h"

/* The names of a resolver. */
struct tls_subject {
    const char *name; /* host name */
    const struct addr *addresses;
    size_t address_count;
};

/* PEM texts, mem_free; zeroed: none. */
struct tls_pair {
    char *certificate, *key;
};

/* A new authority, valid for ten years. 0 or negative. */
int tls_make_authority(struct tls_pair *out, const struct tls_subject *subject) MUST_CHECK;
/* A certificate with a new key, valid for TLS_MADE_DAYS; the certificate text contains the authority's as well. 0;
 * -EINVAL: the authority is not usable (not in PEM, or its key belongs to another certificate); -EKEYREJECTED: it is
 * limited to other names; or negative. */
#define TLS_MADE_DAYS 820 /* Apple's devices refuse more than 825 */
int tls_make_certificate(struct tls_pair *out, const struct tls_pair *authority,
                         const struct tls_subject *subject) MUST_CHECK;
void tls_pair_free(struct tls_pair *pair);

/* The names in a PEM file with a chain. */
#define TLS_CHAIN_ADDRESSES 16
struct tls_chain_facts {
    char name[256];                             /* the first host name that is not a wildcard; "": none */
    struct addr addresses[TLS_CHAIN_ADDRESSES]; /* without a port */
    size_t address_count;
    int64_t expires_s;
    char *authority; /* PEM of a self-signed certificate at the end, mem_free; NULL: none */
};
/* 0, or a negative errno; -EINVAL: no certificate in PEM. */
int tls_chain_read(struct tls_chain_facts *out, const char *path) MUST_CHECK;

#endif
