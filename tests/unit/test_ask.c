/* SPDX-License-Identifier: MIT */
/* Asks: every row of the state table, and the servers and sessions that attempts avoid. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "fake_net.h"
#include "upstream/ask_rows.h"
#include "upstream/group.h"
#include "upstream/transport/session.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OTHERS 16
static struct config *config;
static struct group *group;
static struct fake_ask others[OTHERS]; /* other attempts of the group */
static unsigned other_count;

struct asked {
    struct ask ask;
    struct key key;
    unsigned ended;
    int status;
    uint16_t rcode;
};
static struct asked asked, more[ISOLATED_MAX + 1];

static void note_done(struct ask *ask, int status, struct answer *answer)
{
    struct asked *one = container_of(ask, struct asked, ask);
    assert_true(!answer == (status < 0));
    one->ended++;
    one->status = status;
    one->rcode = answer ? answer->rcode : 0;
}

static void start(struct asked *one)
{
    memset(one, 0, sizeof *one);
    one->ask.done = note_done;
    one->key = (struct key){.type = TYPE_A, .class = CLASS_IN, .name_len = 8};
    memcpy(one->key.name, "\1a\4test", 8);
    ask_start(&one->ask, group, &one->key);
    fake_turn();
}

static void begin(unsigned entries)
{
    fake_begin();
    config = fake_config(entries, 1);
    group = fake_group(config);
    memset(&asked, 0, sizeof asked);
    memset(more, 0, sizeof more);
    memset(others, 0, sizeof others);
    other_count = 0;
}

static void end(void)
{
    ask_cancel(&asked.ask);
    for (unsigned i = 0; i <= ISOLATED_MAX; i++)
        ask_cancel(&more[i].ask);
    for (unsigned i = 0; i < OTHERS; i++)
        attempt_cancel(&others[i].attempt);
    assert_int_equal(group->isolated, 0);
    fake_group_end(group);
    fake_end();
}

/* --- scripts --- */

static unsigned live(const struct ask *ask)
{
    return (unsigned)attempt_live(&ask->attempts[0]) + (unsigned)attempt_live(&ask->attempts[1]);
}

static struct attempt *live_attempt(bool oldest)
{
    struct attempt *first = &asked.ask.attempts[0], *second = &asked.ask.attempts[1];
    if (!attempt_live(first) || !attempt_live(second))
        return attempt_live(first) ? first : second;
    return (first->asked_ms <= second->asked_ms) == oldest ? first : second;
}

static struct fake_conn *conn_of(const struct session *session)
{
    for (unsigned i = 0; i < fake_dials(); i++)
        if (fake_conn(i)->stream == session_stream(session))
            return fake_conn(i);
    fail();
    return NULL;
}

/* Sends another query to the group; returns its connection. */
static struct fake_conn *ask_other(void)
{
    struct fake_ask *other = &others[other_count++];
    fake_ask(group, other, "other.test");
    fake_turn();
    assert_int_equal(other->attempt.state, ATTEMPT_SENT);
    return conn_of(other->attempt.session);
}

static void answer_other(void)
{
    struct fake_conn *conn = ask_other();
    struct fake_frame *frame;
    while ((frame = fake_take(conn))) {
        if (frame->data[13] == 'o')
            fake_reply(conn, frame, NULL);
        free(frame);
    }
    assert_int_equal(others[other_count - 1].answered, 1);
}

/* From now on new connections hang, and the only sessions are those of this ask's attempts. */
static void hang(void)
{
    for (unsigned i = 1; i < 5; i++)
        fake.dial[i] = FAKE_HANGS;
    for (unsigned i = 0; i < fake_dials(); i++) {
        struct fake_conn *conn = fake_conn(i);
        const struct session *first = asked.ask.attempts[0].session, *second = asked.ask.attempts[1].session;
        if (conn->stream && (!first || conn->stream != session_stream(first)) &&
            (!second || conn->stream != session_stream(second)))
            fake_kill(conn, ERROR_CLOSED);
    }
}

/* Several responses are overdue on it. */
static void fall_silent(struct session *session)
{
    rtt_note(&session->server->rtt, fake_now(), 5);
    fake_pass(1);
    for (unsigned i = 0; i < SILENCE_SEVERAL; i++)
        silence_note_query(&session->silence, fake_now());
    session->answered++;
    loop_wake_by(group->loop, silence_due(&session->silence, rtt_overdue(&session->server->rtt)));
    fake_pass(rtt_overdue(&session->server->rtt) + 1);
}

