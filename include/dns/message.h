/* SPDX-License-Identifier: MIT */
/* The strict walk over messages from the network: queries from clients, answers from servers.
 *
 * Does:    checks the whole message before it is used: one question, counts that fit the length, compression
 *          pointers strictly backwards, names within 255 bytes, RDLENGTH consumed exactly for known types, at most
 *          one OPT with the root as owner, no TSIG. No allocation, no recursion, work linear in the length (a name
 *          that was walked before is not walked again byte by byte).
 * Owns:    nothing; results point into the message and into the caller's scratch.
 * Threads: any, one scratch per thread.
 * RFC:     1035, 2181, 3597, 6891 (EDNS), 7828 (keepalive), 8914 (extended errors), 9567 (report channel), 8945/2931 (TSIG, SIG(0)).
 */
#ifndef DOTSTUB_DNS_MESSAGE_H
#define DOTSTUB_DNS_MESSAGE_H

#include <stdbool.h>
#include "base/bytes.h"
#include "dns/codes.h"
#include "dns/key.h"

#define MESSAGE_HEADER  12
#define MESSAGE_MAX     65535
#define MESSAGE_FLAGS   2 /* offset of the flags word in the header */
#define MESSAGE_ANCOUNT 6

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
    REQUEST_SILENT, /* shorter than a header, or QR=1: no response */
    /* QDCOUNT not 1, answer or authority records (except the SOA of an IXFR), invalid name, wrong counts, two OPTs,
     * a malformed EDNS option. */
    REQUEST_FORMERR,
    REQUEST_NO_QUESTION, /* a query with QDCOUNT 0 and a COOKIE option, for our cookie (RFC 7873 section 5.4) */
    REQUEST_NOTIMP,      /* opcode other than QUERY, or a query with TSIG or SIG(0) */
    REQUEST_BADVERS,     /* EDNS version above 0 (RFC 6891 section 6.1.3) */
};

/* The EDNS options of a request that change its response. */
enum {
    REQUEST_KEEPALIVE = 1, /* an empty edns-tcp-keepalive option (RFC 7828) */
    REQUEST_NSID = 2,      /* RFC 5001; its data is ignored */
    REQUEST_COOKIE = 4,    /* RFC 7873; the first one counts */
    REQUEST_PADDING = 8,   /* RFC 7830 */
};

/* A parsed client message. With any verdict but SILENT id, flags, opcode and has_question are set; has_question:
 * the first question is valid, and name_len, type, class and question_end are set. */
struct request {
    uint16_t id, flags; /* flags: the whole word as received */
    uint8_t opcode;
    bool has_question;
    uint8_t name_len; /* bytes of the name at offset MESSAGE_HEADER, in the client's letter case */
    uint16_t type, class;
    uint16_t question_end; /* offset behind the first question */
    bool trailing;         /* bytes follow the last record; they are ignored */
    bool edns;             /* had an OPT, and the whole message is valid; otherwise the next members are 0 */
    bool dnssec_ok;
    uint8_t options;    /* a mask of REQUEST_KEEPALIVE and so on */
    uint16_t udp_size;  /* as sent; 512 if none or less (RFC 6891 section 6.2.3) */
    uint16_t cookie_at; /* offset of the COOKIE option's data; its length is in the two bytes before */
};

enum request_verdict message_parse_request(struct bytes wire, struct request *out);

/* The data of the COOKIE option of a request that has REQUEST_COOKIE, of any length. */
static inline struct bytes message_request_cookie(struct bytes wire, const struct request *request)
{
    return (struct bytes){wire.data + request->cookie_at, read_u16(wire.data + request->cookie_at - 2)};
}

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
/* Adds an extended error, unless the list has EDE_MAX. `text` may be NULL; it is cut at EDE_TEXT bytes, at a UTF-8
 * boundary, and dropped if it is not UTF-8. */
