/* SPDX-License-Identifier: MIT */
/* The last step: the question is asked upstream, and the query waits. */
#include "base/errors.h"
#include "dns/codes.h"
#include "lookup.h"
#include "resolve/resolver.h"

static enum verdict run(struct query *query)
{
    if (!(query->request.flags & FLAG_RD)) { /* never upstream for it */
        query_error(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
        return ANSWERED;
    }
    if (query->resolver->stopping) {
        query_error(query, RCODE_SERVFAIL, EDE_OTHER, error_text(ERROR_STOPPING));
        return ANSWERED;
    }
    return lookup_join(query) ? WAITING : ANSWERED;
}

const struct step step_lookup = {"lookup", run, NULL};
