/* SPDX-License-Identifier: MIT */
/* Invariants: the Question section of an answer is as long as its client's, so it is replaced in place and no
 * offset changes. The OPT is the last record, and its length is known before it is written: options that do not fit
 * are dropped in a fixed order, and an OPT without options always fits after a Question section. No function here
 * allocates or fails. */
#include "dns/edit.h"

#include <assert.h>
#include <string.h>
#include <ldns/packet.h>
#include <ldns/rr.h>
#include <ldns/wire2host.h>
#include "walk.h"

#define FLAG_OPCODE  0x7800
#define OPT_DO       0x80 /* RFC 6891 section 6.1.4, in the third byte of the OPT's TTL */
#define OPT_FIXED    11   /* root, TYPE, CLASS, TTL, RDLENGTH */
#define OPTION_FIXED 4    /* code, length */
#define ASK_UDP_SIZE 1232
#define SHORT_TEXT   64
#define ASK_BLOCK    128 /* RFC 8467 section 4.1 */

/* The content of the OPT of one response. */
struct opt_plan {
    bool present;
    size_t options; /* bytes of the client's options that fit as a whole */
    unsigned edes;  /* number of extended errors of the list */
    size_t text;    /* maximum bytes of each text */
};

/* The length of a text cut to whole characters in at most `most` bytes. */
static size_t text_len(const struct ede *ede, size_t most)
{
    if (ede->len <= most)
        return ede->len;
    while (most > 0 && ((uint8_t)ede->text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static size_t opt_len(const struct opt_plan *plan, const struct ede_list *ede)
{
    size_t len = OPT_FIXED + plan->options;
    if (!plan->present)
        return 0;
    for (unsigned i = 0; i < plan->edes; i++)
        len += OPTION_FIXED + 2 + text_len(&ede->item[i], plan->text);
    return len;
}

static struct opt_plan plan_opt(const struct edit_client *client, const struct ede_list *ede)
{
    bool present = client->request->edns;
    return (struct opt_plan){present, present && client->options ? client->options->len : 0,
                             present && ede ? ede->count : 0, EDE_TEXT};
}

static size_t option_len(const struct edit_options *options, size_t at)
{
    return OPTION_FIXED + (size_t)read_u16(options->data + at + 2);
}

/* The length of a COOKIE option if it is the first one, which is never dropped. */
static size_t cookie_len(const struct edit_options *options)
{
    bool is_there = options && options->len > 0 && read_u16(options->data) == LDNS_EDNS_COOKIE;
    return is_there ? option_len(options, 0) : 0;
}

/* The length of the options that fit as a whole. */
static size_t options_within(const struct edit_options *options, size_t room)
{
    size_t at = 0;
    while (at < options->len && at + option_len(options, at) <= room)
        at += option_len(options, at);
    return at;
}

/* Drops the ends of EDE texts, then the texts, then EDEs, then options, until the OPT fits. False: an OPT with the
 * cookie alone does not fit. */
static bool shrink_opt(struct opt_plan *plan, const struct ede_list *ede, const struct edit_options *options,
                       size_t room)
{
    if (opt_len(plan, ede) > room)
        plan->text = SHORT_TEXT;
    if (opt_len(plan, ede) > room)
        plan->text = 0;
    while (plan->edes > 0 && opt_len(plan, ede) > room)
        plan->edes--;
    if (opt_len(plan, ede) > room && plan->options > 0)
        plan->options = options_within(options, room > OPT_FIXED ? room - OPT_FIXED : 0);
    return opt_len(plan, ede) <= room && plan->options >= (plan->present ? cookie_len(options) : 0);
}

static uint8_t *put_option(uint8_t *at, uint16_t code, size_t len)
{
    const uint8_t head[OPTION_FIXED] = {code >> 8, (uint8_t)code, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(at, head, sizeof head);
    return at + sizeof head;
}

void edit_put_option(struct edit_options *options, uint16_t code, const void *data, size_t len)
{
    assert(options->len + OPTION_FIXED + len <= sizeof options->data);
    uint8_t *at = put_option(options->data + options->len, code, len);
    memcpy(at, data, len);
    options->len += OPTION_FIXED + len;
}

/* The OPT's fixed part (RFC 6891 section 6.1.2): the root, TYPE, the UDP size as CLASS; as TTL the upper rcode,
 * EDNS version 0, DO; RDLENGTH. */
static uint8_t *put_opt(uint8_t *at, uint16_t udp_size, uint16_t rcode, bool dnssec_ok, size_t options_len)
{
    const uint8_t fixed[OPT_FIXED] = {0,
                                      0,
                                      LDNS_RR_TYPE_OPT,
                                      udp_size >> 8,
                                      (uint8_t)udp_size,
                                      (uint8_t)(rcode >> 4),
                                      0,
                                      dnssec_ok ? OPT_DO : 0,
                                      0,
                                      (uint8_t)(options_len >> 8),
                                      (uint8_t)options_len};
    memcpy(at, fixed, sizeof fixed);
    return at + sizeof fixed;
}

/* Appends the planned OPT at `at` and counts it in the header. Returns the end. The format of an EDE: RFC 8914
 * section 2. */
static uint8_t *append_opt(uint8_t *wire, uint8_t *at, uint16_t rcode, const struct opt_plan *plan,
                           const struct ede_list *ede, const struct edit_client *client)
{
    at = put_opt(at, client->our_udp_size, rcode, client->request->dnssec_ok, opt_len(plan, ede) - OPT_FIXED);
    if (plan->options > 0) {
        memcpy(at, client->options->data, plan->options);
        at += plan->options;
    }
    for (unsigned i = 0; i < plan->edes; i++) {
        size_t text = text_len(&ede->item[i], plan->text);
        at = put_option(at, LDNS_EDNS_EDE, 2 + text);
        write_u16(at, ede->item[i].code);
        memcpy(at + 2, ede->item[i].text, text);
        at += 2 + text;
    }
    write_u16(wire + LDNS_ARCOUNT_OFF, (uint16_t)(read_u16(wire + LDNS_ARCOUNT_OFF) + 1));
    return at;
}

/* Pads a message, whose last record is the OPT at `opt`, with zeros as far as there is room. Returns the end. */
static uint8_t *pad(uint8_t *wire, uint8_t *opt, uint8_t *at, size_t room)
{
    size_t len = (size_t)(at - wire) + OPTION_FIXED, padding = (EDIT_PAD - len % EDIT_PAD) % EDIT_PAD;
    if (len > room)
        return at;
    if (padding > room - len)
        padding = room - len;
    at = put_option(at, LDNS_EDNS_PADDING, padding);
    memset(at, 0, padding);
    write_u16(opt + OPT_FIXED - 2, (uint16_t)(read_u16(opt + OPT_FIXED - 2) + OPTION_FIXED + padding));
    return at + padding;
}

/* Appends the OPT, padded if the client wants it. Returns the length of the message. */
static size_t end_with_opt(uint8_t *wire, size_t len, uint16_t rcode, const struct opt_plan *plan,
                           const struct ede_list *ede, const struct edit_client *client, size_t room)
{
    uint8_t *at = append_opt(wire, wire + len, rcode, plan, ede, client);
    if (client->pad)
        at = pad(wire, wire + len, at, room);
    return (size_t)(at - wire);
}

/* Writes id and flags: QR=1, AA=0, RA=1, Z=0; opcode, RD and CD as in the query; AD for clients that set AD or DO
 * (RFC 6840 section 5.8). Returns the rcode for this client: the upper eight bits need an OPT. */
static uint16_t put_header(uint8_t *wire, const struct request *request, uint16_t rcode, bool authenticated)
{
    bool show_ad = authenticated && (request->dnssec_ok || (request->flags & FLAG_AD));
    if (rcode > 15 && !request->edns)
        rcode = LDNS_RCODE_SERVFAIL;
    uint16_t flags = (uint16_t)(FLAG_QR | FLAG_RA | (request->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD)) |
                                (show_ad ? FLAG_AD : 0) | (rcode & 15));
    write_u16(wire, request->id);
    write_u16(wire + MESSAGE_FLAGS, flags);
    return rcode;
}

/* Sets the counts of a message without answer and authority records. */
static void set_counts(uint8_t *wire, bool question, bool opt)
{
    write_u16(wire + LDNS_QDCOUNT_OFF, question);
    write_u16(wire + LDNS_ANCOUNT_OFF, 0);
    write_u16(wire + LDNS_NSCOUNT_OFF, 0);
    write_u16(wire + LDNS_ARCOUNT_OFF, opt);
}

/* Keeps whole records of the answer section, then of the authority section, as far as they fit, for clients that
 * never use TCP. Returns the new length. */
static size_t keep_records(uint8_t *wire, size_t question_end, size_t room)
{
    size_t at = question_end, next;
    bool fits = true;
    for (unsigned offset = LDNS_ANCOUNT_OFF; offset <= LDNS_NSCOUNT_OFF; offset += 2) {
        unsigned count = read_u16(wire + offset), kept = 0;
        for (; fits && kept < count; kept += fits) {
            next = record_end(wire, at);
            fits = next <= room;
            at = fits ? next : at;
        }
        write_u16(wire + offset, (uint16_t)kept);
    }
    return at;
}

/* Shrinks an answer to `room`; returns the new length without the OPT. */
static __attribute__((noinline)) size_t shrink(uint8_t *wire, size_t room, const struct answer *answer,
                                               const struct edit_client *client, struct opt_plan *plan, bool *truncated)
{
    size_t question_end = client->request->question_end;
    write_u16(wire + LDNS_ARCOUNT_OFF, 0);
    if (answer->additional <= room && shrink_opt(plan, &answer->ede, client->options, room - answer->additional))
        return answer->additional;
    *truncated = true;
    wire[MESSAGE_FLAGS] |= FLAG_TC >> 8;
    plan->edes = 0;
    plan->options = plan->present ? cookie_len(client->options) : 0;
    assert(question_end + opt_len(plan, &answer->ede) <= room);
    return keep_records(wire, question_end, room - opt_len(plan, &answer->ede));
}

size_t edit_finish(uint8_t *wire, size_t cap, const struct answer *answer, const struct edit_client *client,
                   bool *truncated)
{
    const struct request *request = client->request;
    size_t room = client->limit < cap ? client->limit : cap, len = answer->len;
    uint16_t rcode = put_header(wire, request, answer->rcode, client->authenticated);
    struct opt_plan plan = {false, 0, 0, 0};
    size_t opt = 0;
    assert(request->question_end <= answer->additional && answer->additional <= len);

    *truncated = false;
    memmove(wire + MESSAGE_HEADER, client->question, (size_t)request->question_end - MESSAGE_HEADER);
    if (request->edns) {
        plan = plan_opt(client, &answer->ede);
        opt = opt_len(&plan, &answer->ede);
    }
    if (len + opt > room)
        len = shrink(wire, room, answer, client, &plan, truncated);
    return plan.present ? end_with_opt(wire, len, rcode, &plan, &answer->ede, client, room) : len;
}

size_t edit_error(uint8_t *out, size_t cap, uint16_t rcode, bool with_question, const struct ede_list *ede,
                  const struct edit_client *client)
{
    const struct request *request = client->request;
    bool question = with_question && request->has_question;
    size_t len = question ? request->question_end : MESSAGE_HEADER;
    size_t room = client->limit < cap ? client->limit : cap;
    struct opt_plan plan = plan_opt(client, ede);
    bool fits = len <= room && shrink_opt(&plan, ede, client->options, room - len);
    assert(fits);

    rcode = put_header(out, request, rcode, false);
    set_counts(out, question, false);
    if (question)
        memmove(out + MESSAGE_HEADER, client->question, len - MESSAGE_HEADER);
    return plan.present ? end_with_opt(out, len, rcode, &plan, ede, client, room) : len;
}

void edit_age(uint8_t *wire, const uint16_t *ttl_offsets, unsigned count, uint32_t elapsed)
{
    for (const uint16_t *at = ttl_offsets; at < ttl_offsets + count; at++) {
        uint32_t ttl = read_u32(wire + *at);
        write_u32(wire + *at, ttl > elapsed ? ttl - elapsed : 0);
    }
}

/* The options: keepalive; RFC 7871 section 7.1.2: a client that does not want its address to be sent on uses a
 * source prefix of 0; padding with zeros up to the next multiple of ASK_BLOCK bytes of the message (RFC 7830, RFC
 * 8467 section 4.1). */
size_t edit_question(uint8_t out[EDIT_QUESTION_MAX], const struct key *key, const struct edit_ask *ask)
{
    static const uint8_t subnet_none[] = {0, 1 /* IPv4 */, 0, 0};
    const uint8_t header[MESSAGE_HEADER] = {
        0, 0, FLAG_RD >> 8, FLAG_AD | (key->flags & KEY_CD || ask->unchecked ? FLAG_CD : 0), 0, 1, 0, 0, 0,
        0, 0, ask->edns};
    const uint8_t type_and_class[] = {key->type >> 8, (uint8_t)key->type, key->class >> 8, (uint8_t)key->class};
    uint8_t *at = out + sizeof header;
    memcpy(out, header, sizeof header);
    memcpy(at, key->name, key->name_len);
    memcpy(at + key->name_len, type_and_class, sizeof type_and_class);
    at += key->name_len + sizeof type_and_class;
    if (!ask->edns)
        return (size_t)(at - out);

    uint8_t *options = at = put_opt(at, ASK_UDP_SIZE, 0, key->flags & KEY_DO, 0);
    if (ask->keepalive)
        at = put_option(at, LDNS_EDNS_KEEPALIVE, 0);
    if (ask->subnet_none) {
        at = put_option(at, LDNS_EDNS_CLIENT_SUBNET, sizeof subnet_none);
        memcpy(at, subnet_none, sizeof subnet_none);
        at += sizeof subnet_none;
    }
    if (ask->pad) {
        size_t padding = (ASK_BLOCK - ((size_t)(at - out) + OPTION_FIXED) % ASK_BLOCK) % ASK_BLOCK;
        at = put_option(at, LDNS_EDNS_PADDING, padding);
        memset(at, 0, padding);
        at += padding;
    }
    write_u16(options - 2, (uint16_t)(at - options));
    return (size_t)(at - out);
}
