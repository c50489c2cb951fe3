/* SPDX-License-Identifier: MIT */
/* Writes messages in wire form: responses to clients, error responses, upstream queries.
 *
 * Does:    never allocates, so that SERVFAIL can be sent when memory is exhausted.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     1035, 5001 (NSID), 6891, 7830/8467 (padding), 7828 (keepalive), 7871 (client subnet), 7873 (cookies), 8914
 *          (extended errors), 9619 (QDCOUNT).
 */
#ifndef DOTSTUB_DNS_EDIT_H
#define DOTSTUB_DNS_EDIT_H

#include "dns/message.h"

#define EDIT_COOKIE 24  /* bytes of a COOKIE option's data: the client's cookie and ours (RFC 9018 section 4) */
#define EDIT_NSID   255 /* maximum bytes of an NSID option's data */
#define EDIT_PAD    468 /* responses are padded to a multiple of this (RFC 8467 section 4.1) */

/* Options of our OPT in wire form, the most important one first. There is room for a cookie, keepalive and NSID. */
struct edit_options {
    size_t len;
    uint8_t data[4 + EDIT_COOKIE + 4 + 2 + 4 + EDIT_NSID];
};
/* Appends an option; it must fit. */
void edit_put_option(struct edit_options *options, uint16_t code, const void *data, size_t len);

/* Parameters for finishing the response to one client. */
struct edit_client {
    const struct request *request;
    /* The Question section in the client's letter case: request->question_end - MESSAGE_HEADER bytes. */
    const uint8_t *question;
    size_t limit; /* largest response: for UDP the lower of the client's size and ours, for TCP MESSAGE_MAX */
    const struct edit_options *options; /* NULL: none */
    uint16_t our_udp_size;              /* announced in our OPT */
    bool authenticated;                 /* the stored AD; sent only if the request had AD or DO */
    bool pad;                           /* the response gets a PADDING option, up to a multiple of EDIT_PAD bytes */
};

/* The longest padding: it comes behind what EDIT_OPT_MAX counts. */
#define EDIT_PAD_MAX (4 + EDIT_PAD - 1)

/* The longest OPT that edit_finish or edit_error appends: 11 bytes, the options, and the EDEs with their texts. */
#define EDIT_OPT_MAX (11 + sizeof((struct edit_options *)0)->data + EDE_MAX * (6 + EDE_TEXT))
/* The longest OPT for this response: most have neither options nor EDEs. */
static inline size_t edit_opt_room(const struct answer *answer, const struct edit_client *client)
{
    return 11 + (client->options ? client->options->len : 0) + answer->ede.count * (size_t)(6 + EDE_TEXT) +
           (client->pad ? EDIT_PAD_MAX : 0);
}
/* Header, the longest Question section, and an OPT with a cookie: no limit is below this. */
#define EDIT_ERROR_MIN (MESSAGE_HEADER + NAME_MAX_WIRE + 4 + 11 + 4 + EDIT_COOKIE)

/* Finishes the response in `wire` (without OPT, its Question section as long as the client's; capacity `cap`, at
 * least the lower of limit and len + edit_opt_room) for this client: id, QR RA, AA=0 Z=0, opcode, RD and CD copied,
 * AD, rcode, the Question section in the client's letter case, OPT if and only if the request had one, EDEs only in
 * an OPT. If it exceeds `limit` (at least EDIT_ERROR_MIN), it first loses the additional section, without TC, then
 * EDE texts beyond 64 bytes, EDE texts, EDEs, and options from the last to the first; then it gets TC, an OPT without
 * options and the whole records that fit, those of the answer section first. A COOKIE option that is the first is never
 * dropped, because its client ignores responses without it. Padding takes what is left of `limit` and `cap` at most. An rcode above 15 becomes SERVFAIL for a client without
 * EDNS. Returns the length; *truncated: TC was set. Of `answer` len, rcode, additional and ede are used. Never
 * fails. */
size_t edit_finish(uint8_t *wire, size_t cap, const struct answer *answer, const struct edit_client *client,
                   bool *truncated);

/* Writes an error response: header, Question section (if request->has_question and `with_question`), OPT if the
 * request had one, with options and EDEs (`ede` may be NULL) as far as they fit `limit` and `cap`, each at least
 * EDIT_ERROR_MIN. For a request whose OPT was malformed (FORMERR), request->edns must be false. BADVERS (16) goes
 * into the OPT. Returns the length. */
size_t edit_error(uint8_t *out, size_t cap, uint16_t rcode, bool with_question, const struct ede_list *ede,
                  const struct edit_client *client);

/* Lowers the TTLs at these offsets by `elapsed` seconds, not below 0. */
void edit_age(uint8_t *wire, const uint16_t *ttl_offsets, unsigned count, uint32_t elapsed);

/* Parameters of an upstream query, which is built from the key, never relayed. RD=1, AD=1, CD and DO from the key;
 * OPT with UDP size 1232 and, if set here, keepalive (empty, RFC 7828 section 3.2.1), client subnet 0.0.0.0/0,
 * padding to 128 bytes. */
struct edit_ask {
    bool edns; /* false: no OPT, and the next members are ignored */
    bool keepalive;
    bool subnet_none; /* family 1, source prefix length 0 */
    bool pad;
    bool unchecked; /* CD=1, whatever the key says; also without an OPT */
};
/* The longest upstream query. */
#define EDIT_QUESTION_MAX 512
/* Writes the query with id 0 and returns the length. */
size_t edit_question(uint8_t out[EDIT_QUESTION_MAX], const struct key *key, const struct edit_ask *ask);

static inline void edit_set_id(uint8_t *wire, uint16_t id)
{
    write_u16(wire, id);
}

#endif
