/* SPDX-License-Identifier: MIT */
/* The steps that need no upstream, one file each.
 *
 * Threads: the worker's.
 */
#ifndef DOTSTUB_POLICY_STEPS_H
#define DOTSTUB_POLICY_STEPS_H

#include "resolve/step.h"

/* Clients outside access.allow; meta types and classes, CHAOS; ANY over UDP from beyond loopback, which gets TC=1. */
extern const struct step step_refuse;
/* health.name: answered while this process accepts queries, REFUSED while it drains. */
extern const struct step step_health;
/* Special-use names, which are never forwarded (RFC 6761, 6303, 7686, 7793, 8375, 9462, 9476, 9665). */
extern const struct step step_special;

/* From now on health checks over DNS fail on this worker, also after a reload. The worker's order must contain
 * step_health. */
void health_drain(struct resolver *resolver);

#endif
