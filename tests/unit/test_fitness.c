/* SPDX-License-Identifier: MIT */
/* upstream/fitness: each row of its table, and combinations of rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/ask.h"
#include "upstream/fitness.h"

#define NOW       100000
#define ALLOWANCE 10

/* A session without any reason against it: open, idle, received data a second ago. */
static bool usable;

static bool is_usable(const struct session *session)
{
    (void)session;
    return usable;
}

static const struct transport transport = {.usable = is_usable};
static struct server server;
static struct session session;
static struct attempt plain, hedge, isolated, sent[2];
static struct session other;
/* For hedges: another attempt is on `other`; for isolated attempts: a session was lost. */
static struct ask hedge_ask, isolated_ask;
static uint32_t *const lost = &isolated_ask.past[0].ended; /* when it was lost */

static int setup(void **state)
{
    (void)state;
    server = (struct server){.open = 1, .transport = &transport};
    usable = true;
    session = (struct session){.capacity = IDS_MAX, .server = &server, .state = SESSION_OPEN};
    other = (struct session){.server = &server};
    session.created_ms = session.opened_ms = NOW - 5000;
    session.heard_ms = NOW - 1000;
    list_init(&session.queued);
    list_init(&session.sent);
    hedge_ask = (struct ask){.attempts[0] = {.state = ATTEMPT_SENT, .session = &other}};
    isolated_ask = (struct ask){.past_count = 1, .past[0] = {.outcome = OUTCOME_LOST, .ended = NOW - 6000}};
    plain = (struct attempt){.state = ATTEMPT_WAITING};
    hedge = (struct attempt){.state = ATTEMPT_WAITING, .ask = &hedge_ask};
    isolated = (struct attempt){.state = ATTEMPT_WAITING, .isolated = true, .ask = &isolated_ask};
    return 0;
}

static void send_at(unsigned which, uint64_t sent_ms)
{
    sent[which] = (struct attempt){.state = ATTEMPT_SENT, .sent_ms = sent_ms, .session = &session};
    list_push_back(&session.sent, &sent[which].link);
    session.used++;
    session.given++;
}

static void allow(unsigned queries)
{
    server.allowance = (struct allowance){.queries = queries, .set_ms = NOW};
}

static enum session_place place_for(const struct attempt *attempt)
{
    enum session_place place;
    (void)session_fitness(&session, attempt, NOW, &place);
    return place;
}

static void assert_fitness(const struct attempt *attempt, enum fitness expected_fitness,
                           enum session_place expected_place)
{
    enum session_place place;
    assert_int_equal(session_fitness(&session, attempt, NOW, &place), expected_fitness);
    assert_int_equal(place, expected_place);
}

static void assert_all(enum fitness fitness, enum session_place place)
{
    assert_fitness(&plain, fitness, place);
    assert_fitness(&hedge, fitness, place);
    assert_fitness(&isolated, fitness, place);
}

/* --- rows --- */

static void a_session_without_a_reason_is_fit(void **state)
{
    (void)state;
    assert_all(FITNESS_FIT, PLACE_COMMON);
    send_at(0, NOW - 10);
    session.given = 500;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
}

static void closing_is_unfit(void **state)
{
    (void)state;
    for (int i = SESSION_DIALING; i <= SESSION_CLOSING; i++) {
        session.state = (enum session_state)i;
        if (i != SESSION_OPEN)
            assert_all(FITNESS_UNFIT, PLACE_COMMON);
    }
    session.state = SESSION_OPEN;
    usable = false;
    assert_all(FITNESS_UNFIT, PLACE_COMMON);
}

static void avoided_is_unfit_for_its_hedge(void **state)
{
    (void)state;
    hedge_ask.attempts[0].session = &session;
    assert_fitness(&hedge, FITNESS_UNFIT, PLACE_COMMON);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void held_is_unfit(void **state)
{
    (void)state;
    session.reserved = true;
    assert_all(FITNESS_UNFIT, PLACE_HELD);
}

static void spent_is_unfit(void **state)
{
    (void)state;
    allow(ALLOWANCE);
    send_at(0, NOW - 10);
    session.given = ALLOWANCE - 1;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.given = ALLOWANCE;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_SURPLUS);
    assert_fitness(&hedge, FITNESS_UNFIT, PLACE_SURPLUS);
}

