/* SPDX-License-Identifier: MIT */
#include "steps.h"
#include "policy/steps.h"

const struct step *const daemon_steps[] = {
    &step_cookies,      /* finds clients whose address is not forged */
    &step_rate_limit,   /* rate-limit.responses */
    &step_refuse,       /* refuses clients by policy, and types that are never resolved */
    &step_health,       /* health.name */
    &step_records,      /* records and zones of the configuration */
    &step_hosts,        /* names of hosts files, leases and hosts.entries */
    &step_private,      /* the DS of private zones */
    &step_dns64_names,  /* dns64.prefix: the names of its addresses */
    &step_discovery,    /* discovery.name: _dns.resolver.arpa */
    &step_special,      /* special-use names */
    &step_search,       /* single-label: search */
    &step_single_label, /* single-label: refuse */
    &step_block,        /* block.lists */
    &step_rebind,       /* private addresses in responses from the steps below */
    &step_sort,         /* sort-addresses */
    &step_filter,       /* filter-aaaa */
    &step_dns64,        /* dns64.prefix */
    &step_validate,     /* dnssec: the trust anchors, for lookups */
    &step_cache,        /* hits */
    &step_lookup,       /* misses: the query waits for a lookup */
    NULL,
};
