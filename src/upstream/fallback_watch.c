/* SPDX-License-Identifier: MIT */
/* Upstreams with transport: auto. Each address has two servers, one over TLS and one over HTTPS; the state of the upstream
 * (fallback.h) says which of them takes part:
 *
 *                          OFF    DOUBT             BAD               ON, PROVING
 *   over TLS: queries      yes    yes               yes               only if HTTPS has no session
 *             dials        yes    yes               yes               by fallback_look; for queries if HTTPS fails
 *   over HTTPS: queries    no     yes               yes, first        yes, first
 *               dials      no     for queries       by fallback_look  for queries
 *
 * Test queries ask for the name servers of the root, which tells the server nothing. They go over TLS to the session that
 * is being proven; clients' queries do not depend on it meanwhile.
 *
 * Invariant: test attempts are live only while the state is PROVING. */
#include <errno.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "group.h"

/* --- servers --- */

static bool is_https(const struct server *server)
{
    return server->transport == &transport_https;
}

/* The next server of the upstream over one transport, from place *at of its group on; NULL: there is no other. */
static struct server *next_server(const struct server *like, bool https, size_t *at)
{
    const struct group *group = like->group;
    while (*at < group->server_count) {
        struct server *server = group->servers[(*at)++];
        if (server->upstream == like->upstream && is_https(server) == https)
            return server;
    }
    return NULL;
}

/* The sessions over TLS in one state; all zero at first. */
struct dot_walk {
    size_t at; /* for next_server */
    const struct list *sessions;
    const struct list_link *link;
};

static struct session *next_session(const struct server *like, enum session_state state, struct dot_walk *walk)
{
    if (walk->link)
        walk->link = list_next(walk->sessions, walk->link);
    while (!walk->link) {
        const struct server *server = next_server(like, false, &walk->at);
        if (!server)
            return NULL;
        walk->sessions = &server->sessions[state];
        walk->link = list_first(walk->sessions);
    }
    return container_of(walk->link, struct session, in_state);
}

/* The open sessions, or the dials, of the upstream over one transport. */
static unsigned count(const struct server *like, bool https, bool dialing)
{
    const struct server *server;
    unsigned found = 0;
    for (size_t at = 0; (server = next_server(like, https, &at));)
        found += dialing ? server->dialing : server->open;
    return found;
}

/* A session over TLS was opened or has received something since then. */
static bool dot_lives_since(const struct server *like, uint64_t ms)
{
    struct dot_walk walk = {.at = 0};
    const struct session *session;
    while ((session = next_session(like, SESSION_OPEN, &walk)))
        if (session->heard_ms >= ms || session->opened_ms >= ms)
            return true;
    return false;
}

/* No server of the upstream over HTTPS can be used now. */
static bool https_fails(const struct server *like)
{
    const struct server *server;
    for (size_t at = 0; (server = next_server(like, true, &at));)
        if (server->open > 0 || server->backoff.failures == 0)
            return false;
    return true;
}

bool fallback_is_idle(const struct server *server)
{
    const struct fallback *fallback = server->upstream ? &server->upstream->fallback : NULL;
    if (!fallback)
        return false;
    if (is_https(server))
        return fallback->state == FALLBACK_OFF;
    return fallback_is_on(fallback) && !https_fails(server);
}

bool fallback_comes_last(const struct server *server)
{
    const struct fallback *fallback = server->upstream ? &server->upstream->fallback : NULL;
    if (!fallback)
        return false;
    if (is_https(server)) /* in doubt one dial over HTTPS comes before further ones over TLS */
        return fallback->state == FALLBACK_DOUBT && (server->open || count(server, true, true) > 0);
    return fallback_is_on(fallback) || (fallback->state == FALLBACK_BAD && count(server, true, false) > 0);
}

/* --- events --- */

static const char *reason_of(const struct fallback *fallback)
{
    return fallback->error ? error_text(fallback->error) : "it did not work";
}

