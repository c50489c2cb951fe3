/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - A change is prepared and committed in one turn of the loop; from its commit to its flush it is in no list, and the
 *   last worker's reply ends it.
 * - The flush comes after the switch of all workers, so no answer from before the switch is stored after it
 *   (cache_epoch). It runs on libuv's pool, because it walks the whole cache once for each zone; from uv_queue_work
 *   until flush_over the change belongs to that thread.
 */
#include "forwarding_change.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "interfaces.h"
#include "routefile.h"

bool note_open(struct note *note)
{
    *note = (struct note){.out = NULL};
    return (note->out = open_memstream(&note->text, &note->len)) != NULL;
}

bool note_end(struct note *note)
{
    FILE *out = note->out;
    note->out = NULL;
    return out && fclose(out) == 0;
}

void note_free(struct note *note)
{
    if (note->out)
        fclose(note->out);
    free(note->text);
}

/* --- the next list of routes --- */

bool route_has_zone(const struct config_route *route, const char *zone)
{
    for (size_t i = 0; i < route->zone_count; i++)
        if (added_same_zone(route->zones[i], zone))
            return true;
    return false;
}

/* True if the zone is in a list separated by commas. */
static bool is_listed(const char *list, const char *zone)
{
    char one[NAME_MAX_TEXT];
    for (size_t len; *list; list += len + (list[len] == ',')) {
        len = strcspn(list, ",");
        if (len < sizeof one && snprintf(one, sizeof one, "%.*s", (int)len, list) > 0 && added_same_zone(one, zone))
            return true;
    }
    return false;
}

static bool same_interface(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

const char *change_end_of(const struct forwarding_change *change, const struct config_route *route)
{
    if (route->until_ms && route->until_ms <= change->now_ms)
        return "its time is over";
    if (route->interface && change->interfaces && !interface_is_up(change->interfaces, route->interface))
        return "its interface is gone";
    return NULL;
}

static bool drops(void *context, const char *zone)
{
    struct forwarding_change *change = context;
    const struct config_route *route = &change->at->route;
    const struct forward_request *request = change->request;
    bool dropped = false;
    if (change->why == DROP_PORTAL || (change->why == DROP_REPLACED && change->fresh->route.portal))
        dropped = route->portal;
    else if (change->why == DROP_REPLACED)
        dropped = route_has_zone(&change->fresh->route, zone) ||
                  (request->replace && same_interface(route->interface, request->interface));
    else if (change->why == DROP_ASKED)
        dropped = (!request->zones || is_listed(request->zones, zone)) &&
                  (!request->interface || same_interface(route->interface, request->interface));
    else
        dropped = change_end_of(change, route) != NULL;
    if (!dropped)
        return false;
    fprintf(change->flush.out, "%s\n", zone);
    if (change->why != DROP_REPLACED)
        fprintf(change->told.out, "%s\n", zone);
    return true;
}

/* Puts what is left of the route into the list. 0 or -ENOMEM. */
static int keep_rest(struct forwarding_change *change, struct added_route *route)
{
    struct added_route *rest;
    change->at = route;
    int status = added_without(&rest, route, drops, change);
    if (status < 0 || !rest)
        return status;
    if (rest->route.zone_count == route->route.zone_count) { /* unchanged */
        added_unref(rest);
        rest = added_ref(route);
    }
    change->list[change->count++] = rest;
    return 0;
}

static int make_list(struct forwarding_change *change)
{
    const struct routing_source *source = &change->forwarding->setup.routing->source;
    change->list = mem_zalloc(source->added_count + 1, sizeof *change->list);
    int status = change->list ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < source->added_count; i++)
        status = keep_rest(change, source->added[i]);
    if (status == 0 && change->fresh)
        change->list[change->count++] = added_ref(change->fresh);
    return status;
}

/* --- a change --- */

void change_free(struct forwarding_change *change)
{
    for (size_t i = 0; i < change->count; i++)
        added_unref(change->list[i]);
    mem_free(change->list);
    added_unref(change->fresh);
    note_free(&change->flush);
    note_free(&change->told);
    note_free(&change->replaced);
    interfaces_free(change->interfaces);
    mem_free(change);
}

struct forwarding_change *change_new(struct forwarding *forwarding, enum drop_why why)
{
    struct forwarding_change *change = mem_zalloc(1, sizeof *change);
    if (!change)
        return NULL;
    change->forwarding = forwarding;
    change->why = why;
    change->now_ms = clock_ms();
    if (note_open(&change->flush) && note_open(&change->told) && note_open(&change->replaced))
        return change;
    change_free(change);
    return NULL;
}

static uint64_t flush_lines(struct cache *cache, const char *lines)
{
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    uint64_t flushed = 0;
    for (const char *end; *lines; lines = *end ? end + 1 : end) {
        end = lines + strcspn(lines, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(end - lines), lines);
        int len = name_from_text(name, text);
        if (len > 0)
            flushed += cache_flush_name(cache, name, (size_t)len, true);
    }
    return flushed;
}

