/* SPDX-License-Identifier: MIT */
#include "steps.h"
#include "policy/steps.h"

const struct step *const daemon_steps[] = {
    &step_refuse,  /* who may not ask, what is never asked */
    &step_health,  /* health.name */
    &step_special, /* names that never leave */
    &step_cache,   /* answered already */
    &step_lookup,  /* asked upstream; the query waits */
    NULL,
};
