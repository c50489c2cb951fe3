/* SPDX-License-Identifier: MIT */
#include "forwarding.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "interfaces.h"
#include "routefile.h"

/* --- requests --- */

static void reply(struct forward_wait *wait, int status, const char *mistakes)
{
    wait->done(wait, &(struct forward_result){.status = status, .mistakes = mistakes ? mistakes : ""});
}

static bool same_list(char *const *a, size_t count_a, char *const *b, size_t count_b)
{
    for (size_t i = 0; count_a == count_b && i < count_a; i++)
        if (strcasecmp(a[i], b[i]) != 0)
            return false;
    return count_a == count_b;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* True if both routes lead the same zones to the same servers. */
static bool is_same_route(const struct config_route *a, const struct config_route *b)
{
    for (size_t i = 0; a->to_count == b->to_count && i < a->to_count; i++)
        if (!addr_equal(&a->to[i], &b->to[i]))
            return false;
    return a->to_count == b->to_count && same_list(a->zones, a->zone_count, b->zones, b->zone_count) &&
           same_list(a->upstreams, a->upstream_count, b->upstreams, b->upstream_count) &&
           same_text(a->group, b->group) && same_text(a->interface, b->interface);
}

/* A route that is added again as it is keeps its id and its sessions. */
static void keep_salt(struct added_route *fresh, const struct routing_source *source)
{
    for (size_t i = 0; i < source->added_count; i++)
        if (is_same_route(&source->added[i]->route, &fresh->route))
            memcpy(fresh->route.salt, source->added[i]->route.salt, ROUTE_SALT);
}

static void make_salt(uint8_t salt[ROUTE_SALT])
{
    for (unsigned i = 0; i < ROUTE_SALT; i += 4)
        write_u32(salt + i, random_below(0));
}

/* The rules that a route of the configuration does not need. */
static int check_fresh(const struct forwarding *forwarding, const struct config_route *route, FILE *errors)
{
    int status = 0;
    if (route->zone_count > FORWARDING_ZONES) {
        fprintf(errors, "forward: more than %d zones; add several routes\n", FORWARDING_ZONES);
        status = ERROR_CONFIG;
    }
    struct ifaddrs *interfaces = route->interface ? interfaces_read() : NULL;
    if (interfaces && !interface_is_up(interfaces, route->interface)) {
        fprintf(errors, "forward: the interface %s does not exist or is down; add the route when it is up\n",
                route->interface);
        status = ERROR_CONFIG;
    }
    interfaces_free(interfaces);
    return sandbox_check_route(forwarding->setup.sandbox, route, errors) < 0 ? ERROR_CONFIG : status;
}

enum { PORTAL_DEFAULT_MS = 5 * 60 * 1000, PORTAL_MAX_MS = 60 * 60 * 1000 };

static int check_portal(const struct forward_request *request, uint64_t for_ms, FILE *errors)
{
    if (for_ms > PORTAL_MAX_MS)
        fputs("portal: the window can be open for an hour at most\n", errors);
    else if (!request->servers)
        fputs("portal: the resolver of the network is not known; name its address with --server\n", errors);
    else
        return 0;
    return ERROR_CONFIG;
}

/* The names of the configuration and those of the request, separated by commas, each once. malloc; NULL: out of memory. */
static char *portal_names(const struct config *config, const char *more)
{
    struct note list;
    bool opened = note_open(&list);
    for (size_t i = 0; opened && i < config->portal.name_count; i++)
        fprintf(list.out, "%s%s", i ? "," : "", config->portal.names[i]);
    for (size_t len; opened && more && *more; more += len + (more[len] == ',')) {
        bool known = false;
        char name[NAME_MAX_TEXT];
        len = strcspn(more, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, more);
        for (size_t i = 0; i < config->portal.name_count; i++)
            known |= added_same_zone(config->portal.names[i], name);
        if (!known && len > 0)
            fprintf(list.out, ",%.*s", (int)len, more);
    }
    if (note_end(&list))
        return list.text;
    free(list.text);
    return NULL;
}

static int make_fresh(struct forwarding_change *change, FILE *errors)
{
    const struct forward_request *request = change->request;
    const struct routing_source *source = &change->forwarding->setup.routing->source;
    bool portal = request->verb == FORWARD_OPEN;
    const struct added_texts texts = {request->zones, request->servers, request->interface, request->plain, portal};
    uint8_t salt[ROUTE_SALT];
    uint64_t for_ms = 0;
    make_salt(salt);
    if (request->replace && !request->interface) {
        fputs("forward: --replace is for the routes of an interface; name it with --interface\n", errors);
        return ERROR_CONFIG;
    }
    int status = request->duration ? added_duration(&for_ms, request->duration, errors) : 0;
    if (portal && !request->duration)
        for_ms = PORTAL_DEFAULT_MS;
    if (status == 0 && portal)
        status = check_portal(request, for_ms, errors);
    if (status == 0)
        status = added_new(&change->fresh, source->config, &texts, salt, for_ms ? change->now_ms + for_ms : 0, errors);
    if (status == 0)
        status = check_fresh(change->forwarding, &change->fresh->route, errors);
    if (status < 0)
        return status;
    keep_salt(change->fresh, source);
    change->left_s = for_ms / 1000;
    for (size_t i = 0; i < change->fresh->route.zone_count; i++) {
        const char *zone = change->fresh->route.zones[i];
        fprintf(change->flush.out, "%s\n", zone);
        fprintf(change->told.out, "%s\n", zone);
        for (size_t r = 0; r < source->config->forward_count; r++)
            if (route_has_zone(&source->config->forward[r], zone))
                fprintf(change->replaced.out, "%s\n", zone);
    }
    return 0;
}

/* All zones named in the request have an added route. */
static int check_removal(const struct forwarding_change *change, FILE *errors)
{
    const struct forward_request *request = change->request;
    const struct routing_source *source = &change->forwarding->setup.routing->source;
    char zone[NAME_MAX_TEXT];
    int status = 0;
    if (!request->zones && !request->interface) {
        fputs("forward: name the zones to remove, or an interface\n", errors);
        return ERROR_CONFIG;
    }
    const char *list = request->zones ? request->zones : "";
    for (size_t len; *list; list += len + (list[len] == ',')) {
        bool found = false;
        len = strcspn(list, ",");
        snprintf(zone, sizeof zone, "%.*s", (int)len, list);
        for (size_t i = 0; i < source->added_count; i++)
            found |= route_has_zone(&source->added[i]->route, zone);
        if (found)
            continue;
        fprintf(errors, "forward: no route was added for %.253s; `dotstubctl forward list` prints those that were\n",
                zone);
        status = ERROR_CONFIG;
    }
    return status;
}

static int ask(struct forwarding_change *change, FILE *errors)
{
    enum forward_verb verb = change->request->verb;
    int status = verb == FORWARD_ADD || verb == FORWARD_OPEN ? make_fresh(change, errors)
                 : verb == FORWARD_REMOVE                    ? check_removal(change, errors)
                                                             : 0;
    if (status == 0)
        status = change_apply(change, errors);
    if (status == -E2BIG) {
        fprintf(errors, "forward: there are %d groups of upstreams already\n", ROUTES_GROUPS_MAX);
        status = ERROR_CONFIG;
    }
    return status;
}

static void ask_all(struct forwarding *forwarding, const struct forward_request *request, struct forward_wait *wait)
{
    static const enum drop_why drops_of[] = {[FORWARD_ADD] = DROP_REPLACED,
                                             [FORWARD_REMOVE] = DROP_ASKED,
                                             [FORWARD_OPEN] = DROP_REPLACED,
                                             [FORWARD_CLOSE] = DROP_PORTAL};
    struct note errors;
    struct forwarding_change *change = NULL;
    if (forwarding->stopped || forwarding->setup.is_busy()) {
        reply(wait, forwarding->stopped ? ERROR_STOPPING : -EBUSY, NULL);
        return;
    }
    int status = note_open(&errors) ? 0 : -ENOMEM;
    if (status == 0)
        status = (change = change_new(forwarding, drops_of[request->verb])) ? 0 : -ENOMEM;
    if (status == 0) {
        change->request = request;
        change->wait = wait;
        status = ask(change, errors.out);
    }
    if (!note_end(&errors) && status == ERROR_CONFIG)
        status = -ENOMEM;
    if (status < 0) {
        reply(wait, status, errors.text);
        if (change)
            change_free(change);
    }
    free(errors.text);
}

void forwarding_ask(struct forwarding *forwarding, const struct forward_request *request, struct forward_wait *wait)
{
    if (request->verb != FORWARD_OPEN) {
        ask_all(forwarding, request, wait);
        return;
    }
    struct forward_request whole = *request;
    char *names = portal_names(forwarding->setup.routing->source.config, request->zones);
    whole.zones = names;
    whole.plain = true;
    if (names)
        ask_all(forwarding, &whole, wait);
    else
        reply(wait, -ENOMEM, NULL);
    free(names);
}

/* --- routes that end by themselves --- */

void forwarding_portal_over(struct forwarding *forwarding)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    bool open = false;
    for (size_t i = 0; i < source->added_count; i++)
        open |= source->added[i]->route.portal;
    if (!open || forwarding->stopped)
        return;
    struct forwarding_change *change = change_new(forwarding, DROP_PORTAL);
    if (change && change_apply(change, NULL) < 0)
        change_free(change);
}

