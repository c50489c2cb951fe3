/* SPDX-License-Identifier: MIT */
#include "forward.h"
#include <errno.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/name.h"
#include "json.h"
#include "status.h"

/* --- the list --- */

static json_t *name_of(const char *zone)
{
    uint8_t wire[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    return name_from_text(wire, zone) > 0 ? json_string(name_text(wire, text)) : json_null();
}

static json_t *names_of(char *const *zones, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, name_of(zones[i]));
    return list;
}

/* Names, one a line. */
static json_t *names_in(const char *lines)
{
    json_t *list = json_array();
    char zone[NAME_MAX_TEXT];
    for (const char *end; *lines; lines = *end ? end + 1 : end) {
        end = lines + strcspn(lines, "\n");
        snprintf(zone, sizeof zone, "%.*s", (int)(end - lines), lines);
        (void)json_array_append_new(list, name_of(zone));
    }
    return list;
}

static json_t *texts_of(char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, text_of(texts[i], strlen(texts[i])));
    return list;
}

static json_t *servers_of(const struct config_route *route)
{
    json_t *list = texts_of(route->upstreams, route->upstream_count);
    for (size_t i = 0; i < route->to_count; i++)
        (void)json_array_append_new(list, text_of_addr(&route->to[i]));
    if (route->group)
        (void)json_array_append_new(list, text_of(route->group, strlen(route->group)));
    return list;
}

static json_t *left_of(const struct config_route *route)
{
    uint64_t now_ms = clock_ms();
    if (!route->until_ms)
        return json_null();
    return json_integer(route->until_ms > now_ms ? (json_int_t)((route->until_ms - now_ms + 999) / 1000) : 0);
}

static json_t *route_object(const struct config_route *route, bool in_force)
{
    json_t *object = json_object();
    put(object, "zones", names_of(route->zones, route->zone_count));
    put(object, "servers", servers_of(route));
    put_flag(object, "plain", route->to_count > 0);
    put(object, "interface", route->interface ? text_of(route->interface, strlen(route->interface)) : json_null());
    put_text(object, "from", route->portal ? "portal" : route->salt ? "run time" : "configuration");
    put(object, "left_s", left_of(route));
    put_flag(object, "in_force", in_force);
    return object;
}

void forward_list(struct view *view, struct http_request *request)
{
    const struct config *config = view->routes->config;
    json_t *root = json_object(), *routes = json_array();
    for (size_t i = 0; i < config->forward_count; i++)
        (void)json_array_append_new(routes, route_object(&config->forward[i], true));
    for (size_t i = 0; i < config->waiting_count; i++)
        (void)json_array_append_new(routes, route_object(&config->waiting[i], false));
    put(root, "routes", routes);
    put_number(root, "most_added", config->limits.added_routes);
    request_reply(request, HTTP_OK, print(root));
}

/* --- changes --- */

/* A request that waits for the end of a change. */
struct forward_reply {
    struct forward_wait wait;
    struct http_request *request;
    bool adds;
};

static char *result_text(const struct forward_result *result, bool adds)
{
    json_t *root = json_object();
    put(root, adds ? "added" : "removed", names_in(result->zones));
    if (adds) {
        put(root, "replaced", names_in(result->replaced));
        put(root, "left_s", result->left_s ? json_integer((json_int_t)result->left_s) : json_null());
    }
    put_number(root, "flushed", result->flushed);
    put_flag(root, "saved", result->saved);
    return print(root);
}

static char *mistakes_text(const struct forward_result *result)
{
    json_t *root = json_object();
    put_text(root, "error", "nothing was changed");
    put(root, "mistakes", lines_of(result->mistakes));
    return print(root);
}

