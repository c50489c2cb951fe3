/* SPDX-License-Identifier: MIT */
/* Proofs that a name or a type does not exist, by NSEC and NSEC3 records of one zone.
 *
 * Does:    all names are uncompressed and in lower case. The records are those of RRsets that are secure.
 * Owns:    nothing; refers to the message and to the RRsets.
 * Threads: any.
 * RFC:     4035 section 5.4, 5155 sections 7.2 and 8, 6840 section 4, 9276 section 3.2, 9824.
 */
#ifndef DOTSTUB_DNSSEC_DENIAL_H
#define DOTSTUB_DNSSEC_DENIAL_H

#include "canonical.h"
#include "rrsets.h"

enum {
    DENIAL_RECORDS = 32,
    DENIAL_ITERATIONS = 50, /* more of them: the zone counts as insecure */
    DENIAL_HASHES = 4096,   /* SHA-1 computations for one response (CVE-2023-50868) */
};

enum denial {
    DENIAL_NONE, /* the records do not prove it */
    DENIAL_PROVEN,
    DENIAL_OPT_OUT, /* proven, except for delegations without DS (RFC 5155 section 6) */
    DENIAL_LIMIT,   /* too many hashes */
};

struct denial_nsec {
    const struct rrset *set;
    uint8_t next[NAME_MAX_WIRE];
    struct bytes types;
};
struct denial_nsec3 {
    const struct rrset *set;
    uint8_t hash[20], next[20];
    uint8_t flags;
    struct bytes types;
};

struct denial_proof {
    const uint8_t *apex;
    size_t apex_len;
    unsigned apex_labels;
    unsigned nsec_count, nsec3_count;
    struct denial_nsec nsec[DENIAL_RECORDS];
    struct denial_nsec3 nsec3[DENIAL_RECORDS];
    struct bytes salt; /* of all NSEC3 records here */
    unsigned iterations;
    bool many_iterations; /* there is a NSEC3 record with more than DENIAL_ITERATIONS */
    unsigned *hashes;     /* the number computed so far */
};

/* Collects the secure NSEC and NSEC3 RRsets whose zone has this apex. */
void denial_collect(struct denial_proof *proof, const struct rrsets *sets, const uint8_t *wire, const uint8_t *apex,
                    size_t apex_len, unsigned *hashes);
/* Whether `name`, below or at the apex, has no records of the type (NODATA), or does not exist (`nxdomain`). */
enum denial denial_check(struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain);
/* Whether no name is closer to `name` than the wildcard at *.(from_labels) that it was expanded from. */
enum denial denial_check_wildcard(struct denial_proof *proof, const uint8_t *name, size_t len, unsigned from_labels);

/* --- denial_nsec.c and denial_nsec3.c --- */
enum denial nsec_check(const struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain);
enum denial nsec_check_wildcard(const struct denial_proof *proof, const uint8_t *name, size_t len,
                                unsigned from_labels);
enum denial nsec3_check(struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain);
enum denial nsec3_check_wildcard(struct denial_proof *proof, const uint8_t *name, size_t len, unsigned from_labels);
/* Reads a NSEC or NSEC3 record. False: it is not of a form that can be used. */
bool nsec_read(const struct rrset *set, const struct rrsets *sets, const uint8_t *wire, struct denial_nsec *out);
bool nsec3_read(const struct rrset *set, const struct rrsets *sets, const uint8_t *wire, struct denial_nsec3 *out,
                struct bytes *salt, unsigned *iterations);

/* True if the types of an existing name show that it has neither `type` nor an alias; `is_root`: the name is the root.
 * The parent's record at a delegation says nothing of other types than DS, and the child's nothing of DS. */
bool denial_is_nodata(struct bytes types, uint16_t type, bool is_root);
/* True if names below one with these types are not in its zone: a delegation, or a DNAME. */
bool denial_ends_zone(struct bytes types);
/* True if these types are those of a delegation. */
bool denial_is_delegation(struct bytes types);
/* Writes "*." and the ancestor of `name` with this number of labels. Returns the length; 0: too long. */
size_t denial_wildcard(const uint8_t *name, size_t len, unsigned labels, uint8_t out[NAME_MAX_WIRE]);

#endif
