/* SPDX-License-Identifier: MIT */
/* Reports of servers and of where the time of an attempt went.
 *
 * Invariant: no decision depends on the facts recorded here.
 */
#include <stdio.h>
#include "group.h"
#include "upstream/ask.h"
#include "upstream/report.h"

static struct dial dial_of(const struct session *session)
{
    return (struct dial){.server = session->server,
                         .begun_ms = session->created_ms,
                         .connected_ms = session->server->transport->connected_ms(session),
                         .ended_ms = loop_now(session->server->group->loop)};
}

void report_note_dial(const struct session *session)
{
    struct server *server = session->server;
    struct dial dial = dial_of(session);
    server->group->dials[server->group->dial_count++ % DIALS_NOTED] = dial;
    if (session->state != SESSION_OPEN)
        return;
    notes_add_dial(&server->notes, dial.connected_ms - dial.begun_ms, dial.ended_ms - dial.connected_ms);
}

void report_forget(struct group *group, const struct server *server)
{
    for (unsigned i = 0; i < DIALS_NOTED; i++)
        if (group->dials[i].server == server)
            group->dials[i].server = NULL;
}

/* --- where the time of an attempt went --- */

/* The length of the part of [from, to] that lies within [begun, ended]. */
static uint64_t common(uint64_t from, uint64_t to, uint64_t begun, uint64_t ended)
{
    uint64_t first = from > begun ? from : begun, last = to < ended ? to : ended;
    return last > first ? last - first : 0;
}

/* Inserts a dial in the order of begun_ms; `dials` has room for one more. */
static void insert_dial(struct dial *dials, unsigned count, struct dial dial)
{
    for (; count > 0 && dials[count - 1].begun_ms > dial.begun_ms; count--)
        dials[count] = dials[count - 1];
    dials[count] = dial;
}

/* Collects ended and live dials; returns their number. */
static unsigned collect_dials(const struct group *group, struct dial out[2 * DIALS_NOTED])
{
    unsigned count = 0;
    for (; count < group->dial_count && count < DIALS_NOTED; count++)
        insert_dial(out, count, group->dials[count]);
    for (size_t s = 0; s < group->server_count; s++) {
        const struct list *dialing = &group->servers[s]->sessions[SESSION_DIALING];
        struct list_link *link = list_first(dialing);
        for (; link && count < 2 * DIALS_NOTED; link = list_next(dialing, link))
            insert_dial(out, count++, dial_of(container_of(link, struct session, in_state)));
    }
    return count;
}

/* Adds the time in [from, to], while an attempt waited, that was spent on dials. If dials overlap, the time counts
 * for the earlier one. */
static void add_dials(struct attempt_times *out, const struct group *group, uint64_t from, uint64_t to)
{
    struct dial dials[2 * DIALS_NOTED];
    unsigned count = collect_dials(group, dials);
    uint64_t longest = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct dial *dial = &dials[i];
        uint64_t connected_ms = dial->connected_ms ? dial->connected_ms : dial->ended_ms;
        uint64_t connect = common(from, to, dial->begun_ms, connected_ms),
                 shake = common(from, to, connected_ms, dial->ended_ms);
        out->connect += connect;
        out->handshake += shake;
        if (connect + shake > longest) {
            longest = connect + shake;
            out->dialed = dial->server;
        }
        if (from < dial->ended_ms)
            from = dial->ended_ms;
    }
    out->place -= out->connect + out->handshake;
}

void attempt_report(const struct attempt *attempt, uint64_t from_ms, struct attempt_times *out)
{
    uint64_t now_ms = loop_now(attempt->group->loop);
    bool sent = attempt->sent_ms > 0, taken = sent || attempt->state == ATTEMPT_QUEUED;
    uint64_t taken_ms = taken ? attempt->taken_ms : now_ms, sent_ms = sent ? attempt->sent_ms : now_ms;
    *out = (struct attempt_times){
        .place = common(from_ms, now_ms, attempt->asked_ms, taken_ms),
        .write = common(from_ms, now_ms, taken_ms, sent_ms),
        .answer = common(from_ms, now_ms, sent_ms, now_ms),
    };
    add_dials(out, attempt->group, from_ms > attempt->asked_ms ? from_ms : attempt->asked_ms, taken_ms);
}

const struct addr *server_address(const struct server *server)
{
    return &server->addr;
}

const char *server_transport(const struct server *server)
{
    return server->transport->name;
}

/* --- all servers --- */

static enum server_state server_state(const struct server *server)
{
    if (server->open > 0)
        return SERVER_OPEN;
    if (condition_is_failing(&server->condition))
        return SERVER_FAILING;
    if (server->dialing > 0)
        return SERVER_CONNECTING;
    return server->condition.state == CONDITION_USABLE ? SERVER_IDLE : SERVER_UNKNOWN;
}

static unsigned server_in_flight(const struct server *server)
{
    unsigned count = 0;
    for (int state = SESSION_OPEN; state <= SESSION_RETIRING; state++) {
        const struct list *sessions = &server->sessions[state];
        list_for_each(link, sessions)
            count += container_of(link, struct session, in_state)->used;
    }
    return count;
}

static void server_report(const struct server *server, struct server_report *out)
{
    *out = (struct server_report){
        .addr = server->addr,
        .transport = server->transport->name,
        .state = server_state(server),
        .avoided = priority_is_low(&server->priority, loop_now(server->group->loop)),
        .open = server->open,
        .dialing = server->dialing,
        .in_flight = server_in_flight(server),
        .latency_us = (uint32_t)((uint64_t)server->rtt.smoothed_ms16 * 1000 / 16),
        .failures = server->backoff.failures,
        .last_error = server->notes.last_error,
        .failed_ms = server->notes.failed_ms,
        .known_ms = server->condition.known_ms,
        .failures_by_reason = server->notes.failures,
        .opened = server->notes.opened,
        .resumed = server->notes.resumed,
        .opened_ms = server->notes.opened_ms,
        .connect = server->notes.connect,
        .handshake = server->notes.handshake,
        .answer = server->notes.answer,
    };
    const char *why;
    fallback_describe(server, &out->reserve, &why);
    snprintf(out->fallback, sizeof out->fallback, "%s", why);
    out->has_tls = server->transport->facts && server->transport->facts(server, &out->tls);
    snprintf(out->upstream, sizeof out->upstream, "%s", server->entry->name);
    snprintf(out->group, sizeof out->group, "%s", group_name(server->group));
}

size_t group_report(const struct group *group, struct server_report *out, size_t room)
{
    size_t count = group->server_count < room ? group->server_count : room;
    for (size_t i = 0; i < count; i++)
        server_report(group->servers[i], &out[i]);
    return count;
}
