/* SPDX-License-Identifier: MIT */
/* One session: ids, matching, ends, deadlines. */
#include <errno.h>
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

static struct config *config;
static struct group *group;

/* One server, one session at most unless the test says otherwise. */
static int setup(void **state)
{
    (void)state;
    fake_begin();
    config = fake_config(1, 1);
    config->tls.sessions = 1;
    group = fake_group(config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_group_end(group);
    fake_end();
    return 0;
}

static void ask(struct fake_ask *asked, const char *name)
{
    memset(asked, 0, sizeof *asked);
    fake_ask(group, asked, name);
}

/* Sends a query and returns the frame that the server received. */
static struct fake_frame *ask_frame(struct fake_ask *asked, const char *name, struct fake_conn **conn)
{
    ask(asked, name);
    fake_turn();
    *conn = fake_conn(fake_dials() - 1);
    struct fake_frame *frame = fake_take(*conn);
    assert_non_null(frame);
    return frame;
}

static uint16_t frame_id(const struct fake_frame *frame)
{
    return read_u16(frame->data);
}

/* --- queries and responses --- */

static void answer_reaches_its_question(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    fake_reply(conn, frame, NULL);
    free(frame);
    assert_int_equal(asked.answered, 1);
    assert_int_equal(asked.rcode, RCODE_NOERROR);
    assert_int_equal(conn->written, 1);
}

static void responses_are_acknowledged_while_more_are_outstanding(void **state)
{
    (void)state;
    static struct fake_ask asked[100];
    for (unsigned i = 0; i < 100; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    struct fake_conn *conn = fake_conn(0);
    for (unsigned i = 0; i < 100; i++) {
        struct fake_frame *frame = fake_take(conn);
        fake_reply(conn, frame, NULL);
        free(frame);
        if (i == 9)
            assert_int_equal(conn->acknowledged, 10);
    }
    assert_in_range(conn->acknowledged, 30, 40); /* a burst; at higher rates queries carry the acknowledgements */
    struct fake_frame *frame = ask_frame(&asked[0], "b.test", &conn);
    unsigned before = conn->acknowledged;
    fake_pass(1000);
    fake_reply(conn, frame, NULL);
    free(frame);
    assert_int_equal(conn->acknowledged, before); /* nothing is outstanding */
}

/* Also if everything happens within one millisecond. */
static void only_attempts_that_waited_opened_the_session(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    for (unsigned i = 0; i < 3; i++) {
        struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
        assert_int_equal(asked.attempt.opened, i == 0);
        assert_int_equal(counter_read(group->counters, COUNTER_attempts_reused), i);
        fake_reply(conn, frame, NULL);
        free(frame);
    }
    assert_int_equal(counter_read(group->counters, COUNTER_sessions_opened), 1);
}

static void query_is_padded_and_carries_keepalive(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    assert_int_equal(frame->len % 128, 0);
    attempt_cancel(&asked.attempt);
    free(frame);
}

static void one_flush_sends_all_queries_of_a_turn(void **state)
{
    (void)state;
    static struct fake_ask asked[100];
    for (unsigned i = 0; i < 100; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    assert_int_equal(fake_conn(0)->written, 100);
    assert_int_equal(fake_conn(0)->flushes, 1);
    fake.serve = fake_serve_all;
    fake_turn();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(asked[i].answered, 1);
}

static void responses_out_of_order_find_their_attempts(void **state)
{
    (void)state;
    static struct fake_ask asked[20];
    struct fake_frame *frames[20];
    struct fake_answer answer = FAKE_ANSWER;
    for (unsigned i = 0; i < 20; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    for (unsigned i = 0; i < 20; i++)
        frames[i] = fake_take(fake_conn(0));
    for (unsigned i = 20; i-- > 0;) {
        answer.rcode = (uint16_t)(i % 2 ? RCODE_NXDOMAIN : RCODE_NOERROR);
        fake_reply(fake_conn(0), frames[i], &answer);
        assert_int_equal(asked[i].answered, 1);
        assert_int_equal(asked[i].rcode, answer.rcode);
        free(frames[i]);
    }
}

static void id_of_a_cancelled_attempt_is_not_reused(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    uint16_t tombstone = frame_id(frame);
    attempt_cancel(&asked.attempt);
    for (unsigned i = 0; i < 300; i++) {
        struct fake_frame *other = ask_frame(&asked, "a.test", &conn);
        assert_int_not_equal(frame_id(other), tombstone);
        fake_reply(conn, other, NULL);
        assert_int_equal(asked.answered, 1);
        free(other);
    }
    free(frame);
}

static void late_answer_frees_the_id(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    uint16_t tombstone = frame_id(frame);
    bool given = false;
    attempt_cancel(&asked.attempt);
    fake_reply(conn, frame, NULL);
    free(frame);
    assert_int_equal(asked.ended, 0);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_id), 0);
    for (unsigned i = 0; i < 64; i++) {
        frame = ask_frame(&asked, "b.test", &conn);
        given |= frame_id(frame) == tombstone;
        fake_reply(conn, frame, NULL);
        free(frame);
    }
    assert_true(given);
}

static void wrong_id_is_ignored_and_counted(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    write_u16(frame->data, (uint16_t)(frame_id(frame) ^ 1));
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.ended, 0);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_id), 1);
    write_u16(frame->data, (uint16_t)(frame_id(frame) ^ 1));
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    free(frame);
}

