/* SPDX-License-Identifier: MIT */
/* Groups and attempts: their ends, calls from within callbacks, budgets, and the invariants of the lists. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "fake_net.h"
#include "upstream/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ASKED 64
static struct config *config;
static struct group *group;
static struct fake_ask asked[ASKED];

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
    for (unsigned i = 0; i < ASKED; i++)
        attempt_cancel(&asked[i].attempt);
    fake_group_end(group);
    fake_end();
    return 0;
}

static void ask(unsigned i)
{
    char name[32];
    snprintf(name, sizeof name, "name%u.test", i);
    memset(&asked[i], 0, sizeof asked[i]);
    fake_ask(group, &asked[i], name);
}

static void answer_all(struct fake_conn *conn)
{
    struct fake_frame *frame;
    while ((frame = fake_take(conn))) {
        fake_reply(conn, frame, NULL);
        free(frame);
    }
}

/* --- invariants --- */

static unsigned list_len(const struct list *list)
{
    unsigned len = 0;
    list_for_each(link, list)
        len++;
    return len;
}

static unsigned check_attempts(const struct list *list, enum attempt_state state, const struct session *session)
{
    list_for_each(link, list) {
        const struct attempt *attempt = container_of(link, const struct attempt, link);
        assert_int_equal(attempt->state, state);
        assert_ptr_equal(attempt->session, session);
        assert_true(list_linked(&attempt->timeout.link));
        if (state == ATTEMPT_SENT)
            assert_ptr_equal(ids_find(&session->ids, attempt->id), attempt);
    }
    return list_len(list);
}

static void check_slots(const struct session *session, unsigned sent)
{
    unsigned live = 0, tombstones = 0, unused = 0;
    for (unsigned i = 0; i < session->ids.count; i++) {
        live += session->ids.slots[i].attempt != NULL;
        tombstones += session->ids.slots[i].tombstone;
        assert_false(session->ids.slots[i].attempt && session->ids.slots[i].tombstone);
    }
    for (uint16_t slot = session->ids.free_first; slot != UINT16_MAX; slot = session->ids.slots[slot].next_free) {
        assert_false(session->ids.slots[slot].attempt || session->ids.slots[slot].tombstone);
        unused++;
    }
    assert_int_equal(live, sent);
    assert_int_equal(tombstones, session->ids.tombstones);
    assert_int_equal(live + tombstones + unused, session->ids.count);
}

static unsigned check_session(const struct session *session, int state)
{
    assert_int_equal(session->state, state);
    unsigned queued = check_attempts(&session->queued, ATTEMPT_QUEUED, session);
    unsigned sent = check_attempts(&session->sent, ATTEMPT_SENT, session);
    assert_int_equal(session->used, queued + sent);
    if (state == SESSION_DIALING || state == SESSION_CLOSING)
        assert_int_equal(queued + sent, 0);
    else
        check_slots(session, sent);
    if (queued)
        assert_true(list_linked(&session->in_dirty));
    return queued + sent;
}

/* How many attempts are on its sessions. */
static unsigned check_server(const struct server *server, unsigned *sessions)
{
    unsigned found = 0;
    for (int state = SESSION_DIALING; state <= SESSION_CLOSING; state++) {
        const struct list *list = &server->sessions[state];
        for (struct list_link *link = list_first(list); link; link = list_next(list, link), (*sessions)++)
            found += check_session(container_of(link, const struct session, in_state), state);
    }
    assert_int_equal(server->open, list_len(&server->sessions[SESSION_OPEN]));
    assert_int_equal(server->dialing, list_len(&server->sessions[SESSION_DIALING]));
    return found;
}

