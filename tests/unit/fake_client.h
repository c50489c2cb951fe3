/* SPDX-License-Identifier: MIT */
/* A resolver over the fake net, and its clients with their queries and responses. */
#ifndef DOTSTUB_TESTS_FAKE_CLIENT_H
#define DOTSTUB_TESTS_FAKE_CLIENT_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "fake_net.h"
#include "resolve/resolver.h"
#include "upstream/group.h"

struct client {
    struct origin origin;
    uint16_t id, type;
    bool no_edns, no_rd, no_room;
    struct query *waiting; /* the result of query_start; NULL again when it is dropped */
    /* The response: */
    unsigned replies;
    uint64_t replied_ms;
    uint16_t reply_id, flags, rcode, answers;
    int ede; /* code of the first extended error; EDE_NONE: none */
    char ede_text[EDE_TEXT + 1];
    bool case_kept;
    uint8_t asked[300];
    size_t asked_len, reply_len;
};

static struct resolver resolver;
static struct cache *cache;
static struct groups groups;
static struct group *group; /* the root group */
static struct group_ids group_ids;
static struct config *config;
static uint8_t *client_room;

/* Every response is built in memory of exactly the requested size. */
static uint8_t *give_room(struct query *query, size_t cap)
{
    const struct client *client = query->origin.owner;
    free(client_room);
    client_room = client->no_room ? NULL : malloc(cap);
    return client_room;
}

static void read_ede(struct client *client, size_t len)
{
    static struct answer_scratch scratch;
    struct answer answer;
    client->ede = EDE_NONE;
    uint8_t *copy = malloc(len);
    assert(copy);
    memcpy(copy, client_room, len);
    if (message_own_answer(copy, len, &scratch, &answer) == 0) {
        client->rcode = answer.rcode;
        if (answer.ede.count > 0) {
            client->ede = answer.ede.item[0].code;
            memcpy(client->ede_text, answer.ede.item[0].text, answer.ede.item[0].len);
            client->ede_text[answer.ede.item[0].len] = '\0';
        }
    }
    free(copy);
}

static void take_reply(struct query *query, size_t len)
{
    struct client *client = query->origin.owner;
    assert(len >= MESSAGE_HEADER);
    client->replies++;
    client->replied_ms = fake_now();
    client->reply_id = read_u16(client_room);
    client->flags = read_u16(client_room + MESSAGE_FLAGS);
    client->rcode = client->flags & 15;
    client->answers = read_u16(client_room + 6);
    client->reply_len = len;
    if (read_u16(client_room + 4) == 1 && client->asked_len > MESSAGE_HEADER) {
        size_t question = 4 + strlen((const char *)client->asked + MESSAGE_HEADER) + 1;
        client->case_kept = memcmp(client_room + MESSAGE_HEADER, client->asked + MESSAGE_HEADER, question) == 0;
    }
    read_ede(client, len);
}

static void take_drop(struct query *query)
{
    struct client *client = query->origin.owner;
    if (client->waiting == query)
        client->waiting = NULL;
}

static const struct origin_ops client_ops = {.room = give_room, .reply = take_reply, .dropped = take_drop};
static const struct step *const client_steps[] = {&step_cache, &step_lookup, NULL};
static const struct step *const *client_order = client_steps; /* for the resolvers that are started from now on */

static inline void resolver_begin(unsigned entries, unsigned addresses)
{
    config = fake_config(entries, addresses);
    struct routes *routes = NULL;
    int status = routes_of_config(&routes, &group_ids, config, fake.trusts);
    assert(status == 0);
    status = groups_init(&groups, &fake.loop, &fake.counters, routes);
    assert(status == 0);
    routes_unref(routes);
    group = groups.in_force[0];
    cache = cache_new(4 << 20);
    assert(cache);
    struct step_set *steps;
    status = step_set_new(&steps, client_order, config, stderr);
    assert(status == 0);
    status = resolver_init(&resolver, &fake.loop, &fake.counters, config, cache, &groups, steps);
    assert(status == 0);
    step_set_unref(steps);
}

/* received = finished + dropped + waiting */
static inline bool books_hold(void)
{
    return fake_counted(COUNTER_queries_received) ==
           fake_counted(COUNTER_queries_finished) + fake_counted(COUNTER_queries_dropped) + resolver_waiting(&resolver);
}

static void count_closed(void *context)
{
    ++*(unsigned *)context;
}

static inline void resolver_end(void)
{
    assert(books_hold());
    resolver_stop(&resolver);
    assert(resolver_waiting(&resolver) == 0 && resolver.lookups.in_use == 0);
    assert(books_hold());
    unsigned closed = 0;
    groups_stop(&groups, count_closed, &closed);
    fake_turn();
    assert(closed == 1);
    groups_fini(&groups);
    group_ids_fini(&group_ids);
    assert(config->refs == 1);
    resolver_fini(&resolver);
    cache_free(cache);
    free(client_room);
    client_room = NULL;
}

static inline void client_init_origin(struct client *client)
{
    client->origin.ops = &client_ops;
    client->origin.source = TALLY_UDP;
    client->origin.owner = client;
    if (!client->origin.client.sa.sa_family) {
        int status = addr_parse(&client->origin.client, client->no_rd ? "127.0.0.1" : "198.51.100.1", 4000);
        assert(status == 0);
    }
    if (!client->origin.peer.sa.sa_family)
        client->origin.peer = client->origin.client;
}

/* Passes a message to the resolver as a query of this client. */
static inline void client_send(struct client *client, const void *wire, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* freed when query_start returns, like a listener's buffer */
    assert(copy);
    memcpy(copy, wire, len);
    client_init_origin(client);
    client->waiting = query_start(&resolver, &client->origin, (struct bytes){copy, len});
    free(copy);
}

/* Writes a query for the client's type (0: A) of `name`, in this letter case, with an OPT unless no_edns. */
static inline void client_write(struct client *client, const char *name)
{
    uint8_t *at = client->asked;
    write_u16(at, client->id);
    write_u16(at + 2, client->no_rd ? 0 : FLAG_RD);
    memcpy(at + 4, "\0\1\0\0\0\0\0", 7);
    at[11] = !client->no_edns;
    at += MESSAGE_HEADER;
    for (const char *dot; *name; name = *dot ? dot + 1 : dot) {
        dot = strchrnul(name, '.');
        *at++ = (uint8_t)(dot - name);
        memcpy(at, name, (size_t)(dot - name));
        at += dot - name;
    }
    *at++ = 0;
    write_u16(at, client->type ? client->type : TYPE_A);
    write_u16(at + 2, CLASS_IN);
    at += 4;
    if (!client->no_edns) {
        memcpy(at, "\0\0\51\4\320\0\0\0\0\0\0", 11);
        at += 11;
    }
    client->asked_len = (size_t)(at - client->asked);
}

static inline void client_ask(struct client *client, const char *name)
{
    client_write(client, name);
    client_send(client, client->asked, client->asked_len);
}

/* Passes the message of client_write to query_take, as one of a batch; false: the query has ended. */
static inline bool client_take(struct client *client, struct query *query)
{
    client_init_origin(client);
    query->origin = client->origin;
    return query_take(query, &resolver, (struct bytes){client->asked, client->asked_len});
}

#endif
