/* SPDX-License-Identifier: MIT */
/* The table of steps: preparing, configuring, waiting and resuming, and the `answer` pass.
 *
 * Three scripted steps are around the cache: a, b, cache, c, lookup. They record each run as a small letter, and
 * each response as a capital letter.
 */
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "fake_client.h"
#include "seeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { A, B, C, PLAYS };

/* The script of a step, and its counts. */
struct play {
    enum verdict run, answer;
    unsigned records; /* number of records that it adds to responses, with its number in the address */
    bool left_out;    /* in the next configuration */
    int prepare_fails, init_fails;
    struct list waiting;
    const int *snapshot;
    unsigned configured, alive, prepared, released;
};

static struct play plays[PLAYS];
static char seen[64];
static bool see_responses;
static struct client clients[20];

static void note(char item)
{
    size_t len = strlen(seen);
    if (len + 1 == sizeof seen)
        return;
    seen[len] = item;
    seen[len + 1] = '\0';
}

static bool saw(const char *items)
{
    bool same = strcmp(seen, items) == 0;
    if (!same)
        print_error("seen: %s\n", seen);
    seen[0] = '\0';
    return same;
}

/* --- the steps --- */

static int play_prepare(struct play *play, void **snapshot, FILE *errors)
{
    if (play->prepare_fails) {
        fprintf(errors, "mistake\n");
        return play->prepare_fails;
    }
    int *made = mem_alloc(sizeof *made);
    if (!made)
        return -ENOMEM;
    *made = !play->left_out;
    *snapshot = made;
    play->prepared++;
    return 0;
}

static void play_release(struct play *play, void *snapshot)
{
    play->released++;
    mem_free(snapshot);
}

static bool play_wanted(const void *snapshot)
{
    return *(const int *)snapshot;
}

static int play_init(struct play *play, struct resolver *of, void *state)
{
    assert_ptr_equal(of->loop, &fake.loop);
    assert_null(*(struct play **)state);
    if (play->init_fails)
        return play->init_fails;
    play->alive++;
    *(struct play **)state = play;
    return 0;
}

static void play_configure(void *state, const void *snapshot)
{
    struct play *play = *(struct play **)state;
    play->snapshot = snapshot;
    play->configured++;
}

static void play_fini(void *state)
{
    struct play *play = *(struct play **)state;
    play->alive--;
}

static enum verdict play_wait(struct play *play, struct query *query)
{
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    list_push_back(&play->waiting, &parked->in_step);
    return WAITING;
}

static enum verdict play_run(struct query *query, void *state)
{
    struct play *play = *(struct play **)state;
    note((char)('a' + (play - plays)));
    switch (play->run) {
    case ANSWERED:
        return query_error(query, RCODE_NXDOMAIN, EDE_NONE, NULL);
    case DROPPED:
        return query_drop(query, COUNTER_drops_policy);
    case WAITING:
        return play_wait(play, query);
    default:
        return NEXT;
    }
}

static void add_records(struct play *play, struct query *query, struct answer *response)
{
    query_own_response(query, response);
    struct writer writer = writer_over(response->wire + response->len, MESSAGE_MAX - response->len);
    for (unsigned i = 0; i < play->records; i++) {
        writer_u16(&writer, 0xC00C);
        writer_u32(&writer, 0x00010001);
        writer_u32(&writer, 60);
        writer_u16(&writer, 4);
        writer_u32(&writer, (uint32_t)(play - plays));
    }
    assert_false(writer.failed);
    response->len += writer_len(&writer);
    response->additional = (uint16_t)response->len;
    write_u16(response->wire + 6, (uint16_t)(read_u16(response->wire + 6) + play->records));
}

static enum verdict play_answer(struct query *query, struct answer *response, void *state)
{
    struct play *play = *(struct play **)state;
    assert_true(response->len >= query->request.question_end && response->additional <= response->len);
    if (see_responses)
        note((char)('A' + (play - plays)));
    switch (play->answer) {
    case ANSWERED:
        return query_error(query, RCODE_REFUSED, EDE_PROHIBITED, NULL);
    case DROPPED:
        return query_drop(query, COUNTER_drops_policy);
    case WAITING:
        return play_wait(play, query);
    case REPLACED:
        add_records(play, query, response);
        return REPLACED;
    default:
        return NEXT;
    }
}

