/* SPDX-License-Identifier: MIT */
/* Who may ask, and questions that are never asked upstream.
 *
 * The order: who asks; types that mean nothing in any class; the class (only IN goes further); ANY; RD=0.
 */
#include <stdio.h>
#include <string.h>
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

#define RFC8482_TTL 3600
#define STRING_MAX  255 /* octets of a character string (RFC 1035 section 3.3) */
#define QUOTED_MAX  (4 * STRING_MAX + 3)

static enum verdict refuse(struct query *query, uint16_t rcode, int ede_code)
{
    query_error(query, rcode, ede_code, NULL);
    return ANSWERED;
}

static enum verdict refuse_client(struct query *query)
{
    if (query->resolver->config->access.deny == DENY_REFUSE)
        return refuse(query, RCODE_REFUSED, EDE_PROHIBITED);
    query_drop(query, COUNTER_drops_policy);
    return ANSWERED;
}

/* Zone transfers, transaction types, pseudo types, and what IANA has not assigned among the Q and Meta types (RFC 6895
 * section 3.1). */
static bool type_is_meta(uint16_t type)
{
    return type == 0 || type == TYPE_OPT || (type > TYPE_NXNAME && type < TYPE_ANY);
}

/* What the operator lets be told about this server (RFC 4892); NULL: nothing. */
static const char *chaos_text(const struct query *query)
{
    static const struct {
        const char *name;
        bool version;
    } names[] = {
        {"\7version\4bind", true}, {"\7version\6server", true}, {"\10hostname\4bind", false}, {"\2id\6server", false}};
    const struct config *config = query->resolver->config;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name_equal(query->key.name, (const uint8_t *)names[i].name))
            return names[i].version ? config->identity.version : config->identity.hostname;
    return NULL;
}

/* A character string in presentation form: every octet that is not plain as \DDD. */
static const char *quote(const char *text, char out[QUOTED_MAX])
{
    char *at = out;
    *at++ = '"';
    for (unsigned i = 0; text[i] && i < STRING_MAX; i++) {
        uint8_t octet = (uint8_t)text[i];
        bool plain = octet >= ' ' && octet < 0x7F && octet != '"' && octet != '\\';
        at += sprintf(at, plain ? "%c" : "\\%03u", octet);
    }
    memcpy(at, "\"", 2);
    return out;
}

static enum verdict answer_chaos(struct query *query)
{
    char quoted[QUOTED_MAX];
    const char *text = chaos_text(query);
    if (!text || query->key.type != TYPE_TXT)
        return refuse(query, RCODE_REFUSED, EDE_NONE);
    struct record_text txt = {NULL, "TXT", 0, quote(text, quoted)};
    return local_answer(query, RCODE_NOERROR, &txt, 1, NULL, 0);
}

static enum verdict answer_any(struct query *query)
{
    struct record_text hinfo = {NULL, "HINFO", RFC8482_TTL, "\"RFC8482\" \"\""};
    return local_answer(query, RCODE_NOERROR, &hinfo, 1, NULL, 0);
}

static enum verdict run(struct query *query)
{
    const struct key *key = &query->key;
    if (!query_client_allowed(query))
        return refuse_client(query);
    if (type_is_meta(key->type))
        return refuse(query, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    if (key->type == TYPE_NXNAME) /* RFC 9824 section 3.4 */
        return refuse(query, RCODE_FORMERR, EDE_INVALID_QUERY_TYPE);
    if (key->class == CLASS_CH)
        return answer_chaos(query);
    if (key->class != CLASS_IN)
        return refuse(query, RCODE_REFUSED, EDE_NONE);
    if (key->type == TYPE_ANY)
        return answer_any(query);
    if (!(query->request.flags & FLAG_RD) && !addr_is_loopback(&query->origin.client)) /* cache snooping */
        return refuse(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE);
    return NEXT;
}

const struct step step_refuse = {"refuse", run, NULL};
