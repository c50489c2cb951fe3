/* SPDX-License-Identifier: MIT */
/* The time that certificates are verified with.
 *
 * Does:    gives the system's clock, once that is past the date of this build; before, the later of the build's date
 *          and the time of the last verified handshake, which a file carries over restarts. Says whether the clock may
 *          be behind, so that a chain that is not valid yet is accepted: a machine that boots without a clock asks us
 *          for its time servers. Chain, name and pins do not depend on the time, and an expired chain is refused.
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
/* The clock says a time before the build; or nothing has set it yet, as far as the kernel knows, and the machine booted
 * less than ten minutes ago. */
bool verifytime_may_be_behind(void);
/* A certificate chain's dates were verified just now, and all else about the peer. */
void verifytime_note(void);
/* Until the call with 0, verifytime_now gives this time to the calling thread. */
void verifytime_assume(int64_t time_s);

/* Takes up what verifytime_save kept, and forgets what was noted before. A file that is not there is no
 * error; one that cannot be read or believed is ignored with one line in the log. Says in one line if the
 * clock is behind. */
void verifytime_load(const char *path);
/* Keeps the time of the last verified handshake, if there was one since the last call that did: at most once
 * an hour, so it may be called often. May wait for the disk: not for a thread that answers. The file appears
 * whole (a new one, PATH.new, takes its place) and is its owner's alone (0600). A failure is one line in the
 * log; another try is made an hour later. */
void verifytime_save(const char *path);

#endif
