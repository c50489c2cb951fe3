/* SPDX-License-Identifier: MIT */
/* The steps that need no upstream: each is one file.
 *
 * Threads: the worker's.
 */
#ifndef DOTSTUB_POLICY_STEPS_H
#define DOTSTUB_POLICY_STEPS_H

#include "resolve/step.h"

/* Clients outside access.allow; meta types and classes, CHAOS; ANY over UDP from beyond loopback, which is sent to TCP. */
extern const struct step step_refuse;
/* health.name: answered while this process takes queries, REFUSED while it drains. */
extern const struct step step_health;
/* Special-use names, which never leave (RFC 6761, 6303, 7686, 7793, 8375, 9462, 9476, 9665). */
extern const struct step step_special;

/* From now on health checks over DNS fail on this worker, whatever configurations come. step_health must be in its order. */
void health_drain(struct resolver *resolver);

#endif
