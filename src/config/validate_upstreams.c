/* SPDX-License-Identifier: MIT */
/* The checks of `upstreams`, and the upstreams that other sections name. */
#include <string.h>
#include <strings.h>
#include "config/https.h"
#include "config/validate_private.h"
#include "config/validate_views.h"

#define LONGEST_NAME 253

/* Addresses without a port get the upstream's. */
static void set_ports(const struct setting *addresses, const struct setting *port)
{
    for (struct value *value = addresses->first; value && port->first; value = value->next)
        if (addr_port(&value->addr) == 0)
            addr_set_port(&value->addr, (uint16_t)port->first->number);
}

static void check_addresses(struct draft *draft, const struct draft_item *upstream)
{
    const struct setting *addresses = draft_item_setting(upstream, "addresses");
    set_ports(addresses, draft_item_setting(upstream, "port"));
    validate_duplicates(draft, addresses, "addresses");
    for (const struct value *value = addresses->first; value; value = value->next)
        if (addr_is_wildcard(&value->addr))
            report_at(draft->report, value->mark, "addresses: this is not the address of a server");
}

bool validate_has_family(const struct setting *addresses, sa_family_t family)
{
    const struct value *value = addresses->first;
    while (value && value->addr.sa.sa_family != family)
        value = value->next;
    return value != NULL;
}

void validate_source(struct draft *draft, const struct draft_item *item, const char *key, const char *what)
{
    const struct setting *addresses = draft_item_setting(item, key);
    const struct setting *setting = draft_item_setting(item, "source");
    const struct value *source = setting->first;
    if (!source || source->none || addresses->count == 0 || addresses->broken)
        return;
    if (!validate_has_family(addresses, source->addr.sa.sa_family))
        report_at(draft->report, source->mark, "source: no address of %s can be reached from an %s address", what,
                  source->addr.sa.sa_family == AF_INET ? "IPv4" : "IPv6");
}

static void check_trust(struct draft *draft, const struct draft_item *upstream)
{
    const struct setting *name = draft_item_setting(upstream, "tls-name");
    const struct setting *pins = draft_item_setting(upstream, "pins");
    const struct setting *host = draft_item_setting(upstream, "host");
    bool has_host = host->broken || (host->first && !host->first->none);
    bool has_name = has_host || name->broken || (name->first && !name->first->none);
    if (!has_name && pins->count == 0 && !pins->broken)
        report_at(draft->report, name->named ? name->mark : upstream->mark,
                  "upstreams: %s has neither tls-name nor pins, so any certificate would be accepted; set one of them",
                  upstream->name);
}

static void check_client_certificate(struct draft *draft, const struct draft_item *upstream)
{
    const struct setting *certificate = draft_item_setting(upstream, "client-certificate"),
                         *key = draft_item_setting(upstream, "client-key");
    if (certificate->broken || key->broken || certificate->first->none == key->first->none)
        return;
    const struct setting *alone = key->first->none ? certificate : key;
    report_at(draft->report, alone->mark, "upstreams: %s has %s alone; name the PEM file of %s as well", upstream->name,
              alone == key ? "client-key" : "client-certificate", alone == key ? "client-certificate" : "client-key");
}

static bool is_text(const struct value *value, const char *text)
{
    return value->text.len == strlen(text) && strncasecmp((const char *)value->text.data, text, value->text.len) == 0;
}

