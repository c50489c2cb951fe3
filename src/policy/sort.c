/* SPDX-License-Identifier: MIT */
/* sort-addresses: the addresses of a name come in the order of the networks in the list; those in none of them follow in
 * the order in which they came. An RRset has no order (RFC 2181 section 5), so its signature stays valid.
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "local.h"
#include "policy/steps.h"
#include "resolve/resolver.h"

enum { IPV4 = 4, IPV6 = 16, RUN_MAX = 256 /* addresses; a longer run is left as it is */ };

/* The snapshot. */
struct sort_networks {
    size_t count;
    struct prefix prefixes[];
};

struct sort {
    const struct sort_networks *networks; /* NULL only while the step is left out */
    uint8_t rank[RUN_MAX];
};

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    size_t count = config->sort_address_count;
    (void)errors;
    if (count == 0)
        return 0;
    struct sort_networks *networks = mem_alloc(sizeof *networks + count * sizeof *networks->prefixes);
    if (!networks)
        return -ENOMEM;
    networks->count = count;
    memcpy(networks->prefixes, config->sort_addresses, count * sizeof *networks->prefixes);
    *snapshot = networks;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct sort *sort = state;
    sort->networks = snapshot;
}

static bool is_address(const struct message_record *record)
{
    size_t len = record->end - record->fixed - (size_t)RECORD_RDATA;
    return (record->type == TYPE_A && len == IPV4) || (record->type == TYPE_AAAA && len == IPV6);
}

/* The place of the first network that contains the address; their number if none does. */
static uint8_t rank_of(const struct sort_networks *networks, const uint8_t *wire, const struct message_record *record)
{
    struct addr addr = {.sa.sa_family = record->type == TYPE_A ? AF_INET : AF_INET6};
    size_t i = 0;
    if (record->type == TYPE_A)
        memcpy(&addr.in.sin_addr, wire + record->fixed + RECORD_RDATA, IPV4);
    else
        memcpy(&addr.in6.sin6_addr, wire + record->fixed + RECORD_RDATA, IPV6);
    while (i < networks->count && !prefix_holds(&networks->prefixes[i], &addr))
        i++;
    return (uint8_t)i;
}

/* The end of the run of addresses of one type that begins at `first`. */
static unsigned run_end(const struct rewrite *rewrite, unsigned first)
{
    unsigned end = first;
    while (end < rewrite->section_start[1] && is_address(&rewrite->record[end]) &&
           rewrite->record[end].type == rewrite->record[first].type)
        end++;
    return end;
}

/* Chooses the run's records by their ranks, which keeps the order within a rank. True: the order has changed. */
static bool choose_run(struct sort *sort, struct rewrite *rewrite, const uint8_t *wire, unsigned first, unsigned end)
{
    bool changed = false;
    for (unsigned i = first; i < end; i++) {
        sort->rank[i - first] = rank_of(sort->networks, wire, &rewrite->record[i]);
        changed |= i > first && sort->rank[i - first] < sort->rank[i - first - 1];
    }
    for (unsigned rank = 0; rank <= sort->networks->count; rank++)
        for (unsigned i = first; i < end; i++)
            if (sort->rank[i - first] == rank)
                rewrite_choose(rewrite, 0, i);
    return changed;
}

static void choose_unsorted(struct rewrite *rewrite, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        rewrite_choose(rewrite, 0, i);
}

static bool choose_all(struct sort *sort, struct rewrite *rewrite, const uint8_t *wire)
{
    bool changed = false;
    for (unsigned i = 0, end; i < rewrite->section_start[1]; i = end) {
        end = run_end(rewrite, i);
        if (end > i + 1 && end - i <= RUN_MAX)
            changed |= choose_run(sort, rewrite, wire, i, end);
        else if (end == i)
            rewrite_choose(rewrite, 0, end++);
        else
            choose_unsorted(rewrite, i, end);
    }
    for (unsigned section = 1; section < 3 && changed; section++)
        for (unsigned i = rewrite->section_start[section]; i < rewrite->section_start[section + 1]; i++)
            rewrite_choose(rewrite, section, i);
    return changed;
}

static enum verdict answer(struct query *query, struct answer *response, void *state)
{
    struct sort *sort = state;
    struct rewrite *rewrite = query->resolver->rewrite;
    if (read_u16(response->wire + MESSAGE_ANCOUNT) < 2)
        return NEXT;
    rewrite_list(rewrite, response);
    if (!choose_all(sort, rewrite, response->wire))
        return NEXT;
    counter_add(query->resolver->counters, COUNTER_responses_sorted, 1);
    return local_keep_chosen(query, response);
}

const struct step step_sort = {
    .name = "sort-addresses",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct sort),
    .configure = configure,
    .answer = answer,
};
