/* SPDX-License-Identifier: MIT */
#include "explain.h"
#include "dns/codes.h"
#include "dns/name.h"
#include "dns/records.h"
#include "json.h"

static const char *const phase_names[] = {
    [PHASE_STORE] = "store",     [PHASE_RETRIES] = "retries",     [PHASE_PLACE] = "queue",
    [PHASE_CONNECT] = "connect", [PHASE_HANDSHAKE] = "handshake", [PHASE_WRITE] = "write",
    [PHASE_ANSWER] = "response", [PHASE_VALIDATE] = "validation"};

static enum record_phase longest_phase(const struct record *record)
{
    int longest = 0;
    for (int i = 1; i < PHASES; i++)
        if (record->phase_ms[i] > record->phase_ms[longest])
            longest = i;
    return (enum record_phase)longest;
}

/* "google 8.8.8.8@853" */
enum { PLACE_TEXT = 48 + ADDR_TEXT };
static const char *place_text(const struct record_server *server, char out[PLACE_TEXT])
{
    char addr[ADDR_TEXT];
    if (server->upstream[0])
        snprintf(out, PLACE_TEXT, "%s %s", server->upstream, addr_format(&server->addr, true, addr));
    else
        snprintf(out, PLACE_TEXT, "a server");
    return out;
}

/* The cause of most of the time. */
enum { REASON_TEXT = 100 + PLACE_TEXT };
static const char *reason_text(const struct record *record, char out[REASON_TEXT])
{
    static const char *const reasons[] = {
        [PHASE_STORE] = "waiting for the store",
        [PHASE_RETRIES] = "earlier attempts: their sessions were lost, or their responses were late or unusable",
        [PHASE_PLACE] = "waiting for a session: servers in back-off, max-qps reached, or all sessions full",
        [PHASE_CONNECT] = "connecting to ",
        [PHASE_HANDSHAKE] = "the TLS handshake with ",
        [PHASE_WRITE] = "waiting to write, the connection's buffer was full: ",
        [PHASE_ANSWER] = "waiting for the response of ",
        [PHASE_VALIDATE] = "validating, which needed the keys and DS of zones"};
    enum record_phase phase = longest_phase(record);
    bool dialed = phase == PHASE_CONNECT || phase == PHASE_HANDSHAKE,
         somewhere = phase >= PHASE_CONNECT && phase <= PHASE_ANSWER;
    char place[PLACE_TEXT];
    snprintf(out, REASON_TEXT, "%s%s", reasons[phase],
             somewhere ? place_text(dialed ? &record->dialed : &record->asked, place) : "");
    return out;
}

static json_t *sentence(const struct record *record)
{
    char reason[REASON_TEXT];
    if (record->total_ms == 0)
        return json_string("less than a millisecond");
    return json_sprintf("%d of %d ms: %s", (int)record->phase_ms[longest_phase(record)], (int)record->total_ms,
                        reason_text(record, reason));
}

/* Why it failed, as the client was told, or why it was slow. */
static json_t *reason_of(const struct record *record)
{
    char reason[REASON_TEXT];
    if (record->ede_code != EDE_NONE && record->ede_text[0])
        return text_of(record->ede_text, strlen(record->ede_text));
    return record->total_ms > 0 ? json_string(reason_text(record, reason)) : json_null();
}

static json_t *server_of(const struct record_server *server)
{
    if (!server->upstream[0])
        return json_null();
    json_t *object = json_object();
    put_text(object, "upstream", server->upstream);
    put(object, "address", text_of_addr(&server->addr));
    put_text(object, "transport", server->transport);
    return object;
}

static json_t *phases_of(const struct record *record)
{
    json_t *phases = json_array();
    for (int i = 0; i < PHASES; i++) {
        json_t *object = json_object();
        put_text(object, "phase", phase_names[i]);
        put_number(object, "ms", record->phase_ms[i]);
        (void)json_array_append_new(phases, object);
    }
    return phases;
}

static json_t *error_of(const struct record *record)
{
    if (record->ede_code == EDE_NONE)
        return json_null();
    json_t *object = json_object();
    put_number(object, "code", (uint64_t)record->ede_code);
    put_text(object, "text", record->ede_text);
    return object;
}

static void put_key(json_t *object, const struct key *key)
{
    char name[NAME_MAX_TEXT], type[TYPE_TEXT];
    put_text(object, "name", name_text(key->name, name));
    put_text(object, "type", records_type_text(key->type, type));
    put_flag(object, "dnssec_ok", key->flags & KEY_DO);
    put_flag(object, "checking_disabled", key->flags & KEY_CD);
}

static const char *const kinds[] = {[RECORD_SLOW] = "slow", [RECORD_FAILED] = "failed"};

