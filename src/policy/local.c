/* SPDX-License-Identifier: MIT */
#include "local.h"
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "dns/synthesis.h"

enum verdict local_answer(struct query *query, uint16_t rcode, const struct record_text *answer, unsigned answers,
                          const struct record_text *authority, unsigned authorities)
{
    return local_send(query, records_answer(query->resolver->big, RESOLVER_BIG, &query->key, rcode, answer, answers,
                                            authority, authorities));
}

enum verdict local_send(struct query *query, int len)
{
    struct resolver *resolver = query->resolver;
    struct answer local;
    if (len < 0 || message_own_answer(resolver->big, (size_t)len, resolver->scratch, &local) < 0)
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "out of memory");
    counter_add(resolver->counters, COUNTER_responses_local, 1);
    query->how = HOW_LOCAL;
    return query_answer(query, &local);
}

enum verdict local_keep_chosen(struct query *query, struct answer *response)
{
    query_own_response(query, response); /* moves it out of the memory that the rewrite writes to */
    if (rewrite_chosen(query->resolver->rewrite, response) == 0)
        query_own_response(query, response);
    response->ttl_offsets = NULL;
    response->ttl_count = 0;
    return REPLACED;
}

bool local_serves_beyond_loopback(const struct config *config)
{
    for (size_t i = 0; i < config->access.allow_count; i++)
        if (!prefix_is_loopback(&config->access.allow[i]))
            return true;
    return false;
}

enum verdict local_alias(struct query *query, const uint8_t *target, size_t len, uint32_t ttl,
                         const struct answer *rest)
{
    struct resolver *resolver = query->resolver;
    struct synthesis synthesis;
    struct answer made;
    synthesis_begin(&synthesis, resolver->big, RESOLVER_BIG, &query->key, rest->rcode);
    synthesis_alias(&synthesis, target, len, ttl);
    (void)synthesis_copy_answer(&synthesis, rest, resolver->rewrite);
    synthesis_copy_soa(&synthesis, rest, resolver->rewrite);
    size_t size = synthesis_end(&synthesis);
    if (size == 0 || message_own_answer(resolver->big, size, resolver->scratch, &made) < 0)
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "the response of the alias is too long");
    made.ede = rest->ede;
    query->how = query->parked ? HOW_MISS : HOW_HIT;
    return query_answer(query, &made);
}