#define PLAY(item, number)                                                                                             \
    static int prepare_##item(const struct config *c, void **snapshot, FILE *errors)                                   \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        return play_prepare(&plays[number], snapshot, errors);                                                         \
    }                                                                                                                  \
    static void release_##item(void *snapshot)                                                                         \
    {                                                                                                                  \
        play_release(&plays[number], snapshot);                                                                        \
    }                                                                                                                  \
    static int init_##item(struct resolver *of, void *state)                                                           \
    {                                                                                                                  \
        return play_init(&plays[number], of, state);                                                                   \
    }                                                                                                                  \
    static const struct step step_##item = {                                                                           \
        .name = #item,                                                                                                 \
        .prepare = prepare_##item,                                                                                     \
        .release = release_##item,                                                                                     \
        .wanted = play_wanted,                                                                                         \
        .state_size = sizeof(struct play *),                                                                           \
        .init = init_##item,                                                                                           \
        .configure = play_configure,                                                                                   \
        .run = play_run,                                                                                               \
        .answer = play_answer,                                                                                         \
        .fini = play_fini,                                                                                             \
    };

PLAY(a, A)
PLAY(b, B)
PLAY(c, C)

static const struct step *const order[] = {&step_a, &step_b, &step_cache, &step_c, &step_lookup, NULL};

/* --- scaffolding --- */

static void serve(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, &FAKE_ANSWER);
}

static int setup(void **state)
{
    (void)state;
    memset(clients, 0, sizeof clients);
    memset(plays, 0, sizeof plays);
    for (unsigned i = 0; i < PLAYS; i++)
        list_init(&plays[i].waiting);
    seen[0] = '\0';
    see_responses = false;
    fake_begin();
    fake.serve = serve;
    client_order = order;
    resolver_begin(1, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_end();
    for (unsigned i = 0; i < PLAYS; i++) {
        assert_true(list_empty(&plays[i].waiting));
        assert_int_equal(plays[i].alive, 0);
        assert_int_equal(plays[i].prepared, plays[i].released);
    }
    fake_end();
    return 0;
}

static void reload(void)
{
    struct step_set *steps;
    assert_int_equal(step_set_new(&steps, order, config, stderr), 0);
    resolver_configure(&resolver, config, steps);
    step_set_unref(steps);
}

static struct query *first_waiting(unsigned play)
{
    struct list_link *link = list_first(&plays[play].waiting);
    return link ? container_of(link, struct query, in_step) : NULL;
}

/* Resumes the query that has waited the longest in this step. */
static void resume(unsigned play)
{
    struct query *query = first_waiting(play);
    assert_non_null(query);
    query_resume(query);
    assert_true(books_hold());
}

/* Sends a query that waits in step b. */
static void ask_and_wait(unsigned client, const char *name)
{
    plays[B].run = WAITING;
    client_ask(&clients[client], name);
    assert_non_null(clients[client].waiting);
    assert_ptr_equal(container_of(plays[B].waiting.head.prev, struct query, in_step), clients[client].waiting);
    assert_true(saw("ab"));
    assert_true(books_hold());
}

/* --- preparing and configuring --- */

static void each_step_gets_its_snapshot_and_gives_it_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLAYS; i++) {
        assert_int_equal(plays[i].alive, 1);
        assert_int_equal(plays[i].configured, 1);
        struct play *const *play = resolver_step_state(&resolver, order[i < C ? i : i + 1]);
        assert_ptr_equal(*play, &plays[i]);
    }
    assert_null(resolver_step_state(&resolver, &(struct step){.name = "none"}));
    const int *before = plays[A].snapshot;
    reload();
    assert_ptr_not_equal(plays[A].snapshot, before);
    assert_int_equal(plays[A].configured, 2);
    assert_int_equal(plays[A].prepared, 2);
    assert_int_equal(plays[A].released, 1);
    assert_int_equal(plays[A].alive, 1);
}

