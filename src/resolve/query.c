/* SPDX-License-Identifier: MIT */
/* The walk of one query.
 *
 * Invariants:
 *   - received = finished + dropped + waiting: query_start counts the first, query_end exactly one of the others,
 *     and a query waits exactly while it is parked;
 *   - query_end removes a parked query from its lookup or step, its owner's list, the table and the timeouts;
 *   - `step` only grows, so a query that waited continues after the step that parked it; `answer_step` only
 *     shrinks, so no step sees a response twice, or its own response.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "net/tap.h"
#include "resolve/query.h"

enum { ERROR_ROOM = MESSAGE_HEADER + NAME_MAX_WIRE + 4 + EDIT_OPT_MAX + EDIT_PAD_MAX };

/* --- the end --- */

static void query_end(struct query *query, enum counter how)
{
    struct resolver *resolver = query->resolver;
    counter_add(resolver->counters, how, 1);
    if (!query->parked)
        return;
    if (how == COUNTER_queries_finished && query->how == HOW_MISS && query->origin.source != TALLY_OWN)
        histogram_add(&resolver->tally.misses, loop_now(resolver->loop) - query->received_ms, 1);
    timeout_stop(&query->answer_by);
    list_remove(&query->in_step);
    list_remove(&query->waiter.link);
    list_remove(&query->in_owner);
    query->share->udp_waiting -= !query->origin.tcp;
    share_give(&resolver->shares, query->share, SHARE_QUERIES, &query->in_share);
    table_remove(&resolver->queries_by_client, &query->by_client);
    if (query->kept_response)
        mem_free(query->kept_response);
    slab_give(&resolver->queries, query);
}

enum verdict query_drop(struct query *query, enum counter why)
{
    counter_add(query->resolver->counters, why, 1);
    if (query->origin.ops->dropped)
        query->origin.ops->dropped(query);
    query_end(query, COUNTER_queries_dropped);
    return DROPPED;
}

static void query_log(const struct query *query, uint16_t rcode, const struct ede_list *ede)
{
    struct resolver *resolver = query->resolver;
    const struct querylog_entry entry = {
        .client = &query->origin.client,
        .tcp = query->origin.tcp,
        .name = query->request.has_question ? query->question : NULL,
        .type = query->request.type,
        .rcode = rcode,
        .how = query->how,
        .ms = query->parked ? loop_now(resolver->loop) - query->received_ms : 0,
        .server = query->parked ? query->server : NULL,
        .view = groups_view_name(resolver->groups, query->view),
        .ede = ede,
    };
    querylog_note(&resolver->querylog, &entry);
}

#ifdef ENABLE_DNSTAP
#define IS_TAPPED(resolver) ((resolver)->tap != NULL)

static enum tap_transport tap_transport_of(const struct origin *origin)
{
    if (!origin->tcp)
        return TAP_UDP;
    if (origin->exchange)
        return TAP_DOH;
    return origin->encrypted ? TAP_DOT : TAP_TCP;
}

static __attribute__((noinline, cold)) void query_tap(const struct query *query, enum tap_kind kind,
                                                      struct bytes message)
{
    const struct tap_event event = {
        .kind = kind,
        .transport = tap_transport_of(&query->origin),
        .asker = &query->origin.client,
        .answerer = query->origin.tcp ? NULL : &query->origin.local,
        .message = message,
    };
    tap_message(query->resolver->tap, &event);
}
#else
#define IS_TAPPED(resolver)             false
#define query_tap(query, kind, message) ((void)(message))
#endif

/* A function of its own, so that its callers need not save registers when neither query log nor dnstap is on. */
static __attribute__((noinline, cold)) void query_watch(const struct query *query, struct bytes message, uint16_t rcode,
                                                        const struct ede_list *ede)
{
    if (querylog_sample())
        query_log(query, rcode, ede);
    if (IS_TAPPED(query->resolver))
        query_tap(query, TAP_CLIENT_RESPONSE, message);
}

