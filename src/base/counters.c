/* SPDX-License-Identifier: MIT */
/* Invariant: both tables are made from the one list, so they have a line for every counter, in its place. */
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
