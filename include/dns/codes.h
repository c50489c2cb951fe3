/* SPDX-License-Identifier: MIT */
/* The numbers of the DNS that the layers above dns/ need: response codes, extended errors, types, classes.
 * src/dns/codes.c compares them with those of ldns at compile time.
 *
 * RFC:     1035, 6891, 8482, 8914, 9824; IANA "Domain Name System (DNS) Parameters".
 */
#ifndef DOTSTUB_DNS_CODES_H
#define DOTSTUB_DNS_CODES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6, /* a DNAME synthesized a name that is too long (RFC 6672 section 2.2) */
    RCODE_BADVERS = 16,
    RCODE_BADCOOKIE = 23, /* RFC 7873 section 8 */
};

/* The server could not or would not resolve the query. */
static inline bool rcode_is_failure(uint16_t rcode)
{
    return rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED;
}

/* RFC 8914 section 4. EDE_NONE: no extended error. */
enum {
    EDE_NONE = -1,
    EDE_OTHER = 0,
    EDE_DNSKEY_ALGORITHM = 1,
    EDE_DS_DIGEST = 2,
    EDE_STALE_ANSWER = 3,
    EDE_INDETERMINATE = 5,
    EDE_BOGUS = 6,
    EDE_SIGNATURE_EXPIRED = 7,
    EDE_SIGNATURE_NOT_YET_VALID = 8,
    EDE_DNSKEY_MISSING = 9,
    EDE_RRSIGS_MISSING = 10,
    EDE_NO_ZONE_KEY = 11,
    EDE_NSEC_MISSING = 12,
    EDE_CACHED_ERROR = 13,
    EDE_NOT_READY = 14,
    EDE_BLOCKED = 15,
    EDE_CENSORED = 16,
    EDE_FILTERED = 17,
    EDE_PROHIBITED = 18,
    EDE_STALE_NXDOMAIN = 19,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_NO_REACHABLE_AUTHORITY = 22,
    EDE_NETWORK_ERROR = 23,
    EDE_INVALID_DATA = 24,
    EDE_NSEC3_ITERATIONS = 27,
    EDE_SYNTHESIZED = 29,
    EDE_INVALID_QUERY_TYPE = 30,
};

enum {
    TYPE_NONE = 0, /* reserved: no record has it */
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_CERT = 37,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_IPSECKEY = 45,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    TYPE_NSEC3 = 50,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
    TYPE_NXNAME = 128, /* RFC 9824 */
    TYPE_ANY = 255,
};

enum {
    CLASS_IN = 1,
    CLASS_CH = 3,
    CLASS_HS = 4,
    CLASS_NONE = 254,
    CLASS_ANY = 255,
};

/* EDNS options. */
enum {
    OPTION_CODE_NSID = 3,       /* RFC 5001 */
    OPTION_CODE_COOKIE = 10,    /* RFC 7873 */
    OPTION_CODE_KEEPALIVE = 11, /* RFC 7828 */
    OPTION_CODE_REPORT = 18,    /* Report-Channel, RFC 9567 */
};

/* Signatures and proofs: only for clients that set DO or query the type (RFC 4035 section 3.2.1). */
static inline bool type_is_dnssec(uint16_t type)
{
    return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3;
}

#endif