/* Sends the response of `len` bytes in `room`, which is the query's room. */
static enum verdict query_send(struct query *query, const uint8_t *room, size_t len, uint16_t rcode,
                               const struct ede_list *ede)
{
    struct resolver *resolver = query->resolver;
    if (querylog_sample() || IS_TAPPED(resolver))
        query_watch(query, (struct bytes){room, len}, rcode, ede);
    if (rcode == RCODE_SERVFAIL)
        counter_add(resolver->counters, COUNTER_responses_servfail, 1);
    if (query->origin.source != TALLY_OWN)
        ++*(rcode < TALLY_RCODES ? &resolver->tally.rcode[rcode] : &resolver->tally.other_rcode);
    query->origin.ops->reply(query, len);
    query_end(query, COUNTER_queries_finished);
    return ANSWERED;
}

/* --- responses, and the steps' `answer` pass --- */

struct query_response {
    struct answer answer;
    uint8_t wire[];
};

void query_own_response(struct query *query, struct answer *response)
{
    uint8_t *big = query->resolver->big;
    if (response->wire != big)
        memcpy(big, response->wire, response->len);
    response->wire = big;
}

/* Clears `server`: the lookup that the query waited for has ended, so the server may be freed before the query is
 * answered. */
static enum verdict query_keep_response(struct query *query, const struct answer *response)
{
    struct query_response *kept = NULL;
    assert(query && query->parked);
    query->server = NULL;
    mem_free(query->kept_response); /* left by another step that replaced it */
    query->kept_response = NULL;
    if (list_linked(&query->answer_by.link)) /* else its time has expired */
        kept = mem_alloc(sizeof *kept + response->len);
    if (!kept)
        return query_give_up(query, -ENOMEM, "no time or memory left");
    kept->answer = *response;
    kept->answer.wire = kept->wire;
    kept->answer.ttl_offsets = NULL;
    kept->answer.ttl_count = 0;
    memcpy(kept->wire, response->wire, response->len);
    query->kept_response = kept;
    return WAITING;
}

/* The most important option comes first: the last ones are dropped if there is too little room. */
static __attribute__((noinline)) const struct edit_options *query_options(const struct query *query)
{
    struct edit_options *options = &query->resolver->options;
    const char *hostname = query->resolver->config->identity.hostname;
    uint8_t keepalive[2];
    options->len = 0;
    if (query->has_cookie)
        edit_put_option(options, OPTION_CODE_COOKIE, query->cookie, sizeof query->cookie);
    if (query->origin.tcp && !query->origin.exchange && (query->request.options & REQUEST_KEEPALIVE)) {
        write_u16(keepalive, query->origin.keepalive_100ms);
        edit_put_option(options, OPTION_CODE_KEEPALIVE, keepalive, sizeof keepalive);
    }
    if (hostname && (query->request.options & REQUEST_NSID))
        edit_put_option(options, OPTION_CODE_NSID, hostname, strlen(hostname));
    return options;
}

static struct edit_client query_client(const struct query *query, bool authenticated)
{
    unsigned ours = query->resolver->config->limits.udp_size, theirs = query->request.udp_size;
    return (struct edit_client){
        .request = &query->request,
        .question = query->question,
        /* RFC 6891 section 6.2.3; RFC 1035 section 4.2.2 */
        .limit = query->origin.tcp ? MESSAGE_MAX
                 : theirs < ours   ? theirs
                                   : ours,
        .our_udp_size = (uint16_t)ours,
        .options = query->request.options ? query_options(query) : NULL,
        .authenticated = authenticated,
        .pad = query->origin.encrypted && (query->request.options & REQUEST_PADDING),
    };
}

/* Finishes a response that is too large for the client's room in the resolver's room for big ones, and copies it
 * truncated to the client's limit. */
