/* SPDX-License-Identifier: MIT */
/* The time that certificates are verified with.
 *
 * Does:    returns the system's clock if it is later than the date of this build; otherwise the later of the build
 *          date and the time of the last verified handshake, which is saved in a file. Says whether the clock may
 *          be behind, so that a chain that is not valid yet is accepted: a machine that boots without a clock needs
 *          DNS to find its time servers. Chain, name and pins do not depend on the time, and an expired chain is
 *          refused.
 * Owns:    one time for the whole process.
 * Threads: verifytime_load and verifytime_save on one thread, all others from any;
 *          the first call of verifytime_load before there are other threads.
 */
#ifndef DOTSTUB_NET_VERIFYTIME_H
#define DOTSTUB_NET_VERIFYTIME_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of the wall clock since 1970. */
int64_t verifytime_now(void);
/* True if the clock is earlier than the build date; or if, as far as the kernel knows, it was not set since the
 * boot less than ten minutes ago. */
bool verifytime_may_be_behind(void);
/* A peer was verified just now, including the dates of its certificate chain. */
void verifytime_note(void);
/* verifytime_now returns this time to the calling thread, until a call with 0. */
void verifytime_assume(int64_t time_s);

/* Loads the time saved by verifytime_save, replacing the current one. A missing file is not an error; an unreadable
 * or implausible one is logged and ignored. Logs a warning if the clock is behind. */
void verifytime_load(const char *path);
/* Saves the time of the last verified handshake if it is new, at most once an hour, so it may be called often. May
 * wait for the disk, so workers must not call it. The file is replaced atomically (PATH.new is renamed) and has
 * mode 0600. A failure is logged; the next attempt is an hour later. */
void verifytime_save(const char *path);

#endif
