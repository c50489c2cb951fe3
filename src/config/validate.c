/* SPDX-License-Identifier: MIT */
/* Invariants: a setting with a refused value causes no second report; if a file could not be read, the
 * configuration as a whole is not checked. */
#include "config/validate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include "config/https.h"
#include "config/member.h"
#include "config/own.h"
#include "config/teams.h"
#include "config/validate_answers.h"
#include "config/validate_private.h"
#include "config/validate_views.h"

#define WORKERS_AUTO_MAX 16
#define LONGEST_NAME     253

/* -- Checks -- */

void validate_duplicates(struct draft *draft, const struct setting *setting, const char *key)
{
    char text[ADDR_TEXT];
    for (const struct value *value = setting->first; value; value = value->next) {
        const struct value *before = setting->first;
        while (before != value && !addr_equal(&before->addr, &value->addr))
            before = before->next;
        if (before != value)
            report_at(draft->report, value->mark, "%s: %s is listed twice", key, addr_format(&value->addr, true, text));
    }
}

static void check_reach(struct draft *draft, const struct setting *listen, const char *key)
{
    const struct setting *allow = draft_setting(draft, "access.allow");
    char text[ADDR_TEXT];
    const struct value *value = listen->first;
    while (value && addr_is_loopback(&value->addr))
        value = value->next;
    if (value && !allow->named)
        report_at(draft->report, value->mark,
                  "%s: %s can be reached from other machines; list the allowed clients in access.allow", key,
                  addr_format(&value->addr, false, text));
}

static void check_listen(struct draft *draft)
{
    const struct setting *listen = draft_setting(draft, "listen");
    if (listen->count == 0 && !listen->broken)
        report_at(draft->report, listen->mark, "listen: no address is left, so no client could send a query");
    validate_duplicates(draft, listen, "listen");
    check_reach(draft, listen, "listen");
}

/* Both would take connections to the same address. */
static void check_not_in(struct draft *draft, const struct setting *setting, const char *key,
                         const struct setting *other, const char *other_key)
{
    char text[ADDR_TEXT];
    for (const struct value *value = setting->first; value; value = value->next)
        for (const struct value *taken = other->first; taken; taken = taken->next)
            if (addr_equal(&value->addr, &taken->addr))
                report_at(draft->report, value->mark, "%s: %s is in %s too; give them different ports", key,
                          addr_format(&value->addr, true, text), other_key);
}

/* The lists of addresses for connections, besides `listen`. */
static const struct {
    const char *key;
    bool tls;
} stream_listeners[] = {{"listen-tls", true}, {"listen-https", true}, {"listen-http", false}};

static void check_stream_listeners(struct draft *draft, bool has_certificate)
{
    for (size_t i = 0; i < sizeof stream_listeners / sizeof *stream_listeners; i++) {
        const char *key = stream_listeners[i].key;
        const struct setting *listen = draft_setting(draft, key);
        validate_duplicates(draft, listen, key);
        check_reach(draft, listen, key);
        check_not_in(draft, listen, key, draft_setting(draft, "listen"), "listen");
        for (size_t other = 0; other < i; other++)
            check_not_in(draft, listen, key, draft_setting(draft, stream_listeners[other].key),
                         stream_listeners[other].key);
        if (stream_listeners[i].tls && listen->count > 0 && !has_certificate)
            report_at(draft->report, listen->mark,
                      "%s: it needs a certificate; name PEM files in tls-server.certificate and tls-server.key", key);
    }
}

static void check_https_path(struct draft *draft)
{
    const struct setting *path = draft_setting(draft, "https-path");
    const struct value *value = path->first;
    if (value && (value->text.len == 0 || value->text.data[0] != '/' || memchr(value->text.data, '?', value->text.len)))
        report_at(draft->report, value->mark, "https-path: a path begins with / and has no ?, as in /dns-query");
}

