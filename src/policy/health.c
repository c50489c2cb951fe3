/* SPDX-License-Identifier: MIT */
/* A name for health checks over DNS.
 *
 * The answer is the worker's own, so that a check sees this process and no upstream: an address that nobody would use, or no
 * data.
 */
#include <string.h>
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

static enum verdict answer(struct query *query)
{
    struct record_text record = {.type = query->key.type == TYPE_A ? "A" : "AAAA"};
    record.rdata = query->key.type == TYPE_A ? "127.0.0.1" : "::1";
    return local_answer(query, RCODE_NOERROR, &record, query->key.type == TYPE_A || query->key.type == TYPE_AAAA, NULL,
                        0);
}

static enum verdict run(struct query *query)
{
    const struct resolver *resolver = query->resolver;
    if (query->key.name_len != resolver->health_len ||
        memcmp(query->key.name, resolver->health, resolver->health_len) != 0)
        return NEXT;
    if (!resolver->draining)
        return answer(query);
    query_error(query, RCODE_REFUSED, EDE_OTHER, "draining");
    return ANSWERED;
}

static bool wanted(const struct config *config)
{
    return config->health_name != NULL;
}

const struct step step_health = {"health", run, wanted};
