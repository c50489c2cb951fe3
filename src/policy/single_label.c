/* SPDX-License-Identifier: MIT */
/* single-label: refuse. Names of one label are host names of the local network, which upstreams should not see.
 *
 * Only the types that look for a host are refused: the delegation and keys of a top-level domain are looked up with
 * DS, DNSKEY, NS and SOA, and our own lookups do not pass the steps. Names with a route belong to the route.
 */
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/name.h"
#include "policy/steps.h"
#include "resolve/resolver.h"

static const char wanted_mark;

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    *snapshot = config->single_label == SINGLE_LABEL_REFUSE ? (void *)&wanted_mark : NULL;
    return 0;
}

static bool looks_for_a_host(uint16_t type)
{
    return type == TYPE_A || type == TYPE_AAAA || type == TYPE_HTTPS || type == TYPE_SVCB;
}

static enum verdict run(struct query *query, void *state)
{
    const struct key *key = &query->key;
    (void)state;
    if (!looks_for_a_host(key->type) || name_labels(key->name) != 1 || query_has_route(query))
        return NEXT;
    counter_add(query->resolver->counters, COUNTER_queries_single_label, 1);
    return query_error(query, RCODE_REFUSED, EDE_PROHIBITED, "single-label name (single-label: refuse)");
}

const struct step step_single_label = {
    .name = "single-label",
    .prepare = prepare,
    .run = run,
};