static void duplicate_is_ignored_and_counted(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    fake_reply(conn, frame, NULL);
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.ended, 1);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_id), 1);
    assert_int_equal(fake_open(), 1);
    free(frame);
}

static void other_question_section_is_ignored_and_counted(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    frame->data[13] = 'b';
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.ended, 0);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_question), 1);
    frame->data[13] = 'a';
    frame->data[MESSAGE_HEADER + asked.key.name_len + 1] = TYPE_AAAA;
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.ended, 0);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_question), 2);
    attempt_cancel(&asked.attempt);
    free(frame);
    assert_int_equal(fake_open(), 1);
}

static void letter_case_of_the_query_does_not_matter(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    frame->data[13] = 'A';
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    free(frame);
}

static void swapped_ids_answer_no_query(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask first, second;
    struct fake_frame *one = ask_frame(&first, "a.test", &conn);
    struct fake_frame *two = ask_frame(&second, "b.test", &conn);
    uint16_t id = frame_id(one);
    write_u16(one->data, frame_id(two));
    write_u16(two->data, id);
    fake_reply(conn, one, NULL);
    fake_reply(conn, two, NULL);
    assert_int_equal(first.ended + second.ended, 0);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_question), 2);
    attempt_cancel(&first.attempt);
    attempt_cancel(&second.attempt);
    free(one);
    free(two);
}

static void unsolicited_messages_leave_the_session_alone(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    uint16_t id = frame_id(frame);
    for (unsigned i = 1; i < 1000; i++) {
        write_u16(frame->data, (uint16_t)(id + i));
        fake_reply(conn, frame, NULL);
    }
    write_u16(frame->data, id);
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    assert_int_equal(fake_counted(COUNTER_upstream_ignored_id), 999);
    free(frame);
}

static void malformed_response_ends_only_its_attempt(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask bad, good;
    uint8_t message[2048];
    struct fake_frame *one = ask_frame(&bad, "a.test", &conn);
    struct fake_frame *two = ask_frame(&good, "b.test", &conn);
    size_t len = fake_build(message, one, &FAKE_ANSWER);
    fake_deliver(conn, message, len - 1);
    assert_int_equal(bad.status, ERROR_MALFORMED);
    assert_int_equal(fake_counted(COUNTER_upstream_malformed), 1);
    fake_reply(conn, two, NULL);
    assert_int_equal(good.answered, 1);
    free(one);
    free(two);
}

static void bare_error_header_answers_its_id(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    uint8_t header[MESSAGE_HEADER] = {frame->data[0], frame->data[1], 0x81, 0x80 | RCODE_FORMERR};
    fake_deliver(conn, header, sizeof header);
    assert_int_equal(asked.status, ERROR_UPSTREAM_FORMERR);
    free(frame);
    frame = ask_frame(&asked, "a.test", &conn);
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    assert_int_equal(fake_open(), 1);
    free(frame);
}

static void bare_header_without_error_answers_no_query(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    uint8_t header[MESSAGE_HEADER] = {frame->data[0], frame->data[1], 0x81, 0x80};
    fake_deliver(conn, header, sizeof header);
    assert_int_equal(asked.ended, 0);
    attempt_cancel(&asked.attempt);
    free(frame);
}

/* --- broken framing, ends --- */

