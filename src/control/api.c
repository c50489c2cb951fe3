/* SPDX-License-Identifier: MIT */
/* A table of paths for each of the two sockets.
 *
 * Invariant: a request that changes something is a POST, and all its arguments are known and valid before anything
 * changes: a misspelt `name` must not flush the whole cache.
 */
#include "api.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trust.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "blocking.h"
#include "dns/name.h"
#include "forward.h"
#include "negatives.h"
#include "health.h"
#include "logset.h"
#include "metrics.h"
#include "page.h"
#include "queries.h"
#include "request.h"
#include "status.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* Either `handle` is set and runs at once, or `report`, which runs with the workers' sum (NULL: no reply). */
struct route {
    const char *path;
    enum http_verb verb;
    const char *arguments[6]; /* accepted; ends with NULL */
    void (*handle)(struct view *view, struct http_request *request);
    void (*report)(struct view *view, struct http_request *request, const struct gather_sum *sum);
    bool with_records; /* also gather the records */
    bool any_host;     /* nothing there is private, and clients know this machine by many names */
};

/* A request that waits for the workers' reports. */
struct pending {
    struct gather_wait wait;
    struct view *view;
    struct http_request *request;
    const struct route *route;
};

/* --- reading --- */

static void get_status(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    if (sum)
        request_reply(request, HTTP_OK, status_text(view, sum));
    else
        request_no_report(view, request);
}

static void get_stats(struct view *view, struct http_request *request)
{
    request_reply(request, HTTP_OK, status_counters(view));
}

static void get_config(struct view *view, struct http_request *request)
{
    request_reply(request, HTTP_OK, status_config(view));
}

static void get_metrics(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    if (sum)
        http_reply(request, HTTP_OK, METRICS_TYPE, metrics_text(view, sum), NULL);
    else
        request_no_report(view, request);
}

/* --- changing --- */

/* The daemon must drop its other copies too, so that a flushed entry does not return. */
static void tell_flushed(const struct view *view)
{
    if (view->ops->flushed)
        view->ops->flushed(view->context);
}

/* A request that waits for the flush of the fleet. */
struct flushing {
    struct flush_wait wait;
    struct http_request *request;
};

static void flush_done(struct flush_wait *wait, const struct flush_result *result)
{
    struct flushing *flushing = container_of(wait, struct flushing, wait);
    if (result->status == 0)
        request_reply(flushing->request, HTTP_OK, status_fleet_flushed(result));
    else if (result->status == -ENOTSUP)
        request_refuse(flushing->request, HTTP_BAD_REQUEST,
                       "there is no fleet: store.servers is empty; without --fleet this machine is flushed");
    else if (result->status == ERROR_STOPPING)
        request_refuse(flushing->request, HTTP_UNAVAILABLE, "stopping");
    else
        request_refuse(flushing->request, HTTP_INTERNAL_ERROR, error_text(result->status));
    mem_free(flushing);
}

static void flush_fleet(struct view *view, struct http_request *request, const uint8_t *name, size_t len, bool below)
{
    struct flushing *flushing = mem_zalloc(1, sizeof *flushing);
    if (!flushing) {
        request_reply(request, HTTP_INTERNAL_ERROR, NULL);
        return;
    }
    *flushing = (struct flushing){.wait.done = flush_done, .request = request};
    view->ops->flush_fleet(view->context, name, len, below, &flushing->wait);
}

static void flush_all(struct view *view, struct http_request *request)
{
    struct cache_stats stats;
    cache_stats(view->cache, &stats);
    cache_flush(view->cache);
    tell_flushed(view);
    log_info("control", "cache flushed");
    request_reply(request, HTTP_OK, status_flushed(stats.entries));
}

