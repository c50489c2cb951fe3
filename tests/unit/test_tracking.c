/* SPDX-License-Identifier: MIT */
/* Tracking of the root's keys (RFC 5011): each cell of the table, sightings that are signed here, hostile ones, and the
 * evidence. The clock is the time of each sighting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "base/errors.h"
#include "dnssec/crypto.h"
#include "dnssec/tracking.h"
#include "root_signer.h"

static struct ksk old, new, other, stranger;
static struct tracking tracking;
static struct anchors *configured;
static struct tracking_change changes[TRACKING_KEYS];
static unsigned change_count;

#define SEE(...) see(&(struct set){__VA_ARGS__})

static enum tracking_result see(const struct set *set)
{
    return tracking_see(&tracking, sighting_of(set), changes, &change_count);
}

static void pass(int64_t seconds)
{
    now_s += seconds;
}

/* --- expectations --- */

static const struct tracked_key *find(const struct ksk *ksk)
{
    for (unsigned i = 0; i < tracking.now.count; i++) {
        const struct tracked_key *key = &tracking.now.key[i];
        if (key->tag == ksk->signer.tag)
            return key;
    }
    return NULL;
}

static enum tracking_state state(const struct ksk *ksk)
{
    const struct tracked_key *key = find(ksk);
    return key ? key->state : TRACKING_START;
}

static void changed(const struct ksk *ksk, enum tracking_state before, enum tracking_state after)
{
    for (unsigned i = 0; i < change_count; i++)
        if (changes[i].key.tag == ksk->signer.tag && changes[i].before == before && changes[i].key.state == after)
            return;
    fail_msg("key %u did not change from %s to %s", ksk->signer.tag, tracking_state_text(before),
             tracking_state_text(after));
}

/* The records of the root's anchor that vouch for the key, and for nothing else. */
static unsigned anchors_for(const struct ksk *ksk, unsigned *others)
{
    struct anchors *out;
    unsigned found = 0;
    assert_int_equal(anchors_new(&out), 0);
    assert_int_equal(tracking_add_anchors(&tracking, configured, out), 0);
    const struct anchor *root = anchors_find(out, (const uint8_t *)"", 1, false);
    *others = 0;
    for (unsigned i = 0; root && i < root->count; i++) {
        struct bytes rdata = root->records[i].rdata, key = key_of(ksk);
        bool is_it = root->records[i].type == TYPE_DS
                         ? sighting_is_ds_of(rdata, key)
                         : rdata.len == key.len && memcmp(rdata.data, key.data, key.len) == 0;
        found += is_it;
        *others += !is_it;
    }
    anchors_unref(out);
    return found;
}

static bool is_anchor(const struct ksk *ksk)
{
    unsigned others;
    return anchors_for(ksk, &others) > 0;
}

static void configure_ds(const struct ksk *ksk)
{
    uint8_t ds[4 + CRYPTO_DIGEST_MAX];
    write_u16(ds, ksk->signer.tag);
    ds[2] = 13;
    ds[3] = DIGEST_SHA256;
    size_t len = crypto_digest(DIGEST_SHA256, (struct bytes){(const uint8_t *)"", 1}, key_of(ksk), ds + 4);
    assert_int_equal(anchors_add(configured, (const uint8_t *)"", 1, TYPE_DS, (struct bytes){ds, 4 + len}), 0);
}

static int make_keys(void **unused)
{
    (void)unused;
    make_key(&old);
    make_key(&new);
    make_key(&other);
    make_key(&stranger);
    return 0;
}

static int free_keys(void **unused)
{
    (void)unused;
    gnutls_privkey_deinit(old.signer.key);
    gnutls_privkey_deinit(new.signer.key);
    gnutls_privkey_deinit(other.signer.key);
    gnutls_privkey_deinit(stranger.signer.key);
    return 0;
}

static int begin(void **unused)
{
    (void)unused;
    now_s = SIGNER_NOW;
    assert_int_equal(anchors_new(&configured), 0);
    configure_ds(&old);
    tracking_init(&tracking, configured);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    tracking_fini(&tracking);
    anchors_unref(configured);
    return 0;
}