static void flush(uv_work_t *work)
{
    struct forwarding_change *change = container_of(work, struct forwarding_change, work);
    change->flushed = flush_lines(change->forwarding->setup.cache, change->flush.text);
}

static void flush_over(uv_work_t *work, int status)
{
    struct forwarding_change *change = container_of(work, struct forwarding_change, work);
    (void)status; /* it is never cancelled */
    change->forwarding->flushing--;
    change->forwarding->setup.flushed();
    if (change->wait)
        change->wait->done(change->wait, &(struct forward_result){.zones = change->told.text,
                                                                  .replaced = change->replaced.text,
                                                                  .flushed = change->flushed,
                                                                  .left_s = change->left_s,
                                                                  .saved = change->saved});
    change_free(change);
}

/* Runs when all workers have switched. */
static void switched(void *context)
{
    struct forwarding_change *change = context;
    change->forwarding->flushing++;
    if (uv_queue_work(&change->forwarding->setup.loop->uv, &change->work, flush, flush_over) == 0)
        return;
    flush(&change->work);
    flush_over(&change->work, 0);
}

static void log_ended(const struct forwarding_change *change)
{
    const struct routing_source *source = &change->forwarding->setup.routing->source;
    for (size_t i = 0; i < source->added_count; i++) {
        const struct config_route *route = &source->added[i]->route;
        const char *why = change_end_of(change, route);
        if (why && route->portal)
            log_info("daemon", "portal: closed: %s", why);
        else if (why)
            log_info("daemon", "forward: removed the route of %s%s: %s", route->zones[0],
                     route->zone_count > 1 ? " and others" : "", why);
    }
}

/* Copies the list in force, to see what a reload changes. Out of memory: the next one is not logged. */
static void remember(struct forwarding *forwarding)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    for (size_t i = 0; i < forwarding->known_count; i++)
        added_unref(forwarding->known[i]);
    mem_free(forwarding->known);
    forwarding->known = mem_zalloc(source->added_count + 1, sizeof *forwarding->known);
    forwarding->known_count = forwarding->known ? source->added_count : 0;
    for (size_t i = 0; i < forwarding->known_count; i++)
        forwarding->known[i] = added_ref(source->added[i]);
}

bool change_list_changed(struct forwarding *forwarding)
{
    const struct routing_source *source = &forwarding->setup.routing->source;
    remember(forwarding);
    loop_wake_by(forwarding->setup.loop, loop_now(forwarding->setup.loop));
    return routefile_write(source->config, source->added, source->added_count);
}

static int check_limit(const struct forwarding_change *change, FILE *errors)
{
    unsigned most = change->forwarding->setup.routing->source.config->limits.added_routes;
    if (!change->fresh || change->count <= most)
        return 0;
    fprintf(errors,
            "forward: limits.added-routes allows %u; remove one, or put routes that are always needed into "
            "`forward` of the configuration\n",
            most);
    return ERROR_CONFIG;
}

static void log_request(const struct forwarding_change *change)
{
    const struct config_route *route = change->fresh ? &change->fresh->route : NULL;
    const char *end = change->told.text + strcspn(change->told.text, "\n");
    const char *more = *end && end[1] ? " and others" : "";
    int len = (int)(end - change->told.text);
    if (len == 0)
        return;
    if (change->why == DROP_PORTAL)
        log_info("daemon", "portal: closed: %s", change->request ? "as asked" : "an encrypted upstream answers");
    else if (route && route->portal)
        log_info("daemon", "portal: open for %" PRIu64 " s: %zu names are sent without encryption", change->left_s,
                 route->zone_count);
    else if (!route)
        log_info("daemon", "forward: removed the route of %.*s%s", len, change->told.text, more);
    else
        log_info("daemon", "forward: added a route of %.*s%s%s%s%s", len, change->told.text, more,
                 route->to_count > 0 ? ", not encrypted" : "", route->interface ? ", by interface " : "",
                 route->interface ? route->interface : "");
}

int change_apply(struct forwarding_change *change, FILE *errors)
{
    struct forwarding *forwarding = change->forwarding;
    struct routing *routing = forwarding->setup.routing;
    struct routing_change *switching;
    int status = make_list(change);
    if (status == 0)
        status = check_limit(change, errors);
    if (status == 0 && (!note_end(&change->flush) || !note_end(&change->told) || !note_end(&change->replaced)))
        status = -ENOMEM;
    if (status == 0)
        status = routing_prepare_added(&switching, routing, change->list, change->count);
    if (status < 0)
        return status;
    if (change->why == DROP_ENDED)
        log_ended(change);
    else
        log_request(change);
    change->request = NULL;
    routing_commit(routing, switching, switched, change);
    forwarding->setup.changed(routing->routes);
    change->saved = change_list_changed(forwarding);
    return 0;
}
