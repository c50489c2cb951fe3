/* SPDX-License-Identifier: MIT */
/* The choice of a session for an attempt, and the dialling of sessions.
 *
 * Choice: open sessions only. Deprioritized servers come last; servers of primary upstreams come before those of
 * backups, healthy ones before failing ones, then the one with the shortest expected response time; within a server
 * the most recently used session, so that surplus sessions become idle and close. While a backup is in use,
 * primaries are dialled beside it as their back-off allows.
 *
 * upstream-policy: `failover` is exactly this order. With `fastest` each primary gets one attempt every MEASURE, so
 * that its response time is known. With `spread` the upstreams have another order for each name (upstream/spread.h),
 * which counts more than the response time; an attempt waits for the first dial to the first upstream of that order,
 * for DIAL_STAGGER at most.
 *
 * Fairness: an attempt that comes while others wait queues behind them until the flush. There isolated attempts get
 * the first choice of empty sessions. A server has at most tls.sessions open sessions, and one more if one is
 * doubtful, spent, or reserved by an isolated attempt.
 *
 * The connector: while attempts wait in the group, one dial is begun at once and another one, to the next server,
 * every DIAL_STAGGER (RFC 8305) or as soon as a dial fails; a server whose dial hangs for DIAL_OVERLAP is dialled
 * again beside it (the kernel's SYN retry is too slow). A server that failed is not dialled during its back-off.
 * When all servers are in back-off, attempts fail with the last error, except within GRACE of the last success, the
 * start or a change of the network: then they wait for the first server whose back-off ends.
 */
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "fitness.h"
#include "upstream/spread.h"
#include "upstream/upstream.h"

/* --- choice of the server --- */

/* `fastest`: true if the server's response time should be measured again. */
static bool server_is_unmeasured(const struct server *server, uint64_t now_ms)
{
    uint64_t last_ms = server->rtt.sampled_ms > server->measured_ms ? server->rtt.sampled_ms : server->measured_ms;
    return !last_ms || now_ms >= last_ms + MEASURE;
}

/* `spread`: the hash that determines the order of the upstreams, together with their state; else 0. */
static uint64_t attempt_name_hash(const struct group *group, const struct attempt *attempt)
{
    return group->policy == POLICY_SPREAD ? spread_hash(attempt->key->name, attempt->key->name_len) : 0;
}

/* The parts of a rank, from the least to the most significant one. */
enum {
    RANK_TIME = 0,
    RANK_SPREAD = 24,
    RANK_FAILING = 56,
    RANK_TRANSPORT,
    RANK_BACKUP,
    RANK_LOW,
    RANK_AVOIDED,
    RANK_DIALING
};
#define RANK_TIME_MAX ((UINT64_C(1) << RANK_SPREAD) - 1)

/* The rank of a server for the choice; lower is better. */
static uint64_t server_rank(const struct server *server, uint64_t name_hash, uint64_t now_ms)
{
    enum config_policy policy = server->group->policy;
    uint64_t rank = rtt_expected(&server->rtt, now_ms);
    if (policy == POLICY_FASTEST && server_is_unmeasured(server, now_ms))
        rank = 0;
    else if (policy == POLICY_SPREAD)
        rank |= (uint64_t)~spread_weight(name_hash, server->spread) << RANK_SPREAD;
    rank |= (uint64_t)(server->backoff.failures > 0 && !server->open) << RANK_FAILING;
    rank |= (uint64_t)fallback_comes_last(server) << RANK_TRANSPORT;
    rank |= (uint64_t)(server->entry->role == ROLE_BACKUP) << RANK_BACKUP;
    rank |= (uint64_t)priority_is_low(&server->priority, now_ms) << RANK_LOW;
    return rank;
}

/* A single failed dial does not rule a server out. */
bool pool_has_other(const struct attempt *attempt)
{
    const struct group *group = attempt->group;
    for (size_t i = 0; i < group->server_count; i++) {
        const struct server *other = group->servers[i];
        if (!attempt_avoids_server(attempt, other) && !fallback_is_idle(other) &&
            (other->open || other->backoff.failures < 2) && loop_now(group->loop) >= other->backoff.retry_at_ms)
            return true;
    }
    return false;
}

/* True if the attempt should wait for another server rather than use this one. */
static bool server_is_avoided(const struct server *server, const struct attempt *attempt)
{
    return attempt_avoids_server(attempt, server) && pool_has_other(attempt);
}