static enum verdict query_answer_big(struct query *query, const struct answer *answer)
{
    struct resolver *resolver = query->resolver;
    struct edit_client client = query_client(query, answer->authenticated);
    bool truncated = false;
    struct answer copy = *answer;
    if (answer->wire != resolver->big)
        memcpy(resolver->big, answer->wire, answer->len);
    copy.wire = resolver->big;
    size_t len = edit_finish(resolver->big, RESOLVER_BIG, &copy, &client, &truncated);
    uint8_t *room = query->origin.ops->room(query, len);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    memcpy(room, resolver->big, len);
    if (truncated)
        counter_add(resolver->counters, COUNTER_responses_truncated, 1);
    return query_send(query, room, len, answer->rcode, &answer->ede);
}

/* Runs the `answer` pass. NEXT: the response may be sent as it is; else the state of the query. */
static __attribute__((noinline)) enum verdict query_show(struct query *query, const struct answer *response)
{
    const struct resolver *resolver = query->resolver;
    struct answer shown;
    bool replaced = false;
    answer_assign(&shown, response);
    for (unsigned i = 0; i < resolver->answering_count; i++) {
        const struct step_answering *step = &resolver->answering[i];
        if (step->index >= query->step || step->index >= query->answer_step)
            continue;
        query->answer_step = step->index;
        enum verdict verdict = step->answer(query, &shown, step->state);
        if (verdict == WAITING)
            return query_keep_response(query->parked ? query : query->parked_as, &shown);
        if (verdict == ANSWERED || verdict == DROPPED)
            return verdict;
        if (verdict == REPLACED) {
            replaced = true;
            query->replaced_by = step->index;
        }
    }
    assert(shown.wire == (replaced ? resolver->big : response->wire));
    return replaced ? query_answer_big(query, &shown) : NEXT;
}

enum verdict query_finish(struct query *query, uint8_t *room, size_t cap, const struct answer *answer)
{
    bool truncated = false;
    if (query->resolver->answering_count > 0) {
        enum verdict verdict = query_show(query, answer);
        if (verdict != NEXT)
            return verdict;
    }
    struct edit_client client = query_client(query, answer->authenticated);
    size_t len = edit_finish(room, cap, answer, &client, &truncated);
    if (truncated)
        counter_add(query->resolver->counters, COUNTER_responses_truncated, 1);
    return query_send(query, room, len, answer->rcode, &answer->ede);
}

/* --- deferred and withheld responses --- */

/* Defers the query until the listener calls query_retry. From now on the client determines how long it waits, not a
 * server; the server of its lookup may be freed meanwhile. */
static enum verdict query_defer(struct query *query)
{
    struct query *parked = query_park(query);
    if (!parked)
        return DROPPED;
    timeout_stop(&parked->answer_by);
    parked->server = NULL;
    counter_add(parked->resolver->counters, COUNTER_responses_deferred, 1);
    parked->origin.ops->deferred(parked);
    return WAITING;
}

static bool is_deferred(const struct query *query)
{
    return query->origin.tcp && query->origin.ops->full && query->origin.ops->full(query);
}

enum {
    HELD_MS = 250,  /* after waiting this long, a response may be sent together with many others */
    LATE_MS = 2000, /* after this time the client has most likely retransmitted the query */
    BURST_MS = 1000,
    AMPLIFICATION = 3,  /* the most bytes sent for each byte received */
    TRUNCATED_ROOM = 11 /* bytes of an OPT, behind header and Question section */
};

/* An attacker may collect waiting queries for a slow name, so that all responses are sent to a forged address at
 * once. Beyond loopback, while many queries of a network wait and BURST_MS longer, queries that waited for long get
 * responses of at most AMPLIFICATION times the bytes received, the others TC=1. Queries with a valid cookie are
 * exempt. */
