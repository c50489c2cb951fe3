/* SPDX-License-Identifier: MIT */
/* The checks of `views`, and the parts of those of `forward` and `groups` that views need as well.
 *
 * Does:    reports mistakes in the draft.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_VALIDATE_VIEWS_H
#define DOTSTUB_CONFIG_VALIDATE_VIEWS_H

#include "config/draft.h"

/* Finds the upstreams that views and their routes name; adds presets. 0 or -ENOMEM. */
int validate_views_upstreams(struct draft *draft) MUST_CHECK;
void validate_views(struct draft *draft);

/* In validate_upstreams.c and validate_routes.c. `list` is the key for reports; `items` have a setting "upstreams". */
int validate_upstreams_of(struct draft *draft, const char *list, const struct setting *items) MUST_CHECK;
void validate_group_exists(struct draft *draft, const char *list, const struct setting *group);
/* Checks a route of the list `routes`, whose zones must differ. */
void validate_route_among(struct draft *draft, const struct setting *routes, const struct draft_item *route);

#endif
