/* SPDX-License-Identifier: MIT */
/* Responses with the root's keys, and saved ones: what was saved of a message is read back as it was, and without a signature by
 * an anchor nothing changes. */
#include "dnssec/tracking.h"
#include "fuzz.h"

static struct tracking tracking;

static void begin(void)
{
    struct anchors *anchors;
    MUST(anchors_new(&anchors) == 0 && anchors_add_root(anchors) == 0);
    tracking_init(&tracking, anchors);
    anchors_unref(anchors);
}

static void check(const struct sighting *sighting, const struct sighting *again)
{
    MUST(sighting->count <= SIGHTING_KEYS && sighting->saved.len <= SIGHTING_BYTES);
    MUST(again->count == sighting->count && again->ttl_s == sighting->ttl_s);
    MUST(again->saved.len == sighting->saved.len &&
         memcmp(again->saved.data, sighting->saved.data, sighting->saved.len) == 0);
    for (unsigned i = 0; i < sighting->count; i++)
        MUST(again->keys[i].tag == sighting->keys[i].tag && again->keys[i].has_signed == sighting->keys[i].has_signed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { AT = 1800000000 };
    static struct tracking_change changes[TRACKING_KEYS];
    struct sighting *sighting, *again;
    unsigned count;
    if (!tracking.configured)
        begin();
    if (sighting_new(&sighting, (struct bytes){data, size}, AT) < 0)
        return 0;
    MUST(sighting_new(&again, sighting->saved, AT) == 0);
    check(sighting, again);
    sighting_free(again);
    MUST(tracking_see(&tracking, sighting, changes, &count) == TRACKING_UNTRUSTED);
    MUST(tracking.now.count == 2 && tracking.evidence_count == 0);
    return 0;
}