/* Begins without evidence. */
static void begin_again(void)
{
    tracking_fini(&tracking);
    tracking_init(&tracking, configured);
}

/* The state after a restart from what was saved. */
static void restart(void)
{
    struct tracking again;
    struct tracking_change some[TRACKING_KEYS];
    unsigned count;
    tracking_init(&again, configured);
    for (unsigned i = 0; i < tracking.evidence_count; i++) {
        struct sighting *copy;
        assert_int_equal(sighting_new(&copy, tracking.evidence[i]->saved, tracking.evidence[i]->at_s), 0);
        assert_int_equal(tracking_see(&again, copy, some, &count), TRACKING_CHANGED);
    }
    tracking_fini(&tracking);
    tracking = again;
}

/* --- the table --- */

static void the_table_is_that_of_the_rfc(void **unused)
{
    (void)unused;
    static const struct {
        enum tracking_state state;
        enum tracking_event event;
        enum tracking_state next;
    } moves[] = {{TRACKING_START, TRACKING_NEW_KEY, TRACKING_PENDING},
                 {TRACKING_PENDING, TRACKING_ABSENT, TRACKING_START},
                 {TRACKING_PENDING, TRACKING_ADD_TIME, TRACKING_VALID},
                 {TRACKING_PENDING, TRACKING_REVOKE_BIT, TRACKING_REVOKED}, /* stricter */
                 {TRACKING_VALID, TRACKING_ABSENT, TRACKING_MISSING},
                 {TRACKING_VALID, TRACKING_REVOKE_BIT, TRACKING_REVOKED},
                 {TRACKING_MISSING, TRACKING_PRESENT, TRACKING_VALID},
                 {TRACKING_MISSING, TRACKING_REVOKE_BIT, TRACKING_REVOKED},
                 {TRACKING_REVOKED, TRACKING_REMOVE_TIME, TRACKING_REMOVED}};
    for (unsigned state = 0; state < TRACKING_STATES; state++)
        for (unsigned event = 0; event < TRACKING_EVENTS; event++) {
            enum tracking_state next = state;
            for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
                if (moves[i].state == state && moves[i].event == event)
                    next = moves[i].next;
            assert_int_equal(tracking_next(state, event), next);
        }
}

/* --- each row, by sightings --- */

static void a_new_key_is_accepted_after_the_hold_down(void **unused)
{
    (void)unused;
    assert_int_equal(SEE(KEYS(&old), SIGNERS(&old)), TRACKING_UNCHANGED);
    assert_int_equal(tracking.evidence_count, 0);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old)), TRACKING_CHANGED);
    changed(&new, TRACKING_START, TRACKING_PENDING);
    assert_false(is_anchor(&new));
    pass(TRACKING_HOLD_S - 1);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old)), TRACKING_UNCHANGED);
    assert_false(is_anchor(&new));
    pass(1);
    assert_false(is_anchor(&new)); /* time alone is not enough */
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old)), TRACKING_CHANGED);
    changed(&new, TRACKING_PENDING, TRACKING_VALID);
    assert_true(is_anchor(&new) && is_anchor(&old));
    assert_int_equal(tracking.evidence_count, 2);
    assert_int_equal(SEE(KEYS(&new), SIGNERS(&new)), TRACKING_CHANGED); /* it signs alone */
    changed(&old, TRACKING_VALID, TRACKING_MISSING);
}

static void a_pending_key_that_disappears_starts_again(void **unused)
{
    (void)unused;
    SEE(KEYS(&old, &new), SIGNERS(&old));
    pass(20 * DAY);
    assert_int_equal(SEE(KEYS(&old), SIGNERS(&old)), TRACKING_CHANGED);
    changed(&new, TRACKING_PENDING, TRACKING_START);
    assert_null(find(&new));
    assert_int_equal(tracking.evidence_count, 0);
    pass(DAY);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    pass(20 * DAY);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    assert_int_equal(state(&new), TRACKING_PENDING);
    pass(10 * DAY);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    assert_int_equal(state(&new), TRACKING_VALID);
}

