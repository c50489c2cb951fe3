/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - a subquery's `outer` list holds the outer query while that waits for it, and is empty if it has ended;
 *   - while `starting`, its response is in the room of all; later responses are copied into the subquery, because
 *     the outer query is only continued from the flush hook, where no other query is being processed.
 */
#include "resolve/subquery.h"

#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "resolve/resolver.h"

struct subquery {
    struct list_link link; /* in `running` or `due` */
    struct subqueries *all;
    struct list outer;
    unsigned data;
    bool starting, deferred, ended;
    uint8_t *message; /* owned */
    size_t len;
    struct addr client; /* of the outer query */
    unsigned interface;
    struct key key;
};

static struct subquery *subquery_new(struct subqueries *all, const struct query *outer, const struct key *key,
                                     unsigned data)
{
    struct subquery *subquery = slab_take(&all->slab);
    if (!subquery)
        return NULL;
    subquery->all = all;
    subquery->data = data;
    subquery->client = outer->origin.client;
    subquery->interface =
        outer->origin.tcp || outer->origin.local.sa.sa_family != AF_UNSPEC ? outer->origin.interface : 0;
    list_init(&subquery->outer);
    key_copy(&subquery->key, key);
    return subquery;
}

static void subquery_free(struct subquery *subquery)
{
    list_remove(&subquery->link);
    mem_free(subquery->message);
    slab_give(&subquery->all->slab, subquery);
}

/* --- the response --- */

static uint8_t *subquery_room(struct query *query, size_t cap)
{
    struct subquery *subquery = query->origin.owner;
    (void)cap;
    return subquery->all->room;
}

static void subquery_due(struct subquery *subquery)
{
    struct subqueries *all = subquery->all;
    list_remove(&subquery->link);
    list_push_back(&all->due, &subquery->link);
    loop_add_flush(all->resolver->loop, &all->flush);
}

static void subquery_reply(struct query *query, size_t len)
{
    struct subquery *subquery = query->origin.owner;
    subquery->ended = true;
    if (subquery->starting) {
        subquery->all->room_len = len;
        return;
    }
    subquery->message = len > 0 ? mem_alloc(len) : NULL;
    subquery->len = subquery->message ? len : 0;
    if (subquery->message)
        memcpy(subquery->message, subquery->all->room, len);
    subquery_due(subquery);
}

static void subquery_dropped(struct query *query)
{
    subquery_reply(query, 0);
}

/* The response of `len` bytes; a message without an answer if there is none. */
static struct answer *read_answer(struct subqueries *all, uint8_t *message, size_t len, struct answer *out)
{
    struct answer_transport transport;
    if (len >= MESSAGE_HEADER && message_walk_answer(message, len, all->resolver->scratch, out, &transport) == 0)
        return out;
    *out = (struct answer){.wire = NULL};
    return NULL;
}

/* --- the start --- */

/* True: it has ended, and its response is in the room. */
static bool start(struct subquery *subquery)
{
    static const struct origin_ops ops = {.room = subquery_room, .reply = subquery_reply, .dropped = subquery_dropped};
    const struct edit_ask ask = {.edns = true};
    struct origin origin = {.ops = &ops,
                            .owner = subquery,
                            .client = subquery->client,
                            .peer = subquery->client,
                            .interface = subquery->interface,
                            .tcp = true};
    uint8_t wire[EDIT_QUESTION_MAX];
    size_t len = edit_question(wire, &subquery->key, &ask);
    subquery->starting = true;
    subquery->all->room_len = 0;
    /* The callbacks of the origin get the outcome. */
    (void)query_start(subquery->all->resolver, &origin, (struct bytes){wire, len});
    subquery->starting = false;
    return subquery->ended;
}

enum verdict subquery_ask(struct subqueries *all, struct query *outer, const struct key *key, unsigned data,
                          struct answer *out)
{
    struct subquery *subquery = subquery_new(all, outer, key, data);
    *out = (struct answer){.wire = NULL};
    if (!subquery)
        return NEXT;
    if (start(subquery)) {
        read_answer(all, all->room, all->room_len, out);
        subquery_free(subquery);
        return NEXT;
    }
    list_push_back(&all->running, &subquery->link);
    struct query *parked = query_park(outer); /* may end the query of the subquery */
    if (!parked)
        return DROPPED;
    list_push_back(&subquery->outer, &parked->in_step);
    return WAITING;
}

bool subquery_defer(struct subqueries *all, struct query *outer, const struct key *key, unsigned data)
{
    struct subquery *subquery = subquery_new(all, outer, key, data);
    if (!subquery)
        return false;
    subquery->deferred = true;
    list_push_back(&subquery->outer, &outer->in_step);
    subquery_due(subquery);
    return true;
}

/* --- continuing outer queries --- */

static void tell(struct subquery *subquery, uint8_t *message, size_t len)
{
    struct subqueries *all = subquery->all;
    struct list_link *link = list_pop(&subquery->outer);
    struct answer answer;
    if (link)
        (void)all->done(container_of(link, struct query, in_step), read_answer(all, message, len, &answer),
                        subquery->data, all->context);
    subquery_free(subquery);
}

static void run_due(struct subquery *subquery)
{
    struct subqueries *all = subquery->all;
    if (!subquery->deferred) {
        tell(subquery, subquery->message, subquery->len);
        return;
    }
    subquery->deferred = false;
    if (list_empty(&subquery->outer))
        subquery_free(subquery);
    else if (start(subquery))
        tell(subquery, all->room, all->room_len);
    else
        list_push_back(&all->running, &subquery->link);
}

static void flush(struct loop_flush *hook)
{
    struct subqueries *all = container_of(hook, struct subqueries, flush);
    struct list_link *link;
    while ((link = list_pop(&all->due)))
        run_due(container_of(link, struct subquery, link));
}

/* --- start and end of a step --- */

int subqueries_init(struct subqueries *all, struct resolver *resolver,
                    enum verdict (*done)(struct query *outer, const struct answer *answer, unsigned data,
                                         void *context),
                    void *context)
{
    *all = (struct subqueries){.resolver = resolver, .done = done, .context = context, .flush.flush = flush};
    list_init(&all->running);
    list_init(&all->due);
    slab_init(&all->slab, sizeof(struct subquery), offsetof(struct subquery, key), SIZE_MAX);
    all->room = mem_alloc(MESSAGE_MAX);
    return all->room ? 0 : -ENOMEM;
}

void subqueries_fini(struct subqueries *all)
{
    struct list_link *link;
    loop_remove_flush(&all->flush);
    while ((link = list_first(&all->due)) || (link = list_first(&all->running)))
        subquery_free(container_of(link, struct subquery, link));
    slab_fini(&all->slab);
    mem_free(all->room);
}
