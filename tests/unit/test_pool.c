/* SPDX-License-Identifier: MIT */
/* The choice of sessions; when dials are begun, and the effects of their failure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/transport/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config *config;
static struct group *group;
static struct fake_ask asked[200];

static void begin(unsigned entries, unsigned addresses)
{
    config = fake_config(entries, addresses);
    group = fake_group(config);
}

static int setup(void **state)
{
    (void)state;
    fake_begin();
    memset(asked, 0, sizeof asked);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_group_end(group);
    fake_end();
    return 0;
}

static void ask(struct fake_ask *one, const char *name)
{
    memset(one, 0, sizeof *one);
    fake_ask(group, one, name);
}

static void cancel_all(void)
{
    for (unsigned i = 0; i < sizeof asked / sizeof asked[0]; i++)
        attempt_cancel(&asked[i].attempt);
}

static unsigned last_byte(const struct fake_conn *conn)
{
    return ntohl(conn->to.in.sin_addr.s_addr) & 0xff;
}

/* Lets the grace period of the start pass. */
static void pass_grace(void)
{
    fake_pass(GRACE + 10);
}

/* --- dialling --- */

static void nothing_is_dialled_before_the_first_query(void **state)
{
    (void)state;
    begin(1, 4);
    fake_pass(60000);
    assert_int_equal(fake_dials(), 0);
    assert_true(fake.loop.wake_at == LOOP_NEVER); /* and the loop sleeps */
}

static void first_query_dials_one_server(void **state)
{
    (void)state;
    begin(1, 4);
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_pass(1000);
    assert_int_equal(fake_dials(), 1);
    assert_int_equal(asked[0].answered, 1);
}

static void next_server_is_tried_beside_a_hanging_one(void **state)
{
    (void)state;
    begin(1, 2);
    fake.dial[1] = FAKE_HANGS;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_pass(DIAL_STAGGER - 1);
    assert_int_equal(fake_dials(), 1);
    assert_int_equal(last_byte(fake_conn(0)), 1);
    fake_pass(1);
    assert_int_equal(fake_dials(), 2);
    assert_int_equal(asked[0].answered, 1);
}

static void next_server_is_tried_at_once_when_one_refuses(void **state)
{
    (void)state;
    begin(1, 3);
    fake.dial[1] = FAKE_REFUSES;
    fake.dial[2] = FAKE_FAILS_AT_ONCE;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_turn();
    assert_int_equal(asked[0].answered, 1);
    assert_int_equal(asked[0].ended_ms, fake_now());
}

static void hanging_dials_overlap(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_HANGS;
    ask(&asked[0], "a.test");
    fake_pass(DIAL_OVERLAP - 1);
    assert_int_equal(fake_dials(), 1);
    fake_pass(1);
    assert_int_equal(fake_dials(), 2);
    fake_pass(2 * DIAL_OVERLAP);
    assert_int_equal(fake_dials(), 4);
    fake.dial[1] = FAKE_ACCEPTS;
    fake.serve = fake_serve_all;
    fake_turn();
    assert_int_equal(asked[0].answered, 1);
}

static void dials_that_hang_for_long_are_followed_by_others(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_HANGS;
    ask(&asked[0], "a.test");
    fake_pass(2 * DIAL_TIMEOUT);
    unsigned before = fake_dials();
    fake_pass(DIAL_OVERLAP + DIAL_STAGGER);
    assert_in_range(fake_dials(), before + 1, before + 3);
}

static void surplus_dials_leave_no_more_than_the_limit_open(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_HANGS;
    ask(&asked[0], "a.test");
    fake_pass(3500);
    assert_true(fake_dials() > 5);
    fake.dial[1] = FAKE_ACCEPTS;
    fake.serve = fake_serve_all;
    fake_turn();
    assert_in_range(fake_open(), 1, config->tls.sessions);
}

static void hanging_dial_is_given_up(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_HANGS;
    ask(&asked[0], "a.test");
    fake_turn();
    attempt_cancel(&asked[0].attempt);
    fake_pass(DIAL_TIMEOUT - 10);
    assert_non_null(fake_conn(0)->stream);
    fake_pass(20);
    assert_null(fake_conn(0)->stream);
    assert_int_equal(fake_counted(COUNTER_sessions_failed), 1);
}

