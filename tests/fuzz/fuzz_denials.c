/* SPDX-License-Identifier: MIT */
/* Hostile NSEC and NSEC3 records that a zone's keys have signed: the denial cache learns them, and answers queries of the
 * input. Each response is well-formed and has a SOA; the memory stays within its limit. The input is a list of messages: two
 * bytes of length, one byte of the number of labels of the apex, the message; after each one its own question is asked, and
 * that of the first one. */
#include "dns/rewrite.h"
#include "dnssec/inside.h"
#include "dnssec/proofs.h"
#include "fuzz.h"

enum { MOST = 4096 };

static struct answer_scratch scratch;
static struct rewrite rewrite;
static uint8_t made[MESSAGE_MAX];

static void key_of(const struct answer *answer, struct key *key)
{
    *key = (struct key){.class = CLASS_IN, .group = 1, .flags = KEY_DO};
    key->name_len = (uint8_t)name_len((struct bytes){answer->wire + MESSAGE_HEADER, answer->len - MESSAGE_HEADER});
    name_lower(key->name, answer->wire + MESSAGE_HEADER, key->name_len);
    key->type = read_u16(answer->wire + MESSAGE_HEADER + key->name_len);
}

static void learn(struct denials *denials, const struct answer *answer, unsigned labels,
                  const struct denials_context *context)
{
    struct validation validation = {.qtype = TYPE_A};
    if (rrsets_new(&validation.sets, answer) < 0)
        return;
    for (unsigned i = 0; i < validation.sets->count; i++) {
        struct rrset *set = &validation.sets->set[i];
        set->status = labels <= set->labels ? RRSET_SECURE : RRSET_BOGUS;
        set->apex_labels = (uint8_t)labels;
        set->life_s = 1000;
    }
    (void)denials_learn(denials, &validation, answer, context);
    rrsets_free(validation.sets);
}

static void ask(struct denials *denials, const struct key *key, const struct dnssec_context *trust,
                const struct denials_context *context)
{
    struct answer answer;
    size_t len = denials_answer(denials, key, trust, context, made);
    if (len == 0)
        return;
    MUST(message_own_answer(made, len, &scratch, &answer) == 0);
    MUST(message_answers((struct bytes){made, len}, key));
    MUST(answer.rcode == RCODE_NOERROR || answer.rcode == RCODE_NXDOMAIN);
    rewrite_list(&rewrite, &answer);
    MUST(rewrite.section_start[1] == 0 && rewrite.record[0].type == TYPE_SOA);
    MUST(len < 5 * PROOF_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    struct denials_context context = {.group = 1, .now_ms = 1000, .most_s = 3600};
    struct dnssec_context trust = {.now_s = 1800000000};
    struct denials *denials;
    struct anchors *anchors;
    struct key first = {.name_len = 0};
    MUST(anchors_new(&anchors) == 0 && anchors_add_root(anchors) == 0 && denials_new(&denials, MOST) == 0);
    trust.anchors = anchors;
    while (cursor_left(&cursor) > 3) {
        size_t len = cursor_u16(&cursor);
        uint8_t labels = cursor_u8(&cursor);
        len = len < cursor_left(&cursor) ? len : cursor_left(&cursor);
        const uint8_t *message = cursor_take(&cursor, len);
        struct answer answer;
        struct key key;
        if (len < MESSAGE_HEADER)
            continue;
        uint8_t *copy = exact_copy(message, len);
        if (message_own_answer(copy, len, &scratch, &answer) == 0) {
            key_of(&answer, &key);
            if (first.name_len == 0)
                first = key;
            learn(denials, &answer, labels, &context);
            MUST(denials_stats(denials).bytes <= MOST);
            ask(denials, &key, &trust, &context);
            ask(denials, &first, &trust, &context);
        }
        free(copy);
    }
    denials_clear(denials);
    MUST(denials_stats(denials).bytes == 0 && denials_stats(denials).records == 0);
    denials_free(denials);
    anchors_unref(anchors);
    return 0;
}
