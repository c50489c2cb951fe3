/* SPDX-License-Identifier: MIT */
#include "request.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "status.h"

void request_reply(struct http_request *request, unsigned status, char *text)
{
    http_reply(request, status, REQUEST_JSON, text, NULL);
}

void request_refuse(struct http_request *request, unsigned status, const char *sentence)
{
    request_reply(request, status, status_error(sentence, NULL));
}

const char *request_argument(const struct http_request *request, const char *name)
{
    for (unsigned i = 0; i < request->argument_count; i++)
        if (strcmp(request->argument[i].name, name) == 0)
            return request->argument[i].value ? request->argument[i].value : "";
    return NULL;
}

void request_no_report(struct view *view, struct http_request *request)
{
    request_refuse(request, HTTP_UNAVAILABLE,
                   view->readiness == READY_STOPPING ? "stopping" : "a worker does not respond");
}

const char *request_name_mistake(const char *text)
{
    size_t ascii = 0;
    while (text && text[ascii] && (uint8_t)text[ascii] < 0x80)
        ascii++;
    return text && text[ascii] ? "the name has letters beyond ASCII; write its ASCII form, which begins with xn--"
                               : "the argument \"name\" is not a valid domain name";
}

int request_name(struct http_request *request, uint8_t out[NAME_MAX_WIRE])
{
    const char *name = request_argument(request, "name");
    int len = name && *name ? name_from_text(out, name) : -EINVAL;
    if (len < 0)
        request_refuse(request, HTTP_BAD_REQUEST, request_name_mistake(name));
    return len;
}

bool request_is_wildcard(struct http_request *request, const uint8_t *name)
{
    if (name[0] != 1 || name[1] != '*')
        return false;
    request_refuse(request, HTTP_BAD_REQUEST, "write the name without \"*.\": the names below it are included");
    return true;
}

int64_t request_seconds(const char *text, int64_t most)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    char *end;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 8)
        return -1;
    int64_t number = strtol(text, &end, 10);
    if (number == 0 && !*end)
        return 0;
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (!unit || end[1])
        return -1;
    number *= seconds[unit - units];
    return number <= most ? number : -1;
}
