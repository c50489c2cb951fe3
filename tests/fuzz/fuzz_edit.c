/* SPDX-License-Identifier: MIT */
/* Finishes any response that the walk accepts for a client made of the input's first bytes: the result stays within the
 * limit, the walk accepts it, it has the client's Question section, and it is truncated only if necessary. The same holds
 * for an error response. */
#include "dns/edit.h"
#include "fuzz.h"

#include <ctype.h>

#define OPT 11

static struct answer_scratch scratch;
static struct answer_transport transport;

struct visitor {
    struct request request;
    struct edit_client client;
    uint8_t question[NAME_MAX_WIRE + 4];
    bool cookie, keepalive;
    struct edit_options options;
};

static void put_options(struct visitor *visitor)
{
    if (visitor->cookie)
        edit_put_option(&visitor->options, OPTION_CODE_COOKIE, "cookie of 24 bytes .....", EDIT_COOKIE);
    if (visitor->keepalive)
        edit_put_option(&visitor->options, OPTION_CODE_KEEPALIVE, "\0\144", 2);
    visitor->client.options = &visitor->options;
}

/* All fields except the Question section. */
static void make_visitor(struct visitor *visitor, struct cursor *cursor)
{
    uint8_t bits = cursor_u8(cursor);
    uint16_t limit = cursor_u16(cursor);
    memset(visitor, 0, sizeof(*visitor));
    visitor->request.id = cursor_u16(cursor);
    visitor->request.flags = cursor_u16(cursor) & 0x07ff; /* opcode QUERY: the walk refuses others */
    visitor->request.edns = bits & 1;
    visitor->request.dnssec_ok = (bits & 3) == 3;
    visitor->client = (struct edit_client){.request = &visitor->request,
                                           .question = visitor->question,
                                           .limit = limit < EDIT_ERROR_MIN ? EDIT_ERROR_MIN : limit,
                                           .our_udp_size = 1232,
                                           .authenticated = bits & 16};
    visitor->cookie = bits & 4;
    visitor->keepalive = bits & 8;
    put_options(visitor);
}

/* The Question section of the response in the client's letter case. */
static void ask_in_capitals(struct visitor *visitor, const struct answer *answer)
{
    size_t name = name_len((struct bytes){answer->wire + MESSAGE_HEADER, answer->len - MESSAGE_HEADER});
    MUST(name > 0);
    memcpy(visitor->question, answer->wire + MESSAGE_HEADER, name + 4);
    for (size_t i = 0; i < name; i++)
        visitor->question[i] = (uint8_t)toupper(visitor->question[i]);
    visitor->request.has_question = true;
    visitor->request.name_len = (uint8_t)name;
    visitor->request.question_end = (uint16_t)(MESSAGE_HEADER + name + 4);
}

static void check_flags(const uint8_t *wire, const struct visitor *visitor, bool truncated)
{
    const struct request *request = &visitor->request;
    uint16_t flags = read_u16(wire + MESSAGE_FLAGS);
    MUST(read_u16(wire) == request->id);
    MUST((flags & (FLAG_QR | FLAG_RA)) == (FLAG_QR | FLAG_RA) && !(flags & (FLAG_AA | 0x0040)));
    MUST((flags & (FLAG_RD | FLAG_CD)) == (request->flags & (FLAG_RD | FLAG_CD)));
    MUST(!(flags & FLAG_AD) || (visitor->client.authenticated && (request->dnssec_ok || (request->flags & FLAG_AD))));
    MUST(!(flags & FLAG_TC) == !truncated);
}

/* Checks of every message to the client; `again` is the result of walking it. */
static void check_message(uint8_t *wire, size_t len, const struct visitor *visitor, uint16_t rcode,
                          struct answer *again)
{
    const struct request *request = &visitor->request;
    MUST(len <= visitor->client.limit);
    MUST(memcmp(wire + MESSAGE_HEADER, visitor->question, request->question_end - MESSAGE_HEADER) == 0);
    MUST(message_walk_answer(wire, len, &scratch, again, &transport) == 0);
    MUST(transport.edns == request->edns);
    MUST(again->rcode == (rcode > 15 && !request->edns ? 2 : rcode));
    MUST(!transport.keepalive || (request->edns && visitor->keepalive));
}

static size_t full_opt(const struct visitor *visitor, const struct ede_list *ede)
{
    size_t len = OPT + visitor->options.len;
    for (unsigned i = 0; i < ede->count; i++)
        len += 6u + ede->item[i].len;
    return visitor->request.edns ? len : 0;
}

