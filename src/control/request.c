/* SPDX-License-Identifier: MIT */
#include "request.h"
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