static void step_that_is_not_wanted_is_left_out(void **state)
{
    (void)state;
    plays[A].left_out = plays[C].left_out = true;
    reload();
    client_ask(&clients[0], "a.test");
    assert_true(saw("b"));
    plays[A].left_out = plays[C].left_out = false;
    plays[B].left_out = true;
    reload();
    client_ask(&clients[1], "a.test");
    assert_true(saw("ac"));
    fake_turn();
    assert_int_equal(clients[0].replies + clients[1].replies, 2);
}

static void verdicts_end_the_walk(void **state)
{
    (void)state;
    plays[B].run = ANSWERED;
    client_ask(&clients[0], "a.test");
    assert_true(saw("ab"));
    assert_int_equal(clients[0].rcode, RCODE_NXDOMAIN);
    plays[B].run = DROPPED;
    client_ask(&clients[1], "a.test");
    assert_true(saw("ab"));
    assert_int_equal(clients[1].replies, 0);
    assert_int_equal(fake_counted(COUNTER_queries_dropped), 1);
}

static void query_that_no_step_wants_is_refused(void **state)
{
    static const struct step *const short_order[] = {&step_a, NULL};
    (void)state;
    resolver_end();
    client_order = short_order;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    assert_true(saw("a"));
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
    assert_int_equal(clients[0].ede, EDE_PROHIBITED);
}

static void failed_preparation_leaves_nothing_behind(void **state)
{
    (void)state;
    struct step_set *steps = NULL;
    char *said;
    size_t len;
    FILE *errors = open_memstream(&said, &len);
    assert_non_null(errors);
    plays[C].prepare_fails = -EINVAL;
    assert_int_equal(step_set_new(&steps, order, config, errors), -EINVAL);
    fclose(errors);
    assert_null(steps);
    assert_string_equal(said, "mistake\n");
    free(said);
    assert_int_equal(plays[A].prepared, 2);
    assert_int_equal(plays[A].released, 1);
    plays[C].prepare_fails = 0;
    for (unsigned long n = 1; n < 5; n++) {
        mem_fail_at(n);
        assert_int_equal(step_set_new(&steps, order, config, stderr), -ENOMEM);
    }
    mem_fail_at(0);
    assert_null(steps);
    assert_int_equal(plays[B].prepared, plays[B].released + 1);
}

/* As after a change of a file. */
static void one_step_is_prepared_again(void **state)
{
    (void)state;
    struct step_snapshot *snapshot = NULL;
    struct step_set *steps = NULL;
    const int *before[PLAYS] = {plays[A].snapshot, plays[B].snapshot, plays[C].snapshot};
    plays[B].left_out = true;
    assert_int_equal(step_prepare(&snapshot, &step_b, config, stderr), 0);
    mem_fail_at(1);
    assert_int_equal(step_set_replace(&steps, resolver.steps, B, snapshot), -ENOMEM);
    mem_fail_at(0);
    assert_int_equal(step_set_replace(&steps, resolver.steps, B, snapshot), 0);
    resolver_configure(&resolver, config, steps);
    step_set_unref(steps);
    assert_ptr_equal(plays[A].snapshot, before[A]);
    assert_ptr_not_equal(plays[B].snapshot, before[B]);
    assert_ptr_equal(plays[C].snapshot, before[C]);
    assert_int_equal(plays[A].configured, 1);
    assert_int_equal(plays[B].configured, 2);
    assert_int_equal(plays[A].released, 0);
    assert_int_equal(plays[B].released, 1);
    client_ask(&clients[0], "a.test");
    assert_true(saw("ac"));
    plays[B].prepare_fails = -EINVAL;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_int_equal(step_prepare(&snapshot, &step_b, config, nowhere), -EINVAL);
    fclose(nowhere);
    step_snapshot_unref(&step_b, NULL);
}

static void failed_init_leaves_nothing_behind(void **state)
{
    (void)state;
    struct resolver other;
    plays[C].init_fails = -EIO;
    assert_int_equal(resolver_init(&other, &fake.loop, &fake.counters, config, cache, &groups, resolver.steps), -EIO);
    for (unsigned i = 0; i < PLAYS; i++)
        assert_int_equal(plays[i].alive, 1);
}

