/* Invariant: each family is written once, HELP and TYPE before its samples, as the format wants it. */
#include "metrics.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <config.h>
#include "health.h"

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    family(out, name, "gauge", help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

/* The names in the list are the operator's or ours: letters, digits and points only. */
static void counters(FILE *out, const struct view *view)
{
    char name[96];
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        snprintf(name, sizeof name, "dotstub_%s_total", counter_name(i));
        family(out, name, "counter", counter_help(i));
        fprintf(out, "%s %" PRIu64 "\n", name, view_counter(view, i));
    }
}

/* A label's value: backslash, quote and newline are escaped (an upstream's name is the operator's text). */
static void label(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s=\"", name);
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static uint64_t sessions_of(const struct server_report *server)
{
    return server->open;
}

static uint64_t in_flight_of(const struct server_report *server)
{
    return server->in_flight;
}

static uint64_t failing_of(const struct server_report *server)
{
    return server->state == SERVER_FAILING;
}

static void by_server(FILE *out, const struct survey_sum *sum, const char *name, const char *help,
                      uint64_t (*value)(const struct server_report *server))
{
    family(out, name, "gauge", help);
    for (size_t i = 0; i < sum->server_count; i++) {
        char addr[ADDR_TEXT];
        fprintf(out, "%s{", name);
        label(out, "upstream", sum->servers[i].upstream);
        fputc(',', out);
        label(out, "address", addr_format(&sum->servers[i].addr, true, addr));
        fprintf(out, "} %" PRIu64 "\n", value(&sum->servers[i]));
    }
}

/* Only where it is known. */
static void latencies(FILE *out, const struct survey_sum *sum)
{
    const char *name = "dotstub_server_latency_seconds";
    family(out, name, "gauge", "smoothed time that the server's answers take");
    for (size_t i = 0; i < sum->server_count; i++) {
        char addr[ADDR_TEXT];
        if (!sum->servers[i].latency_us)
            continue;
        fprintf(out, "%s{", name);
        label(out, "upstream", sum->servers[i].upstream);
        fputc(',', out);
        label(out, "address", addr_format(&sum->servers[i].addr, true, addr));
        fprintf(out, "} %u.%06u\n", sum->servers[i].latency_us / 1000000, sum->servers[i].latency_us % 1000000);
    }
}

static void cache(FILE *out, const struct view *view)
{
    struct cache_stats stats;
    cache_stats(view->cache, &stats);
    gauge(out, "dotstub_cache_entries", "answers in the cache, those that expired included", stats.entries);
    gauge(out, "dotstub_cache_used_bytes", "memory of the cache that is taken by answers", stats.used);
    gauge(out, "dotstub_cache_size_bytes", "memory that the cache may take", stats.bytes);
}

static void ignore(void *context, const char *sentence)
{
    (void)context;
    (void)sentence;
}

static void configuration(FILE *out, const struct view *view)
{
    const struct reloads *reloads = &view->reloads;
    gauge(out, "dotstub_config_last_reload_successful", "1 unless the configuration could not be used when it was read last",
          !reloads->last_failed);
    gauge(out, "dotstub_config_last_reload_timestamp_seconds", "when it was read last, seconds since 1970",
          (uint64_t)(reloads->last_wall_s ? reloads->last_wall_s : view->started_wall_s));
    family(out, "dotstub_config_reloads_total", "counter", "how often it was read again");
    fprintf(out, "dotstub_config_reloads_total{result=\"good\"} %" PRIu64 "\ndotstub_config_reloads_total{result=\"failed\"} %" PRIu64 "\n",
            reloads->good, reloads->failed);
}

static void process(FILE *out, const struct view *view)
{
    family(out, "dotstub_build_info", "gauge", "always 1; the version is in the label");
    fputs("dotstub_build_info{version=\"" PACKAGE_VERSION "\"} 1\n", out);
    gauge(out, "dotstub_workers", "worker threads", view->config->workers);
    family(out, "process_start_time_seconds", "gauge", "when the process started, seconds since 1970");
    fprintf(out, "process_start_time_seconds %" PRId64 "\n", view->started_wall_s);
}

char *metrics_text(const struct view *view, const struct survey_sum *sum)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    counters(out, view);
    gauge(out, "dotstub_queries_waiting", "queries that wait for an answer", sum->waiting);
    gauge(out, "dotstub_degraded_upstreams", "upstreams none of whose servers can be asked", health_each(sum, ignore, NULL));
    by_server(out, sum, "dotstub_sessions_open", "sessions that take questions", sessions_of);
    by_server(out, sum, "dotstub_questions_in_flight", "questions on sessions, not answered yet", in_flight_of);
    by_server(out, sum, "dotstub_server_failing", "1 while no session can be opened", failing_of);
    latencies(out, sum);
    cache(out, view);
    configuration(out, view);
    process(out, view);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