static void idle_group_dials_nothing(void **state)
{
    (void)state;
    begin(1, 2);
    fake.dial[1] = fake.dial[2] = FAKE_REFUSES;
    ask(&asked[0], "a.test");
    fake_pass(GRACE + BACKOFF_MAX);
    assert_int_equal(asked[0].ended, 1);
    unsigned dials = fake_dials();
    fake_pass(60000);
    assert_int_equal(fake_dials(), dials);
}

/* --- failure --- */

static void within_grace_a_query_waits_for_the_server(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_pass(1000);
    assert_int_equal(asked[0].ended, 0);
    fake.dial[1] = FAKE_ACCEPTS;
    fake_pass(BACKOFF_MAX);
    assert_int_equal(asked[0].answered, 1);
}

static void after_grace_a_query_fails_at_once_with_the_reason(void **state)
{
    (void)state;
    begin(1, 2);
    fake.dial[1] = fake.dial[2] = FAKE_REFUSES;
    pass_grace();
    ask(&asked[0], "a.test");
    fake_turn();
    assert_int_equal(asked[0].ended, 0); /* a single failure may be a coincidence */
    fake_pass(BACKOFF_FIRST);
    assert_int_equal(asked[0].ended, 1);
    assert_int_equal(asked[0].status, -ECONNREFUSED);
    ask(&asked[1], "a.test"); /* all servers are in back-off */
    fake_turn();
    assert_int_equal(asked[1].status, -ECONNREFUSED);
    assert_int_equal(fake_dials(), 4);
}

static void grace_begins_again_with_the_last_response(void **state)
{
    (void)state;
    begin(1, 1);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 30; i++) {
        ask(&asked[i], "a.test");
        fake_pass(100);
        assert_int_equal(asked[i].answered, 1);
    }
    fake.dial[1] = FAKE_REFUSES; /* the server starts again */
    fake_kill(fake_conn(0), -ECONNRESET);
    fake_turn();
    ask(&asked[99], "b.test");
    fake_pass(300);
    assert_int_equal(asked[99].ended, 0);
    fake.dial[1] = FAKE_ACCEPTS;
    fake_pass(700);
    assert_int_equal(asked[99].answered, 1);
}

static void servers_are_back_when_one_dial_succeeds(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 100; i++) { /* ten minutes of failure */
        ask(&asked[0], "a.test");
        fake_pass(6000);
        assert_int_equal(asked[0].answered, 0);
    }
    fake.dial[1] = FAKE_ACCEPTS;
    uint64_t up_ms = fake_now();
    for (unsigned i = 0; i < 20 && !asked[0].answered; i++) {
        ask(&asked[0], "a.test");
        fake_pass(50);
    }
    assert_int_equal(asked[0].answered, 1);
    assert_in_range(asked[0].ended_ms, up_ms, up_ms + BACKOFF_MAX + 50);
}

static void one_failure_is_forgotten_with_success(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_pass(1000);
    fake.dial[1] = FAKE_ACCEPTS;
    fake_pass(BACKOFF_MAX);
    assert_int_equal(asked[0].answered, 1);
    assert_int_equal(group->servers[0]->backoff.failures, 0);
    const struct server *where;
    assert_int_equal(upstream_last_error(group, &where), ERROR_NO_SERVER);
    assert_null(where);
}

/* At most 20 dials in any second, under any load. */
static void refusing_servers_get_few_dials(void **state)
{
    (void)state;
    begin(1, 4);
    for (unsigned i = 1; i <= 4; i++)
        fake.dial[i] = FAKE_REFUSES;
    for (unsigned t = 0; t < 1000; t++) {
        ask(&asked[t % 200], "a.test");
        fake_pass(5);
        attempt_cancel(&asked[t % 200].attempt);
    }
    struct fake_conn *from;
    unsigned dials = fake_dials();
    for (unsigned i = 0; (from = fake_conn(i)) && i + 20 < dials; i++)
        assert_true(fake_conn(i + 20)->dialed_ms >= from->dialed_ms + 1000);
    assert_true(dials >= 4 * 6); /* but they are dialled */
}