static void short_frame_ends_the_session(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    for (size_t len = 0; len < MESSAGE_HEADER; len++) {
        fake_pass(BACKOFF_MAX);
        struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
        fake_deliver(conn, frame->data, len);
        assert_int_equal(asked.status, ERROR_MALFORMED);
        fake_turn();
        assert_true(conn->closed_by_us);
        free(frame);
    }
}

static void attempts_of_a_lost_session_get_the_reason(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    free(ask_frame(&asked, "a.test", &conn));
    fake_kill(conn, -ECONNRESET);
    fake_turn();
    assert_int_equal(asked.ended, 1);
    assert_int_equal(asked.status, -ECONNRESET);
    assert_int_equal(fake_counted(COUNTER_sessions_reset), 1);
}

static void unsent_queries_of_a_lost_session_move(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask sent, queued[10];
    free(ask_frame(&sent, "a.test", &conn));
    conn->blocked = true;
    for (unsigned i = 0; i < 10; i++)
        ask(&queued[i], "b.test");
    fake_turn();
    /* The first flush was blocked and contains the earlier ones; these stay queued. */
    for (unsigned i = 0; i < 10; i++)
        attempt_cancel(&queued[i].attempt);
    for (unsigned i = 0; i < 10; i++)
        ask(&queued[i], "c.test");
    fake_turn();
    fake.serve = fake_serve_all;
    fake_kill(conn, -ECONNRESET);
    fake_turn();
    assert_int_equal(sent.status, -ECONNRESET);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(queued[i].ended, 1); /* not finished by the loss */
        assert_int_equal(queued[i].answered, 1);
    }
}

static void queries_wait_while_the_kernel_accepts_nothing(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask first, second, third;
    free(ask_frame(&first, "a.test", &conn));
    conn->blocked = true;
    ask(&second, "b.test");
    fake_turn();
    ask(&third, "c.test");
    fake_turn();
    assert_int_equal(third.attempt.state, ATTEMPT_QUEUED);
    fake_unblock(conn);
    fake_turn();
    assert_int_equal(third.attempt.state, ATTEMPT_SENT);
    attempt_cancel(&first.attempt);
    attempt_cancel(&second.attempt);
    attempt_cancel(&third.attempt);
}

/* --- deadlines --- */

static void answered(const char *name)
{
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, name, &conn);
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    free(frame);
}

static void idle_session_is_closed_in_time(void **state)
{
    (void)state;
    answered("a.test");
    fake_pass(29900);
    assert_int_equal(fake_open(), 1);
    fake_pass(110);
    assert_int_equal(fake_open(), 0);
    assert_int_equal(fake_counted(COUNTER_sessions_closed_idle), 1);
}

static unsigned dials_for_pauses(uint64_t pause_ms, unsigned pauses)
{
    struct fake_ask asked;
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i <= pauses; i++) {
        ask(&asked, "a.test");
        fake_turn();
        assert_int_equal(asked.answered, 1);
        fake_pass(pause_ms);
    }
    return fake_dials();
}

/* Queries regularly come soon after the session's end: the next session is opened ahead of them. */
static void session_is_opened_ahead_of_regular_queries(void **state)
{
    (void)state;
    config->tls.idle_ms = 30000;
    unsigned dials = dials_for_pauses(45000, 20);
    assert_in_range(dials, 20, 23);
    assert_int_equal(fake_open(), 1); /* in the middle of a pause */
    fake_pass(60000);
    assert_int_equal(fake_open(), 0); /* it was not used, and no other one is opened */
    assert_in_range(fake_dials(), dials, dials + 1);
}

static void no_session_is_opened_ahead_without_regular_queries(void **state)
{
    (void)state;
    config->tls.idle_ms = 10000;
    assert_int_equal(dials_for_pauses(45000, 20), 21);
    assert_int_equal(fake_open(), 0);
}

static void short_idle_time_is_met_too(void **state)
{
    (void)state;
    config->tls.idle_ms = 200;
    answered("a.test");
    fake_pass(190);
    assert_int_equal(fake_open(), 1);
    fake_pass(20);
    assert_int_equal(fake_open(), 0);
}

static void session_without_queries_is_closed_when_idle(void **state)
{
    (void)state;
    struct fake_ask asked;
    config->tls.idle_ms = 1000;
    fake.dial[1] = FAKE_HANGS;
    ask(&asked, "a.test");
    fake_turn();
    attempt_cancel(&asked.attempt);
    fake_pass(100);
    fake_accept(fake_conn(0));
    fake_pass(990);
    assert_int_equal(fake_open(), 1);
    fake_pass(20);
    assert_int_equal(fake_open(), 0);
}