static void a_pending_key_can_be_revoked(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&new);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    pass(DAY);
    SEE(KEYS(&old, &form), SIGNERS(&old, &form));
    assert_int_equal(state(&new), TRACKING_REVOKED);
    pass(40 * DAY);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    restart();
    assert_int_equal(state(&new), TRACKING_REVOKED);
    assert_false(is_anchor(&new));
}

static void a_missing_key_stays_an_anchor_and_returns(void **unused)
{
    (void)unused;
    configure_ds(&other);
    begin_again();
    SEE(KEYS(&other), SIGNERS(&other));
    changed(&old, TRACKING_VALID, TRACKING_MISSING);
    assert_true(is_anchor(&old));
    assert_int_equal(SEE(KEYS(&other, &old), SIGNERS(&old)), TRACKING_CHANGED);
    changed(&old, TRACKING_MISSING, TRACKING_VALID);
    assert_int_equal(tracking.evidence_count, 0);
}

static void revocation_is_immediate_and_lasts(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&old);
    assert_int_not_equal(form.signer.tag, old.signer.tag);
    configure_ds(&other);
    begin_again();
    SEE(KEYS(&old, &other), SIGNERS(&other));
    assert_int_equal(SEE(KEYS(&form, &other), SIGNERS(&form, &other)), TRACKING_CHANGED);
    changed(&old, TRACKING_VALID, TRACKING_REVOKED);
    assert_false(is_anchor(&old));
    assert_true(is_anchor(&other));
    SEE(KEYS(&old, &other), SIGNERS(&old, &other));
    assert_int_equal(state(&old), TRACKING_REVOKED);
    pass(TRACKING_HOLD_S - 1);
    SEE(KEYS(&other), SIGNERS(&other));
    assert_int_equal(state(&old), TRACKING_REVOKED);
    pass(1);
    SEE(KEYS(&other), SIGNERS(&other));
    changed(&old, TRACKING_REVOKED, TRACKING_REMOVED);
    restart();
    assert_int_equal(state(&old), TRACKING_REMOVED);
    SEE(KEYS(&old, &other), SIGNERS(&old, &other));
    assert_int_equal(state(&old), TRACKING_REMOVED);
    assert_false(is_anchor(&old));
}

static void a_missing_key_can_be_revoked_by_itself_alone(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&old);
    configure_ds(&other);
    begin_again();
    SEE(KEYS(&other), SIGNERS(&other));
    assert_int_equal(SEE(KEYS(&form, &new), SIGNERS(&form)), TRACKING_CHANGED);
    changed(&old, TRACKING_MISSING, TRACKING_REVOKED);
    assert_int_equal(change_count, 1); /* neither the absence nor the new key counts */
    assert_int_equal(state(&other), TRACKING_VALID);
    assert_null(find(&new));
}

static void the_bit_without_a_signature_revokes_nothing(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&old);
    configure_ds(&other);
    begin_again();
    SEE(KEYS(&form, &other), SIGNERS(&other));
    assert_int_equal(state(&old), TRACKING_MISSING);
    assert_true(is_anchor(&old));
}

static void without_any_anchor_nothing_is_validated(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&old);
    unsigned others;
    SEE(KEYS(&form), SIGNERS(&form));
    assert_int_equal(state(&old), TRACKING_REVOKED);
    assert_int_equal(anchors_for(&old, &others), 0);
    assert_int_equal(others, 1); /* so the root is not without an anchor, which would make everything insecure */
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old)), TRACKING_UNTRUSTED);
}