static void failing_server_is_not_used_while_another_works(void **state)
{
    (void)state;
    begin(1, 2);
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 100; i++) {
        ask(&asked[i], "a.test");
        fake_pass(100);
        assert_int_equal(asked[i].answered, 1);
    }
    assert_int_equal(fake_dials(), 2);
}

/* --- roles --- */

static void backup_is_not_used_while_a_primary_works(void **state)
{
    (void)state;
    begin(2, 1);
    config->upstreams[0].role = ROLE_BACKUP;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 20; i++) {
        ask(&asked[i], "a.test");
        fake_pass(100);
        assert_int_equal(asked[i].answered, 1);
    }
    assert_int_equal(fake_dials(), 1);
    assert_int_equal(last_byte(fake_conn(0)), 2);
}

static void backup_is_used_when_no_primary_is_available(void **state)
{
    (void)state;
    begin(2, 1);
    config->upstreams[1].role = ROLE_BACKUP;
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_turn();
    assert_int_equal(asked[0].answered, 1);
}

static void primary_is_used_again_when_it_is_back(void **state)
{
    (void)state;
    begin(2, 1);
    config->upstreams[1].role = ROLE_BACKUP;
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 50; i++) {
        ask(&asked[i], "a.test");
        fake_pass(100);
        assert_int_equal(asked[i].answered, 1);
    }
    fake.dial[1] = FAKE_ACCEPTS;
    for (unsigned i = 50; i < 70; i++) {
        ask(&asked[i], "a.test");
        fake_pass(100);
        assert_int_equal(asked[i].answered, 1);
    }
    assert_int_equal(last_byte(fake_conn(fake_dials() - 1)), 1);
    assert_true(fake_conn(fake_dials() - 1)->written > 5);
}

/* --- sessions of one server --- */

static void second_session_comes_above_the_busy_mark_only(void **state)
{
    (void)state;
    static struct fake_ask many[SESSION_BUSY + 1];
    begin(1, 1);
    for (unsigned i = 0; i < SESSION_BUSY - 1; i++)
        ask(&many[i], "a.test");
    fake_pass(250);
    assert_int_equal(fake_dials(), 1);
    ask(&many[SESSION_BUSY - 1], "a.test");
    fake_turn();
    assert_int_equal(fake_dials(), 2);
    ask(&many[SESSION_BUSY], "a.test");
    fake_turn();
    assert_int_equal(fake_conn(1)->written, 1);
    for (unsigned i = 0; i <= SESSION_BUSY; i++)
        attempt_cancel(&many[i].attempt);
}

static void sessions_of_a_server_are_limited(void **state)
{
    (void)state;
    static struct fake_ask many[4 * SESSION_BUSY];
    begin(1, 1);
    config->tls.sessions = 3;
    for (unsigned i = 0; i < 4 * SESSION_BUSY; i++) {
        ask(&many[i], "a.test");
        fake_turn();
    }
    fake_pass(250);
    assert_int_equal(fake_open(), 3);
    for (unsigned i = 0; i < 4 * SESSION_BUSY; i++)
        attempt_cancel(&many[i].attempt);
}

static void surplus_sessions_grow_idle(void **state)
{
    (void)state;
    static struct fake_ask many[SESSION_BUSY + 1];
    begin(1, 1);
    for (unsigned i = 0; i <= SESSION_BUSY; i++) {
        ask(&many[i], "a.test");
        fake_turn();
    }
    assert_int_equal(fake_open(), 2);
    fake.serve = fake_serve_all;
    fake_turn();
    for (unsigned i = 0; i < 100; i++) {
        ask(&asked[i], "a.test");
        fake_pass(1000);
        assert_int_equal(asked[i].answered, 1);
    }
    assert_int_equal(fake_open(), 1);
    assert_non_null(fake_conn(1)->stream); /* the newest is the one in use */
}