void ede_add(struct ede_list *list, uint16_t code, const char *text, size_t len);
/* Inserts an extended error of our own, without text, at the front; the last of EDE_MAX is dropped. */
void ede_add_first(struct ede_list *list, uint16_t code);
/* For files and stores: the number of errors, and of each the code (2), the length of the text and the text. */
void ede_write(struct writer *writer, const struct ede_list *list);
/* 0 or ERROR_MALFORMED; the items in the list are valid whatever was read. */
int ede_read(struct cursor *cursor, struct ede_list *out) MUST_CHECK;

/* The most records in a message: 65,523 bytes at 11 each. */
#define MESSAGE_MAX_RECORDS 5957

/* A response of a server or to a client. `wire` has no OPT. */
struct answer {
    uint8_t *wire; /* writable, borrowed */
    size_t len;
    uint16_t rcode;              /* 12 bits, including the upper 8 from the OPT */
    uint16_t additional;         /* offset of the additional section (== len when it is empty) */
    bool authenticated;          /* AD */
    bool truncated;              /* TC */
    bool uncompressed;           /* of a walk: an owner name has labels and no pointer (rewrite_compress) */
    uint32_t ttl;                /* seconds for which it may be cached; 0: only for waiting queries. Set by ttl_apply */
    const uint16_t *ttl_offsets; /* the offset of each record's TTL in `wire` */
    struct bytes
        agent; /* of a walk: the name in lower case to which errors are to be reported (RFC 9567); empty: none */
    unsigned ttl_count;
    struct ede_list ede; /* last: only the first `count` are initialized and read */
};

/* Copies the used part: most answers have no extended error. */
static inline void answer_assign(struct answer *out, const struct answer *answer)
{
    memcpy(out, answer, offsetof(struct answer, ede.item));
    if (answer->ede.count > 0)
        memcpy(out->ede.item, answer->ede.item, answer->ede.count * sizeof answer->ede.item[0]);
}

/* True if it has an extended error about policy or validation, which the servers of other operators would return as
 * well. */
bool answer_is_verdict(const struct answer *answer);
/* True for a referral (RFC 2308 section 2.2: NS records without a SOA) of a server that is not authoritative and does no
 * recursion: it says nothing about the name. */
bool answer_is_referral(const struct answer *answer);
/* True for a conclusive answer; all other rcodes are failures (RFC 8767 section 4). */
static inline bool answer_is_conclusive(const struct answer *answer)
{
    return answer->rcode == RCODE_NOERROR || answer->rcode == RCODE_NXDOMAIN;
}

/* Memory of a walk: one per thread (about 140 KiB, of which a walk uses little more than twice the length of its
 * message), reused by each walk. */
struct answer_scratch {
    uint16_t ttl_offsets[MESSAGE_MAX_RECORDS];
    uint16_t section_end[4];       /* offsets behind question, answer, authority, additional of the last walk */
    uint8_t agent[255];            /* NAME_MAX_WIRE: see struct answer */
    uint16_t name_at[MESSAGE_MAX]; /* private to the walk, see walk.h */
};

/* Contents of an upstream message for the session. */
struct answer_transport {
    bool edns;      /* there was an OPT */
    bool keepalive; /* edns-tcp-keepalive option (RFC 7828), its timeout: */
    uint32_t keepalive_ms;
};

/* Walks a server's message of 12 to MESSAGE_MAX bytes and removes its OPT in place (pointers behind the OPT are
 * adjusted). A malformed record or another OPT behind the answer section ends the message, if there are answers or
 * the OPT was read; bytes behind the last record are ignored. 0, or ERROR_MALFORMED: QR=0, opcode other than QUERY,
 * not exactly one question, or any other violation of the format. On success `out` is set (ttl 0), and valid as
 * long as `wire` and `scratch` do not change. */
int message_walk_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out,
                        struct answer_transport *transport) MUST_CHECK;

/* True if the message's Question section matches this key's name (ignoring letter case), type and class. The
 * message must have at least MESSAGE_HEADER bytes and need not be valid otherwise. */
bool message_answers(struct bytes wire, const struct key *key);

/* Makes a struct answer of a response of our own (from dns/edit or dns/records, without OPT) by walking it. */
int message_own_answer(uint8_t *wire, size_t len, struct answer_scratch *scratch, struct answer *out) MUST_CHECK;

#endif