static bool was_down(const struct routing_source *source, const char *interface)
{
    size_t i = 0;
    while (i < source->down_count && strcmp(source->down[i], interface) != 0)
        i++;
    return i < source->down_count;
}

/* Notes the zones of those routes whose interface has come or gone, to be flushed. True if there are any. */
static bool note_switched(struct forwarding_change *change, const struct config_route *routes, size_t count)
{
    const struct routing_source *source = &change->forwarding->setup.routing->source;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct config_route *route = &routes[i];
        if (!route->interface || route->is_private ||
            interface_is_up(change->interfaces, route->interface) != was_down(source, route->interface))
            continue;
        any = true;
        log_info("daemon", "forward: the route of %s%s %s: interface %s is %s", route->zones[0],
                 route->zone_count > 1 ? " and others" : "",
                 was_down(source, route->interface) ? "is in force" : "waits", route->interface,
                 was_down(source, route->interface) ? "up" : "missing or down");
        for (size_t z = 0; z < route->zone_count; z++)
            fprintf(change->flush.out, "%s\n", route->zones[z]);
    }
    return any;
}

static bool note_all_switched(struct forwarding_change *change)
{
    const struct config *config = change->forwarding->setup.routing->source.config;
    bool any = false;
    if (!change->interfaces)
        return false;
    any |= note_switched(change, config->forward, config->forward_count);
    for (size_t i = 0; i < config->view_count; i++)
        any |= note_switched(change, config->views[i].forward, config->views[i].forward_count);
    return any;
}