/* A DS whose algorithm or digest is unknown makes a zone insecure, so one that is left must not be the only anchor. */
static void an_anchor_that_is_not_supported_is_none(void **unused)
{
    (void)unused;
    static const uint8_t digest[] = {0x12, 0x34, 13, 250, 1, 2, 3},
                         algorithm[] = {0x12, 0x34, 250, DIGEST_SHA256, 1, 2, 3};
    struct ksk form = revoked(&old);
    struct anchors *out;
    assert_int_equal(anchors_add(configured, (const uint8_t *)"", 1, TYPE_DS, (struct bytes){digest, sizeof digest}),
                     0);
    assert_int_equal(
        anchors_add(configured, (const uint8_t *)"", 1, TYPE_DS, (struct bytes){algorithm, sizeof algorithm}), 0);
    begin_again();
    assert_true(tracking_has_anchor(&tracking));
    SEE(KEYS(&form), SIGNERS(&form));
    assert_false(tracking_has_anchor(&tracking));
    assert_int_equal(anchors_new(&out), 0);
    assert_int_equal(tracking_add_anchors(&tracking, configured, out), 0);
    const struct anchor *root = anchors_find(out, (const uint8_t *)"", 1, false);
    bool has_key = false;
    for (unsigned i = 0; i < root->count; i++)
        has_key |= root->records[i].type == TYPE_DNSKEY;
    assert_true(has_key); /* with which nothing verifies */
    anchors_unref(out);
}

/* --- RRsets that change nothing --- */

static void what_is_not_signed_by_an_anchor_changes_nothing(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&stranger);
    assert_int_equal(SEE(KEYS(&old, &new)), TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&new)), TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&stranger), SIGNERS(&stranger)), TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&form), SIGNERS(&form)), TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old), .spoil = true), TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old), .from_s = now_s - 9 * DAY, .until_s = now_s - 1),
                     TRACKING_UNTRUSTED);
    assert_int_equal(SEE(KEYS(&old, &new), SIGNERS(&old), .from_s = now_s + 1), TRACKING_UNTRUSTED);
    assert_int_equal(tracking.now.count, 1);
    assert_int_equal(tracking.evidence_count, 0);
    SEE(KEYS(&old, &new), SIGNERS(&old)); /* a pending key is not an anchor, either */
    assert_int_equal(SEE(KEYS(&new, &other), SIGNERS(&new)), TRACKING_UNTRUSTED);
}

static void a_zone_signing_key_is_no_candidate(void **unused)
{
    (void)unused;
    struct ksk zsk = new, unknown = other;
    set_flags(&zsk, 0x0100);
    unknown.signer.dnskey[3] = 200; /* no algorithm */
    set_flags(&unknown, 0x0101);
    assert_int_equal(SEE(KEYS(&old, &zsk, &unknown), SIGNERS(&old)), TRACKING_UNCHANGED);
    assert_int_equal(tracking.now.count, 1);
}

/* --- hostile RRsets --- */

static void large_sets_are_refused(void **unused)
{
    (void)unused;
    static struct ksk many[SIGHTING_KEYS + 1];
    struct set set = {SIGNERS(&old)};
    struct sighting *sighting;
    for (unsigned i = 0; i <= SIGHTING_KEYS; i++) {
        many[i] = new;
        many[i].signer.dnskey[10] ^= (uint8_t)(i + 1);
        set_flags(&many[i], 0x0101);
        set.keys[i] = &many[i];
    }
    assert_int_equal(sighting_new(&sighting, message_of(&set), now_s), -E2BIG);
    set.keys[SIGHTING_KEYS] = NULL;
    set.keys[0] = &old;
    configure_ds(&other); /* it is missing, so there is room for all but one */
    begin_again();
    assert_int_equal(see(&set), TRACKING_CHANGED);
    assert_int_equal(tracking.now.count, TRACKING_KEYS);
    assert_int_equal(tracking.now.ignored, 1);
    assert_true(is_anchor(&old) && is_anchor(&other));
}

static void many_signatures_cost_little(void **unused)
{
    (void)unused;
    struct sighting *sighting;
    struct set set = {KEYS(&old), SIGNERS(&old), .copies = 60, .spoil = true};
    assert_int_equal(sighting_new(&sighting, message_of(&set), now_s), 0);
    assert_false(sighting->keys[0].has_signed);
    sighting_free(sighting);
}

