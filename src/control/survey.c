/* SPDX-License-Identifier: MIT */
/* A round: an item to each worker, each of which fills its part and posts the answer back; when the last one is back the parts
 * are summed and all who wait are told.
 *
 * Invariants:
 *   - a part is touched by its worker from the posting of its item to that of the answer, else by the main thread only;
 *   - `items` > 0 while a round is under way; then nobody but the opener of an answer starts another;
 *   - a wait is in exactly one list, and its patience runs, until `done`.
 */
#include "survey.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct survey_part {
    struct mailbox_item request, reply;
    struct survey *survey;
    struct worker_report report;
};

/* --- summing --- */

/* The better state of the two: one worker that can ask is enough for its clients. */
static enum server_state better(enum server_state a, enum server_state b)
{
    static const int rank[] = {[SERVER_OPEN] = 3, [SERVER_FAILING] = 2, [SERVER_CONNECTING] = 1, [SERVER_IDLE] = 0};
    return rank[a] >= rank[b] ? a : b;
}

void survey_merge(struct server_report *sum, const struct server_report *one)
{
    sum->state = better(sum->state, one->state);
    sum->avoided |= one->avoided;
    sum->open += one->open;
    sum->dialing += one->dialing;
    sum->in_flight += one->in_flight;
    if (!sum->latency_us || (one->latency_us && one->latency_us < sum->latency_us))
        sum->latency_us = one->latency_us;
    if (one->failures > sum->failures)
        sum->failures = one->failures;
    if (one->failed_ms > sum->failed_ms) {
        sum->failed_ms = one->failed_ms;
        sum->last_error = one->last_error;
    }
    histogram_merge(&sum->connect, &one->connect);
    histogram_merge(&sum->handshake, &one->handshake);
    histogram_merge(&sum->answer, &one->answer);
    sum->opened += one->opened;
    sum->resumed += one->resumed;
    if (one->opened_ms > sum->opened_ms) {
        sum->opened_ms = one->opened_ms;
        sum->has_tls = one->has_tls;
        sum->tls = one->tls;
    }
}

static int newest_first(const void *a, const void *b)
{
    uint64_t one = (*(const struct record *const *)a)->ended_ms, other = (*(const struct record *const *)b)->ended_ms;
    return (one < other) - (one > other);
}

static void survey_add_up(struct survey *survey)
{
    struct survey_sum *sum = &survey->sum;
    sum->waiting = sum->record_count = 0;
    sum->tcp_clients = 0;
    sum->tally = (struct tally){.tcp = 0};
    memset(sum->counters, 0, sizeof sum->counters);
    for (unsigned w = 0; w < survey->workers; w++) {
        const struct worker_report *report = &survey->parts[w].report;
        for (unsigned i = 0; i < report->record_count; i++)
            sum->records[sum->record_count++] = &report->records[i];
        sum->waiting += report->waiting;
        sum->tcp_clients += report->tcp_clients;
        tally_merge(&sum->tally, &report->tally);
        for (unsigned i = 0; i < COUNTER_COUNT; i++)
            sum->counters[i] += report->counters[i];
        for (size_t i = 0; i < sum->server_count; i++) {
            if (w == 0)
                sum->servers[i] = report->servers[i];
            else
                survey_merge(&sum->servers[i], &report->servers[i]);
        }
    }
    qsort(sum->records, sum->record_count, sizeof(struct record *), newest_first);
}

/* --- a round --- */

static void wait_end(struct survey_wait *wait, const struct survey_sum *sum)
{
    timeout_stop(&wait->patience);
    list_remove(&wait->link);
    wait->done(wait, sum);
}

static void tell(struct list *waiting, const struct survey_sum *sum)
{
    struct list_link *link;
    while ((link = list_first(waiting)))
        wait_end(container_of(link, struct survey_wait, link), sum);
}

static bool any_wants_records(const struct survey *survey)
{
    bool any = false;
    list_for_each(link, &survey->waiting)
        any |= container_of(link, struct survey_wait, link)->with_records;
    return any;
}

