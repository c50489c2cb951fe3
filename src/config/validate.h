/* SPDX-License-Identifier: MIT */
/* From the draft to the snapshot.
 *
 * Does:    checks what only the whole can show; fills a snapshot.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_SETTLE_H
#define DOTSTUB_CONFIG_SETTLE_H

#include "config/draft.h"
#include "config/machine.h"
#include "config/snapshot.h"

/* Gives addresses their ports and reports what does not fit together. */
void validate_check(struct draft *draft);
/* Fills the empty snapshot from a draft that has no mistakes and fits it to the machine; nothing of the
 * draft is needed afterwards. 0 or -ENOMEM. */
int validate_fill(struct snapshot *snapshot, const struct draft *draft, const struct machine *machine) MUST_CHECK;

#endif