static void use_up_attempts(void)
{
    struct ask *ask = &asked.ask;
    int16_t status = ask->past_count ? ask->past[ask->past_count - 1].status : 0;
    while (ask->past_count + live(ask) < ASK_ATTEMPTS)
        ask->past[ask->past_count++] = (struct past_attempt){.status = status, .outcome = OUTCOME_GIVEN_UP};
}

static void finish(struct attempt *attempt, enum outcome outcome)
{
    static uint8_t wire[MESSAGE_HEADER];
    struct answer answer = {.wire = wire, .len = sizeof wire};
    answer.rcode = outcome == OUTCOME_FAILURE ? RCODE_SERVFAIL : RCODE_NOERROR;
    bool answered = outcome == OUTCOME_RESPONSE || outcome == OUTCOME_FAILURE;
    assert_int_equal(attempt->state == ATTEMPT_SENT, outcome != OUTCOME_UNSENT);
    if (outcome == OUTCOME_LOST_ISOLATED || outcome == OUTCOME_LOST)
        assert_int_equal(attempt->isolated, outcome == OUTCOME_LOST_ISOLATED);
    attempt_finish(attempt, answered ? OUTCOME_RESPONSE : outcome, answered ? 0 : -1000 - (int)outcome,
                   answered ? &answer : NULL);
    fake_turn();
}

/* Each character is one event; those that end an attempt end the newest one, or after '<' the oldest. */
static void play(const char *script)
{
    bool oldest = false;
    for (; *script; script++) {
        struct attempt *attempt = live_attempt(oldest);
        oldest = *script == '<';
        switch (*script) {
        case 'S':
            start(&asked);
            break;
        case 'a':
            finish(attempt, OUTCOME_RESPONSE);
            break;
        case 'f':
            finish(attempt, OUTCOME_FAILURE);
            break;
        case 'u':
            finish(attempt, OUTCOME_UNUSABLE);
            break;
        case 'n':
            finish(attempt, OUTCOME_NO_EDNS);
            break;
        case 'F':
            finish(attempt, OUTCOME_FORMERR);
            break;
        case 'l':
            finish(attempt, attempt->isolated ? OUTCOME_LOST_ISOLATED : OUTCOME_LOST);
            break;
        case 'e':
            finish(attempt, OUTCOME_LOST_EXPLAINED);
            break;
        case 's':
            finish(attempt, OUTCOME_SILENT);
            break;
        case 't':
            finish(attempt, OUTCOME_TIMEOUT);
            break;
        case '0':
            finish(attempt, OUTCOME_UNSENT);
            break;
        case 'h':
            fake_pass(PATIENCE_UNKNOWN + 10);
            break;
        case '1':
            fake_pass(COINCIDENCE + 10);
            break;
        case '3':
            fake_pass(410);
            break;
        case '9':
            fake_pass(1100);
            break;
        case '4':
            fake_pass(config->limits.answer_by_ms);
            break;
        case 'j':
            ask_join(&asked.ask);
            break;
        case 'x':
            ask_cancel(&asked.ask);
            break;
        case 'b':
            group->hedge_debt = 2000;
            break; /* the budget is spent */
        case 'z':
            use_up_attempts();
            break;
        case 'd':
            hang();
            break;
        case 'k':
            fake_pass(10); /* after the attempts were begun */
            fake_kill(ask_other(), -ECONNRESET);
            fake_turn();
            break;
        case 'o':
            answer_other();
            break;
        case 'i':
            fall_silent(live_attempt(true)->session);
            break;
        case '<':
            break;
        default:
            fail_msg("no such event: %c", *script);
        }
    }
}

/* --- every row --- */

#define ONE_ISOLATED "Sll"
#define TWO_ISOLATED "Sllh"
#define SUSPECTED    "Slll"
#define SUSPECT_ONE  "Sllhl"