static void forward_done(struct forward_wait *wait, const struct forward_result *result)
{
    struct forward_reply *reply = container_of(wait, struct forward_reply, wait);
    struct http_request *request = reply->request;
    if (result->status == 0)
        request_reply(request, HTTP_OK, result_text(result, reply->adds));
    else if (result->status == ERROR_CONFIG)
        request_reply(request, HTTP_BAD_REQUEST, mistakes_text(result));
    else if (result->status == -EBUSY)
        request_refuse(request, HTTP_UNAVAILABLE, "an upgrade is under way; try again in a second");
    else if (result->status == ERROR_STOPPING)
        request_refuse(request, HTTP_UNAVAILABLE, "stopping");
    else
        request_refuse(request, HTTP_INTERNAL_ERROR, error_text(result->status));
    mem_free(reply);
}

static void change(struct view *view, struct http_request *request, const struct forward_request *wanted)
{
    struct forward_reply *reply = mem_zalloc(1, sizeof *reply);
    if (!reply) {
        request_reply(request, HTTP_INTERNAL_ERROR, NULL);
        return;
    }
    *reply = (struct forward_reply){.wait.done = forward_done,
                                    .request = request,
                                    .adds = wanted->verb == FORWARD_ADD || wanted->verb == FORWARD_OPEN};
    view->ops->forward(view->context, wanted, &reply->wait);
}

/* An argument that is empty counts as absent. */
static const char *argument(const struct http_request *request, const char *name)
{
    const char *value = request_argument(request, name);
    return value && *value ? value : NULL;
}

/* False after refusing the request. */
static bool read_flag(struct http_request *request, const char *name, bool *out)
{
    char sentence[64];
    const char *value = argument(request, name);
    *out = value && strcmp(value, "yes") == 0;
    if (!value || *out || strcmp(value, "no") == 0)
        return true;
    snprintf(sentence, sizeof sentence, "the argument \"%s\" must be yes or no", name);
    request_refuse(request, HTTP_BAD_REQUEST, sentence);
    return false;
}

void forward_add(struct view *view, struct http_request *request)
{
    struct forward_request wanted = {.verb = FORWARD_ADD,
                                     .zones = argument(request, "zones"),
                                     .servers = argument(request, "servers"),
                                     .interface = argument(request, "interface"),
                                     .duration = argument(request, "for")};
    if (read_flag(request, "plain", &wanted.plain) && read_flag(request, "replace", &wanted.replace))
        change(view, request, &wanted);
}

void forward_remove(struct view *view, struct http_request *request)
{
    const struct forward_request wanted = {
        .verb = FORWARD_REMOVE, .zones = argument(request, "zones"), .interface = argument(request, "interface")};
    change(view, request, &wanted);
}

/* --- the portal window --- */

void portal_status(struct view *view, struct http_request *request)
{
    const struct config *config = view->routes->config;
    const struct config_route *window = NULL;
    json_t *root = json_object();
    for (size_t i = 0; i < config->forward_count; i++)
        if (config->forward[i].portal)
            window = &config->forward[i];
    put_flag(root, "open", window != NULL);
    put(root, "names",
        window ? names_of(window->zones, window->zone_count)
               : names_of(view->config->portal.names, view->config->portal.name_count));
    put(root, "servers", window ? servers_of(window) : json_array());
    put(root, "interface", window && window->interface ? json_string(window->interface) : json_null());
    put(root, "left_s", window ? left_of(window) : json_null());
    put_number(root, "lookups", view_counter(view, COUNTER_portal_lookups));
    request_reply(request, HTTP_OK, print(root));
}

void portal_open(struct view *view, struct http_request *request)
{
    const struct forward_request wanted = {.verb = FORWARD_OPEN,
                                           .zones = argument(request, "names"),
                                           .servers = argument(request, "servers"),
                                           .interface = argument(request, "interface"),
                                           .duration = argument(request, "for")};
    change(view, request, &wanted);
}

void portal_close(struct view *view, struct http_request *request)
{
    change(view, request, &(struct forward_request){.verb = FORWARD_CLOSE});
}