static void post_flush(struct view *view, struct http_request *request)
{
    const char *name = request_argument(request, "name"), *suffix = request_argument(request, "suffix");
    const char *text = name ? name : suffix, *fleet = request_argument(request, "fleet");
    uint8_t wire[NAME_MAX_WIRE] = {0};
    if (fleet && strcmp(fleet, "yes") != 0 && strcmp(fleet, "no") != 0) {
        request_refuse(request, HTTP_BAD_REQUEST, "the argument \"fleet\" must be \"yes\" or \"no\"");
        return;
    }
    bool all = fleet && *fleet == 'y';
    if (!text && all)
        flush_fleet(view, request, wire, 1, true);
    else if (!text)
        flush_all(view, request);
    if (!text)
        return;
    int len = *text ? name_from_text(wire, text) : -EINVAL;
    if (name && suffix)
        request_refuse(request, HTTP_BAD_REQUEST, "give either \"name\" or \"suffix\", not both");
    else if (len < 0)
        request_refuse(request, HTTP_BAD_REQUEST, request_name_mistake(text));
    if (len < 0 || (name && suffix) || (suffix && request_is_wildcard(request, wire)))
        return;
    if (all) {
        flush_fleet(view, request, wire, (size_t)len, suffix != NULL);
        return;
    }
    uint64_t removed = cache_flush_name(view->cache, wire, (size_t)len, suffix != NULL);
    tell_flushed(view);
    request_reply(request, HTTP_OK, status_flushed(removed));
}

static void post_log(struct view *view, struct http_request *request)
{
    const struct logset wanted = {.level = request_argument(request, "level"),
                                  .module = request_argument(request, "module"),
                                  .queries = request_argument(request, "queries"),
                                  .sample = request_argument(request, "sample")};
    char why[LOGSET_WHY];
    if (logset_change(&wanted, view->config->log_queries_sample, why))
        request_reply(request, HTTP_OK, status_log());
    else
        request_refuse(request, HTTP_BAD_REQUEST, why);
}

/* A request that waits for the end of a reload. */
struct reloading {
    struct reload_wait wait;
    struct http_request *request;
};

static void reload_done(struct reload_wait *wait, const struct reload_result *result)
{
    struct reloading *reloading = container_of(wait, struct reloading, wait);
    request_reply(reloading->request, result->status < 0 ? HTTP_BAD_REQUEST : HTTP_OK, status_reloaded(result));
    mem_free(reloading);
}

static void post_reload(struct view *view, struct http_request *request)
{
    struct reloading *reloading = mem_zalloc(1, sizeof *reloading);
    if (!reloading) {
        request_reply(request, HTTP_INTERNAL_ERROR, NULL);
        return;
    }
    *reloading = (struct reloading){.wait.done = reload_done, .request = request};
    view->ops->reload(view->context, &reloading->wait);
}

/* Parses seconds, with or without a fraction. -1: not a number, or more than an hour. */
static int64_t milliseconds(const char *text)
{
    char *end = NULL;
    bool plain = text[0] >= '0' && text[0] <= '9' && strspn(text, "0123456789.") == strlen(text);
    double seconds = plain ? strtod(text, &end) : -1;
    return plain && !*end && seconds <= 3600 ? (int64_t)(seconds * 1000) : -1;
}

static void post_drain(struct view *view, struct http_request *request)
{
    const char *seconds = request_argument(request, "seconds");
    int64_t ms = seconds ? milliseconds(seconds) : (int64_t)view->config->drain_ms;
    if (ms < 0) {
        request_refuse(request, HTTP_BAD_REQUEST, "the argument \"seconds\" must be a number from 0 to 3600");
    } else if (view->readiness == READY_STOPPING) {
        request_no_report(view, request);
    } else {
        view->ops->drain(view->context, (uint64_t)ms);
        request_reply(request, HTTP_OK, status_draining((uint64_t)ms));
    }
}

/* --- health --- */

static void reply_text(struct http_request *request, unsigned status, const char *text)
{
    http_reply(request, status, TEXT_TYPE, strdup(text), NULL);
}

/* Live: every worker replies to a mailbox item. */
static void get_healthz(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    if (sum || view->readiness == READY_STOPPING)
        reply_text(request, HTTP_OK, "ok\n");
    else
        reply_text(request, HTTP_UNAVAILABLE, "a worker does not respond\n");
}

static void write_why(void *context, const char *sentence)
{
    fprintf(context, "%s\n", sentence);
}

/* Ready from the start until a drain or the stop, even when upstreams fail: the cache still answers. */
static void get_readyz(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    static const char *const not_ready[] = {
        [READY_NOT_YET] = "starting\n", [READY_DRAINING] = "draining\n", [READY_STOPPING] = "stopping\n"};
    char *text = NULL;
    size_t len;
    if (view->readiness != READY_YES) {
        reply_text(request, HTTP_UNAVAILABLE, not_ready[view->readiness]);
        return;
    }
    FILE *out = open_memstream(&text, &len);
    if (out) {
        fputs("ready\n", out);
        if (!sum) {
            fputs("a worker does not respond\n", out);
        } else {
            fprintf(out, "state: %s for %llu s\n", health_name(view->health.state),
                    (unsigned long long)((clock_ms() - view->health.since_ms) / 1000));
            health_why(&view->health, sum, clock_ms(), write_why, out);
        }
        fclose(out);
    }
    http_reply(request, HTTP_OK, TEXT_TYPE, text, NULL);
}