/* Every live attempt is in exactly one list, and every counter is correct. */
static void check_group(void)
{
    unsigned found = check_attempts(&group->waiting, ATTEMPT_WAITING, NULL), live = 0, sessions = 0;
    list_for_each(link, &group->plans) {
        const struct group_plan *plan = container_of(link, struct group_plan, in_group);
        for (size_t i = 0; i < plan->server_count; i++)
            found += check_server(plan->servers[i], &sessions);
    }
    for (unsigned i = 0; i < ASKED; i++)
        live += attempt_live(&asked[i].attempt);
    assert_int_equal(found, live);
    assert_int_equal(sessions, group->sessions);
}

/* --- ends --- */

static void attempt_can_be_cancelled_in_any_state(void **state)
{
    (void)state;
    begin(1, 1);
    attempt_cancel(&asked[0].attempt); /* idle */
    fake.dial[1] = FAKE_HANGS;
    ask(0);
    fake_turn();
    attempt_cancel(&asked[0].attempt); /* waiting */
    fake_accept(fake_conn(0));
    ask(0);
    assert_int_equal(asked[0].attempt.state, ATTEMPT_QUEUED);
    attempt_cancel(&asked[0].attempt);
    check_group();
    ask(0);
    fake_turn();
    assert_int_equal(asked[0].attempt.state, ATTEMPT_SENT);
    attempt_cancel(&asked[0].attempt);
    check_group();
    answer_all(fake_conn(0));
    fake_pass(20000);
    assert_int_equal(asked[0].ended, 0);
}

static void group_without_sessions_stops_at_once(void **state)
{
    (void)state;
    begin(1, 4);
}

static void new_group_survives_failed_allocations(void **state)
{
    (void)state;
    config = fake_config(3, 2);
    struct group_definition definition = fake_definition(config, fake.trusts);
    unsigned long n = 1;
    int status;
    do {
        mem_fail_at(n++);
        status = group_new(&group, &definition);
        mem_fail_at(0);
        assert_true(status == 0 || status == -ENOMEM);
    } while (status < 0);
    assert_true(n > 3);
    group_begin(group, &fake_worker);
}

/* --- calls from within callbacks --- */

static void (*on_done)(struct fake_ask *ask);

static void call_on_done(struct attempt *attempt, int status, struct answer *answer)
{
    struct fake_ask *ask = container_of(attempt, struct fake_ask, attempt);
    (void)answer;
    ask->ended++;
    ask->status = status;
    on_done(ask);
}

static void cancel_the_others(struct fake_ask *ask)
{
    for (unsigned i = 0; i < ASKED; i++)
        if (&asked[i] != ask)
            attempt_cancel(&asked[i].attempt);
}

static void cancel_one_and_send_again(struct fake_ask *ask)
{
    attempt_cancel(&asked[(ask - asked + 7) % ASKED].attempt);
    if (ask->ended < 3)
        attempt_send(group, &ask->attempt);
}

static void ask_all_with(void (*done)(struct fake_ask *ask))
{
    on_done = done;
    for (unsigned i = 0; i < ASKED; i++) {
        ask(i);
        asked[i].attempt.done = call_on_done;
    }
}

static void done_of_a_dying_session_may_cancel_others_on_it(void **state)
{
    (void)state;
    begin(1, 1);
    ask_all_with(cancel_the_others);
    fake_turn();
    fake_kill(fake_conn(0), -ECONNRESET);
    fake_turn();
    check_group();
    unsigned ended = 0;
    for (unsigned i = 0; i < ASKED; i++)
        ended += asked[i].ended;
    assert_int_equal(ended, 1);
}

static void done_of_failed_dials_may_cancel_others_that_wait(void **state)
{
    (void)state;
    begin(1, 1);
    fake_pass(2000);
    fake.dial[1] = FAKE_REFUSES;
    ask_all_with(cancel_the_others);
    fake_pass(BACKOFF_FIRST);
    check_group();
    unsigned ended = 0;
    for (unsigned i = 0; i < ASKED; i++)
        ended += asked[i].ended;
    assert_int_equal(ended, 1);
}

