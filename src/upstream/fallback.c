/* SPDX-License-Identifier: MIT */
#include "fallback.h"
#include "base/hash.h"

#define OFF     FALLBACK_OFF
#define DOUBT   FALLBACK_DOUBT
#define BAD     FALLBACK_BAD
#define ON      FALLBACK_ON
#define PROVING FALLBACK_PROVING

/* The state after each event. */
static const uint8_t next_state[FALLBACK_EVENTS][FALLBACK_STATES] = {
    /* in OFF, DOUBT, BAD, ON, PROVING */
    [FALLBACK_DOT_OPENED] = {OFF, OFF, BAD, PROVING, PROVING},
    [FALLBACK_DOT_FAILED] = {DOUBT, DOUBT, BAD, ON, ON},
    [FALLBACK_DOT_HANGS] = {DOUBT, DOUBT, BAD, ON, PROVING},
    [FALLBACK_DOT_LOST] = {BAD, BAD, BAD, ON, ON},
    [FALLBACK_DOT_LATE] = {BAD, BAD, BAD, ON, ON},
    [FALLBACK_TEST_FAILED] = {OFF, DOUBT, BAD, ON, ON},
    [FALLBACK_PROVEN] = {OFF, DOUBT, BAD, ON, OFF},
    [FALLBACK_HTTPS_OPENED] = {OFF, ON, ON, ON, PROVING},
    [FALLBACK_EXPIRED] = {OFF, DOUBT, OFF, ON, PROVING},
    [FALLBACK_MOVED] = {OFF, OFF, OFF, OFF, OFF},
};

/* A quarter is taken off at random, so that the clients of one server do not dial together. */
static uint64_t probe_length(unsigned failures)
{
    uint64_t base = FALLBACK_PROBE_MAX;
    if (failures < 4 && ((uint64_t)FALLBACK_PROBE_FIRST << failures) < FALLBACK_PROBE_MAX)
        base = (uint64_t)FALLBACK_PROBE_FIRST << failures;
    return base - random_below((uint32_t)(base / 4) + 1);
}

bool fallback_note(struct fallback *fallback, enum fallback_event event, int error, uint64_t now_ms)
{
    uint8_t before = fallback->state, after = next_state[event][before];
    bool is_probe_failure = before == PROVING && after == ON;
    is_probe_failure |= before == ON && event == FALLBACK_DOT_FAILED;
    if (error < 0 && (after == DOUBT || after == BAD || is_probe_failure))
        fallback->error = error;
    if (is_probe_failure && fallback->failures < UINT8_MAX)
        fallback->failures++;
    if (event == FALLBACK_MOVED || (after == OFF && before != OFF)) {
        fallback->failures = 0;
        fallback->lost = 0;
    }
    if (after == ON && (before != ON || is_probe_failure))
        fallback->probe_ms = now_ms + probe_length(fallback->failures);
    if (after == before)
        return false;
    fallback->state = after;
    fallback->since_ms = now_ms;
    return true;
}

bool fallback_note_loss(struct fallback *fallback, uint64_t now_ms)
{
    if (fallback->lost > 0 && now_ms < fallback->lost_ms[0] + FALLBACK_TOGETHER)
        return false;
    for (unsigned i = FALLBACK_LOSSES - 1; i > 0; i--)
        fallback->lost_ms[i] = fallback->lost_ms[i - 1];
    fallback->lost_ms[0] = now_ms;
    if (fallback->lost < FALLBACK_LOSSES)
        fallback->lost++;
    return fallback->lost == FALLBACK_LOSSES && now_ms < fallback->lost_ms[FALLBACK_LOSSES - 1] + FALLBACK_SPAN;
}