/* One line for all workers that see the same. */
static void tell(const struct server *server, enum fallback_state before)
{
    static struct log_shared_limit on, off;
    const struct fallback *fallback = &server->upstream->fallback;
    uint64_t now_ms = loop_now(server->group->loop);
    bool was_on = before == FALLBACK_ON || before == FALLBACK_PROVING;
    log_debug("upstream", "%s: state of the transports: %d", server->entry->name, (int)fallback->state);
    if (fallback_is_on(fallback) && !was_on && log_allowed_shared(&on, now_ms))
        log_warning("upstream", "%s: queries go over HTTPS, because DNS over TLS does not work on this network: %s",
                    server->entry->name, reason_of(fallback));
    if (!fallback_is_on(fallback) && was_on && log_allowed_shared(&off, now_ms))
        log_info("upstream", "%s: queries go over TLS again", server->entry->name);
}

static void end_tests(struct upstream_transports *upstream)
{
    for (unsigned i = 0; i < FALLBACK_TESTS; i++)
        attempt_cancel(&upstream->tests[i]);
}

void fallback_event(struct server *server, enum fallback_event event, int error)
{
    struct upstream_transports *upstream = server->upstream;
    if (!upstream || server->left)
        return;
    struct group *group = server->group;
    enum fallback_state before = upstream->fallback.state;
    if (!fallback_note(&upstream->fallback, event, error, loop_now(group->loop)))
        return;
    if (upstream->fallback.state == FALLBACK_ON && before != FALLBACK_PROVING) {
        counter_add(group->counters, COUNTER_fallbacks, 1);
        upstream->leave_dot = true;
    }
    upstream->tested_ms = 0;
    tell(server, before);
    pool_connect(group);
    loop_wake_by(group->loop, loop_now(group->loop)); /* for fallback_look */
}

void fallback_note_opened(struct server *server)
{
    struct upstream_transports *upstream = server->upstream;
    if (!upstream)
        return;
    if (!is_https(server))
        fallback_event(server, FALLBACK_DOT_OPENED, 0);
    else if (upstream->fallback.state != FALLBACK_DOUBT || !dot_lives_since(server, upstream->fallback.since_ms))
        fallback_event(server, FALLBACK_HTTPS_OPENED, 0);
}

void fallback_note_failed(struct server *server, uint64_t begun_ms, int error)
{
    if (server->upstream && !is_https(server) && !dot_lives_since(server, begun_ms))
        fallback_event(server, FALLBACK_DOT_FAILED, error);
}

void fallback_note_end(struct server *server, bool unanswered, bool clean, int error)
{
    struct upstream_transports *upstream = server->upstream;
    if (!upstream || is_https(server))
        return;
    if (upstream->fallback.state == FALLBACK_PROVING) {
        if (unanswered || !clean)
            fallback_event(server, FALLBACK_TEST_FAILED, error);
    } else if (unanswered && fallback_note_loss(&upstream->fallback, loop_now(server->group->loop))) {
        fallback_event(server, FALLBACK_DOT_LOST, error);
    }
}

void fallback_note_response(struct server *server, uint64_t sent_ms)
{
    uint64_t now_ms = loop_now(server->group->loop);
    if (server->upstream && !is_https(server) && now_ms < sent_ms + FALLBACK_LATE)
        server->upstream->fallback.prompt_ms = now_ms;
}

/* --- DNS over TLS while it is in use --- */

/* The number of late queries of a session, up to FALLBACK_LATE_MIN. */
static unsigned late_of(const struct session *session, uint64_t now_ms)
{
    unsigned late = 0;
    list_for_each(link, &session->sent) { /* in the order in which they were sent */
        if (now_ms < container_of(link, const struct attempt, link)->sent_ms + FALLBACK_LATE)
            break;
        if (++late == FALLBACK_LATE_MIN)
            break;
    }
    return late;
}

