/* SPDX-License-Identifier: MIT */
/* The servers of a group in one configuration, and the switch to another configuration.
 *
 * A plan owns servers. When the next plan is applied, servers that are the same in both (address, source, interface,
 * mark, transport, trust) move to it with their sessions, tickets and learned state; the others leave: they get no more
 * queries, but finish their outstanding ones. Lookups refer to servers, so a replaced plan exists as long as a
 * lookup that was begun with it or with an older plan, and as long as one of its servers has a session.
 *
 * A lookup stays with its group even if the group is redefined meanwhile; its response is not stored in the cache
 * then.
 *
 * Invariants: the last of group->plans is the current plan; servers of the others are `left`; plans are freed
 * oldest first, from the group's flush hook, because no callback is running then.
 */
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/https.h"
#include "group.h"
#include "upstream/routes.h"
#include "upstream/spread.h"
#include "upstream/upstream.h"

/* --- on the main thread --- */

static size_t count_servers(const struct group_definition *definition)
{
    size_t count = 0;
    for (size_t i = 0; i < definition->upstream_count; i++)
        count += bootstrap_count(definition->known, &definition->upstreams[i]) *
                 (definition->upstreams[i].transport == TRANSPORT_AUTO ? 2 : 1);
    return count;
}

static void server_free(struct server *server)
{
    if (server->transport)
        server->transport->discard(server);
    mem_free(server);
}

void group_plan_free(struct group_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->server_count; i++)
        server_free(plan->servers[i]);
    config_unref(plan->config);
    for (size_t i = 0; plan->budgets && i < plan->upstream_count; i++)
        budget_share_drop(plan->budgets[i]);
    mem_free(plan->servers);
    mem_free(plan->budgets);
    mem_free(plan->transports);
    mem_free(plan);
}

int server_prepare(struct server *server, const struct transport *transport, struct tls_trust *trust)
{
    int status = transport->prepare(server, trust);
    if (status < 0)
        return status;
    server->transport = transport;
    if (addr_port(&server->addr) == 0)
        addr_set_port(&server->addr, transport->port);
    return 0;
}

static const struct transport *transport_of(const struct config_upstream *entry)
{
    if (entry->plain_zone_count > 0)
        return entry->tcp_only ? &transport_tcp : &transport_udp;
    return entry->transport == TRANSPORT_HTTPS ? &transport_https : &transport_dot;
}

static int plan_add_server(struct group_plan *plan, size_t upstream, struct addr addr,
                           const struct transport *transport, struct tls_trust *trust)
{
    const struct config_upstream *entry = &plan->upstreams[upstream];
    struct server *server = mem_zalloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->entry = entry;
    server->spread = spread_hash(entry->name, strlen(entry->name));
    server->addr = addr;
    if (entry->transport == TRANSPORT_AUTO)
        server->upstream = &plan->transports[upstream];
    if (transport == &transport_https) { /* at the port of the URL */
        struct https_url url;
        config_https_url(entry, &url);
        addr_set_port(&server->addr, url.port);
    }
    for (int state = SESSION_DIALING; state <= SESSION_CLOSING; state++)
        list_init(&server->sessions[state]);
    plan->servers[plan->server_count++] = server;
    return server_prepare(server, transport, trust);
}

/* With transport: auto each address has a second server, over HTTPS. */
static int plan_add_servers(struct group_plan *plan, const struct group_definition *definition, size_t i)
{
    const struct config_upstream *entry = &plan->upstreams[i];
    size_t count = bootstrap_count(definition->known, entry);
    const struct transport *transports[] = {transport_of(entry), &transport_https};
    int status = 0;
    for (unsigned t = 0; t < (entry->transport == TRANSPORT_AUTO ? 2 : 1); t++)
        for (size_t a = 0; status == 0 && a < count; a++)
            status = plan_add_server(plan, i, bootstrap_address(definition->known, entry, a), transports[t],
                                     definition->trusts[i]);
    return status;
}

/* Notes whether the addresses of an upstream with a host are missing. */
static void plan_note_host(struct group_plan *plan, const struct group_definition *definition, size_t i)
{
    const struct config_upstream *upstream = &definition->upstreams[i];
    if (!upstream->host || bootstrap_count(definition->known, upstream) > 0)
        return;
    const struct bootstrap_entry *entry = bootstrap_find(definition->known, upstream);
    plan->awaits_address |= !entry || entry->pending;
    plan->lacks_address = true;
}

int group_plan_new(struct group_plan **out, const struct group_definition *definition)
{
    struct group_plan *plan = mem_zalloc(1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    plan->name = definition->name;
    plan->id = definition->id;
    plan->config = config_ref(definition->config);
    plan->policy = definition->policy;
    plan->upstreams = definition->upstreams;
    plan->upstream_count = definition->upstream_count;
    plan->portal = plan->upstream_count > 0 && plan->upstreams[0].portal;
    plan->servers = mem_zalloc(count_servers(definition) + 1, sizeof(struct server *));
    plan->budgets = mem_zalloc(plan->upstream_count, sizeof(struct budget_share *));
    plan->transports = mem_zalloc(plan->upstream_count + 1, sizeof *plan->transports);
    int status = plan->servers && plan->budgets && plan->transports ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < plan->upstream_count; i++) {
        plan->budgets[i] = budget_share_new(plan->upstreams[i].name, plan->upstreams[i].max_qps);
        status = plan->budgets[i] ? 0 : -ENOMEM;
    }
    for (size_t i = 0; status == 0 && i < plan->upstream_count; i++) {
        status = plan_add_servers(plan, definition, i);
        plan_note_host(plan, definition, i);
    }
    if (status == 0)
        *out = plan;
    else
        group_plan_free(plan);
    return status;
}

