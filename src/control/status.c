/* SPDX-License-Identifier: MIT */
/* JSON of the daemon's status, counters, configuration and cache entries. */
#include "status.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <config.h>
#include "anchors.h"
#include "base/errors.h"
#include "config/json.h"
#include "dns/records.h"
#include "explain.h"
#include "health.h"
#include "json.h"
#include "resolve/querylog.h"

/* --- status --- */

static json_t *server_tls(const struct server_report *server)
{
    json_t *object = json_object();
    put_text(object, "version", server->tls.version);
    put_text(object, "cipher", server->tls.cipher);
    put_text(object, "certificate", server->tls.certificate.name);
    put(object, "certificate_expires", json_integer(server->tls.certificate.expires_s));
    put_text(object, "pin", server->tls.certificate.pin);
    put(object, "pinned", json_boolean(server->tls.pinned));
    put(object, "resumed", json_boolean(server->tls.resumed));
    put_text(object, "alpn", server->tls.alpn);
    put_number(object, "opened_s_ago", seconds_since(server->opened_ms));
    return object;
}

/* True if the group was added at run time. */
static bool is_run_time(const struct view *view, const char *group)
{
    for (size_t i = 0; i < view->routes->group_count; i++)
        if (view->routes->groups[i].salt && strcmp(view->routes->groups[i].name, group) == 0)
            return true;
    return false;
}

static json_t *server_object(const struct view *view, const struct server_report *server)
{
    static const char *const states[] = {[SERVER_OPEN] = "open",
                                         [SERVER_CONNECTING] = "connecting",
                                         [SERVER_IDLE] = "idle",
                                         [SERVER_FAILING] = "failing",
                                         [SERVER_UNKNOWN] = "unknown"};
    json_t *object = json_object();
    put_text(object, "group", server->group);
    put_text(object, "upstream", server->upstream);
    put(object, "address", text_of_addr(&server->addr));
    put_text(object, "transport", server->transport ? server->transport : "");
    put_flag(object, "run_time", is_run_time(view, server->group));
    put_text(object, "state", server->reserve ? "reserve" : server->avoided ? "avoided" : states[server->state]);
    put(object, "fallback", server->fallback[0] ? json_string(server->fallback) : json_null());
    put_number(object, "sessions_open", server->open);
    put_number(object, "in_flight", server->in_flight);
    put(object, "latency_ms", server->latency_us ? thousandths(server->latency_us) : json_null());
    put_number(object, "sessions_opened", server->opened);
    put_number(object, "sessions_resumed", server->resumed);
    put_number(object, "failures_in_a_row", server->failures);
    put(object, "last_error", server->last_error ? json_string(error_text(server->last_error)) : json_null());
    put(object, "last_error_s_ago",
        server->last_error ? json_integer((json_int_t)seconds_since(server->failed_ms)) : json_null());
    put(object, "last_session", server->has_tls ? server_tls(server) : json_null());
    return object;
}

static json_t *cache_object(const struct view *view)
{
    struct cache_stats stats;
    json_t *object = json_object();
    cache_stats(view->cache, &stats);
    put_number(object, "entries", stats.entries);
    put_number(object, "used_bytes", stats.used);
    put_number(object, "size_bytes", stats.bytes);
    put_number(object, "evicted", stats.evicted);
    return object;
}

static json_t *dnssec_object(const struct view *view)
{
    static const char *const modes[] = {
        [DNSSEC_MODE_UPSTREAM] = "upstream", [DNSSEC_MODE_VALIDATE] = "validate", [DNSSEC_MODE_OFF] = "off"};
    static const struct {
        const char *key;
        enum counter counter;
    } counts[] = {{"secure", COUNTER_dnssec_secure},
                  {"insecure", COUNTER_dnssec_insecure},
                  {"bogus", COUNTER_dnssec_bogus},
                  {"denied", COUNTER_dnssec_denied}},
      reasons[] = {{"wrong signature", COUNTER_dnssec_bogus_signature},
                   {"expired signature", COUNTER_dnssec_bogus_expired},
                   {"signature not valid yet", COUNTER_dnssec_bogus_not_yet},
                   {"no key", COUNTER_dnssec_bogus_no_key},
                   {"no signature", COUNTER_dnssec_bogus_unsigned},
                   {"no keys of the zone", COUNTER_dnssec_bogus_no_zone_key},
                   {"no proof", COUNTER_dnssec_bogus_no_proof}};
    json_t *object = json_object(), *why = json_array();
    put_text(object, "mode", modes[view->config->dnssec.mode]);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        put_number(object, counts[i].key, view_counter(view, counts[i].counter));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        json_t *reason = json_object();
        put_text(reason, "reason", reasons[i].key);
        put_number(reason, "count", view_counter(view, reasons[i].counter));
        (void)json_array_append_new(why, reason);
    }
    put(object, "bogus_by_reason", why);
    put(object, "anchors", anchors_list(view));
    return object;
}