static void done_may_cancel_others_and_send_again(void **state)
{
    (void)state;
    begin(1, 2);
    ask_all_with(cancel_one_and_send_again);
    for (unsigned i = 0; i < 4; i++) {
        fake_turn();
        fake_kill(fake_conn(fake_dials() - 1), -ECONNRESET);
        fake_turn();
        check_group();
    }
}

static void done_at_a_check_may_cancel_the_last_attempt_of_another_session(void **state)
{
    (void)state;
    begin(1, 1);
    ask_all_with(cancel_the_others);
    for (unsigned i = 1; i < ASKED; i++)
        attempt_cancel(&asked[i].attempt);
    fake_turn();
    fake_hedge(&asked[1], &asked[0]);
    attempt_send(group, &asked[1].attempt);
    fake_turn();
    assert_int_equal(fake_open(), 2);
    session_retire(asked[0].attempt.session); /* both retire, one is checked after the other */
    session_retire(asked[1].attempt.session);
    fake_conn(0)->mid_frame = fake_conn(1)->mid_frame = true;
    fake_pass(5000);
    check_group();
    assert_int_equal(asked[0].ended + asked[1].ended, 1);
    assert_int_equal(fake_open(), 0);
}

/* --- suspect sessions --- */

static void session_that_is_overtaken_and_stays_silent_ends(void **state)
{
    (void)state;
    begin(1, 1);
    ask(0);
    ask(1);
    fake_turn();
    upstream_overtaken(&asked[0].attempt);
    assert_int_equal(asked[0].ended, 0);
    ask(2); /* goes elsewhere */
    fake_turn();
    assert_int_equal(fake_conn(1)->written, 1);
    fake_pass(SILENCE_MAX + 10);
    assert_int_equal(asked[1].status, ERROR_SILENT);
    assert_true(fake_conn(0)->closed_by_us);
}

static void session_that_is_overtaken_and_speaks_lives(void **state)
{
    (void)state;
    begin(1, 1);
    ask(0);
    ask(1);
    fake_turn();
    upstream_overtaken(&asked[0].attempt);
    fake_pass(100);
    answer_all(fake_conn(0));
    fake_pass(5000);
    assert_int_equal(asked[1].answered, 1);
    assert_int_equal(fake_open(), 1);
    ask(2);
    fake_turn();
    assert_int_equal(fake_dials(), 1);
}

static void patience_follows_the_servers_times(void **state)
{
    (void)state;
    begin(1, 1);
    assert_int_equal(upstream_patience(group, &asked[0].attempt), PATIENCE_UNKNOWN);
    for (unsigned i = 0; i < ASKED; i++) {
        ask(i);
        fake_turn();
        fake_pass(40);
        answer_all(fake_conn(0));
    }
    assert_in_range(upstream_patience(group, &asked[0].attempt), 50, 80);
}

static void other_upstreams_differ_from_other_addresses(void **state)
{
    (void)state;
    begin(1, 2);
    assert_false(upstream_has_other(group, group->servers[0]));
    fake_group_end(group);
    begin(2, 1);
    assert_true(upstream_has_other(group, group->servers[0]));
}

/* --- budgets --- */

static void queries_above_max_qps_wait(void **state)
{
    (void)state;
    config = fake_config(1, 1);
    config->upstreams[0].max_qps = 10;
    group = fake_group(config);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 30; i++)
        ask(i);
    fake_turn();
    assert_int_equal(fake_conn(0)->written, 10);
    fake_pass(1000);
    assert_in_range(fake_conn(0)->written, 19, 21);
    fake_pass(1100);
    assert_int_equal(fake_conn(0)->written, 30);
}

static void groups_with_one_upstream_share_its_budget(void **state)
{
    (void)state;
    static struct fake_ask others[30];
    memset(others, 0, sizeof others);
    config = fake_config(1, 1);
    config->upstreams[0].max_qps = 10;
    group = fake_group(config);
    struct config second = *config;
    second.refs = 1;
    struct group *other = fake_group(&second);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 30; i++) {
        ask(i);
        fake_ask(other, &others[i], "other.example");
    }
    fake_turn();
    assert_int_equal(fake_conn(0)->written + fake_conn(1)->written, 10);
    fake_pass(1000);
    assert_in_range(fake_conn(0)->written + fake_conn(1)->written, 19, 21);
    for (unsigned i = 0; i < 30; i++)
        attempt_cancel(&others[i].attempt);
    fake_group_end(other);
}