/* --- switching plans --- */

static bool same_interface(const struct config_upstream *a, const struct config_upstream *b)
{
    return a->interface && b->interface ? strcmp(a->interface, b->interface) == 0 : a->interface == b->interface;
}

static bool same_source(const struct config_upstream *a, const struct config_upstream *b)
{
    return a->has_source == b->has_source && (!a->has_source || addr_equal(&a->source, &b->source));
}

static bool server_is_same(const struct server *a, const struct server *b)
{
    return addr_equal(&a->addr, &b->addr) && same_source(a->entry, b->entry) && same_interface(a->entry, b->entry) &&
           a->entry->fwmark == b->entry->fwmark && a->transport == b->transport &&
           (!a->transport->same || a->transport->same(a, b));
}

/* Takes the server that is the same as `wanted` out of the replaced plan; NULL: the plan has none. */
static struct server *plan_take(struct group_plan *plan, const struct server *wanted)
{
    for (size_t i = 0; i < plan->server_count; i++) {
        struct server *server = plan->servers[i];
        if (!server_is_same(server, wanted))
            continue;
        plan->servers[i] = plan->servers[--plan->server_count];
        return server;
    }
    return NULL;
}

/* Limits the idle time of open sessions to the new setting. */
static void server_limit_rest(struct server *server)
{
    const struct list *open = &server->sessions[SESSION_OPEN];
    uint64_t limit_ms = server->group->config->tls.idle_ms;
    list_for_each(link, open) {
        struct session *session = container_of(link, struct session, in_state);
        if (session->idle_ms > limit_ms)
            session->idle_ms = limit_ms;
    }
}

/* The old server replaces the new one, which is freed. */
static struct server *server_go_over(struct server *old, struct server *new)
{
    old->entry = new->entry;
    old->spread = new->spread;
    old->budget = new->budget;
    old->upstream = new->upstream;
    server_limit_rest(old);
    server_free(new);
    return old;
}

static void server_begin(struct server *server, struct group *group)
{
    server->group = group;
    (void)server_find_way(server);
}

/* The server gets no more queries. */
static void server_leave(struct server *server)
{
    struct list_link *link;
    server->left = true;
    server->upstream = NULL;
    while ((link = list_first(&server->sessions[SESSION_DIALING])))
        server->transport->stop(container_of(link, struct session, in_state), ERROR_STOPPING);
    while ((link = list_first(&server->sessions[SESSION_OPEN])))
        session_retire(container_of(link, struct session, in_state));
    if (server->group->last_failed != server)
        return;
    server->group->last_failed = NULL;
    server->group->last_error = 0;
}

/* The state of the transports of an upstream stays. */
static void plan_take_transports(struct group_plan *plan, struct group_plan *before)
{
    fallback_forget(before);
    for (size_t i = 0; i < plan->upstream_count; i++)
        for (size_t old = 0; old < before->upstream_count; old++)
            if (strcmp(plan->upstreams[i].name, before->upstreams[old].name) == 0)
                plan->transports[i].fallback = before->transports[old].fallback;
}

static void plan_begin(struct group_plan *plan, struct group *group, struct group_plan *before)
{
    uint64_t now_ms = loop_now(group->loop);
    plan->group = group;
    if (before)
        plan_take_transports(plan, before);
    for (size_t i = 0; i < plan->upstream_count; i++)
        plan->budgets[i] = budget_share_join(group->budgets, plan->budgets[i], now_ms);
    for (size_t i = 0; i < plan->server_count; i++) {
        plan->servers[i]->budget = &plan->budgets[plan->servers[i]->entry - plan->upstreams]->budget;
        struct server *old = before ? plan_take(before, plan->servers[i]) : NULL;
        if (old)
            plan->servers[i] = server_go_over(old, plan->servers[i]);
        else
            server_begin(plan->servers[i], group);
    }
}

void group_apply(struct group *group, struct group_plan *plan)
{
    struct group_plan *before = group->plan;
    group->redefined += before && before->id != plan->id;
    plan->redefined = group->redefined;
    group->plan = plan;
    group->config = plan->config;
    group->policy = plan->policy;
    group->servers = plan->servers;
    list_push_back(&group->plans, &plan->in_group);
    group->server_count = plan->server_count;
    plan_begin(plan, group, before);
    for (size_t i = 0; before && i < before->server_count; i++)
        server_leave(before->servers[i]);
    pool_note_success(group); /* the servers may be new: attempts wait instead of failing */
    pool_connect(group);
    loop_wake_by(group->loop, loop_now(group->loop)); /* closes sessions that retired without attempts */
}

/* --- the end of a plan --- */

static bool server_has_sessions(const struct server *server)
{
    for (int state = SESSION_DIALING; state <= SESSION_CLOSING; state++)
        if (!list_empty(&server->sessions[state]))
            return true;
    return false;
}

static bool plan_is_over(const struct group_plan *plan)
{
    for (size_t i = 0; i < plan->server_count; i++)
        if (server_has_sessions(plan->servers[i]))
            return false;
    return plan->lookups == 0;
}

void group_end_plans(struct group *group)
{
    struct group_plan *oldest;
    while ((oldest = container_of(list_first(&group->plans), struct group_plan, in_group)) != group->plan &&
           plan_is_over(oldest)) {
        list_remove(&oldest->in_group);
        for (size_t i = 0; i < oldest->server_count; i++)
            report_forget(group, oldest->servers[i]);
        group_plan_free(oldest);
    }
}