static void check_tls_server(struct draft *draft)
{
    const struct setting *certificates = draft_setting(draft, "tls-server.certificate"),
                         *keys = draft_setting(draft, "tls-server.key");
    check_stream_listeners(draft, certificates->count > 0 || certificates->broken);
    check_https_path(draft);
    if (certificates->broken || keys->broken)
        return;
    if (certificates->count != keys->count)
        report_at(draft->report, keys->count ? keys->mark : certificates->mark,
                  "tls-server.key: %zu keys for %zu certificates; name the key of each, in the same order", keys->count,
                  certificates->count);
}

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

static bool has_family(const struct setting *addresses, sa_family_t family)
{
    const struct value *value = addresses->first;
    while (value && value->addr.sa.sa_family != family)
        value = value->next;
    return value != NULL;
}

/* `key` has the addresses of the servers; `what`: how they are called. */
static void check_source(struct draft *draft, const struct draft_item *item, const char *key, const char *what)
{
    const struct setting *addresses = draft_item_setting(item, key);
    const struct setting *setting = draft_item_setting(item, "source");
    const struct value *source = setting->first;
    if (!source || source->none || addresses->count == 0 || addresses->broken)
        return;
    if (!has_family(addresses, source->addr.sa.sa_family))
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

static void check_required(struct draft *draft, const struct option *list, const struct draft_item *item)
{
    for (size_t i = 0; i < item->of->count; i++) {
        const struct option *option = &item->of->table[i];
        const struct setting *setting = &item->settings[i];
        bool is_identity = item->of->identity && strcmp(option->key, item->of->identity) == 0;
        if (option->unset || setting->count > 0 || setting->broken || is_identity)
            continue;
        struct mark mark = setting->named ? setting->mark : item->mark;
        const char *what = option_is_list(option) ? "a list" : "its value";
        if (item->name)
            report_at(draft->report, mark, "%s: %s has no %s; write %s: and %s", list->key, item->name, option->key,
                      option->key, what);
        else
            report_at(draft->report, mark, "%s: this %s has no %s; write %s: and %s", list->key, option_noun(item->of),
                      option->key, option->key, what);
    }
}

/* Reports items without a required setting. */
static void check_lists(struct draft *draft, const struct setting *settings, const struct option *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].type != OPTION_ITEMS)
            continue;
        for (const struct draft_item *item = settings[i].items; item; item = item->next) {
            if (item->name || !item->of->identity)
                check_required(draft, &table[i], item);
            check_lists(draft, item->settings, item->of->table, item->of->count);
        }
    }
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

static void check_upstreams(struct draft *draft)
{
    const struct setting *setting = draft_setting(draft, "upstreams");
    if (!has_unrouted(setting) && !setting->broken)
        report_at(draft->report, setting->mark, "upstreams: no upstream is left, so no query could be resolved");
    for (const struct draft_item *upstream = setting->items; upstream; upstream = upstream->next) {
        if (!upstream->name)
            continue;
        check_addresses(draft, upstream);
        check_source(draft, upstream, "addresses", upstream->name);
        check_trust(draft, upstream);
        check_client_certificate(draft, upstream);
        check_https(draft, upstream);
    }
    validate_hosts(draft);
}

/* -- Groups and routes -- */

/* The upstream of this name. A preset that `upstreams` does not list is added for groups and routes. */
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

static int find_upstreams(struct draft *draft, const char *list)
{
    return validate_upstreams_of(draft, list, draft_setting(draft, list));
}

static bool is_same_zone(const struct value *a, const struct value *b)
{
    size_t len_a = a->text.len, len_b = b->text.len;
    len_a -= len_a > 1 && a->text.data[len_a - 1] == '.';
    len_b -= len_b > 1 && b->text.data[len_b - 1] == '.';
    return len_a == len_b && strncasecmp((const char *)a->text.data, (const char *)b->text.data, len_a) == 0;
}

/* True if a zone of an earlier route of the list, or an earlier one of this route, is the same. */
static bool is_zone_taken(const struct setting *routes, const struct value *zone)
{
    for (const struct draft_item *route = routes->items; route; route = route->next)
        for (const struct value *other = draft_item_setting(route, "zones")->first; other; other = other->next) {
            if (other == zone)
                return false;
            if (is_same_zone(other, zone))
                return true;
        }
    return false;
}