/* --- queries that end their sessions --- */

static void isolated_attempt_shares_its_session_with_none(void **state)
{
    (void)state;
    begin(1, 1);
    asked[0].attempt.isolated = true;
    fake_ask(group, &asked[0], "bad.test");
    fake_turn();
    for (unsigned i = 1; i < 10; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    assert_int_equal(fake_conn(0)->written, 1);
    assert_int_equal(fake_conn(1)->written, 9); /* and none waits for it */
    cancel_all();
}

/* A stream of other queries must not keep isolated ones from getting an empty session, nor the other way round. */
static void isolated_attempt_is_not_starved(void **state)
{
    (void)state;
    begin(1, 1);
    config->tls.sessions = 1;
    ask(&asked[0], "a.test");
    fake_turn();
    asked[199].attempt.isolated = true;
    fake_ask(group, &asked[199], "bad.test");
    for (unsigned i = 1; i < 100; i++) {
        struct fake_frame *frame = fake_take(fake_conn(0));
        ask(&asked[i], "a.test"); /* before the previous query is answered */
        fake_pass(10);
        if (frame)
            fake_reply(fake_conn(0), frame, NULL);
        free(frame);
    }
    assert_int_equal(asked[199].attempt.state, ATTEMPT_SENT);
    assert_int_equal(fake_conn(1)->written, 1);
    assert_int_equal(asked[97].answered, 1);
    cancel_all();
}

static void fresh_session_takes_the_waiting_attempt(void **state)
{
    (void)state;
    begin(1, 1);
    ask(&asked[0], "a.test");
    fake_turn();
    fake.dial[1] = FAKE_HANGS;
    asked[1].attempt.isolated = true;
    fake_ask(group, &asked[1], "bad.test");
    fake_turn();
    fake_accept(fake_conn(1));
    ask(&asked[2], "a.test"); /* in the same turn, before the flush */
    fake_turn();
    assert_ptr_equal(asked[2].attempt.session, asked[0].attempt.session);
    assert_int_equal(asked[1].attempt.state, ATTEMPT_SENT);
    cancel_all();
}

static void isolated_attempts_leave_a_session_for_others(void **state)
{
    (void)state;
    begin(1, 1);
    config->tls.sessions = 1;
    for (unsigned i = 0; i < 10; i++) {
        asked[i].attempt.isolated = true;
        fake_ask(group, &asked[i], "bad.test");
    }
    ask(&asked[10], "a.test");
    fake_turn();
    fake_pass(2000);
    assert_int_equal(fake_open(), 2);
    assert_int_equal(asked[0].attempt.state, ATTEMPT_SENT);
    assert_int_equal(asked[1].attempt.state, ATTEMPT_WAITING);
    assert_int_equal(asked[10].attempt.state, ATTEMPT_SENT);
    cancel_all();
}

static void tombstones_do_not_prevent_isolation(void **state)
{
    (void)state;
    begin(1, 1);
    config->tls.sessions = 1;
    ask(&asked[0], "a.test");
    fake_turn();
    attempt_cancel(&asked[0].attempt);
    asked[1].attempt.isolated = true;
    fake_ask(group, &asked[1], "bad.test");
    fake_turn();
    assert_int_equal(asked[1].attempt.state, ATTEMPT_SENT);
    cancel_all();
}

static void close_after_answer(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, NULL);
    fake_kill(conn, ERROR_CLOSED);
}

static void server_that_closes_after_each_answer_answers_all(void **state)
{
    (void)state;
    begin(1, 1);
    fake.serve = close_after_answer;
    for (unsigned i = 0; i < 100; i++) {
        asked[i].insists = true;
        asked[i].attempt.isolated = true; /* as after two session losses */
        fake_ask(group, &asked[i], "a.test");
    }
    fake_pass(1000);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(asked[i].answered, 1);
}