/* --- waiting --- */

static void query_that_waited_goes_on_behind_its_step(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    resume(B);
    assert_true(saw("c"));
    assert_int_equal(resolver_waiting(&resolver), 1);
    fake_turn();
    assert_int_equal(clients[0].replies + clients[0].answers, 2);
    assert_true(clients[0].case_kept);
}

static void query_may_wait_in_one_step_after_the_other(void **state)
{
    (void)state;
    plays[A].run = plays[C].run = WAITING;
    client_ask(&clients[0], "a.test");
    assert_non_null(first_waiting(A));
    plays[B].run = WAITING;
    resume(A);
    resume(B);
    assert_ptr_equal(first_waiting(C), clients[0].waiting);
    resume(C);
    assert_true(saw("abc"));
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(fake_counted(COUNTER_queries_received), 1);
}

static void query_that_waited_may_be_a_hit(void **state)
{
    (void)state;
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_true(saw("abc"));
    ask_and_wait(0, "A.test");
    resume(B);
    assert_true(saw(""));
    assert_int_equal(clients[0].replies + clients[0].answers, 2);
    assert_true(clients[0].case_kept);
    assert_int_equal(fake_counted(COUNTER_cache_hits), 1);
}

static void query_that_waited_may_be_refused_or_dropped(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    plays[C].run = ANSWERED;
    resume(B);
    assert_int_equal(clients[0].rcode, RCODE_NXDOMAIN);
    seen[0] = '\0';
    ask_and_wait(1, "b.test");
    plays[C].run = DROPPED;
    resume(B);
    assert_int_equal(clients[1].replies, 0);
    assert_int_equal(resolver_waiting(&resolver), 0);
    assert_int_equal(fake_counted(COUNTER_queries_dropped), 1);
}

static void step_may_answer_a_query_that_it_parked(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    query_error(first_waiting(B), RCODE_REFUSED, EDE_PROHIBITED, NULL);
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
    assert_int_equal(clients[0].ede, EDE_PROHIBITED);
    assert_null(first_waiting(B));
}

static void reload_removes_the_step_that_a_query_waits_in(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    plays[B].left_out = true;
    reload();
    resume(B);
    assert_true(saw("c"));
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
}

static void reload_removes_the_next_step(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    plays[C].left_out = true;
    reload();
    resume(B);
    assert_true(saw(""));
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
}

/* It is not called for a query that is past it. */
static void reload_adds_steps(void **state)
{
    (void)state;
    plays[A].left_out = plays[C].left_out = true;
    reload();
    plays[B].run = WAITING;
    client_ask(&clients[0], "a.test");
    assert_true(saw("b"));
    plays[A].left_out = plays[C].left_out = false;
    reload();
    resume(B);
    assert_true(saw("c"));
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
}

static void time_of_a_waiting_query_ends(void **state)
{
    (void)state;
    config->cache.serve_stale = 86400;
    client_ask(&clients[1], "a.test");
    fake_turn();
    seen[0] = '\0';
    fake_pass(600 * 1000);
    ask_and_wait(0, "a.test");
    fake_pass(4010);
    assert_null(first_waiting(B));
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL); /* no expired data: b might have refused the query */
    assert_int_equal(clients[0].ede, EDE_OTHER);
    assert_string_equal(clients[0].ede_text, "b: no answer in time");
    assert_int_equal(fake_counted(COUNTER_deadlines_hit), 1);
    assert_int_equal(resolver_waiting(&resolver), 0);
}

/* limits.answer-by counts from the reception of the query, wherever it waits. */
static void answer_by_counts_in_later_steps(void **state)
{
    (void)state;
    fake.serve = NULL;
    ask_and_wait(0, "a.test");
    fake_pass(2500);
    resume(B);
    fake_pass(900);
    assert_int_equal(clients[0].replies, 0);
    fake_pass(110);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
}