/* Removes the added routes whose time is over or whose interface is gone. With interfaces, the routes of the
 * configuration by an interface that has come or gone are in force or wait. */
static void remove_ended(struct forwarding *forwarding, bool with_interfaces)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    bool any = false;
    if (forwarding->stopped)
        return;
    struct forwarding_change *change = change_new(forwarding, DROP_ENDED);
    if (!change)
        return;
    if (with_interfaces)
        change->interfaces = interfaces_read();
    for (size_t i = 0; i < source->added_count; i++)
        any |= change_end_of(change, &source->added[i]->route) != NULL;
    any |= note_all_switched(change);
    int status = any ? change_apply(change, NULL) : 0;
    if (status < 0)
        log_warning("daemon",
                    "forward: the routes of an interface cannot be changed now, nor one that has ended be removed: %s",
                    error_text(status));
    if (!any || status < 0)
        change_free(change);
}

/* Without memory it tries again a second later. */
static uint64_t forwarding_tick(struct loop_tick *hook, uint64_t now_ms)
{
    enum { AGAIN_MS = 1000 };
    struct forwarding *forwarding = container_of(hook, struct forwarding, tick);
    const struct routing_source *source = &forwarding->setup.routing->source;
    uint64_t next = LOOP_NEVER;
    bool due = false;
    for (size_t i = 0; i < source->added_count; i++)
        due |= source->added[i]->route.until_ms && source->added[i]->route.until_ms <= now_ms;
    if (due)
        remove_ended(forwarding, false);
    for (size_t i = 0; !forwarding->stopped && i < source->added_count; i++) {
        uint64_t until = source->added[i]->route.until_ms;
        if (until && until < next)
            next = until > now_ms ? until : now_ms + AGAIN_MS;
    }
    return next;
}