static void add_sentence(void *context, const char *sentence)
{
    (void)json_array_append_new(context, text_of(sentence, strlen(sentence)));
}

static json_t *reloads_object(const struct reloads *reloads)
{
    json_t *object = json_object();
    bool any = reloads->last_wall_s != 0;
    put_number(object, "reloads", reloads->good);
    put_number(object, "reloads_failed", reloads->failed);
    put(object, "last_reload", any ? json_string(reloads->last_failed ? "failed" : "good") : json_null());
    put(object, "last_reload_s_ago", any ? json_integer((json_int_t)seconds_since(reloads->last_ms)) : json_null());
    put(object, "mistakes", lines_of(reloads->mistakes));
    put(object, "at_next_start", lines_of(reloads->postponed));
    return object;
}

/* 3 decimals at most. */
static json_t *ratio(uint64_t part, uint64_t whole)
{
    return whole ? json_real((double)(part * 1000 / whole) / 1000) : json_null();
}

static void add_reasons(json_t *list, const struct reasons *reasons, const struct server_report *server)
{
    for (unsigned i = 0; i < REASONS_MAX && reasons->item[i].text; i++) {
        if (reasons->item[i].count == 0)
            continue;
        json_t *object = json_object();
        put_text(object, "reason", reasons->item[i].text);
        put_number(object, "count", reasons->item[i].count);
        if (server) {
            put_text(object, "group", server->group);
            put_text(object, "upstream", server->upstream);
            put(object, "address", text_of_addr(&server->addr));
        }
        (void)json_array_append_new(list, object);
    }
}

static json_t *last_minute(const struct view *view, const struct gather_sum *sum)
{
    json_t *object = json_object(), *reasons = json_array();
    struct health_minute minute;
    health_last_minute(&view->health, sum, clock_ms(), &minute);
    put(object, "seconds", thousandths(minute.span_ms));
    put_number(object, "queries", minute.queries);
    put(object, "queries_a_second", ratio(minute.queries * 1000, minute.span_ms));
    put_number(object, "hits", minute.hits);
    put_number(object, "misses", minute.misses);
    put(object, "hit_ratio", ratio(minute.hits, minute.hits + minute.misses));
    put_number(object, "stale", minute.stale);
    put(object, "stale_ratio", ratio(minute.stale, minute.queries));
    put_number(object, "failed", minute.failed);
    put(object, "failed_ratio", ratio(minute.failed, minute.queries));
    put_number(object, "servfail", minute.servfail);
    add_reasons(reasons, &minute.failures, NULL);
    put(object, "failed_by_reason", reasons);
    return object;
}

static json_t *failures_by_server(const struct gather_sum *sum)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sum->server_count; i++)
        add_reasons(list, &sum->servers[i].failures_by_reason, &sum->servers[i]);
    return list;
}

static json_t *views_array(const struct view *view)
{
    const struct routes *routes = view->routes;
    json_t *list = json_array();
    for (size_t i = 1; i < routes->view_count; i++) {
        const struct route_view *of = &routes->views[i];
        json_t *object = json_object();
        put_text(object, "name", of->label + strlen("view:"));
        put(object, "interface", of->interface ? json_string(of->interface) : json_null());
        put_text(object, "group", routes->groups[of->root].name);
        (void)json_array_append_new(list, object);
    }
    return list;
}

