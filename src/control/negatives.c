/* SPDX-License-Identifier: MIT */
#include "negatives.h"
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "json.h"
#include "request.h"
#include "resolve/negatives.h"

enum { DEFAULT_S = 3600, MOST_S = 7 * 86400 /* RFC 7646 section 2 */ };

/* --- the list --- */

static void add_item(json_t *list, const uint8_t *name, const char *from, json_t *left_s)
{
    char text[NAME_MAX_TEXT];
    json_t *object = json_object();
    put_text(object, "name", name_text(name, text));
    put_text(object, "from", from);
    put(object, "left_s", left_s);
    (void)json_array_append_new(list, object);
}

static json_t *names_of(const struct config *config)
{
    json_t *list = json_array();
    struct negative added[NEGATIVES_MAX];
    uint8_t name[NAME_MAX_WIRE];
    int64_t now_s = clock_wall_s(), until_s;
    for (size_t i = 0; i < config->dnssec.negative_count; i++) {
        if (config_negative(config->dnssec.negative[i], name, &until_s) < 0 || (until_s && until_s <= now_s))
            continue;
        add_item(list, name, "configuration", until_s ? json_integer(until_s - now_s) : json_null());
    }
    size_t count = negatives_list(added);
    for (size_t i = 0; i < count; i++)
        add_item(list, added[i].name, "run time",
                 json_integer((json_int_t)((added[i].until_ms - clock_ms() + 999) / 1000)));
    return list;
}

void negatives_show(struct view *view, struct http_request *request)
{
    json_t *root = json_object();
    put(root, "negative", names_of(view->config));
    request_reply(request, HTTP_OK, print(root));
}

/* --- changes --- */

/* True: it was done; else the request was refused. */
static bool change(struct view *view, struct http_request *request, const uint8_t *name, size_t len, uint64_t until_ms,
                   bool *saved)
{
    switch (view->ops->change_negative(view->context, name, len, until_ms, saved)) {
    case 0:
        return true;
    case -ENOENT:
        request_refuse(request, HTTP_NOT_FOUND, "no negative trust anchor of this name was added at run time");
        return false;
    default:
        request_refuse(request, HTTP_UNAVAILABLE,
                       "too many negative trust anchors were added; put those that stay into dnssec.negative");
        return false;
    }
}

static void reply(struct http_request *request, const uint8_t *name, int64_t left_s, bool saved)
{
    char text[NAME_MAX_TEXT];
    json_t *root = json_object();
    put_text(root, "name", name_text(name, text));
    put(root, "left_s", left_s ? json_integer(left_s) : json_null());
    put_flag(root, "saved", saved);
    request_reply(request, HTTP_OK, print(root));
}

void negatives_add(struct view *view, struct http_request *request)
{
    const char *time_text = request_argument(request, "for");
    int64_t seconds = time_text ? request_seconds(time_text, MOST_S) : DEFAULT_S;
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    bool saved = false;
    int len = request_name(request, name);
    if (len < 0 || request_is_wildcard(request, name))
        return;
    if (seconds <= 0) {
        request_refuse(request, HTTP_BAD_REQUEST, "the argument \"for\" must be a time up to 7d, such as 30m or 2h");
        return;
    }
    if (!change(view, request, name, (size_t)len, clock_ms() + (uint64_t)seconds * 1000, &saved))
        return;
    log_info("control", "%s is not validated for %lld s", name_text(name, text), (long long)seconds);
    reply(request, name, seconds, saved);
}

void negatives_remove(struct view *view, struct http_request *request)
{
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    bool saved = false;
    int len = request_name(request, name);
    if (len < 0 || !change(view, request, name, (size_t)len, 0, &saved))
        return;
    log_info("control", "%s is validated again", name_text(name, text));
    reply(request, name, 0, saved);
}
