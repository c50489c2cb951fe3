/* SPDX-License-Identifier: MIT */
/* Limits and ages the TTLs of any response that the walk accepts, and rotates its RRset: no TTL leaves its range or rises with
 * age, only TTLs change, and the walk still accepts the message. The first bytes of the input choose type, limits and age. */
#include "dns/edit.h"
#include "dns/rotate.h"
#include "dns/ttl.h"
#include "fuzz.h"

static struct answer_scratch scratch, scratch_again;
static uint8_t original[MESSAGE_MAX], masked[MESSAGE_MAX];
static struct answer_transport transport;

struct choice {
    uint16_t qtype;
    uint32_t elapsed;
    struct ttl_limits limits;
};

static struct choice choose(struct cursor *cursor)
{
    struct choice choice;
    choice.qtype = cursor_u16(cursor);
    choice.elapsed = cursor_u32(cursor);
    choice.limits.min = cursor_u8(cursor);
    choice.limits.max = choice.limits.min + cursor_u32(cursor) / 2;
    choice.limits.negative_max = cursor_u32(cursor);
    return choice;
}

static uint32_t ttl_of(const uint8_t *wire, unsigned record)
{
    return read_u32(wire + scratch.ttl_offsets[record]);
}

/* Lowest TTL in the Answer section. */
static uint32_t lowest_answer(const struct answer *answer)
{
    uint32_t lowest = UINT32_MAX;
    for (unsigned i = 0; i < read_u16(answer->wire + 6); i++)
        lowest = ttl_of(answer->wire, i) < lowest ? ttl_of(answer->wire, i) : lowest;
    return lowest;
}

static void check_limited(const struct answer *answer, const struct ttl_limits *limits)
{
    MUST(answer->ttl <= limits->max && answer->ttl <= INT32_MAX && answer->ttl <= lowest_answer(answer));
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        uint32_t before = ttl_of(original, i), now = ttl_of(answer->wire, i);
        MUST(now <= limits->max && now <= INT32_MAX);
        MUST(now <= before || (before > 0 && now <= limits->min));
    }
}

static void check_aged(const struct answer *answer, const uint8_t *before, uint32_t elapsed)
{
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        uint32_t was = ttl_of(before, i);
        MUST(ttl_of(answer->wire, i) == (was > elapsed ? was - elapsed : 0));
    }
}

static void check_only_ttls_changed(struct answer *answer)
{
    struct answer again;
    int error = message_walk_answer(answer->wire, answer->len, &scratch_again, &again, &transport);
    MUST(!error && !transport.edns && again.len == answer->len && again.ttl_count == answer->ttl_count);
    MUST(memcmp(scratch.ttl_offsets, scratch_again.ttl_offsets, answer->ttl_count * 2) == 0);
    memcpy(masked, original, answer->len);
    edit_age(masked, scratch.ttl_offsets, answer->ttl_count, UINT32_MAX);
    edit_age(answer->wire, scratch.ttl_offsets, answer->ttl_count, UINT32_MAX);
    MUST(memcmp(masked, answer->wire, answer->len) == 0);
}

/* Rotation moves no name: the message still walks, with records in the same places. */
static void check_rotation(const struct answer *answer, uint32_t turn)
{
    struct answer again;
    if (!rotate_is_possible(answer))
        return;
    memcpy(masked, answer->wire, answer->len);
    rotate_rrset(masked, answer->wire, answer->ttl_offsets, turn);
    MUST(message_walk_answer(masked, answer->len, &scratch_again, &again, &transport) == 0);
    MUST(again.len == answer->len && again.ttl_count == answer->ttl_count);
    MUST(memcmp(scratch.ttl_offsets, scratch_again.ttl_offsets, answer->ttl_count * 2) == 0);
}

static void age_answer(struct answer *answer, const struct choice *choice)
{
    check_rotation(answer, choice->elapsed);
    memcpy(original, answer->wire, answer->len);
    ttl_apply(answer, choice->qtype, &choice->limits);
    check_limited(answer, &choice->limits);
    memcpy(masked, answer->wire, answer->len);
    edit_age(answer->wire, answer->ttl_offsets, answer->ttl_count, choice->elapsed);
    check_aged(answer, masked, choice->elapsed);
    check_only_ttls_changed(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size});
    struct choice choice = choose(&cursor);
    size_t len = cursor_left(&cursor);
    struct answer answer;
    uint8_t *wire = exact_copy(cursor.at, len);
    if (!cursor.failed && len <= MESSAGE_MAX && message_walk_answer(wire, len, &scratch, &answer, &transport) == 0)
        age_answer(&answer, &choice);
    free(wire);
    return 0;
}