static void retransmission_replaces_a_query_that_waits_in_a_step(void **state)
{
    (void)state;
    clients[0].id = 9;
    ask_and_wait(0, "a.test");
    client_ask(&clients[0], "A.test");
    assert_null(clients[0].waiting);
    assert_int_equal(fake_counted(COUNTER_queries_retransmitted), 1);
    assert_int_equal(resolver_waiting(&resolver), 1);
    assert_true(books_hold());
    resume(B);
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    assert_true(clients[0].case_kept); /* the letter case of the retransmission */
}

static void retransmission_that_passes_a_step_is_still_recognized(void **state)
{
    (void)state;
    clients[0].id = 9;
    ask_and_wait(0, "a.test");
    plays[B].run = NEXT;
    client_ask(&clients[0], "a.test");
    assert_true(saw("abc"));
    assert_int_equal(fake_counted(COUNTER_queries_retransmitted), 1);
    assert_non_null(first_waiting(B));
    resume(B);
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
}

static void client_is_gone_while_its_query_waits(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    ask_and_wait(1, "b.test");
    query_drop(clients[0].waiting, COUNTER_drops_client_gone);
    assert_ptr_equal(first_waiting(B), clients[1].waiting);
    assert_true(books_hold());
    resume(B);
    fake_turn();
    assert_int_equal(clients[0].replies, 0);
    assert_int_equal(clients[1].replies, 1);
}

static void waiting_queries_are_answered_at_the_end(void **state)
{
    (void)state;
    ask_and_wait(0, "a.test");
    ask_and_wait(1, "b.test");
    resume(B);
    seen[0] = '\0';
    resolver_stop(&resolver);
    assert_int_equal(clients[0].replies + clients[1].replies, 2);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
    plays[B].run = WAITING;
    client_ask(&clients[2], "c.test"); /* does not wait any more */
    assert_int_equal(clients[2].rcode, RCODE_SERVFAIL);
    assert_string_equal(clients[2].ede_text, "shutting down");
}

static void waiting_queries_are_limited(void **state)
{
    (void)state;
    resolver.queries.limit = 1;
    ask_and_wait(0, "a.test");
    client_ask(&clients[1], "b.test");
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
    assert_int_equal(fake_counted(COUNTER_queries_over_limit), 1);
    assert_true(books_hold());
}

/* --- the `answer` pass --- */

/* Sends the query twice; the second time it is a hit. */
static void ask_for_hit(unsigned client, const char *name)
{
    client_ask(&clients[client], name);
    fake_turn();
    assert_int_equal(clients[client].replies, 1);
    memset(&clients[client], 0, sizeof clients[client]);
    seen[0] = '\0';
    client_ask(&clients[client], name);
}

static void passed_steps_see_each_response_from_the_last_to_the_first(void **state)
{
    (void)state;
    see_responses = true;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_true(saw("abcCBA"));
    client_ask(&clients[1], "a.test");
    assert_true(saw("abBA"));
    plays[C].run = ANSWERED;
    client_ask(&clients[2], "b.test");
    assert_true(saw("abcBA"));
    plays[A].run = ANSWERED;
    client_ask(&clients[3], "b.test");
    assert_true(saw("a"));
    plays[A].run = NEXT;
    plays[B].left_out = true;
    reload();
    client_ask(&clients[4], "b.test");
    assert_true(saw("acA"));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(clients[i].replies, 1);
}

static void response_may_be_replaced_and_the_cache_keeps_the_original(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLAYS; i++) {
        plays[i].answer = REPLACED;
        plays[i].records = 1;
    }
    clients[0].id = 77;
    client_ask(&clients[0], "A.test");
    fake_turn();
    assert_int_equal(clients[0].answers, 4);
    assert_true(clients[0].case_kept);
    assert_int_equal(clients[0].reply_id, 77);
    const uint8_t *last = client_room + clients[0].reply_len - 11; /* behind it the OPT */
    assert_int_equal(last[-1], A);
    assert_int_equal(last[-1 - 16], B);
    assert_int_equal(last[-1 - 32], C);
    client_ask(&clients[1], "a.TEST");
    assert_int_equal(clients[1].answers, 3); /* c is behind the cache */
    assert_true(clients[1].case_kept);
    for (unsigned i = 0; i < PLAYS; i++)
        plays[i].answer = NEXT;
    client_ask(&clients[2], "a.test");
    assert_int_equal(clients[2].answers, 1);
}