static void sessions_that_outlived_the_allowance_are_not_spent(void **state)
{
    (void)state;
    allow(ALLOWANCE);
    send_at(0, NOW - 10);
    session.given = session.answered = 2 * ALLOWANCE;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    setup(NULL);
    allow(ALLOWANCE);
    session.given = session.answered = ALLOWANCE;
    session.heard_ms = NOW - ALLOWANCE_PROOF;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.heard_ms++;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_SURPLUS);
}

static void exhausted_is_unfit_and_fills_no_place(void **state)
{
    (void)state;
    server.allowance = (struct allowance){.queries = ALLOWANCE, .set_ms = NOW, .confirmed = 1};
    send_at(0, NOW - 10);
    session.given = ALLOWANCE + 1;
    session.answered = ALLOWANCE - 1;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_SURPLUS);
    session.answered = ALLOWANCE;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_NONE);
    session.answered = ALLOWANCE + 1; /* it is different */
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void full_is_unfit(void **state)
{
    (void)state;
    session.ids.tombstones = IDS_MAX - 1;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    send_at(0, NOW - 10);
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_COMMON);
    assert_fitness(&hedge, FITNESS_UNFIT, PLACE_COMMON);
}

static void unsafe_is_unfit_for_isolated_attempts(void **state)
{
    (void)state;
    session.created_ms = *lost - 1; /* older than the loss */
    assert_fitness(&isolated, FITNESS_UNFIT, PLACE_COMMON);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.created_ms++;
    assert_fitness(&isolated, FITNESS_FIT, PLACE_COMMON);
}

