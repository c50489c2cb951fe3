/* SPDX-License-Identifier: MIT */
/* Reasons against putting an attempt on a session. Without a reason the session is fit, and fills a common place.
 * Of several reasons the lowest fitness and the lowest place count.
 */
#include "fitness.h"

enum reason {
    CLOSING,   /* takes no more attempts, or its connection has failed and the session has not been told yet */
    AVOIDED,   /* the attempt is a hedge of another on this session */
    HELD,      /* an isolated attempt is on it */
    SPENT,     /* it was sent the number of queries after which its server is known to end a session */
    EXHAUSTED, /* it was sent more, and has given all the responses that its server gives on a session */
    FULL,      /* no id or stream is free */
    UNSAFE,    /* the attempt is isolated: the cause that ended its last session may end this one as well */
    SILENT,    /* several responses are overdue, or it is suspect or mute: it may be half open, or just slow */
    UNHEARD,   /* another session of the server fell silent, and this one has received nothing since */
    QUIET, /* the attempt is a hedge: it prefers a session that has received data since the first attempt was sent */
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
    [CLOSING] = {FITNESS_UNFIT, PLACE_COMMON},
    [AVOIDED] = {FITNESS_UNFIT, PLACE_COMMON},
    [HELD] = {FITNESS_UNFIT, PLACE_HELD},
    [SPENT] = {FITNESS_UNFIT, PLACE_SURPLUS},
    [EXHAUSTED] = {FITNESS_UNFIT, PLACE_NONE},
    [FULL] = {FITNESS_UNFIT, PLACE_COMMON},
    [UNSAFE] = {FITNESS_UNFIT, PLACE_COMMON},
    [UNHEARD] = {FITNESS_LAST_RESORT, PLACE_NONE},
    [QUIET] = {FITNESS_BUSY, PLACE_COMMON},
    [SILENT] = {FITNESS_LAST_RESORT, PLACE_NONE},
    [LATE] = {FITNESS_LAST_RESORT, PLACE_SURPLUS},
    [USED] = {FITNESS_LAST_RESORT, PLACE_SURPLUS},
    [DOUBTFUL] = {FITNESS_LAST_RESORT, PLACE_SURPLUS},
    [CROWDED] = {FITNESS_BUSY, PLACE_COMMON},
};

/* Several queries have been outstanding for long and no data has arrived. A single one may be for a slow name,
 * therefore the second one counts. Hedges do not: their names may be slow. */
static bool is_mute(const struct session *session, uint64_t now_ms)
{
    unsigned queries = 0;
    if (now_ms < session->heard_ms + SILENCE_MAX)
        return false;
    list_for_each(link, &session->sent) {
        const struct attempt *attempt = container_of(link, const struct attempt, link);
        if (now_ms < attempt->sent_ms + SILENCE_MAX)
            return false;
        if (!attempt->hedge && ++queries > 1) /* thousands may follow */
            return true;
    }
    return false;
}

/* The response to the oldest query is late. */
static bool is_late(const struct session *session, uint64_t now_ms)
{
    uint64_t since_ms = session_silent_since(session);
    return since_ms && now_ms > since_ms + rtt_patience(&session->server->rtt);
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

/* Received nothing since another session of its server fell silent. */
static bool is_unheard(const struct session *session)
{
    uint64_t silent_ms = session->server->losses.silent_ms;
    return silent_ms && !session_lives_since(session, silent_ms);
}

/* Reasons that concern hedges only. A rescue needs a session that has received data since its ask sent the first
 * attempt; such a session may be late. */
static unsigned hedge_reasons(const struct session *session, const struct attempt *hedge, const struct attempt *beside,
                              uint64_t now_ms)
{
    unsigned reasons = 0;
    uint64_t since_ms = attempt_needs_life_since(hedge, now_ms);
    if (beside->session == session)
        reasons |= 1u << AVOIDED;
    if (since_ms && !session_lives_since(session, since_ms))
        reasons |= 1u << UNHEARD;
    if (!since_ms && is_late(session, now_ms))
        reasons |= 1u << LATE;
    if (!session_lives_since(session, beside->sent_ms))
        reasons |= 1u << QUIET;
    return reasons;
}

static unsigned session_reasons(const struct session *session, const struct attempt *attempt, uint64_t now_ms)
{
    unsigned reasons = 0;
    if (session->state != SESSION_OPEN || !session->server->transport->usable(session))
        reasons |= 1u << CLOSING;
    if (session->reserved)
        reasons |= 1u << HELD;
    if (session->server->allowance.queries && session_is_spent(session, now_ms))
        reasons |=
            allowance_is_exhausted(&session->server->allowance, session->answered) ? 1u << EXHAUSTED : 1u << SPENT;
    if (session->used + session->ids.tombstones >= session->capacity)
        reasons |= 1u << FULL;
    if (session->suspect_ms || (session->used > 1 && is_mute(session, now_ms)) ||
        (silence_is_possible(&session->silence) && session_is_silent(session, now_ms)))
        reasons |= 1u << SILENT;
    if (session->server->losses.lost_ms && losses_leave_doubt(&session->server->losses, session->created_ms,
                                                              session->opened_ms, session->heard_ms, now_ms))
        reasons |= 1u << DOUBTFUL;
    if (session->used >= SESSION_BUSY)
        reasons |= 1u << CROWDED;
    if (session->server->losses.silent_ms && is_unheard(session))
        reasons |= 1u << UNHEARD;
    const struct attempt *beside = attempt_beside(attempt);
    if (beside)
        reasons |= hedge_reasons(session, attempt, beside, now_ms);
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
