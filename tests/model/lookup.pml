/* SPDX-License-Identifier: MIT */
/* A model of attempts, sessions, lookups and their waiters: src/upstream/ask.c, src/upstream/transport/session.c,
 * src/resolve/lookup.c and src/resolve/query.c. tests/model/run makes rows.pml of the state table in ask.c, so the model
 * follows the table itself; whatever a guard of the table measures (times, budgets, other servers) may turn out either way.
 *
 * A worker is one thread, so each handler is atomic: the process picks an event that can come, and handles it.
 *
 * Checked: each query ends once; no callback comes for an ask, lookup or waiter that has ended; the number of live attempts
 * is that of the state; each event has a row; each lookup has a timer or a stage that ends it; and there is an event in each
 * state in which a query or a lookup is left (deadlock).
 */
#ifndef LOOKUPS
#define LOOKUPS  2
#define QUERIES  2
#define SESSIONS 2
#define ASK_ATTEMPTS 3
#endif
#define ATTEMPTS (2 * LOOKUPS) /* attempts 2n and 2n + 1 belong to lookup n */
#define NONE     255

mtype = {ATTEMPT_IDLE, ATTEMPT_WAITING, ATTEMPT_QUEUED, ATTEMPT_SENT,
         SESSION_DIALING, SESSION_OPEN, SESSION_RETIRING, SESSION_CLOSING,
         STAGE_NONE, STAGE_STORE, STAGE_ASK, STAGE_VALIDATE,
         QUERY_NEW, QUERY_WAITING, QUERY_PARKED, QUERY_ENDED};

#define live(a)          (attempt_state[a] != ATTEMPT_IDLE)
#define live_count(l)    (live(2 * (l)) + live(2 * (l) + 1))
#define has_attempts(l)  (past_count[l] + live_count(l) < ASK_ATTEMPTS)
#define used(s)          (on(0, s) || on(1, s) || on_second(s))
#define on(a, s)         (live(a) && attempt_session[a] == s)
#if LOOKUPS == 2
#define on_second(s)     (on(2, s) || on(3, s))
#define is_some_waiting  (waiting(0) || waiting(1) || waiting(2) || waiting(3))
#define lookups_are_over (!in_use[0] && !in_use[1])
#else
#define on_second(s)     false
#define is_some_waiting  (waiting(0) || waiting(1))
#define lookups_are_over (!in_use[0])
#endif
#if QUERIES == 2
#define queries_are_over (query_state[0] == QUERY_ENDED && query_state[1] == QUERY_ENDED)
#else
#define queries_are_over (query_state[0] == QUERY_ENDED)
#endif
#define waiting(a)       (attempt_state[a] == ATTEMPT_WAITING)
#define over             (queries_are_over && lookups_are_over)
#define maybe(statement) if :: true -> statement :: true fi
#include "rows.pml"

mtype attempt_state[ATTEMPTS] = ATTEMPT_IDLE;
byte attempt_session[ATTEMPTS] = NONE;
bool attempt_isolated[ATTEMPTS];
mtype session_state[SESSIONS] = SESSION_CLOSING;
mtype ask_state[LOOKUPS] = ASK_IDLE;
byte past_count[LOOKUPS];
bool look[LOOKUPS];        /* the timeout runs */
bool stale_after[LOOKUPS]; /* the timeout runs */
bool in_use[LOOKUPS], in_table[LOOKUPS];
mtype stage[LOOKUPS] = STAGE_NONE;
mtype query_state[QUERIES] = QUERY_NEW;
byte waits_for[QUERIES] = NONE; /* the lookup whose waiter the query is */
bool repeated[QUERIES], refreshed, limited;

/* Of one handler. */
byte n, q, w, fresh, asked, ending, ended, finished, stale, arrived, busy;
mtype action, next, event, outcome;
byte failing[ATTEMPTS];

/* --- attempts --- */

inline attempt_detach(a)
{
    attempt_state[a] = ATTEMPT_IDLE;
    attempt_session[a] = NONE;
    attempt_isolated[a] = false;
    failing[a] = 0
}

inline ask_note(l)
{
    assert(past_count[l] < ASK_ATTEMPTS);
    past_count[l]++
}

inline ask_give_up(l, a)
{
    if
    :: live(a) -> ask_note(l); attempt_detach(a)
    :: else
    fi
}

inline ask_stop(l)
{
    look[l] = false;
    ask_give_up(l, 2 * (l));
    ask_give_up(l, 2 * (l) + 1)
}

inline attempt_send(a)
{
    assert(!live(a));
    attempt_state[a] = ATTEMPT_WAITING
}

