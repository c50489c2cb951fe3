/* SPDX-License-Identifier: MIT */
/* single-label: search. The address or service of a name with one label is that of the first name, of the label and a
 * domain of `search`, that has one; the response is a CNAME record to that name, and its records.
 *
 * Each name is a query of its own through all steps, so it may be local data, or have a route. Names without an
 * upstream are never sent to one: at the end of the list the name does not exist.
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"
#include "resolve/resolver.h"
#include "resolve/subquery.h"

enum {
    SEARCH_TTL =
        60, /* seconds: of the CNAME record and of its absence; a domain earlier in the list may get the name */
    /* The number that a subquery carries: the place of its domain, and what the earlier domains said. */
    PLACE = 0xFF,
    HAS_NODATA = 0x100,
    HAS_FAILED = 0x200,
};

struct search_domain {
    uint8_t len;
    uint8_t name[NAME_MAX_WIRE];
};

/* The snapshot. */
struct search_list {
    unsigned count;
    struct search_domain domains[];
};

struct domain_search {
    const struct search_list *list; /* NULL while the step is left out */
    struct subqueries subqueries;
};

/* --- the configuration --- */

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    if (config->single_label != SINGLE_LABEL_SEARCH)
        return 0;
    struct search_list *list = mem_zalloc(1, sizeof *list + config->search_count * sizeof *list->domains);
    if (!list)
        return -ENOMEM;
    for (; list->count < config->search_count; list->count++) {
        struct search_domain *domain = &list->domains[list->count];
        int len = name_from_text(domain->name, config->search[list->count]);
        if (len < 0) {
            mem_free(list);
            return len;
        }
        domain->len = (uint8_t)len;
    }
    *snapshot = list;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct domain_search *search = state;
    search->list = snapshot;
}

/* --- searching --- */

/* False: the name would be too long. */
static bool make_key(struct key *out, const struct key *single, const struct search_domain *domain)
{
    size_t label = 1 + (size_t)single->name[0];
    if (label + domain->len > NAME_MAX_WIRE)
        return false;
    *out = (struct key){.type = single->type, .class = single->class, .flags = single->flags & KEY_CD};
    memcpy(out->name, single->name, label);
    name_lower(out->name + label, domain->name, domain->len);
    out->name_len = (uint8_t)(label + domain->len);
    return true;
}

static enum verdict answer_absent(struct query *query, unsigned data)
{
    if (data & HAS_FAILED)
        return query_error(query, RCODE_SERVFAIL, EDE_OTHER, "a domain of search gave no answer");
    char owner[NAME_MAX_TEXT], text[NAME_MAX_TEXT + 64];
    name_text(query->key.name, owner);
    snprintf(text, sizeof text, "%s nobody.invalid. 1 3600 1200 604800 %d", owner, SEARCH_TTL);
    const struct record_text soa = {owner, "SOA", SEARCH_TTL, text};
    return local_answer(query, data & HAS_NODATA ? RCODE_NOERROR : RCODE_NXDOMAIN, NULL, 0, &soa, 1);
}

/* The flag for a response without an answer. */
static unsigned note_of(const struct answer *answer)
{
    if (!answer || !answer->wire || !answer_is_conclusive(answer))
        return HAS_FAILED;
    return answer->rcode == RCODE_NOERROR ? HAS_NODATA : 0;
}

static bool has_answer(const struct answer *answer)
{
    return answer && answer->wire && answer->rcode == RCODE_NOERROR && read_u16(answer->wire + MESSAGE_ANCOUNT) > 0;
}

/* Queries for the names from this place on. */
static enum verdict search_from(struct domain_search *search, struct query *query, unsigned data)
{
    const struct search_list *list = search->list;
    struct answer answer;
    struct key key;
    for (unsigned place = data & PLACE; list && place < list->count; place++) {
        if (!make_key(&key, &query->key, &list->domains[place]))
            continue;
        data = (data & ~(unsigned)PLACE) | place;
        enum verdict verdict = subquery_ask(&search->subqueries, query, &key, data, &answer);
        if (verdict != NEXT)
            return verdict;
        if (has_answer(&answer))
            return local_alias(query, key.name, key.name_len, SEARCH_TTL, &answer);
        data |= note_of(&answer);
    }
    return answer_absent(query, data);
}

/* The domain at this place has answered. After a reload it may be another one. */
static enum verdict done(struct query *query, const struct answer *answer, unsigned data, void *context)
{
    struct domain_search *search = context;
    const struct search_list *list = search->list;
    unsigned place = data & PLACE;
    struct key key;
    if (!has_answer(answer))
        return search_from(search, query, (data | note_of(answer)) + 1);
    if (!list || place >= list->count || !make_key(&key, &query->key, &list->domains[place]) ||
        !message_answers((struct bytes){answer->wire, answer->len}, &key))
        return search_from(search, query, data & ~(unsigned)PLACE);
    return local_alias(query, key.name, key.name_len, SEARCH_TTL, answer);
}

static bool looks_for_a_host(uint16_t type)
{
    return type == TYPE_A || type == TYPE_AAAA || type == TYPE_HTTPS || type == TYPE_SVCB;
}

static enum verdict run(struct query *query, void *state)
{
    const struct key *key = &query->key;
    if (!(query->request.flags & FLAG_RD) || !looks_for_a_host(key->type) || name_labels(key->name) != 1 ||
        query_has_route(query))
        return NEXT;
    counter_add(query->resolver->counters, COUNTER_queries_searched, 1);
    return search_from(state, query, 0);
}

static void fini(void *state)
{
    struct domain_search *search = state;
    subqueries_fini(&search->subqueries);
}

static int init(struct resolver *resolver, void *state)
{
    struct domain_search *search = state;
    return subqueries_init(&search->subqueries, resolver, done, search);
}

const struct step step_search = {
    .name = "search",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct domain_search),
    .init = init,
    .configure = configure,
    .run = run,
    .fini = fini,
};
