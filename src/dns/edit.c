/* SPDX-License-Identifier: MIT */
/* Invariants: an answer's question is as long as its client's, so a question is replaced in place and no
 * offset moves. The OPT stands last, and its length is known before it is written: what does not fit is given
 * up in a fixed order, and an OPT without options always fits beside a question. Nothing here allocates or
 * fails. */
#include "dns/edit.h"

#include <assert.h>
#include <string.h>
#include <ldns/packet.h>
#include <ldns/rr.h>
#include <ldns/wire2host.h>

#define FLAG_OPCODE   0x7800
#define OPT_DO        0x8000 /* RFC 6891 section 6.1.4, the lower half of the OPT's TTL */
#define OPT_FIXED     11     /* root, TYPE, CLASS, TTL, RDLENGTH */
#define OPTION_FIXED  4      /* code, length */
#define KEEPALIVE_LEN 2
#define ASK_UDP_SIZE  1232
#define ASK_BLOCK     128 /* RFC 8467 section 4.1 */

/* What the OPT of one answer holds. */
struct opt_plan {
    bool present, keepalive;
    unsigned edes; /* how many of the list */
    bool texts;    /* with their texts */
};

static size_t ede_len(const struct opt_plan *plan, const struct ede *ede)
{
    return OPTION_FIXED + 2 + (plan->texts ? ede->len : 0u);
}

static size_t opt_len(const struct opt_plan *plan, const struct ede_list *ede)
{
    size_t len = OPT_FIXED + (plan->keepalive ? OPTION_FIXED + KEEPALIVE_LEN : 0);
    for (unsigned i = 0; i < plan->edes; i++)
        len += ede_len(plan, &ede->item[i]);
    return plan->present ? len : 0;
}

static struct opt_plan plan_opt(const struct edit_client *client, const struct ede_list *ede)
{
    if (!client->request->edns)
        return (struct opt_plan){.present = false};
    return (struct opt_plan){true, client->tcp && client->keepalive, ede ? ede->count : 0, true};
}

/* Gives up EDE texts, then EDEs, then keepalive, until the OPT fits. False if it does not even so. */
static bool shrink_opt(struct opt_plan *plan, const struct ede_list *ede, size_t room)
{
    plan->texts = plan->texts && opt_len(plan, ede) <= room;
    while (plan->edes > 0 && opt_len(plan, ede) > room)
        plan->edes--;
    plan->keepalive = plan->keepalive && opt_len(plan, ede) <= room;
    return opt_len(plan, ede) <= room;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    write_u16(at, value);
    return at + 2;
}

static uint8_t *put_option(uint8_t *at, uint16_t code, size_t len)
{
    return put_u16(put_u16(at, code), (uint16_t)len);
}

/* The OPT's fixed part (RFC 6891 section 6.1.2), EDNS version 0. */
static uint8_t *put_opt(uint8_t *at, uint16_t udp_size, uint16_t rcode, bool dnssec_ok, size_t options_len)
{
    *at++ = 0;
    at = put_u16(at, LDNS_RR_TYPE_OPT);
    at = put_u16(at, udp_size);
    at = put_u16(at, (uint16_t)(rcode >> 4 << 8));
    at = put_u16(at, dnssec_ok ? OPT_DO : 0);
    return put_u16(at, (uint16_t)options_len);
}

/* RFC 8914 section 2. */
static uint8_t *put_ede(uint8_t *at, const struct opt_plan *plan, const struct ede *ede)
{
    size_t len = ede_len(plan, ede) - OPTION_FIXED;
    at = put_u16(put_option(at, LDNS_EDNS_EDE, len), ede->code);
    memcpy(at, ede->text, len - 2);
    return at + len - 2;
}

/* Appends the planned OPT at `at` and counts it in the header. Gives the end. */
static uint8_t *append_opt(uint8_t *wire, uint8_t *at, uint16_t rcode, const struct opt_plan *plan,
                           const struct ede_list *ede, const struct edit_client *client)
{
    if (!plan->present)
        return at;
    at = put_opt(at, client->our_udp_size, rcode, client->request->dnssec_ok, opt_len(plan, ede) - OPT_FIXED);
    if (plan->keepalive)
        at = put_u16(put_option(at, LDNS_EDNS_KEEPALIVE, KEEPALIVE_LEN), client->keepalive_100ms);
    for (unsigned i = 0; i < plan->edes; i++)
        at = put_ede(at, plan, &ede->item[i]);
    write_u16(wire + LDNS_ARCOUNT_OFF, (uint16_t)(read_u16(wire + LDNS_ARCOUNT_OFF) + 1));
    return at;
}

/* The rcode that this client can be told: the upper eight bits need an OPT. */
static uint16_t shown_rcode(uint16_t rcode, const struct request *request)
{
    return rcode > 15 && !request->edns ? LDNS_RCODE_SERVFAIL : rcode;
}

/* QR=1, AA=0, RA=1, Z=0; opcode, RD and CD as asked; AD to who knows what it means (RFC 6840 section 5.8). */
static uint16_t answer_flags(const struct request *request, uint16_t rcode, bool authenticated)
{
    bool show_ad = authenticated && (request->dnssec_ok || (request->flags & FLAG_AD));
    return (uint16_t)(FLAG_QR | FLAG_RA | (request->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD)) |
                      (show_ad ? FLAG_AD : 0) | (rcode & 15));
}

