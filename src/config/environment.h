/* SPDX-License-Identifier: MIT */
/* Reads DOTSTUB_... variables into the draft.
 *
 * Does:    sets the setting that each variable names; reports unknown variables. DOTSTUB_TEST_... belong to the
 *          tests and are ignored.
 * Owns:    nothing; a copy of each variable is in the draft's arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_ENVIRONMENT_H
#define DOTSTUB_CONFIG_ENVIRONMENT_H

#include "config/draft.h"

/* Applies the variables ("NAME=value", NULL-terminated; NULL: none) to the draft. 0 or -ENOMEM. */
int environment_apply(struct draft *draft, char *const *variables) MUST_CHECK;

#endif