inline ask_send(l)
{
    n = (live(2 * (l)) -> 2 * (l) + 1 : 2 * (l));
    attempt_send(n);
    maybe(attempt_isolated[n] = (past_count[l] > 0))
}

/* Gives up one of two attempts, whichever was sent first or last. */
inline ask_make_place(l)
{
    if
    :: live_count(l) == 2 ->
        if
        :: true -> ask_give_up(l, 2 * (l))
        :: true -> ask_give_up(l, 2 * (l) + 1)
        fi
    :: else
    fi
}

/* --- queries --- */

inline query_end(q)
{
    assert(query_state[q] == QUERY_WAITING || query_state[q] == QUERY_PARKED);
    query_state[q] = QUERY_ENDED;
#ifndef MUTANT_WAITER_STAYS
    waits_for[q] = NONE
#endif
}

/* A step that sees the response may park the query; its client may send the next query at once. */
inline query_done(q)
{
    assert(query_state[q] == QUERY_WAITING);
    if
    :: true -> query_end(q); maybe(query_join_anew())
    :: query_state[q] = QUERY_PARKED
    fi
}

/* --- lookups --- */

inline lookup_new(l)
{
    assert(!in_use[l] && !in_table[l] && ask_state[l] == ASK_IDLE && !live_count(l) && !look[l]);
    in_use[l] = true;
    in_table[l] = true;
    past_count[l] = 0;
    stage[l] = STAGE_STORE
}

/* The lookup in the table, else a free place, else NONE. */
inline lookup_find(l)
{
    l = NONE;
    if
    :: in_table[0] -> l = 0
#if LOOKUPS == 2
    :: in_table[1] -> l = 1
    :: !in_table[0] && !in_table[1] && !in_use[1] -> l = 1
    :: !in_table[0] && !in_table[1] && !in_use[0] -> l = 0
#else
    :: !in_table[0] && !in_use[0] -> l = 0
#endif
    :: else
    fi
}

/* In a callback of a lookup that ends. The new lookup waits for its first stage. */
inline query_join_anew()
{
    if
    :: query_state[QUERIES - 1] == QUERY_NEW ->
        lookup_find(fresh);
        assert(fresh == NONE || !in_table[fresh]);
        if
        :: fresh == NONE -> query_state[QUERIES - 1] = QUERY_ENDED /* too many lookups */
        :: else ->
            lookup_new(fresh);
            query_state[QUERIES - 1] = QUERY_WAITING;
            waits_for[QUERIES - 1] = fresh;
            stale_after[fresh] = true
        fi
    :: else
    fi
}

/* Does nothing unless the ask is under way. */
inline ask_cancel(l)
{
#ifdef MUTANT_NO_CANCEL
    skip
#else
    if
    :: ask_state[l] != ASK_IDLE ->
        event = EVENT_CANCEL;
        choose_row_of_cancel(l);
        assert(action == ACTION_END);
        ask_state[l] = next;
        ask_stop(l)
    :: else
    fi
#endif
}

inline lookup_close(l)
{
    assert(in_use[l] && in_table[l]);
    in_table[l] = false;
    stale_after[l] = false;
    ask_cancel(l)
}

inline lookup_call_waiters(l)
{
    w = 0;
    do
    :: w < QUERIES ->
        if
        :: waits_for[w] == l -> waits_for[w] = NONE; query_done(w)
        :: else
        fi;
        w++
    :: else -> break
    od
}

inline lookup_give_stale(l)
{
    w = 0;
    do
    :: w < QUERIES ->
        if
        :: waits_for[w] == l -> assert(query_state[w] == QUERY_WAITING); maybe(query_end(w))
        :: else
        fi;
        w++
    :: else -> break
    od
}

inline lookup_free(l)
{
    assert(in_use[l] && !in_table[l] && ask_state[l] == ASK_IDLE && !live_count(l) && !look[l] && !stale_after[l]);
    in_use[l] = false;
    stage[l] = STAGE_NONE
}

/* lookup_fail and lookup_finish: expired data, if at all, comes first. */
inline lookup_end(l)
{
    lookup_close(l);
    maybe(lookup_give_stale(l));
    lookup_call_waiters(l);
    lookup_free(l)
}

/* `done` of the ask: failed, or answered; a later stage may wait before the end. */
inline lookup_asked(l, answered)
{
    assert(in_use[l] && in_table[l] && stage[l] == STAGE_ASK);
    if
    :: answered -> stage[l] = STAGE_VALIDATE
    :: ending = l
    fi
}

/* --- asks --- */