static void outstanding_queries_keep_a_session_open(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        answered("a.test");
        fake_pass(20000);
    }
    assert_int_equal(fake_dials(), 1);
}

static void answered_with_keepalive(int keepalive_100ms)
{
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_answer answer = FAKE_ANSWER;
    answer.keepalive_100ms = keepalive_100ms;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    fake_reply(conn, frame, &answer);
    assert_int_equal(asked.answered, 1);
    free(frame);
}

static void servers_idle_time_is_kept_with_a_margin(void **state)
{
    (void)state;
    answered_with_keepalive(20);
    fake_pass(1500);
    assert_int_equal(fake_open(), 1);
    fake_pass(480);
    assert_int_equal(fake_open(), 0);
    answered_with_keepalive(3); /* 300 ms: shorter than the interval of checks */
    fake_pass(150);
    assert_int_equal(fake_open(), 1);
    fake_pass(145);
    assert_int_equal(fake_open(), 0);
}

static void longer_idle_time_of_the_server_changes_nothing(void **state)
{
    (void)state;
    answered_with_keepalive(6000);
    fake_pass(30010);
    assert_int_equal(fake_open(), 0);
}

static void keepalive_of_zero_retires_the_session(void **state)
{
    (void)state;
    answered_with_keepalive(0);
    fake_turn();
    assert_int_equal(fake_open(), 0);
    answered("b.test");
    assert_int_equal(fake_dials(), 2);
}

static void retired_session_still_delivers(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask slow, fast;
    struct fake_answer answer = FAKE_ANSWER;
    answer.keepalive_100ms = 0;
    struct fake_frame *one = ask_frame(&slow, "a.test", &conn);
    struct fake_frame *two = ask_frame(&fast, "b.test", &conn);
    fake_reply(conn, two, &answer);
    fake_pass(500);
    assert_int_equal(fake_open(), 1);
    fake_reply(conn, one, NULL);
    assert_int_equal(slow.answered, 1);
    fake_turn();
    assert_int_equal(fake_open(), 0);
    free(one);
    free(two);
}

static void stalled_frame_ends_the_session(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    free(ask_frame(&asked, "a.test", &conn));
    conn->mid_frame = true;
    conn->stream->received += 1;
    fake_pass(1900);
    assert_int_equal(asked.ended, 0);
    fake_pass(1200);
    assert_int_equal(asked.status, ERROR_SLOW_WRITER);
    assert_true(conn->closed_by_us);
}

static void slow_frame_that_grows_is_waited_for(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    struct fake_frame *frame = ask_frame(&asked, "a.test", &conn);
    conn->mid_frame = true;
    for (unsigned i = 0; i < 9; i++) {
        conn->stream->received += 1;
        fake_pass(1000);
    }
    conn->mid_frame = false;
    fake_reply(conn, frame, NULL);
    assert_int_equal(asked.answered, 1);
    free(frame);
}

static void query_without_response_times_out(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    free(ask_frame(&asked, "a.test", &conn));
    fake_pass(9990);
    assert_int_equal(asked.ended, 0);
    fake_pass(20);
    assert_int_equal(asked.status, ERROR_UNANSWERED);
    assert_int_equal(fake_counted(COUNTER_attempts_timeout), 1);
    assert_true(conn->closed_by_us); /* no data was received in all that time */
}

static void session_with_other_responses_stays_when_one_times_out(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask slow, fast;
    free(ask_frame(&slow, "a.test", &conn));
    fake_pass(5000);
    struct fake_frame *frame = ask_frame(&fast, "b.test", &conn);
    fake_reply(conn, frame, NULL);
    fake_pass(6000);
    assert_int_equal(slow.status, ERROR_UNANSWERED);
    assert_int_equal(fake_open(), 1);
    free(frame);
}

/* --- bounds --- */