/* --- the tables --- */

static const struct route control_routes[] = {
    {"/", HTTP_GET, {NULL}, .handle = page_send},
    {"/status.json", HTTP_GET, {NULL}, .report = page_status_private, .with_records = true},
    {"/status", HTTP_GET, {NULL}, .report = get_status},
    {"/stats", HTTP_GET, {NULL}, .handle = get_stats},
    {"/config", HTTP_GET, {NULL}, .handle = get_config},
    {"/metrics", HTTP_GET, {NULL}, .report = get_metrics},
    {"/cache", HTTP_GET, {"name", "type"}, .handle = queries_cache},
    {"/explain", HTTP_GET, {"which", "name", "id"}, .report = queries_explain, .with_records = true},
    {"/trace", HTTP_POST, {"name", "type", "client"}, .handle = queries_trace},
    {"/flush", HTTP_POST, {"name", "suffix", "fleet"}, .handle = post_flush},
    {"/log", HTTP_POST, {"level", "module", "queries", "sample"}, .handle = post_log},
    {"/reload", HTTP_POST, {NULL}, .handle = post_reload},
    {"/forward", HTTP_GET, {NULL}, .handle = forward_list},
    {"/forward/add", HTTP_POST, {"zones", "servers", "plain", "interface", "for", "replace"}, .handle = forward_add},
    {"/forward/remove", HTTP_POST, {"zones", "interface"}, .handle = forward_remove},
    {"/portal", HTTP_GET, {NULL}, .handle = portal_status},
    {"/portal/open", HTTP_POST, {"names", "servers", "interface", "for"}, .handle = portal_open},
    {"/portal/close", HTTP_POST, {NULL}, .handle = portal_close},
    {"/drain", HTTP_POST, {"seconds"}, .handle = post_drain},
    {"/block", HTTP_GET, {NULL}, .handle = blocking_list},
    {"/block/test", HTTP_GET, {"name"}, .handle = blocking_test},
    {"/unblock", HTTP_POST, {"name", "for"}, .handle = blocking_unblock},
    {"/dnssec/anchors", HTTP_GET, {NULL}, .handle = trust_show},
    {"/dnssec/negative", HTTP_GET, {NULL}, .handle = negatives_show},
    {"/dnssec/negative/add", HTTP_POST, {"name", "for"}, .handle = negatives_add},
    {"/dnssec/negative/remove", HTTP_POST, {"name"}, .handle = negatives_remove},
    {.path = NULL},
};

static const struct route metrics_routes[] = {
    {"/", HTTP_GET, {"token"}, .handle = page_send},
    {"/status.json", HTTP_GET, {"token"}, .report = page_status_public, .with_records = true},
    {"/metrics", HTTP_GET, {NULL}, .report = get_metrics, .any_host = true},
    {"/healthz", HTTP_GET, {NULL}, .report = get_healthz, .any_host = true},
    {"/readyz", HTTP_GET, {NULL}, .report = get_readyz, .any_host = true},
    {.path = NULL},
};

static bool is_known(const struct route *route, const char *name)
{
    for (size_t i = 0; i < sizeof route->arguments / sizeof *route->arguments && route->arguments[i]; i++)
        if (strcmp(route->arguments[i], name) == 0)
            return true;
    return false;
}

/* Each argument is known and given once. */
static bool arguments_are_good(const struct route *route, const struct http_request *request)
{
    if (request->argument_count > HTTP_ARGUMENTS)
        return false;
    for (unsigned i = 0; i < request->argument_count; i++) {
        if (!is_known(route, request->argument[i].name))
            return false;
        for (unsigned j = 0; j < i; j++)
            if (strcmp(request->argument[i].name, request->argument[j].name) == 0)
                return false;
    }
    return true;
}

static void reports_gathered(struct gather_wait *wait, const struct gather_sum *sum)
{
    struct pending *pending = container_of(wait, struct pending, wait);
    if (sum)
        health_observe(&pending->view->health, sum, clock_ms());
    pending->route->report(pending->view, pending->request, sum);
    mem_free(pending);
}