inline ask_act(l)
{
    if
    :: action == ACTION_SEND || action == ACTION_RESEND_CLEARED -> ask_send(l); look[l] = true
    :: action == ACTION_RESEND || action == ACTION_RESEND_BESIDE || action == ACTION_RETRY_PAID || action == ACTION_RETRY ||
       action == ACTION_RETRY_BESIDE || action == ACTION_RETRY_ONCE || action == ACTION_RETRY_ELSEWHERE -> ask_send(l)
#ifdef MUTANT_NO_LOOK
    :: action == ACTION_SUSPECT -> look[l] = false
#else
    :: action == ACTION_SUSPECT -> look[l] = true
#endif
    :: action == ACTION_HEDGE || action == ACTION_RESCUE || action == ACTION_HEDGE_AGAIN || action == ACTION_HEDGE_ANEW ->
        ask_make_place(l);
        ask_send(l);
        look[l] = true
    :: action == ACTION_AWAIT || action == ACTION_LOOK -> maybe(look[l] = true)
    :: action == ACTION_STAY
    :: action == ACTION_FAIL -> ask_stop(l); lookup_asked(l, false)
    :: action == ACTION_DELIVER -> ask_stop(l); lookup_asked(l, true)
    :: else -> assert(false)
    fi
}

inline ask_event(l)
{
    assert(in_use[l] && in_table[l] && stage[l] == STAGE_ASK);
    choose_row(l);
    ask_state[l] = next;
    ask_act(l);
    assert(live_count(l) == live_in(ask_state[l]))
}

/* attempt_finish, then `done` of the attempt. */
inline attempt_finish(a)
{
    attempt_detach(a);
    if
    :: event != OUTCOME_RESPONSE -> ask_note((a) / 2)
    :: else
    fi;
    asked = (a) / 2
}

/* --- sessions --- */

/* Queries that were not sent wait for another session. */
inline session_requeue(s)
{
    n = 0;
    do
    :: n < ATTEMPTS ->
        if
        :: attempt_session[n] == s && attempt_state[n] == ATTEMPT_QUEUED ->
            attempt_state[n] = ATTEMPT_WAITING;
            attempt_session[n] = NONE
        :: else
        fi;
        n++
    :: else -> break
    od
}

/* All attempts leave the session, then each of them ends, unless the end of another one has cancelled it. */
inline session_end(s)
{
    session_state[s] = SESSION_CLOSING;
    session_requeue(s);
    if
    :: outcome = OUTCOME_LOST
    :: outcome = OUTCOME_LOST_EXPLAINED
    :: outcome = OUTCOME_SILENT
    fi;
    n = 0;
    do
    :: n < ATTEMPTS ->
        failing[n] = (attempt_session[n] == s);
        if
        :: failing[n] != 0 -> attempt_state[n] = ATTEMPT_WAITING; attempt_session[n] = NONE
        :: else
        fi;
        n++
    :: else -> break
    od
}

/* The next attempt of a session that ended. */
inline finish_next()
{
    q = 0;
    do
    :: q < ATTEMPTS && failing[q] == 0 -> q++
    :: q < ATTEMPTS && failing[q] != 0 ->
        event = (outcome == OUTCOME_LOST && attempt_isolated[q] -> OUTCOME_LOST_ISOLATED : outcome);
        attempt_finish(q);
        break
    :: q >= ATTEMPTS -> busy = 0; break
    od
}

/* --- the worker --- */

/* An isolated attempt gets a session of its own. */
#define reserves(a, s)  (on(a, s) && attempt_isolated[a])
#if LOOKUPS == 2
#define is_reserved(s)  (reserves(0, s) || reserves(1, s) || reserves(2, s) || reserves(3, s))
#else
#define is_reserved(s)  (reserves(0, s) || reserves(1, s))
#endif
#define may_take(s, a)  (waiting(a) && session_state[s] == SESSION_OPEN && !is_reserved(s) && (!attempt_isolated[a] || !used(s)))

#define EVENTS_OF_SESSION(s) \
    :: session_state[s] == SESSION_CLOSING && is_some_waiting -> session_state[s] = SESSION_DIALING \
    :: session_state[s] == SESSION_DIALING -> session_state[s] = SESSION_OPEN \
    :: session_state[s] == SESSION_DIALING -> session_state[s] = SESSION_CLOSING \
    :: session_state[s] == SESSION_OPEN -> session_state[s] = SESSION_RETIRING; session_requeue(s) \
    :: session_state[s] == SESSION_RETIRING && !used(s) -> session_state[s] = SESSION_CLOSING \
    :: session_state[s] == SESSION_OPEN || session_state[s] == SESSION_RETIRING -> ended = s

