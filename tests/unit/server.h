/* SPDX-License-Identifier: MIT */
/* A resolver with one step that answers by the first letter of the name: for tests of listeners with real sockets
 * on loopback. The test runs the turns of the loop; time passes only when the test advances it.
 *
 *   w...     waits until server_answer_waiting
 *   e...     is parked, and answered at once
 *   b10...   ten A records
 *   s...     no response
 *   others   NXDOMAIN
 */
#ifndef DOTSTUB_TESTS_SERVER_H
#define DOTSTUB_TESTS_SERVER_H

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "listen/listeners.h"
#include "net/socket.h"
#include "resolve/resolver.h"

#define START_MS    1000000
#define PATIENCE_MS 10000 /* of the real clock: only a failing test takes that long */

struct server {
    struct loop loop;
    struct counters counters;
    struct config config;
    struct groups groups; /* empty: no upstream queries */
    struct resolver resolver;
    struct list waiting; /* queries, by in_step */
    unsigned waiting_count;
    uint64_t now_ms;
};

static struct server server;

static inline void server_set_clock(uint64_t ms)
{
    server.now_ms = ms;
    clock_fake(ms * 1000, 0);
}

static inline uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void answer_records(struct query *query, unsigned records)
{
    struct resolver *resolver = query->resolver;
    struct writer writer = writer_over(resolver->big, MESSAGE_MAX);
    struct answer answer;
    writer_u16(&writer, 0);
    writer_u16(&writer, FLAG_QR);
    writer_u16(&writer, 1);
    writer_u16(&writer, (uint16_t)records);
    writer_u32(&writer, 0);
    writer_bytes(&writer, query->key.name, query->key.name_len);
    writer_u16(&writer, query->key.type);
    writer_u16(&writer, query->key.class);
    for (unsigned i = 0; i < records; i++) {
        writer_u16(&writer, 0xC00C);
        writer_u32(&writer, 0x00010001);
        writer_u32(&writer, 60);
        writer_u16(&writer, 4);
        writer_u32(&writer, i);
    }
    int status = message_own_answer(resolver->big, writer_len(&writer), resolver->scratch, &answer);
    assert(!writer.failed && status == 0);
    query_answer(query, &answer);
}

static inline void answer_by_name(struct query *query)
{
    const char *name = (const char *)query->key.name + 1;
    if (*name == 'b')
        answer_records(query, (unsigned)atoi(name + 1));
    else if (*name == 's')
        query_drop(query, COUNTER_drops_policy);
    else
        query_error(query, RCODE_NXDOMAIN, EDE_NONE, NULL);
}

static inline enum verdict server_step(struct query *query, void *state)
{
    (void)state;
    struct query *parked = NULL;
    char first = (char)query->key.name[1];
    if (first != 'w' && first != 'e') {
        answer_by_name(query);
        return ANSWERED;
    }
    parked = query_park(query);
    if (!parked)
        return DROPPED;
    if (first == 'e')
        return query_error(parked, RCODE_NXDOMAIN, EDE_NONE, NULL);
    list_push_back(&server.waiting, &parked->in_step);
    server.waiting_count++;
    return WAITING;
}

/* "wb10" waits and is answered as "b10". The newest first: out of order for the client. */
static inline void server_answer_waiting(void)
{
    while (!list_empty(&server.waiting)) {
        struct query *query = container_of(server.waiting.head.prev, struct query, in_step);
        const char *name = (const char *)query->key.name + 1;
        if (name[1] == 'b')
            answer_records(query, (unsigned)atoi(name + 2));
        else
            query_error(query, RCODE_NXDOMAIN, EDE_NONE, NULL);
    }
    server.waiting_count = 0;
}