static int enlarge(struct server_report **servers, size_t count)
{
    struct server_report *larger = mem_resize(*servers, count * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    *servers = larger;
    return 0;
}

/* Between rounds all of it is ours. */
static int survey_make_room(struct survey *survey)
{
    if (survey->room >= survey->servers)
        return 0;
    int status = enlarge(&survey->sum.servers, survey->servers);
    for (unsigned w = 0; status == 0 && w < survey->workers; w++)
        status = enlarge(&survey->parts[w].report.servers, survey->servers);
    if (status == 0)
        survey->room = survey->servers;
    return status;
}

static void survey_begin_round(struct survey *survey)
{
    list_move_all(&survey->next, &survey->waiting);
    if (survey_make_room(survey) < 0) {
        tell(&survey->waiting, NULL);
        return;
    }
    survey->sum.server_count = survey->servers;
    for (unsigned w = 0; w < survey->workers; w++)
        survey->parts[w].report.server_count = survey->servers;
    survey->items = survey->workers;
    bool with_records = any_wants_records(survey);
    for (unsigned w = 0; w < survey->workers; w++) {
        survey->parts[w].report.with_records = with_records;
        survey->parts[w].report.record_count = 0;
        survey->ops->post(survey->context, w, &survey->parts[w].request);
    }
}

/* On the worker's thread. */
static void open_request(struct mailbox_item *item, void *reader)
{
    struct survey_part *part = container_of(item, struct survey_part, request);
    part->survey->ops->report(reader, &part->report);
    mailbox_post(part->survey->reply_to, &part->reply);
}

static void open_reply(struct mailbox_item *item, void *reader)
{
    struct survey *survey = container_of(item, struct survey_part, reply)->survey;
    (void)reader;
    if (--survey->items > 0)
        return;
    survey_add_up(survey);
    tell(&survey->waiting, &survey->sum);
    if (!list_empty(&survey->next))
        survey_begin_round(survey);
}

static void patience_over(struct timeout *timeout)
{
    wait_end(container_of(timeout, struct survey_wait, patience), NULL);
}

void survey_ask(struct survey *survey, struct survey_wait *wait)
{
    if (survey->closed) {
        wait->done(wait, NULL);
        return;
    }
    list_push_back(&survey->next, &wait->link);
    timeout_start(&survey->patience, &wait->patience);
    if (survey->items == 0)
        survey_begin_round(survey);
}

/* --- birth and end --- */

static int part_init(struct survey_part *part, struct survey *survey)
{
    part->survey = survey;
    part->request.open = open_request;
    part->reply.open = open_reply;
    part->report.records = mem_zalloc(RECORDER_ALL, sizeof *part->report.records);
    return part->report.records ? 0 : -ENOMEM;
}

void survey_configure(struct survey *survey, const struct routes *routes)
{
    survey->servers = routes->server_count;
}

static void free_memory(struct survey *survey)
{
    for (unsigned w = 0; survey->parts && w < survey->workers; w++) {
        mem_free(survey->parts[w].report.servers);
        mem_free(survey->parts[w].report.records);
    }
    mem_free(survey->parts);
    mem_free(survey->sum.servers);
    mem_free(survey->sum.records);
}

int survey_init(struct survey *survey, const struct control_setup *setup)
{
    *survey = (struct survey){
        .reply_to = setup->mailbox, .ops = setup->ops, .context = setup->context, .workers = setup->config->workers};
    survey_configure(survey, setup->routes);
    list_init(&survey->waiting);
    list_init(&survey->next);
    survey->parts = mem_zalloc(survey->workers, sizeof *survey->parts);
    survey->sum.records = mem_zalloc((size_t)survey->workers * RECORDER_ALL, sizeof(struct record *));
    int status = survey->parts && survey->sum.records ? survey_make_room(survey) : -ENOMEM;
    for (unsigned w = 0; status == 0 && w < survey->workers; w++)
        status = part_init(&survey->parts[w], survey);
    if (status < 0)
        free_memory(survey);
    else
        timeouts_init(&survey->patience, setup->loop, SURVEY_PATIENCE_MS, patience_over);
    return status;
}

void survey_close(struct survey *survey)
{
    survey->closed = true;
    tell(&survey->waiting, NULL);
    tell(&survey->next, NULL);
}

void survey_fini(struct survey *survey)
{
    assert(survey->items == 0 && list_empty(&survey->waiting) && list_empty(&survey->next));
    timeouts_fini(&survey->patience);
    free_memory(survey);
}
