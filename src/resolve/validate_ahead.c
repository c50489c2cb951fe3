/* SPDX-License-Identifier: MIT */
/* Queries for keys and DS that the validation of a lookup will probably need: they leave together with its own query, so that
 * a cold name costs about one round trip.
 *
 * Invariant: these lookups have no waiter and count as dependent, so they take no place of a client's lookup; a later
 * validation joins them (lookup_await), or finds their response in the cache.
 */
#include "refresh.h"
#include "validator.h"

enum { AHEAD_MOST = 8 }; /* queries ahead of one lookup */

/* The knowledge of a key. */
enum known { KNOWN_NOT, KNOWN_SECURE, KNOWN_OTHERWISE, KNOWN_PENDING };

static enum known look(struct resolver *resolver, const struct key *key, uint64_t hash)
{
    struct cache_found found;
    struct answer denied;
    switch (cache_get(resolver->cache, key, hash, loop_now(resolver->loop), CACHE_PEEK, 0, validator_of(resolver)->room,
                      MESSAGE_MAX, &found)) {
    case CACHE_HIT:
        return found.answer.authenticated ? KNOWN_SECURE : KNOWN_OTHERWISE;
    default:
        if (lookup_find(resolver, key, hash) || lookup_has_failed(resolver, key, hash))
            return KNOWN_PENDING;
        return denied_find(resolver, key, &denied) ? KNOWN_SECURE : KNOWN_NOT;
    }
}

/* Starts a lookup of the key if nothing is known of it. */
static enum known ask_ahead(struct lookup *parent, const struct key *key, unsigned *left)
{
    struct resolver *resolver = parent->resolver;
    uint64_t hash = key_hash(key);
    enum known known = look(resolver, key, hash);
    /* The places for lookups that others wait for must not be used up. */
    if (known != KNOWN_NOT || *left == 0 || resolver->dependent_lookups > resolver->lookups.limit / 8)
        return known;
    struct lookup *lookup = lookup_new(resolver, parent->group, key, hash, parent->depth + 1u);
    if (!lookup)
        return KNOWN_PENDING;
    --*left;
    counter_add(resolver->counters, COUNTER_dnssec_ahead, 1);
    (void)lookup_advance(lookup, STAGE_STORE);
    return KNOWN_PENDING;
}

/* The key of a suffix of the name. */
static void key_of(const struct lookup *lookup, const uint8_t *suffix, uint16_t type, struct key *out)
{
    key_copy_ancestor(out, &lookup->key, (unsigned)(suffix - lookup->key.name));
    out->type = type;
    out->flags = KEY_DO;
}

/* Zone cuts are likely at the first two labels, and less so further down, where only the DS is asked for: it says whether
 * there is one. The first label of a longer name is mostly that of a host. */
static void ask_at(struct lookup *lookup, const uint8_t *suffix, unsigned labels, unsigned *left, bool *ends)
{
    enum { LIKELY = 2 };
    struct key key;
    enum known ds = KNOWN_SECURE;
    if (labels > 0) {
        key_of(lookup, suffix, TYPE_DS, &key);
        ds = ask_ahead(lookup, &key, left);
    }
    *ends = ds == KNOWN_OTHERWISE; /* nothing below is signed */
    if (*ends || labels > LIKELY)
        return;
    key_of(lookup, suffix, TYPE_DNSKEY, &key);
    (void)ask_ahead(lookup, &key, left);
}

void lookup_ask_ahead(struct lookup *lookup)
{
    const struct resolver *resolver = lookup->resolver;
    struct validator *validator = validator_of(resolver);
    const struct key *key = &lookup->key;
    unsigned labels = name_labels(key->name), left = AHEAD_MOST, last = labels > 2 ? labels - 1 : labels;
    struct bytes zone;
    bool ends = false;
    if (!validator || !validator->anchors || lookup->dependent || (key->flags & KEY_CD) || key->class != CLASS_IN ||
        key->type == TYPE_DS || key->type == TYPE_DNSKEY || groups_is_unvouched(resolver->groups, key, &zone))
        return;
    const struct anchor *anchor =
        anchors_closest(validator->anchors, key->name, key->name_len, loop_now(resolver->loop));
    const struct anchors *negatives = negatives_of(validator);
    if (!anchor || anchor->negative ||
        (negatives && anchors_closest(negatives, key->name, key->name_len, loop_now(resolver->loop))))
        return;
    for (unsigned i = name_labels(anchor->name); i <= last && left > 0 && !ends; i++) {
        const uint8_t *suffix = key->name;
        for (unsigned skip = labels - i; skip > 0; skip--)
            suffix += 1 + (size_t)*suffix;
        ask_at(lookup, suffix, i, &left, &ends);
    }
}
