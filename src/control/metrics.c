/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - each family is written once, HELP and TYPE before its samples, as the format requires;
 *   - the values of one worker are of one moment, so each scrape satisfies received = finished + dropped + waiting.
 */
#include "metrics.h"
#include <stdlib.h>
#include <string.h>
#include <config.h>
#include "anchors.h"
#include "blocking.h"
#include "dns/records.h"
#include "health.h"
#include "process.h"
#include "prometheus.h"
#include "server.h"
#include "upstream/routes.h"

/* --- queries --- */

/* Counter names need no escaping: they are letters, digits and underscores. */
static void counters(FILE *out, const struct gather_sum *sum)
{
    char name[96];
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        snprintf(name, sizeof name, "dotstub_%s_total", counter_name(i));
        prometheus_counter(out, name, counter_help(i), sum->counters[i]);
    }
}

static void by_transport(FILE *out, const struct gather_sum *sum)
{
    const char *name = "dotstub_queries_by_transport_total";
    static const char *const sources[] = {
        [TALLY_OWN] = "none", [TALLY_UDP] = "udp", [TALLY_TCP] = "tcp", [TALLY_TLS] = "tls", [TALLY_HTTPS] = "https"};
    prometheus_family(
        out, name, "counter",
        "queries received from clients, by transport; none: those that dotstub sends itself for a query of a "
        "client (search, DNS64) or for a trace");
    for (unsigned i = 0; i < TALLY_SOURCES; i++)
        prometheus_sample(out, name, (const char *const[]){"transport", sources[i], NULL}, sum->tally.source[i]);
}

/* Writes only types that were queried. */
static void by_type(FILE *out, const struct gather_sum *sum)
{
    const char *name = "dotstub_queries_by_type_total";
    char text[TYPE_TEXT];
    prometheus_family(out, name, "counter", "well-formed queries received from clients, by query type");
    prometheus_sample(out, name, (const char *const[]){"type", "other", NULL}, sum->tally.type[0]);
    for (uint16_t type = 1; type < TALLY_TYPES; type++)
        if (sum->tally.type[type] > 0)
            prometheus_sample(out, name, (const char *const[]){"type", records_type_text(type, text), NULL},
                              sum->tally.type[type]);
}

static void by_rcode(FILE *out, const struct gather_sum *sum)
{
    const char *name = "dotstub_responses_by_rcode_total";
    char text[RCODE_TEXT];
    prometheus_family(out, name, "counter", "responses sent to clients, by response code");
    for (uint16_t rcode = 0; rcode < TALLY_RCODES; rcode++)
        if (sum->tally.rcode[rcode] > 0 || rcode <= 5)
            prometheus_sample(out, name, (const char *const[]){"rcode", records_rcode_text(rcode, text), NULL},
                              sum->tally.rcode[rcode]);
    prometheus_sample(out, name, (const char *const[]){"rcode", "other", NULL}, sum->tally.other_rcode);
}

static void times(FILE *out, const struct gather_sum *sum)
{
    prometheus_family(
        out, "dotstub_hit_duration_seconds", "histogram",
        "time from reading a batch of UDP queries to sending the responses, per cache hit; one batch in 17 is measured");
    prometheus_histogram(out, "dotstub_hit_duration_seconds", NULL, &sum->tally.hits, 10);
    prometheus_family(out, "dotstub_miss_duration_seconds", "histogram",
                      "time from query to response, for queries that an upstream answered");
    prometheus_histogram(out, "dotstub_miss_duration_seconds", NULL, &sum->tally.misses, 1000);
}

/* Servers of names without a route have no label `group`. */
static const char *group_label(const struct server_report *server)
{
    return !server->group[0] || strcmp(server->group, GROUP_ROOT) == 0 ? NULL : "group";
}

