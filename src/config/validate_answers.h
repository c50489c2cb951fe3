/* SPDX-License-Identifier: MIT */
/* The checks of settings that change answers: dns64, search.
 *
 * Does:    reports mistakes in the draft.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_VALIDATE_ANSWERS_H
#define DOTSTUB_CONFIG_VALIDATE_ANSWERS_H

#include "config/draft.h"

void validate_answers(struct draft *draft);

#endif
