/* SPDX-License-Identifier: MIT */
/* Refuses clients outside access.allow or in access.deny-clients, and queries that are never forwarded.
 *
 * The order of the checks: the client; types that are invalid in any class; the class (only IN passes); ANY.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"
#include "presence.h"

#define STRING_MAX 255 /* bytes of a character string (RFC 1035 section 3.3) */
#define QUOTED_MAX (4 * STRING_MAX + 3)

/* The snapshot. */
struct refuse_rules {
    enum config_deny deny;
    /* TXT data about this server that the operator publishes (RFC 4892); "": none. */
    char version[QUOTED_MAX], hostname[QUOTED_MAX];
    struct addr *listen; /* addresses of this machine, with port 0 */
    size_t listen_count;
};

struct refuse {
    const struct refuse_rules *rules;
};

/* --- the rules --- */

/* Writes a character string in presentation form, with special bytes as \DDD. */
static void quote(const char *text, char out[QUOTED_MAX])
{
    char *at = out;
    *at++ = '"';
    for (unsigned i = 0; text[i] && i < STRING_MAX; i++) {
        uint8_t byte = (uint8_t)text[i];
        bool plain = byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
        at += sprintf(at, plain ? "%c" : "\\%03u", byte);
    }
    memcpy(at, "\"", 2);
}

static void release(void *snapshot)
{
    struct refuse_rules *rules = snapshot;
    if (rules)
        mem_free(rules->listen);
    mem_free(rules);
}

static int copy_listen(struct refuse_rules *rules, const struct config *config)
{
    rules->listen = mem_zalloc(config->listen_count + 1, sizeof *rules->listen);
    if (!rules->listen)
        return -ENOMEM;
    for (; rules->listen_count < config->listen_count; rules->listen_count++) {
        rules->listen[rules->listen_count] = config->listen[rules->listen_count];
        addr_set_port(&rules->listen[rules->listen_count], 0);
    }
    return 0;
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    struct refuse_rules *rules = mem_zalloc(1, sizeof *rules);
    if (!rules || copy_listen(rules, config) < 0) {
        release(rules);
        return -ENOMEM;
    }
    rules->deny = config->access.deny;
    if (config->identity.version)
        quote(config->identity.version, rules->version);
    if (config->identity.hostname)
        quote(config->identity.hostname, rules->hostname);
    *snapshot = rules;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct refuse *refuse = state;
    refuse->rules = snapshot;
}

/* --- the walk --- */

static enum verdict refuse(struct query *query, uint16_t rcode, int ede_code)
{
    return query_error(query, rcode, ede_code, NULL);
}

/* True if the query was sent by this machine: from loopback, or from an address that it was also sent to. */
static bool is_from_here(const struct query *query, const struct refuse_rules *rules)
{
    struct addr client = query->origin.client, local = query->origin.local;
    bool here = addr_is_loopback(&client);
    addr_set_port(&client, 0);
    if (local.sa.sa_family) {
        addr_set_port(&local, 0);
        here = here || addr_equal(&client, &local);
    }
    for (size_t i = 0; !here && i < rules->listen_count; i++)
        here = addr_equal(&client, &rules->listen[i]);
    return here;
}

/* dotstubctl on this machine can detect dotstub regardless of access.allow. */
static enum verdict refuse_client(struct query *query, const struct refuse_rules *rules)
{
    if (presence_is_asked(&query->key) && query->key.class == CLASS_IN && is_from_here(query, rules))
        return presence_answer(query);
    query->request.options &= (uint8_t)~REQUEST_NSID; /* like the CHAOS names that identify the server */
    if (rules->deny == DENY_REFUSE)
        return refuse(query, RCODE_REFUSED, EDE_PROHIBITED);
    return query_drop(query, COUNTER_drops_policy);
}

/* True for zone transfers, transaction types, pseudo types, and unassigned types of the range of Q and Meta types
 * (RFC 6895 section 3.1). */
static bool type_is_meta(uint16_t type)
{
    return type == 0 || type == TYPE_OPT || (type > TYPE_NXNAME && type < TYPE_ANY);
}

/* The text of a CHAOS name; "": none. */
static const char *chaos_text(const struct query *query, const struct refuse_rules *rules)
{
    static const struct {
        const char *name;
        bool version;
    } names[] = {
        {"\7version\4bind", true}, {"\7version\6server", true}, {"\10hostname\4bind", false}, {"\2id\6server", false}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name_equal(query->key.name, (const uint8_t *)names[i].name))
            return names[i].version ? rules->version : rules->hostname;
    return "";
}

static enum verdict answer_chaos(struct query *query, const struct refuse_rules *rules)
{
    const char *text = chaos_text(query, rules);
    if (!*text || query->key.type != TYPE_TXT)
        return refuse(query, RCODE_REFUSED, EDE_NONE);
    struct record_text txt = {NULL, "TXT", 0, text};
    return local_answer(query, RCODE_NOERROR, &txt, 1, NULL, 0);
}

static enum verdict refuse_meta(struct query *query)
{
    if (!query->request.has_question) /* and no step answered with a cookie */
        return refuse(query, RCODE_FORMERR, EDE_NONE);
    return refuse(query, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
}

static enum verdict run(struct query *query, void *state)
{
    const struct refuse_rules *rules = ((const struct refuse *)state)->rules;
    const struct key *key = &query->key;
    if (!query_client_allowed(query))
        return refuse_client(query, rules);
    if (type_is_meta(key->type))
        return refuse_meta(query);
    if (key->type == TYPE_NXNAME) /* RFC 9824 section 3.4 */
        return refuse(query, RCODE_FORMERR, EDE_INVALID_QUERY_TYPE);
    if (key->class == CLASS_CH)
        return answer_chaos(query, rules);
    if (key->class != CLASS_IN)
        return refuse(query, RCODE_REFUSED, EDE_NONE);
    if (key->type == TYPE_ANY && query_may_be_forged(query)) /* the responses are large */
        return query_demand_proof(query);
    return NEXT;
}

const struct step step_refuse = {
    .name = "refuse",
    .prepare = prepare,
    .release = release,
    .state_size = sizeof(struct refuse),
    .configure = configure,
    .run = run,
};
