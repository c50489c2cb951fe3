/* SPDX-License-Identifier: MIT */
#include "anchors.h"
#include "dns/codes.h"
#include "json.h"
#include "prometheus.h"
#include "resolve/tracked.h"

enum { ALGORITHM_AT_DS = 2, ALGORITHM_AT_DNSKEY = 3 };

static struct anchors *configured_of(const struct view *view)
{
    return view->ops->anchors ? view->ops->anchors(view->context) : NULL;
}

/* --- the list --- */

json_t *anchors_ago(int64_t at_s)
{
    int64_t now_s = clock_wall_s();
    return at_s > 0 ? json_integer(now_s > at_s ? now_s - at_s : 0) : json_null();
}

static json_t *left(int64_t until_s)
{
    int64_t now_s = clock_wall_s();
    return json_integer(until_s > now_s ? until_s - now_s : 0);
}

static json_t *make_item(const uint8_t *zone, unsigned tag, unsigned algorithm, const char *state, const char *from)
{
    char text[NAME_MAX_TEXT];
    json_t *object = json_object();
    put_text(object, "zone", name_text(zone, text));
    put_number(object, "key_tag", tag);
    put_number(object, "algorithm", algorithm);
    put_text(object, "state", state);
    put_text(object, "from", from);
    return object;
}

/* Anchors that are not tracked are as they were configured. */
static void add_fixed(json_t *list, const struct anchor *anchor)
{
    for (unsigned i = 0; i < anchor->count; i++) {
        struct bytes rdata = anchor->records[i].rdata;
        bool is_ds = anchor->records[i].type == TYPE_DS;
        json_t *object = make_item(anchor->name, is_ds ? read_u16(rdata.data) : sighting_tag(rdata),
                                   rdata.data[is_ds ? ALGORITHM_AT_DS : ALGORITHM_AT_DNSKEY], "fixed", "configuration");
        put(object, "since_s_ago", json_null());
        put(object, "seen_s_ago", json_null());
        put(object, "valid_in_s", json_null());
        (void)json_array_append_new(list, object);
    }
}

static void add_tracked(json_t *list, const struct tracked_key *key)
{
    json_t *object = make_item((const uint8_t *)"", key->tag, key->algorithm, tracking_state_text(key->state),
                               key->configured ? "configuration" : "tracking");
    put(object, "since_s_ago", anchors_ago(key->since_s));
    put(object, "seen_s_ago", anchors_ago(key->seen_s));
    put(object, "valid_in_s", key->state == TRACKING_PENDING ? left(key->since_s + key->hold_s) : json_null());
    (void)json_array_append_new(list, object);
}

json_t *anchors_list(const struct view *view)
{
    struct tracked_key keys[TRACKING_KEYS];
    const struct anchors *configured = configured_of(view);
    bool tracked = configured && tracked_query()->wanted;
    unsigned count = tracked ? tracked_list(keys) : 0;
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++)
        add_tracked(list, &keys[i]);
    for (size_t i = 0; configured && i < configured->count; i++) {
        const struct anchor *anchor = &configured->list[i];
        if (!anchor->negative && !(tracked && anchor->len == 1))
            add_fixed(list, anchor);
    }
    return list;
}

/* --- metrics --- */

void anchors_metrics(FILE *out, const struct view *view)
{
    struct tracked_key keys[TRACKING_KEYS];
    const char *name = "dotstub_trust_anchors";
    (void)view;
    if (!tracked_query()->wanted)
        return;
    unsigned count = tracked_list(keys), by_state[TRACKING_STATES] = {0};
    for (unsigned i = 0; i < count; i++)
        by_state[keys[i].state]++;
    prometheus_family(out, name, "gauge", "keys of the root that are tracked (RFC 5011), by state");
    for (unsigned state = TRACKING_PENDING; state < TRACKING_STATES; state++)
        prometheus_sample(out, name, (const char *const[]){"state", tracking_state_text(state), NULL}, by_state[state]);
    prometheus_gauge(out, "dotstub_trust_anchors_query_timestamp_seconds",
                     "time of the latest query for the root's keys that succeeded, in seconds since 1970; 0: none has",
                     (uint64_t)tracked_query()->good_s);
}
