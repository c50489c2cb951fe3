/* SPDX-License-Identifier: MIT */
/* From DOTSTUB_... variables to the draft.
 *
 * Does:    takes each as the setting of that name; reports unknown ones. DOTSTUB_TEST_... belong to the tests
 *          and are left alone.
 * Owns:    nothing; a copy of each variable lies in the draft's arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_ENVIRONMENT_H
#define DOTSTUB_CONFIG_ENVIRONMENT_H

#include "config/draft.h"

/* Lays the variables ("NAME=value", NULL-terminated; NULL: none) over the draft. 0 or -ENOMEM. */
int environment_apply(struct draft *draft, char *const *variables) MUST_CHECK;

#endif
