/* SPDX-License-Identifier: MIT */
/* Invariants:
 *   - a sighting changes states only if a key that is trusted at that moment has signed it; but a trusted key revokes itself by
 *     its own signature alone (RFC 5011 section 2.1);
 *   - the states, apart from VALID and MISSING, are those that the evidence leads to: a sighting is dropped only if the
 *     others lead to the same states without it. */
#include "dnssec/tracking.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "dns/codes.h"
#include "facts.h"
#include "wire.h"

/* --- the table (RFC 5011 section 4.1) --- */

#define START   TRACKING_START
#define PENDING TRACKING_PENDING
#define VALID   TRACKING_VALID
#define MISSING TRACKING_MISSING
#define REVOKED TRACKING_REVOKED
#define REMOVED TRACKING_REMOVED

static const enum tracking_state table[TRACKING_STATES][TRACKING_EVENTS] = {
    /*           NEW_KEY  PRESENT  ABSENT   ADD_TIME REVOKE_BIT REMOVE_TIME */
    [START] = {PENDING, START, START, START, START, START},
    [PENDING] = {PENDING, PENDING, START, VALID, REVOKED, PENDING},
    [VALID] = {VALID, VALID, MISSING, VALID, REVOKED, VALID},
    [MISSING] = {MISSING, VALID, MISSING, MISSING, REVOKED, MISSING},
    [REVOKED] = {REVOKED, REVOKED, REVOKED, REVOKED, REVOKED, REMOVED},
    [REMOVED] = {REMOVED, REMOVED, REMOVED, REMOVED, REMOVED, REMOVED},
};

enum tracking_state tracking_next(enum tracking_state state, enum tracking_event event)
{
    return table[state][event];
}

const char *tracking_state_text(enum tracking_state state)
{
    static const char *const texts[TRACKING_STATES] = {"unknown", "pending", "valid", "missing", "revoked", "removed"};
    return texts[state];
}

/* --- keys --- */

static struct bytes dnskey_of(const struct tracked_key *key)
{
    return (struct bytes){key->dnskey, key->len};
}

static bool is_key(const struct tracked_key *key, struct bytes rdata)
{
    return key->len > 0 ? sighting_is_same_key(dnskey_of(key), rdata)
                        : key->ds.len > 0 && sighting_is_ds_of(key->ds, rdata);
}

static void learn_key(struct tracked_key *key, struct bytes rdata)
{
    memcpy(key->dnskey, rdata.data, rdata.len);
    write_u16(key->dnskey, read_u16(key->dnskey) & (uint16_t)~DNSKEY_REVOKED);
    key->len = (uint16_t)rdata.len;
}

static struct tracked_key *find_key(struct tracked_keys *keys, struct bytes rdata)
{
    for (unsigned i = 0; i < keys->count; i++)
        if (is_key(&keys->key[i], rdata))
            return &keys->key[i];
    return NULL;
}

static void add_configured(struct tracked_keys *keys, const struct anchor_record *record)
{
    bool is_ds = record->type == TYPE_DS;
    if (keys->count == TRACKING_KEYS || record->rdata.len > SIGHTING_KEY_MAX ||
        (!is_ds && find_key(keys, record->rdata)))
        return;
    for (unsigned i = 0; is_ds && i < keys->count; i++)
        if (keys->key[i].len > 0 && sighting_is_ds_of(record->rdata, dnskey_of(&keys->key[i])))
            return;
    struct tracked_key *key = &keys->key[keys->count++];
    *key = (struct tracked_key){.state = VALID, .configured = true};
    if (is_ds)
        key->ds = record->rdata;
    else
        learn_key(key, record->rdata);
    key->tag = is_ds ? read_u16(record->rdata.data) : sighting_tag(record->rdata);
    key->algorithm = record->rdata.data[is_ds ? DS_ALGORITHM : DNSKEY_ALGORITHM];
}

static const struct anchor *root_of(const struct anchors *anchors)
{
    return anchors ? anchors_find(anchors, (const uint8_t *)"", 1, false) : NULL;
}

/* Keys first, so that a DS of one of them is not another key. */
static void begin(struct tracked_keys *keys, const struct anchors *configured)
{
    static const uint16_t types[] = {TYPE_DNSKEY, TYPE_DS};
    const struct anchor *root = root_of(configured);
    keys->count = keys->ignored = 0;
    for (unsigned t = 0; root && t < 2; t++)
        for (unsigned i = 0; i < root->count; i++)
            if (root->records[i].type == types[t])
                add_configured(keys, &root->records[i]);
}

/* --- one sighting --- */