/* The members that are not private. */
static json_t *overview(const struct view *view, const struct gather_sum *sum)
{
    static const char *const policies[] = {
        [POLICY_FAILOVER] = "failover", [POLICY_FASTEST] = "fastest", [POLICY_SPREAD] = "spread"};
    json_t *root = json_object(), *servers = json_array(), *why = json_array();
    const char *state = view->readiness == READY_DRAINING ? "draining" : health_name(view->health.state);
    for (size_t i = 0; i < sum->server_count; i++)
        (void)json_array_append_new(servers, server_object(view, &sum->servers[i]));
    health_why(&view->health, sum, clock_ms(), add_sentence, why);
    put_text(root, "state", state);
    put(root, "since", json_integer(view->health.since_wall_s));
    put_number(root, "state_s", seconds_since(view->health.since_ms));
    put(root, "why", why);
    put(root, "last_minute", last_minute(view, sum));
    put_text(root, "version", PACKAGE_VERSION);
    put_number(root, "uptime_s", seconds_since(view->started_ms));
    put_text(root, "upstream_policy", policies[view->config->upstream_policy]);
    put_number(root, "workers", view->config->workers);
    put_number(root, "queries_waiting", sum->waiting);
    put(root, "servers", servers);
    put(root, "server_failures", failures_by_server(sum));
    put(root, "cache", cache_object(view));
    put(root, "dnssec", dnssec_object(view));
    return root;
}

static json_t *host_object(const struct host_report *report)
{
    json_t *object = json_object(), *addresses = json_array();
    char text[ADDR_TEXT];
    uint64_t now_ms = clock_ms();
    for (size_t i = 0; i < report->count; i++)
        (void)json_array_append_new(addresses, json_string(addr_format(&report->addresses[i], false, text)));
    put_text(object, "upstream", report->upstream);
    put_text(object, "host", report->host);
    put_flag(object, "plain", report->plain);
    put(object, "addresses", addresses);
    put(object, "resolved_s_ago",
        report->resolved_ms ? json_integer((json_int_t)seconds_since(report->resolved_ms)) : json_null());
    put_number(object, "next_s", report->due_ms > now_ms ? (report->due_ms - now_ms) / 1000 : 0);
    put(object, "last_error", report->error ? json_string(error_text(report->error)) : json_null());
    return object;
}

static json_t *hosts_of(const struct view *view)
{
    size_t room = view->config->upstream_count;
    struct host_report *reports = view->ops->hosts ? calloc(room, sizeof *reports) : NULL;
    size_t count = reports ? view->ops->hosts(view->context, reports, room) : 0;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, host_object(&reports[i]));
    free(reports);
    return list;
}

/* Of the queries since the start that the local cache could not answer. */
static json_t *store_object(const struct gather_sum *sum)
{
    json_t *object = json_object(), *servers = json_array();
    for (size_t i = 0; i < sum->store_count; i++) {
        const struct store_server_report *one = &sum->stores[i];
        json_t *server = json_object();
        uint64_t replies = histogram_count(&one->latency);
        put_text(server, "server", one->name);
        put_text(server, "role", one->role);
        put_text(server, "state", one->state);
        put_flag(server, "hears_flushes", one->hears);
        put_number(server, "replies", replies);
        put(server, "latency_ms", replies ? thousandths(one->latency.sum * 10 / replies) : json_null());
        put_number(server, "unsent_bytes", one->unsent);
        put(server, "last_error", one->error[0] ? text_of(one->error, strlen(one->error)) : json_null());
        (void)json_array_append_new(servers, server);
    }
    put(object, "servers", servers);
    put_number(object, "hits", sum->counters[COUNTER_store_hits]);
    put_number(object, "gets", sum->counters[COUNTER_store_gets]);
    put_number(object, "rejected",
               sum->counters[COUNTER_store_foreign] + sum->counters[COUNTER_store_damaged] +
                   sum->counters[COUNTER_store_early] + sum->counters[COUNTER_store_expired]);
    put_number(object, "late", sum->counters[COUNTER_store_late]);
    put_number(object, "written", sum->counters[COUNTER_store_puts] - sum->counters[COUNTER_store_puts_failed]);
    put_number(object, "not_written",
               sum->counters[COUNTER_store_puts_dropped] + sum->counters[COUNTER_store_puts_failed]);
    put_number(object, "flushes", sum->counters[COUNTER_store_flushes_heard]);
    put_number(object, "waits", sum->counters[COUNTER_store_leases_lost]);
    put_number(object, "filled", sum->counters[COUNTER_store_leases_filled]);
    put_number(object, "warmed", sum->counters[COUNTER_store_warmed]);
    put_number(object, "failovers", sum->counters[COUNTER_store_failovers]);
    put_number(object, "moved", sum->counters[COUNTER_store_moved]);
    put_number(object, "asks", sum->counters[COUNTER_store_asks]);
    return object;
}