static void check_zones(struct draft *draft, const struct setting *routes, const struct draft_item *route)
{
    for (const struct value *zone = draft_item_setting(route, "zones")->first; zone; zone = zone->next) {
        int len = (int)zone->text.len;
        const char *text = (const char *)zone->text.data;
        if (len == 1 && *text == '.')
            report_at(draft->report, zone->mark, "forward: a route for all names; set upstreams instead");
        else if (is_zone_taken(routes, zone))
            report_at(draft->report, zone->mark, "forward: the zone %.*s has two routes; remove one", len, text);
    }
}

/* A name in plain DNS is never sent by mistake: the address and the consent must both be there. */
static void check_plain(struct draft *draft, const struct draft_item *route)
{
    const struct setting *to = draft_item_setting(route, "to"), *plain = draft_item_setting(route, "plain");
    bool is_plain = plain->broken || plain->first->number;
    if (to->count > 0 && !is_plain)
        report_at(
            draft->report, to->mark,
            "forward: queries to these servers are not encrypted; write plain: yes beside them if that is wanted");
    if (to->count == 0 && !to->broken && plain->named && is_plain)
        report_at(draft->report, plain->mark, "forward: plain: yes is for the servers of to, and there are none");
    const struct setting *interface = draft_item_setting(route, "interface"),
                         *tcp_only = draft_item_setting(route, "tcp-only");
    if (to->count == 0 && !to->broken && tcp_only->named && !tcp_only->broken && tcp_only->first->number)
        report_at(draft->report, tcp_only->mark, "forward: tcp-only is for the servers of to, and there are none");
    if (to->count == 0 && !to->broken && interface->first && !interface->first->none)
        report_at(draft->report, interface->mark,
                  "forward: interface is for the servers of to; set it for upstreams in upstreams");
    const struct setting *source = draft_item_setting(route, "source");
    if (to->count == 0 && !to->broken && source->first && !source->first->none)
        report_at(draft->report, source->mark,
                  "forward: source is for the servers of to; set it for upstreams in upstreams");
    check_source(draft, route, "to", "to");
    for (const struct value *value = to->first; value; value = value->next)
        if (addr_is_wildcard(&value->addr))
            report_at(draft->report, value->mark, "to: this is not the address of a server");
}

void validate_group_exists(struct draft *draft, const char *list, const struct setting *group)
{
    char name[LONGEST_NAME + 1], quoted[QUOTED_TEXT];
    if (group->broken || !group->first || group->first->none)
        return;
    snprintf(name, sizeof name, "%.*s", (int)group->first->text.len, (const char *)group->first->text.data);
    if (!draft_find_item(draft_setting(draft, "groups"), name))
        report_at(draft->report, group->mark, "%s: there is no group %s; define it in groups", list,
                  report_quote(name, quoted));
}

void validate_route_among(struct draft *draft, const struct setting *routes, const struct draft_item *route)
{
    const struct setting *upstreams = draft_item_setting(route, "upstreams"),
                         *group = draft_item_setting(route, "group"), *to = draft_item_setting(route, "to");
    check_zones(draft, routes, route);
    validate_duplicates(draft, to, "to");
    check_plain(draft, route);
    if (upstreams->broken || group->broken || to->broken)
        return;
    bool has_group = group->first && !group->first->none;
    unsigned ways = has_group + (upstreams->count > 0) + (to->count > 0);
    if (ways == 0)
        report_at(
            draft->report, route->mark,
            "forward: this route leads nowhere; write upstreams: and a list, group: and a name, or to: and a list");
    if (ways > 1)
        report_at(draft->report, route->mark,
                  "forward: this route has two of upstreams, group and to; keep one of them");
    validate_group_exists(draft, "forward", group);
}

static void check_route(struct draft *draft, const struct draft_item *route)
{
    validate_route_among(draft, draft_setting(draft, "forward"), route);
}