/* The key in the RRset. *revoked: with the bit REVOKE, and signed by itself, which counts more than the other form. */
static const struct sighting_key *look(const struct tracked_key *key, const struct sighting *sighting, bool *revoked)
{
    const struct sighting_key *found = NULL;
    *revoked = false;
    for (unsigned i = 0; i < sighting->count && !*revoked; i++) {
        const struct sighting_key *seen = &sighting->keys[i];
        if ((seen->revoked && !seen->has_signed) || !is_key(key, seen->rdata))
            continue;
        found = seen;
        *revoked = seen->revoked;
    }
    return found;
}

static bool is_vouched_for(struct tracked_keys *keys, const struct sighting *sighting)
{
    for (unsigned i = 0; i < sighting->count; i++) {
        const struct sighting_key *seen = &sighting->keys[i];
        const struct tracked_key *key = seen->has_signed && !seen->revoked ? find_key(keys, seen->rdata) : NULL;
        if (key && tracking_is_trusted(key->state))
            return true;
    }
    return false;
}

static enum tracking_event event_of(const struct tracked_key *key, const struct sighting *sighting, bool present,
                                    bool revoked)
{
    int64_t now_s = sighting->at_s;
    if (revoked)
        return TRACKING_REVOKE_BIT;
    if (present)
        return key->state == PENDING && now_s - key->since_s >= key->hold_s ? TRACKING_ADD_TIME : TRACKING_PRESENT;
    return key->state == REVOKED && now_s - key->seen_s >= TRACKING_HOLD_S ? TRACKING_REMOVE_TIME : TRACKING_ABSENT;
}

static void move(struct tracked_key *key, enum tracking_event event, int64_t now_s)
{
    enum tracking_state next = tracking_next(key->state, event);
    /* VALID and MISSING: since when it is trusted. */
    if (next != key->state && !(tracking_is_trusted(next) && tracking_is_trusted(key->state)))
        key->since_s = now_s;
    key->state = next;
}

static void update(struct tracked_key *key, const struct sighting *sighting, bool vouched_for)
{
    bool revoked;
    const struct sighting_key *seen = look(key, sighting, &revoked);
    if (!vouched_for && !(revoked && tracking_is_trusted(key->state)))
        return;
    if (seen && key->len == 0)
        learn_key(key, seen->rdata);
    move(key, event_of(key, sighting, seen != NULL, revoked), sighting->at_s);
    if (seen)
        key->seen_s = sighting->at_s;
}

static void add_new(struct tracked_keys *keys, const struct sighting *sighting, const struct sighting_key *seen)
{
    if (keys->count == TRACKING_KEYS) {
        keys->ignored++;
        return;
    }
    struct tracked_key *key = &keys->key[keys->count++];
    *key = (struct tracked_key){.state = START,
                                .tag = seen->tag,
                                .algorithm = seen->rdata.data[DNSKEY_ALGORITHM],
                                .seen_s = sighting->at_s,
                                .hold_s = sighting->ttl_s > TRACKING_HOLD_S ? sighting->ttl_s : TRACKING_HOLD_S};
    learn_key(key, seen->rdata);
    move(key, TRACKING_NEW_KEY, sighting->at_s);
}

/* Drops keys that are no longer tracked, and configured ones that have turned out to be another form of one before. */
static void drop_keys(struct tracked_keys *keys)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < keys->count; i++) {
        bool repeated = false;
        for (unsigned k = 0; k < kept; k++)
            repeated |= keys->key[i].len > 0 && keys->key[k].len > 0 &&
                        sighting_is_same_key(dnskey_of(&keys->key[i]), dnskey_of(&keys->key[k]));
        if (keys->key[i].state == START || repeated)
            continue;
        if (kept != i)
            keys->key[kept] = keys->key[i];
        kept++;
    }
    keys->count = kept;
}

/* False: the sighting counts for nothing. */
static bool apply(struct tracked_keys *keys, const struct sighting *sighting)
{
    bool vouched_for = is_vouched_for(keys, sighting), counts = vouched_for;
    bool revoked;
    for (unsigned i = 0; i < keys->count; i++)
        counts |= tracking_is_trusted(keys->key[i].state) && look(&keys->key[i], sighting, &revoked) && revoked;
    for (unsigned i = 0; counts && i < keys->count; i++)
        update(&keys->key[i], sighting, vouched_for);
    drop_keys(keys);
    keys->ignored = 0;
    for (unsigned i = 0; vouched_for && i < sighting->count; i++)
        if (sighting->keys[i].may_be_anchor && !find_key(keys, sighting->keys[i].rdata))
            add_new(keys, sighting, &sighting->keys[i]);
    return counts;
}

/* --- evidence: sightings that the states follow from --- */