/* Asks check that number before they isolate another attempt. */
static void isolated_attempts_are_counted(void **state)
{
    (void)state;
    begin(1, 1);
    fake.dial[1] = FAKE_HANGS;
    for (unsigned i = 0; i < ISOLATED_MAX; i++) {
        assert_int_equal(group->isolated, i);
        asked[i].attempt.isolated = true;
        fake_ask(group, &asked[i], "bad.test");
    }
    assert_int_equal(group->isolated, ISOLATED_MAX);
    attempt_cancel(&asked[0].attempt);
    assert_int_equal(group->isolated, ISOLATED_MAX - 1);
    cancel_all();
    assert_int_equal(group->isolated, 0);
}

static unsigned answered_by_all; /* responses on all sessions */

/* Each session is closed after its fifth response, with its outstanding queries. */
static void close_after_five(struct fake_conn *conn, const struct fake_frame *frame)
{
    if (!conn->stream || conn->stream->state != STREAM_OPEN)
        return;
    fake_reply(conn, frame, NULL);
    if (fake_conn(fake_dials() - 1) == conn && ++answered_by_all % 5 == 0)
        fake_kill(conn, ERROR_CLOSED);
}

/* Queries on the first session are lost and retried; then sessions get no more queries than they answer. */
static void server_that_closes_after_a_few_responses_gets_no_more(void **state)
{
    (void)state;
    begin(1, 1);
    config->tls.sessions = 1;
    answered_by_all = 0;
    fake.serve = close_after_five;
    for (unsigned i = 0; i < 100; i++) {
        asked[i].insists = true;
        ask(&asked[i], "a.test");
        asked[i].insists = true;
    }
    fake_pass(3000);
    unsigned told = 0;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(asked[i].answered, 1);
        told += asked[i].ended - 1;
    }
    assert_in_range(told, 1, 95 + 12 + 12);
}

/* The allowance is not a permanent limit. */
static void allowance_grows_with_what_sessions_outlive(void **state)
{
    (void)state;
    begin(1, 1);
    config->tls.sessions = 1;
    ask(&asked[0], "a.test");
    for (unsigned i = 1; i < 50; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    fake_kill(fake_conn(0), ERROR_CLOSED);
    fake.serve = fake_serve_all;
    for (unsigned i = 50; i < 200; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    unsigned at_once = 0;
    for (unsigned i = 50; i < 200; i++)
        at_once += asked[i].answered;
    assert_in_range(at_once, 1, 20);
    fake_pass(100);
    for (unsigned i = 50; i < 200; i++)
        assert_int_equal(asked[i].answered, 1);
}

static void session_that_ends_unanswered_is_a_failure_of_its_server(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 100; i++) {
        ask(&asked[0], "a.test");
        fake_turn();
        for (unsigned c = 0; c < fake_dials(); c++)
            if (fake_conn(c)->stream)
                fake_kill(fake_conn(c), ERROR_CLOSED);
        fake_pass(10);
        attempt_cancel(&asked[0].attempt);
    }
    assert_in_range(fake_dials(), 3, 20); /* in a second */
}

/* --- avoiding --- */

static void avoided_session_is_not_used(void **state)
{
    (void)state;
    begin(1, 1);
    ask(&asked[0], "a.test");
    fake_turn();
    memset(&asked[1], 0, sizeof asked[1]);
    fake_hedge(&asked[1], &asked[0]);
    fake_ask(group, &asked[1], "a.test");
    fake_turn();
    assert_int_equal(fake_dials(), 2);
    assert_ptr_not_equal(asked[1].attempt.session, asked[0].attempt.session);
    cancel_all();
}

static void avoided_server_is_not_used_if_there_is_another(void **state)
{
    (void)state;
    begin(1, 2);
    ask(&asked[0], "a.test");
    fake_turn();
    fake_avoid(&asked[1], asked[0].attempt.server, OUTCOME_UNUSABLE);
    fake_ask(group, &asked[1], "a.test");
    fake_turn();
    assert_int_equal(fake_dials(), 2);
    assert_ptr_not_equal(asked[1].attempt.server, asked[0].attempt.server);
    cancel_all();
}

static void one_avoiding_attempt_does_not_open_session_after_session(void **state)
{
    (void)state;
    begin(1, 2);
    ask(&asked[0], "a.test");
    fake_turn();
    fake.dial[2] = FAKE_HANGS;
    fake_avoid(&asked[1], asked[0].attempt.server, OUTCOME_UNUSABLE);
    asked[1].attempt.isolated = true;
    fake_ask(group, &asked[1], "a.test");
    fake_pass(3000);
    assert_in_range(fake_open(), 1, 3);
    assert_in_range(fake_dials(), 2, 10);
    cancel_all();
}

static void avoided_server_is_used_if_there_is_no_other(void **state)
{
    (void)state;
    begin(1, 2);
    fake.dial[2] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    ask(&asked[0], "a.test");
    fake_turn();
    fake_avoid(&asked[1], asked[0].attempt.server, OUTCOME_UNUSABLE);
    fake_ask(group, &asked[1], "a.test");
    fake_pass(50);
    assert_int_equal(asked[1].answered, 1);
}

/* --- silence --- */

/* All sessions fell silent, and no query is answered on another one; new connections would work. */
static void silent_sessions_do_not_keep_new_queries(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 4; i++) {
        ask(&asked[i], "a.test");
        if (i % 2)
            fake_hedge(&asked[i], &asked[i - 1]);
        fake_pass(500);
    }
    unsigned silent = fake_dials();
    for (unsigned i = 10; i < 100; i++) {
        struct fake_frame *frame;
        ask(&asked[i], "b.test");
        fake_pass(100);
        for (unsigned c = silent; c < fake_dials(); c++)
            while ((frame = fake_take(fake_conn(c)))) {
                fake_reply(fake_conn(c), frame, NULL);
                free(frame);
            }
    }
    assert_int_equal(asked[25].answered, 1); /* 1.5 s later */
    assert_int_equal(asked[99].answered, 1);
    cancel_all();
}

