/* SPDX-License-Identifier: MIT */
/* The RRsets of a response's answer and authority section, with their signatures.
 *
 * Does:    groups the records of a message that the strict walk has accepted; additional records are left out.
 * Owns:    its memory; the message is the caller's, and offsets refer to it.
 * Threads: any.
 */
#ifndef DOTSTUB_DNSSEC_RRSETS_H
#define DOTSTUB_DNSSEC_RRSETS_H

#include "dns/message.h"
#include "dns/name.h"

enum {
    RRSETS_MAX = 64,       /* of a response */
    RRSETS_WORK = 50000,   /* comparisons of names */
    RRSET_NONE = 0xFFFF,   /* no record */
    RRSET_SIGNATURES = 64, /* of one RRset: the others are left out */
};

enum rrset_status { RRSET_UNCHECKED, RRSET_SECURE, RRSET_INSECURE, RRSET_BOGUS };

struct rrset {
    uint8_t owner[NAME_MAX_WIRE]; /* in lower case */
    uint8_t owner_len, labels;
    uint8_t section; /* 0: answer, 1: authority */
    uint16_t type;
    uint16_t first, count;         /* records; see rrset_record */
    uint16_t first_sig, sig_count; /* RRSIG records that cover it */
    uint16_t last, last_sig;
    enum rrset_status status;
    uint8_t apex_labels; /* SECURE: of the signer's name, an ancestor of the owner */
    uint8_t from_labels; /* SECURE: less than `labels` if it was expanded from a wildcard at *.(that many labels) */
    uint32_t life_s;     /* SECURE: how long it may be kept, by its signature */
    uint8_t failed;      /* checks of signatures that failed, which are not repeated */
    bool used;           /* the response needs it, so it stays */
};

struct rrset_record {
    uint16_t fixed; /* offset of TYPE */
    uint16_t next;  /* of the same RRset, or RRSET_NONE */
    uint8_t set;    /* index; RRSETS_MAX: none, as of a signature of nothing */
};

struct rrsets {
    unsigned count, record_count;
    struct rrset *set;            /* behind the records */
    struct rrset_record record[]; /* in the order of the message */
};

/* 0; -ENOMEM; or -E2BIG: too many RRsets, or too costly to compare. */
int rrsets_new(struct rrsets **out, const struct answer *answer) MUST_CHECK;
/* NULL does nothing. */
void rrsets_free(struct rrsets *sets);
/* Of the heap. */
size_t rrsets_bytes(const struct rrsets *sets);
/* The RRset of this owner and type in a section, or NULL. */
struct rrset *rrsets_find(struct rrsets *sets, unsigned section, const uint8_t *owner, size_t len, uint16_t type);

/* The data of a record in the message. */
static inline struct bytes rrset_rdata(const uint8_t *wire, const struct rrset_record *record)
{
    return (struct bytes){wire + record->fixed + 10, read_u16(wire + record->fixed + 8)};
}

#endif