static __attribute__((noinline, cold)) bool is_withheld_in_burst(const struct query *query, size_t len)
{
    const struct resolver *resolver = query->resolver;
    struct share *share = query->share;
    uint64_t now_ms = loop_now(resolver->loop), waited_ms = now_ms - query->received_ms;
    if (now_ms >= share->udp_burst_until_ms)
        share->udp_credit = 0;
    if (share->udp_waiting > resolver->config->limits.udp_waiting)
        share->udp_burst_until_ms = now_ms + BURST_MS;
    if (now_ms >= share->udp_burst_until_ms || waited_ms < HELD_MS || !query_may_be_forged(query))
        return false;
    share->udp_credit += AMPLIFICATION * query->wire.len;
    bool withheld = waited_ms >= LATE_MS || len > share->udp_credit;
    if (withheld)
        len = query->request.question_end + TRUNCATED_ROOM;
    share->udp_credit -= len < share->udp_credit ? len : share->udp_credit;
    counter_add(resolver->counters, COUNTER_responses_withheld, withheld);
    return withheld;
}

static bool is_withheld(const struct query *query, size_t len)
{
    if (!query->parked || query->origin.tcp)
        return false;
    const struct share *share = query->share;
    bool burst = share->udp_waiting > query->resolver->config->limits.udp_waiting || share->udp_burst_until_ms;
    return burst && is_withheld_in_burst(query, len);
}

enum verdict query_answer(struct query *query, const struct answer *answer)
{
    struct edit_client client = query_client(query, false);
    size_t cap = answer->len + edit_opt_room(answer, &client);
    if (is_deferred(query))
        return query_defer(query);
    if (is_withheld(query, cap))
        return query_truncated(query);
    if (query->resolver->answering_count > 0) {
        enum verdict verdict = query_show(query, answer);
        if (verdict != NEXT)
            return verdict;
    }
    if (cap > client.limit || answer->wire == query->resolver->big)
        return query_answer_big(query, answer);
    uint8_t *room = query->origin.ops->room(query, cap);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    memcpy(room, answer->wire, answer->len);
    return query_finish(query, room, cap, answer); /* the pass has ended */
}

static void count_error(struct counters *counters, uint16_t rcode)
{
    counter_add(counters, COUNTER_responses_local, 1);
    if (rcode == RCODE_REFUSED)
        counter_add(counters, COUNTER_responses_refused, 1);
    else if (rcode == RCODE_FORMERR)
        counter_add(counters, COUNTER_responses_formerr, 1);
}

struct answer query_error_response(const struct query *query, uint16_t rcode, const struct ede_list *ede)
{
    uint8_t *big = query->resolver->big;
    uint16_t len = query->request.question_end;
    memset(big, 0, MESSAGE_HEADER);
    write_u16(big + MESSAGE_FLAGS, FLAG_QR | (rcode & 15));
    write_u16(big + MESSAGE_FLAGS + 2, 1); /* QDCOUNT */
    memcpy(big + MESSAGE_HEADER, query->question, len - MESSAGE_HEADER);
    return (struct answer){.wire = big, .len = len, .rcode = rcode, .additional = len, .ede = *ede};
}

enum verdict query_error_with(struct query *query, uint16_t rcode, const struct ede_list *ede)
{
    count_error(query->resolver->counters, rcode);
    if (query->how == HOW_HIT)
        query->how = HOW_LOCAL;
    if (is_withheld(query, ERROR_ROOM))
        return query_truncated(query);
    if (query->resolver->answering_count > 0 && query->step > 0 && query->request.has_question) {
        struct answer response = query_error_response(query, rcode, ede);
        enum verdict verdict = query_show(query, &response);
        if (verdict != NEXT)
            return verdict;
    }
    struct edit_client client = query_client(query, false);
    uint8_t *room = query->origin.ops->room(query, ERROR_ROOM);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    size_t len = edit_error(room, ERROR_ROOM, rcode, true, ede, &client);
    return query_send(query, room, len, rcode, ede);
}

enum verdict query_truncated(struct query *query)
{
    struct edit_client client = query_client(query, false);
    uint8_t *room = query->origin.ops->room(query, ERROR_ROOM);
    if (!room)
        return query_drop(query, COUNTER_drops_no_room);
    counter_add(query->resolver->counters, COUNTER_responses_truncated, 1);
    query->how = HOW_LOCAL;
    size_t len = edit_error(room, ERROR_ROOM, RCODE_NOERROR, true, NULL, &client);
    room[MESSAGE_FLAGS] |= FLAG_TC >> 8;
    const struct ede_list none = {.count = 0};
    return query_send(query, room, len, RCODE_NOERROR, &none);
}