/* The evidence must lead to the state of this key. A configured key that is trusted follows from the configuration. */
static bool matters(const struct tracked_key *key)
{
    return !key->configured || !tracking_is_trusted(key->state);
}

static bool is_same_state(const struct tracked_key *a, const struct tracked_key *b)
{
    if (a->configured != b->configured || !sighting_is_same_key(dnskey_of(a), dnskey_of(b)))
        return false;
    if (tracking_is_trusted(a->state) && tracking_is_trusted(b->state))
        return a->since_s == b->since_s;
    return a->state == b->state && (a->state != PENDING || (a->since_s == b->since_s && a->hold_s == b->hold_s));
}

static bool has_states(const struct tracked_keys *keys, const struct tracked_keys *of)
{
    for (unsigned i = 0; i < of->count; i++) {
        bool found = !matters(&of->key[i]);
        for (unsigned k = 0; k < keys->count && !found; k++)
            found = is_same_state(&keys->key[k], &of->key[i]);
        if (!found)
            return false;
    }
    return true;
}

/* The states that the evidence leads to without the sighting of this index. */
static void replay(const struct tracking *tracking, const struct anchors *configured, unsigned without,
                   struct tracked_keys *out)
{
    begin(out, configured);
    for (unsigned i = 0; i < tracking->evidence_count; i++)
        if (i != without)
            (void)apply(out, tracking->evidence[i]);
}

static bool leads_to_the_same(const struct tracking *tracking, unsigned without)
{
    struct tracked_keys keys;
    replay(tracking, tracking->configured, without, &keys);
    return has_states(&keys, &tracking->now) && has_states(&tracking->now, &keys);
}

static void drop_evidence(struct tracking *tracking, unsigned i)
{
    sighting_free(tracking->evidence[i]);
    tracking->evidence_count--;
    memmove(&tracking->evidence[i], &tracking->evidence[i + 1],
            (tracking->evidence_count - i) * sizeof tracking->evidence[0]);
}

static void tidy(struct tracking *tracking)
{
    for (unsigned i = 0; i < tracking->evidence_count;)
        if (leads_to_the_same(tracking, i))
            drop_evidence(tracking, i);
        else
            i++;
}

/* --- interface --- */

void tracking_init(struct tracking *tracking, struct anchors *configured)
{
    memset(tracking, 0, sizeof *tracking);
    tracking->configured = configured ? anchors_ref(configured) : NULL;
    begin(&tracking->now, configured);
}

void tracking_fini(struct tracking *tracking)
{
    while (tracking->evidence_count > 0)
        drop_evidence(tracking, tracking->evidence_count - 1);
    anchors_unref(tracking->configured);
    tracking->configured = NULL;
}

static unsigned compare(const struct tracked_keys *before, const struct tracked_keys *after,
                        struct tracking_change changes[TRACKING_KEYS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < after->count && count < TRACKING_KEYS; i++) {
        enum tracking_state was = START;
        for (unsigned k = 0; k < before->count; k++)
            if (is_key(&before->key[k], dnskey_of(&after->key[i])) ||
                (after->key[i].len == 0 && before->key[k].ds.data == after->key[i].ds.data))
                was = before->key[k].state;
        if (was != after->key[i].state)
            changes[count++] = (struct tracking_change){after->key[i], was};
    }
    for (unsigned k = 0; k < before->count && count < TRACKING_KEYS; k++) {
        bool gone = before->key[k].state == PENDING;
        for (unsigned i = 0; i < after->count; i++)
            gone &= !is_key(&after->key[i], dnskey_of(&before->key[k]));
        if (gone) {
            changes[count] = (struct tracking_change){before->key[k], before->key[k].state};
            changes[count++].key.state = START;
        }
    }
    return count;
}

static bool only_presence(const struct tracking_change *changes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!tracking_is_trusted(changes[i].before) || !tracking_is_trusted(changes[i].key.state))
            return false;
    return true;
}

/* An attacker who has a key of the root, and makes many changes with it, must not keep us from its revocation. A key is revoked
 * once, so TRACKING_REVOCATIONS have room. */
static unsigned room_for(const struct tracking_change *changes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (tracking_is_trusted(changes[i].before) && changes[i].key.state == REVOKED)
            return TRACKING_EVIDENCE + TRACKING_REVOCATIONS;
    return TRACKING_EVIDENCE;
}