/* Counts of a message without answer and authority records. */
static void set_counts(uint8_t *wire, bool question, bool opt)
{
    write_u16(wire + LDNS_QDCOUNT_OFF, question);
    write_u16(wire + LDNS_ANCOUNT_OFF, 0);
    write_u16(wire + LDNS_NSCOUNT_OFF, 0);
    write_u16(wire + LDNS_ARCOUNT_OFF, opt);
}

/* Makes an answer that is too big fit `room`, and gives the length that is left of it, without the OPT. */
static __attribute__((noinline)) size_t shrink(uint8_t *wire, size_t room, const struct answer *answer,
                                               const struct request *request, struct opt_plan *plan, bool *truncated)
{
    write_u16(wire + LDNS_ARCOUNT_OFF, 0);
    if (answer->additional <= room && shrink_opt(plan, &answer->ede, room - answer->additional))
        return answer->additional;
    *truncated = true;
    wire[MESSAGE_FLAGS] |= FLAG_TC >> 8;
    set_counts(wire, true, false);
    plan->edes = 0;
    bool fits = request->question_end <= room && shrink_opt(plan, &answer->ede, room - request->question_end);
    assert(fits);
    return request->question_end;
}

size_t edit_finish(uint8_t *wire, size_t cap, const struct answer *answer, const struct edit_client *client,
                   bool *truncated)
{
    const struct request *request = client->request;
    size_t room = client->limit < cap ? client->limit : cap;
    uint16_t rcode = shown_rcode(answer->rcode, request);
    struct opt_plan plan = plan_opt(client, &answer->ede);
    size_t len = answer->len;
    assert(request->question_end <= answer->additional && answer->additional <= len);

    *truncated = false;
    edit_set_id(wire, request->id);
    write_u16(wire + MESSAGE_FLAGS, answer_flags(request, rcode, client->authenticated));
    memmove(wire + MESSAGE_HEADER, client->question, (size_t)request->question_end - MESSAGE_HEADER);
    if (len + opt_len(&plan, &answer->ede) > room)
        len = shrink(wire, room, answer, request, &plan, truncated);
    return (size_t)(append_opt(wire, wire + len, rcode, &plan, &answer->ede, client) - wire);
}

size_t edit_error(uint8_t *out, size_t cap, uint16_t rcode, bool with_question, const struct ede_list *ede,
                  const struct edit_client *client)
{
    const struct request *request = client->request;
    bool question = with_question && request->has_question;
    size_t len = question ? request->question_end : MESSAGE_HEADER;
    size_t room = client->limit < cap ? client->limit : cap;
    struct opt_plan plan = plan_opt(client, ede);
    bool fits = len <= room && shrink_opt(&plan, ede, room - len);
    assert(fits);

    rcode = shown_rcode(rcode, request);
    edit_set_id(out, request->id);
    write_u16(out + MESSAGE_FLAGS, answer_flags(request, rcode, false));
    set_counts(out, question, false);
    if (question)
        memmove(out + MESSAGE_HEADER, client->question, len - MESSAGE_HEADER);
    return (size_t)(append_opt(out, out + len, rcode, &plan, ede, client) - out);
}

/* RFC 7871 section 7.1.2: a client that wants nothing of its address told says so with a source prefix of 0.
 */
static uint8_t *put_subnet_none(uint8_t *at)
{
    at = put_option(at, LDNS_EDNS_CLIENT_SUBNET, 4);
    at = put_u16(at, 1); /* IPv4 */
    return put_u16(at, 0);
}

/* Zeros up to the next multiple of ASK_BLOCK octets of the message (RFC 7830, RFC 8467 section 4.1). */
static uint8_t *put_padding(uint8_t *at, const uint8_t *message)
{
    size_t end = (size_t)(at - message) + OPTION_FIXED;
    size_t len = (ASK_BLOCK - end % ASK_BLOCK) % ASK_BLOCK;
    at = put_option(at, LDNS_EDNS_PADDING, len);
    memset(at, 0, len);
    return at + len;
}

static uint8_t *put_question(uint8_t *at, const struct key *key)
{
    memcpy(at, key->name, key->name_len);
    return put_u16(put_u16(at + key->name_len, key->type), key->class);
}

size_t edit_question(uint8_t out[EDIT_QUESTION_MAX], const struct key *key, const struct edit_ask *ask)
{
    edit_set_id(out, 0);
    write_u16(out + MESSAGE_FLAGS, FLAG_RD | FLAG_AD | (key->flags & KEY_CD ? FLAG_CD : 0));
    set_counts(out, true, ask->edns);
    uint8_t *at = put_question(out + MESSAGE_HEADER, key);
    if (!ask->edns)
        return (size_t)(at - out);

    uint8_t *options = put_opt(at, ASK_UDP_SIZE, 0, key->flags & KEY_DO, 0);
    at = options;
    if (ask->keepalive)
        at = put_option(at, LDNS_EDNS_KEEPALIVE, 0);
    if (ask->subnet_none)
        at = put_subnet_none(at);
    if (ask->pad)
        at = put_padding(at, out);
    write_u16(options - 2, (uint16_t)(at - options));
    return (size_t)(at - out);
}