static void check_routes(struct draft *draft)
{
    const struct draft_item *root = draft_find_item(draft_setting(draft, "groups"), "root");
    if (root)
        report_at(draft->report, root->mark, "groups: root is the group of names without a route; use another name");
    for (const struct draft_item *route = draft_setting(draft, "forward")->items; route; route = route->next)
        check_route(draft, route);
}

int validate_route(struct draft *draft, const struct draft_item *route)
{
    int error = find_upstreams(draft, "forward");
    check_required(draft, draft_option("forward"), route);
    check_route(draft, route);
    own_check(draft);
    return error;
}

static void check_ttls(struct draft *draft)
{
    const struct setting *min = draft_setting(draft, "cache.min-ttl"), *max = draft_setting(draft, "cache.max-ttl");
    if (!min->broken && !max->broken && min->first->number > max->first->number)
        report_at(draft->report, min->named ? min->mark : max->mark, "cache.min-ttl is above cache.max-ttl");
}

static void check_names(struct draft *draft)
{
    const struct setting *names = draft_setting(draft, "metrics.names"),
                         *token = draft_setting(draft, "metrics.token-file");
    if (!names->broken && !token->broken && names->first->number && token->first->none)
        report_at(draft->report, names->mark,
                  "metrics.names: anybody could read the names that clients query; set "
                  "metrics.token-file to a file with a secret");
}

int validate_check(struct draft *draft)
{
    if (draft->partial)
        return 0;
    int error = find_upstreams(draft, "groups");
    if (!error)
        error = find_upstreams(draft, "forward");
    if (!error)
        error = validate_views_upstreams(draft);
    if (!error)
        error = validate_find_bootstraps(draft);
    if (error)
        return error;
    check_listen(draft);
    check_lists(draft, draft->settings, options, option_count);
    check_tls_server(draft);
    check_upstreams(draft);
    check_routes(draft);
    validate_views(draft);
    own_check(draft);
    validate_answers(draft);
    check_ttls(draft);
    check_names(draft);
    validate_block(draft);
    validate_store(draft);
    validate_negative(draft);
    error = validate_proxy(draft);
    return error ? error : validate_records(draft);
}

/* -- Notices -- */

static bool has_ipv4_prefix(const struct setting *prefixes)
{
    for (const struct value *value = prefixes->first; value; value = value->next)
        if (value->prefix.bits >= ADDR_MAPPED_BITS)
            return true;
    return false;
}

/* Other servers take IPv4 clients at "::" as well. */
int validate_notice(struct draft *draft)
{
    const struct setting *listen = draft_setting(draft, "listen"), *allow = draft_setting(draft, "access.allow");
    if (listen->broken || allow->broken || has_family(listen, AF_INET) || !has_ipv4_prefix(allow))
        return 0;
    for (const struct value *value = listen->first; value; value = value->next)
        if (addr_is_wildcard(&value->addr))
            return draft_notice(
                draft, "listen: \"::\" takes IPv6 queries only, so IPv4 clients of access.allow get no answer; "
                       "add 0.0.0.0 to `listen` for them");
    return 0;
}

/* -- The snapshot -- */

static const char *origin_of(struct arena *arena, const struct mark *mark)
{
    if (!mark->source)
        return "default";
    if (mark->source->environment)
        return arena_print(arena, "%s", mark->source->name);
    return arena_print(arena, "%s:%u", mark->source->name, mark->line);
}

/* The origin of the values: one place, or for a list the first place in each source. NULL when out of memory. */
static const char *origins_of(struct arena *arena, const struct setting *setting)
{
    const char *all = origin_of(arena, setting->first ? &setting->first->mark : &setting->mark);
    for (const struct value *value = setting->first; value && value->next && all; value = value->next) {
        if (value->mark.source == value->next->mark.source)
            continue;
        const char *one = origin_of(arena, &value->next->mark);
        all = one ? arena_print(arena, "%s, %s", all, one) : NULL;
    }
    return all;
}

static int fill(void *base, struct value_origin **out, struct arena *arena, const struct option *table, size_t count,
                const struct setting *settings);

