/* SPDX-License-Identifier: MIT */
/* Runs queries through the steps of policy/: an origin that stores the response, a last step that counts the
 * queries that reach it, and ldns as an independent parser. */
#ifndef DOTSTUB_TESTS_ASKER_H
#define DOTSTUB_TESTS_ASKER_H

#include <assert.h>
#include <stdbool.h> /* otherwise ldns defines a type of this name */
#include <string.h>
#include <ldns/ldns.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "resolve/resolver.h"

struct asker {
    struct loop loop;
    struct counters counters;
    /* The test's configuration, and the one that the resolver was last configured with. */
    struct config config, configured;
    struct groups groups; /* empty: no upstream queries */
    struct resolver resolver;
    struct prefix allowed;
    struct addr client;
    bool tcp, no_room;
    uint16_t flags; /* of the next query */
    uint16_t class;
    bool edns, dnssec_ok;
    bool no_question;
    struct bytes options; /* EDNS options of the next query, in wire form */
    uint16_t id;
    /* The outcome. */
    unsigned replies, passed;
    uint8_t answer[MESSAGE_MAX];
    size_t len;
    ldns_pkt *packet; /* of the response; NULL: none */
};

static inline uint8_t *asker_room(struct query *query, size_t cap)
{
    struct asker *asker = query->origin.owner;
    assert(cap <= sizeof asker->answer);
    return asker->no_room ? NULL : asker->answer;
}

static inline void asker_reply(struct query *query, size_t len)
{
    struct asker *asker = query->origin.owner;
    asker->replies++;
    asker->len = len;
}

static inline enum verdict asker_pass(struct query *query, void *state)
{
    (void)state;
    struct asker *asker = query->origin.owner;
    asker->passed++;
    return query_drop(query, COUNTER_drops_policy);
}

/* The steps for the asker's current configuration. */
static inline struct step_set *asker_steps(const struct asker *asker, const struct step *const *order)
{
    struct step_set *steps;
    int status = step_set_new(&steps, order, &asker->config, stderr);
    assert(status == 0);
    return steps;
}

static inline void asker_configure(struct asker *asker)
{
    if (memcmp(&asker->config, &asker->configured, sizeof asker->config) == 0)
        return;
    struct step_set *steps = asker_steps(asker, asker->resolver.steps->order);
    resolver_configure(&asker->resolver, &asker->config, steps);
    asker->configured = asker->config;
    step_set_unref(steps);
}

static inline void asker_open(struct asker *asker, const struct step *const *order)
{
    *asker = (struct asker){.flags = FLAG_RD, .class = CLASS_IN};
    int status = loop_init(&asker->loop);
    assert(status == 0);
    asker->config.limits.queries_in_flight = 10;
    asker->config.limits.answer_by_ms = 3500;
    asker->config.log_slow_ms = 500;
    asker->config.limits.udp_size = 1232;
    asker->config.access.allow = &asker->allowed;
    asker->config.access.allow_count = 1;
    status = prefix_parse(&asker->allowed, "0.0.0.0/0");
    assert(status == 0);
    status = addr_parse(&asker->client, "127.0.0.1@5353", 53);
    assert(status == 0);
    struct step_set *steps = asker_steps(asker, order);
    status =
        resolver_init(&asker->resolver, &asker->loop, &asker->counters, &asker->config, NULL, &asker->groups, steps);
    assert(status == 0);
    step_set_unref(steps);
    asker->configured = asker->config;
}

static inline void asker_close(struct asker *asker)
{
    ldns_pkt_free(asker->packet);
    resolver_fini(&asker->resolver);
    loop_fini(&asker->loop);
}

static inline size_t asker_write_opt(const struct asker *asker, struct writer *writer)
{
    if (asker->edns) {
        writer_u8(writer, 0);
        writer_u16(writer, TYPE_OPT);
        writer_u16(writer, 1232);
        writer_u32(writer, asker->dnssec_ok ? 0x8000 : 0);
        writer_u16(writer, (uint16_t)asker->options.len);
        writer_bytes(writer, asker->options.data, asker->options.len);
    }
    assert(!writer->failed);
    return writer_len(writer);
}

