/* SPDX-License-Identifier: MIT */
/* A whole worker without sockets: all steps, cache, lookups, groups and sessions, with clients and servers that do what the
 * input says. After each action the books balance; every query ends once, with a response that fits it; at the end no
 * object is left.
 *
 * The first three bytes choose the configuration. Then each byte is an action, some with arguments in the next bytes:
 *
 *     0..71    a client sends a query, or sends it again       72..79   a client is gone
 *    80..103   time passes                                    104..119  a connection ends, or stalls, or goes on
 *   120..159   a query is answered rightly, see answer()      160..167  the outcome of dials from now on
 *   168..171   a turn                                         172..175  a server that answers everything, or nothing
 *   176..187   a change of the worker, see change()           188..191  allocations fail, or no longer
 *   192..255   a message made of the following bytes, see say()
 */
#include <errno.h>
#include "base/mem.h"
#include "cache/cache.h"
#include "daemon/steps.h"
#include "policy/steps.h"
#include "tests/unit/fake_client.h"
#include "fuzz.h"

const unsigned fuzz_random_ms = 1000;

enum { PLACES = 24, NAMES = 32, ACTIONS_MAX = 600, ANSWER_BY_MAX = 3500 };

struct place {
    struct client client;
    bool full;             /* over TCP: does not read its responses */
    unsigned sent, routes; /* the number of changes of the routes before it was sent */
    struct list deferred;  /* of queries, by in_step */
};

static struct place places[PLACES];
static unsigned routes_changed;

static const char *const names[] = {
    "a.test2",
    "b.test2",
    "x.a.test2",
    "y.x.a.test2",
    "corp.test2",
    "www.corp.test2",
    "localhost",
    "a.localhost",
    "1.0.0.127.in-addr.arpa",
    "home.arpa",
    "a.onion",
    "example.com",
    "www.example.com",
    "a.example.com",
    "b.example.com",
    "c.b.example.com",
    "d.c.b.example.com",
    "example.net",
    "a.example.net",
    "b.example.net",
    "_dns.resolver.arpa",
    "health.test2",
    "ipv4only.arpa",
    "version.bind",
    "com",
    "1.2.3.4.test2",
    "e.example.com",
    "f.example.com",
    "g.example.com",
    "h.example.com",
    "i.example.com",
    "",
};

static struct place *place_of(const struct query *query)
{
    return container_of((struct client *)query->origin.owner, struct place, client);
}

/* --- clients --- */

static void check_reply(struct query *query, size_t len)
{
    struct place *place = place_of(query);
    take_reply(query, len);
    MUST(place->client.replies <= place->sent);
    MUST(place->client.reply_id == place->client.id && place->client.flags & FLAG_QR);
    MUST(read_u16(client_room + 4) == 0 || place->client.case_kept);
    if (place->client.waiting == query)
        place->client.waiting = NULL;
}

static bool is_full(const struct query *query)
{
    return place_of(query)->full;
}

static void defer(struct query *query)
{
    list_push_back(&place_of(query)->deferred, &query->in_step);
}

static const struct origin_ops udp_ops = {.room = give_room, .reply = check_reply, .dropped = take_drop};
static const struct origin_ops tcp_ops = {
    .room = give_room, .reply = check_reply, .dropped = take_drop, .full = is_full, .deferred = defer};

static void send_query(struct place *place)
{
    struct client *client = &place->client;
    uint8_t *copy = exact_copy(client->asked, client->asked_len);
    place->sent++;
    client_init_origin(client);
    client->origin.ops = client->origin.tcp ? &tcp_ops : &udp_ops;
    struct query *waiting = query_start(&resolver, &client->origin, (struct bytes){copy, client->asked_len});
    if (waiting)
        client->waiting = waiting;
    free(copy);
}

