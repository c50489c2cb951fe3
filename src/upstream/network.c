/* SPDX-License-Identifier: MIT */
/* Changes of the machine's network and clock, as far as they concern sessions.
 *
 * Invariant: changes of unrelated addresses and interfaces end no session: a session ends only if the route from
 * its own address to its server has changed, or the machine was suspended.
 */
#include "base/errors.h"
#include "group.h"
#include "upstream/upstream.h"

void server_look_up(const struct server *server, const struct addr *local, struct link_route *out)
{
    const struct config_upstream *entry = server->entry;
    if (!local && entry->has_source)
        local = &entry->source;
    link_find_route(out,
                    &(struct link_flow){
                        .local = local, .peer = &server->addr, .interface = entry->interface, .mark = entry->fwmark});
}

static bool session_lost_its_way(const struct session *session)
{
    struct link_route now;
    struct addr local;
    bool known = session->way_noted && session->server->transport->local(session, &local) == 0;
    server_look_up(session->server, known ? &local : NULL, &now);
    return link_route_changed(&session->route, &now);
}

/* Ends the sessions of one state that are lost; true if there were any. */
static bool server_end_lost(struct server *server, enum session_state state, bool slept)
{
    struct list kept;
    struct list_link *link;
    bool lost = false;
    list_init(&kept);
    while ((link = list_pop(&server->sessions[state]))) {
        struct session *session = container_of(link, struct session, in_state);
        list_push_back(&kept, link);
        if (!slept && !session_lost_its_way(session))
            continue;
        lost = true;
        server->transport->stop(session, ERROR_NETWORK_CHANGED);
    }
    list_move_all(&kept, &server->sessions[state]);
    return lost;
}

/* Measurements of this server on the old network are not valid on the new one. */
static void server_forget(struct server *server)
{
    idle_forget_server(&server->idle);
    server->rtt = (struct rtt){.smoothed_ms16 = 0};
}

/* For GRACE, attempts wait instead of failing, and all servers may be dialled at once. */
static void group_try_again(struct group *group)
{
    for (size_t i = 0; i < group->server_count; i++) {
        group->servers[i]->backoff = (struct backoff){.failures = 0};
        condition_note(&group->servers[i]->condition, CONDITION_MOVED, loop_now(group->loop));
    }
    group->grace_until_ms = loop_now(group->loop) + GRACE;
    group->probe.next_ms = 0;
    pool_connect(group);
}

bool server_find_way(struct server *server)
{
    struct link_route before = server->route;
    server_look_up(server, NULL, &server->route);
    return link_route_changed(&before, &server->route);
}

/* True if the change concerns the server. */
static bool server_network_changed(struct server *server, bool slept)
{
    bool changed = server_find_way(server), lost = false;
    for (int state = SESSION_DIALING; state < SESSION_CLOSING; state++)
        lost |= server_end_lost(server, (enum session_state)state, slept);
    if (lost && server->transport->moved)
        server->transport->moved(server);
    if (lost)
        server_forget(server);
    return changed || lost;
}

void group_network_changed(struct group *group, bool slept)
{
    bool concerned = slept;
    list_for_each(link, &group->plans) {
        const struct group_plan *plan = container_of(link, struct group_plan, in_group);
        for (size_t i = 0; i < plan->server_count; i++)
            concerned |= server_network_changed(plan->servers[i], slept);
    }
    if (!concerned)
        return;
    event_machine(group, slept ? EVENT_SLEEP : EVENT_NETWORK);
    fallback_moved(group);
    group_try_again(group);
}

/* Retires sessions whose certificate was not valid yet; the next queries go to a new session, which is verified by
 * the new clock. */
static void server_retire_early(struct server *server)
{
    bool found;
    do {
        found = false;
        list_for_each(link, &server->sessions[SESSION_OPEN]) {
            struct session *session = container_of(link, struct session, in_state);
            if (!session->early)
                continue;
            session_retire(session);
            found = true;
            break;
        }
    } while (found);
}

void group_clock_changed(struct group *group)
{
    list_for_each(link, &group->plans) {
        const struct group_plan *plan = container_of(link, struct group_plan, in_group);
        for (size_t i = 0; i < plan->server_count; i++)
            server_retire_early(plan->servers[i]);
    }
    event_machine(group, EVENT_CLOCK);
    group_notice_sleep(group);
    group_try_again(group);
}
