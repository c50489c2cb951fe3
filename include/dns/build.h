/* SPDX-License-Identifier: MIT */
/* Builds responses of our own from records in wire form.
 *
 * Does:    writes the Question section of a key, then records section by section; owner names are uncompressed, but
 *          for a pointer to the Question section or to the same owner before.
 * Owns:    nothing; the message is in the caller's room.
 * Threads: any.
 * RFC:     1035 section 4.1, 2308 (SOA of negative responses).
 */
#ifndef DOTSTUB_DNS_BUILD_H
#define DOTSTUB_DNS_BUILD_H

#include "dns/message.h"

enum build_section { BUILD_ANSWER, BUILD_AUTHORITY, BUILD_ADDITIONAL };

struct build {
    struct writer writer;
    uint16_t class;
    uint16_t count[3];
    const uint8_t *owner; /* the last one that was written, in the message; NULL: none yet */
};

void build_begin(struct build *build, uint8_t *out, size_t cap, const struct key *key);
/* `owner` NULL: the name of the Question section. Sections must come in order. */
void build_record(struct build *build, enum build_section section, const uint8_t *owner, uint16_t type, uint32_t ttl,
                  const void *rdata, size_t len);
/* A SOA record in the authority section: the zone is its own server, nobody.invalid. its contact. */
void build_soa(struct build *build, enum build_section section, const uint8_t *zone, uint32_t ttl);
/* Adds the answer and authority section of a message that was walked. */
void build_append(struct build *build, const struct answer *from);
/* Returns the length, or -ENOSPC. `rcode` is at most 15. */
int build_end(struct build *build, uint16_t rcode) MUST_CHECK;

#endif
