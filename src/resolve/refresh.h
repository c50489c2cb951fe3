/* SPDX-License-Identifier: MIT */
/* Prefetch and serve-stale.
 *
 * RFC:     8767.
 */
#ifndef DOTSTUB_RESOLVE_REFRESH_H
#define DOTSTUB_RESOLVE_REFRESH_H

#include "failures.h"
#include "resolve/query.h"

/* A key that could not be refreshed (RFC 8767 section 5: failure recheck timer), or whose refresh has begun. */
struct recheck {
    uint64_t hash;
    uint64_t until_ms;
};
#define REFRESH_SLOTS 1024

/* The state of step_cache. */
struct refresh {
    /* By hash: keys that are answered with stale data at once until a given time. */
    struct recheck failing[REFRESH_SLOTS];
    struct recheck refreshed[REFRESH_SLOTS]; /* likewise: keys that are not refreshed again until then */
    struct failures failures;                /* failed lookups (RFC 9520) */
};

/* Finds an entry that this query may get instead of a failure, and copies it into the resolver's room: an expired one, which
 * is counted, or a fresh one that another lookup has stored meanwhile, of another worker or with other flags. */
bool stale_find(const struct query *query, struct cache_found *found);
static inline bool found_is_stale(const struct cache_found *found)
{
    return found->answer.ttl == 0;
}
/* Answers the query with such an entry. NEXT: there is none. */
enum verdict stale_answer(struct query *query);
/* The key could not be refreshed: for FAILING_MS its queries get stale data at once. */
void stale_note_failure(struct resolver *resolver, uint64_t hash);
/* A usable response came for the key: forgets that its refresh or its lookup failed. */
void refresh_note_success(struct resolver *resolver, const struct key *key, uint64_t hash);
/* The worker's failed lookups. */
struct failures *refresh_failures(const struct resolver *resolver);
/* True while the key is failing. */
bool stale_is_failing(struct resolver *resolver, uint64_t hash);
/* True if this key may be refreshed in the background now; then it counts as refreshed. */
bool refresh_is_due(struct resolver *resolver, uint64_t hash);

#endif
