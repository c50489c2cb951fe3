/* SPDX-License-Identifier: MIT */
/* The root's trust anchors over time: which keys of its DNSKEY RRset are accepted as anchors, and which anchors are revoked.
 *
 * Does:    a state machine without input or output; tracking.c has its table. It begins with the configured anchors and takes
 *          sightings in their order. The sightings that changed something are its evidence: with the configured anchors they
 *          are the whole state, because the same sightings lead to the same states again. So a saved state proves itself by
 *          the root's signatures, and a program that can write to it can neither add a key nor revoke one (docs/dnssec.md).
 * Owns:    its memory; the configured anchors are referenced.
 * Threads: one at a time.
 * RFC:     5011. Stricter: a key that was revoked while it waited is never accepted, removed keys are remembered, and with all
 *          anchors revoked everything is bogus, not insecure (section 5).
 */
#ifndef DOTSTUB_DNSSEC_TRACKING_H
#define DOTSTUB_DNSSEC_TRACKING_H

#include "dnssec/anchors.h"
#include "dnssec/sighting.h"

enum {
    TRACKING_KEYS = 16,                   /* further new keys are ignored */
    TRACKING_EVIDENCE = 24,               /* sightings; a change that needs one more is refused */
    TRACKING_REVOCATIONS = TRACKING_KEYS, /* further sightings that revoke a trusted key */
    TRACKING_HOLD_S = 30 * 86400,         /* add and remove hold-down; the first one at least as long as the TTL */
    TRACKING_HOUR_S = 3600,               /* the least time between queries */
    TRACKING_DAY_S = 86400,               /* the most between queries that fail */
    TRACKING_FORTNIGHT_S = 15 * 86400,    /* the most between queries */
};

/* RFC 5011 section 4. */
enum tracking_state {
    TRACKING_START,   /* not a key that is tracked */
    TRACKING_PENDING, /* AddPend: seen, not trusted yet */
    TRACKING_VALID,
    TRACKING_MISSING, /* trusted, but not in the latest RRset */
    TRACKING_REVOKED,
    TRACKING_REMOVED, /* revoked, and no longer in the RRset */
    TRACKING_STATES,
};

enum tracking_event {
    TRACKING_NEW_KEY,     /* a key that may become an anchor is in the RRset */
    TRACKING_PRESENT,     /* KeyPres: the key is in the RRset */
    TRACKING_ABSENT,      /* KeyRem: it is not, or not in a form that counts */
    TRACKING_ADD_TIME,    /* AddTime: it is in the RRset, after the add hold-down */
    TRACKING_REVOKE_BIT,  /* RevBit: it is there with the bit REVOKE and has signed that */
    TRACKING_REMOVE_TIME, /* RemTime: it was revoked and has not been in the RRset for the remove hold-down */
    TRACKING_EVENTS,
};

struct tracked_key {
    enum tracking_state state;
    bool configured; /* else it was found by tracking */
    uint16_t tag;    /* of the key without the bit REVOKE */
    uint8_t algorithm;
    int64_t since_s; /* when the state began, wall clock; 0: it was configured */
    int64_t seen_s;  /* when the key was last in the RRset; 0: never since the start */
    int64_t hold_s;  /* PENDING: the add hold-down */
    struct bytes ds; /* of a configured key: its DS record, borrowed from the configured anchors; else empty */
    uint16_t len;    /* 0: the key itself is not known yet */
    uint8_t dnskey[SIGHTING_KEY_MAX]; /* without the bit REVOKE */
};

struct tracked_keys {
    unsigned count, ignored; /* ignored: new keys of the latest sighting for which there was no room */
    struct tracked_key key[TRACKING_KEYS];
};

struct tracking {
    struct anchors *configured; /* a reference */
    struct tracked_keys now;
    struct sighting *evidence[TRACKING_EVIDENCE + TRACKING_REVOCATIONS + 1];
    unsigned evidence_count;
};

/* A change of one key's state. */
struct tracking_change {
    struct tracked_key key; /* after it */
    enum tracking_state before;
};

enum tracking_result {
    TRACKING_UNTRUSTED, /* no trusted key has signed the RRset, which changed nothing */
    TRACKING_UNCHANGED,
    TRACKING_CHANGED, /* states have changed; if all changes are between VALID and MISSING, nothing else is to be done */
    TRACKING_REFUSED, /* too many changes (TRACKING_EVIDENCE), and none revokes a trusted key; nothing has changed */
};

/* The table: the state that follows. */
enum tracking_state tracking_next(enum tracking_state state, enum tracking_event event);
/* "valid" and so on. */
const char *tracking_state_text(enum tracking_state state);
/* A key in this state is an anchor. */
static inline bool tracking_is_trusted(enum tracking_state state)
{
    return state == TRACKING_VALID || state == TRACKING_MISSING;
}

/* Begins with the root's anchors in `configured`, of which it takes a reference; with NULL it has no keys. */
void tracking_init(struct tracking *tracking, struct anchors *configured);
void tracking_fini(struct tracking *tracking);
/* Takes over the sighting. Writes at most TRACKING_KEYS changes, with their number in *count. */
enum tracking_result tracking_see(struct tracking *tracking, struct sighting *sighting,
                                  struct tracking_change changes[TRACKING_KEYS], unsigned *count);

/* False: all anchors of the root are revoked, or of an algorithm or digest that is not supported. */
bool tracking_has_anchor(const struct tracking *tracking);
/* Adds to `out`, which has no anchor of the root, what the evidence leads to from these configured anchors: their
 * anchors of the root without those that were revoked, and those that were found. If all that are
 * supported are revoked, also a record that no key can match, so that all signed data is bogus. 0 or -ENOMEM. */
int tracking_add_anchors(const struct tracking *tracking, const struct anchors *configured,
                         struct anchors *out) MUST_CHECK;

/* The seconds until the next query (section 2.3), after this sighting, which a trusted key has signed; and after a query that
 * failed, with the latest such sighting; NULL: none. */
int64_t tracking_query_interval(const struct sighting *sighting);
int64_t tracking_retry_interval(const struct sighting *sighting);

#endif