enum verdict query_demand_proof(struct query *query)
{
    return query->has_cookie ? query_error(query, RCODE_BADCOOKIE, EDE_NONE, NULL) : query_truncated(query);
}

enum verdict query_error(struct query *query, uint16_t rcode, int ede_code, const char *text)
{
    struct ede_list ede = {.count = 0};
    if (ede_code != EDE_NONE)
        ede_add(&ede, (uint16_t)ede_code, text, text ? strlen(text) : 0);
    return query_error_with(query, rcode, &ede);
}

void query_note_failure(struct query *query, int error)
{
    struct resolver *resolver = query->resolver;
    query->how = HOW_FAILED;
    counter_add(resolver->counters, COUNTER_queries_failed, 1);
    reasons_note(&resolver->tally.failures, error);
}

enum verdict query_give_up(struct query *query, int error, const char *text)
{
    if (error !=
        ERROR_LIMIT) /* a client that floods must not make the daemon look broken; limits have counters of their own */
        query_note_failure(query, error);
    query->answer_step = 0;
    return query_error(query, RCODE_SERVFAIL, EDE_OTHER, text);
}

/* --- waiting --- */

/* There must be no padding before the address; IPv4 uses only its beginning. */
struct client_identity {
    uint64_t key;
    uint16_t id, port;
    uint8_t address[16];
};

static uint64_t client_hash(const struct query *query)
{
    const struct addr *peer = &query->origin.peer;
    struct client_identity identity = {query->hash, query->request.id, addr_port(peer), {0}};
    size_t bytes = sizeof peer->in6.sin6_addr;
    if (peer->sa.sa_family == AF_INET) {
        bytes = sizeof peer->in.sin_addr;
        memcpy(identity.address, &peer->in.sin_addr, bytes);
    } else {
        memcpy(identity.address, &peer->in6.sin6_addr, bytes);
    }
    return hash_bytes(&identity, offsetof(struct client_identity, address) + bytes);
}

static struct query *find_repeated(const struct query *query, uint64_t hash)
{
    struct table_link *link = table_first(&query->resolver->queries_by_client, hash);
    for (; link; link = table_next(link)) {
        struct query *other = container_of(link, struct query, by_client);
        if (other->request.id == query->request.id && other->origin.owner == query->origin.owner &&
            addr_equal(&other->origin.peer, &query->origin.peer) &&
            addr_equal(&other->origin.client, &query->origin.client) && key_equal(&other->key, &query->key))
            return other;
    }
    return NULL;
}

/* A retransmission replaces the waiting query: its EDNS, cookie and letter case are used, and one response is sent. */
static void query_replace(struct query *waiting, struct query *repeated)
{
    waiting->request = repeated->request;
    waiting->has_cookie = repeated->has_cookie;
    memcpy(waiting->cookie, repeated->cookie, sizeof waiting->cookie);
    memcpy(waiting->kept, repeated->question, repeated->request.question_end - MESSAGE_HEADER);
    if (list_linked(&waiting->waiter.link)) /* the client retransmits: maybe an attempt was lost */
        waiter_hurry(&waiting->waiter);
    query_drop(repeated, COUNTER_queries_retransmitted);
}

/* At the limit the client network with the most waiting queries loses the oldest one. */
static bool query_make_room(struct resolver *resolver, const struct share *share)
{
    struct list_link *oldest = share_to_lose(&resolver->shares, SHARE_QUERIES, share);
    if (!oldest)
        return false;
    counter_add(resolver->counters, COUNTER_queries_over_share, 1);
    query_give_up(container_of(oldest, struct query, in_share), ERROR_LIMIT,
                  "too many queries in flight from this network");
    return true;
}