static void each_client_of_a_lookup_gets_its_own_response(void **state)
{
    (void)state;
    plays[A].records = 2;
    client_ask(&clients[0], "a.test");
    client_ask(&clients[1], "a.test");
    client_ask(&clients[2], "a.test");
    plays[A].answer = REPLACED;
    fake_turn();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(clients[i].answers, 3);
}

static void a_replacing_response_is_truncated_afterwards(void **state)
{
    (void)state;
    plays[A].answer = REPLACED;
    plays[A].records = 60;
    clients[0].no_edns = true;
    client_ask(&clients[0], "a.test");
    clients[1].origin.tcp = true;
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_true(clients[0].flags & FLAG_TC);
    assert_true(clients[0].answers > 0 && clients[0].answers < 61);
    assert_true(clients[0].reply_len <= 512);
    assert_false(clients[1].flags & FLAG_TC);
    assert_int_equal(clients[1].answers, 61);
    clients[2].no_edns = true;
    client_ask(&clients[2], "a.test"); /* a hit */
    assert_true(clients[2].flags & FLAG_TC);
    assert_int_equal(clients[2].reply_len, clients[0].reply_len);
    assert_int_equal(fake_counted(COUNTER_responses_truncated), 2);
}

static void error_may_be_replaced(void **state)
{
    (void)state;
    plays[C].run = ANSWERED;
    plays[B].answer = REPLACED;
    plays[B].records = 1;
    client_ask(&clients[0], "A.test");
    assert_int_equal(clients[0].rcode, RCODE_NXDOMAIN);
    assert_int_equal(clients[0].answers, 1);
    assert_true(clients[0].case_kept);
}

static void step_may_refuse_or_drop_a_response(void **state)
{
    (void)state;
    see_responses = true;
    plays[B].answer = ANSWERED;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_true(saw("abcCBA")); /* the last letters are of the refusal */
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
    assert_int_equal(clients[0].replies, 1);
    plays[B].answer = DROPPED;
    client_ask(&clients[1], "a.test");
    assert_true(saw("abB"));
    assert_int_equal(clients[1].replies, 0);
    assert_true(books_hold());
}

static void response_waits_and_goes_on(void **state)
{
    (void)state;
    see_responses = true;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "A.test");
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_true(saw("abcabcCBCB"));
    assert_int_equal(resolver_waiting(&resolver), 2);
    assert_int_equal(resolver.lookups.in_use, 0);
    assert_true(books_hold());
    plays[A].answer = REPLACED;
    plays[A].records = 1;
    resume(B);
    resume(B);
    assert_true(saw("AA"));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(clients[i].replies, 1);
        assert_int_equal(clients[i].answers, 2);
        assert_true(clients[i].case_kept);
    }
}

static void hit_waits_and_goes_on(void **state)
{
    (void)state;
    ask_for_hit(0, "a.test");
    see_responses = true;
    plays[B].answer = WAITING;
    clients[1].id = 5;
    client_ask(&clients[1], "A.test");
    assert_true(saw("ababB"));
    assert_non_null(clients[1].waiting); /* its listener knows */
    assert_ptr_equal(clients[1].waiting, first_waiting(B));
    assert_true(books_hold());
    resume(B);
    assert_true(saw("A"));
    assert_int_equal(clients[1].replies + clients[1].answers, 2);
    assert_int_equal(clients[1].reply_id, 5);
    assert_true(clients[1].case_kept);
}

static void response_may_wait_in_one_step_after_the_other(void **state)
{
    (void)state;
    plays[C].answer = plays[B].answer = plays[A].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    resume(C);
    resume(B);
    assert_int_equal(clients[0].replies, 0);
    resume(A);
    assert_int_equal(clients[0].replies + clients[0].answers, 2);
}

static void error_waits_and_goes_on(void **state)
{
    (void)state;
    plays[C].run = ANSWERED;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    assert_int_equal(clients[0].replies, 0);
    resume(B);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_NXDOMAIN);
}