static bool any_by_interface(const struct config_route *routes, size_t count)
{
    size_t i = 0;
    while (i < count && !routes[i].interface)
        i++;
    return i < count;
}

void forwarding_network_changed(struct forwarding *forwarding)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    const struct config *config = source->config;
    bool any = any_by_interface(config->forward, config->forward_count);
    for (size_t i = 0; i < config->view_count; i++)
        any |= any_by_interface(config->views[i].forward, config->views[i].forward_count);
    for (size_t i = 0; i < source->added_count; i++)
        any |= source->added[i]->route.interface != NULL;
    if (any)
        remove_ended(forwarding, true);
}

void forwarding_reloaded(struct forwarding *forwarding)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    size_t left = 0;
    for (size_t i = 0; i < forwarding->known_count; i++) {
        if (left < source->added_count && source->added[left] == forwarding->known[i])
            left++;
        else
            log_warning("daemon", "forward: removed the route of %s: the new configuration does not have its upstreams",
                        forwarding->known[i]->route.zones[0]);
    }
    if (source->added_count != forwarding->known_count)
        (void)change_list_changed(forwarding);
}

/* --- begin and end --- */

struct begun_list {
    struct added_route *list[ROUTES_GROUPS_MAX];
    size_t count, most;
};

static void take(void *context, struct added_route *added)
{
    struct begun_list *begun = context;
    if (begun->count < begun->most)
        begun->list[begun->count++] = added;
    else
        added_unref(added);
}

/* Removes routes that could not be added now. */
static void leave_out_unfit(struct forwarding *forwarding, struct begun_list *begun)
{
    size_t left = 0;
    for (size_t i = 0; i < begun->count; i++) {
        struct note errors;
        struct added_route *added = begun->list[i];
        int status = note_open(&errors) ? check_fresh(forwarding, &added->route, errors.out) : -ENOMEM;
        if (!note_end(&errors) && status == 0)
            status = -ENOMEM;
        if (status == 0)
            begun->list[left++] = added;
        else
            log_warning("daemon", "forward: removed the route of %s: %s", added->route.zones[0],
                        status == ERROR_CONFIG && errors.text ? strtok(errors.text, "\n") : error_text(status));
        if (status < 0)
            added_unref(added);
        free(errors.text);
    }
    begun->count = left;
}

void forwarding_begin(struct forwarding *forwarding, const struct forwarding_setup *setup, const struct bytes *taken)
{
    const struct config *config = setup->routing->source.config;
    struct begun_list *begun = mem_zalloc(1, sizeof *begun);
    struct routing_change *change;
    *forwarding = (struct forwarding){.setup = *setup, .tick.tick = forwarding_tick};
    loop_add_tick(setup->loop, &forwarding->tick);
    if (!begun)
        return;
    begun->most = config->limits.added_routes;
    if (!taken)
        routefile_read(config, take, begun);
    else if (routes_unpack(*taken, config, take, begun) < 0)
        log_warning("daemon", "forward: the added routes of the previous process cannot be read");
    leave_out_unfit(forwarding, begun);
    int status = begun->count > 0 ? routing_prepare_added(&change, setup->routing, begun->list, begun->count) : 0;
    if (status < 0)
        log_warning("daemon", "forward: the added routes of before are lost: %s", error_text(status));
    else if (begun->count > 0)
        routing_commit_early(setup->routing, change);
    for (size_t i = 0; i < begun->count; i++)
        added_unref(begun->list[i]);
    mem_free(begun);
    (void)change_list_changed(forwarding);
}

void forwarding_stop(struct forwarding *forwarding)
{
    forwarding->stopped = true;
}

void forwarding_wait(struct forwarding *forwarding)
{
    while (forwarding->flushing > 0)
        uv_run(&forwarding->setup.loop->uv, UV_RUN_ONCE);
}

void forwarding_fini(struct forwarding *forwarding)
{
    if (!forwarding->setup.loop)
        return;
    loop_remove_tick(&forwarding->tick);
    for (size_t i = 0; i < forwarding->known_count; i++)
        added_unref(forwarding->known[i]);
    mem_free(forwarding->known);
}