/* The copy in the slab, not parked yet; NULL: the query has ended. */
static struct query *query_copy(struct query *query)
{
    struct resolver *resolver = query->resolver;
    uint64_t hash = client_hash(query);
    struct query *waiting = query->origin.tcp ? NULL : find_repeated(query, hash);
    if (waiting) {
        query_replace(waiting, query);
        return NULL;
    }
    struct share *share = share_of(&resolver->shares, &query->origin.client);
    struct query *parked = share ? slab_take(&resolver->queries) : NULL;
    if (!parked && share && query_make_room(resolver, share))
        parked = slab_take(&resolver->queries);
    if (!parked) {
        counter_add(resolver->counters, COUNTER_queries_over_limit, 1);
        query_give_up(query, ERROR_LIMIT, "too many queries in flight");
        return NULL;
    }
    memcpy(parked, query, offsetof(struct query, key));
    key_copy(&parked->key, &query->key);
    parked->in_owner = parked->in_step = parked->waiter.link = (struct list_link){NULL, NULL};
    parked->kept_response = NULL;
    parked->answer_by = (struct timeout){{NULL, NULL}, 0};
    memcpy(parked->kept, query->question, query->request.question_end - MESSAGE_HEADER);
    parked->question = parked->kept;
    parked->wire.data = NULL;
    parked->parked = true;
    parked->share = share;
    parked->in_share = (struct list_link){NULL, NULL};
    share_take(&resolver->shares, share, SHARE_QUERIES, &parked->in_share);
    share->udp_waiting += !parked->origin.tcp;
    parked->server = NULL;
    table_insert(&resolver->queries_by_client, &parked->by_client, hash);
    parked->received_ms = loop_now(resolver->loop);
    timeout_start(&resolver->answer_by, &parked->answer_by);
    query->parked_as = parked;
    return parked;
}

struct query *query_park(struct query *query)
{
    if (query->resolver->stopping) {
        query_give_up(query, ERROR_STOPPING, error_text(ERROR_STOPPING));
        return NULL;
    }
    if (query->parked) {
        list_remove(&query->in_step);
        list_remove(&query->waiter.link);
        return query;
    }
    return query_copy(query);
}

/* --- the beginning --- */

/* Clients that are not allowed get no response to a malformed message. */
static void query_refuse_malformed(struct query *query, enum request_verdict verdict)
{
    if (!query_client_allowed(query))
        query_drop(query, COUNTER_drops_policy);
    else if (verdict == REQUEST_NOTIMP)
        query_error(query, RCODE_NOTIMP, EDE_NOT_SUPPORTED, NULL);
    else if (verdict == REQUEST_BADVERS)
        query_error(query, RCODE_BADVERS, EDE_NONE, NULL);
    else
        query_error(query, RCODE_FORMERR, EDE_NONE, NULL);
}

/* Returns the parked query if it waits now. */
static struct query *query_walk(struct query *query, const struct step_active *step)
{
    enum verdict verdict;
    do {
        query->step = step->index;
        verdict = step->run(query, step->state);
        step++;
    } while (verdict == NEXT); /* the last step never returns NEXT */
    return verdict == WAITING ? query->parked_as : NULL;
}

/* The steps see the root with type 0. The one for cookies answers; else the one that refuses does. */
static void query_walk_without_question(struct query *query)
{
    query->key = (struct key){.name_len = 1};
    query->hash = 0;
    query_walk(query, query->resolver->active);
}

void query_resume(struct query *query)
{
    const struct step_active *step = query->resolver->active;
    struct query_response *kept = query->kept_response;
    assert(query->parked);
    list_remove(&query->in_step);
    if (kept) {
        query->kept_response = NULL;
        query_answer(query, &kept->answer);
        mem_free(kept);
        return;
    }
    while (step->index <= query->step)
        step++;
    query_walk(query, step);
}

/* The response was not stored with the query, because it may be large; it may be in the cache, otherwise there is
 * another lookup. */
