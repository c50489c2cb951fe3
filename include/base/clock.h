/* SPDX-License-Identifier: MIT */
/* Clocks. Durations and ages are measured by the boot-time clock, which includes suspend and is not affected by
 * settimeofday; the wall clock serves log lines, certificates and files only.
 *
 * Threads: any. The fake clock is for single-threaded tests.
 */
#ifndef DOTSTUB_BASE_CLOCK_H
#define DOTSTUB_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds and microseconds of CLOCK_BOOTTIME, or of CLOCK_MONOTONIC if the kernel lacks it. */
uint64_t clock_ms(void);
uint64_t clock_us(void);
/* Wall-clock seconds and milliseconds since 1970. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* Milliseconds that the machine has spent suspended since it booted. */
uint64_t clock_slept_ms(void);

/* True if the kernel was told that the wall clock is synchronised (adjtimex). Many machines never do that; false
 * also where the call is forbidden. */
bool clock_is_synchronised(void);

/* From now on clock_us returns `us`, clock_ms `us` / 1000, and clock_wall_s `wall_s`. */
void clock_fake(uint64_t us, int64_t wall_s);
/* Sets the result of clock_is_synchronised for faked clocks; at first it is true. */
void clock_fake_synchronised(bool synchronised);
void clock_real(void);

#endif