static json_t *sandbox_object(const struct sandbox_report *report)
{
    json_t *object = json_object();
    put_flag(object, "system_calls", report->system_calls);
    put_flag(object, "files", report->files);
    put_flag(object, "tcp_ports", report->tcp_ports);
    put_number(object, "landlock", report->landlock);
    return object;
}

char *status_text(const struct view *view, const struct gather_sum *sum)
{
    json_t *root = overview(view, sum), *listening = json_array();
    for (size_t i = 0; i < view->listening_count; i++)
        (void)json_array_append_new(listening, text_of_addr(&view->listening[i]));
    put_number(root, "pid", (uint64_t)getpid());
    put(root, "hosts", hosts_of(view));
    put(root, "listen", listening);
    put(root, "store", store_object(sum));
    put(root, "views", views_array(view));
    put(root, "configuration", reloads_object(&view->reloads));
    if (view->sandbox)
        put(root, "sandbox", sandbox_object(view->sandbox));
    put_text(root, "log_level", log_level_name(log_level()));
    return print(root);
}

static json_t *counters_object(const struct view *view)
{
    json_t *counters = json_object();
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        put_number(counters, counter_name(i), view_counter(view, i));
    return counters;
}

char *status_counters(const struct view *view)
{
    json_t *root = json_object();
    put_number(root, "uptime_s", seconds_since(view->started_ms));
    put(root, "counters", counters_object(view));
    return print(root);
}

enum { PAGE_RECORDS = 20 };

static json_t *buckets(const struct histogram *histogram)
{
    json_t *list = json_array();
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
        (void)json_array_append_new(list, json_integer((json_int_t)histogram->bucket[i]));
    return list;
}

/* Histograms: hits in units of 10 us, misses in ms; the last bucket counts values above all bounds. */
static json_t *latency_object(const struct tally *tally)
{
    json_t *object = json_object(), *bounds = json_array();
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
        (void)json_array_append_new(bounds, json_integer(histogram_bounds[i]));
    put(object, "bounds", bounds);
    put(object, "hits", buckets(&tally->hits));
    put(object, "misses", buckets(&tally->misses));
    return object;
}

char *status_page(const struct view *view, const struct gather_sum *sum, enum status_names names)
{
    static const char *const words[] = {
        [NAMES_HIDDEN] = "hidden", [NAMES_FOR_TOKEN] = "token", [NAMES_SHOWN] = "shown"};
    json_t *root = overview(view, sum);
    put(root, "time", json_integer(clock_wall_s()));
    put_number(root, "clock_ms", clock_ms());
    put_number(root, "slow_ms", view->config->log_slow_ms);
    put_text(root, "names", words[names]);
    put_flag(root, "reload_failed", view->reloads.last_failed);
    put(root, "counters", counters_object(view));
    put(root, "store", store_object(sum));
    put(root, "latency", latency_object(&sum->tally));
    put(root, "recent", explain_recent(sum, PAGE_RECORDS, names == NAMES_SHOWN));
    return print(root);
}

/* --- configuration --- */

char *status_config(const struct view *view)
{
    json_t *root = json_object();
    put(root, "settings", config_to_json(view->config));
    return print(root);
}

/* --- cache entries --- */

