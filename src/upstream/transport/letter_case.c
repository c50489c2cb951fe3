/* SPDX-License-Identifier: MIT */
#include "letter_case.h"
#include "base/hash.h"

bool letter_case_is_mixed(const struct letter_case *known, uint64_t now_ms)
{
    return now_ms >= known->plain_until_ms;
}

/* Lengths of labels are below 64, so they are no letters. */
void letter_case_mix(uint8_t *name, size_t len)
{
    uint32_t bits = 0;
    unsigned left = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t lower = name[i] | 0x20;
        if (lower < 'a' || lower > 'z')
            continue;
        if (left == 0) {
            bits = random_below(0);
            left = 32;
        }
        name[i] = bits & 1 ? lower & (uint8_t)~0x20 : lower;
        bits >>= 1;
        left--;
    }
}

bool letter_case_note(struct letter_case *known, bool same, uint64_t now_ms)
{
    if (same) {
        known->changed = 0;
        return false;
    }
    if (++known->changed < LETTER_CASE_CHANGED)
        return false;
    known->changed = 0;
    known->plain_until_ms = now_ms + LETTER_CASE_RETEST;
    return true;
}
