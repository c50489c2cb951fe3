/* SPDX-License-Identifier: MIT */
#include "trust.h"
#include "anchors.h"
#include "base/errors.h"
#include "json.h"
#include "request.h"
#include "resolve/tracked.h"

static json_t *next_of(const struct tracked_query *query)
{
    uint64_t now_ms = clock_ms();
    if (!query->wanted || query->due_ms == 0)
        return json_null();
    return json_integer(query->due_ms > now_ms ? (json_int_t)((query->due_ms - now_ms) / 1000) : 0);
}

void trust_show(struct view *view, struct http_request *request)
{
    const struct tracked_query *query = tracked_query();
    json_t *root = json_object();
    put_flag(root, "tracked", query->wanted);
    put(root, "good_query_s_ago", anchors_ago(query->wanted ? query->good_s : 0));
    put(root, "next_query_s", next_of(query));
    put(root, "last_error", query->wanted && query->error ? json_string(error_text(query->error)) : json_null());
    put(root, "anchors", anchors_list(view));
    request_reply(request, HTTP_OK, print(root));
}