static void another_response_replaces_a_waiting_one(void **state)
{
    (void)state;
    see_responses = true;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_true(saw("abcCB"));
    query_error(first_waiting(B), RCODE_REFUSED, EDE_PROHIBITED, NULL);
    assert_true(saw("A"));
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
    assert_int_equal(clients[0].replies, 1);
    client_ask(&clients[1], "a.test");
    assert_true(saw("abB"));
    plays[A].answer = WAITING;
    query_error(first_waiting(B), RCODE_NXDOMAIN, EDE_NONE, NULL); /* waits as well */
    resume(A);
    assert_int_equal(clients[1].rcode, RCODE_NXDOMAIN);
    assert_int_equal(clients[1].replies, 1);
}

static void reload_removes_the_step_that_a_response_waits_in(void **state)
{
    (void)state;
    see_responses = true;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    plays[B].left_out = true;
    reload();
    seen[0] = '\0';
    resume(B);
    assert_true(saw("A"));
    assert_int_equal(clients[0].replies + clients[0].answers, 2);
}

static void time_of_a_waiting_response_ends(void **state)
{
    (void)state;
    see_responses = true;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_true(saw("abcCB"));
    fake_pass(4010);
    assert_true(saw(""));
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_null(first_waiting(B));
}

/* Then the failure is the response, which cannot wait. */
static void nothing_waits_after_answer_by(void **state)
{
    (void)state;
    fake.serve = NULL;
    plays[A].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_pass(4010);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(resolver_waiting(&resolver), 0);
    assert_null(first_waiting(A));
}

static void client_is_gone_while_its_response_waits(void **state)
{
    (void)state;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    query_drop(clients[0].waiting, COUNTER_drops_client_gone);
    assert_null(first_waiting(B));
    assert_true(books_hold());
    assert_int_equal(clients[0].replies, 0);
}

static void retransmission_while_the_response_waits(void **state)
{
    (void)state;
    ask_for_hit(0, "a.test");
    plays[B].answer = WAITING;
    clients[1].id = 5;
    client_ask(&clients[1], "a.test");
    client_ask(&clients[1], "A.test");
    assert_null(clients[1].waiting);
    assert_int_equal(fake_counted(COUNTER_queries_retransmitted), 1);
    assert_true(books_hold());
    resume(B);
    assert_int_equal(clients[1].replies, 1);
    assert_true(clients[1].case_kept);
}

static void waiting_responses_end_with_the_resolver(void **state)
{
    (void)state;
    plays[B].answer = WAITING;
    client_ask(&clients[0], "a.test");
    fake_turn();
    client_ask(&clients[1], "b.test"); /* in its lookup still */
    resolver_stop(&resolver);
    assert_int_equal(clients[0].replies + clients[1].replies, 2);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
}

static void no_memory_to_keep_a_response(void **state)
{
    (void)state;
    ask_for_hit(0, "a.test");
    plays[B].answer = WAITING;
    client_ask(&clients[1], "b.test"); /* makes room in the slab */
    mem_fail_every(1);
    client_ask(&clients[2], "a.test");
    fake_turn();
    mem_fail_every(0);
    assert_int_equal(clients[2].replies, 1);
    assert_int_equal(clients[2].rcode, RCODE_SERVFAIL);
    assert_null(clients[2].waiting);
    assert_true(books_hold());
    fake_pass(4010);
    assert_int_equal(clients[1].replies, 1);
}

/* --- anything in any order --- */

static void random_query(struct client *client)
{
    char name[32];
    struct query *waiting = client->waiting;
    if (waiting && !client->replies) {
        if (below(2)) {
            query_drop(waiting, COUNTER_drops_client_gone);
            return;
        }
        client_send(client, client->asked, client->asked_len); /* again */
        if (client->replies == 0 && !client->waiting)
            client->waiting = waiting;
        if (below(2))
            return;
    }
    memset(client, 0, sizeof *client);
    client->id = (uint16_t)random_state;
    client->origin.tcp = below(4) == 0;
    snprintf(name, sizeof name, "n%u.test", below(10));
    client_ask(client, name);
}

