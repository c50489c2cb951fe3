/* SPDX-License-Identifier: MIT */
/* Reasons against putting an attempt on a session. Without a reason the session is fit, and fills a common place.
 * Of several reasons the lowest fitness and the lowest place count.
 */
#include "fitness.h"

enum reason {
    CLOSING, /* takes no more attempts, or its stream has failed and the session has not been told yet */
    AVOIDED, /* the attempt is a hedge of another on this session */
    HELD,    /* an isolated attempt is on it */
    SPENT,   /* it was sent the number of queries after which its server is known to close a session */
    FULL,    /* no id is free */
    UNSAFE,  /* the attempt is isolated: the cause that ended its last session may end this one as well */
    SILENT,  /* several responses are overdue, or it is suspect or mute: it may be half open, or just slow */
    UNHEARD, /* another session of the server fell silent, and this one has received nothing since */
    QUIET,   /* the attempt is a hedge: it prefers a session that has received data since the first attempt was sent */
    /* The attempt is a hedge, to distinguish a slow name from a silent session: this session may be silent as well. */
    LATE,
    USED,     /* the attempt is isolated: an earlier query may be about to end this session */
    DOUBTFUL, /* another session of its server was lost a moment ago, and nothing has arrived on this one since */
    CROWDED,  /* so busy that another session is worth its handshake */
    REASONS
};

static const struct {
    enum fitness fitness;
    enum session_place place;
} table[REASONS] = {
    [CLOSING] = {FITNESS_UNFIT, PLACE_COMMON},     [AVOIDED] = {FITNESS_UNFIT, PLACE_COMMON},
    [HELD] = {FITNESS_UNFIT, PLACE_HELD},          [SPENT] = {FITNESS_UNFIT, PLACE_SURPLUS},
    [FULL] = {FITNESS_UNFIT, PLACE_COMMON},        [UNSAFE] = {FITNESS_UNFIT, PLACE_COMMON},
    [UNHEARD] = {FITNESS_LAST_RESORT, PLACE_NONE}, [QUIET] = {FITNESS_BUSY, PLACE_COMMON},
    [SILENT] = {FITNESS_LAST_RESORT, PLACE_NONE},  [LATE] = {FITNESS_LAST_RESORT, PLACE_SURPLUS},
    [USED] = {FITNESS_LAST_RESORT, PLACE_SURPLUS}, [DOUBTFUL] = {FITNESS_LAST_RESORT, PLACE_SURPLUS},
    [CROWDED] = {FITNESS_BUSY, PLACE_COMMON},
};

/* Several queries have been outstanding for long and no data has arrived. A single one may be for a slow name,
 * therefore the second one counts. */
static bool is_mute(const struct session *session, uint64_t now_ms)
{
    const struct list_link *first = list_first(&session->sent);
    const struct list_link *second = first ? list_next(&session->sent, first) : NULL;
    if (!second)
        return false;
    uint64_t since_ms = container_of(second, const struct attempt, link)->sent_ms;
    return now_ms >= (since_ms > session->heard_ms ? since_ms : session->heard_ms) + SILENCE_MAX;
}

/* The response to the oldest query is late. */
static bool is_late(const struct session *session, uint64_t now_ms)
{
    uint64_t since_ms = session_silent_since(session);
    return since_ms && now_ms > since_ms + rtt_patience(&session->server->rtt);
}

/* False if it has answered far more queries than the allowance, or has answered all and stayed open. */
static bool is_spent(const struct session *session, uint64_t now_ms)
{
    unsigned allowance = allowance_now(&session->server->allowance, now_ms);
    return session->given >= allowance && session->answered / 2 < allowance && !session_has_outlived(session, now_ms);
}

/* Opened since the attempt's last session ended; or idle, and it has received data since, or stayed open so much
 * longer that the same cause would have ended it. */
static bool is_safe(const struct session *session, const struct attempt *attempt, uint64_t now_ms)
{
    if (session->given == 0)
        return session->created_ms >= attempt_lost_ms(attempt);
    return session_has_outlived(session, now_ms) &&
           (session->heard_ms > attempt_lost_ms(attempt) || now_ms > attempt_lost_ms(attempt) + COINCIDENCE);
}

/* Received nothing since another session of its server fell silent, or, for a hedge that is a rescue, since the ask
 * sent its first attempt. */
static bool is_unheard(const struct session *session, const struct attempt *hedge, uint64_t now_ms)
{
    uint64_t silent_ms = session->server->losses.silent_ms;
    uint64_t since_ms = hedge ? attempt_needs_life_since(hedge, now_ms) : 0;
    return (silent_ms && !session_lives_since(session, silent_ms)) ||
           (since_ms && !session_lives_since(session, since_ms));
}

static unsigned session_reasons(const struct session *session, const struct attempt *attempt, uint64_t now_ms)
{
    unsigned reasons = 0;
    if (session->state != SESSION_OPEN || session->stream.state != STREAM_OPEN)
        reasons |= 1u << CLOSING;
    if (session->reserved)
        reasons |= 1u << HELD;
    if (session->server->allowance.queries && is_spent(session, now_ms))
        reasons |= 1u << SPENT;
    if (session->used + session->ids.tombstones >= IDS_MAX)
        reasons |= 1u << FULL;
    if (session->suspect_ms || (session->used > 1 && is_mute(session, now_ms)) ||
        (silence_is_possible(&session->silence) && session_is_silent(session, now_ms)))
        reasons |= 1u << SILENT;
    if (session->server->losses.lost_ms && losses_leave_doubt(&session->server->losses, session->created_ms,
                                                              session->opened_ms, session->heard_ms, now_ms))
        reasons |= 1u << DOUBTFUL;
    if (session->used >= SESSION_BUSY)
        reasons |= 1u << CROWDED;
    const struct attempt *beside = attempt_beside(attempt);
    if ((beside || session->server->losses.silent_ms) && is_unheard(session, beside ? attempt : NULL, now_ms))
        reasons |= 1u << UNHEARD;
    if (beside && beside->session == session)
        reasons |= 1u << AVOIDED;
    if (beside && is_late(session, now_ms))
        reasons |= 1u << LATE;
    if (beside && !session_lives_since(session, beside->sent_ms))
        reasons |= 1u << QUIET;
    if (attempt->isolated && session->given > 0)
        reasons |= 1u << USED;
    if (attempt->isolated && !is_safe(session, attempt, now_ms))
        reasons |= 1u << UNSAFE;
    return reasons;
}

enum fitness session_fitness(const struct session *session, const struct attempt *attempt, uint64_t now_ms,
                             enum session_place *place)
{
    enum fitness fitness = FITNESS_FIT;
    unsigned reasons = session_reasons(session, attempt, now_ms);
    *place = PLACE_COMMON;
    for (unsigned reason = 0; reasons >> reason; reason++) {
        if (!(reasons >> reason & 1))
            continue;
        if (table[reason].fitness < fitness)
            fitness = table[reason].fitness;
        if (table[reason].place < *place)
            *place = table[reason].place;
    }
    return fitness;
}