static inline void server_open(void)
{
    static const struct step step = {.name = "answer", .run = server_step};
    static const struct step *const order[] = {&step, NULL};
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
    server_set_clock(START_MS);
    server = (struct server){.now_ms = START_MS};
    list_init(&server.waiting);
    server.config.limits.queries_in_flight = 10000;
    server.config.limits.answer_by_ms = 3600000;
    server.config.log_slow_ms = 3600000;
    static struct prefix everyone[] = {{{[10] = 0xff, [11] = 0xff}, 96}, {{0}, 0}}; /* 0.0.0.0/0 and ::/0 */
    server.config.access.allow = everyone;
    server.config.access.allow_count = 2;
    server.config.limits.udp_size = 1232;
    server.config.limits.tcp_idle_ms = 10000;
    server.config.limits.tcp_output = 4 << 20;
    server.config.limits.udp_waiting = 100;
    int status = loop_init(&server.loop);
    assert(status == 0);
    struct cache *cache = cache_new(0);
    assert(cache);
    struct step_set *steps;
    status = step_set_new(&steps, order, &server.config, stderr);
    assert(status == 0);
    status =
        resolver_init(&server.resolver, &server.loop, &server.counters, &server.config, cache, &server.groups, steps);
    assert(status == 0);
    step_set_unref(steps);
}

static inline void server_close(void)
{
    bool drained = loop_drain(&server.loop, 0) || (clock_real(), loop_drain(&server.loop, PATIENCE_MS));
    assert(drained && resolver_waiting(&server.resolver) == 0);
    cache_free(server.resolver.cache);
    resolver_fini(&server.resolver);
    loop_fini(&server.loop);
    clock_real();
}

static inline void turn(void)
{
    uv_run(&server.loop.uv, UV_RUN_NOWAIT);
}

/* Advances the clock and runs expired deadlines. */
static inline void pass_time(uint64_t ms)
{
    server_set_clock(server.now_ms + ms);
    server.loop.now_ms = 0;
    for (int i = 0; i < 4; i++)
        turn();
}

/* Runs turns until `condition` holds; false: timeout. */
#define TURN_UNTIL(condition)                                                                                          \
    ({                                                                                                                 \
        uint64_t until_ms = real_ms() + PATIENCE_MS;                                                                   \
        bool holds;                                                                                                    \
        while (!(holds = (condition)) && real_ms() < until_ms)                                                         \
            turn();                                                                                                    \
        holds;                                                                                                         \
    })

static inline bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static inline uint64_t counted(enum counter which)
{
    return counter_read(&server.counters, which);
}

/* A query for an A record; returns its length. */
static inline size_t write_question(uint8_t *out, uint16_t id, const char *name)
{
    uint8_t wire[NAME_MAX_WIRE];
    int name_len = name_from_text(wire, name);
    assert(name_len > 0);
    struct writer writer = writer_over(out, 512);
    writer_u16(&writer, id);
    writer_u16(&writer, FLAG_RD);
    writer_u16(&writer, 1);
    writer_u32(&writer, 0);
    writer_u16(&writer, 0);
    writer_bytes(&writer, wire, (size_t)name_len);
    writer_u32(&writer, 0x00010001);
    return writer_len(&writer);
}

static inline struct addr address(const char *text)
{
    struct addr addr;
    int status = addr_parse(&addr, text, 1);
    assert(status == 0);
    addr_set_port(&addr, strchr(text, '@') ? addr_port(&addr) : 0);
    return addr;
}

/* A line of the table of listeners. */
static inline const struct listener_kind *kind_named(const char *name)
{
    for (size_t i = 0; listener_kinds[i]; i++)
        if (strcmp(listener_kinds[i]->name, name) == 0)
            return listener_kinds[i];
    return NULL;
}

/* The address that a socket is bound to. */
static inline struct addr bound_at(int fd)
{
    struct sockaddr_storage name;
    struct addr addr;
    socklen_t len = sizeof name;
    int status = getsockname(fd, (struct sockaddr *)&name, &len);
    assert(status == 0);
    status = addr_from_sockaddr(&addr, (struct sockaddr *)&name);
    assert(status == 0);
    return addr;
}

#endif