static void new_query(struct place *place, const char *name, uint8_t how, uint8_t more)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_A, TYPE_HTTPS, TYPE_A, TYPE_ANY, TYPE_DS, TYPE_PTR};
    static const char *const addresses[] = {"127.0.0.1", "198.51.100.1", "198.51.100.2", "2001:db8::1"};
    struct client *client = &place->client;
    unsigned before = (unsigned)(client->id + PLACES);
    *client = (struct client){.id = (uint16_t)before, .type = types[how % 8]};
    client->no_edns = how & 8;
    client->no_rd = (how & 0x70) == 0x70;
    client->origin.tcp = how & 0x80;
    place->sent = 0;
    place->routes = routes_changed;
    int status = addr_parse(&client->origin.client, addresses[more % 4], 4000);
    MUST(status == 0);
    client_write(client, name);
    client->asked[3] |= more & 4 ? FLAG_CD : 0;
    if (more & 8 && !client->no_edns)
        client->asked[client->asked_len - 4] = 0x80; /* DO */
    if (more & 16 && name[0])
        client->asked[MESSAGE_HEADER + 1] ^= 0x20; /* the letter case */
    if (more & 32 && !client->no_edns) {           /* a client's cookie */
        client->asked[client->asked_len - 1] = 12;
        memcpy(client->asked + client->asked_len, "\0\12\0\10abcdefgh", 12);
        client->asked_len += 12;
    }
    send_query(place);
}

static void ask(struct place *place, struct cursor *cursor)
{
    const char *name = names[cursor_u8(cursor) % NAMES];
    uint8_t how = cursor_u8(cursor), more = cursor_u8(cursor);
    if (!place->client.waiting)
        new_query(place, name, how, more);
    else if (!place->client.origin.tcp && place->routes == routes_changed)
        send_query(place); /* again; for another group it would be another query */
}

static void leave(struct place *place)
{
    if (place->client.waiting)
        query_drop(place->client.waiting, COUNTER_drops_client_gone);
    MUST(!place->client.waiting);
}

static void read_on(struct place *place)
{
    struct list_link *link;
    place->full = false;
    while ((link = list_first(&place->deferred)))
        query_retry(container_of(link, struct query, in_step));
}

/* --- servers --- */

/* One of the latest four connections. */
static struct fake_conn *recent(uint8_t which)
{
    unsigned dials = fake_dials(), back = 1 + which % 4;
    return dials >= back ? fake_conn(dials - back) : NULL;
}

static void disturb(struct fake_conn *conn, uint8_t how)
{
    switch (how % 8) {
    case 0:
        fake_kill(conn, ERROR_CLOSED);
        break;
    case 1:
        fake_kill(conn, -ECONNRESET);
        break;
    case 2:
        conn->blocked = true;
        break;
    case 3:
        if (conn->stream && conn->stream->state == STREAM_OPEN)
            fake_unblock(conn);
        break;
    case 4:
        conn->unacknowledged = !conn->unacknowledged;
        break;
    case 5:
        conn->mid_frame = !conn->mid_frame;
        break;
    case 6:
        if (conn->stream && conn->stream->state == STREAM_CONNECTING)
            fake_accept(conn);
        break;
    default:
        fake_kill(conn, ERROR_TLS_UNTRUSTED);
        break;
    }
}

/* The argument: 1: no record, 2: truncated, 4: the second query, before the first; 8: a short TTL; the rest: the RCODE. */
static void answer(struct fake_conn *conn, uint8_t how)
{
    static const uint16_t rcodes[] = {0, 0, 3, 0, 2, 5, 0, 1, 0, 3, 0, 4, 0, 16, 0, 9};
    struct fake_answer with = FAKE_ANSWER;
    struct fake_frame *first = how & 4 ? fake_take(conn) : NULL, *frame = fake_take(conn);
    with.no_record = how & 1;
    with.truncated = (how & 2) && (how & 16);
    with.ttl = how & 8 ? 2 : 0;
    with.rcode = rcodes[how >> 4];
    with.ede = how % 7 == 0 ? how % 30 : EDE_NONE;
    with.keepalive_100ms = how % 11 == 0 ? how : -1;
    if (frame)
        fake_reply(conn, frame, &with);
    if (first)
        list_push_front(&conn->frames, &first->link);
    free(frame);
}

/* A message: kind (1: with the id of the oldest query, 2: with its Question section, 4: a response), flags, three counts,
 * number of bytes, the bytes. */
