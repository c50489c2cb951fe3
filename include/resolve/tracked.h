/* SPDX-License-Identifier: MIT */
/* The tracking of the root's trust anchors: the part that the daemon's main thread and step_validate share.
 *
 * Does:    holds the one struct tracking of the process. The main thread gives it sightings; step_validate, when it is
 *          prepared, takes the root's anchors from it.
 * Owns:    that, under a lock.
 * Threads: any, except where noted.
 * RFC:     5011.
 */
#ifndef DOTSTUB_RESOLVE_TRACKED_H
#define DOTSTUB_RESOLVE_TRACKED_H

#include "dnssec/tracking.h"

struct config;
struct step_set;

/* The latest query for the root's keys. Main thread only. */
struct tracked_query {
    bool wanted;      /* the anchors are tracked */
    int64_t good_s;   /* when the latest one succeeded, wall clock; 0: none has */
    uint64_t due_ms;  /* the next one, clock_ms; 0: one is under way */
    int error;        /* of the latest one; 0: it succeeded, or there was none */
    unsigned ignored; /* new keys for which there was no room */
};

/* True if this configuration has the root's anchors tracked. */
bool tracked_is_wanted(const struct config *config);
/* The anchors as configured, from which the validation of these steps begins; NULL: dnssec.mode is not `validate`. */
struct anchors *tracked_configured(const struct step_set *steps);

/* The digest of the anchors in force with these steps (anchors_digest); all zero if nothing is validated. */
void tracked_digest(const struct step_set *steps, uint8_t out[DIGEST_LEN]);

/* Begins with these configured anchors and without evidence; NULL: nothing is tracked. False: they are the same as before, and
 * nothing has changed. */
bool tracked_begin(struct anchors *configured);
/* As tracked_begin, but keeps the evidence, as far as these anchors vouch for it. */
bool tracked_go_on(struct anchors *configured);
/* Forgets the evidence, and with it all that was found and revoked. */
void tracked_forget(void);
/* As tracking_has_anchor. */
bool tracked_has_anchor(void);
/* As tracking_see. */
enum tracking_result tracked_see(struct sighting *sighting, struct tracking_change changes[TRACKING_KEYS],
                                 unsigned *count);
/* As tracking_add_anchors. */
int tracked_add_anchors(const struct anchors *configured, struct anchors *out) MUST_CHECK;
/* Copies the tracked keys; returns their number. */
unsigned tracked_list(struct tracked_key out[TRACKING_KEYS]);
/* Calls `each` for the sightings that are the saved state, in their order. Returns their number. */
unsigned tracked_each_evidence(void (*each)(void *context, const struct sighting *sighting), void *context);

/* For the control side. Main thread only. */
struct tracked_query *tracked_query(void);

#endif