void query_retry(struct query *query)
{
    const struct step_active *step = query->resolver->active;
    const struct step_set *set = query->resolver->steps;
    assert(query->parked);
    list_remove(&query->in_step);
    timeout_start(&query->resolver->answer_by, &query->answer_by);
    query->answer_step = STEPS_MAX;
    while (step->index < query->step && set->order[step->index] != &step_cache)
        step++;
    query_walk(query, step);
}

/* Inlined, since it is on the path of every hit. */
static inline __attribute__((always_inline)) void choose_route(struct query *query, const struct groups *groups)
{
    query->key.group = groups_route(groups, query->view, &query->key);
    query->hash = key_hash(&query->key);
}

void query_route(struct query *query)
{
    choose_route(query, query->resolver->groups);
}

static uint8_t find_view(const struct query *query)
{
    const struct origin *origin = &query->origin;
    unsigned interface = origin->tcp || origin->local.sa.sa_family != AF_UNSPEC ? origin->interface : 0;
    return groups_view_of(query->resolver->groups, &origin->client, interface);
}

static __attribute__((noinline)) void choose_view(struct query *query)
{
    query->view = find_view(query);
    counter_add(query->resolver->counters, COUNTER_queries_in_views, query->view > 0);
}

void query_renew_view(struct query *query)
{
    query->view = query->resolver->groups->views ? find_view(query) : 0;
}

void query_view_name(const struct query *query, char *out, size_t cap)
{
    const char *name = groups_view_name(query->resolver->groups, query->view);
    size_t len = name ? strlen(name) : 0;
    len = len < cap ? len : cap - 1;
    if (len > 0)
        memcpy(out, name, len);
    out[len] = '\0';
}

/* A query is not zeroed: it is large, and this is on the path of every hit. */
bool query_take(struct query *query, struct resolver *resolver, struct bytes wire)
{
    enum request_verdict verdict = message_parse_request(wire, &query->request);
    if (verdict == REQUEST_SILENT) {
        counter_add(resolver->counters, COUNTER_udp_ignored, 1);
        return false;
    }
    query->resolver = resolver;
    query->wire = wire;
    query->question = wire.data + MESSAGE_HEADER;
    query->step = 0;
    query->answer_step = query->replaced_by = STEPS_MAX;
    query->how = HOW_HIT;
    query->parked = query->address_proven = query->has_cookie = false;
    query->view = 0;
    query->parked_as = NULL;
    counter_add(resolver->counters, COUNTER_queries_received, 1);
    if (query->request.trailing)
        counter_add(resolver->counters, COUNTER_queries_trailing, 1);
    if (IS_TAPPED(resolver))
        query_tap(query, TAP_CLIENT_QUERY, wire);
    resolver->tally.source[query->origin.source]++;
    if (verdict != REQUEST_OK) {
        if (verdict == REQUEST_NO_QUESTION)
            query_walk_without_question(query);
        else
            query_refuse_malformed(query, verdict);
        return false;
    }
    message_request_key(wire, &query->request, &query->key);
    if (resolver->groups->views)
        choose_view(query);
    choose_route(query, resolver->groups);
    if (query->origin.source != TALLY_OWN)
        resolver->tally.type[query->key.type < TALLY_TYPES ? query->key.type : 0]++;
    return true;
}

struct query *query_start(struct resolver *resolver, const struct origin *origin, struct bytes wire)
{
    struct query query;
    query.origin = *origin;
    return query_take(&query, resolver, wire) ? query_walk(&query, resolver->active) : NULL;
}

static void fetch_all(const struct query *queries, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        cache_prefetch(queries[i].resolver->cache, queries[i].hash);
    for (unsigned i = 0; i < count; i++)
        cache_prefetch_entry(queries[i].resolver->cache, queries[i].hash);
}

void query_run_all(struct query *queries, unsigned count)
{
    if (count > 1) /* a prefetch gains nothing for a single query */
        fetch_all(queries, count);
    for (unsigned i = 0; i < count; i++)
        query_walk(&queries[i], queries[i].resolver->active);
}