static inline size_t asker_write_question(const struct asker *asker, uint8_t *out, const char *name, uint16_t type)
{
    struct writer writer = writer_over(out, 512);
    writer_u16(&writer, asker->id);
    writer_u16(&writer, asker->flags);
    writer_u16(&writer, !asker->no_question);
    writer_u32(&writer, 0);
    writer_u16(&writer, asker->edns);
    if (asker->no_question)
        return asker_write_opt(asker, &writer);
    while (*name) { /* name_from_text would change the letter case */
        size_t label = strcspn(name, ".");
        writer_u8(&writer, (uint8_t)label);
        writer_bytes(&writer, name, label);
        name += label + (name[label] == '.');
    }
    writer_u8(&writer, 0);
    writer_u16(&writer, type);
    writer_u16(&writer, asker->class);
    return asker_write_opt(asker, &writer);
}

/* "" is the root; a last dot may be left out. */
static inline void asker_ask(struct asker *asker, const char *name, uint16_t type)
{
    static const struct origin_ops ops = {.room = asker_room, .reply = asker_reply};
    struct origin origin = {.ops = &ops,
                            .owner = asker,
                            .client = asker->client,
                            .peer = asker->client,
                            .source = asker->tcp ? TALLY_TCP : TALLY_UDP,
                            .tcp = asker->tcp};
    uint8_t question[512];
    asker_configure(asker);
    asker->id++;
    size_t len = asker_write_question(asker, question, name, type);
    asker->replies = asker->passed = 0;
    ldns_pkt_free(asker->packet);
    asker->packet = NULL;
    struct query *waiting = query_start(&asker->resolver, &origin, (struct bytes){question, len});
    assert(!waiting);
    if (asker->replies == 0)
        return;
    ldns_status status = ldns_wire2pkt(&asker->packet, asker->answer, asker->len);
    assert(status == LDNS_STATUS_OK);
    size_t end = len - (asker->edns ? 11 + asker->options.len : 0);
    /* In the query's letter case. */
    assert(asker->len >= end && memcmp(asker->answer + 12, question + 12, end - 12) == 0);
}

/* True if the response has the properties of every response (id, flags, OPT if the query had one) and this rcode. */
static inline bool asker_was_answered(const struct asker *asker, uint16_t rcode)
{
    const ldns_pkt *packet = asker->packet;
    return asker->replies == 1 && asker->passed == 0 && packet && ldns_pkt_id(packet) == asker->id &&
           ldns_pkt_get_rcode(packet) == rcode && ldns_pkt_qr(packet) && !ldns_pkt_aa(packet) && ldns_pkt_ra(packet) &&
           !ldns_pkt_tc(packet) && !ldns_pkt_ad(packet) && ldns_pkt_rd(packet) == !!(asker->flags & FLAG_RD) &&
           ldns_pkt_edns(packet) == asker->edns && ldns_pkt_edns_do(packet) == asker->dnssec_ok;
}

/* The section's records as ldns writes them, one a line, fields apart by one space. */
static inline const char *asker_section(const struct asker *asker, ldns_pkt_section section)
{
    static char text[4096];
    size_t len = 0;
    ldns_rr_list *list = ldns_pkt_get_section_clone(asker->packet, section);
    char *printed = ldns_rr_list2str(list);
    for (const char *at = printed; *at && len < sizeof text - 1; at++)
        text[len++] = *at == '\t' ? ' ' : *at;
    text[len] = '\0';
    LDNS_FREE(printed);
    ldns_rr_list_deep_free(list);
    return text;
}

/* The data of the answer's first option of this code; NULL: none. */
static inline struct bytes asker_option(const struct asker *asker, uint16_t code)
{
    const ldns_rdf *options = ldns_pkt_edns_data(asker->packet);
    size_t len = options ? ldns_rdf_size(options) : 0;
    const uint8_t *data = options ? ldns_rdf_data(options) : NULL;
    for (size_t at = 0; at + 4 <= len; at += 4 + (size_t)read_u16(data + at + 2))
        if (read_u16(data + at) == code)
            return (struct bytes){data + at + 4, read_u16(data + at + 2)};
    return (struct bytes){NULL, 0};
}

/* The info-code of the answer's first extended error; -1: none. */
static inline int asker_ede(const struct asker *asker)
{
    struct bytes ede = asker_option(asker, 15);
    return ede.data ? read_u16(ede.data) : -1;
}

static inline void asker_from(struct asker *asker, const char *address)
{
    int status = addr_parse(&asker->client, address, 5353);
    assert(status == 0);
}

#endif
