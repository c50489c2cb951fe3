/* SPDX-License-Identifier: MIT */
/* Writing messages on the wire: the client's view of an answer, error answers, the question we ask upstream.
 *
 * Does:    works without any allocation, so that SERVFAIL can be said when memory is gone.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     1035, 6891, 7830/8467 (padding), 7828 (keepalive), 7871 (client subnet), 8914 (extended errors), 9619 (QDCOUNT).
 */
#ifndef DOTSTUB_DNS_EDIT_H
#define DOTSTUB_DNS_EDIT_H

#include "dns/message.h"

/* How the answer to one client is finished. */
struct edit_client {
    const struct request *request;
    const uint8_t *question; /* the client's question as it wrote it: request->question_end - MESSAGE_HEADER bytes */
    size_t limit;            /* largest answer: for UDP min(client's size, ours), for TCP MESSAGE_MAX */
    uint16_t our_udp_size;   /* shown in our OPT */
    bool tcp;
    bool keepalive; /* put an edns-tcp-keepalive option into the OPT: */
    uint16_t keepalive_100ms;
    bool authenticated; /* the stored AD; shown only if the request had AD or DO */
};

/* The longest OPT that edit_finish or edit_error appends: 11 bytes, a keepalive option, and the EDEs with their texts. */
#define EDIT_OPT_MAX (11 + 6 + EDE_MAX * (6 + EDE_TEXT))
/* The same for this response: most have no EDE. */
static inline size_t edit_opt_room(const struct answer *answer)
{
    return 11 + 6 + answer->ede.count * (size_t)(6 + EDE_TEXT);
}
/* Header, the longest question, and an OPT without options: no limit is below this. */
#define EDIT_ERROR_MIN (MESSAGE_HEADER + NAME_MAX_WIRE + 4 + 11)

/* Turns the answer in `wire` (no OPT, its question as long as the client's; capacity `cap`, at least limit or
 * len + edit_opt_room, whichever is less) into this client's: id, QR RA, AA=0 Z=0, opcode, RD and CD copied, AD, rcode,
 * question as the client wrote it, OPT if and only if the request had one, EDE only then. Too big for `limit` (at least
 * EDIT_ERROR_MIN): the additional section goes first, without TC, then EDE texts beyond 64 bytes, EDE texts, EDEs and
 * keepalive, then TC with an OPT without options and the whole records that fit, those of the answer section first. An rcode
 * above 15 becomes SERVFAIL for a client without EDNS. Gives the length; *truncated
 * tells if TC was set. `answer` gives len, rcode, additional, ede. Never fails. */
size_t edit_finish(uint8_t *wire, size_t cap, const struct answer *answer, const struct edit_client *client,
                   bool *truncated);

/* Writes an error answer: header, question (if request->has_question and `with_question`), OPT if the request had one,
 * with keepalive and EDEs (`ede` may be NULL) as far as they fit `limit` and `cap`, each at least EDIT_ERROR_MIN. For a
 * request whose OPT was not understood (FORMERR) pass with request->edns false. BADVERS (16) goes into the OPT. Gives
 * the length. */
size_t edit_error(uint8_t *out, size_t cap, uint16_t rcode, bool with_question, const struct ede_list *ede,
                  const struct edit_client *client);

/* Lowers the TTLs at these offsets by `elapsed` seconds, not below 0. */
void edit_age(uint8_t *wire, const uint16_t *ttl_offsets, unsigned count, uint32_t elapsed);

/* The question we ask upstream: built from the key, never relayed. RD=1, AD=1, CD and DO from the key; OPT with UDP
 * size 1232 and, as told, keepalive (empty, RFC 7828 section 3.2.1), client subnet 0.0.0.0/0, padding to 128 bytes. */
struct edit_ask {
    bool edns; /* false: no OPT at all (and nothing of the following) */
    bool keepalive;
    bool subnet_none; /* family 1, source prefix length 0 */
    bool pad;
};
/* Longest result. */
#define EDIT_QUESTION_MAX 512
/* Writes with id 0 and gives the length. */
size_t edit_question(uint8_t out[EDIT_QUESTION_MAX], const struct key *key, const struct edit_ask *ask);

static inline void edit_set_id(uint8_t *wire, uint16_t id)
{
    write_u16(wire, id);
}

#endif
