/* SPDX-License-Identifier: MIT */
/* Aggressive use of the denial cache (RFC 8198): each worker keeps the proofs of the responses that it has validated. */
#include "base/errors.h"
#include "validator.h"

static struct denials_context context_of(const struct resolver *resolver, const struct key *key)
{
    const struct config *config = resolver->config;
    uint32_t most_s = config->cache.negative_max_ttl;
    return (struct denials_context){
        .group = key->group,
        .epoch = cache_epoch(resolver->cache),
        .now_ms = loop_now(resolver->loop),
        .most_s = most_s < config->cache.max_ttl ? most_s : config->cache.max_ttl,
    };
}

/* As lookup_store: not if nobody caches the response, or if it is from before a flush or of another definition of the
 * group. */
static bool may_learn(const struct lookup *lookup, const struct denials_context *context)
{
    return lookup->epoch == context->epoch && !group_is_portal(lookup->group) && lookup_is_current(lookup);
}

void denied_learn(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    struct denials *denials = validator_of(resolver)->denials;
    struct denials_context context = context_of(resolver, &lookup->key);
    if (!denials || !may_learn(lookup, &context))
        return;
    context.now_ms = lookup->validating_ms; /* when the response was received */
    uint64_t evicted = denials_stats(denials).evicted;
    unsigned kept = denials_learn(denials, lookup->validation->validation, lookup->answer, &context);
    counter_add(resolver->counters, COUNTER_dnssec_proofs, kept);
    counter_add(resolver->counters, COUNTER_dnssec_proofs_evicted, denials_stats(denials).evicted - evicted);
}

bool denied_find(struct resolver *resolver, const struct key *key, struct answer *out)
{
    if (resolver->config->dnssec.mode != DNSSEC_MODE_VALIDATE)
        return false;
    const struct validator *validator = validator_of(resolver);
    if (!validator || !validator->denials || !validator->anchors)
        return false;
    struct dnssec_context trust = validate_context(resolver, key);
    struct denials_context context = context_of(resolver, key);
    size_t len = denials_answer(validator->denials, key, &trust, &context, validator->room);
    if (len == 0)
        return false;
    *out = (struct answer){
        .wire = validator->room,
        .len = len,
        .rcode = read_u16(validator->room + MESSAGE_FLAGS) & 0xF,
        .additional = (uint16_t)len,
        .authenticated = true,
    };
    return true;
}
