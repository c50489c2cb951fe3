/* SPDX-License-Identifier: MIT */
/* Addresses at which dotstub itself listens: a query that is sent there comes back.
 *
 * Does:    compares an address with those of `listen`, `listen-tls` and `listen-https`; a wildcard and the name of an interface stand
 *          for the addresses that the machine has now.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_OWN_H
#define DOTSTUB_CONFIG_OWN_H

#include <stdbool.h>
#include "base/addr.h"
#include "config/draft.h"

struct ifaddrs;

/* True if a listener at `listening` takes what is sent to `addr`. `interfaces`: those on which wildcards and
 * interfaces listen; may be NULL. */
bool own_takes(const struct addr *listening, const struct addr *addr, const struct ifaddrs *interfaces);
/* Reports addresses of upstreams, routes and bootstraps that are dotstub's own. */
void own_check(struct draft *draft);

#endif
