/* SPDX-License-Identifier: MIT */
/* filter-aaaa: leaves AAAA records out of the responses of upstreams. The names exist as before, so an answer of
 * nothing else becomes NODATA. Local data is answered by steps before this one, so its responses do not come here.
 *
 * A signed answer for a client that requested signatures is left as it is: the client may validate it, and would
 * take one without the records for a forgery.
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/rewrite.h"
#include "local.h"
#include "policy/steps.h"
#include "resolve/resolver.h"

/* The snapshot. */
struct filter_clients {
    size_t count; /* 0: all clients */
    struct prefix prefixes[];
};

struct aaaa_filter {
    const struct filter_clients *clients; /* NULL only while the step is left out */
};

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    size_t count = config->filter_aaaa_client_count;
    (void)errors;
    if (!config->filter_aaaa)
        return 0;
    struct filter_clients *clients = mem_alloc(sizeof *clients + count * sizeof *clients->prefixes);
    if (!clients)
        return -ENOMEM;
    clients->count = count;
    if (count > 0)
        memcpy(clients->prefixes, config->filter_aaaa_clients, count * sizeof *clients->prefixes);
    *snapshot = clients;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct aaaa_filter *filter = state;
    filter->clients = snapshot;
}

static bool is_for(const struct filter_clients *clients, const struct query *query)
{
    return clients->count == 0 || prefixes_hold(clients->prefixes, clients->count, &query->origin.client);
}

/* Chooses all records but those of type AAAA. Returns the number of these. */
static unsigned choose_others(struct rewrite *rewrite)
{
    unsigned left_out = 0;
    for (unsigned section = 0; section < 3; section++)
        for (unsigned i = rewrite->section_start[section]; i < rewrite->section_start[section + 1]; i++) {
            if (rewrite->record[i].type == TYPE_AAAA)
                left_out++;
            else
                rewrite_choose(rewrite, section, i);
        }
    return left_out;
}

static bool is_signed(const struct rewrite *rewrite)
{
    for (unsigned i = 0; i < rewrite->section_start[1]; i++)
        if (rewrite->record[i].type == TYPE_RRSIG)
            return true;
    return false;
}

static enum verdict answer(struct query *query, struct answer *response, void *state)
{
    const struct aaaa_filter *filter = state;
    struct rewrite *rewrite = query->resolver->rewrite;
    if (!is_for(filter->clients, query))
        return NEXT;
    rewrite_list(rewrite, response);
    if ((query->request.dnssec_ok && is_signed(rewrite)) || choose_others(rewrite) == 0)
        return NEXT;
    response->authenticated = false;
    if (query->key.type == TYPE_AAAA)
        ede_add(&response->ede, EDE_FILTERED, NULL, 0);
    counter_add(query->resolver->counters, COUNTER_responses_filtered, 1);
    return local_keep_chosen(query, response);
}

const struct step step_filter = {
    .name = "filter-aaaa",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct aaaa_filter),
    .configure = configure,
    .answer = answer,
};