/* Labels before `reason` are given; ends with the count of other reasons. */
static void reasons(FILE *out, const char *name, const struct reasons *failures, const struct server_report *server)
{
    char addr[ADDR_TEXT];
    for (unsigned i = 0; i <= REASONS_MAX; i++) {
        bool is_last = i == REASONS_MAX || !failures->item[i].text;
        const char *reason = is_last ? "other" : failures->item[i].text;
        uint64_t count = is_last ? failures->others : failures->item[i].count;
        const char *labels[] = {"reason", reason, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
        if (server) {
            labels[2] = "upstream";
            labels[3] = server->upstream;
            labels[4] = "address";
            labels[5] = addr_format(&server->addr, true, addr);
            labels[6] = group_label(server);
            labels[7] = server->group;
        }
        if (!is_last || count > 0)
            prometheus_sample(out, name, labels, count);
        if (is_last)
            return;
    }
}

static void failures(FILE *out, const struct gather_sum *sum)
{
    const char *name = "dotstub_queries_failed_by_reason_total";
    prometheus_family(out, name, "counter", "queries that no upstream answered, by reason");
    reasons(out, name, &sum->tally.failures, NULL);
    name = "dotstub_server_failures_total";
    prometheus_family(out, name, "counter",
                      "failed dials, sessions that ended before a response, and queries without a response, by server");
    for (size_t i = 0; i < sum->server_count; i++)
        reasons(out, name, &sum->servers[i].failures_by_reason, &sum->servers[i]);
}

static void accounting(FILE *out, const struct gather_sum *sum)
{
    uint64_t left = sum->counters[COUNTER_queries_received] - sum->counters[COUNTER_queries_finished] -
                    sum->counters[COUNTER_queries_dropped] - sum->waiting;
    prometheus_gauge(out, "dotstub_queries_waiting", "queries waiting for an upstream's response", sum->waiting);
    prometheus_gauge(out, "dotstub_queries_unaccounted",
                     "queries received minus finished, dropped and waiting; anything but 0 is a bug", left);
    prometheus_gauge(out, "dotstub_tcp_clients", "open TCP connections of clients", sum->tcp_clients);
}

/* --- servers --- */

/* A family with one sample, or histogram, per server. */
struct server_family {
    const char *name, *type, *help;
    void (*write)(FILE *out, const char *name, const char *const *labels, const struct server_report *server);
};

static void write_open(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_sample(out, name, labels, server->open);
}

static void write_in_flight(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_sample(out, name, labels, server->in_flight);
}

static void write_failing(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_sample(out, name, labels, server->state == SERVER_FAILING);
}

/* Leaves out servers without a measured latency. */
static void write_latency(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    if (server->latency_us)
        prometheus_seconds(out, name, labels, server->latency_us);
}

static void write_opened(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_sample(out, name, labels, server->opened);
}

static void write_resumed(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_sample(out, name, labels, server->resumed);
}

/* Leaves out servers that never had a TLS session. */
static void write_expires(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    if (server->has_tls)
        prometheus_sample(out, name, labels, (uint64_t)server->tls.certificate.expires_s);
}

static void write_connect(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_histogram(out, name, labels, &server->connect, 1000);
}

static void write_handshake(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_histogram(out, name, labels, &server->handshake, 1000);
}

static void write_response(FILE *out, const char *name, const char *const *labels, const struct server_report *server)
{
    prometheus_histogram(out, name, labels, &server->answer, 1000);
}

static const struct server_family server_families[] = {
    {"dotstub_sessions_open", "gauge", "open sessions that accept queries, by server", write_open},
    {"dotstub_upstream_queries_in_flight", "gauge", "queries sent to a server and not answered yet, by server",
     write_in_flight},
    {"dotstub_server_failing", "gauge", "1 while no session to the server can be opened, else 0", write_failing},
    {"dotstub_server_latency_seconds", "gauge", "smoothed response time of the server, in seconds", write_latency},
    {"dotstub_server_sessions_opened_total", "counter", "sessions opened to the server", write_opened},
    {"dotstub_server_sessions_resumed_total", "counter", "sessions to the server opened by TLS resumption",
     write_resumed},
    {"dotstub_server_certificate_expires_seconds", "gauge",
     "expiry date of the server's certificate as of the last session, in seconds since 1970", write_expires},
    {"dotstub_server_connect_seconds", "histogram", "time to establish the TCP connection of a session, by server",
     write_connect},
    {"dotstub_server_handshake_seconds", "histogram", "time of the TLS handshake of a session, by server",
     write_handshake},
    {"dotstub_server_response_seconds", "histogram", "time from sending a query to a server to its response, by server",
     write_response},
};

static void servers(FILE *out, const struct gather_sum *sum)
{
    for (size_t f = 0; f < sizeof server_families / sizeof *server_families; f++) {
        const struct server_family *family = &server_families[f];
        prometheus_family(out, family->name, family->type, family->help);
        for (size_t i = 0; i < sum->server_count; i++) {
            const struct server_report *server = &sum->servers[i];
            char addr[ADDR_TEXT];
            const char *const labels[] = {
                "upstream",          server->upstream, "address", addr_format(&server->addr, true, addr),
                group_label(server), server->group,    NULL};
            family->write(out, family->name, labels, server);
        }
    }
}

/* --- the store --- */

static void stores(FILE *out, const struct gather_sum *sum)
{
    static const char ready[] = "dotstub_store_ready", hears[] = "dotstub_store_hears_flushes",
                      latency[] = "dotstub_store_response_seconds", role[] = "dotstub_store_role";
    prometheus_family(out, ready, "gauge", "1 while lookups wait for this server of the store, else 0");
    for (size_t i = 0; i < sum->store_count; i++)
        if (sum->stores[i].serves)
            prometheus_sample(out, ready, (const char *const[]){"server", sum->stores[i].name, NULL},
                              strcmp(sum->stores[i].state, "ready") == 0);
    prometheus_family(out, hears, "gauge", "1 while flushes of the fleet arrive from this server at once, else 0");
    for (size_t i = 0; i < sum->store_count; i++)
        if (sum->stores[i].serves)
            prometheus_sample(out, hears, (const char *const[]){"server", sum->stores[i].name, NULL},
                              sum->stores[i].hears);
    prometheus_family(out, role, "gauge", "1 for the role of each server that the store knows");
    for (size_t i = 0; i < sum->store_count; i++)
        prometheus_sample(out, role,
                          (const char *const[]){"server", sum->stores[i].name, "role", sum->stores[i].role, NULL}, 1);
    prometheus_family(out, latency, "histogram", "time from asking a server of the store for a value to its reply");
    for (size_t i = 0; i < sum->store_count; i++)
        if (sum->stores[i].serves)
            prometheus_histogram(out, latency, (const char *const[]){"server", sum->stores[i].name, NULL},
                                 &sum->stores[i].latency, 10);
}

/* --- cache, reloads, process --- */

static void cache(FILE *out, const struct view *view)
{
    struct cache_stats stats;
    cache_stats(view->cache, &stats);
    prometheus_gauge(out, "dotstub_cache_entries", "entries in the cache, including expired ones", stats.entries);
    prometheus_gauge(out, "dotstub_cache_used_bytes", "cache memory in use, in bytes", stats.used);
    prometheus_gauge(out, "dotstub_cache_size_bytes", "size of the cache, in bytes", stats.bytes);
    prometheus_counter(out, "dotstub_cache_evictions_total", "entries evicted from the cache to make room",
                       stats.evicted);
}

static void state(FILE *out, const struct view *view, const struct gather_sum *sum)
{
    const char *name = "dotstub_state";
    struct health_minute minute;
    health_last_minute(&view->health, sum, clock_ms(), &minute);
    prometheus_family(out, name, "gauge",
                      "1 for the current state: ok, reduced (an upstream is not usable), failing (more than 5 % of the "
                      "queries of the last minute failed), down (no upstream is usable); 0 for the others");
    for (unsigned i = 0; i < HEALTH_STATES; i++)
        prometheus_sample(out, name, (const char *const[]){"state", health_name((enum health_state)i), NULL},
                          view->health.state == i);
    prometheus_gauge(out, "dotstub_state_since_timestamp_seconds",
                     "when the current state began, in seconds since 1970", (uint64_t)view->health.since_wall_s);
    prometheus_gauge(out, "dotstub_unusable_upstreams", "upstreams without a usable server", health_unusable(sum));
    prometheus_gauge(out, "dotstub_last_minute_queries", "queries answered within the last minute", minute.queries);
    prometheus_gauge(out, "dotstub_last_minute_failed_queries", "queries of the last minute that no upstream answered",
                     minute.failed);
}

static void configuration(FILE *out, const struct view *view)
{
    const struct reloads *reloads = &view->reloads;
    const char *name = "dotstub_config_reloads_total";
    prometheus_gauge(out, "dotstub_config_last_reload_successful",
                     "1 if the last reload of the configuration succeeded or none was done, else 0",
                     !reloads->last_failed);
    prometheus_gauge(out, "dotstub_config_last_reload_timestamp_seconds",
                     "time at which the configuration was read last, in seconds since 1970",
                     (uint64_t)(reloads->last_wall_s ? reloads->last_wall_s : view->started_wall_s));
    prometheus_family(out, name, "counter", "reloads of the configuration, by result");
    prometheus_sample(out, name, (const char *const[]){"result", "good", NULL}, reloads->good);
    prometheus_sample(out, name, (const char *const[]){"result", "failed", NULL}, reloads->failed);
}

static uint64_t added_routes(const struct routes *routes)
{
    uint64_t count = 0;
    for (size_t i = 0; i < routes->config->forward_count; i++)
        count += routes->config->forward[i].salt != NULL;
    return count;
}

static void daemon_itself(FILE *out, const struct view *view)
{
    const char *name = "dotstub_build_info";
    if (view->metrics)
        prometheus_counter(out, "dotstub_metrics_evicted_total",
                           "connections to metrics.listen that were closed because metrics.clients was reached",
                           http_server_evicted(view->metrics));
    prometheus_gauge(out, "dotstub_added_routes", "routes added at run time, at most limits.added-routes",
                     added_routes(view->routes));
    prometheus_gauge(out, "dotstub_workers", "number of worker threads", view->config->workers);
    prometheus_family(out, name, "gauge", "always 1; the label has the version");
    prometheus_sample(out, name, (const char *const[]){"version", PACKAGE_VERSION, NULL}, 1);
}

char *metrics_text(const struct view *view, const struct gather_sum *sum)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    counters(out, sum);
    by_transport(out, sum);
    by_type(out, sum);
    by_rcode(out, sum);
    times(out, sum);
    failures(out, sum);
    accounting(out, sum);
    servers(out, sum);
    stores(out, sum);
    cache(out, view);
    blocking_metrics(out, view);
    anchors_metrics(out, view);
    configuration(out, view);
    state(out, view, sum);
    daemon_itself(out, view);
    process_metrics(out, view->started_wall_s);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
