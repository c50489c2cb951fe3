/* SPDX-License-Identifier: MIT */
/* The time that certificates are verified with.
 *
 * Does:    gives the latest of the system's clock, the date of this build and the time of the last verified
 * handshake, which a file carries over restarts. So a machine that boots without a clock can ask us for its
 * time servers, and a clock that is turned back makes no expired certificate good. Chain, name and pins do
 * not depend on it: nothing is ever accepted for want of a clock, and what has expired by this time is
 * refused.
 * Owns:    one time for the whole process.
 * Threads: verifytime_now and verifytime_note from any; the other two on one thread, the first call of
 * verifytime_load before there are others.
 */
#ifndef DOTSTUB_NET_VERIFYTIME_H
#define DOTSTUB_NET_VERIFYTIME_H

#include <stdint.h>

/* Seconds of the wall clock since 1970. */
int64_t verifytime_now(void);
/* A certificate chain's dates were verified just now, and all else about the peer. */
void verifytime_note(void);

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