static int fill_items(void *base, struct value_origin *origin, struct arena *arena, const struct option *option,
                      const struct setting *setting)
{
    char *at = member_store_items(base, option, setting->count, arena);
    origin->items = arena_take(arena, setting->count * sizeof(*origin->items));
    if (!at || !origin->items)
        return -ENOMEM;
    int error = 0;
    struct value_origin **origins = origin->items;
    for (const struct draft_item *item = setting->items; !error && item; item = item->next) {
        error = fill(at, origins++, arena, item->of->table, item->of->count, item->settings);
        at += item->of->size;
    }
    return error;
}

/* Fills the struct at `base` and the origins of its values from the settings of one table. */
static int fill(void *base, struct value_origin **out, struct arena *arena, const struct option *table, size_t count,
                const struct setting *settings)
{
    struct value_origin *origins = *out = arena_take(arena, count * sizeof(*origins));
    int error = origins ? 0 : -ENOMEM;
    for (size_t i = 0; !error && i < count; i++) {
        origins[i].text = origins_of(arena, &settings[i]);
        if (!origins[i].text)
            error = -ENOMEM;
        else if (table[i].type == OPTION_ITEMS)
            error = fill_items(base, &origins[i], arena, &table[i], &settings[i]);
        else
            error = member_store(base, &table[i], settings[i].first, settings[i].count, arena);
    }
    return error;
}

int validate_fill_route(struct config_route *out, const struct draft_item *route, struct arena *arena)
{
    struct value_origin *origins;
    return fill(out, &origins, arena, route->of->table, route->of->count, route->settings);
}

static int fit_workers(struct snapshot *snapshot, const struct machine *machine)
{
    if (snapshot->config.workers != 0)
        return 0;
    snapshot->config.workers = machine->processors < WORKERS_AUTO_MAX ? machine->processors : WORKERS_AUTO_MAX;
    return snapshot_remark(snapshot, "workers", "auto");
}

static int fit_cache(struct snapshot *snapshot, const struct machine *machine)
{
    const struct option *option = draft_option("cache.size");
    struct config *config = &snapshot->config;
    uint64_t quarter = machine->memory / 4 / option->min * option->min; /* whole MiB */
    if (quarter < option->min)
        quarter = option->min;
    if (config->cache.size <= quarter)
        return 0;
    char before[NUMBER_TEXT], after[NUMBER_TEXT];
    value_number(option, config->cache.size, before);
    value_number(option, quarter, after);
    config->cache.size = quarter;
    if (config->log_level >= LOG_LEVEL_INFO)
        log_info("config", "cache.size is %s instead of %s: a quarter of the available memory", after, before);
    return snapshot_remark(snapshot, "cache.size", "lowered to a quarter of the available memory");
}

static int copy_notices(struct snapshot *snapshot, const struct draft *draft)
{
    struct config *config = &snapshot->config;
    config->notices = arena_take(&snapshot->arena, (draft->notice_count + 1) * sizeof(*config->notices));
    for (const struct notice *notice = draft->first_notice; config->notices && notice; notice = notice->next) {
        const char *text = arena_text(&snapshot->arena, notice->text, strlen(notice->text));
        if (!text)
            return -ENOMEM;
        config->notices[config->notice_count++] = text;
    }
    return config->notices ? 0 : -ENOMEM;
}

int validate_fill(struct snapshot *snapshot, const struct draft *draft, const struct machine *machine)
{
    int error = fill(&snapshot->config, &snapshot->origins, &snapshot->arena, options, option_count, draft->settings);
    if (!error)
        error = validate_fill_hosts(&snapshot->config, &snapshot->arena);
    if (!error)
        error = teams_fill(&snapshot->config, &snapshot->arena);
    if (!error)
        error = fit_workers(snapshot, machine);
    if (!error)
        error = fit_cache(snapshot, machine);
    if (!error)
        error = copy_notices(snapshot, draft);
    snapshot->config.listen_is_default = !draft_setting(draft, "listen")->named;
    snapshot->config.control_socket_is_default = !draft_setting(draft, "control.socket")->named;
    return error;
}