static void say(struct fake_conn *conn, struct cursor *cursor)
{
    static uint8_t message[MESSAGE_HEADER + 512 + 255];
    uint8_t how = cursor_u8(cursor);
    struct fake_frame *frame = how & 3 ? fake_take(conn) : NULL;
    size_t len = MESSAGE_HEADER;
    memset(message, 0, MESSAGE_HEADER);
    write_u16(message + MESSAGE_FLAGS, (uint16_t)(cursor_u16(cursor) | (how & 4 ? FLAG_QR : 0)));
    for (unsigned at = 6; at < MESSAGE_HEADER; at += 2)
        message[at + 1] = cursor_u8(cursor);
    if (frame && how & 1)
        memcpy(message, frame->data, 2);
    if (frame && how & 2) {
        size_t name = name_len((struct bytes){frame->data + MESSAGE_HEADER, frame->len - MESSAGE_HEADER});
        memcpy(message + len, frame->data + MESSAGE_HEADER, name + 4);
        message[5] = 1;
        len += name + 4;
    }
    struct bytes rest = {NULL, cursor_u8(cursor)};
    rest.data = cursor_take(cursor, rest.len);
    if (rest.data)
        memcpy(message + len, rest.data, rest.len);
    len += rest.data ? rest.len : 0;
    fake_deliver(conn, message, how & 8 ? len % MESSAGE_HEADER : len);
    free(frame);
}

/* --- the worker --- */

static void configure(uint8_t how)
{
    config->cache.serve_stale = how & 1 ? 86400 : 0;
    config->cache.prefetch = how & 2;
    config->cache.rotate = how & 4;
    config->cache.nxdomain_cut = how & 8 ? NXDOMAIN_CUT_YES : NXDOMAIN_CUT_SECURE;
    config->limits.answer_by_ms = how & 16 ? 300 : ANSWER_BY_MAX;
    config->limits.queries_in_flight = how & 32 ? 6 : 10000;
    config->limits.udp_waiting = how & 64 ? 2 : 100;
    config->cookies = how & 128;
    config->rate_limit_responses = how % 3 == 0 ? 5 : 0;
    config->rebind_protection = how % 5 == 0 ? REBIND_NO : REBIND_YES;
    config->special_proof = how % 7 == 0;
}

/* If memory is exhausted the configuration stays. */
static void reload(uint8_t how)
{
    const struct config before = *config;
    struct step_set *steps;
    FILE *nowhere = fopen("/dev/null", "w");
    MUST(nowhere);
    configure(how);
    if (step_set_new(&steps, daemon_steps, config, nowhere) == 0) {
        resolver_configure(&resolver, config, steps);
        step_set_unref(steps);
    } else {
        *config = before;
    }
    fclose(nowhere);
}

/* The upstreams from `first` on serve all names; with `split` the last one serves those at and below corp.test2. */
static void route(unsigned first, bool split)
{
    uint8_t suffix[NAME_MAX_WIRE];
    size_t last = config->upstream_count - 1;
    struct group_definition definitions[] = {
        {.name = GROUP_ROOT, .upstreams = &config->upstreams[first], .trusts = &fake.trusts[first]},
        {.name = "corp", .upstreams = &config->upstreams[last], .upstream_count = 1, .trusts = &fake.trusts[last]}};
    struct name_route lead = {.suffix = suffix, .group = 1};
    struct groups_change change;
    struct routes *routes = NULL;
    definitions[0].upstream_count = config->upstream_count - first;
    int len = name_from_text(suffix, "corp.test2");
    MUST(len > 0);
    if (routes_new(&routes, &group_ids, config, definitions, split ? 2 : 1, &lead, split) < 0)
        return;
    if (groups_change_new(&change, routes) == 0) {
        groups_apply(&groups, &change);
        routes_changed++;
    }
    routes_unref(routes);
}

static void flush_name(const char *text, bool below)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text[0] ? text : ".");
    MUST(len > 0);
    cache_flush_name(cache, name, (size_t)len, below);
}