/* --- choice of the session --- */

/* The fitness of the open sessions of one server for an attempt. */
struct offer {
    struct session *best[FITNESSES]; /* the best session of each fitness; NULL: none */
    unsigned places[PLACES];
};

/* Of the fit sessions the most recently used, of the busy ones the one with the least load. */
static void server_offer(const struct server *server, const struct attempt *attempt, uint64_t now_ms,
                         struct offer *offer)
{
    const struct list *open = &server->sessions[SESSION_OPEN];
    *offer = (struct offer){.places = {0}};
    list_for_each(link, open) {
        struct session *session = container_of(link, struct session, in_state), **best;
        enum session_place place;
        enum fitness fitness = session_fitness(session, attempt, now_ms, &place);
        offer->places[place]++;
        best = &offer->best[fitness];
        if (!*best || (fitness == FITNESS_BUSY && session->used < (*best)->used))
            *best = session;
    }
}

/* True for a hedge that may only go to a session that has received data. */
static bool attempt_is_rescue(const struct attempt *attempt)
{
    return attempt_beside(attempt) && attempt_needs_life_since(attempt, loop_now(attempt->group->loop)) > 0;
}

/* True if a session may be opened for the attempt: one more than tls.sessions if one is late, spent, or reserved by
 * an isolated attempt. A dial that hangs fills no place, because another one overlaps it. Hedges alone do not
 * replace a silent session unless the session is known to be at fault: the names may be slow. */
static bool server_may_grow(const struct server *server, const struct attempt *attempt, const struct offer *offer)
{
    if (server->transport->single)
        return server->open == 0;
    unsigned limit = server->group->config->tls.sessions;
    bool replaces = !attempt_beside(attempt) || attempt_is_rescue(attempt);
    unsigned open = replaces ? server->open - offer->places[PLACE_NONE] : server->open;
    return open <= limit && offer->places[attempt->isolated ? PLACE_HELD : PLACE_COMMON] < limit;
}

static struct session *server_session(const struct server *server, const struct attempt *attempt, uint64_t now_ms)
{
    struct offer offer;
    server_offer(server, attempt, now_ms, &offer);
    if (attempt->isolated && offer.places[PLACE_HELD] >= server->group->config->tls.sessions)
        return NULL;
    if (offer.best[FITNESS_FIT])
        return offer.best[FITNESS_FIT];
    if (offer.best[FITNESS_BUSY] || server_may_grow(server, attempt, &offer))
        return offer.best[FITNESS_BUSY];
    return offer.best[FITNESS_LAST_RESORT];
}

/* --- dialling --- */

static bool group_has_session(const struct group *group)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i]->open)
            return true;
    return false;
}

static bool server_backs_off(const struct server *server, uint64_t now_ms)
{
    const struct backoff *backoff = &server->backoff;
    if (now_ms >= backoff->retry_at_ms)
        return false;
    return !backoff->alone_at_ms || now_ms < backoff->alone_at_ms || group_has_session(server->group);
}

static bool server_rests(const struct server *server, uint64_t now_ms)
{
    return server_backs_off(server, now_ms) || fallback_is_idle(server) || budget_wait(server->budget, now_ms) > 0 ||
           (server->dialing && (server->transport->single || now_ms < server->dialed_ms + DIAL_OVERLAP));
}

bool pool_dial(struct server *server)
{
    int status = server->transport->start(server);
    if (status < 0)
        pool_dial_failed(server, loop_now(server->group->loop), status);
    else
        server->dialed_ms = loop_now(server->group->loop);
    return status == 0;
}

/* Opens another session to the server if its open ones are busy. */
static void server_relieve(struct server *server)
{
    unsigned limit = server->transport->single ? 1 : server->group->config->tls.sessions;
    if (!server->dialing && !server_rests(server, loop_now(server->group->loop)) && server->open < limit)
        pool_dial(server);
}

/* True if a server that failed would have been used instead of `used`. It is dialled as soon as its back-off allows if
 * `used` is a backup, or if the name belongs to its upstream. */
static bool server_is_better(const struct server *server, const struct server *used, uint64_t name_hash,
                             uint64_t now_ms)
{
    if (used->entry->role != server->entry->role)
        return used->entry->role == ROLE_BACKUP;
    if (server->group->policy == POLICY_SPREAD && server->entry != used->entry)
        return spread_weight(name_hash, server->spread) > spread_weight(name_hash, used->spread);
    return now_ms >= server->dialed_ms + RETEST &&
           rtt_expected(&server->rtt, now_ms) < rtt_expected(&used->rtt, now_ms);
}

