/* SPDX-License-Identifier: MIT */
/* The steps that need no upstream, one file each.
 *
 * Threads: the worker's.
 */
#ifndef DOTSTUB_POLICY_STEPS_H
#define DOTSTUB_POLICY_STEPS_H

#include "resolve/step.h"

/* DNS cookies for clients beyond loopback (RFC 7873, 9018). Must precede step_refuse and step_rate_limit, which have
 * rules for clients without a cookie. */
extern const struct step step_discovery;
extern const struct step step_cookies;
/* rate-limit.responses: limits the responses to networks whose addresses may be forged. Must precede all steps that
 * answer allowed clients. */
extern const struct step step_rate_limit;
/* Clients outside access.allow or in access.deny-clients; meta types and classes, CHAOS; ANY from a client whose
 * address may be forged. */
extern const struct step step_refuse;
/* health.name: answered while this process accepts queries, REFUSED while it drains. */
extern const struct step step_health;
/* Records and zones of the configuration. Must precede step_hosts, which has the names that these leave to it. */
extern const struct step step_records;
/* Names of hosts files, leases and hosts.entries. */
extern const struct step step_hosts;
/* The DS of private zones (forward with private: yes). Must precede step_special. */
extern const struct step step_private;
/* Names of IPv6 addresses with the prefix of dns64. Must precede step_special: the prefix may be that of a private
 * network. Uses the state of step_dns64. */
extern const struct step step_dns64_names;
/* Special-use names, which are never forwarded (RFC 6761, 6303, 7686, 7793, 8375, 9462, 9476, 9665). */
extern const struct step step_special;

/* Block lists. Must follow the steps that answer with local data, which are not blocked, and precede step_rebind, so
 * that a blocked name may get a private address. */
extern const struct step step_block;

/* single-label: search. Must follow the steps that answer with local data, and precede step_single_label. */
extern const struct step step_search;
/* single-label: refuse. Must follow the steps that answer with local data: localhost has one label. */
extern const struct step step_single_label;

/* Replaces responses of upstreams that have private addresses. Must follow the steps that answer with local data,
 * so that it does not see their responses. */
extern const struct step step_rebind;

/* sort-addresses: the order of addresses in responses. Must follow step_rebind, as the next two, which it then does not
 * need to look at. */
extern const struct step step_sort;
/* filter-aaaa. Must follow step_sort. */
extern const struct step step_filter;
/* dns64.prefix: IPv6 addresses for names that have only IPv4 addresses, and their reverse names. Must be the last one
 * before the cache, so that the other steps see its addresses. */
extern const struct step step_dns64;

/* From now on health checks over DNS fail on this worker, also after a reload. The worker's order must contain
 * step_health. */
void health_drain(struct resolver *resolver);

#endif