static void messages_about_something_else_are_refused(void **unused)
{
    (void)unused;
    static struct signed_message message;
    struct sighting *sighting;
    message_start(&message, "example.", TYPE_DNSKEY, 0);
    message_record(&message, 0, "example.", TYPE_DNSKEY, key_of(&old));
    const struct answer *answer = message_end(&message);
    assert_int_equal(sighting_new(&sighting, (struct bytes){answer->wire, answer->len}, now_s), ERROR_MALFORMED);
    message_start(&message, ".", TYPE_DNSKEY, 0);
    answer = message_end(&message);
    assert_int_equal(sighting_new(&sighting, (struct bytes){answer->wire, answer->len}, now_s), ERROR_MALFORMED);
    assert_int_equal(sighting_new(&sighting, (struct bytes){answer->wire, 11}, now_s), ERROR_MALFORMED);
}

static void a_set_that_flaps_fills_nothing(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3 * TRACKING_EVIDENCE; i++) {
        pass(3600);
        if (i % 2)
            SEE(KEYS(&old, &new), SIGNERS(&old));
        else
            SEE(KEYS(&old), SIGNERS(&old));
    }
    assert_true(tracking.evidence_count <= 1);
}

/* Each key needs two sightings, new and revoked, and the last one a third: removed. It finds no room for that. */
static void changes_beyond_the_limit_are_refused(void **unused)
{
    (void)unused;
    enum { LAST = TRACKING_EVIDENCE / 2 - 1 };
    static struct ksk many[LAST + 1];
    for (unsigned i = 0; i <= LAST; i++) {
        make_key(&many[i]);
        struct ksk form = revoked(&many[i]);
        SEE(KEYS(&old, &many[i]), SIGNERS(&old));
        pass(DAY);
        SEE(KEYS(&old, &form), SIGNERS(&old, &form));
        pass(TRACKING_HOLD_S);
        enum tracking_result result = SEE(KEYS(&old), SIGNERS(&old));
        assert_int_equal(result, i < LAST ? TRACKING_CHANGED : TRACKING_REFUSED);
        assert_int_equal(state(&many[i]), i < LAST ? TRACKING_REMOVED : TRACKING_REVOKED);
        pass(DAY);
    }
    assert_int_equal(tracking.evidence_count, TRACKING_EVIDENCE);
    restart();
    assert_int_equal(state(&many[LAST]), TRACKING_REVOKED);
    assert_true(is_anchor(&old));
    struct ksk form = revoked(&old);
    assert_int_equal(SEE(KEYS(&form), SIGNERS(&form)), TRACKING_CHANGED); /* but an anchor can always be revoked */
    restart();
    assert_int_equal(state(&old), TRACKING_REVOKED);
    assert_false(is_anchor(&old));
    for (unsigned i = 0; i <= LAST; i++)
        gnutls_privkey_deinit(many[i].signer.key);
}

/* --- what is saved --- */

static void the_evidence_leads_to_the_same_states(void **unused)
{
    (void)unused;
    struct ksk form = revoked(&old);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    pass(TRACKING_HOLD_S);
    restart();
    assert_int_equal(state(&new), TRACKING_PENDING);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    restart();
    assert_int_equal(state(&new), TRACKING_VALID);
    pass(DAY);
    SEE(KEYS(&form, &new), SIGNERS(&form, &new));
    pass(DAY);
    SEE(KEYS(&new, &other), SIGNERS(&new));
    pass(TRACKING_HOLD_S);
    SEE(KEYS(&new, &other), SIGNERS(&new));
    restart();
    assert_int_equal(state(&old), TRACKING_REMOVED);
    assert_int_equal(state(&new), TRACKING_VALID);
    assert_int_equal(state(&other), TRACKING_VALID);
    assert_true(!is_anchor(&old) && is_anchor(&new) && is_anchor(&other));
}

/* A writer of the saved state can leave out sightings and choose their times, but has only the root's signatures. */
static void saved_states_add_nothing_without_signatures(void **unused)
{
    (void)unused;
    struct sighting *forged;
    int64_t first_s = now_s;
    SEE(KEYS(&old, &new), SIGNERS(&old));
    struct set set = {KEYS(&old, &stranger), SIGNERS(&stranger)};
    assert_int_equal(sighting_new(&forged, message_of(&set), now_s), 0);
    assert_int_equal(tracking_see(&tracking, forged, changes, &change_count), TRACKING_UNTRUSTED);
    /* The same RRset at a time that its signature does not cover. */
    assert_int_equal(sighting_new(&forged, tracking.evidence[0]->saved, first_s + TRACKING_HOLD_S), 0);
    assert_int_equal(tracking_see(&tracking, forged, changes, &change_count), TRACKING_UNTRUSTED);
    assert_int_equal(state(&new), TRACKING_PENDING);
}

