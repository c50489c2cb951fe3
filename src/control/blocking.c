/* SPDX-License-Identifier: MIT */
#include "blocking.h"
#include <errno.h>
#include <time.h>
#include "base/log.h"
#include "json.h"
#include "prometheus.h"
#include "request.h"

enum { UNBLOCK_DEFAULT_S = 600, UNBLOCK_MAX_S = 7 * 86400 };

/* --- lists --- */

static json_t *list_object(const struct block_list_report *list)
{
    json_t *object = json_object();
    put_text(object, "name", list->name);
    put_text(object, "file", list->source);
    put_text(object, "format", list->format);
    put_number(object, "names", list->names);
    put_number(object, "networks", list->networks);
    put_number(object, "bytes", list->bytes);
    put_number(object, "hits", list->hits);
    put_number(object, "lines_unsupported", list->lines_unsupported);
    put_number(object, "lines_bad", list->lines_bad);
    if (list->read_s > 0) {
        int64_t age_s = time(NULL) - list->read_s;
        put_number(object, "read_s_ago", age_s > 0 ? (uint64_t)age_s : 0);
    } else {
        put(object, "read_s_ago", json_null());
    }
    if (list->error[0])
        put_text(object, "error", list->error);
    else
        put(object, "error", json_null());
    return object;
}

static json_t *unblocked_names(const struct view *view)
{
    struct block_unblocked unblocked[BLOCK_UNBLOCKED_MAX];
    json_t *names = json_array();
    size_t count = view->ops->unblocked(view->context, unblocked);
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_object();
        char text[NAME_MAX_TEXT];
        put_text(object, "name", name_text(unblocked[i].name, text));
        put_number(object, "seconds", (unblocked[i].until_ms - clock_ms() + 999) / 1000);
        (void)json_array_append_new(names, object);
    }
    return names;
}

static size_t get_lists(const struct view *view, struct block_list_report out[BLOCK_LISTS_MAX])
{
    return view->ops->block_lists(view->context, out);
}

void blocking_list(struct view *view, struct http_request *request)
{
    static struct block_list_report lists[BLOCK_LISTS_MAX];
    json_t *root = json_object(), *array = json_array();
    size_t count = get_lists(view, lists);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(array, list_object(&lists[i]));
    put(root, "lists", array);
    put(root, "unblocked", unblocked_names(view));
    request_reply(request, HTTP_OK, print(root));
}

void blocking_metrics(FILE *out, const struct view *view)
{
    static struct block_list_report lists[BLOCK_LISTS_MAX];
    static const struct {
        const char *name, *type, *help;
        size_t at;
    } families[] = {
        {"dotstub_block_hits_total", "counter", "queries that a block list decided",
         offsetof(struct block_list_report, hits)},
        {"dotstub_block_names", "gauge", "names of a block list", offsetof(struct block_list_report, names)},
        {"dotstub_block_bytes", "gauge", "memory of a block list", offsetof(struct block_list_report, bytes)},
        {"dotstub_block_lines_bad", "gauge", "lines of a block list that could not be used",
         offsetof(struct block_list_report, lines_bad)},
    };
    size_t count = get_lists(view, lists);
    for (size_t f = 0; count > 0 && f < sizeof families / sizeof *families; f++) {
        prometheus_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < count; i++) {
            const char *const labels[] = {"list", lists[i].name, NULL};
            uint64_t value;
            memcpy(&value, (const char *)&lists[i] + families[f].at, sizeof value);
            prometheus_sample(out, families[f].name, labels, value);
        }
    }
    if (count > 0)
        prometheus_family(out, "dotstub_block_failing", "gauge", "1: a block list could not be read lately");
    for (size_t i = 0; i < count; i++)
        prometheus_sample(out, "dotstub_block_failing", (const char *const[]){"list", lists[i].name, NULL},
                          lists[i].error[0] != '\0');
}

/* --- names --- */

void blocking_test(struct view *view, struct http_request *request)
{
    static const char *const fates[] = {
        [BLOCK_FATE_NONE] = "not listed", [BLOCK_FATE_ALLOWED] = "allowed", [BLOCK_FATE_BLOCKED] = "blocked"};
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    struct block_test test = {.action = ""};
    int len = request_name(request, name);
    if (len < 0)
        return;
    view->ops->block_test(view->context, name, (size_t)len, &test);
    json_t *root = json_object();
    put_text(root, "name", name_text(name, text));
    put_text(root, "result", fates[test.fate]);
    put(root, "list", test.list[0] ? json_string(test.list) : json_null());
    put_flag(root, "views_only", test.views_only);
    put(root, "rule", test.rule[0] ? text_of(test.rule, strlen(test.rule)) : json_null());
    put(root, "action", test.action[0] ? json_string(test.action) : json_null());
    request_reply(request, HTTP_OK, print(root));
}

void blocking_unblock(struct view *view, struct http_request *request)
{
    const char *time_text = request_argument(request, "for");
    int64_t seconds = time_text ? request_seconds(time_text, UNBLOCK_MAX_S) : UNBLOCK_DEFAULT_S;
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    int len = request_name(request, name);
    if (len < 0 || request_is_wildcard(request, name))
        return;
    if (seconds < 0) {
        request_refuse(request, HTTP_BAD_REQUEST,
                       "the argument \"for\" must be a time up to 7d, such as 30s, 10m or 2h, or 0");
        return;
    }
    uint64_t until_ms = seconds ? clock_ms() + (uint64_t)seconds * 1000 : 0;
    if (view->ops->unblock(view->context, name, (size_t)len, until_ms) < 0) {
        request_refuse(request, HTTP_UNAVAILABLE, "too many names are unblocked; put them into block.exceptions");
        return;
    }
    log_info("control", seconds ? "%s is unblocked for %lld s" : "%s is not unblocked any more", name_text(name, text),
             (long long)seconds);
    json_t *root = json_object();
    put_text(root, "name", text);
    put_number(root, "seconds", (uint64_t)seconds);
    request_reply(request, HTTP_OK, print(root));
}