static void spent_budget_is_filled_while_no_session_is_open(void **state)
{
    (void)state;
    config = fake_config(1, 1);
    config->upstreams[0].max_qps = 10;
    group = fake_group(config);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 10; i++)
        ask(i);
    fake_turn();
    fake_kill(fake_conn(0), -ECONNRESET);
    ask(10);
    fake_pass(300);
    assert_int_equal(asked[10].answered, 1);
}

static void queries_above_max_qps_go_to_another_upstream(void **state)
{
    (void)state;
    config = fake_config(2, 1);
    config->upstreams[0].max_qps = 10;
    group = fake_group(config);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 30; i++)
        ask(i);
    fake_pass(100);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(asked[i].answered, 1);
}

/* --- learning --- */

static void idle_limit_is_learned_of_three_that_agree(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 3; i++) {
        ask(i);
        fake_turn();
        answer_all(fake_conn(i));
        fake_pass(4000);
        assert_int_equal(fake_open(), 1);
        fake_kill(fake_conn(i), ERROR_CLOSED);
        fake_turn();
    }
    ask(3);
    fake_turn();
    answer_all(fake_conn(3));
    fake_pass(3990);
    assert_true(fake_conn(3)->closed_by_us);
}

static void reset_teaches_nothing(void **state)
{
    (void)state;
    begin(1, 1);
    for (unsigned i = 0; i < 5; i++) {
        ask(i);
        fake_turn();
        answer_all(fake_conn(i));
        fake_pass(4000);
        assert_int_equal(fake_open(), 1);
        fake_kill(fake_conn(i), -ECONNRESET);
        fake_turn();
    }
}

/* --- anything in any order --- */

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % bound;
}

static struct fake_conn *any_conn(void)
{
    unsigned dials = fake_dials();
    return dials ? fake_conn(dials - 1 - below(dials < 6 ? dials : 6)) : NULL;
}

static void speak(struct fake_conn *conn)
{
    struct fake_frame *frame = fake_take(conn);
    struct fake_answer answer = FAKE_ANSWER;
    uint8_t message[2048];
    if (!frame)
        return;
    answer.keepalive_100ms = below(20) ? -1 : (int)below(40);
    size_t len = fake_build(message, frame, &answer);
    switch (below(12)) {
    case 0:
        fake_deliver(conn, message, below((unsigned)len));
        break;
    case 1:
        message[below((unsigned)len)] ^= (uint8_t)(1 << below(8));
        fake_deliver(conn, message, len);
        break;
    case 2:
        fake_deliver(conn, frame->data, frame->len);
        break;
    case 3:
        fake_deliver(conn, message, len);
        fake_deliver(conn, message, len);
        break;
    case 4:
        break; /* never answered */
    default:
        fake_deliver(conn, message, len);
    }
    free(frame);
}

static void random_ask(void)
{
    struct fake_ask *one = &asked[below(ASKED)];
    if (attempt_live(&one->attempt)) {
        if (below(2))
            attempt_cancel(&one->attempt);
        else
            upstream_overtaken(&one->attempt);
        return;
    }
    memset(one, 0, sizeof *one);
    one->insists = below(2);
    one->attempt.isolated = below(8) == 0;
    if (below(4) == 0)
        fake_avoid(one, group->servers[below((unsigned)group->server_count)],
                   below(2) ? OUTCOME_UNUSABLE : OUTCOME_FAILURE);
    fake_ask(group, one, "a.test");
}