static void random_play(struct play *play)
{
    static const enum verdict run[] = {NEXT, NEXT, WAITING, WAITING, WAITING, ANSWERED, DROPPED};
    static const enum verdict answer[] = {NEXT, NEXT, WAITING, WAITING, REPLACED, REPLACED, ANSWERED, DROPPED};
    play->run = run[below(sizeof run / sizeof *run)];
    play->answer = answer[below(sizeof answer / sizeof *answer)];
    play->records = below(40);
    play->left_out = below(4) == 0;
}

static void random_event(void)
{
    unsigned what = below(40), play = below(PLAYS);
    if (what < 3)
        random_play(&plays[play]);
    else if (what == 3)
        fake_pass(below(3000));
    else if (what < 8)
        fake_pass(below(60));
    else if (what == 8)
        mem_fail_every(0), reload();
    else if (what == 9)
        fake.serve = fake.serve ? NULL : serve;
    else if (what < 25 && first_waiting(play))
        query_resume(first_waiting(play));
    else if (what == 25 && first_waiting(play))
        query_error(first_waiting(play), RCODE_NXDOMAIN, EDE_NONE, NULL);
    else
        random_query(&clients[below(20)]);
}

static void random_events(void **state)
{
    teardown(state);
    setup(state);
    for (unsigned i = 0; i < 1000; i++) {
        if (below(20) == 0)
            mem_fail_every(below(2) ? 1 + below(20) : 0);
        if (below(20) == 0)
            mem_fail_every(0);
        random_event();
        assert(books_hold());
    }
    mem_fail_every(0);
    fake_pass(4010);
    assert(resolver_waiting(&resolver) == 0);
    for (unsigned i = 0; i < PLAYS; i++)
        assert(list_empty(&plays[i].waiting));
}

static void random_operations_keep_the_accounting(void **state)
{
    for_each_seed(100, random_events, state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_step_gets_its_snapshot_and_gives_it_back),
        TEST(step_that_is_not_wanted_is_left_out),
        TEST(verdicts_end_the_walk),
        TEST(query_that_no_step_wants_is_refused),
        TEST(failed_preparation_leaves_nothing_behind),
        TEST(one_step_is_prepared_again),
        TEST(failed_init_leaves_nothing_behind),
        TEST(query_that_waited_goes_on_behind_its_step),
        TEST(query_may_wait_in_one_step_after_the_other),
        TEST(query_that_waited_may_be_a_hit),
        TEST(query_that_waited_may_be_refused_or_dropped),
        TEST(step_may_answer_a_query_that_it_parked),
        TEST(reload_removes_the_step_that_a_query_waits_in),
        TEST(reload_removes_the_next_step),
        TEST(reload_adds_steps),
        TEST(time_of_a_waiting_query_ends),
        TEST(answer_by_counts_in_later_steps),
        TEST(retransmission_replaces_a_query_that_waits_in_a_step),
        TEST(retransmission_that_passes_a_step_is_still_recognized),
        TEST(client_is_gone_while_its_query_waits),
        TEST(waiting_queries_are_answered_at_the_end),
        TEST(waiting_queries_are_limited),
        TEST(passed_steps_see_each_response_from_the_last_to_the_first),
        TEST(response_may_be_replaced_and_the_cache_keeps_the_original),
        TEST(each_client_of_a_lookup_gets_its_own_response),
        TEST(a_replacing_response_is_truncated_afterwards),
        TEST(error_may_be_replaced),
        TEST(step_may_refuse_or_drop_a_response),
        TEST(response_waits_and_goes_on),
        TEST(hit_waits_and_goes_on),
        TEST(response_may_wait_in_one_step_after_the_other),
        TEST(error_waits_and_goes_on),
        TEST(another_response_replaces_a_waiting_one),
        TEST(reload_removes_the_step_that_a_response_waits_in),
        TEST(time_of_a_waiting_response_ends),
        TEST(nothing_waits_after_answer_by),
        TEST(client_is_gone_while_its_response_waits),
        TEST(retransmission_while_the_response_waits),
        TEST(waiting_responses_end_with_the_resolver),
        TEST(no_memory_to_keep_a_response),
        TEST(random_operations_keep_the_accounting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