static void ids_grow_to_their_bound_and_no_further(void **state)
{
    (void)state;
    static struct fake_ask asked[IDS_MAX + 10];
    for (unsigned i = 0; i < IDS_MAX + 10; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    assert_in_range(fake_conn(0)->written, 1, IDS_MAX / 2); /* not all in one turn */
    fake_pass(4 * MEMORY_RETRY);
    assert_int_equal(fake_conn(0)->written, IDS_MAX);
    assert_int_equal(asked[IDS_MAX].attempt.state, ATTEMPT_WAITING);
    fake.serve = fake_serve_all;
    fake_turn();
    for (unsigned i = 0; i < IDS_MAX + 10; i++)
        assert_int_equal(asked[i].answered, 1);
    assert_int_equal(fake_dials(), 1);
}

static void ids_are_all_different(void **state)
{
    (void)state;
    static struct fake_ask asked[IDS_MAX];
    static bool seen[65536];
    struct fake_frame *frame;
    for (unsigned i = 0; i < IDS_MAX; i++)
        ask(&asked[i], "a.test");
    fake_turn();
    while ((frame = fake_take(fake_conn(0)))) {
        assert_false(seen[frame_id(frame)]);
        seen[frame_id(frame)] = true;
        free(frame);
    }
    for (unsigned i = 0; i < IDS_MAX; i++)
        attempt_cancel(&asked[i].attempt);
}

static void too_many_tombstones_retire_the_session(void **state)
{
    (void)state;
    struct fake_conn *conn;
    struct fake_ask asked;
    for (unsigned i = 0; i <= SESSION_TOMBSTONES; i++) {
        free(ask_frame(&asked, "a.test", &conn));
        attempt_cancel(&asked.attempt);
    }
    fake_turn();
    assert_int_equal(fake_open(), 0);
    assert_int_equal(fake_counted(COUNTER_sessions_retired), 1);
    answered("b.test");
}

/* --- memory --- */

static void failed_allocation_does_not_lose_a_query(void **state)
{
    unsigned long asked_for = 0;
    for (unsigned long n = 1; n <= asked_for + 1; n++) {
        struct fake_ask first, second;
        uint64_t begun_ms = fake_now();
        fake.serve = fake_serve_all;
        mem_fail_at(n);
        ask(&first, "a.test");
        fake_pass(1500);
        ask(&second, "b.test");
        fake_pass(1500);
        asked_for = mem_asked();
        mem_fail_at(0);
        assert_int_equal(first.answered, 1);
        assert_in_range(first.ended_ms, begun_ms, begun_ms + 100);
        assert_int_equal(second.answered, 1);
        teardown(state);
        setup(state);
    }
    assert_true(asked_for > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(responses_are_acknowledged_while_more_are_outstanding),
        TEST(answer_reaches_its_question),
        TEST(only_attempts_that_waited_opened_the_session),
        TEST(query_is_padded_and_carries_keepalive),
        TEST(one_flush_sends_all_queries_of_a_turn),
        TEST(responses_out_of_order_find_their_attempts),
        TEST(id_of_a_cancelled_attempt_is_not_reused),
        TEST(late_answer_frees_the_id),
        TEST(wrong_id_is_ignored_and_counted),
        TEST(duplicate_is_ignored_and_counted),
        TEST(other_question_section_is_ignored_and_counted),
        TEST(letter_case_of_the_query_does_not_matter),
        TEST(swapped_ids_answer_no_query),
        TEST(unsolicited_messages_leave_the_session_alone),
        TEST(malformed_response_ends_only_its_attempt),
        TEST(bare_error_header_answers_its_id),
        TEST(bare_header_without_error_answers_no_query),
        TEST(short_frame_ends_the_session),
        TEST(attempts_of_a_lost_session_get_the_reason),
        TEST(unsent_queries_of_a_lost_session_move),
        TEST(queries_wait_while_the_kernel_accepts_nothing),
        TEST(idle_session_is_closed_in_time),
        TEST(session_is_opened_ahead_of_regular_queries),
        TEST(no_session_is_opened_ahead_without_regular_queries),
        TEST(short_idle_time_is_met_too),
        TEST(session_without_queries_is_closed_when_idle),
        TEST(outstanding_queries_keep_a_session_open),
        TEST(servers_idle_time_is_kept_with_a_margin),
        TEST(longer_idle_time_of_the_server_changes_nothing),
        TEST(keepalive_of_zero_retires_the_session),
        TEST(retired_session_still_delivers),
        TEST(stalled_frame_ends_the_session),
        TEST(slow_frame_that_grows_is_waited_for),
        TEST(query_without_response_times_out),
        TEST(session_with_other_responses_stays_when_one_times_out),
        TEST(ids_grow_to_their_bound_and_no_further),
        TEST(ids_are_all_different),
        TEST(too_many_tombstones_retire_the_session),
        TEST(failed_allocation_does_not_lose_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