static const struct scenario {
    struct ask_row row; /* the row that the last event of the script selects */
    unsigned upstreams;
    const char *script;
} scenarios[] = {
    {{ASK_IDLE, EVENT_START, ACTION_SEND, ASK_ONE}, 1, "S"},

    {{ASK_ONE, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE}, 1, "Sa"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_ONE}, 2, "Sf"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_ONE}, 3, "Sff"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 3, "Sfff"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 3, "Sfbf"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 1, "Sf"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 2, "Sbf"},
    {{ASK_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 2, "Sff"},
    {{ASK_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_ONE}, 1, "Su"},
    {{ASK_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_PAID, ASK_ONE}, 3, "Suu"},
    {{ASK_ONE, OUTCOME_UNUSABLE, ACTION_FAIL, ASK_IDLE}, 3, "Suuu"},
    {{ASK_ONE, OUTCOME_UNUSABLE, ACTION_FAIL, ASK_IDLE}, 1, "Suu"},
    {{ASK_ONE, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_ONE}, 1, "Sn"},
    {{ASK_ONE, OUTCOME_NO_EDNS, ACTION_FAIL, ASK_IDLE}, 1, "Szn"},
    {{ASK_ONE, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_ONE}, 2, "SnF"},
    {{ASK_ONE, OUTCOME_FORMERR, ACTION_RETRY_PAID, ASK_ONE}, 3, "SFF"},
    {{ASK_ONE, OUTCOME_FORMERR, ACTION_FAIL, ASK_IDLE}, 3, "SFFF"},
    {{ASK_ONE, OUTCOME_FORMERR, ACTION_FAIL, ASK_IDLE}, 1, "SnF"},
    {{ASK_ONE, OUTCOME_LOST, ACTION_RESEND, ASK_ONE}, 1, "Sl"},
    {{ASK_ONE, OUTCOME_LOST, ACTION_FAIL, ASK_IDLE}, 1, "Szl"},
    {{ASK_ONE, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_ONE}, 1, "See"},
    {{ASK_ONE, OUTCOME_LOST_EXPLAINED, ACTION_FAIL, ASK_IDLE}, 1, "Sze"},
    {{ASK_ONE, OUTCOME_LOST_ISOLATED, ACTION_SUSPECT, ASK_SUSPECT}, 1, ONE_ISOLATED "l"},
    {{ASK_ONE, OUTCOME_SILENT, ACTION_RETRY, ASK_ONE}, 1, "Ss"},
    {{ASK_ONE, OUTCOME_SILENT, ACTION_FAIL, ASK_IDLE}, 1, "Szs"},
    {{ASK_ONE, OUTCOME_TIMEOUT, ACTION_FAIL, ASK_IDLE}, 1, "St"},
    {{ASK_ONE, OUTCOME_UNSENT, ACTION_FAIL, ASK_IDLE}, 1, "dS0"},
    {{ASK_ONE, EVENT_LOOK, ACTION_HEDGE, ASK_TWO}, 1, "Sh"},
    {{ASK_ONE, EVENT_LOOK, ACTION_LOOK, ASK_ONE}, 1, "Sbh"},
    {{ASK_ONE, EVENT_LOOK, ACTION_LOOK, ASK_ONE}, 1, "dSh"},
    {{ASK_ONE, EVENT_SILENT, ACTION_RESCUE, ASK_TWO}, 1, "o1Sbi"},
    {{ASK_ONE, EVENT_SILENT, ACTION_RESCUE, ASK_TWO}, 2, "oo1Sbi"},
    {{ASK_ONE, EVENT_SILENT, ACTION_STAY, ASK_ONE}, 1, "o1Szi"},
    {{ASK_ONE, EVENT_JOIN, ACTION_HEDGE_ANEW, ASK_TWO}, 1, "Sb4j"},
    {{ASK_ONE, EVENT_JOIN, ACTION_AWAIT, ASK_ONE}, 1, "Sj"},
    {{ASK_ONE, EVENT_JOIN, ACTION_AWAIT, ASK_ONE}, 1, "Sz9j"},
    {{ASK_ONE, EVENT_LOOK, ACTION_HEDGE_ANEW, ASK_TWO}, 1, "Sbj9"},
    {{ASK_ONE, EVENT_CANCEL, ACTION_END, ASK_IDLE}, 1, "Sx"},

    {{ASK_TWO, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE}, 1, "Sha"},
    {{ASK_TWO, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE}, 1, "Sh<a"},
    {{ASK_TWO, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_TWO}, 2, "Shf"},
    {{ASK_TWO, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 1, "Shf"},
    {{ASK_TWO, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_TWO}, 1, "Shu"},
    {{ASK_TWO, OUTCOME_UNUSABLE, ACTION_STAY, ASK_ONE}, 1, "Shzu"},
    {{ASK_TWO, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_TWO}, 1, "Shn"},
    {{ASK_TWO, OUTCOME_NO_EDNS, ACTION_STAY, ASK_ONE}, 1, "Shzn"},
    {{ASK_TWO, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_TWO}, 2, "ShnF"},
    {{ASK_TWO, OUTCOME_FORMERR, ACTION_STAY, ASK_ONE}, 1, "ShnF"},
    {{ASK_TWO, OUTCOME_LOST, ACTION_RESEND_BESIDE, ASK_TWO}, 1, "Shl"},
    {{ASK_TWO, OUTCOME_LOST, ACTION_STAY, ASK_ONE}, 1, "Sh<l"}, /* the hedge was sent just now */
    {{ASK_TWO, OUTCOME_LOST, ACTION_STAY, ASK_ONE}, 1, "Shzl"},
    {{ASK_TWO, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_TWO}, 1, "She"},
    {{ASK_TWO, OUTCOME_LOST_EXPLAINED, ACTION_STAY, ASK_ONE}, 1, "Shze"},
    {{ASK_TWO, OUTCOME_LOST_ISOLATED, ACTION_SUSPECT, ASK_SUSPECT_ONE}, 1, TWO_ISOLATED "l"},
    {{ASK_TWO, OUTCOME_LOST_ISOLATED, ACTION_SUSPECT, ASK_SUSPECT_ONE}, 1, TWO_ISOLATED "<l"},
    {{ASK_TWO, OUTCOME_SILENT, ACTION_RETRY_BESIDE, ASK_TWO}, 1, "Shs"},
    {{ASK_TWO, OUTCOME_SILENT, ACTION_STAY, ASK_ONE}, 1, "Sh<s"}, /* the hedge was sent just now */
    {{ASK_TWO, OUTCOME_SILENT, ACTION_STAY, ASK_ONE}, 1, "Shzs"},
    {{ASK_TWO, OUTCOME_TIMEOUT, ACTION_STAY, ASK_ONE}, 1, "Sh<t"},
    {{ASK_TWO, OUTCOME_UNSENT, ACTION_STAY, ASK_ONE}, 1, "Sdh0"},
    {{ASK_TWO, EVENT_LOOK, ACTION_HEDGE_AGAIN, ASK_TWO}, 1, "Sh9o31111111111"},
    {{ASK_TWO, EVENT_LOOK, ACTION_LOOK, ASK_TWO}, 1, "Sh3"},
    {{ASK_TWO, EVENT_SILENT, ACTION_STAY, ASK_TWO}, 1, "o1Shi"},
    {{ASK_TWO, EVENT_JOIN, ACTION_HEDGE_ANEW, ASK_TWO}, 1, "Sh4j"},
    {{ASK_TWO, EVENT_JOIN, ACTION_AWAIT, ASK_TWO}, 1, "Shj"},
    {{ASK_TWO, EVENT_LOOK, ACTION_HEDGE_ANEW, ASK_TWO}, 1, "Shj9"},
    {{ASK_TWO, EVENT_CANCEL, ACTION_END, ASK_IDLE}, 1, "Shx"},

    {{ASK_SUSPECT, EVENT_LOOK, ACTION_RESEND_CLEARED, ASK_ONE}, 1, SUSPECTED "k1"},
    {{ASK_SUSPECT, EVENT_LOOK, ACTION_FAIL, ASK_IDLE}, 1, SUSPECTED "1"},
    {{ASK_SUSPECT, EVENT_LOOK, ACTION_FAIL, ASK_IDLE}, 1, SUSPECTED "kz1"},
    {{ASK_SUSPECT, EVENT_JOIN, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECTED "j"},
    {{ASK_SUSPECT, EVENT_CANCEL, ACTION_END, ASK_IDLE}, 1, SUSPECTED "x"},

    {{ASK_SUSPECT_ONE, OUTCOME_RESPONSE, ACTION_DELIVER, ASK_IDLE}, 1, SUSPECT_ONE "a"},
    {{ASK_SUSPECT_ONE, OUTCOME_FAILURE, ACTION_RETRY_PAID, ASK_SUSPECT_ONE}, 2, SUSPECT_ONE "f"},
    {{ASK_SUSPECT_ONE, OUTCOME_FAILURE, ACTION_DELIVER, ASK_IDLE}, 1, SUSPECT_ONE "f"},
    {{ASK_SUSPECT_ONE, OUTCOME_UNUSABLE, ACTION_RETRY_ONCE, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "u"},
    {{ASK_SUSPECT_ONE, OUTCOME_UNUSABLE, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "zu"},
    {{ASK_SUSPECT_ONE, OUTCOME_NO_EDNS, ACTION_RETRY, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "n"},
    {{ASK_SUSPECT_ONE, OUTCOME_NO_EDNS, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "zn"},
    {{ASK_SUSPECT_ONE, OUTCOME_FORMERR, ACTION_RETRY_ELSEWHERE, ASK_SUSPECT_ONE}, 2, SUSPECT_ONE "F"},
    {{ASK_SUSPECT_ONE, OUTCOME_FORMERR, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "F"},
    {{ASK_SUSPECT_ONE, OUTCOME_LOST, ACTION_RESEND, ASK_SUSPECT_ONE}, 1, "Shllll"}, /* the oldest is not isolated */
    {{ASK_SUSPECT_ONE, OUTCOME_LOST, ACTION_STAY, ASK_SUSPECT}, 1, "Shlllzl"},
    {{ASK_SUSPECT_ONE, OUTCOME_LOST_EXPLAINED, ACTION_RESEND, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "e"},
    {{ASK_SUSPECT_ONE, OUTCOME_LOST_EXPLAINED, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "ze"},
    {{ASK_SUSPECT_ONE, OUTCOME_LOST_ISOLATED, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "l"},
    {{ASK_SUSPECT_ONE, OUTCOME_SILENT, ACTION_RETRY, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "s"},
    {{ASK_SUSPECT_ONE, OUTCOME_SILENT, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "zs"},
    {{ASK_SUSPECT_ONE, OUTCOME_TIMEOUT, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "t"},
    {{ASK_SUSPECT_ONE, OUTCOME_UNSENT, ACTION_STAY, ASK_SUSPECT}, 1, SUSPECT_ONE "du0"},
    {{ASK_SUSPECT_ONE, EVENT_LOOK, ACTION_RESEND_CLEARED, ASK_TWO}, 1, SUSPECT_ONE "k1"},
    {{ASK_SUSPECT_ONE, EVENT_LOOK, ACTION_LOOK, ASK_ONE}, 1, SUSPECT_ONE "1"},
    {{ASK_SUSPECT_ONE, EVENT_SILENT, ACTION_STAY, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "i"},
    {{ASK_SUSPECT_ONE, EVENT_JOIN, ACTION_STAY, ASK_SUSPECT_ONE}, 1, SUSPECT_ONE "j"},
    {{ASK_SUSPECT_ONE, EVENT_CANCEL, ACTION_END, ASK_IDLE}, 1, SUSPECT_ONE "x"},
};

static bool same_row(const struct ask_row *a, const struct ask_row *b)
{
    return a->state == b->state && a->event == b->event && a->action == b->action && a->next == b->next;
}

static void check_end(const struct scenario *scenario)
{
    switch (scenario->row.action) {
    case ACTION_DELIVER:
        assert_int_equal(asked.ended, 1);
        assert_int_equal(asked.status, 0);
        assert_int_equal(asked.rcode, scenario->row.event == OUTCOME_FAILURE ? RCODE_SERVFAIL : RCODE_NOERROR);
        assert_non_null(ask_server(&asked.ask));
        break;
    case ACTION_FAIL: /* ends with the latest error */
        assert_int_equal(asked.ended, 1);
        assert_int_equal(asked.status,
                         scenario->row.event < OUTCOMES ? -1000 - scenario->row.event : -1000 - OUTCOME_LOST_ISOLATED);
        break;
    default:
        assert_int_equal(asked.ended, 0);
    }
}

static void play_scenario(const struct scenario *scenario)
{
    static const unsigned live_in[ASK_STATES] = {[ASK_ONE] = 1, [ASK_TWO] = 2, [ASK_SUSPECT_ONE] = 1};
    begin(scenario->upstreams);
    play(scenario->script);
    if (!same_row(&ask_rows[asked.ask.row], &scenario->row))
        fail_msg("\"%s\" takes row %u (state %u, event %u, action %u)", scenario->script, asked.ask.row,
                 ask_rows[asked.ask.row].state, ask_rows[asked.ask.row].event, ask_rows[asked.ask.row].action);
    assert_int_equal(asked.ask.state, scenario->row.next);
    assert_int_equal(live(&asked.ask), live_in[scenario->row.next]);
    assert_true(asked.ask.past_count + live(&asked.ask) <= ASK_ATTEMPTS);
    check_end(scenario);
    if (asked.ask.state == ASK_IDLE)
        assert_false(list_linked(&asked.ask.look.link));
    end();
}

static void every_row_is_taken(void **state)
{
    (void)state;
    bool taken[256] = {false};
    for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        play_scenario(&scenarios[i]);
        for (unsigned row = 0; row < ask_row_count; row++)
            taken[row] |= same_row(&ask_rows[row], &scenarios[i].row);
    }
    for (unsigned row = 0; row < ask_row_count; row++)
        if (!taken[row])
            fail_msg("no scenario for row %u (state %u, event %u, action %u)", row, ask_rows[row].state,
                     ask_rows[row].event, ask_rows[row].action);
}

static bool needs_nothing(unsigned action)
{
    return action >= ACTIONS_THAT_MAY;
}

/* Each event that can occur in a state has a row that is always allowed, as the last one. */
static void every_event_has_its_last_row(void **state)
{
    (void)state;
    for (unsigned in = ASK_ONE; in < ASK_STATES; in++) {
        for (unsigned event = OUTCOME_RESPONSE; event <= EVENT_CANCEL; event++) {
            unsigned last = 0;
            for (unsigned row = 0; row < ask_row_count; row++) {
                if (ask_rows[row].state != in || ask_rows[row].event != event)
                    continue;
                assert_int_equal(last, 0);
                last = needs_nothing(ask_rows[row].action);
            }
            bool happens = event != OUTCOME_GIVEN_UP && event != OUTCOME_BOGUS && event != EVENT_START &&
                           (in != ASK_SUSPECT || (event > EVENT_START && event != EVENT_SILENT));
            assert_int_equal(last, happens);
        }
    }
}

/* --- servers and sessions to avoid --- */

static void server_of_a_failure_stays_avoided_after_a_loss(void **state)
{
    (void)state;
    begin(2);
    play("Sf");
    struct server *failed = asked.ask.past[0].server;
    assert_ptr_not_equal(asked.ask.attempts[0].server, failed);
    for (unsigned i = 0; i < 2; i++) {
        fake_kill(conn_of(asked.ask.attempts[0].session), -ECONNRESET);
        fake_pass(100);
        assert_int_equal(asked.ask.attempts[0].state, ATTEMPT_SENT);
        if (i == 0) /* the second loss isolates it, and then there is no other server left */
            assert_ptr_not_equal(asked.ask.attempts[0].server, failed);
    }
    end();
}

static void hedge_goes_to_another_server_and_session(void **state)
{
    (void)state;
    begin(2);
    play("Sh");
    assert_ptr_not_equal(asked.ask.attempts[0].server, asked.ask.attempts[1].server);
    end();
    begin(1);
    play("Sh");
    assert_ptr_equal(asked.ask.attempts[0].server, asked.ask.attempts[1].server);
    assert_ptr_not_equal(asked.ask.attempts[0].session, asked.ask.attempts[1].session);
    end();
}

static void edns_is_left_out_until_another_server_is_used(void **state)
{
    (void)state;
    begin(2);
    play("Sn");
    struct server *without = asked.ask.past[0].server;
    assert_true(asked.ask.attempts[0].without_edns);
    assert_ptr_equal(asked.ask.attempts[0].server, without);
    play("h");
    assert_true(asked.ask.attempts[1].without_edns);
    play("<F");
    assert_false(asked.ask.attempts[0].without_edns);
    end();
}

static void two_losses_isolate(void **state)
{
    (void)state;
    begin(1);
    play("Slee");
    assert_false(asked.ask.attempts[0].isolated);
    play("l");
    assert_true(asked.ask.attempts[0].isolated);
    assert_true(asked.ask.attempts[0].session->reserved);
    play("s"); /* and so it stays */
    assert_true(asked.ask.attempts[0].isolated);
    end();
}

/* The server resets all its sessions in the same moment, and that is noticed one by one: no attempt goes to a
 * session that may end as well, one new session is opened, and nothing is isolated, not even where an attempt and
 * its hedge were both lost. */
static void a_reset_of_all_sessions_is_one_loss(void **state)
{
    (void)state;
    begin(1);
    play("Sh");
    for (unsigned i = 0; i < 20; i++)
        start(&more[i]);
    assert_int_equal(fake_dials(), 2);
    fake_pass(1);
    for (unsigned n = 2; n-- > 0;) { /* the busy one first */
        fake_kill(fake_conn(n), -ECONNRESET);
        fake_turn();
        fake_pass(1);
    }
    assert_int_equal(fake_dials(), 3);
    assert_int_equal(group->isolated, 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(more[i].ask.attempts[0].state, ATTEMPT_SENT);
        assert_int_equal(more[i].ask.past_count, 1);
    }
    assert_int_equal(asked.ask.past_count, 2);
    play("l"); /* another event */
    assert_int_equal(group->isolated, 1);
    end();
}

/* Idle ones, that have answered before. */
static void open_sessions(unsigned count)
{
    struct server *server = group->servers[0];
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(server->transport->start(server), 0);
        fake_turn();
    }
    assert_int_equal(fake_open(), count);
    list_for_each(link, &server->sessions[SESSION_OPEN])
        container_of(link, struct session, in_state)->answered = 1;
}

static void drop_frames(unsigned conns)
{
    struct fake_frame *frame;
    for (unsigned i = 0; i < conns; i++)
        while ((frame = fake_take(fake_conn(i))))
            free(frame);
}

static unsigned answer_frames(struct fake_conn *conn)
{
    struct fake_frame *frame;
    unsigned answered = 0;
    while (conn && (frame = fake_take(conn))) {
        fake_reply(conn, frame, NULL);
        free(frame);
        answered++;
    }
    return answered;
}

/* All open sessions are lost, and only one query is sent: its hedge goes to an idle session, and the third attempt
 * to a new one. */
static void one_query_survives_lost_idle_sessions(void **state)
{
    (void)state;
    begin(1);
    open_sessions(3);
    for (unsigned i = 0; i < 4; i++) /* the times of the server are known */
        rtt_note(&group->servers[0]->rtt, fake_now(), 20);
    fake_pass(5000);
    uint64_t begun_ms = fake_now();
    start(&asked);
    while (asked.ended == 0 && fake_now() < begun_ms + 1000) {
        fake_pass(5);
        answer_frames(fake_conn(3));
    }
    assert_in_range(fake_now() - begun_ms, 1, 200);
    assert_int_equal(fake_dials(), 4);
    drop_frames(3);
    end();
}

/* All open sessions are lost, and many queries are sent: a new session takes all of them, whether or not the budget
 * allows hedges, which go to other lost sessions at first. */
static void replace_silent_session(unsigned hedge_debt)
{
    begin(1);
    open_sessions(3);
    for (unsigned i = 0; i < 4; i++)
        rtt_note(&group->servers[0]->rtt, fake_now(), 20);
    fake_pass(5000);
    group->hedge_debt = hedge_debt;
    uint64_t begun_ms = fake_now();
    for (unsigned i = 0; i < 30; i++) {
        start(&more[i]);
        fake_pass(3);
        answer_frames(fake_conn(3));
    }
    unsigned ended = 0;
    while (ended < 30 && fake_now() < begun_ms + 1000) {
        fake_pass(5);
        answer_frames(fake_conn(3));
        ended = 0;
        for (unsigned i = 0; i < 30; i++)
            ended += more[i].ended == 1 && more[i].status == 0;
    }
    assert_in_range(fake_now() - begun_ms, 90, 200);
    assert_int_equal(fake_dials(), 4);
    drop_frames(3);
    fake_pass(1000);
    assert_int_equal(fake_open(), 1); /* the silent sessions are closed */
    end();
}

static void a_silent_session_is_replaced_at_once(void **state)
{
    (void)state;
    replace_silent_session(0);
    replace_silent_session(2000); /* spent */
}

/* --- a server that responds to the first queries of each session --- */

enum { RESPONSES_EACH = 2 };
static unsigned responses_of[64];

static void serve_the_first(struct fake_conn *conn, const struct fake_frame *frame)
{
    unsigned number = 0;
    while (fake_conn(number) != conn)
        number++;
    assert_true(number < 64);
    if (responses_of[number]++ < RESPONSES_EACH)
        fake_reply(conn, frame, NULL);
}

static uint64_t wait_for_response(void)
{
    uint64_t begun_ms = fake_now();
    start(&asked);
    while (asked.ended == 0 && fake_now() < begun_ms + 3000)
        fake_pass(1);
    assert_int_equal(asked.status, 0);
    return fake_now() - begun_ms;
}

static void responses_of_a_session_are_learned_from_silence(void **state)
{
    (void)state;
    begin(1);
    memset(responses_of, 0, sizeof responses_of);
    fake.serve = serve_the_first;
    unsigned late = 0;
    for (unsigned i = 0; i < 60; i++) {
        late += wait_for_response() > 5;
        fake_pass(50);
    }
    assert_in_range(late, 2, 4); /* it was learned, and has been confirmed */
    assert_int_equal(group->servers[0]->allowance.queries, RESPONSES_EACH);
    assert_in_range(fake_open(), 0, 1);
    end();
}

static void a_session_that_was_only_slow_ends_that(void **state)
{
    (void)state;
    begin(1);
    memset(responses_of, 0, sizeof responses_of);
    fake.serve = serve_the_first;
    for (unsigned i = 0; i < 10; i++)
        wait_for_response();
    assert_int_equal(group->servers[0]->allowance.queries, RESPONSES_EACH);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 10; i++) {
        wait_for_response();
        fake_pass(ALLOWANCE_PROBED);
    }
    unsigned dials = fake_dials();
    for (unsigned i = 0; i < 20; i++)
        wait_for_response();
    assert_int_equal(fake_dials(), dials);
    end();
}

/* No client waits any longer: an attempt that times out is not followed by hedges of the other one. */
static void no_hedge_after_the_timeout(void **state)
{
    (void)state;
    begin(1);
    start(&asked);
    fake_pass(2 * ATTEMPT_TIMEOUT);
    assert_int_equal(asked.ended, 1);
    assert_in_range(asked.ask.past_count, 2, 5);
    assert_in_range(asked.ask.past[asked.ask.past_count - 1].asked, 0, 3200);
    end();
}

/* A hedge that the budget denies finds out nothing. */
static void denied_hedges_are_no_probes(void **state)
{
    (void)state;
    begin(1);
    group->hedge_debt = 2000; /* spent */
    start(&asked);
    fake_pass(1000);
    assert_true(fake_counted(COUNTER_hedges_denied) > 0);
    assert_int_equal(group->servers[0]->losses.probes, 0);
    group->hedge_debt = 0;
    fake_pass(1000);
    assert_int_equal(group->servers[0]->losses.probes, 1);
    end();
}

/* If many lookups are suspect, none of them is likely to be the cause: those above the limit are not isolated, so
 * they need not wait. */
static void few_are_isolated_at_a_time(void **state)
{
    (void)state;
    begin(1);
    for (unsigned i = 0; i <= ISOLATED_MAX; i++) {
        start(&more[i]);
        for (unsigned loss = 0; loss < 2; loss++) {
            assert_int_equal(more[i].ask.attempts[0].state, ATTEMPT_SENT);
            attempt_finish(&more[i].ask.attempts[0], OUTCOME_LOST, -ECONNRESET, NULL);
            fake_turn();
        }
        assert_int_equal(more[i].ask.attempts[0].isolated, i < ISOLATED_MAX);
    }
    assert_int_equal(group->isolated, ISOLATED_MAX);
    end();
}

/* A response whose chain would cost too much to follow: 1,500 DNAMEs with long owners. */
static void response_that_costs_too_much_is_unusable(void **state)
{
    (void)state;
    static struct wire wire;
    static struct answer_scratch scratch;
    struct answer_transport unused;
    struct answer answer;
    enum { DNAMES = 1500, LABELS = 120 };
    begin(1);
    play("S");
    wire_header(&wire, ANSWER_FLAGS, 1, DNAMES, 0, 0);
    wire_question(&wire, "a.test", TYPE_A);
    size_t owner = wire.len;
    for (unsigned i = 0; i < DNAMES; i++) {
        if (i == 0) {
            for (unsigned label = 0; label < LABELS; label++)
                wire_literal(&wire, "\1x");
            wire_u8(&wire, 0);
        } else {
            wire_pointer(&wire, owner);
        }
        wire_fixed(&wire, 39, 60, 1);
        wire_u8(&wire, 0);
    }
    assert_int_equal(message_walk_answer(wire.data, wire.len, &scratch, &answer, &unused), 0);
    attempt_finish(&asked.ask.attempts[0], OUTCOME_RESPONSE, 0, &answer);
    assert_int_equal(asked.ask.past[0].outcome, OUTCOME_UNUSABLE);
    assert_int_equal(asked.ask.past[0].status, ERROR_MALFORMED);
    assert_int_equal(asked.ask.state, ASK_ONE); /* retried */
    fake_turn();
    end();
}

/* --- reports --- */

static void report_counts_attempts_and_losses(void **state)
{
    (void)state;
    struct ask_report report;
    begin(1);
    play("Slesl");
    ask_report(&asked.ask, 0, &report);
    assert_int_equal(report.attempts, 5);
    assert_int_equal(report.session_losses, 2);
    assert_int_equal(report.error, -1000 - OUTCOME_LOST);
    assert_ptr_equal(report.where, group->servers[0]);
    end();
    begin(1);
    play("S");
    ask_report(&asked.ask, 0, &report);
    assert_int_equal(report.error, ERROR_UNANSWERED); /* out, and no response so far */
    assert_int_equal(report.session, ASK_OPENED);
    end();
    begin(1);
    play("dS");
    ask_report(&asked.ask, 0, &report);
    assert_int_equal(report.error, ERROR_NO_SERVER);
    assert_int_equal(report.session, ASK_NO_SESSION);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_taken),
        cmocka_unit_test(every_event_has_its_last_row),
        cmocka_unit_test(server_of_a_failure_stays_avoided_after_a_loss),
        cmocka_unit_test(hedge_goes_to_another_server_and_session),
        cmocka_unit_test(edns_is_left_out_until_another_server_is_used),
        cmocka_unit_test(two_losses_isolate),
        cmocka_unit_test(a_reset_of_all_sessions_is_one_loss),
        cmocka_unit_test(one_query_survives_lost_idle_sessions),
        cmocka_unit_test(a_silent_session_is_replaced_at_once),
        cmocka_unit_test(responses_of_a_session_are_learned_from_silence),
        cmocka_unit_test(a_session_that_was_only_slow_ends_that),
        cmocka_unit_test(no_hedge_after_the_timeout),
        cmocka_unit_test(denied_hedges_are_no_probes),
        cmocka_unit_test(few_are_isolated_at_a_time),
        cmocka_unit_test(response_that_costs_too_much_is_unusable),
        cmocka_unit_test(report_counts_attempts_and_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