/* Nothing but the configured host may be asked, so the URL and the name of the certificate must agree. */
static void check_https(struct draft *draft, const struct draft_item *upstream)
{
    char text[HTTPS_URL_MAX];
    struct https_url url;
    const struct setting *https = draft_item_setting(upstream, "https"),
                         *transport = draft_item_setting(upstream, "transport"),
                         *pins = draft_item_setting(upstream, "https-pins"),
                         *name = draft_item_setting(upstream, "tls-name"), *host = draft_item_setting(upstream, "host");
    bool is_used = transport->broken || !transport->first || transport->first->number != TRANSPORT_DOT;
    bool has_url = https->first && !https->first->none, has_name = name->first && !name->first->none,
         has_host = host->first && !host->first->none;
    if (!is_used && (has_url || pins->count > 0))
        report_at(draft->report, has_url ? https->mark : pins->mark,
                  "https: %s uses DNS over TLS only; write transport: auto or transport: https beside it",
                  upstream->name);
    if (is_used && !transport->broken && !has_url && !has_name && !has_host && !https->broken)
        report_at(draft->report, transport->mark,
                  "transport: %s has neither https nor tls-name, so its URL is not known; write https: and the URL",
                  upstream->name);
    if (!has_url || https->broken)
        return;
    snprintf(text, sizeof text, "%.*s", (int)https->first->text.len, (const char *)https->first->text.data);
    if (https_url_parse(&url, text) < 0)
        report_at(draft->report, https->mark,
                  "https: not a URL for DNS over HTTPS; write it as https://dns.example/dns-query");
    else if (has_name ? !is_text(name->first, url.host) : has_host && !is_text(host->first, url.host))
        report_at(draft->report, https->mark, "https: the host %s is not the %s of %s; no other host is ever asked",
                  url.host, has_name ? "tls-name" : "host", upstream->name);
}

static bool has_unrouted(const struct setting *upstreams)
{
    for (const struct draft_item *item = upstreams->items; item; item = item->next) {
        const struct setting *role = draft_item_setting(item, "role");
        if (role->broken || role->first->number != ROLE_ROUTED)
            return true;
    }
    return false;
}

void validate_upstreams(struct draft *draft)
{
    const struct setting *setting = draft_setting(draft, "upstreams");
    if (!has_unrouted(setting) && !setting->broken)
        report_at(draft->report, setting->mark, "upstreams: no upstream is left, so no query could be resolved");
    for (const struct draft_item *upstream = setting->items; upstream; upstream = upstream->next) {
        if (!upstream->name)
            continue;
        check_addresses(draft, upstream);
        validate_source(draft, upstream, "addresses", upstream->name);
        check_trust(draft, upstream);
        check_client_certificate(draft, upstream);
        check_https(draft, upstream);
    }
    validate_hosts(draft);
}

/* --- named by groups and routes --- */

int validate_find_upstream(struct draft *draft, const char *list, const struct value *value)
{
    char name[LONGEST_NAME + 1], quoted[QUOTED_TEXT];
    struct setting *upstreams = draft_setting(draft, "upstreams");
    const struct option *option = draft_option("upstreams");
    snprintf(name, sizeof name, "%.*s", (int)value->text.len, (const char *)value->text.data);
    const struct preset *preset = preset_find(name);
    if (draft_find_item(upstreams, name))
        return 0;
    if (!preset) {
        report_at(draft->report, value->mark,
                  "%s: %s is neither in upstreams nor a preset; define it in upstreams, "
                  "with role: routed if other names must not use it",
                  list, report_quote(name, quoted));
        return 0;
    }
    int error = draft_add_preset(draft, upstreams, option->items, preset, value->mark);
    if (error)
        return error;
    struct setting *role = draft_item_setting(upstreams->last_item, "role");
    draft_begin(role, value->mark, false);
    return draft_add(draft, role, &upstream_options[option_index(upstream_options, upstream_option_count, "role")],
                     "routed", value->mark);
}

int validate_upstreams_of(struct draft *draft, const char *list, const struct setting *items)
{
    int error = 0;
    for (struct draft_item *item = items->items; item; item = item->next)
        for (const struct value *value = draft_item_setting(item, "upstreams")->first; !error && value;
             value = value->next)
            error = validate_find_upstream(draft, list, value);
    return error;
}

int validate_find_upstreams(struct draft *draft, const char *list)
{
    return validate_upstreams_of(draft, list, draft_setting(draft, list));
}
