/* SPDX-License-Identifier: MIT */
#include "resolve/tracked.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracking tracking;
static struct tracked_query query;

static bool is_same(const struct anchors *configured)
{
    return configured && tracking.configured && anchors_agree(configured, tracking.configured);
}

bool tracked_begin(struct anchors *configured)
{
    pthread_mutex_lock(&lock);
    bool same = is_same(configured);
    if (!same) {
        tracking_fini(&tracking);
        tracking_init(&tracking, configured);
    }
    pthread_mutex_unlock(&lock);
    return !same;
}

bool tracked_go_on(struct anchors *configured)
{
    static struct tracking_change changes[TRACKING_KEYS];
    unsigned unused;
    pthread_mutex_lock(&lock);
    bool same = is_same(configured);
    if (!same) {
        struct tracking before = tracking;
        tracking_init(&tracking, configured);
        for (unsigned i = 0; i < before.evidence_count; i++)
            (void)tracking_see(&tracking, before.evidence[i], changes, &unused);
        before.evidence_count = 0;
        tracking_fini(&before);
    }
    pthread_mutex_unlock(&lock);
    return !same;
}

void tracked_forget(void)
{
    pthread_mutex_lock(&lock);
    struct tracking before = tracking;
    tracking_init(&tracking, before.configured);
    tracking_fini(&before);
    pthread_mutex_unlock(&lock);
}

bool tracked_has_anchor(void)
{
    pthread_mutex_lock(&lock);
    bool found = tracking_has_anchor(&tracking);
    pthread_mutex_unlock(&lock);
    return found;
}

enum tracking_result tracked_see(struct sighting *sighting, struct tracking_change changes[TRACKING_KEYS],
                                 unsigned *count)
{
    pthread_mutex_lock(&lock);
    enum tracking_result result = tracking_see(&tracking, sighting, changes, count);
    query.ignored = tracking.now.ignored;
    pthread_mutex_unlock(&lock);
    return result;
}

int tracked_add_anchors(const struct anchors *configured, struct anchors *out)
{
    pthread_mutex_lock(&lock);
    int status = tracking_add_anchors(&tracking, configured, out);
    pthread_mutex_unlock(&lock);
    return status;
}

unsigned tracked_list(struct tracked_key out[TRACKING_KEYS])
{
    pthread_mutex_lock(&lock);
    unsigned count = tracking.now.count;
    for (unsigned i = 0; i < count; i++) {
        out[i] = tracking.now.key[i];
        out[i].ds = (struct bytes){NULL, 0};
    }
    pthread_mutex_unlock(&lock);
    return count;
}

unsigned tracked_each_evidence(void (*each)(void *context, const struct sighting *sighting), void *context)
{
    pthread_mutex_lock(&lock);
    unsigned count = tracking.evidence_count;
    for (unsigned i = 0; i < count; i++)
        each(context, tracking.evidence[i]);
    pthread_mutex_unlock(&lock);
    return count;
}

struct tracked_query *tracked_query(void)
{
    return &query;
}