static json_t *errors_of(const struct ede_list *list)
{
    json_t *errors = json_array();
    for (unsigned i = 0; i < list->count; i++) {
        json_t *object = json_object();
        put_number(object, "code", list->item[i].code);
        put(object, "text", text_of(list->item[i].text, list->item[i].len));
        (void)json_array_append_new(errors, object);
    }
    return errors;
}

static json_t *entry_object(const struct key *key, const struct cache_found *found)
{
    char rcode[RCODE_TEXT];
    json_t *object = json_object();
    put(object, "dnssec_ok", json_boolean(found->flags & KEY_DO));
    put(object, "checking_disabled", json_boolean(key->flags & KEY_CD));
    put_text(object, "rcode", records_rcode_text(found->answer.rcode, rcode));
    put_number(object, "ttl", found->answer.ttl);
    put_number(object, "original_ttl", found->original_ttl);
    put(object, "expired_s_ago",
        found->answer.ttl || !found->expired_ms ? json_null() : json_integer((json_int_t)(found->expired_ms / 1000)));
    put_number(object, "size", found->answer.len);
    put(object, "authenticated", json_boolean(found->answer.authenticated));
    put(object, "extended_errors", errors_of(&found->answer.ede));
    put(object, "records", records_of((struct bytes){found->answer.wire, found->answer.len}));
    return object;
}

char *status_cache(const struct view *view, const struct key *wanted)
{
    struct key key = *wanted;
    uint8_t *room = malloc(MESSAGE_MAX);
    json_t *root = json_object(), *entries = json_array();
    char text[NAME_MAX_TEXT], type_text[TYPE_TEXT];
    struct cache_found found;
    if (!room) {
        json_decref(root);
        json_decref(entries);
        return NULL;
    }
    for (size_t i = 0; i < 2 * view->routes->group_count; i++) {
        key.group = view->routes->ids[i / 2].id;
        key.flags = i % 2 ? KEY_CD : 0; /* an entry with DO serves keys without */
        if (cache_get(view->cache, &key, key_hash(&key), clock_ms(), CACHE_PEEK, 0, room, MESSAGE_MAX, &found) !=
            CACHE_MISS)
            (void)json_array_append_new(entries, entry_object(&key, &found));
    }
    free(room);
    put_text(root, "name", name_text(key.name, text));
    put_text(root, "type", records_type_text(key.type, type_text));
    put(root, "entries", entries);
    return print(root);
}

/* --- short replies --- */

char *status_fleet_flushed(const struct flush_result *result)
{
    json_t *root = json_object();
    put_number(root, "flushed", result->flushed);
    put_number(root, "servers_told", result->told);
    put_number(root, "servers", result->servers);
    return print(root);
}

char *status_flushed(uint64_t entries)
{
    json_t *root = json_object();
    put_number(root, "flushed", entries);
    return print(root);
}

/* Lists only modules whose level differs from the log's. */
char *status_log(void)
{
    json_t *root = json_object(), *modules = json_object();
    for (unsigned i = 0; i < LOG_MODULE_COUNT; i++)
        if (log_module_level(i) != log_level())
            put_text(modules, log_module_name(i), log_level_name(log_module_level(i)));
    put_text(root, "level", log_level_name(log_level()));
    put(root, "modules", modules);
    put_number(root, "queries_one_in", querylog_sample());
    return print(root);
}

char *status_reloaded(const struct reload_result *result)
{
    json_t *root = json_object();
    if (result->status < 0) {
        put_text(root, "error", "the configuration has mistakes; the previous one stays in force");
        put(root, "mistakes", lines_of(result->mistakes));
    } else {
        put_flag(root, "reloaded", true);
        put(root, "at_next_start", lines_of(result->postponed));
    }
    return print(root);
}

char *status_draining(uint64_t ms)
{
    json_t *root = json_object();
    put(root, "draining_s", thousandths(ms));
    return print(root);
}

char *status_error(const char *sentence, const char *const *paths)
{
    json_t *root = json_object(), *list = json_array();
    put_text(root, "error", sentence);
    for (size_t i = 0; paths && paths[i]; i++)
        (void)json_array_append_new(list, json_string(paths[i]));
    if (paths)
        put(root, "paths", list);
    else
        json_decref(list);
    return print(root);
}
