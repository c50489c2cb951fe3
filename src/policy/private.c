/* SPDX-License-Identifier: MIT */
/* The DS of private zones (routes with private: yes). Such a zone does not exist for the servers of its parent, whose proof
 * of that would make validating clients refuse the whole zone; so the query is answered here, with NODATA (RFC 4035 section
 * 3.1.4.1). The routes of the client's view say which zones are private.
 */
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

#define TTL 10800

static const char wanted_mark;

static bool has_private(const struct config_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (routes[i].is_private)
            return true;
    return false;
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    bool any = has_private(config->forward, config->forward_count);
    (void)errors;
    for (size_t i = 0; i < config->view_count; i++)
        any |= has_private(config->views[i].forward, config->views[i].forward_count);
    *snapshot = any ? (void *)&wanted_mark : NULL;
    return 0;
}

static enum verdict run(struct query *query, void *state)
{
    const struct key *key = &query->key;
    (void)state;
    if (key->type != TYPE_DS || !groups_is_private_zone(query->resolver->groups, query->view, key))
        return NEXT;
    char apex[NAME_MAX_TEXT], text[NAME_MAX_TEXT + 64];
    snprintf(text, sizeof text, "%s nobody.invalid. 1 3600 1200 604800 %d", name_text(key->name, apex), TTL);
    const struct record_text soa = {apex, "SOA", TTL, text};
    return local_answer(query, RCODE_NOERROR, NULL, 0, &soa, 1);
}

const struct step step_private = {
    .name = "private",
    .prepare = prepare,
    .run = run,
};
