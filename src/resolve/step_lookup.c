/* SPDX-License-Identifier: MIT */
/* The last step: the query waits for a lookup. */
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "lookup.h"
#include "refresh.h"
#include "resolve/resolver.h"

/* --- responses --- */

/* As stale_answer, for a waiting query. */
static bool answer_stale(struct query *query)
{
    struct cache_found found;
    if (!stale_find(query, &found))
        return false;
    bool stale = found_is_stale(&found);
    if (lookup_is_worth_it(query, found.answer.rcode))
        lookup_record_answer(query, &found.answer, stale);
    if (stale)
        query->how = HOW_STALE;
    else
        refresh_note_success(query->resolver, &query->key, query->hash);
    query->server = ask_server(&query->waiter.lookup->ask);
    query_answer(query, &found.answer);
    return true;
}

static int ede_of(int error)
{
    switch (error) {
    case ERROR_NO_SERVER:
    case ERROR_NO_ADDRESS:
    case ERROR_THROTTLED:
        return EDE_NO_REACHABLE_AUTHORITY;
    case ERROR_MALFORMED:
    case ERROR_UPSTREAM_ANSWER:
    case ERROR_UPSTREAM_FORMERR:
    case ERROR_UPSTREAM_REFERRAL:
        return EDE_INVALID_DATA;
    case -ENOMEM:
    case ERROR_LIMIT:
    case ERROR_STOPPING:
        return EDE_OTHER;
    default:
        return EDE_NETWORK_ERROR;
    }
}

int lookup_explain(struct lookup *lookup, bool with_id, int *ede_code, char text[EDE_TEXT + 1])
{
    struct ask_report report;
    ask_report(&lookup->ask, 0, &report);
    int error = lookup->error ? lookup->error : report.error;
    const char *name = upstream_name(report.where);
    *ede_code = ede_of(error);
    snprintf(text, EDE_TEXT + 1, "%.*s%s%s", LOOKUP_SOURCE, name, name[0] ? ": " : "", error_text(error));
    if (with_id)
        lookup_add_id(lookup, text);
    return error;
}

static void fail_query(struct query *query)
{
    char text[EDE_TEXT + 1];
    struct query_outcome outcome = {.rcode = RCODE_SERVFAIL, .text = text};
    int error = lookup_explain(query->waiter.lookup, true, &outcome.ede_code, text);
    outcome.text_len = strlen(text);
    lookup_record(query, &outcome);
    query->server = ask_server(&query->waiter.lookup->ask);
    query_note_failure(query, error);
    struct ede_list ede = {.count = 0};
    ede_add(&ede, (uint16_t)outcome.ede_code, text, outcome.text_len);
    if (upstream_is_starting(query->waiter.lookup->group))
        ede_add(&ede, EDE_NOT_READY, NULL, 0);
    query_error_with(query, RCODE_SERVFAIL, &ede);
}

void lookup_give_up(struct query *query)
{
    struct lookup *lookup = query->waiter.lookup;
    if (list_linked(&lookup->in_leaving)) { /* its turn had nearly come */
        list_remove(&query->waiter.link);
        query->waiter.done(&query->waiter, lookup->answer);
        return;
    }
    if (query->waiter.take_stale && query->waiter.take_stale(&query->waiter))
        return;
    if (!lookup->resolver->stopping)
        lookup_note_no_response(lookup, false); /* the lookup goes on: a late response ends the failure */
    fail_query(query);
}

static void query_done(struct waiter *waiter, const struct answer *answer)
{
    struct query *query = container_of(waiter, struct query, waiter);
    if (!answer) {
        fail_query(query);
        return;
    }
    if (lookup_is_worth_it(query, answer->rcode))
        lookup_record_answer(query, answer, false);
    query->server = ask_server(&waiter->lookup->ask);
    if ((waiter->lookup->key.flags & KEY_DO) && !(query->key.flags & KEY_DO)) {
        struct answer room;
        query_answer(query, lookup_without_dnssec(waiter->lookup, answer, &room));
        return;
    }
    query_answer(query, answer);
}

static bool query_take_stale(struct waiter *waiter)
{
    return answer_stale(container_of(waiter, struct query, waiter));
}

/* --- waiting --- */

/* The group that serves the query. If the routes have changed since the query was received, the group that serves
 * its name now. */
static struct group *find_group(struct query *query)
{
    const struct groups *groups = query->resolver->groups;
    struct group *group = groups_find(groups, query->key.group);
    if (group)
        return group;
    query_route(query);
    return groups_find(groups, query->key.group);
}

static enum verdict run(struct query *query, void *state)
{
    (void)state;
    if (!(query->request.flags & FLAG_RD)) /* RD=0 never causes a lookup */
        return query_error(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
    struct group *group = find_group(query);
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    parked->how = HOW_MISS;
    parked->waiter.done = query_done;
    parked->waiter.take_stale = query_take_stale;
    if (!lookup_join(parked->resolver, group, &parked->key, parked->hash, &parked->waiter, parked->share))
        return query_give_up(parked, ERROR_LIMIT, error_text(ERROR_LIMIT));
    return WAITING;
}

const struct step step_lookup = {.name = "lookup", .run = run};
