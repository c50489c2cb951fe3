/* SPDX-License-Identifier: MIT */
#include "condition.h"
#include "base/hash.h"

/* The state after each event. A session for queries does not end the state UNANSWERED, else it would change with each dial. */
static const uint8_t next_state[CONDITIONS][CONDITION_EVENTS] = {
    [CONDITION_UNKNOWN] = {[CONDITION_OPENED] = CONDITION_USABLE,
                           [CONDITION_PROBED] = CONDITION_USABLE,
                           [CONDITION_ANSWERED] = CONDITION_USABLE,
                           [CONDITION_DIAL_FAILED] = CONDITION_FAILING,
                           [CONDITION_SESSION_FAILED] = CONDITION_UNANSWERED,
                           [CONDITION_MOVED] = CONDITION_UNKNOWN},
    [CONDITION_USABLE] = {[CONDITION_OPENED] = CONDITION_USABLE,
                          [CONDITION_PROBED] = CONDITION_USABLE,
                          [CONDITION_ANSWERED] = CONDITION_USABLE,
                          [CONDITION_DIAL_FAILED] = CONDITION_FAILING,
                          [CONDITION_SESSION_FAILED] = CONDITION_UNANSWERED,
                          [CONDITION_MOVED] = CONDITION_UNKNOWN},
    [CONDITION_FAILING] = {[CONDITION_OPENED] = CONDITION_USABLE,
                           [CONDITION_PROBED] = CONDITION_USABLE,
                           [CONDITION_ANSWERED] = CONDITION_USABLE,
                           [CONDITION_DIAL_FAILED] = CONDITION_FAILING,
                           [CONDITION_SESSION_FAILED] = CONDITION_UNANSWERED,
                           [CONDITION_MOVED] = CONDITION_FAILING},
    [CONDITION_UNANSWERED] = {[CONDITION_OPENED] = CONDITION_UNANSWERED,
                              [CONDITION_PROBED] = CONDITION_USABLE,
                              [CONDITION_ANSWERED] = CONDITION_USABLE,
                              [CONDITION_DIAL_FAILED] = CONDITION_FAILING,
                              [CONDITION_SESSION_FAILED] = CONDITION_UNANSWERED,
                              [CONDITION_MOVED] = CONDITION_UNANSWERED},
};

bool condition_is_failing(const struct condition *condition)
{
    return condition->state == CONDITION_FAILING || condition->state == CONDITION_UNANSWERED;
}

/* A random quarter is taken off, so that workers and clients of one server do not probe together. */
static uint64_t probe_length(const struct condition *condition)
{
    uint64_t base = PROBE_UNKNOWN;
    if (condition->state == CONDITION_USABLE)
        base = PROBE_USABLE;
    else if (condition_is_failing(condition))
        base = condition->failures <= 5 ? PROBE_FAILED << (condition->failures - 1) : PROBE_FAILED_MAX;
    return base - random_below((uint32_t)(base / 4) + 1);
}

void condition_note(struct condition *condition, enum condition_event event, uint64_t now_ms)
{
    condition->state = next_state[condition->state][event];
    if (!condition_is_failing(condition))
        condition->failures = 0;
    else if (condition->failures < UINT8_MAX && event >= CONDITION_DIAL_FAILED && event != CONDITION_MOVED)
        condition->failures++;
    if (event != CONDITION_MOVED)
        condition->known_ms = now_ms;
    condition->probe_ms =
        event == CONDITION_MOVED && condition_is_failing(condition) ? now_ms : now_ms + probe_length(condition);
}

uint64_t condition_probe_at(struct condition *condition, uint64_t now_ms)
{
    if (!condition->probe_ms)
        condition->probe_ms = now_ms + probe_length(condition);
    return condition->probe_ms;
}