static unsigned count_late(const struct server *like, uint64_t now_ms)
{
    struct dot_walk walk = {.at = 0};
    const struct session *session;
    unsigned late = 0;
    while ((session = next_session(like, SESSION_OPEN, &walk)))
        late += late_of(session, now_ms);
    return late;
}

static uint64_t oldest_dial(const struct server *like)
{
    struct dot_walk walk = {.at = 0};
    const struct session *session;
    uint64_t oldest_ms = UINT64_MAX;
    while ((session = next_session(like, SESSION_DIALING, &walk)))
        if (session->created_ms < oldest_ms)
            oldest_ms = session->created_ms;
    return oldest_ms;
}

/* A query waits for its response over TLS. */
static bool is_waiting(const struct server *like)
{
    struct dot_walk walk = {.at = 0};
    const struct session *session;
    while ((session = next_session(like, SESSION_OPEN, &walk)))
        if (session->used > 0)
            return true;
    return false;
}

static uint64_t look_at_dot(struct server *server, uint64_t now_ms)
{
    const struct fallback *fallback = &server->upstream->fallback;
    uint64_t oldest_ms = oldest_dial(server), next_ms = LOOP_NEVER;
    if (fallback->state == FALLBACK_OFF && oldest_ms != UINT64_MAX && !dot_lives_since(server, oldest_ms)) {
        if (now_ms >= oldest_ms + FALLBACK_HANG)
            fallback_event(server, FALLBACK_DOT_HANGS, -ETIMEDOUT);
        else
            next_ms = oldest_ms + FALLBACK_HANG;
    }
    if (!is_waiting(server))
        return next_ms;
    if (now_ms >= fallback->prompt_ms + FALLBACK_LATE && count_late(server, now_ms) >= FALLBACK_LATE_MIN)
        fallback_event(server, FALLBACK_DOT_LATE, ERROR_UNANSWERED);
    return now_ms + FALLBACK_LOOK < next_ms ? now_ms + FALLBACK_LOOK : next_ms;
}

/* --- HTTPS --- */

/* Queries on sessions over TLS are sent again, over HTTPS. */
static void leave_dot(struct server *like)
{
    struct server *server;
    for (size_t at = 0; (server = next_server(like, false, &at));) {
        struct list_link *link;
        for (int state = SESSION_DIALING; state <= SESSION_RETIRING; state++)
            while ((link = list_first(&server->sessions[state])))
                server->transport->stop(container_of(link, struct session, in_state), ERROR_SILENT);
    }
}

/* Dials the server over one transport that was dialled the longest ago. */
static void dial(const struct server *like, bool https, uint64_t now_ms)
{
    struct server *best = NULL, *server;
    for (size_t at = 0; (server = next_server(like, https, &at));)
        if (server->route.reach != LINK_NO_WAY && (!https || now_ms >= server->backoff.retry_at_ms) &&
            (!best || server->dialed_ms < best->dialed_ms))
            best = server;
    if (best)
        pool_dial(best);
}

/* --- DNS over TLS is tried again --- */

static const struct key root_servers = {.name = {0}, .name_len = 1, .type = TYPE_NS, .class = CLASS_IN};

static void test_done(struct attempt *attempt, int status, struct answer *answer)
{
    (void)answer;
    if (!status || status == ERROR_UPSTREAM_ANSWER || status == ERROR_UPSTREAM_FORMERR)
        return; /* any response will do */
    if (attempt->server && attempt->server->upstream)
        fallback_event(attempt->server, FALLBACK_TEST_FAILED, status);
}

static bool tests_are_live(const struct upstream_transports *upstream)
{
    for (unsigned i = 0; i < FALLBACK_TESTS; i++)
        if (attempt_live(&upstream->tests[i]))
            return true;
    return false;
}

static void send_tests(struct upstream_transports *upstream, struct session *session)
{
    for (unsigned i = 0; i < FALLBACK_TESTS; i++) {
        struct attempt *test = &upstream->tests[i];
        test->key = &root_servers;
        test->done = test_done;
        attempt_send_on(session, test);
    }
}

