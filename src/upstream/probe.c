/* SPDX-License-Identifier: MIT */
/* Probes: handshakes without a query, with servers that no query finds out about.
 *
 * Invariants:
 *   - a group probes one server at a time, and only while clients send queries: the last one at most PROBE_TRAFFIC ago;
 *   - a server without a route is not probed: a machine without IPv6 is not broken;
 *   - a probe session takes no query, unless there is no other session: then it is one like any other.
 */
#include "group.h"

enum {
    PROBE_TRAFFIC = 60000,
    PROBE_LOOK = 10000, /* between looks whether clients still send queries */
};

/* Notes traffic of the worker; true if there was some since the last look. */
static bool note_traffic(struct group *group)
{
    uint64_t received = counter_read(group->counters, COUNTER_queries_received);
    bool changed = received != group->probe.received;
    group->probe.received = received;
    return changed;
}

static void probe_server(struct server *server, uint64_t now_ms)
{
    int status = server->transport->start(server);
    if (status < 0) {
        pool_dial_failed(server, now_ms, status);
        return;
    }
    server->dialed_ms = now_ms;
    struct list_link *newest = list_first(&server->sessions[SESSION_DIALING]);
    if (newest) /* else the dial failed at once */
        container_of(newest, struct session, in_state)->probe = true;
}

/* Probes the first server that is due. The earliest time at which one is; LOOP_NEVER: none will be. */
static uint64_t probe_due(struct group *group, uint64_t now_ms)
{
    uint64_t next_ms = LOOP_NEVER;
    bool probed = false;
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        if (server->open || server->dialing || server->route.reach == LINK_NO_WAY || fallback_is_idle(server))
            continue;
        uint64_t due_ms = condition_probe_at(&server->condition, now_ms);
        if (due_ms < server->backoff.retry_at_ms)
            due_ms = server->backoff.retry_at_ms;
        if (due_ms <= now_ms && !probed)
            probe_server(server, now_ms);
        probed |= due_ms <= now_ms;
        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

/* On the path of a miss: most calls return at once. The worker wakes up for a probe only when it is due. Queries
 * since a look long ago may have been sent long ago, too: then one more look tells. */
uint64_t probe_look(struct group *group, uint64_t now_ms)
{
    struct group_probe *probe = &group->probe;
    if (now_ms < probe->next_ms)
        return probe->wake_ms;
    bool recent = !probe->next_ms || now_ms < probe->next_ms + PROBE_LOOK;
    probe->next_ms = now_ms + PROBE_LOOK;
    probe->wake_ms = LOOP_NEVER;
    bool traffic = note_traffic(group);
    if (traffic && recent)
        probe->until_ms = now_ms + PROBE_TRAFFIC;
    if (group->stopping || (!traffic && now_ms >= probe->until_ms))
        return LOOP_NEVER;
    if (!recent && now_ms >= probe->until_ms)
        return (probe->wake_ms = probe->next_ms);
    uint64_t due_ms = probe_due(group, now_ms);
    if (due_ms > now_ms && due_ms < probe->next_ms)
        probe->next_ms = due_ms;
    if (due_ms != LOOP_NEVER)
        probe->wake_ms = due_ms > probe->next_ms ? due_ms : probe->next_ms;
    return probe->wake_ms;
}

bool probe_ends_here(const struct session *session)
{
    const struct group *group = session->server->group;
    unsigned open = 0;
    for (size_t i = 0; i < group->server_count; i++)
        open += group->servers[i]->open;
    return session->probe && open > 1 && list_empty(&group->waiting);
}
