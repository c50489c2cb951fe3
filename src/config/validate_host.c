/* SPDX-License-Identifier: MIT */
/* Upstreams that are defined by a host name.
 *
 * Invariant: the upstreams and their bootstraps by name form a graph without a cycle, so each look-up of an address
 * ends at an upstream with addresses, or at a server that `bootstrap` gives by its address. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "config/validate_private.h"

enum { PORT_DNS = 53 };

static bool is_set(const struct setting *setting)
{
    return setting->first && !setting->first->none;
}

static bool is_address(const struct value *value)
{
    char text[ADDR_TEXT];
    struct addr addr;
    if (value->text.len >= sizeof text)
        return false;
    memcpy(text, value->text.data, value->text.len);
    text[value->text.len] = '\0';
    return addr_parse(&addr, text, PORT_DNS) == 0;
}

int validate_find_bootstraps(struct draft *draft)
{
    int error = 0;
    for (struct draft_item *item = draft_setting(draft, "upstreams")->items; item; item = item->next)
        for (const struct value *value = draft_item_setting(item, "bootstrap")->first; !error && value;
             value = value->next)
            if (!is_address(value))
                error = validate_find_upstream(draft, "bootstrap", value);
    return error;
}

/* The upstream of this name; NULL: an address, or a name that was reported. */
static const struct draft_item *upstream_of(const struct draft *draft, const struct value *value)
{
    for (const struct draft_item *item = draft_setting(draft, "upstreams")->items; item; item = item->next)
        if (item->name && strlen(item->name) == value->text.len &&
            memcmp(item->name, value->text.data, value->text.len) == 0)
            return item;
    return NULL;
}

/* True if the bootstraps of `from` lead to `to`; `depth`: no path without a cycle is longer. */
static bool leads_to(const struct draft *draft, const struct draft_item *from, const struct draft_item *to,
                     size_t depth)
{
    if (from == to)
        return true;
    if (depth == 0 || !is_set(draft_item_setting(from, "host")))
        return false;
    for (const struct value *value = draft_item_setting(from, "bootstrap")->first; value; value = value->next) {
        const struct draft_item *next = upstream_of(draft, value);
        if (next && leads_to(draft, next, to, depth - 1))
            return true;
    }
    return false;
}

static void check_circle(struct draft *draft, const struct draft_item *upstream)
{
    enum { DEPTH = 8 }; /* of chains that are searched; a longer one is refused below */
    for (const struct value *value = draft_item_setting(upstream, "bootstrap")->first; value; value = value->next) {
        const struct draft_item *next = upstream_of(draft, value);
        if (next == upstream)
            report_at(draft->report, value->mark,
                      "bootstrap: %s cannot look up its own address; name another upstream, or the address of a server",
                      upstream->name);
        else if (next && leads_to(draft, next, upstream, DEPTH))
            report_at(draft->report, value->mark,
                      "bootstrap: %s needs %s for its own address, so neither would ever be found; name an upstream "
                      "with addresses, or the address of a server",
                      next->name, upstream->name);
    }
}

/* Names and addresses are not mixed: a query for the name must not be sent in plain because an encrypted upstream
 * was slower. */
static void check_kinds(struct draft *draft, const struct setting *bootstrap)
{
    size_t addresses = 0;
    for (const struct value *value = bootstrap->first; value; value = value->next)
        addresses += is_address(value);
    if (addresses > 0 && addresses < bootstrap->count)
        report_at(draft->report, bootstrap->mark,
                  "bootstrap: it has names of upstreams and addresses of servers without encryption; keep one kind");
}

static void check_name(struct draft *draft, const struct draft_item *upstream, const struct value *host)
{
    const struct setting *name = draft_item_setting(upstream, "tls-name");
    if (is_set(name) &&
        (name->first->text.len != host->text.len ||
         strncasecmp((const char *)name->first->text.data, (const char *)host->text.data, host->text.len) != 0))
        report_at(
            draft->report, name->mark,
            "tls-name: the certificate of %s must be for its host; remove tls-name, or give addresses in place of "
            "host",
            upstream->name);
}

static void check_host(struct draft *draft, const struct draft_item *upstream)
{
    const struct setting *host = draft_item_setting(upstream, "host"),
                         *addresses = draft_item_setting(upstream, "addresses"),
                         *bootstrap = draft_item_setting(upstream, "bootstrap");
    if (host->broken || addresses->broken || bootstrap->broken)
        return;
    if (!is_set(host)) {
        if (addresses->count == 0)
            report_at(draft->report, addresses->named ? addresses->mark : upstream->mark,
                      "upstreams: %s has no addresses; write addresses: and a list, or host: and a name",
                      upstream->name);
        if (bootstrap->count > 0)
            report_at(draft->report, bootstrap->mark, "bootstrap: %s has no host to look up; write host: and a name",
                      upstream->name);
        return;
    }
    if (addresses->count > 0)
        report_at(draft->report, host->mark, "host: %s has addresses as well; keep one of them", upstream->name);
    if (bootstrap->count == 0)
        report_at(draft->report, host->mark,
                  "host: nothing looks up the address of %s; write bootstrap: and names of other upstreams, or "
                  "addresses of servers that get this name without encryption",
                  upstream->name);
    check_name(draft, upstream, host->first);
    check_kinds(draft, bootstrap);
    check_circle(draft, upstream);
}

void validate_hosts(struct draft *draft)
{
    for (struct draft_item *upstream = draft_setting(draft, "upstreams")->items; upstream; upstream = upstream->next)
        if (upstream->name)
            check_host(draft, upstream);
}

/* -- The snapshot -- */

int validate_fill_hosts(struct config *config, struct arena *arena)
{
    for (size_t i = 0; i < config->upstream_count; i++) {
        struct config_upstream *upstream = &config->upstreams[i];
        if (!upstream->host)
            continue;
        upstream->tls_name = upstream->host;
        upstream->bootstrap_to = arena_take(arena, upstream->bootstrap_count * sizeof *upstream->bootstrap_to);
        if (!upstream->bootstrap_to)
            return -ENOMEM;
        size_t *count = &upstream->bootstrap_to_count;
        for (size_t b = 0; b < upstream->bootstrap_count; b++)
            *count += addr_parse(&upstream->bootstrap_to[*count], upstream->bootstrap[b], PORT_DNS) == 0;
        if (*count == 0)
            upstream->bootstrap_to = NULL;
    }
    return 0;
}