static uint64_t prove(struct server *server, uint64_t now_ms)
{
    struct upstream_transports *upstream = server->upstream;
    struct fallback *fallback = &upstream->fallback;
    struct session *session = next_session(server, SESSION_OPEN, &(struct dot_walk){.at = 0});
    if (tests_are_live(upstream)) {
        if (now_ms < upstream->tested_ms + FALLBACK_LATE)
            return upstream->tested_ms + FALLBACK_LATE;
        end_tests(upstream);
        fallback_event(server, FALLBACK_TEST_FAILED, ERROR_UNANSWERED);
        return now_ms;
    }
    if (now_ms >= fallback->since_ms + FALLBACK_PROOF && upstream->tested_ms) {
        fallback_event(server, FALLBACK_PROVEN, 0);
        return now_ms;
    }
    if (!session) { /* it was idle for the server */
        if (count(server, false, true) == 0)
            dial(server, false, now_ms);
        return now_ms + FALLBACK_TEST_STEP;
    }
    if (upstream->tested_ms && now_ms < upstream->tested_ms + FALLBACK_TEST_STEP)
        return upstream->tested_ms + FALLBACK_TEST_STEP;
    upstream->tested_ms = now_ms;
    send_tests(upstream, session);
    return now_ms + FALLBACK_LATE;
}

/* --- looks --- */

static uint64_t look_at(struct server *server, uint64_t now_ms)
{
    struct group *group = server->group;
    struct upstream_transports *upstream = server->upstream;
    struct fallback *fallback = &upstream->fallback;
    if (upstream->leave_dot) {
        upstream->leave_dot = false;
        leave_dot(server);
    }
    if (fallback->state != FALLBACK_PROVING)
        end_tests(upstream);
    switch ((enum fallback_state)fallback->state) {
    case FALLBACK_BAD:
        if (now_ms >= fallback->since_ms + FALLBACK_POOR) {
            fallback_event(server, FALLBACK_EXPIRED, 0);
            return now_ms;
        }
        if (count(server, true, false) + count(server, true, true) == 0)
            dial(server, true, now_ms);
        return now_ms + FALLBACK_HANG;
    case FALLBACK_ON:
        if (now_ms < fallback->probe_ms)
            return fallback->probe_ms;
        if (now_ms >= group->probe.until_ms) /* no client sends queries */
            return LOOP_NEVER;
        if (count(server, false, true) == 0)
            dial(server, false, now_ms);
        return now_ms + DIAL_TIMEOUT;
    case FALLBACK_PROVING:
        return prove(server, now_ms);
    default:
        return look_at_dot(server, now_ms);
    }
}

uint64_t fallback_look(struct group *group, uint64_t now_ms)
{
    uint64_t next_ms = LOOP_NEVER;
    const struct upstream_transports *seen = NULL;
    for (size_t i = 0; i < group->server_count; i++) { /* the servers of an upstream are adjacent */
        struct server *server = group->servers[i];
        if (!server->upstream || server->upstream == seen || group->stopping)
            continue;
        seen = server->upstream;
        uint64_t at_ms = look_at(server, now_ms);
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

void fallback_forget(struct group_plan *plan)
{
    for (size_t i = 0; i < plan->upstream_count; i++)
        end_tests(&plan->transports[i]);
}

void fallback_moved(struct group *group)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i]->upstream)
            fallback_event(group->servers[i], FALLBACK_MOVED, 0);
}

void fallback_describe(const struct server *server, bool *reserve, const char **why)
{
    const struct fallback *fallback = server->upstream ? &server->upstream->fallback : NULL;
    *reserve = fallback_is_idle(server) && server->open == 0;
    *why = "";
    if (fallback && is_https(server) && fallback_is_on(fallback))
        *why = reason_of(fallback);
}