/* Records are dropped only if necessary. */
static void check_what_is_left(const struct answer *before, const struct answer *after, size_t len,
                               const struct visitor *visitor, bool truncated)
{
    size_t least_opt = visitor->request.edns ? OPT + (visitor->cookie ? 4 + EDIT_COOKIE : 0) : 0;
    if (before->len + full_opt(visitor, &before->ede) <= visitor->client.limit) {
        MUST(len == before->len + full_opt(visitor, &before->ede) && after->len == before->len);
        size_t edes = offsetof(struct ede_list, item) + before->ede.count * sizeof before->ede.item[0];
        MUST(!visitor->request.edns || memcmp(&after->ede, &before->ede, edes) == 0);
    }
    MUST(truncated == (before->additional + least_opt > visitor->client.limit));
    if (truncated)
        MUST(after->len < before->additional && after->ttl_count < before->ttl_count &&
             after->additional == after->len);
    else
        MUST(after->len >= before->additional && after->len <= before->len);
}

static void *allocated(size_t len)
{
    void *block = malloc(len);
    MUST(block);
    return block;
}

static void finish_answer(const struct answer *answer, const struct visitor *visitor)
{
    size_t limit = visitor->client.limit, with_opt = answer->len + EDIT_OPT_MAX;
    size_t cap = limit < with_opt ? limit : with_opt;
    uint8_t *wire = allocated(cap < answer->len ? answer->len : cap);
    struct answer again;
    bool truncated;
    memcpy(wire, answer->wire, answer->len);
    size_t len = edit_finish(wire, cap, answer, &visitor->client, &truncated);
    check_flags(wire, visitor, truncated);
    check_message(wire, len, visitor, answer->rcode, &again);
    check_what_is_left(answer, &again, len, visitor, truncated);
    free(wire);
}

/* Padded to whole blocks, as far as there is room, and otherwise the same. */
static void finish_padded(const struct answer *answer, const struct visitor *visitor)
{
    struct edit_client client = visitor->client;
    size_t with_opt = answer->len + EDIT_OPT_MAX + EDIT_PAD_MAX;
    size_t cap = client.limit < with_opt ? client.limit : with_opt;
    uint8_t *plain = allocated(cap < answer->len ? answer->len : cap),
            *wire = allocated(cap < answer->len ? answer->len : cap);
    bool truncated, padded_truncated;
    memcpy(plain, answer->wire, answer->len);
    size_t plain_len = edit_finish(plain, cap, answer, &client, &truncated);
    client.pad = true;
    memcpy(wire, answer->wire, answer->len);
    size_t len = edit_finish(wire, cap, answer, &client, &padded_truncated);
    MUST(truncated == padded_truncated && len <= cap && len >= plain_len);
    MUST(visitor->request.edns ? len % EDIT_PAD == 0 || len == cap || plain_len + 4 > cap : len == plain_len);
    free(plain);
    free(wire);
}

static void refuse(const struct answer *answer, const struct visitor *visitor)
{
    uint8_t *wire = allocated(visitor->client.limit);
    struct answer again;
    size_t len = edit_error(wire, visitor->client.limit, answer->rcode, true, &answer->ede, &visitor->client);
    check_message(wire, len, visitor, answer->rcode, &again);
    MUST(again.len == visitor->request.question_end && again.ttl_count == 0);
    free(wire);
}

static void ask_ourselves(const struct answer *answer, const struct visitor *visitor, uint8_t bits)
{
    struct edit_ask ask = {bits & 1, bits & 2, bits & 4, bits & 8, false};
    uint8_t *wire = allocated(EDIT_QUESTION_MAX);
    struct bytes question = {answer->wire, answer->len};
    struct request asked;
    struct key key;
    message_request_key(question, &visitor->request, &key);
    size_t len = edit_question(wire, &key, &ask);
    enum request_verdict verdict = message_parse_request((struct bytes){wire, len}, &asked);
    unsigned options = (ask.keepalive ? REQUEST_KEEPALIVE : 0) | (ask.pad ? REQUEST_PADDING : 0);
    MUST(verdict == REQUEST_OK && asked.edns == ask.edns && asked.options == (ask.edns ? options : 0));
    MUST(message_answers((struct bytes){wire, len}, &key));
    MUST(!(ask.edns && ask.pad) || len % 128 == 0);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    struct visitor visitor;
    make_visitor(&visitor, &cursor);
    size_t len = cursor_left(&cursor);
    struct answer answer;
    uint8_t *wire = exact_copy(cursor.at, len);
    if (!cursor.failed && len <= MESSAGE_MAX && message_walk_answer(wire, len, &scratch, &answer, &transport) == 0) {
        ask_in_capitals(&visitor, &answer);
        finish_answer(&answer, &visitor);
        finish_padded(&answer, &visitor);
        refuse(&answer, &visitor);
        ask_ourselves(&answer, &visitor, data[0] >> 4);
    }
    free(wire);
    return 0;
}
