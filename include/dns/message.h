/* SPDX-License-Identifier: MIT */
/* The strict walk over messages from the network: queries from clients, answers from servers.
 *
 * Does:    checks everything before anybody uses it: one question, counts that fit the length, compression pointers
 *          strictly backwards, names within 255 bytes, RDLENGTH consumed exactly for known types, at most one OPT with
 *          the root as owner, no TSIG, no bytes left over. No allocation, no recursion, work linear in the length
 *          (a name that was walked before is not walked again byte by byte).
 * Owns:    nothing; results point into the message and into the caller's scratch.
 * Threads: any, one scratch per thread.
 * RFC:     1035, 2181, 3597, 6891 (EDNS), 7828 (keepalive), 8914 (extended errors), 8945/2931 (TSIG, SIG(0)).
 */
#ifndef DOTSTUB_DNS_MESSAGE_H
#define DOTSTUB_DNS_MESSAGE_H

#include <stdbool.h>
#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/key.h"

#define MESSAGE_HEADER 12
#define MESSAGE_MAX    65535
#define MESSAGE_FLAGS  2 /* offset of the flags word in the header */

/* Bits of the flags word. */
#define FLAG_QR 0x8000
#define FLAG_AA 0x0400
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_RA 0x0080
#define FLAG_AD 0x0020
#define FLAG_CD 0x0010

/* How to respond to a client's message. */
enum request_verdict {
    REQUEST_OK,
    REQUEST_SILENT, /* shorter than a header, or QR=1: no answer at all */
    REQUEST_FORMERR, /* QDCOUNT not 1, answer or authority records (but for the SOA of an IXFR), bad name, lying counts, second OPT, a broken
                        EDNS option */
    REQUEST_NOTIMP,  /* opcode other than QUERY, or a query with TSIG or SIG(0) */
    REQUEST_BADVERS, /* EDNS version above 0 (RFC 6891 section 6.1.3) */
};

/* A client's message as read on the wire. With any verdict but SILENT id, flags, opcode and has_question are set;
 * has_question says that the first question was readable: then name_len, type, class and question_end are set. */
struct request {
    uint16_t id, flags; /* flags: the whole word as received */
    uint8_t opcode;
    bool has_question;
    uint8_t name_len; /* bytes of the name at offset MESSAGE_HEADER, as the client wrote it */
    uint16_t type, class;
    uint16_t question_end; /* offset behind the question */
    bool trailing;         /* bytes follow the last record; they are ignored */
    bool edns;             /* had an OPT, and the whole message could be read; the following are 0 otherwise */
    bool dnssec_ok;
    bool wants_keepalive; /* edns-tcp-keepalive option present (RFC 7828) */
    uint16_t opt_at;      /* offset of the OPT */
    uint16_t udp_size;    /* as sent; 512 if none or less (RFC 6891 section 6.2.3) */
};

enum request_verdict message_parse_request(struct bytes wire, struct request *out);

/* The key of a parsed request (has_question): name lower-cased, group left 0. */
void message_request_key(struct bytes wire, const struct request *request, struct key *out);

/* Extended DNS errors (RFC 8914): at most EDE_MAX of a message are read, each text cut at a UTF-8 boundary. */
#define EDE_MAX  3
#define EDE_TEXT 200
struct ede {
    uint16_t code;
    uint8_t len;
    char text[EDE_TEXT];
};
struct ede_list {
    unsigned count;
    struct ede item[EDE_MAX];
};
/* Adds one; beyond EDE_MAX nothing happens. `text` may be NULL; cut at EDE_TEXT bytes, at a UTF-8 boundary, and
 * dropped if it is not UTF-8. */
void ede_add(struct ede_list *list, uint16_t code, const char *text, size_t len);
/* Puts one of ours, without text, before those of the response; the last of EDE_MAX is dropped. */
void ede_add_first(struct ede_list *list, uint16_t code);

/* Most records that fit into a message: 65,523 bytes at 11 each. */
#define MESSAGE_MAX_RECORDS 5957

/* An upstream response, or any response to a client. `wire` has no OPT. */
struct answer {
    uint8_t *wire; /* writable, borrowed */
    size_t len;
    uint16_t rcode;              /* 12 bits: the OPT's upper 8 included */
    uint16_t additional;         /* offset of the additional section (== len when it is empty) */
    bool authenticated;          /* AD */
    bool truncated;              /* TC */
    uint32_t ttl;                /* seconds it may be cached; 0: only for the waiting queries. Set by ttl_apply */
    const uint16_t *ttl_offsets; /* where each record's TTL lies in `wire` */
    unsigned ttl_count;
    struct ede_list ede; /* last: only the first `count` of them are ever read */
};

/* Bears an extended error that a server of any other operator would give as well: policy and validation. */
bool answer_is_verdict(const struct answer *answer);
/* Says how things are; anything else is a failure to find out (RFC 8767 section 4). */
static inline bool answer_is_conclusive(const struct answer *answer)
{
    return answer->rcode == RCODE_NOERROR || answer->rcode == RCODE_NXDOMAIN;
}

/* Memory of a walk: one per thread (about 140 KiB, of which a walk touches little more than twice its message),
 * reused by each walk. */
struct answer_scratch {
    uint16_t ttl_offsets[MESSAGE_MAX_RECORDS];
    uint16_t section_end[4];       /* offsets behind question, answer, authority, additional of the last walk */
    uint16_t name_at[MESSAGE_MAX]; /* private to the walk: the names known to start at each offset */
};

/* Further content of an upstream message, for its session. */
struct answer_transport {
    bool edns;      /* there was an OPT */
    bool keepalive; /* edns-tcp-keepalive option (RFC 7828), its timeout: */
    uint32_t keepalive_ms;
};

/* Walks a server's message of 12 to MESSAGE_MAX bytes and takes its OPT out (in place: `wire` is rewritten, pointers
 * behind the OPT are adjusted). A broken record or second OPT behind the answer section ends the message, if there are answers or the
 * OPT was read; bytes behind the last record are ignored. 0, or ERROR_MALFORMED: QR=0, opcode other than QUERY, not exactly one
 * question, or any other breach of the format. On success `out` is filled (ttl 0) and lives as long as `wire` and `scratch` are left alone. */
int message_walk_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out,
                        struct answer_transport *transport) MUST_CHECK;

/* True if the message's question is this key's name (letter case ignored), type and class. The wire need only have
 * been checked to be MESSAGE_HEADER long; works on any bytes. */
bool message_answers(struct bytes wire, const struct key *key);

/* Makes an answer of ours (built by dns/edit or dns/records: no OPT in it) into a struct answer by walking it. */
int message_own_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out) MUST_CHECK;

#endif
