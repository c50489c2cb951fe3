/* SPDX-License-Identifier: MIT */
/* The table of steps: preparing, configuring, waiting and resuming.
 *
 * Three steps that do as they are told stand around the cache: a, b, cache, c, lookup. What they see is written down, a letter for each
 * run.
 */
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { A, B, C, PLAYS };

/* What a step is told, and what became of it. */
struct play {
    enum verdict run;
    bool left_out; /* by the next configuration */
    int prepare_fails, init_fails;
    struct list waiting;
    const int *snapshot;
    unsigned configured, alive, prepared, released;
};

static struct play plays[PLAYS];
static char seen[64];
static struct client clients[20];

static void note(char letter)
{
    size_t len = strlen(seen);
    assert_true(len + 1 < sizeof seen);
    seen[len] = letter;
    seen[len + 1] = '\0';
}

static bool saw(const char *letters)
{
    bool same = strcmp(seen, letters) == 0;
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

static int play_init(struct play *play, void **state)
{
    if (play->init_fails)
        return play->init_fails;
    play->alive++;
    *state = play;
    return 0;
}

static void play_configure(void *state, const void *snapshot)
{
    struct play *play = state;
    play->snapshot = snapshot;
    play->configured++;
}

static void play_fini(void *state)
{
    struct play *play = state;
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
    struct play *play = state;
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

#define PLAY(letter, number)                                                                                           \
    static int prepare_##letter(const struct config *c, void **snapshot, FILE *errors)                                 \
    {                                                                                                                  \
        (void)c;                                                                                                       \
        return play_prepare(&plays[number], snapshot, errors);                                                         \
    }                                                                                                                  \
    static void release_##letter(void *snapshot)                                                                       \
    {                                                                                                                  \
        play_release(&plays[number], snapshot);                                                                        \
    }                                                                                                                  \
    static int init_##letter(void **state)                                                                             \
    {                                                                                                                  \
        return play_init(&plays[number], state);                                                                       \
    }                                                                                                                  \
    static const struct step step_##letter = {                                                                         \
        .name = #letter,                                                                                               \
        .prepare = prepare_##letter,                                                                                   \
        .release = release_##letter,                                                                                   \
        .wanted = play_wanted,                                                                                         \
        .init = init_##letter,                                                                                         \
        .configure = play_configure,                                                                                   \
        .run = play_run,                                                                                               \
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

/* Lets the query that waits the longest in this step go on. */
static void resume(unsigned play)
{
    struct query *query = first_waiting(play);
    assert_non_null(query);
    query_resume(query);
    assert_true(books_hold());
}

/* Asks, and the query waits in step b. */
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
        assert_ptr_equal(resolver_step_state(&resolver, order[i < C ? i : i + 1]), &plays[i]);
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

static void failed_init_leaves_nothing_behind(void **state)
{
    (void)state;
    struct resolver other;
    plays[C].init_fails = -EIO;
    assert_int_equal(resolver_init(&other, &fake.loop, &fake.counters, config, cache, group, resolver.steps), -EIO);
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

static void step_may_answer_what_it_let_wait(void **state)
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
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL); /* nothing expired: b might have refused it */
    assert_int_equal(clients[0].ede, EDE_OTHER);
    assert_string_equal(clients[0].ede_text, "b: no answer in time");
    assert_int_equal(fake_counted(COUNTER_deadlines_hit), 1);
    assert_int_equal(resolver_waiting(&resolver), 0);
}

/* The time runs from when the query came, wherever it waits. */
static void time_goes_on_behind_the_step(void **state)
{
    (void)state;
    fake.serve = NULL;
    ask_and_wait(0, "a.test");
    fake_pass(3000);
    resume(B);
    fake_pass(900);
    assert_int_equal(clients[0].replies, 0);
    fake_pass(110);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
}

static void retransmission_takes_the_place_of_what_waits_in_a_step(void **state)
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
    assert_true(clients[0].case_kept); /* as the repetition had it */
}

static void retransmission_that_gets_further_is_one_all_the_same(void **state)
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_step_gets_its_snapshot_and_gives_it_back),
        TEST(step_that_is_not_wanted_is_left_out),
        TEST(verdicts_end_the_walk),
        TEST(query_that_no_step_wants_is_refused),
        TEST(failed_preparation_leaves_nothing_behind),
        TEST(failed_init_leaves_nothing_behind),
        TEST(query_that_waited_goes_on_behind_its_step),
        TEST(query_may_wait_in_one_step_after_the_other),
        TEST(query_that_waited_may_be_a_hit),
        TEST(query_that_waited_may_be_refused_or_dropped),
        TEST(step_may_answer_what_it_let_wait),
        TEST(reload_removes_the_step_that_a_query_waits_in),
        TEST(reload_removes_the_next_step),
        TEST(reload_adds_steps),
        TEST(time_of_a_waiting_query_ends),
        TEST(time_goes_on_behind_the_step),
        TEST(retransmission_takes_the_place_of_what_waits_in_a_step),
        TEST(retransmission_that_gets_further_is_one_all_the_same),
        TEST(client_is_gone_while_its_query_waits),
        TEST(waiting_queries_are_answered_at_the_end),
        TEST(waiting_queries_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