/* A query went to a server only because a better one had failed: dials the better one to see whether it works
 * again. */
static void pool_seek_better(struct group *group, const struct server *used, uint64_t name_hash)
{
    uint64_t now_ms = loop_now(group->loop);
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        if (!server->open && server->backoff.failures > 0 && server_is_better(server, used, name_hash, now_ms))
            server_relieve(server);
    }
}

/* `fastest`: the attempt just placed measures a server whose response time was unknown; opens sessions to other
 * such servers, so that one of the next attempts measures them. */
static __attribute__((noinline)) void pool_measure(struct group *group, struct server *used)
{
    uint64_t now_ms = loop_now(group->loop);
    if (server_is_unmeasured(used, now_ms))
        used->measured_ms = now_ms;
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        bool dialed_lately = server->dialed_ms && now_ms < server->dialed_ms + MEASURE;
        if (!server->open && server->backoff.failures == 0 && server->entry->role == used->entry->role &&
            !dialed_lately && server_is_unmeasured(server, now_ms))
            server_relieve(server);
    }
}

/* `spread`: true if an attempt may wait for a session to the server: not while its dial hangs, nor after a failed
 * one. */
static __attribute__((noinline)) bool server_is_coming(const struct server *server, uint64_t now_ms)
{
    if (server->open || server->backoff.failures > 0)
        return false;
    if (server->dialing)
        return server->dialing == 1 && now_ms < server->dialed_ms + DIAL_STAGGER;
    return !server_rests(server, now_ms);
}

/* The session that an attempt goes to, or the server for whose session it should wait. Both NULL: there is none. */
struct pick {
    struct session *session;
    struct server *coming;
};

static struct pick pool_pick(struct group *group, const struct attempt *attempt, uint64_t name_hash)
{
    struct pick best = {NULL, NULL};
    uint64_t best_rank = UINT64_MAX, now_ms = loop_now(group->loop);
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        bool may_come = group->policy == POLICY_SPREAD && server_is_coming(server, now_ms);
        if ((!server->open && !may_come) || fallback_is_idle(server))
            continue;
        uint64_t rank = server_rank(server, name_hash, now_ms);
        if (may_come) /* an open session of the same upstream is better */
            rank |= RANK_TIME_MAX;
        if (rank >= best_rank || server_is_avoided(server, attempt) || !budget_has(server->budget, now_ms))
            continue;
        struct session *session = may_come ? NULL : server_session(server, attempt, now_ms);
        if (session || may_come) {
            best = (struct pick){session, may_come ? server : NULL};
            best_rank = rank;
        }
    }
    return best;
}

bool pool_place(struct group *group, struct attempt *attempt)
{
    uint64_t name_hash = attempt_name_hash(group, attempt);
    struct pick pick = pool_pick(group, attempt, name_hash);
    struct session *session = pick.session;
    if (pick.coming)
        server_relieve(pick.coming);
    if (!session)
        return false;
    budget_take(session->server->budget);
    if (group->last_error == ERROR_THROTTLED)
        group->last_error = 0;
    list_remove(&attempt->link);
    session->server->transport->submit(session, attempt);
    if (session->used >= SESSION_BUSY)
        server_relieve(session->server);
    pool_seek_better(group, session->server, name_hash);
    if (group->policy == POLICY_FASTEST)
        pool_measure(group, session->server);
    return true;
}

/* The kinds of attempts that sessions are opened for. */
enum { KIND_PLAIN, KIND_HEDGE, KIND_RESCUE, KIND_ISOLATED, KINDS };

/* The first waiting attempt of each kind; NULL: none waits. */
static void pool_kinds(const struct group *group, const struct attempt *first[KINDS])
{
    memset(first, 0, KINDS * sizeof first[0]);
    list_for_each(link, &group->waiting) {
        const struct attempt *attempt = container_of(link, struct attempt, link);
        int kind = KIND_PLAIN;
        if (attempt->isolated)
            kind = KIND_ISOLATED;
        else if (attempt_beside(attempt))
            kind = attempt_is_rescue(attempt) ? KIND_RESCUE : KIND_HEDGE;
        if (!first[kind])
            first[kind] = attempt;
    }
}

