/* SPDX-License-Identifier: MIT */
/* Invariants: a setting with a refused value causes no second report; if a file could not be read, the
 * configuration as a whole is not checked. */
#include "config/validate.h"

#include <errno.h>
#include <string.h>
#include "config/member.h"

#define WORKERS_AUTO_MAX 16

/* -- Checks -- */

static void check_duplicates(struct draft *draft, const struct setting *setting, const char *key)
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

static void check_listen(struct draft *draft)
{
    const struct setting *listen = draft_setting(draft, "listen"), *allow = draft_setting(draft, "access.allow");
    if (listen->count == 0 && !listen->broken)
        report_at(draft->report, listen->mark, "listen: no address is left, so no client could send a query");
    check_duplicates(draft, listen, "listen");
    for (const struct value *value = listen->first; value && !allow->named; value = value->next) {
        char text[ADDR_TEXT];
        if (addr_is_loopback(&value->addr))
            continue;
        report_at(draft->report, value->mark,
                  "listen: %s can be reached from other machines; list the allowed clients in access.allow",
                  addr_format(&value->addr, false, text));
        return;
    }
}

/* Addresses without a port get the upstream's. */
static void set_ports(const struct setting *addresses, const struct setting *port)
{
    for (struct value *value = addresses->first; value && port->first; value = value->next)
        if (addr_port(&value->addr) == 0)
            addr_set_port(&value->addr, (uint16_t)port->first->number);
}

static void check_addresses(struct draft *draft, const struct draft_upstream *upstream)
{
    const struct setting *addresses = draft_upstream_setting(upstream, "addresses");
    set_ports(addresses, draft_upstream_setting(upstream, "port"));
    if (addresses->count == 0 && !addresses->broken)
        report_at(draft->report, addresses->named ? addresses->mark : upstream->mark,
                  "upstreams: %s has no address; write addresses: and a list", upstream->name);
    check_duplicates(draft, addresses, "addresses");
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

static void check_source(struct draft *draft, const struct draft_upstream *upstream)
{
    const struct setting *addresses = draft_upstream_setting(upstream, "addresses");
    const struct setting *setting = draft_upstream_setting(upstream, "source");
    const struct value *source = setting->first;
    if (!source || source->none || addresses->count == 0 || addresses->broken)
        return;
    if (!has_family(addresses, source->addr.sa.sa_family))
        report_at(draft->report, source->mark, "source: no address of %s can be reached from an %s address",
                  upstream->name, source->addr.sa.sa_family == AF_INET ? "IPv4" : "IPv6");
}

static void check_trust(struct draft *draft, const struct draft_upstream *upstream)
{
    const struct setting *name = draft_upstream_setting(upstream, "tls-name");
    const struct setting *pins = draft_upstream_setting(upstream, "pins");
    bool has_name = name->broken || (name->first && !name->first->none);
    if (!has_name && pins->count == 0 && !pins->broken)
        report_at(draft->report, name->named ? name->mark : upstream->mark,
                  "upstreams: %s has neither tls-name nor pins, so any certificate would be accepted; set one of them",
                  upstream->name);
}

static void check_upstreams(struct draft *draft)
{
    const struct setting *setting = draft_setting(draft, "upstreams");
    if (!draft->first && !setting->broken)
        report_at(draft->report, setting->mark, "upstreams: no upstream is left, so no query could be resolved");
    for (const struct draft_upstream *upstream = draft->first; upstream; upstream = upstream->next) {
        if (!upstream->name)
            continue;
        check_addresses(draft, upstream);
        check_source(draft, upstream);
        check_trust(draft, upstream);
    }
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

void validate_check(struct draft *draft)
{
    if (draft->partial)
        return;
    check_listen(draft);
    check_upstreams(draft);
    check_ttls(draft);
    check_names(draft);
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

/* Fills the struct at `base` and the origins of its values from the settings of one table. */
static int fill(void *base, const char **origins, struct arena *arena, const struct option *table, size_t count,
                const struct setting *settings)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].type == OPTION_UPSTREAMS)
            continue;
        origins[i] = origins_of(arena, &settings[i]);
        if (!origins[i])
            return -ENOMEM;
        int error = member_store(base, &table[i], settings[i].first, settings[i].count, arena);
        if (error)
            return error;
    }
    return 0;
}

static int fill_upstreams(struct snapshot *snapshot, const struct draft *draft)
{
    struct config *config = &snapshot->config;
    size_t count = draft_setting(draft, "upstreams")->count;
    config->upstreams = arena_take(&snapshot->arena, count * sizeof(*config->upstreams));
    snapshot->upstream_origins = arena_take(&snapshot->arena, count * sizeof(*snapshot->upstream_origins));
    if (!config->upstreams || !snapshot->upstream_origins)
        return -ENOMEM;
    for (const struct draft_upstream *upstream = draft->first; upstream; upstream = upstream->next) {
        size_t i = config->upstream_count++;
        const char **origins = arena_take(&snapshot->arena, upstream_option_count * sizeof(*origins));
        snapshot->upstream_origins[i] = origins;
        int error = !origins ? -ENOMEM
                             : fill(&config->upstreams[i], origins, &snapshot->arena, upstream_options,
                                    upstream_option_count, upstream->settings);
        if (error)
            return error;
    }
    return 0;
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
    snapshot->origins = arena_take(&snapshot->arena, option_count * sizeof(*snapshot->origins));
    if (!snapshot->origins)
        return -ENOMEM;
    int error = fill(&snapshot->config, snapshot->origins, &snapshot->arena, options, option_count, draft->settings);
    if (!error)
        error = fill_upstreams(snapshot, draft);
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