static void silent_sessions_do_not_pile_up(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 600; i++) {
        attempt_cancel(&asked[i % 200].attempt);
        ask(&asked[i % 200], "a.test");
        fake_pass(100);
        assert_in_range(fake_open(), 1, config->tls.sessions + ATTEMPT_TIMEOUT / SILENCE_MAX + 1);
    }
    assert_true(fake_dials() > 20); /* but new sessions are dialled all the time */
    cancel_all();
}

/* Both sessions are deaf: the hedge goes to a session on which responses arrive. */
static void hedge_avoids_late_sessions(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 2; i++) {
        ask(&asked[i], "a.test");
        fake_turn();
        memset(&asked[10 + i], 0, sizeof asked[0]);
        fake_hedge(&asked[10 + i], &asked[i]);
        fake_pass(PATIENCE_UNKNOWN + 10);
        fake_ask(group, &asked[10 + i], "a.test");
        fake_turn();
    }
    assert_int_equal(fake_conn(2)->written, 1);
    assert_ptr_equal(session_stream(asked[11].attempt.session), fake_conn(2)->stream);
    assert_in_range(fake_open(), 1, config->tls.sessions + 1);
    cancel_all();
}

/* A server whose responses take longer than the silence limit does not lose one session after the other. */
static void slow_server_keeps_its_sessions(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 100; i++) {
        struct fake_frame *frame;
        ask(&asked[i], "a.test");
        fake_pass(100);
        for (unsigned c = 0; i >= 20 && c < fake_dials(); c++)
            if ((frame = fake_take(fake_conn(c)))) {
                fake_reply(fake_conn(c), frame, NULL);
                free(frame);
            }
    }
    assert_int_equal(fake_counted(COUNTER_sessions_retired), 0);
    assert_int_equal(asked[50].answered, 1);
    assert_in_range(fake_dials(), 1, 4);
    cancel_all();
}

static void unacknowledged_session_is_closed(void **state)
{
    (void)state;
    begin(1, 1);
    ask(&asked[0], "a.test");
    fake_turn();
    fake_conn(0)->unacknowledged = true;
    fake_pass(1100);
    assert_int_equal(asked[0].status, ERROR_SILENT);
    assert_true(fake_conn(0)->closed_by_us);
}

/* --- the end --- */