static bool server_may_grow_for_any(const struct server *server, const struct attempt *const first[KINDS],
                                    uint64_t now_ms)
{
    struct offer offer;
    for (int kind = 0; kind < KINDS; kind++) {
        if (!first[kind])
            continue;
        server_offer(server, first[kind], now_ms, &offer);
        if (server_may_grow(server, first[kind], &offer))
            return true;
    }
    return false;
}

/* The best server that may be dialled now for a waiting attempt: servers without a dial come before those whose
 * dial hangs. */
static struct server *pool_candidate(struct group *group, uint64_t now_ms)
{
    struct list_link *link = list_first(&group->waiting);
    const struct attempt *first = link ? container_of(link, struct attempt, link) : NULL;
    const struct attempt *kinds[KINDS];
    struct server *best = NULL;
    uint64_t best_rank = UINT64_MAX, name_hash = first ? attempt_name_hash(group, first) : 0;
    pool_kinds(group, kinds);
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        uint64_t rank = server_rank(server, name_hash, now_ms) | (uint64_t)(server->dialing > 0) << RANK_DIALING;
        rank |= (uint64_t)(first && server_is_avoided(server, first)) << RANK_AVOIDED;
        if (rank >= best_rank || server_rests(server, now_ms))
            continue;
        if (server->dialing || server_may_grow_for_any(server, kinds, now_ms)) {
            best = server;
            best_rank = rank;
        }
    }
    return best;
}

static uint64_t pool_latest_dial(const struct group *group)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i]->dialing && group->servers[i]->dialed_ms > latest)
            latest = group->servers[i]->dialed_ms;
    return latest;
}

/* Events for which attempts without a session may wait. */
struct prospect {
    uint64_t retry_at_ms;  /* when the first back-off ends */
    uint64_t budget_at_ms; /* when the first spent budget has a token again; LOOP_NEVER: none is spent */
    bool session;          /* a session is open or being dialled */
    bool failed_once;      /* a server has failed only once: it may be restarting */
};

static struct prospect pool_prospect(const struct group *group, uint64_t now_ms)
{
    struct prospect prospect = {.retry_at_ms = LOOP_NEVER, .budget_at_ms = LOOP_NEVER};
    for (size_t i = 0; i < group->server_count; i++) {
        const struct server *server = group->servers[i];
        if (fallback_is_idle(server))
            continue;
        uint64_t wait_ms = budget_wait(server->budget, now_ms);
        if (wait_ms > 0 && now_ms + wait_ms < prospect.budget_at_ms)
            prospect.budget_at_ms = now_ms + wait_ms;
        uint64_t retry_at_ms = server->backoff.alone_at_ms ? server->backoff.alone_at_ms : server->backoff.retry_at_ms;
        if (retry_at_ms < prospect.retry_at_ms)
            prospect.retry_at_ms = retry_at_ms;
        prospect.session |= server->open || server->dialing;
        prospect.failed_once |= server->backoff.failures == 1;
    }
    return prospect;
}

enum { FAILED_A_TURN = 1000 }; /* takes about 10 ms */

static void pool_fail_waiting(struct group *group)
{
    struct list failed;
    struct list_link *link;
    const struct server *where;
    int reason = upstream_last_error(group, &where);
    list_init(&failed);
    for (unsigned i = 0; i < FAILED_A_TURN && (link = list_pop(&group->waiting)); i++)
        list_push_back(&failed, link);
    if (!list_empty(&group->waiting))
        loop_wake_by(group->loop, loop_now(group->loop) + 1);
    while ((link = list_pop(&failed))) {
        struct attempt *attempt = container_of(link, struct attempt, link);
        attempt->server = (struct server *)where;
        attempt_finish(attempt, OUTCOME_UNSENT, reason, NULL);
    }
}

/* Attempts wait and no server may be dialled: they wait for a budget, a dial, a busy session or the end of a
 * back-off, or else fail. */
static void pool_stuck(struct group *group, uint64_t now_ms)
{
    struct prospect prospect = pool_prospect(group, now_ms);
    if (prospect.budget_at_ms != LOOP_NEVER) { /* queries above max-qps wait as long as their clients do */
        group->last_error = ERROR_THROTTLED;
        loop_wake_by(group->loop, prospect.budget_at_ms);
    } else if (prospect.session) {
        loop_wake_by(group->loop, now_ms + ALLOWANCE_PROOF);
    } else if (prospect.retry_at_ms != LOOP_NEVER && (now_ms < group->grace_until_ms || prospect.failed_once)) {
        loop_wake_by(group->loop, prospect.retry_at_ms > now_ms ? prospect.retry_at_ms : now_ms + 1);
    } else if (!group->plan->awaits_address) { /* else group_apply runs the pool when the lookup has ended */
        pool_fail_waiting(group);
    }
}

