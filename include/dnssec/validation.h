/* SPDX-License-Identifier: MIT */
/* The validation of one response: a state machine without input or output.
 *
 * Does:    checks each RRset of the answer and authority section, each link of a chain of CNAME and DNAME records, and
 *          the proof of a negative response; names the DS and DNSKEY responses that it needs for that.
 * Owns:    what it has learned; copies all that it keeps. The response is the caller's, and must be the same at each
 *          step, but may have moved.
 * Threads: any, one at a time for each validation.
 * RFC:     4033, 4034, 4035, 4509, 5011 section 2.1, 5155, 5702, 6605, 6672, 6840, 7646, 8080, 8198, 8914, 9276, 9824.
 */
#ifndef DOTSTUB_DNSSEC_VALIDATION_H
#define DOTSTUB_DNSSEC_VALIDATION_H

#include "dns/key.h"
#include "dns/message.h"
#include "dnssec/anchors.h"
#include "dnssec/verified.h"

enum dnssec_verdict {
    DNSSEC_PAUSE,    /* this step has cost enough: continue later, so that other work is done meanwhile */
    DNSSEC_NEED,     /* the response to another query, see dnssec_result */
    DNSSEC_SECURE,   /* all that remains of the response is signed, or proven */
    DNSSEC_INSECURE, /* it is proven that the data need not be signed */
    DNSSEC_BOGUS,    /* neither: see the extended error */
};

struct dnssec_context {
    const struct anchors *anchors;
    const struct anchors *more; /* negative ones besides; NULL: none */
    struct verified *verified;  /* signatures that need not be verified again; NULL: none are remembered */
    /* Only anchors at or below this name count; of length 0: all anchors. For routes that are insecure. */
    struct bytes within;
    uint64_t now_ms;    /* clock_ms, for negative anchors */
    int64_t now_s;      /* wall clock */
    bool may_be_behind; /* the wall clock may be behind: signatures that are not valid yet make data insecure */
};

/* Limits of one validation; see also signature.h and denial.h. */
enum {
    DNSSEC_FACTS = 96, /* responses that it asks for */
    DNSSEC_LINKS = 32, /* names of a chain */
};

struct dnssec_result {
    /* DNSSEC_NEED: the name, in lower case, and the type, DS or DNSKEY. */
    uint8_t need[NAME_MAX_WIRE];
    uint8_t need_len;
    uint16_t need_type;
    /* BOGUS: the reason. INSECURE: EDE_NONE, or the reason if it is not a delegation without DS. */
    int ede_code;
    char ede_text[EDE_TEXT + 1];
    /* SECURE, INSECURE: how long the response may be kept at most, by its valid signatures (RFC 4035 section 5.3.3); else
     * UINT32_MAX. */
    uint32_t life_s;
    /* INSECURE: until a negative anchor that decided ends, after which the verdict may differ; else UINT32_MAX. */
    uint32_t ends_s;
    bool unsettled;      /* INSECURE because the clock may be behind: not to be kept */
    bool limited;        /* BOGUS because of a limit on work */
    size_t memory;       /* bytes that the validation holds for its next step */
    unsigned checks;     /* signatures checked so far */
    unsigned remembered; /* signatures that had been verified before */
};

/* No verdict yet. */
static inline bool dnssec_is_open(enum dnssec_verdict verdict)
{
    return verdict == DNSSEC_PAUSE || verdict == DNSSEC_NEED;
}

struct validation;

/* A validation of the response to this query. NULL: out of memory. */
struct validation *validation_new(const struct key *key);
/* NULL does nothing. */
void validation_free(struct validation *validation);
/* Continues with the response. */
enum dnssec_verdict validation_run(struct validation *validation, const struct answer *answer,
                                   const struct dnssec_context *context);
const struct dnssec_result *validation_result(const struct validation *validation);

/* Supplies the response to a query that the validation needs, which was validated with this verdict (not PAUSE or NEED). With
 * BOGUS `answer` may be NULL; code and text say why there is no secure response. Copies what it needs. 0 or -ENOMEM. */
int validation_give(struct validation *validation, const uint8_t *name, size_t len, uint16_t type,
                    enum dnssec_verdict verdict, const struct answer *answer, int ede_code,
                    const char *text) MUST_CHECK;

/* After SECURE or INSECURE: false for a record that a client must not get, since nothing vouches for it. `i`: its index
 * in the message; additional records are not judged here, and must not be given to clients with SECURE. */
bool validation_keeps(const struct validation *validation, unsigned i);

#endif
