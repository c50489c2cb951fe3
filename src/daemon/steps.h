/* SPDX-License-Identifier: MIT */
/* THE order of the steps that a query passes. */
#ifndef DOTSTUB_DAEMON_STEPS_H
#define DOTSTUB_DAEMON_STEPS_H

#include "resolve/step.h"

extern const struct step *const daemon_steps[]; /* ends with NULL */

#endif