static void gather_reports(struct view *view, struct http_request *request, const struct route *route)
{
    struct pending *pending = mem_zalloc(1, sizeof *pending);
    if (!pending) {
        http_reply(request, HTTP_INTERNAL_ERROR, REQUEST_JSON, NULL, NULL);
        return;
    }
    *pending = (struct pending){.wait.done = reports_gathered,
                                .wait.with_records = route->with_records,
                                .view = view,
                                .request = request,
                                .route = route};
    gather_ask(&view->gather, &pending->wait);
}

static void not_found(struct http_request *request, const struct route *routes)
{
    const char *paths[32] = {NULL};
    char sentence[160];
    for (size_t i = 0; routes[i].path; i++)
        paths[i] = routes[i].path;
    snprintf(sentence, sizeof sentence, "%s does not exist", request->path);
    request_reply(request, HTTP_NOT_FOUND, status_error(sentence, paths));
}

/* The line of the path, or the last line. */
static const struct route *find_route(const struct route *routes, const char *path)
{
    while (routes->path && strcmp(routes->path, path) != 0)
        routes++;
    return routes;
}

static void dispatch(struct view *view, struct http_request *request, const struct route *routes)
{
    const struct route *route = find_route(routes, request->path);
    if (!route->path)
        not_found(request, routes);
    else if (request->verb != route->verb)
        http_reply(request, HTTP_WRONG_VERB, REQUEST_JSON,
                   status_error(route->verb == HTTP_POST ? "use POST" : "use GET", NULL),
                   route->verb == HTTP_POST ? "POST" : "GET, HEAD");
    else if (!arguments_are_good(route, request))
        request_refuse(request, HTTP_BAD_REQUEST, "unknown or duplicate argument");
    else if (route->handle)
        route->handle(view, request);
    else
        gather_reports(view, request, route);
}

/* File permissions protect the socket. But a browser may reach the status page through a forwarded port, and then other
 * pages in that browser could reach it too: by DNS rebinding or by posting a form. Hosts without a dot are allowed
 * because tools such as curl need some host in the URL. */
void api_control(struct view *view, struct http_request *request)
{
    bool word = request->host && !strchr(request->host, '.');
    if (!word && !api_host_is_ours(request->host, ""))
        request_refuse(request, HTTP_FORBIDDEN,
                       "the Host header must be an address, localhost or a name without a dot");
    else if (request->verb != HTTP_GET && request->origin)
        request_refuse(request, HTTP_FORBIDDEN, "web pages may not send requests that change something");
    else
        dispatch(view, request, control_routes);
}

/* Another web page in a browser may reach the status page by DNS rebinding, with a name of its own in the Host header. */
static bool host_may_open_page(const struct config *config, const char *host)
{
    char machine[256] = "";
    (void)gethostname(machine, sizeof machine - 1);
    bool ours = api_host_is_ours(host, machine);
    for (size_t i = 0; !ours && i < config->metrics_host_count; i++)
        ours = api_host_is_ours(host, config->metrics_hosts[i]);
    return ours;
}

void api_metrics(struct view *view, struct http_request *request)
{
    if (find_route(metrics_routes, request->path)->any_host || host_may_open_page(view->config, request->host))
        dispatch(view, request, metrics_routes);
    else
        request_refuse(request, HTTP_FORBIDDEN,
                       "the Host header must be an address, localhost, this machine's name or one of metrics.hosts");
}

/* --- Host header --- */

/* Strips brackets, zone and port, as in "[fe80::1%25eth0]:9153". False: too long. */
static bool host_alone(char *out, size_t cap, const char *host)
{
    bool bracketed = *host == '[';
    size_t len = bracketed ? strcspn(++host, "]%") : strcspn(host, ":%");
    if (len >= cap)
        return false;
    memcpy(out, host, len);
    out[len] = '\0';
    return true;
}

bool api_host_is_ours(const char *host, const char *machine)
{
    char name[256];
    struct addr addr;
    if (!host)
        return true; /* browsers always send it */
    if (!host_alone(name, sizeof name, host))
        return false;
    return addr_parse(&addr, name, 1) == 0 || strcasecmp(name, "localhost") == 0 ||
           (*machine && strcasecmp(name, machine) == 0);
}
