/* SPDX-License-Identifier: MIT */
/* Invariant: both tables are expanded from COUNTERS, so that they are indexed by enum counter. */
#include "base/counters.h"

#include <assert.h>

#define COUNTERS_NAME(name, help) #name,
#define COUNTERS_HELP(name, help) help,
static const char *const names[] = {COUNTERS(COUNTERS_NAME)};
static const char *const helps[] = {COUNTERS(COUNTERS_HELP)};

const char *counter_name(enum counter which)
{
    assert(which < COUNTER_COUNT);
    return names[which];
}

const char *counter_help(enum counter which)
{
    assert(which < COUNTER_COUNT);
    return helps[which];
}