/* Puts waiting attempts on sessions that have room now. If an attempt that may go to any session finds no place,
 * the search ends for all attempts like it: thousands may wait. With `spread` each name waits for its own upstream. */
static void pool_feed(struct group *group, bool isolated)
{
    struct list_link *link = list_first(&group->waiting), *after;
    bool full = false;
    for (; link; link = after) {
        struct attempt *attempt = container_of(link, struct attempt, link);
        bool anywhere = attempt_goes_anywhere(attempt);
        after = list_next(&group->waiting, link);
        if (attempt->isolated == isolated && !(anywhere && full))
            full |= !pool_place(group, attempt) && anywhere && group->policy != POLICY_SPREAD;
    }
}

void pool_connect(struct group *group)
{
    if (list_empty(&group->waiting))
        return;
    group->connect_due = true;
    loop_add_flush(group->loop, &group->flush);
}

void pool_run(struct group *group)
{
    uint64_t now_ms = loop_now(group->loop);
    if (!group->connect_due)
        return;
    group->connect_due = false;
    pool_feed(group, true); /* isolated attempts first: under load they would not find an empty session otherwise */
    pool_feed(group, false);
    if (list_empty(&group->waiting) || group->stopping)
        return;
    uint64_t next_dial = pool_latest_dial(group);
    if (next_dial && now_ms < next_dial + DIAL_STAGGER) {
        loop_wake_by(group->loop, next_dial + DIAL_STAGGER);
        return;
    }
    struct server *server;
    while ((server = pool_candidate(group, now_ms))) {
        if (pool_dial(server)) {
            loop_wake_by(group->loop, now_ms + DIAL_STAGGER);
            return;
        }
    }
    pool_stuck(group, now_ms);
}

void pool_open_ahead(struct server *server)
{
    if (!server->open && !server->group->stopping && !server->left)
        server_relieve(server);
}

/* --- the outcome of a dial --- */

/* Ends dials that hung while another one succeeded, the oldest first, as far as they exceed the limit of sessions. */
static void server_drop_surplus_dials(struct server *server)
{
    struct list *dialing = &server->sessions[SESSION_DIALING];
    while (server->dialing > 0 && server->open + server->dialing > server->group->config->tls.sessions)
        server->transport->stop(container_of(dialing->head.prev, struct session, in_state), ERROR_IDLE);
}

void pool_dial_succeeded(struct server *server)
{
    server->backoff.retry_at_ms = server->backoff.alone_at_ms = 0;
    fallback_note_opened(server);
    server->group->last_error = 0;
    server->group->last_failed = NULL;
    server_drop_surplus_dials(server);
}

void pool_note_success(struct group *group)
{
    group->grace_until_ms = loop_now(group->loop) + GRACE;
}

static void server_failed(struct server *server, int reason, const char *what)
{
    struct group *group = server->group;
    if (!server->left) {
        group->last_error = reason;
        group->last_failed = server;
    }
    event_failed(server, what, reason);
    pool_connect(group);
}

void pool_dial_failed(struct server *server, uint64_t begun_ms, int reason)
{
    backoff_note_dial(&server->backoff, begun_ms, error_is_distrust(reason));
    condition_note(&server->condition, CONDITION_DIAL_FAILED, loop_now(server->group->loop));
    fallback_note_failed(server, begun_ms, reason);
    server_failed(server, reason, "cannot open a session to");
}

void pool_session_failed(struct server *server, uint64_t begun_ms, int reason)
{
    backoff_note_session(&server->backoff, begun_ms);
    condition_note(&server->condition, CONDITION_SESSION_FAILED, loop_now(server->group->loop));
    server_failed(server, reason, "a session ended before the first response from");
}

void pool_server_failed(struct server *server, int reason)
{
    uint64_t now_ms = loop_now(server->group->loop);
    backoff_note_session(&server->backoff, now_ms);
    condition_note(&server->condition, CONDITION_SESSION_FAILED, now_ms);
    server_failed(server, reason, "no response from");
}