static void stop_closes_what_is_dialling_open_and_retiring(void **state)
{
    (void)state;
    begin(1, 3);
    fake.dial[3] = FAKE_HANGS;
    struct fake_answer bye = FAKE_ANSWER;
    bye.keepalive_100ms = 0;
    ask(&asked[0], "a.test");
    ask(&asked[1], "a.test");
    fake_turn();
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_reply(fake_conn(0), frame, &bye);
    free(frame);
    ask(&asked[2], "a.test");
    fake_turn();
    fake_avoid(&asked[3], asked[2].attempt.server, OUTCOME_UNUSABLE);
    fake_ask(group, &asked[3], "a.test");
    fake_turn();
    cancel_all();
    assert_true(group->sessions >= 2); /* teardown ends the rest */
}

static void failed_allocations_break_nothing(void **state)
{
    unsigned long asked_for = 0;
    for (unsigned long n = 1; n <= asked_for + 1; n++) {
        fake_end();
        setup(state);
        begin(1, 2);
        fake.dial[1] = FAKE_REFUSES;
        fake.serve = fake_serve_all;
        mem_fail_at(n);
        for (unsigned i = 0; i < 10; i++)
            ask(&asked[i], "a.test");
        fake_pass(500);
        fake_kill(fake_conn(fake_dials() - 1), -ECONNRESET);
        for (unsigned i = 10; i < 20; i++)
            ask(&asked[i], "a.test");
        fake_pass(1000);
        asked_for = mem_asked();
        mem_fail_at(0);
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(asked[i].ended, 1);
        fake_group_end(group);
    }
    begin(1, 1); /* for teardown */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_dialled_before_the_first_query),
        TEST(first_query_dials_one_server),
        TEST(next_server_is_tried_beside_a_hanging_one),
        TEST(next_server_is_tried_at_once_when_one_refuses),
        TEST(hanging_dials_overlap),
        TEST(dials_that_hang_for_long_are_followed_by_others),
        TEST(surplus_dials_leave_no_more_than_the_limit_open),
        TEST(hanging_dial_is_given_up),
        TEST(idle_group_dials_nothing),
        TEST(within_grace_a_query_waits_for_the_server),
        TEST(after_grace_a_query_fails_at_once_with_the_reason),
        TEST(grace_begins_again_with_the_last_response),
        TEST(servers_are_back_when_one_dial_succeeds),
        TEST(one_failure_is_forgotten_with_success),
        TEST(refusing_servers_get_few_dials),
        TEST(failing_server_is_not_used_while_another_works),
        TEST(backup_is_not_used_while_a_primary_works),
        TEST(backup_is_used_when_no_primary_is_available),
        TEST(primary_is_used_again_when_it_is_back),
        TEST(second_session_comes_above_the_busy_mark_only),
        TEST(sessions_of_a_server_are_limited),
        TEST(surplus_sessions_grow_idle),
        TEST(isolated_attempt_shares_its_session_with_none),
        TEST(isolated_attempt_is_not_starved),
        TEST(fresh_session_takes_the_waiting_attempt),
        TEST(isolated_attempts_leave_a_session_for_others),
        TEST(tombstones_do_not_prevent_isolation),
        TEST(isolated_attempts_are_counted),
        TEST(server_that_closes_after_a_few_responses_gets_no_more),
        TEST(allowance_grows_with_what_sessions_outlive),
        TEST(session_that_ends_unanswered_is_a_failure_of_its_server),
        TEST(server_that_closes_after_each_answer_answers_all),
        TEST(avoided_session_is_not_used),
        TEST(avoided_server_is_not_used_if_there_is_another),
        TEST(one_avoiding_attempt_does_not_open_session_after_session),
        TEST(avoided_server_is_used_if_there_is_no_other),
        TEST(silent_sessions_do_not_keep_new_queries),
        TEST(silent_sessions_do_not_pile_up),
        TEST(hedge_avoids_late_sessions),
        TEST(slow_server_keeps_its_sessions),
        TEST(unacknowledged_session_is_closed),
        TEST(stop_closes_what_is_dialling_open_and_retiring),
        TEST(failed_allocations_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
