/* SPDX-License-Identifier: MIT */
#include "queries.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dns/codes.h"
#include "dns/name.h"
#include "dns/records.h"
#include "explain.h"
#include "request.h"
#include "status.h"

/* Reads "name" and "type" (default A), class IN. False: the request was refused. */
static bool read_key(struct http_request *request, struct key *out)
{
    const char *type_name = request_argument(request, "type");
    int len = request_name(request, out->name);
    int type = type_name ? records_type_number(type_name) : TYPE_A;
    out->name_len = (uint8_t)len;
    out->type = (uint16_t)type;
    out->class = CLASS_IN;
    if (len >= 0 && type < 0)
        request_refuse(request, HTTP_BAD_REQUEST, "the argument \"type\" is not a known record type");
    return len >= 0 && type >= 0;
}

void queries_cache(struct view *view, struct http_request *request)
{
    struct key key = {.flags = 0};
    if (read_key(request, &key))
        request_reply(request, HTTP_OK, status_cache(view, &key));
}

/* Parses an id such as "3fa2c1". 0: not an id. */
static uint32_t read_id(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 6 && strspn(text, "0123456789abcdefABCDEF") == len ? (uint32_t)strtoul(text, NULL, 16) : 0;
}

/* False: the request was refused. */
static bool read_wanted(struct http_request *request, struct explain_wanted *out)
{
    const char *which = request_argument(request, "which"), *name = request_argument(request, "name"),
               *id = request_argument(request, "id");
    const char *mistake = NULL;
    if ((which != NULL) + (name != NULL) + (id != NULL) > 1)
        mistake = "give only one of \"which\", \"name\" and \"id\"";
    else if (which && strcmp(which, "last-slow") != 0 && strcmp(which, "last-failed") != 0)
        mistake = "the argument \"which\" must be last-slow or last-failed";
    else if (name && (!*name || name_from_text(out->name, name) < 0))
        mistake = request_name_mistake(name);
    else if (id && !read_id(id))
        mistake = "the argument \"id\" must be up to six hexadecimal digits, such as 3fa2c1";
    out->last = which != NULL;
    out->kind = which && strcmp(which, "last-failed") == 0 ? RECORD_FAILED : RECORD_SLOW;
    out->by_name = name != NULL;
    out->id = id ? read_id(id) : 0;
    if (mistake)
        request_refuse(request, HTTP_BAD_REQUEST, mistake);
    return !mistake;
}

void queries_explain(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    struct explain_wanted wanted;
    if (!read_wanted(request, &wanted))
        return;
    if (sum)
        request_reply(request, HTTP_OK, explain_text(sum, &wanted));
    else
        request_no_report(view, request);
}

static void traced(void *context, const struct trace *trace)
{
    struct http_request *request = context;
    if (trace)
        request_reply(request, HTTP_OK, explain_trace(trace));
    else
        request_refuse(request, HTTP_UNAVAILABLE, "the daemon is stopping, or a worker does not respond");
}

void queries_trace(struct view *view, struct http_request *request)
{
    struct key key = {.flags = 0};
    struct addr client = {.sa.sa_family = AF_UNSPEC};
    const char *address = request_argument(request, "client");
    if (!read_key(request, &key))
        return;
    if (address && (strchr(address, '@') || addr_parse(&client, address, 0) < 0)) {
        request_refuse(request, HTTP_BAD_REQUEST, "the argument \"client\" is not an IP address");
        return;
    }
    int status = tracer_ask(&view->tracer, &key, &client, traced, request);
    if (status == -EBUSY)
        request_refuse(request, HTTP_UNAVAILABLE, "too many traces at once, try again later");
    else if (status < 0)
        request_reply(request, HTTP_INTERNAL_ERROR, NULL);
}
