/* What people may want to know of a server.
 *
 * Invariant: what is noted here serves no decision; it is only read by group_report.
 */
#include "group.h"
#include "upstream/report.h"

void report_note_opened(struct server *server, const struct tls_facts *facts)
{
    server->noted.opened++;
    server->noted.resumed += facts->resumed;
    server->noted.opened_ms = loop_now(server->group->loop);
    server->noted.tls = *facts;
}

void report_note_failed(struct server *server, int reason)
{
    server->noted.last_error = reason;
    server->noted.failed_ms = loop_now(server->group->loop);
}

static enum server_state server_state(const struct server *server)
{
    if (server->open > 0)
        return SERVER_OPEN;
    if (server->failures > 0)
        return SERVER_FAILING;
    return server->dialing > 0 ? SERVER_CONNECTING : SERVER_IDLE;
}

static unsigned server_in_flight(const struct server *server)
{
    unsigned count = 0;
    for (int state = SESSION_OPEN; state <= SESSION_RETIRING; state++) {
        const struct list *sessions = &server->sessions[state];
        for (struct list_link *link = list_first(sessions); link; link = list_next(sessions, link))
            count += session_load(container_of(link, struct session, in_state));
    }
    return count;
}

static void server_report(const struct server *server, struct server_report *out)
{
    *out = (struct server_report){
        .upstream = server->entry->name,
        .addr = server->addr,
        .state = server_state(server),
        .avoided = loop_now(server->group->loop) < server->shunned_until_ms,
        .open = server->open,
        .dialing = server->dialing,
        .in_flight = server_in_flight(server),
        .latency_us = (uint32_t)((uint64_t)server->rtt_ms16 * 1000 / 16),
        .failures = server->failures,
        .last_error = server->noted.last_error,
        .failed_ms = server->noted.failed_ms,
        .opened = server->noted.opened,
        .resumed = server->noted.resumed,
        .opened_ms = server->noted.opened_ms,
        .tls = server->noted.tls,
    };
}

void group_report(const struct group *group, struct server_report *out)
{
    for (size_t i = 0; i < group->server_count; i++)
        server_report(group->servers[i], &out[i]);
}
