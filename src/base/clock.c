/* SPDX-License-Identifier: MIT */
/* Invariant: while `fake.on` is set no function here reads a system clock. */
#include "base/clock.h"

#include <sys/timex.h>
#include <time.h>

static struct {
    bool on;
    uint64_t us;
    int64_t wall_s;
    bool unsynchronised;
} fake;

uint64_t clock_us(void)
{
    struct timespec now;
    if (fake.on)
        return fake.us;
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Reads the clock itself instead of dividing clock_us: each turn of a loop calls it, so on an idle worker it is a
 * cost of each hit. */
uint64_t clock_ms(void)
{
    struct timespec now;
    if (fake.on)
        return fake.us / 1000;
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_slept_ms(void)
{
    struct timespec monotonic;
    if (fake.on)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    uint64_t awake_ms = (uint64_t)monotonic.tv_sec * 1000 + (uint64_t)monotonic.tv_nsec / 1000000, boot_ms = clock_ms();
    return boot_ms > awake_ms ? boot_ms - awake_ms : 0;
}

int64_t clock_wall_s(void)
{
    struct timespec now;
    if (fake.on)
        return fake.wall_s;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    if (fake.on)
        return fake.wall_s * 1000;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

bool clock_is_synchronised(void)
{
    struct timex state = {.modes = 0};
    if (fake.on)
        return !fake.unsynchronised;
    return adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
}

void clock_fake_synchronised(bool synchronised)
{
    fake.unsynchronised = !synchronised;
}

void clock_fake(uint64_t us, int64_t wall_s)
{
    fake.on = true;
    fake.us = us;
    fake.wall_s = wall_s;
}

void clock_real(void)
{
    fake.on = false;
    fake.unsynchronised = false;
}
