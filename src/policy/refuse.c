/* Who may ask, and questions that are never asked upstream. */
#include <stdio.h>
#include <string.h>
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

#define RFC8482_TTL 3600

static bool client_is_allowed(const struct query *query)
{
    const struct config *config = query->resolver->config;
    for (size_t i = 0; i < config->access.allow_count; i++)
        if (prefix_holds(&config->access.allow[i], &query->origin.client))
            return true;
    return false;
}

static enum verdict refuse_client(struct query *query)
{
    if (query->resolver->config->access.deny == DENY_DROP)
        query_drop(query);
    else
        query_error(query, RCODE_REFUSED, EDE_PROHIBITED, NULL);
    return ANSWERED;
}

/* Zone transfers, transaction types, pseudo types, and what IANA has not assigned among the Q and Meta types (RFC 6895
 * section 3.1). */
static bool type_is_meta(uint16_t type)
{
    return type == 0 || type == TYPE_OPT || (type > TYPE_NXNAME && type < TYPE_ANY);
}

static enum verdict refuse_type(struct query *query)
{
    switch (query->request.type) {
    case TYPE_NXNAME: /* RFC 9824 section 3.4 */
        query_error(query, RCODE_FORMERR, EDE_INVALID_QUERY_TYPE, NULL);
        return ANSWERED;
    case TYPE_ANY: {
        struct record_text hinfo = {NULL, "HINFO", RFC8482_TTL, "\"RFC8482\" \"\""};
        return local_answer(query, RCODE_NOERROR, &hinfo, 1, NULL, 0);
    }
    default:
        query_error(query, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE, NULL);
        return ANSWERED;
    }
}

/* What the operator lets be told about this server (RFC 4892); NULL: nothing. */
static const char *chaos_text(const struct query *query)
{
    static const struct {
        const char *name;
        bool version;
    } names[] = {{"\7version\4bind", true}, {"\7version\6server", true}, {"\10hostname\4bind", false}, {"\2id\6server", false}};
    const struct config *config = query->resolver->config;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name_equal(query->key.name, (const uint8_t *)names[i].name))
            return names[i].version ? config->identity.version : config->identity.hostname;
    return NULL;
}

static enum verdict answer_chaos(struct query *query)
{
    const char *text = chaos_text(query);
    char rdata[2 * 255 + 3];
    size_t len = 0;
    if (!text || query->request.type != TYPE_TXT) {
        query_error(query, RCODE_REFUSED, EDE_NONE, NULL);
        return ANSWERED;
    }
    rdata[len++] = '"';
    for (; *text && len < sizeof rdata - 3; text++) {
        if (*text == '"' || *text == '\\')
            rdata[len++] = '\\';
        rdata[len++] = *text;
    }
    rdata[len++] = '"';
    rdata[len] = '\0';
    struct record_text txt = {NULL, "TXT", 0, rdata};
    return local_answer(query, RCODE_NOERROR, &txt, 1, NULL, 0);
}

static enum verdict run(struct query *query)
{
    const struct request *request = &query->request;
    if (!client_is_allowed(query))
        return refuse_client(query);
    if (request->class != CLASS_IN) {
        if (request->class == CLASS_CH)
            return answer_chaos(query);
        if (request->class == 0 || request->class == CLASS_HS || request->class >= CLASS_NONE) {
            query_error(query, RCODE_REFUSED, EDE_NONE, NULL);
            return ANSWERED;
        }
    }
    if (request->type == TYPE_NXNAME || request->type == TYPE_ANY || type_is_meta(request->type))
        return refuse_type(query);
    if (!(request->flags & FLAG_RD) && !addr_is_loopback(&query->origin.client)) { /* cache snooping */
        query_error(query, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL);
        return ANSWERED;
    }
    return NEXT;
}

const struct step step_refuse = {"refuse", run};
