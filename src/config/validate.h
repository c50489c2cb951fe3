/* SPDX-License-Identifier: MIT */
/* From the draft to the snapshot.
 *
 * Does:    checks settings against each other; fills a snapshot.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_VALIDATE_H
#define DOTSTUB_CONFIG_VALIDATE_H

#include "config/draft.h"
#include "config/machine.h"
#include "config/snapshot.h"

/* Gives addresses their ports, adds the presets that only groups and routes name, and reports settings that
 * contradict each other. 0 or -ENOMEM. */
int validate_check(struct draft *draft) MUST_CHECK;
/* The part of validate_check for the section `block` (validate_block.c). */
void validate_block(struct draft *draft);
/* Likewise for the section `store` (store.c). */
void validate_store(struct draft *draft);
/* Likewise for dnssec.negative (negative.c). */
void validate_negative(struct draft *draft);
/* Part of validate_check: `records`, `zones` and `hosts`. */
int validate_records(struct draft *draft) MUST_CHECK;
/* Adds notices of settings that have another effect than they seem to have. 0 or -ENOMEM. */
int validate_notice(struct draft *draft) MUST_CHECK;
/* In fill.c: fills the empty snapshot from a draft without mistakes and fits it to the machine; the snapshot does not refer
 * to the draft. 0 or -ENOMEM. */
int validate_fill(struct snapshot *snapshot, const struct draft *draft, const struct machine *machine) MUST_CHECK;

/* For one route outside of a configuration, an item of `forward` in a draft that has the listeners, upstreams and groups
 * to check it against: reports its mistakes; then fills it, in the arena. 0 or -ENOMEM. */
int validate_route(struct draft *draft, const struct draft_item *route) MUST_CHECK;
int validate_fill_route(struct config_route *out, const struct draft_item *route, struct arena *arena) MUST_CHECK;

#endif
