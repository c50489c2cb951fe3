/* SPDX-License-Identifier: MIT */
/* Facts that a validation has learned: the keys of a zone, and whether a name is the apex of a signed zone.
 *
 * Owns:    copies of keys and DS records.
 */
#ifndef DOTSTUB_DNSSEC_FACTS_H
#define DOTSTUB_DNSSEC_FACTS_H

#include "dnssec/validation.h"
#include "signature.h"

enum fact_kind {
    FACT_DATA,     /* keys of a zone, or usable DS records */
    FACT_INSECURE, /* nothing is signed there: a delegation without usable DS, or the name lies in an insecure zone */
    FACT_NO_CUT,   /* the name is not the apex of a zone; or, for a DNSKEY, it has no keys */
    FACT_NO_NAME,  /* the name, and thus every name below it, does not exist */
    FACT_BOGUS,    /* there is no secure response */
};

enum {
    FACT_KEYS = 64,
    FACT_BYTES = 16384, /* of keys or DS records; further ones are left out */
};

struct fact {
    struct fact *next;
    uint8_t name[NAME_MAX_WIRE];
    uint8_t len;
    uint16_t type; /* DS or DNSKEY */
    enum fact_kind kind;
    bool unsettled; /* INSECURE because the clock may be behind */
    int ede_code;   /* BOGUS, INSECURE */
    char ede_text[EDE_TEXT + 1];
    uint16_t room;  /* bytes of `keys` and of the records behind them */
    unsigned count; /* DATA */
    /* Of DNSKEY; of DS: tag, algorithm and the whole data. As many as the response may have, FACT_KEYS at most. */
    struct zone_key keys[];
};

/* Reads a response. NULL: out of memory. */
struct fact *fact_new(const uint8_t *name, size_t len, uint16_t type, enum dnssec_verdict verdict,
                      const struct answer *answer);
/* As fact_new with BOGUS; `text` may be NULL. */
struct fact *fact_new_bogus(const uint8_t *name, size_t len, uint16_t type, int ede_code, const char *text);
void fact_free(struct fact *fact);
static inline size_t fact_bytes(const struct fact *fact)
{
    return sizeof *fact + fact->room;
}

/* Chooses the records of a DS RRset, or of an anchor, that count: of supported algorithms and digests, without SHA-1 if
 * there is a stronger one (RFC 4509 section 3). Returns their number; *ede_code is set if that is 0. */
unsigned facts_choose_ds(struct zone_key *list, unsigned count, int *ede_code);
/* True if the DS record is of this key. */
bool facts_ds_matches(struct bytes ds, struct bytes owner, struct bytes dnskey);

#endif