static void change(uint8_t what, uint8_t how)
{
    static struct server_report reports[16];
    switch (what % 12) {
    case 0:
    case 1:
        reload(how);
        break;
    case 2:
    case 3:
        route(how % config->upstream_count, how & 128);
        break;
    case 4:
        cache_flush(cache);
        break;
    case 5:
        flush_name(names[how % NAMES], how & 128);
        break;
    case 6:
        groups_network_changed(&groups);
        break;
    case 7:
        groups_clock_changed(&groups);
        break;
    case 8:
        places[how % PLACES].full = true;
        break;
    case 9:
        read_on(&places[how % PLACES]);
        break;
    case 10:
        (void)groups_report(&groups, reports, sizeof reports / sizeof *reports);
        break;
    default:
        health_drain(&resolver);
        break;
    }
}

static void act(uint8_t what, struct cursor *cursor)
{
    static const unsigned spans[] = {1, 20, 60, 300, 1100, 4000, 40000, 400000};
    struct fake_conn *conn = recent(what);
    if (what < 72)
        ask(&places[what % PLACES], cursor);
    else if (what < 80)
        leave(&places[cursor_u8(cursor) % PLACES]);
    else if (what < 104)
        fake_pass(spans[what % 8]);
    else if (what < 120 && conn)
        disturb(conn, cursor_u8(cursor));
    else if (what >= 120 && what < 160 && conn)
        answer(conn, cursor_u8(cursor));
    else if (what >= 160 && what < 168)
        fake.dial[1 + what % 4] = (enum fake_dial)(cursor_u8(cursor) % 4);
    else if (what >= 168 && what < 172)
        fake_turn();
    else if (what >= 172 && what < 176)
        fake.serve = what % 2 ? fake_serve_all : NULL;
    else if (what >= 176 && what < 188)
        change(what, cursor_u8(cursor));
    else if (what >= 188 && what < 192)
        mem_fail_every(what % 2 ? 2u + cursor_u8(cursor) % 60u : 0);
    else if (what >= 192 && conn)
        say(conn, cursor);
}

/* --- begin and end --- */

static void begin(uint8_t upstreams, uint8_t how, uint8_t sessions)
{
    static struct addr listen;
    fake_begin();
    memset(places, 0, sizeof places);
    for (unsigned i = 0; i < PLACES; i++) {
        list_init(&places[i].deferred);
        places[i].client.id = (uint16_t)i;
    }
    client_order = daemon_steps;
    int status = addr_parse(&listen, "192.0.2.53", 53);
    MUST(status == 0);
    resolver_begin(1 + upstreams % 3, 1 + upstreams / 3 % 2);
    config->listen = &listen;
    config->listen_count = 1;
    config->health_name = (char *)(uintptr_t) "health.test2";
    config->tls.sessions = 1 + sessions % 3;
    config->upstream_policy = (enum config_policy)(sessions / 3 % 3);
    reload(how);
}

static void end(void)
{
    mem_fail_every(0);
    for (unsigned i = 0; i < PLACES; i++)
        read_on(&places[i]);
    fake_pass(ANSWER_BY_MAX + 10);
    MUST(resolver_waiting(&resolver) == 0);
    MUST(fake_counted(COUNTER_queries_received) ==
         fake_counted(COUNTER_queries_finished) + fake_counted(COUNTER_queries_dropped));
    fake_pass(120000);
    MUST(resolver.lookups.in_use == 0 && resolver.dependent_lookups == 0);
    MUST(list_empty(&groups.leaving)); /* they end with their last lookup */
    for (size_t i = 0; i < groups.routes->group_count; i++)
        MUST(group_is_idle(groups.in_force[i]));
    resolver_end();
    fake_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    uint8_t upstreams = cursor_u8(&cursor), how = cursor_u8(&cursor), sessions = cursor_u8(&cursor);
    begin(upstreams, how, sessions);
    for (unsigned i = 0; i < ACTIONS_MAX && !cursor.failed && cursor_left(&cursor) > 0; i++) {
        act(cursor_u8(&cursor), &cursor);
        MUST(books_hold());
    }
    end();
    return 0;
}
