/* SPDX-License-Identifier: MIT */
/* Records of waiting queries, made when they end.
 *
 * Invariant: no decision depends on a record. Asks, attempts and dials store times as they go; they are combined
 * only when a query was slow or failed.
 */
#include <stdio.h>
#include <string.h>
#include "dns/codes.h"
#include "lookup.h"
#include "upstream/report.h"

/* --- making a record --- */

static void note_server(struct record_server *out, const struct server *server)
{
    if (!server)
        return;
    snprintf(out->upstream, sizeof out->upstream, "%s", upstream_name(server));
    out->addr = *server_address(server);
    out->transport = server_transport(server);
}

/* Until the ask began the lookup waited for the store. */
static void note_store(struct record *record, const struct lookup *lookup, uint64_t received_ms)
{
    uint64_t from_ms = lookup->begun_ms > received_ms ? lookup->begun_ms : received_ms;
    uint64_t to_ms = lookup->ask.begun_ms ? lookup->ask.begun_ms : record->ended_ms;
    record->stored = lookup->stored;
    record->awaited = lookup->stored && lookup->awaited;
    record->phase_ms[PHASE_STORE] = (uint32_t)(to_ms > from_ms ? to_ms - from_ms : 0);
    if (record->phase_ms[PHASE_RETRIES] >= record->phase_ms[PHASE_STORE])
        record->phase_ms[PHASE_RETRIES] -= record->phase_ms[PHASE_STORE];
}

static void note_ask(struct record *record, const struct ask *ask, uint64_t received_ms)
{
    static const enum record_session sessions[] = {
        [ASK_NO_SESSION] = RECORD_NO_SESSION,
        [ASK_REUSED] = RECORD_REUSED,
        [ASK_OPENED] = RECORD_OPENED,
        [ASK_RESUMED] = RECORD_RESUMED,
    };
    struct ask_report report;
    ask_report(ask, received_ms, &report);
    record->tries = report.attempts;
    record->session_losses = report.session_losses;
    record->phase_ms[PHASE_RETRIES] = (uint32_t)(report.begun_ms > received_ms ? report.begun_ms - received_ms : 0);
    record->phase_ms[PHASE_PLACE] = (uint32_t)report.times.place;
    record->phase_ms[PHASE_CONNECT] = (uint32_t)report.times.connect;
    record->phase_ms[PHASE_HANDSHAKE] = (uint32_t)report.times.handshake;
    record->phase_ms[PHASE_WRITE] = (uint32_t)report.times.write;
    record->phase_ms[PHASE_ANSWER] = (uint32_t)report.times.answer;
    snprintf(record->group, sizeof record->group, "%s", ask->group ? group_name(ask->group) : "");
    note_server(&record->dialed, report.times.dialed);
    note_server(&record->asked, ask_server(ask));
    record->session = sessions[report.session];
}

/* The attempt's times go on until now. */
static void note_validation(struct record *record, const struct lookup *lookup, uint64_t received_ms)
{
    uint64_t from_ms = lookup->validating_ms > received_ms ? lookup->validating_ms : received_ms;
    if (!lookup->validating_ms)
        return;
    uint32_t all = (uint32_t)(record->ended_ms - from_ms), answer = record->phase_ms[PHASE_ANSWER];
    record->phase_ms[PHASE_VALIDATE] = all < answer ? all : answer;
    record->phase_ms[PHASE_ANSWER] = answer - record->phase_ms[PHASE_VALIDATE];
}

static void note_outcome(struct record *record, const struct query_outcome *outcome)
{
    size_t len = outcome->text_len < EDE_TEXT ? outcome->text_len : EDE_TEXT;
    record->rcode = outcome->rcode;
    record->ede_code = outcome->ede_code;
    record->stale = outcome->stale;
    if (outcome->text)
        memcpy(record->ede_text, outcome->text, len);
}

static void make_record(struct record *record, const struct query *query, const struct query_outcome *outcome)
{
    const struct lookup *lookup = query->waiter.lookup;
    uint64_t now_ms = loop_now(query->resolver->loop), received_ms = query->received_ms;
    *record = (struct record){
        .id = lookup->record_id,
        .kind = rcode_is_failure(outcome->rcode) ? RECORD_FAILED : RECORD_SLOW,
        .ended_ms = now_ms,
        .total_ms = (uint32_t)(now_ms - received_ms),
        .key = query->key,
        .tcp = query->origin.tcp,
        .joined = lookup->begun_ms < received_ms,
        .queries = 1,
    };
    query_view_name(query, record->view, sizeof record->view);
    note_outcome(record, outcome);
    note_ask(record, &lookup->ask, received_ms);
    note_store(record, lookup, received_ms);
    note_validation(record, lookup, received_ms);
}

/* --- storing it --- */

static uint32_t lookup_id(struct lookup *lookup)
{
    if (!lookup->record_id)
        lookup->record_id = recorder_next_id(&lookup->resolver->recorder);
    return lookup->record_id;
}

/* An error response of a server is common, and its operator's problem: debug. A query that no server answered
 * concerns our operator. */
static void log_failure(const struct record *record, bool answered)
{
    static struct log_repeats told = LOG_REPEATS_INIT;
    char id[RECORD_ID_TEXT];
    uint64_t suppressed;
    record_id_text(record->id, id);
    if (!answered && log_repeat_allowed(&told, (uint64_t)record->ede_code + 2, false, record->ended_ms, &suppressed))
        log_info("resolve", "a query failed after %u ms: %s; run dotstubctl explain %s%s", (unsigned)record->total_ms,
                 record->ede_text, id, suppressed ? " (similar messages were suppressed)" : "");
    else
        log_debug("resolve", "a query failed after %u ms: %s [%s]", (unsigned)record->total_ms, record->ede_text, id);
}

/* Waiters share the record of the first one, which has waited for the longest. */
static void keep(struct lookup *lookup, const struct record *record)
{
    struct recorder *recorder = &lookup->resolver->recorder;
    if (lookup->record && lookup->record->id == record->id && lookup->record->kind == record->kind) {
        lookup->record->queries++;
        return;
    }
    lookup->record = recorder_take(recorder, record->kind);
    *lookup->record = *record;
    if (record->kind == RECORD_FAILED)
        log_failure(record, lookup->ask.answered != NULL);
}

void lookup_record(struct query *query, const struct query_outcome *outcome)
{
    struct record record;
    bool kept = rcode_is_failure(outcome->rcode) || lookup_is_slow(query);
    counter_add(query->resolver->counters, COUNTER_queries_slow, lookup_is_slow(query));
    if (kept)
        lookup_id(query->waiter.lookup);
    make_record(&record, query, outcome);
    if (kept)
        keep(query->waiter.lookup, &record);
    if (query->origin.ops->recorded)
        query->origin.ops->recorded(query, &record);
}

void lookup_record_answer(struct query *query, const struct answer *answer, bool stale)
{
    struct query_outcome outcome = {.rcode = answer->rcode, .ede_code = EDE_NONE, .stale = stale};
    if (answer->ede.count > 0) {
        outcome.ede_code = answer->ede.item[0].code;
        outcome.text = answer->ede.item[0].text;
        outcome.text_len = answer->ede.item[0].len;
    }
    lookup_record(query, &outcome);
}

void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1])
{
    char id[RECORD_ID_TEXT];
    size_t len = strlen(text);
    if (len + sizeof " []" + strlen(record_id_text(lookup_id(lookup), id)) <= EDE_TEXT + 1)
        snprintf(text + len, EDE_TEXT + 1 - len, " [%s]", id);
}