static void other_configured_anchors_are_the_new_beginning(void **unused)
{
    (void)unused;
    SEE(KEYS(&old, &new), SIGNERS(&old));
    pass(TRACKING_HOLD_S);
    SEE(KEYS(&old, &new), SIGNERS(&old));
    anchors_unref(configured);
    assert_int_equal(anchors_new(&configured), 0);
    configure_ds(&stranger);
    assert_false(is_anchor(&new) || is_anchor(&old)); /* the evidence is of no use for them */
    struct sighting *saved;
    assert_int_equal(sighting_new(&saved, tracking.evidence[1]->saved, tracking.evidence[1]->at_s), 0);
    begin_again();
    assert_int_equal(tracking_see(&tracking, saved, changes, &change_count), TRACKING_UNTRUSTED);
    assert_int_equal(tracking.now.count, 1);
    assert_false(is_anchor(&new) || is_anchor(&old));
    assert_true(is_anchor(&stranger));
}

/* One key that is configured twice is one key. */
static void a_key_and_its_ds_are_one(void **unused)
{
    (void)unused;
    assert_int_equal(anchors_add(configured, (const uint8_t *)"", 1, TYPE_DNSKEY, key_of(&old)), 0);
    begin_again();
    assert_int_equal(tracking.now.count, 1);
    struct ksk form = revoked(&old);
    SEE(KEYS(&form), SIGNERS(&form));
    assert_int_equal(tracking.now.count, 1);
    assert_false(is_anchor(&old));
}

/* --- intervals --- */

static void queries_follow_ttl_and_signature(void **unused)
{
    (void)unused;
    struct sighting *sighting = sighting_of(&(struct set){KEYS(&old), SIGNERS(&old)});
    assert_int_equal(tracking_query_interval(sighting), TTL / 2);
    assert_int_equal(tracking_retry_interval(sighting), TTL / 10);
    sighting_free(sighting);
    sighting = sighting_of(&(struct set){KEYS(&old), SIGNERS(&old), .until_s = now_s + 40000});
    assert_int_equal(tracking_query_interval(sighting), 20000);
    assert_int_equal(tracking_retry_interval(sighting), 4000);
    sighting_free(sighting);
    sighting = sighting_of(&(struct set){KEYS(&old), SIGNERS(&old), .until_s = now_s + 60});
    assert_int_equal(tracking_query_interval(sighting), 3600);
    assert_int_equal(tracking_retry_interval(sighting), 3600);
    sighting_free(sighting);
    assert_int_equal(tracking_retry_interval(NULL), 3600);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_that_of_the_rfc),
        TEST(a_new_key_is_accepted_after_the_hold_down),
        TEST(a_pending_key_that_disappears_starts_again),
        TEST(a_pending_key_can_be_revoked),
        TEST(a_missing_key_stays_an_anchor_and_returns),
        TEST(revocation_is_immediate_and_lasts),
        TEST(a_missing_key_can_be_revoked_by_itself_alone),
        TEST(the_bit_without_a_signature_revokes_nothing),
        TEST(without_any_anchor_nothing_is_validated),
        TEST(an_anchor_that_is_not_supported_is_none),
        TEST(what_is_not_signed_by_an_anchor_changes_nothing),
        TEST(a_zone_signing_key_is_no_candidate),
        TEST(large_sets_are_refused),
        TEST(many_signatures_cost_little),
        TEST(messages_about_something_else_are_refused),
        TEST(a_set_that_flaps_fills_nothing),
        TEST(changes_beyond_the_limit_are_refused),
        TEST(the_evidence_leads_to_the_same_states),
        TEST(saved_states_add_nothing_without_signatures),
        TEST(other_configured_anchors_are_the_new_beginning),
        TEST(a_key_and_its_ds_are_one),
        TEST(queries_follow_ttl_and_signature),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