enum tracking_result tracking_see(struct tracking *tracking, struct sighting *sighting,
                                  struct tracking_change changes[TRACKING_KEYS], unsigned *count)
{
    struct tracked_keys before = tracking->now;
    *count = 0;
    if (!apply(&tracking->now, sighting)) {
        sighting_free(sighting);
        return TRACKING_UNTRUSTED;
    }
    *count = compare(&before, &tracking->now, changes);
    if (only_presence(changes, *count)) {
        sighting_free(sighting);
        return *count > 0 ? TRACKING_CHANGED : TRACKING_UNCHANGED;
    }
    tracking->evidence[tracking->evidence_count++] = sighting;
    tidy(tracking);
    if (tracking->evidence_count <= room_for(changes, *count))
        return TRACKING_CHANGED;
    drop_evidence(tracking, tracking->evidence_count - 1);
    tracking->now = before;
    *count = 0;
    return TRACKING_REFUSED;
}

/* --- anchors --- */

/* False: a DS of an algorithm or digest that is not supported. If there are only such ones, the root is insecure. */
static bool is_supported(uint16_t type, struct bytes rdata)
{
    struct zone_key ds = {0, 0, rdata};
    int unused;
    return type != TYPE_DS || facts_choose_ds(&ds, 1, &unused) == 1;
}

bool tracking_has_anchor(const struct tracking *tracking)
{
    for (unsigned i = 0; i < tracking->now.count; i++) {
        const struct tracked_key *key = &tracking->now.key[i];
        if (tracking_is_trusted(key->state) && (key->ds.len == 0 || is_supported(TYPE_DS, key->ds)))
            return true;
    }
    return false;
}

static bool is_dead(const struct tracked_key *key)
{
    return key->state == REVOKED || key->state == REMOVED;
}

/* True if the record is of a key that was revoked. */
static bool is_revoked(const struct tracked_keys *keys, const struct anchor_record *record)
{
    for (unsigned i = 0; i < keys->count; i++) {
        const struct tracked_key *key = &keys->key[i];
        if (is_dead(key) && (record->type == TYPE_DS ? sighting_is_ds_of(record->rdata, dnskey_of(key))
                                                     : sighting_is_same_key(record->rdata, dnskey_of(key))))
            return true;
    }
    return false;
}

/* *count: of those that make the root secure. */
static int add(struct anchors *out, uint16_t type, struct bytes rdata, unsigned *count)
{
    int status = anchors_add(out, (const uint8_t *)"", 1, type, rdata);
    *count += status == 0 && is_supported(type, rdata);
    return status == -E2BIG ? 0 : status;
}

/* A key with the bit REVOKE is equal to no key that may sign. */
static int add_unusable(const struct tracked_keys *keys, struct anchors *out)
{
    unsigned unused = 0;
    for (unsigned i = 0; i < keys->count; i++) {
        struct tracked_key key = keys->key[i];
        if (!is_dead(&key))
            continue;
        write_u16(key.dnskey, read_u16(key.dnskey) | DNSKEY_REVOKED);
        return add(out, TYPE_DNSKEY, dnskey_of(&key), &unused);
    }
    return 0;
}

int tracking_add_anchors(const struct tracking *tracking, const struct anchors *configured, struct anchors *out)
{
    const struct anchor *root = root_of(configured);
    struct tracked_keys keys;
    unsigned count = 0;
    int status = 0;
    replay(tracking, configured, UINT_MAX, &keys);
    for (unsigned i = 0; root && status == 0 && i < root->count; i++)
        if (!is_revoked(&keys, &root->records[i]))
            status = add(out, root->records[i].type, root->records[i].rdata, &count);
    for (unsigned i = 0; status == 0 && i < keys.count; i++) {
        const struct tracked_key *key = &keys.key[i];
        if (!key->configured && tracking_is_trusted(key->state))
            status = add(out, TYPE_DNSKEY, dnskey_of(key), &count);
    }
    return status == 0 && count == 0 ? add_unusable(&keys, out) : status;
}

/* --- intervals (RFC 5011 section 2.3) --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The seconds until the first signature that was valid ends. */
static int64_t left_of(const struct sighting *sighting)
{
    int64_t left_s = INT64_MAX;
    for (unsigned i = 0; i < sighting->count; i++)
        if (sighting->keys[i].has_signed)
            left_s = least(left_s, sighting->keys[i].ends_s - sighting->at_s);
    return left_s;
}

static int64_t interval(const struct sighting *sighting, int64_t part, int64_t most)
{
    int64_t seconds = least(most, least(sighting->ttl_s / part, left_of(sighting) / part));
    return seconds > TRACKING_HOUR_S ? seconds : TRACKING_HOUR_S;
}

int64_t tracking_query_interval(const struct sighting *sighting)
{
    return interval(sighting, 2, TRACKING_FORTNIGHT_S);
}

int64_t tracking_retry_interval(const struct sighting *sighting)
{
    return sighting ? interval(sighting, 10, TRACKING_DAY_S) : TRACKING_HOUR_S;
}
