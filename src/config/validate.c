/* SPDX-License-Identifier: MIT */
/* Invariants: a setting with a refused value causes no second report; if a file could not be read, the
 * configuration as a whole is not checked. */
#include "config/validate.h"

#include <string.h>
#include "config/own.h"
#include "config/validate_answers.h"
#include "config/validate_private.h"
#include "config/validate_views.h"

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

int validate_route(struct draft *draft, const struct draft_item *route)
{
    int error = validate_find_upstreams(draft, "forward");
    check_required(draft, draft_option("forward"), route);
    validate_route_among(draft, draft_setting(draft, "forward"), route);
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
    int error = validate_find_upstreams(draft, "groups");
    if (!error)
        error = validate_find_upstreams(draft, "forward");
    if (!error)
        error = validate_views_upstreams(draft);
    if (!error)
        error = validate_find_bootstraps(draft);
    if (error)
        return error;
    validate_listen(draft);
    check_lists(draft, draft->settings, options, option_count);
    validate_tls_server(draft);
    validate_upstreams(draft);
    validate_routes(draft);
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
    if (listen->broken || allow->broken || validate_has_family(listen, AF_INET) || !has_ipv4_prefix(allow))
        return 0;
    for (const struct value *value = listen->first; value; value = value->next)
        if (addr_is_wildcard(&value->addr))
            return draft_notice(
                draft, "listen: \"::\" takes IPv6 queries only, so IPv4 clients of access.allow get no answer; "
                       "add 0.0.0.0 to `listen` for them");
    return 0;
}
