/* SPDX-License-Identifier: MIT */
/* The last step: the question is asked upstream, and the query waits. */
#include "dns/codes.h"
#include "lookup.h"
#include "resolve/query.h"

static enum verdict run(struct query *query, void *state)
{
    (void)state;
    if (!(query->request.flags & FLAG_RD)) /* never upstream for it */
        return query_error(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
    return lookup_join(query);
}

const struct step step_lookup = {.name = "lookup", .run = run};