#define EVENTS_OF_ATTEMPT(a) \
    :: may_take(0, a) -> attempt_state[a] = ATTEMPT_QUEUED; attempt_session[a] = 0 \
    :: may_take(SESSIONS - 1, a) -> attempt_state[a] = ATTEMPT_QUEUED; attempt_session[a] = SESSIONS - 1 \
    :: attempt_state[a] == ATTEMPT_QUEUED -> attempt_state[a] = ATTEMPT_SENT \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_RESPONSE; finished = a \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_FAILURE; finished = a \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_UNUSABLE; finished = a \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_NO_EDNS; finished = a \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_FORMERR; finished = a \
    :: attempt_state[a] == ATTEMPT_SENT -> event = EVENT_SILENT; asked = (a) / 2 \
    :: attempt_state[a] == ATTEMPT_SENT -> event = OUTCOME_TIMEOUT; finished = a \
    :: live(a) && attempt_state[a] != ATTEMPT_SENT -> event = OUTCOME_UNSENT; finished = a

/* The store has no answer, or has one; a flood or a stop ends one lookup. */
#define EVENTS_OF_LOOKUP(l) \
    :: look[l] -> look[l] = false; event = EVENT_LOOK; asked = l \
    :: stage[l] == STAGE_STORE -> stage[l] = STAGE_ASK; event = EVENT_START; asked = l \
    :: stage[l] == STAGE_STORE || stage[l] == STAGE_VALIDATE -> ending = l \
    :: stale_after[l] -> stale_after[l] = false; stale = l \
    :: !limited && in_table[l] -> limited = true; ending = l

/* A query may also be a hit; it may be sent again; it ends when it is late or its client has gone. */
#define EVENTS_OF_QUERY(id) \
    :: query_state[id] == QUERY_NEW -> query_state[id] = QUERY_ENDED \
    :: query_state[id] == QUERY_NEW -> arrived = id \
    :: query_state[id] == QUERY_WAITING && waits_for[id] != NONE && !repeated[id] -> \
        repeated[id] = true; \
        hurry(waits_for[id]) \
    :: query_state[id] == QUERY_WAITING || query_state[id] == QUERY_PARKED -> query_end(id)

inline hurry(l)
{
    if
    :: stage[l] == STAGE_ASK -> event = EVENT_JOIN; asked = l
    :: else
    fi
}

/* Joins the lookup or starts one. */
inline query_arrive(id)
{
    lookup_find(fresh);
    if
    :: fresh == NONE -> query_state[id] = QUERY_ENDED /* too many lookups */
    :: else ->
        query_state[id] = QUERY_WAITING;
        if
        :: in_table[fresh] -> hurry(fresh)
        :: else -> lookup_new(fresh)
        fi;
        waits_for[id] = fresh;
        stale_after[fresh] = true
    fi
}

inline refresh()
{
    lookup_find(fresh);
    if
    :: fresh != NONE && !in_table[fresh] -> lookup_new(fresh)
    :: else
    fi
}

#define can_end(l) (!in_use[l] || stage[l] != STAGE_ASK || live_count(l) > 0 || look[l])

active proctype worker()
{
    do
    :: atomic {
        asked = NONE; ending = NONE; ended = NONE; finished = NONE; stale = NONE; arrived = NONE; busy = 0;
        if
        EVENTS_OF_SESSION(0)
        EVENTS_OF_ATTEMPT(0)
        EVENTS_OF_ATTEMPT(1)
        EVENTS_OF_LOOKUP(0)
        EVENTS_OF_QUERY(0)
#if SESSIONS == 2
        EVENTS_OF_SESSION(1)
#endif
#if LOOKUPS == 2
        EVENTS_OF_ATTEMPT(2)
        EVENTS_OF_ATTEMPT(3)
        EVENTS_OF_LOOKUP(1)
#endif
#if QUERIES == 2
        EVENTS_OF_QUERY(1)
#endif
        :: !refreshed -> refreshed = true; refresh()
        :: over && refreshed -> break
        fi;
        if
        :: arrived != NONE -> query_arrive(arrived)
        :: stale != NONE -> lookup_give_stale(stale)
        :: finished != NONE -> attempt_finish(finished)
        :: ended != NONE -> session_end(ended); busy = 1
        :: else
        fi;
        do
        :: asked != NONE -> ask_event(asked); asked = NONE
        :: asked == NONE && ending != NONE -> lookup_end(ending); ending = NONE
        :: asked == NONE && ending == NONE && busy == 1 -> finish_next()
        :: else -> break
        od;
        n = 0; q = 0; w = 0; fresh = 0; finished = NONE; ended = NONE; stale = NONE; arrived = NONE;
        action = ACTION_STAY; next = ASK_IDLE; event = EVENT_LOOK; outcome = OUTCOME_LOST;
        assert(can_end(0));
#if LOOKUPS == 2
        assert(can_end(1))
#endif
    }
    od
}
