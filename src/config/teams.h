/* SPDX-License-Identifier: MIT */
/* Which upstreams serve names together.
 *
 * Does:    makes the teams of a configuration from its upstreams, groups and routes.
 * Owns:    nothing; the teams are in the caller's arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_TEAMS_H
#define DOTSTUB_CONFIG_TEAMS_H

#include "config/arena.h"
#include "config/config.h"

/* Makes no teams if there is no group, no route and no routed upstream. 0 or -ENOMEM. */
int teams_fill(struct config *config, struct arena *arena) MUST_CHECK;

#endif