static json_t *explain_object(const struct record *record)
{
    static const char *const sessions[] = {[RECORD_NO_SESSION] = NULL,
                                           [RECORD_REUSED] = "reused",
                                           [RECORD_OPENED] = "opened",
                                           [RECORD_RESUMED] = "resumed"};
    const char *session = sessions[record->session];
    char id[RECORD_ID_TEXT], rcode[RCODE_TEXT];
    json_t *object = json_object();
    put(object, "id", record->id ? json_string(record_id_text(record->id, id)) : json_null());
    put(object, "kind", record->id ? json_string(kinds[record->kind]) : json_null());
    put_number(object, "ended_s_ago", seconds_since(record->ended_ms));
    put_key(object, &record->key);
    put_text(object, "transport", record->tcp ? "TCP" : "UDP");
    put_text(object, "rcode", records_rcode_text(record->rcode, rcode));
    put(object, "extended_error", error_of(record));
    put_number(object, "total_ms", record->total_ms);
    put(object, "longest", record->total_ms > 0 ? json_string(phase_names[longest_phase(record)]) : json_null());
    put(object, "explanation", sentence(record));
    put(object, "reason", reason_of(record));
    put(object, "phases", phases_of(record));
    put(object, "group", record->group[0] ? json_string(record->group) : json_null());
    put(object, "server", server_of(&record->asked));
    put(object, "dialed", server_of(&record->dialed));
    put(object, "session", session ? json_string(session) : json_null());
    put(object, "view", *record->view ? json_string(record->view) : json_null());
    put_flag(object, "joined", record->joined);
    put_flag(object, "stale", record->stale);
    put_flag(object, "stored", record->stored);
    put_flag(object, "awaited", record->awaited);
    put_number(object, "attempts", record->tries);
    put_number(object, "sessions_lost", record->session_losses);
    put_number(object, "queries", record->queries);
    return object;
}

static bool is_wanted(const struct record *record, const struct explain_wanted *wanted)
{
    if (wanted->last)
        return record->kind == wanted->kind;
    if (wanted->by_name)
        return name_equal(record->key.name, wanted->name);
    return !wanted->id || record->id == wanted->id;
}

char *explain_text(const struct gather_sum *sum, const struct explain_wanted *wanted)
{
    json_t *root = json_object(), *records = json_array();
    for (size_t i = 0; i < sum->record_count && json_array_size(records) < EXPLAIN_MOST; i++) {
        if (!is_wanted(sum->records[i], wanted))
            continue;
        (void)json_array_append_new(records, explain_object(sum->records[i]));
        if (wanted->last)
            break;
    }
    put(root, "records", records);
    return print(root);
}

/* --- summaries --- */

/* The text of an extended error may contain the query's name. */
static json_t *recent_object(const struct record *record, bool with_names)
{
    char id[RECORD_ID_TEXT], name[NAME_MAX_TEXT], type[TYPE_TEXT], rcode[RCODE_TEXT];
    json_t *object = json_object();
    put_text(object, "id", record_id_text(record->id, id));
    put_text(object, "kind", kinds[record->kind]);
    put_number(object, "ended_s_ago", seconds_since(record->ended_ms));
    put(object, "name", with_names ? json_string(name_text(record->key.name, name)) : json_null());
    put_text(object, "type", records_type_text(record->key.type, type));
    put_text(object, "rcode", records_rcode_text(record->rcode, rcode));
    put(object, "extended_error", with_names ? error_of(record) : json_null());
    put_number(object, "total_ms", record->total_ms);
    put(object, "explanation", sentence(record));
    put_number(object, "queries", record->queries);
    put_flag(object, "stale", record->stale);
    return object;
}

json_t *explain_recent(const struct gather_sum *sum, size_t most, bool with_names)
{
    json_t *records = json_array();
    for (size_t i = 0; i < sum->record_count && i < most; i++)
        (void)json_array_append_new(records, recent_object(sum->records[i], with_names));
    return records;
}

/* --- a trace --- */

static json_t *cache_of(const struct trace *trace)
{
    static const char *const found[] = {
        [CACHE_HIT] = "hit", [CACHE_MISS] = "miss", [CACHE_EXPIRED] = "expired", [CACHE_TOO_BIG] = "hit"};
    if (!trace->looked)
        return json_null();
    json_t *object = json_object();
    put_text(object, "found", trace->denied ? "denied" : found[trace->cached]);
    put(object, "ms", thousandths(trace->cache_us));
    put(object, "ttl", trace->cached == CACHE_HIT ? json_integer(trace->ttl) : json_null());
    put(object, "expired_s_ago",
        trace->cached == CACHE_EXPIRED ? json_integer((json_int_t)(trace->expired_ms / 1000)) : json_null());
    return object;
}

static void put_response(json_t *root, const struct trace *trace)
{
    bool whole = trace->len >= MESSAGE_HEADER;
    char rcode[RCODE_TEXT];
    put(root, "rcode", whole ? json_string(records_rcode_text(trace->answer[3] & 15, rcode)) : json_null());
    put_number(root, "answer_records", whole ? read_u16(trace->answer + 6) : 0);
    put_number(root, "response_bytes", trace->len);
    put(root, "records", whole ? records_of((struct bytes){trace->answer, trace->len}) : json_array());
}

char *explain_trace(const struct trace *trace)
{
    json_t *root = json_object();
    put_key(root, &trace->key);
    put_response(root, trace);
    put(root, "total_ms", thousandths(trace->total_us));
    put_text(root, "step", trace->step);
    put(root, "view", *trace->view ? json_string(trace->view) : json_null());
    put(root, "replaced_by", trace->replaced_by ? json_string(trace->replaced_by) : json_null());
    put(root, "cache", cache_of(trace));
    put(root, "lookup", trace->waited ? explain_object(&trace->record) : json_null());
    return print(root);
}
