/* SPDX-License-Identifier: MIT */
/* A hostile upstream: a response, then the responses for all that its validation needs, some of which count as secure. Nobody
 * can make a signature here, so no response is secure; the work is bounded. The input is a list of messages: two bytes of
 * length, one byte that says what becomes of the message, the message. */
#include "dnssec/validation.h"
#include "fuzz.h"

static struct answer_scratch scratch;

/* The next message of the input, walked, in memory of its own. NULL: it is not a response. */
static struct answer *take(struct cursor *cursor, uint8_t *what, struct answer *out)
{
    size_t len = cursor_u16(cursor);
    *what = cursor_u8(cursor);
    len = len < cursor_left(cursor) ? len : cursor_left(cursor);
    const uint8_t *data = cursor_take(cursor, len);
    if (!data || len < MESSAGE_HEADER)
        return NULL;
    uint8_t *copy = exact_copy(data, len);
    if (message_own_answer(copy, len, &scratch, out) == 0)
        return out;
    free(copy);
    return NULL;
}

static void give(struct validation *validation, struct cursor *cursor)
{
    static const enum dnssec_verdict verdicts[] = {DNSSEC_SECURE, DNSSEC_SECURE, DNSSEC_INSECURE, DNSSEC_BOGUS};
    const struct dnssec_result *result = validation_result(validation);
    uint8_t name[NAME_MAX_WIRE], what;
    struct answer answer;
    bool given = take(cursor, &what, &answer);
    memcpy(name, result->need, result->need_len);
    MUST(validation_give(validation, name, result->need_len, result->need_type,
                         given ? verdicts[what & 3] : DNSSEC_BOGUS, given ? &answer : NULL, EDE_NONE, "") == 0);
    if (given)
        free(answer.wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    struct dnssec_context context = {.now_s = 1800000000};
    struct anchors *anchors;
    struct answer answer;
    struct key key = {.class = CLASS_IN};
    uint8_t what;
    if (!take(&cursor, &what, &answer))
        return 0;
    key.name_len = (uint8_t)name_len((struct bytes){answer.wire + MESSAGE_HEADER, answer.len - MESSAGE_HEADER});
    name_lower(key.name, answer.wire + MESSAGE_HEADER, key.name_len);
    key.type = read_u16(answer.wire + MESSAGE_HEADER + key.name_len);
    MUST(anchors_new(&anchors) == 0 && anchors_add_root(anchors) == 0);
    context.anchors = anchors;
    context.may_be_behind = what & 1;
    struct validation *validation = validation_new(&key);
    enum dnssec_verdict verdict;
    unsigned rounds = 0;
    while (dnssec_is_open(verdict = validation_run(validation, &answer, &context)) && ++rounds <= DNSSEC_FACTS + 16)
        if (verdict == DNSSEC_NEED)
            give(validation, &cursor);
    MUST(verdict == DNSSEC_INSECURE || verdict == DNSSEC_BOGUS);
    MUST(validation_result(validation)->checks <= 16);
    for (unsigned i = 0; i < answer.ttl_count + 2; i++)
        (void)validation_keeps(validation, i);
    validation_free(validation);
    anchors_unref(anchors);
    free(answer.wire);
    return 0;
}