static void used_is_a_last_resort_for_isolated_attempts(void **state)
{
    (void)state;
    session.given = session.answered = 1;
    assert_fitness(&isolated, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.heard_ms = *lost; /* no data since the loss, but that is long ago */
    assert_fitness(&isolated, FITNESS_LAST_RESORT, PLACE_SURPLUS);
}

static void used_is_unsafe_until_the_loss_is_over(void **state)
{
    (void)state;
    session.given = session.answered = 1;
    session.heard_ms = *lost = NOW - COINCIDENCE;
    assert_fitness(&isolated, FITNESS_UNFIT, PLACE_SURPLUS);
    session.heard_ms = *lost = NOW - COINCIDENCE - 1;
    assert_fitness(&isolated, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    *lost = NOW - 100;
    session.heard_ms = NOW - 99;
    assert_fitness(&isolated, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    send_at(0, NOW - 99); /* with an attempt on it that is unknown */
    assert_fitness(&isolated, FITNESS_UNFIT, PLACE_SURPLUS);
}

static void suspect_is_a_last_resort(void **state)
{
    (void)state;
    session.suspect_ms = NOW - 10;
    assert_all(FITNESS_LAST_RESORT, PLACE_NONE);
}

static void mute_is_a_last_resort(void **state)
{
    (void)state;
    send_at(0, NOW - SILENCE_MAX);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON); /* one slow name */
    send_at(1, NOW - SILENCE_MAX);
    assert_fitness(&plain, FITNESS_LAST_RESORT, PLACE_NONE);
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_NONE);
    session.heard_ms = NOW - SILENCE_MAX + 1;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void several_overdue_responses_make_a_last_resort(void **state)
{
    (void)state;
    session.answered = 1;
    session.silence = (struct silence){SILENCE_SEVERAL, NOW - PATIENCE_UNKNOWN - 20,
                                       NOW - PATIENCE_UNKNOWN}; /* the last is overdue */
    assert_fitness(&plain, FITNESS_LAST_RESORT, PLACE_NONE);
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_NONE);
    session.silence.last_ms++;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.silence.last_ms--;
    session.answered = 0; /* the server may answer nothing at all */
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void unheard_is_a_last_resort(void **state)
{
    (void)state;
    server.losses.silent_ms = session.heard_ms; /* on another session */
    assert_all(FITNESS_LAST_RESORT, PLACE_NONE);
    session.heard_ms++;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.heard_ms--;
    session.created_ms = session.heard_ms;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void unheard_is_a_last_resort_for_a_rescue(void **state)
{
    (void)state;
    other.suspect_ms = NOW - 50;
    hedge_ask.attempts[0].sent_ms = session.heard_ms;
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_NONE);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    hedge_ask.attempts[0].sent_ms--;
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
    send_at(0, NOW - 900); /* late, but not silent since then */
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
    setup(NULL);
    hedge_ask.attempts[0].sent_ms = session.heard_ms; /* but an attempt was given up before */
    hedge_ask.past_count = 1;
    hedge_ask.past[0] = (struct past_attempt){.outcome = OUTCOME_GIVEN_UP, .sent = NOW - 900, .ended = NOW - 10};
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_NONE);
    other.heard_ms = NOW - 5; /* the name is slow */
    assert_fitness(&hedge, FITNESS_BUSY, PLACE_COMMON);
    hedge_ask = (struct ask){.past_count = 0};
    other = (struct session){.used = 0};
}

static void quiet_is_worse_for_a_hedge(void **state)
{
    (void)state;
    hedge_ask.attempts[0].sent_ms = session.heard_ms;
    assert_fitness(&hedge, FITNESS_BUSY, PLACE_COMMON);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.heard_ms++;
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
}

static void late_is_a_last_resort_for_hedges(void **state)
{
    (void)state;
    send_at(0, NOW - PATIENCE_UNKNOWN);
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
    sent[0].sent_ms--;
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    server.rtt.patience_ms = 500;
    assert_fitness(&hedge, FITNESS_FIT, PLACE_COMMON);
}

static void doubtful_is_a_last_resort(void **state)
{
    (void)state;
    server.losses.lost_ms = NOW - 10;
    assert_fitness(&plain, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    assert_fitness(&hedge, FITNESS_LAST_RESORT, PLACE_SURPLUS);
    session.created_ms = NOW - 10;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.created_ms = NOW - 5000;
    server.losses.lost_ms = NOW - DOUBT_SPAN;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
}

static void crowded_is_busy(void **state)
{
    (void)state;
    session.used = SESSION_BUSY - 1;
    assert_fitness(&plain, FITNESS_FIT, PLACE_COMMON);
    session.used++;
    assert_fitness(&plain, FITNESS_BUSY, PLACE_COMMON);
    assert_fitness(&hedge, FITNESS_BUSY, PLACE_COMMON);
}

/* --- several --- */

static void the_lowest_fitness_and_the_lowest_place_count(void **state)
{
    (void)state;
    session.used = SESSION_BUSY;
    session.suspect_ms = NOW - 10;
    assert_fitness(&plain, FITNESS_LAST_RESORT, PLACE_NONE);
    session.reserved = true;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_NONE);
    session.suspect_ms = 0;
    allow(ALLOWANCE);
    session.given = SESSION_BUSY;
    assert_fitness(&plain, FITNESS_UNFIT, PLACE_HELD);
    session.reserved = false;
    assert_int_equal(place_for(&plain), PLACE_SURPLUS);
    hedge_ask.attempts[0].session = &session;
    assert_fitness(&hedge, FITNESS_UNFIT, PLACE_SURPLUS);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_without_a_reason_is_fit),
        TEST(closing_is_unfit),
        TEST(avoided_is_unfit_for_its_hedge),
        TEST(held_is_unfit),
        TEST(spent_is_unfit),
        TEST(sessions_that_outlived_the_allowance_are_not_spent),
        TEST(exhausted_is_unfit_and_fills_no_place),
        TEST(full_is_unfit),
        TEST(unsafe_is_unfit_for_isolated_attempts),
        TEST(used_is_a_last_resort_for_isolated_attempts),
        TEST(used_is_unsafe_until_the_loss_is_over),
        TEST(suspect_is_a_last_resort),
        TEST(mute_is_a_last_resort),
        TEST(several_overdue_responses_make_a_last_resort),
        TEST(unheard_is_a_last_resort),
        TEST(unheard_is_a_last_resort_for_a_rescue),
        TEST(quiet_is_worse_for_a_hedge),
        TEST(late_is_a_last_resort_for_hedges),
        TEST(doubtful_is_a_last_resort),
        TEST(crowded_is_busy),
        TEST(the_lowest_fitness_and_the_lowest_place_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