/* Some servers move to the new plan, some leave. */
static void random_plan(void)
{
    struct tls_trust *trusts[3];
    struct group_plan *plan = NULL;
    for (unsigned i = 0; i < 3; i++)
        trusts[i] = fake.trusts[below(2) ? i : 3 + i];
    struct group_definition definition = fake_definition(config, trusts);
    if (group_plan_new(&plan, &definition) == 0)
        group_apply(group, plan);
}

static void random_event(void)
{
    struct fake_conn *conn = any_conn();
    unsigned what = below(30);
    if (what == 0) {
        fake.dial[1 + below((unsigned)group->server_count)] = (enum fake_dial)below(4);
    } else if (what == 1) {
        fake_pass(below(3000));
    } else if (what < 6) {
        fake_pass(below(50));
    } else if (what < 9) {
        fake_turn();
    } else if (what < 18 || !conn) {
        random_ask();
    } else if (what == 18) {
        fake_kill(conn, below(2) ? -ECONNRESET : ERROR_CLOSED);
    } else if (what == 19 && conn->stream && conn->stream->state == STREAM_OPEN) {
        conn->mid_frame = !conn->mid_frame;
    } else if (what == 20 && conn->stream) {
        conn->unacknowledged = !conn->unacknowledged;
    } else if (what == 21) {
        conn->blocked = true;
    } else if (what == 22) {
        fake_unblock(conn);
    } else if (what == 23) {
        random_plan();
    } else {
        speak(conn);
    }
}

static void random_operations_lose_nothing(void **state)
{
    (void)state;
    unsigned seeds = getenv("SEEDS") ? (unsigned)atoi(getenv("SEEDS")) : 100;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        random_state = seed;
        config = fake_config(1 + below(3), 1 + below(3));
        config->tls.sessions = 1 + below(3);
        config->upstreams[0].role = below(2) ? ROLE_BACKUP : ROLE_PRIMARY;
        config->upstreams[0].max_qps = below(3) ? 0 : 20;
        group = fake_group(config);
        struct group_plan *held = upstream_hold(group); /* attempts refer to servers */
        if (below(3) == 0)
            mem_fail_every(5 + below(50));
        for (unsigned i = 0; i < 300; i++) {
            random_event();
            check_group();
        }
        mem_fail_every(0);
        for (unsigned i = 1; i < 16; i++)
            fake.dial[i] = FAKE_ACCEPTS;
        fake.serve = fake_serve_all;
        fake_pass(21 * 10000); /* everything has ended by now */
        for (unsigned i = 0; i < ASKED; i++)
            assert_false(attempt_live(&asked[i].attempt));
        upstream_release(held);
        fake_pass(40000);
        assert_ptr_equal(container_of(list_first(&group->plans), struct group_plan, in_group), group->plan);
        assert_int_equal(group->sessions, 0); /* and the group is idle */
        assert_true(fake.loop.wake_at == LOOP_NEVER);
        fake_group_end(group);
        fake_end();
        fake_begin();
        memset(asked, 0, sizeof asked);
    }
    begin(1, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(attempt_can_be_cancelled_in_any_state),
        TEST(group_without_sessions_stops_at_once),
        TEST(new_group_survives_failed_allocations),
        TEST(done_of_a_dying_session_may_cancel_others_on_it),
        TEST(done_of_failed_dials_may_cancel_others_that_wait),
        TEST(done_may_cancel_others_and_send_again),
        TEST(done_at_a_check_may_cancel_the_last_attempt_of_another_session),
        TEST(session_that_is_overtaken_and_stays_silent_ends),
        TEST(session_that_is_overtaken_and_speaks_lives),
        TEST(patience_follows_the_servers_times),
        TEST(other_upstreams_differ_from_other_addresses),
        TEST(queries_above_max_qps_wait),
        TEST(groups_with_one_upstream_share_its_budget),
        TEST(spent_budget_is_filled_while_no_session_is_open),
        TEST(queries_above_max_qps_go_to_another_upstream),
        TEST(idle_limit_is_learned_of_three_that_agree),
        TEST(reset_teaches_nothing),
        TEST(random_operations_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
